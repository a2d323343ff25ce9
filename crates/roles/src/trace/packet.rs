//! What packets beside SIP say, in one line, as a capture's list of packets shows it.

use proto::icmp::Undelivered;
use proto::{arp, cdp, dhcp, dns, lldp, tftp};

use super::Kind;

/// The longest text of a peer that is shown.
const MOST_CHARS: usize = 200;

/// Twelve hex digits in lower case.
pub fn hardware_text(address: [u8; 6]) -> String {
    proto::text::hex(&address)
}

/// `RRQ 0021f222b021.cfg (octet)`.
pub(super) fn tftp(bytes: &[u8]) -> Option<String> {
    use tftp::packet::Packet;
    Some(match Packet::parse(bytes)? {
        Packet::Read { file, mode, .. } => format!("RRQ {} ({})", shown(file), shown(mode)),
        Packet::Write { file, mode, .. } => format!("WRQ {} ({})", shown(file), shown(mode)),
        Packet::Data { block, bytes } => format!("DATA block {block} ({} bytes)", bytes.len()),
        Packet::Ack { block } => format!("ACK block {block}"),
        Packet::Error { code, message } => format!("ERROR {code} {}", shown(message)),
        Packet::OptionAck { options } => {
            let all = tftp::packet::options(options);
            let told: Vec<_> = all.map(|(name, value)| format!("{}={}", shown(name), shown(value))).collect();
            format!("OACK {}", told.join(" "))
        }
    })
}

/// Whether a message out of a stream is HTTP.
pub(super) fn is_http(bytes: &[u8]) -> bool {
    http(bytes).is_some()
}

/// `GET /0021f222b021.cfg (pbx.example)`, `HTTP 404 Not Found (text/html, 512 bytes)`.
pub(super) fn http(bytes: &[u8]) -> Option<String> {
    const METHODS: [&str; 7] = ["GET", "PUT", "POST", "HEAD", "DELETE", "OPTIONS", "PATCH"];
    let mut lines = bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let first = shown(lines.next()?);
    let headers: Vec<&[u8]> = lines.take_while(|line| !line.is_empty()).collect();
    let header = |name: &str| {
        let value = headers.iter().find_map(|line| {
            let (head, value) = line.split_at_checked(name.len())?;
            head.eq_ignore_ascii_case(name.as_bytes()).then(|| value.strip_prefix(b":"))?
        });
        value.map(|value| shown(value.trim_ascii()))
    };
    if let Some(status) = first.strip_prefix("HTTP/1.").and_then(|rest| rest.split_once(' ')) {
        let kind = header("Content-Type");
        let length = header("Content-Length").map(|length| format!("{length} bytes"));
        let notes: Vec<String> = kind.into_iter().chain(length).collect();
        return Some(format!("HTTP {}{}", status.1, aside(&notes)));
    }
    let (request, version) = first.rsplit_once(' ')?;
    let (method, _) = request.split_once(' ')?;
    if !version.starts_with("HTTP/1.") || !METHODS.contains(&method) {
        return None;
    }
    let host: Vec<String> = header("Host").into_iter().collect();
    Some(format!("{request}{}", aside(&host)))
}

/// `DHCP ACK 192.168.50.54 (0021f222b021, option 66 192.168.50.165)`.
pub(super) fn dhcp(bytes: &[u8]) -> Option<String> {
    let message = dhcp::Message::parse(bytes)?;
    let address = match message.is_request() {
        true => message.option_ip(50).or_else(|| message.client_ip()),
        false => message.your_ip(),
    };
    let address = address.map_or_else(String::new, |address| format!(" {address}"));
    let text = |code: u8, name: &str| message.option(code).map(|value| format!("{name} {}", shown(value)));
    let mut notes = vec![hardware_text(message.hardware())];
    notes.extend(text(66, "option 66"));
    notes.extend(text(67, "option 67"));
    notes.extend(text(56, "message"));
    if message.is_request() && message.asks_for(66) {
        notes.push("asks for option 66".to_owned());
    }
    Some(format!("DHCP {}{address}{}", message.kind.name(), aside(&notes)))
}

/// `DNS A pbx.example`, `DNS A pbx.example: 192.168.50.19`.
pub(super) fn dns(bytes: &[u8]) -> Option<String> {
    let message = dns::Message::parse(bytes)?;
    let asked = format!("DNS {} {}", message.kind_name(), message.name);
    if !message.is_response {
        return Some(asked);
    }
    let told: Vec<String> = message.answers.iter().map(record).collect();
    Some(match message.code {
        3 => format!("{asked}: no such name"),
        0 if told.is_empty() => format!("{asked}: no records"),
        0 => format!("{asked}: {}", told.join(" ")),
        2 => format!("{asked}: server failure"),
        code => format!("{asked}: refused ({code})"),
    })
}

fn record(answer: &dns::Answer) -> String {
    match answer {
        dns::Answer::V4(ip) => ip.to_string(),
        dns::Answer::V6(ip) => ip.to_string(),
        dns::Answer::Name(name) => name.clone(),
        dns::Answer::Server(port, target) => format!("{target}:{port}"),
        dns::Answer::Other(kind) => format!("TYPE{kind}"),
    }
}

/// `LLDP sw1 port 12 (voice VLAN 50)`.
pub(super) fn lldp(bytes: &[u8]) -> Option<String> {
    let advert = lldp::Advert::parse(bytes)?;
    let mut notes = Vec::new();
    if advert.ttl_s == 0 {
        notes.push("says goodbye".to_owned());
    }
    if advert.is_phone() {
        notes.push("telephone".to_owned());
    }
    match advert.voice_vlan() {
        Some(0) => notes.push("voice untagged".to_owned()),
        Some(vlan) => notes.push(format!("voice VLAN {vlan}")),
        None if advert.policies.iter().any(|policy| policy.unknown) => {
            notes.push("asks for a policy".to_owned())
        }
        None => {}
    }
    notes.extend(advert.port_vlan.map(|vlan| format!("port VLAN {vlan}")));
    let name = advert.system_name.unwrap_or(advert.chassis);
    Some(format!("LLDP {} port {}{}", cut(&name), cut(&advert.port), aside(&notes)))
}

/// `CDP sw1 port Fa0/1 (voice VLAN 100)`.
pub(super) fn cdp(bytes: &[u8]) -> Option<String> {
    let advert = cdp::Advert::parse(bytes)?;
    let mut notes = Vec::new();
    if advert.is_phone() {
        notes.push("telephone".to_owned());
    }
    notes.extend(advert.voice_vlan.map(|vlan| format!("voice VLAN {vlan}")));
    // What stands in the question is a number of the telephone's, no VLAN that it wants.
    notes.extend(advert.voice_vlan_asked.map(|_| "asks for the voice VLAN".to_owned()));
    notes.extend(advert.native_vlan.map(|vlan| format!("native VLAN {vlan}")));
    let name = advert.device.unwrap_or_else(|| "?".to_owned());
    let port = advert.port.map_or_else(String::new, |port| format!(" port {}", cut(&port)));
    Some(format!("CDP {}{port}{}", cut(&name), aside(&notes)))
}

/// `ARP who has 192.168.50.54 (0021f222b021)`, `ARP 192.168.50.54 is at 000c29112233`.
pub(super) fn arp(bytes: &[u8]) -> Option<String> {
    let packet = arp::Packet::parse(bytes)?;
    let (sender, ip) = (hardware_text(packet.sender), packet.sender_ip);
    Some(match packet.is_request {
        true if ip == packet.target_ip => format!("ARP {ip} is at {sender} (announcement)"),
        true => format!("ARP who has {} ({sender})", packet.target_ip),
        false => format!("ARP {ip} is at {sender}"),
    })
}

/// `ICMP port unreachable (10.0.0.1:5060 → 10.0.0.9:5070)`.
pub(super) fn icmp(kind: Kind, bytes: &[u8]) -> Option<String> {
    let told = if kind == Kind::Icmp6 { Undelivered::parse_v6(bytes) } else { Undelivered::parse(bytes) }?;
    Some(format!("{} {} ({} → {})", kind.name(), told.why.words(), told.from, told.to))
}

fn aside(notes: &[String]) -> String {
    if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) }
}

fn shown(bytes: &[u8]) -> String {
    let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    cut(&String::from_utf8_lossy(text))
}

fn cut(text: &str) -> String {
    text.chars().take(MOST_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::super::info;
    use super::*;

    #[track_caller]
    fn check(kind: Kind, bytes: &[u8], expected: &str) {
        assert_eq!(info(kind, bytes).as_deref(), Some(expected));
    }

    #[test]
    fn each_protocol_in_a_line() {
        check(Kind::Tftp, b"\0\x01y000000000000.boot\0octet\0", "RRQ y000000000000.boot (octet)");
        check(Kind::Tftp, b"\0\x05\0\x01File not found\0", "ERROR 1 File not found");
        check(Kind::Http, b"GET /a.cfg HTTP/1.1\r\nHost: pbx\r\n\r\n", "GET /a.cfg (pbx)");
        check(
            Kind::Http,
            b"HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\nContent-Length: 9\r\n\r\n<html>",
            "HTTP 404 Not Found (text/html, 9 bytes)",
        );
        let head = b"\x02\x06\x05\x01\xc0\xa8\x32\x36\x04\x02\x05a\x06\x02\0\x78";
        let policy = b"\xfe\x08\0\x12\xbb\x02\x01\x40\x65\x6e\0\0";
        check(Kind::Lldp, &[&head[..], policy].concat(), "LLDP 192.168.50.54 port a (voice VLAN 50)");
        check(Kind::Cdp, b"\x02\xb4\0\0\0\x01\0\x07sw1\0\x0e\0\x07\x01\0\x64", "CDP sw1 (voice VLAN 100)");
        let mut icmp = vec![3, 3, 0, 0, 0, 0, 0, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17, 0, 0];
        icmp.extend_from_slice(&[10, 0, 0, 1, 10, 0, 0, 9, 0x13, 0xc4, 0x13, 0xce]);
        check(Kind::Icmp, &icmp, "ICMP port unreachable (10.0.0.1:5060 → 10.0.0.9:5070)");
    }

    #[test]
    fn dhcp_and_dns_in_a_line() {
        let mut ack = vec![0; 240];
        (ack[0], ack[16], ack[19]) = (2, 10, 7);
        ack[28..34].copy_from_slice(&[0, 0x21, 0xf2, 0x22, 0xb0, 0x21]);
        ack[236..240].copy_from_slice(&[99, 130, 83, 99]);
        ack.extend_from_slice(b"\x35\x01\x05\x42\x0810.0.0.9\xff");
        check(Kind::Dhcp, &ack, "DHCP ACK 10.0.0.7 (0021f222b021, option 66 10.0.0.9)");
        let asked = b"\0\x01\x81\x83\0\x01\0\0\0\0\0\0\x03pbx\0\0\x01\0\x01";
        check(Kind::Dns, asked, "DNS A pbx: no such name");
    }

    #[test]
    fn hostile_text_cannot_steer_the_terminal() {
        check(Kind::Tftp, b"\0\x01a\x1b[2J\0octet\0", "RRQ a[2J (octet)");
        assert_eq!(info(Kind::Http, b"GEX / HTTP/1.1\r\n\r\n"), None);
        assert_eq!(info(Kind::Dhcp, b""), None);
    }
}
