//! What a DHCP server is to be told, so that each phone finds its folder by option 66 (RFC 2132 §9.4).

use std::fmt::Write as _;

use crate::mac::Mac;

/// A DHCP server by the form of its configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DhcpServer {
    /// dnsmasq.
    Dnsmasq,
    /// Kea.
    Kea,
    /// ISC dhcpd.
    Isc,
}

/// The lines for these devices, each with its folder. They hold the secrets of the folders.
pub fn dhcp_lines(server: DhcpServer, devices: &[(Mac, String)]) -> String {
    let colons = |mac: &Mac| mac.with_colons().to_ascii_lowercase();
    let mut text = String::new();
    // Writing to a String cannot fail.
    match server {
        DhcpServer::Dnsmasq => {
            for (mac, url) in devices {
                let _ = writeln!(text, "dhcp-host={},set:phone-{mac}", colons(mac));
                let _ = writeln!(text, "dhcp-option-force=tag:phone-{mac},66,\"{url}\"");
            }
        }
        DhcpServer::Isc => {
            for (mac, url) in devices {
                let host = colons(mac);
                let _ = writeln!(text, "host phone-{mac} {{");
                let _ = writeln!(
                    text,
                    "    hardware ethernet {host};\n    option tftp-server-name \"{url}\";\n}}"
                );
            }
        }
        DhcpServer::Kea => {
            let row = |(mac, url): &(Mac, String)| {
                serde_json::json!({
                    "hw-address": colons(mac),
                    "option-data": [{ "name": "tftp-server-name", "data": url, "always-send": true }],
                })
            };
            let rows: Vec<_> = devices.iter().map(row).collect();
            let _ = writeln!(text, "{:#}", serde_json::json!({ "reservations": rows }));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_is_told_in_its_own_form() {
        let mac = Mac([0x00, 0x21, 0xf2, 0x22, 0xb0, 0x21]);
        let devices = [(mac, "http://192.0.2.1:8069/p/s3cret/".to_owned())];
        assert_eq!(
            dhcp_lines(DhcpServer::Dnsmasq, &devices),
            "dhcp-host=00:21:f2:22:b0:21,set:phone-0021f222b021\n\
             dhcp-option-force=tag:phone-0021f222b021,66,\"http://192.0.2.1:8069/p/s3cret/\"\n"
        );
        let isc = dhcp_lines(DhcpServer::Isc, &devices);
        assert!(
            isc.contains("hardware ethernet 00:21:f2:22:b0:21;") && isc.contains("tftp-server-name"),
            "{isc}"
        );
        let kea: serde_json::Value =
            serde_json::from_str(&dhcp_lines(DhcpServer::Kea, &devices)).expect("JSON");
        assert_eq!(kea["reservations"][0]["hw-address"], "00:21:f2:22:b0:21");
    }
}
