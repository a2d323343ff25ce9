//! Option 120: SIP servers, by name or by address (RFC 3361).

use std::net::Ipv4Addr;

/// So many servers of one option are taken.
pub const MOST_SIP_SERVERS: usize = 16;
/// A name of the DNS (RFC 1035 §2.3.4).
const MOST_NAME_BYTES: usize = 253;
const MOST_LABEL_BYTES: usize = 63;

/// A SIP server as DHCP names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SipServer {
    /// A name, to be looked for in the DNS by RFC 3263.
    Name(String),
    /// An address.
    Address(Ipv4Addr),
}

impl std::fmt::Display for SipServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(ip) => ip.fmt(f),
        }
    }
}

/// Reads the option's value in both encodings; what is cut off or no name ends the list.
pub fn sip_servers(value: &[u8]) -> Vec<SipServer> {
    match value.split_first() {
        Some((0, names)) => read_names(names),
        Some((1, octets)) => {
            let ips = octets.as_chunks::<4>().0.iter().map(|octets| Ipv4Addr::from_octets(*octets));
            ips.filter(|ip| !ip.is_unspecified()).take(MOST_SIP_SERVERS).map(SipServer::Address).collect()
        }
        _ => Vec::new(),
    }
}

fn read_names(mut rest: &[u8]) -> Vec<SipServer> {
    let mut servers = Vec::new();
    while servers.len() < MOST_SIP_SERVERS {
        let Some((name, after)) = read_name(rest) else { break };
        servers.push(SipServer::Name(name));
        rest = after;
    }
    servers
}

/// One name in labels, without compression (RFC 3361 §3.1).
fn read_name(mut rest: &[u8]) -> Option<(String, &[u8])> {
    let mut name = String::new();
    loop {
        let (&length, after) = rest.split_first()?;
        if length == 0 {
            return (!name.is_empty()).then_some((name, after));
        }
        let label = after.get(..usize::from(length)).filter(|label| label.len() <= MOST_LABEL_BYTES)?;
        let is_name = label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let label = std::str::from_utf8(label).ok().filter(|_| is_name)?;
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(label);
        rest = &after[usize::from(length)..];
        if name.len() > MOST_NAME_BYTES {
            return None;
        }
    }
}

/// The option's value; names and addresses cannot stand in one option, so the first says which of them are
/// written. `None` where nothing can be written.
pub fn sip_servers_value(servers: &[SipServer]) -> Option<Vec<u8>> {
    let mut value = match servers.first()? {
        SipServer::Name(_) => vec![0],
        SipServer::Address(_) => vec![1],
    };
    for server in servers.iter().take(MOST_SIP_SERVERS) {
        match (value[0], server) {
            (0, SipServer::Name(name)) => {
                for label in name.trim_end_matches('.').split('.') {
                    let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
                    value.push(length);
                    value.extend_from_slice(label.as_bytes());
                }
                value.push(0);
            }
            (1, SipServer::Address(ip)) => value.extend_from_slice(&ip.octets()),
            _ => {}
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The examples of RFC 3361 §3.1 and §3.2.
    #[test]
    fn both_encodings_of_the_rfc() {
        let names = b"\0\x07example\x03com\0\x07example\x03net\0";
        let read = sip_servers(names);
        let name = |name: &str| SipServer::Name(name.to_owned());
        assert_eq!(read, [name("example.com"), name("example.net")]);
        assert_eq!(sip_servers_value(&read).as_deref(), Some(&names[..]));
        let addresses = b"\x01\xc0\x00\x02\x01\xc0\x00\x02\x02";
        let read = sip_servers(addresses);
        assert_eq!(read.iter().map(ToString::to_string).collect::<Vec<_>>(), ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(sip_servers_value(&read).as_deref(), Some(&addresses[..]));
    }

    #[test]
    fn what_is_no_name_ends_the_list() {
        for hostile in [
            &b""[..],
            b"\0",
            b"\0\0",
            b"\0\x07exam",
            b"\0\xc0\x0c",
            b"\0\x03a\r\n\0",
            b"\x02\x01\x02",
            b"\x01\x01",
        ] {
            assert_eq!(sip_servers(hostile), [], "{hostile:?}");
        }
        assert_eq!(sip_servers(&[0].into_iter().chain([1, b'a'].repeat(200)).collect::<Vec<_>>()), []);
        assert_eq!(sip_servers(&[&[1][..], &[7; 400]].concat()).len(), MOST_SIP_SERVERS);
        assert_eq!(sip_servers_value(&[SipServer::Name("a..b".into())]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic(value in proptest::collection::vec(any::<u8>(), 0..80)) {
            let read = sip_servers(&value);
            let again = sip_servers_value(&read).map(|value| sip_servers(&value));
            prop_assert_eq!(again.unwrap_or_default(), read);
        }
    }
}
