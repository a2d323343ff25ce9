//! FTP, the server's side of the control connection (RFC 959, 1123 §4.1, 2428): commands read, addresses
//! written. A server of files needs no more.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The longest line of a command, in bytes.
pub const LONGEST_LINE_BYTES: usize = 1_024;

/// What a client wants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command<'a> {
    /// USER
    User,
    /// PASS
    Pass,
    /// QUIT
    Quit,
    /// NOOP
    Noop,
    /// SYST
    System,
    /// FEAT
    Features,
    /// HELP
    Help,
    /// PWD
    Folder,
    /// CWD to this folder.
    Enter(&'a str),
    /// CDUP
    Leave,
    /// TYPE: whether lines are to end as in ASCII; none for a type that is not known.
    Type(Option<bool>),
    /// MODE, STRU: whether it is the only one that there is, stream and file.
    Usual(bool),
    /// PASV
    Passive,
    /// EPSV
    ExtendedPassive,
    /// EPSV ALL: from now on nothing else.
    OnlyExtendedPassive,
    /// PORT, EPRT: the client listens there; none where the address cannot be read.
    Active(Option<SocketAddr>),
    /// RETR
    Get(&'a str),
    /// LIST, NLST
    List,
    /// ABOR
    Abort,
    /// A command that would change something.
    Write,
    /// One that is known and not offered.
    NotOffered,
    /// None that is known.
    Unknown,
}

impl<'a> Command<'a> {
    /// Reads a line without its end. Commands are known in any case (RFC 959 §5.3).
    pub fn read(line: &'a str) -> Self {
        let (name, argument) = line.split_once(' ').unwrap_or((line, ""));
        match name.to_ascii_uppercase().as_str() {
            "USER" => Self::User,
            "PASS" => Self::Pass,
            "QUIT" => Self::Quit,
            "NOOP" => Self::Noop,
            "SYST" => Self::System,
            "FEAT" => Self::Features,
            "HELP" => Self::Help,
            "PWD" | "XPWD" => Self::Folder,
            "CWD" | "XCWD" => Self::Enter(argument),
            "CDUP" | "XCUP" => Self::Leave,
            "TYPE" => Self::Type(kind(argument)),
            "MODE" => Self::Usual(argument.eq_ignore_ascii_case("S")),
            "STRU" => Self::Usual(argument.eq_ignore_ascii_case("F")),
            "PASV" => Self::Passive,
            "EPSV" if argument.trim().eq_ignore_ascii_case("ALL") => Self::OnlyExtendedPassive,
            "EPSV" => Self::ExtendedPassive,
            "PORT" => Self::Active(port(argument)),
            "EPRT" => Self::Active(extended_port(argument)),
            "RETR" => Self::Get(argument),
            "LIST" | "NLST" => Self::List,
            "ABOR" => Self::Abort,
            "STOR" | "STOU" | "APPE" | "DELE" | "RNFR" | "RNTO" | "MKD" | "XMKD" | "RMD" | "XRMD"
            | "SITE" => Self::Write,
            "SIZE" | "MDTM" | "REST" | "MLST" | "MLSD" | "STAT" | "ALLO" | "ACCT" | "REIN" | "SMNT"
            | "OPTS" | "AUTH" | "PBSZ" | "PROT" | "LANG" | "CLNT" => Self::NotOffered,
            _ => Self::Unknown,
        }
    }
}

/// `A`, `A N`, `I`, `L 8`: the types of machines whose bytes have eight bits.
fn kind(argument: &str) -> Option<bool> {
    match argument.trim().to_ascii_uppercase().as_str() {
        "A" | "A N" => Some(true),
        "I" | "L 8" => Some(false),
        _ => None,
    }
}

/// `h1,h2,h3,h4,p1,p2` (RFC 959 §4.1.2).
fn port(argument: &str) -> Option<SocketAddr> {
    let mut numbers = [0_u8; 6];
    let mut parts = argument.trim().split(',');
    for number in &mut numbers {
        *number = parts.next()?.trim().parse().ok()?;
    }
    let [a, b, c, d, high, low] = numbers;
    let ip = Ipv4Addr::new(a, b, c, d);
    parts.next().is_none().then(|| SocketAddr::new(ip.into(), u16::from_be_bytes([high, low])))
}

/// `|1|132.235.1.2|6275|`, and 2 for IPv6; any sign separates (RFC 2428 §2).
fn extended_port(argument: &str) -> Option<SocketAddr> {
    let argument = argument.trim();
    let between = argument.chars().next()?;
    let mut parts = argument.split(between).skip(1);
    let (family, ip, port) = (parts.next()?, parts.next()?, parts.next()?);
    let ip: IpAddr = ip.parse().ok()?;
    let is_right = matches!((family, ip), ("1", IpAddr::V4(_)) | ("2", IpAddr::V6(_)));
    is_right.then_some(SocketAddr::new(ip, port.parse().ok()?))
}

/// The answer to PASV; none where the address is not one of IPv4, which EPSV alone can say.
pub fn passive_reply(at: SocketAddr) -> Option<String> {
    let IpAddr::V4(ip) = at.ip().to_canonical() else { return None };
    let [a, b, c, d] = ip.octets();
    let [high, low] = at.port().to_be_bytes();
    Some(format!("227 Entering Passive Mode ({a},{b},{c},{d},{high},{low})\r\n"))
}

/// The answer to EPSV (RFC 2428 §3).
pub fn extended_passive_reply(port: u16) -> String {
    format!("229 Entering Extended Passive Mode (|||{port}|)\r\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_are_read_in_any_case() {
        for (line, expected) in [
            ("retr 0021f222b021.cfg", Command::Get("0021f222b021.cfg")),
            ("RETR a file with blanks", Command::Get("a file with blanks")),
            ("Type I", Command::Type(Some(false))),
            ("TYPE A N", Command::Type(Some(true))),
            ("TYPE E", Command::Type(None)),
            ("MODE S", Command::Usual(true)),
            ("STRU R", Command::Usual(false)),
            ("EPSV", Command::ExtendedPassive),
            ("EPSV 1", Command::ExtendedPassive),
            ("EPSV ALL", Command::OnlyExtendedPassive),
            ("CWD /p/x", Command::Enter("/p/x")),
            ("STOR x", Command::Write),
            ("SIZE x", Command::NotOffered),
            ("XYZZY", Command::Unknown),
            ("", Command::Unknown),
        ] {
            assert_eq!(Command::read(line), expected, "{line}");
        }
    }

    #[test]
    fn addresses_are_read_and_written() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let read = |line: &str| match Command::read(line) {
            Command::Active(at) => at,
            other => panic!("{other:?}"),
        };
        // RFC 2428 §2 has the two of EPRT.
        for (line, expected) in [
            ("PORT 132,235,1,2,24,131", Some(at("132.235.1.2:6275"))),
            ("EPRT |1|132.235.1.2|6275|", Some(at("132.235.1.2:6275"))),
            ("EPRT |2|1080::8:800:200C:417A|5282|", Some(at("[1080::8:800:200c:417a]:5282"))),
            ("EPRT |2|132.235.1.2|6275|", None),
            ("EPRT |1|132.235.1.2|66275|", None),
            ("PORT 132,235,1,2,24", None),
            ("PORT 132,235,1,2,24,131,7", None),
            ("PORT 256,0,0,1,1,1", None),
            ("EPRT", None),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
        let reply = passive_reply(at("132.235.1.2:6275"));
        assert_eq!(reply.as_deref(), Some("227 Entering Passive Mode (132,235,1,2,24,131)\r\n"));
        assert_eq!(passive_reply(at("[2001:db8::1]:6275")), None);
        assert_eq!(extended_passive_reply(6_446), "229 Entering Extended Passive Mode (|||6446|)\r\n");
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in "\\PC*|(PORT|EPRT|TYPE|EPSV) [|0-9a-f:,. ]*") {
            let _ = Command::read(&line);
        }
    }
}
