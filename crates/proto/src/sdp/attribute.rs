//! The values that lines of a session description carry.

use std::fmt;
use std::net::IpAddr;

use crate::rtp::srtp::{MasterKey, Suite};

/// Who opened the session, the `o=` line (RFC 8866 §5.2).
///
/// Identifier and version are kept as text: some senders exceed 64 bits, and nobody but the sender may
/// count on them being numbers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    /// The user name, `-` where there is none; the deck's phone writes `F`.
    pub username: String,
    /// The session's identifier, the same for its whole life.
    pub session_id: String,
    /// Grows by one with every changed description (RFC 3264 §8).
    pub session_version: String,
    /// Network and address type and address, `IN IP4 192.168.80.23`.
    pub connection: Connection,
}

impl Origin {
    /// Reads the value of an `o=` line: six words.
    pub fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        Some(Self {
            username: words.next()?.to_owned(),
            session_id: words.next()?.to_owned(),
            session_version: words.next()?.to_owned(),
            connection: Connection::from_words(&mut words)?,
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.username, self.session_id, self.session_version, self.connection)
    }
}

/// Where media is wanted, the `c=` line (RFC 8866 §5.7).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Connection {
    /// `IN` for the Internet.
    pub network_type: String,
    /// `IP4` or `IP6`.
    pub address_type: String,
    /// An address, a host name, or a multicast group with `/ttl` and `/count`.
    pub address: String,
}

impl Connection {
    /// An Internet address.
    pub fn new(address: IpAddr) -> Self {
        let address_type = if address.is_ipv4() { "IP4" } else { "IP6" };
        Self {
            network_type: "IN".to_owned(),
            address_type: address_type.to_owned(),
            address: address.to_string(),
        }
    }

    /// Reads the value of a `c=` line: three words.
    pub fn parse(value: &str) -> Option<Self> {
        Self::from_words(&mut value.split_ascii_whitespace())
    }

    fn from_words<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        Some(Self {
            network_type: words.next()?.to_owned(),
            address_type: words.next()?.to_owned(),
            address: words.next()?.to_owned(),
        })
    }

    /// The address as a number; none for a host name.
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.split('/').next()?.parse().ok()
    }

    /// `0.0.0.0` or `::`: the older way to say "send me nothing" (RFC 3264 §8.4; deck, Call Hold).
    pub fn is_unspecified(&self) -> bool {
        self.ip().is_some_and(|ip| ip.is_unspecified())
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.network_type, self.address_type, self.address)
    }
}

/// Which way media flows, seen from whoever wrote the description (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Direction {
    /// Both ways, also where nothing is said.
    #[default]
    SendRecv,
    /// The writer sends and wants nothing: it holds the other.
    SendOnly,
    /// The writer listens only: the answer of one who is held.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    /// The direction with these two halves.
    pub fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// The direction of this attribute name, in any letter case.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|direction| direction.name().eq_ignore_ascii_case(name))
    }

    /// The attribute name.
    pub fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// Whether the writer sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the writer wants to receive.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same flow seen from the other side.
    pub fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// What both of two wishes allow, each seen from the same side.
    pub fn intersect(self, other: Self) -> Self {
        Self::new(self.sends() && other.sends(), self.receives() && other.receives())
    }
}

/// What a payload type means, `a=rtpmap` (RFC 8866 §6.6).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RtpMap {
    /// The number in RTP packets, 0 to 127.
    pub payload_type: u8,
    /// The encoding's name as written; compare without letter case.
    pub encoding: String,
    /// Ticks of the RTP timestamp in a second.
    pub clock_hz: u32,
    /// Channels, 1 where nothing is said.
    pub channels: u8,
}

impl RtpMap {
    /// Reads the value of the attribute: `8 PCMA/8000` or `96 L16/44100/2`.
    pub fn parse(value: &str) -> Option<Self> {
        let (payload_type, rest) = split_payload_type(value)?;
        let mut parts = rest.trim().split('/');
        Some(Self {
            payload_type,
            encoding: parts.next().filter(|name| !name.is_empty())?.to_owned(),
            clock_hz: parts.next()?.trim().parse().ok()?,
            channels: parts.next().map_or(Some(1), |text| text.trim().parse().ok())?,
        })
    }
}

/// Splits `101 0-15` into the payload type and what is said about it; none above 127.
pub(super) fn split_payload_type(value: &str) -> Option<(u8, &str)> {
    let (number, rest) = value.trim_start().split_once(|c: char| c.is_ascii_whitespace())?;
    let payload_type = number.parse().ok().filter(|number: &u8| *number < 128)?;
    Some((payload_type, rest.trim_start()))
}

/// Where RTCP is wanted when it is not the port after RTP's, `a=rtcp` (RFC 3605).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RtcpAttribute {
    /// The port.
    pub port: u16,
    /// An address of its own; that of the stream where there is none.
    pub connection: Option<Connection>,
}

impl RtcpAttribute {
    /// Reads the value of the attribute: `53020` or `53020 IN IP4 126.16.64.4`.
    pub fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let port = words.next()?.parse().ok()?;
        Some(Self { port, connection: Connection::from_words(&mut words) })
    }
}

/// A key for SRTP, `a=crypto` (RFC 4568 §9.1).
#[derive(Clone, Eq, PartialEq)]
pub struct Crypto {
    /// Names this line in the answer.
    pub tag: u32,
    /// The suite's name, `AES_CM_128_HMAC_SHA1_80`.
    pub suite: String,
    /// The key parameters, `inline:<base64>[|lifetime][|MKI:length]`.
    pub key_parameters: String,
    /// Session parameters; a party that does not know one of them must not take the line.
    pub session_parameters: Vec<String>,
}

impl Crypto {
    /// A line with one key and nothing unusual about it.
    pub fn new(tag: u32, key: &MasterKey) -> Self {
        Self {
            tag,
            suite: key.suite().name().to_owned(),
            key_parameters: format!("inline:{}", key.base64()),
            session_parameters: Vec::new(),
        }
    }

    /// Reads the value of the attribute.
    pub fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        Some(Self {
            tag: words.next()?.parse().ok()?,
            suite: words.next()?.to_owned(),
            key_parameters: words.next()?.to_owned(),
            session_parameters: words.map(str::to_owned).collect(),
        })
    }

    /// The key, if the suite is spoken here and the line asks for nothing but a single key without a key identifier.
    ///
    /// A lifetime is no obstacle: no call is long enough to reach 2^31 packets. Session parameters that
    /// begin with `-` may be ignored, any other may not (RFC 4568 §6.3.7).
    pub fn key(&self) -> Option<MasterKey> {
        let known = self.session_parameters.iter().all(|parameter| parameter.starts_with('-'));
        let (method, rest) = self.key_parameters.split_once(':')?;
        let mut parts = rest.split('|');
        let key = parts.next()?;
        let plain = !rest.contains(';') && !parts.any(|part| part.contains(':'));
        if !(known && plain && method.eq_ignore_ascii_case("inline")) {
            return None;
        }
        MasterKey::from_base64(Suite::from_name(&self.suite)?, key)
    }
}

impl fmt::Display for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.tag, self.suite, self.key_parameters)?;
        self.session_parameters.iter().try_for_each(|parameter| write!(f, " {parameter}"))
    }
}

/// Keys stay out of logs.
impl fmt::Debug for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crypto").field("tag", &self.tag).field("suite", &self.suite).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_mirror_and_meet() {
        use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
        for direction in [SendRecv, SendOnly, RecvOnly, Inactive] {
            assert_eq!(direction.reversed().reversed(), direction);
            assert_eq!(direction.intersect(SendRecv), direction);
            assert_eq!(Direction::from_name(direction.name()), Some(direction));
        }
        assert_eq!(SendOnly.intersect(RecvOnly), Inactive);
        assert_eq!(Direction::from_name("Sendonly"), Some(SendOnly));
    }

    #[test]
    fn a_payload_type_is_below_128() {
        assert_eq!(RtpMap::parse("96 L16/44100/2").map(|map| map.channels), Some(2));
        assert_eq!(RtpMap::parse("128 PCMA/8000"), None);
        assert_eq!(RtpMap::parse("8 PCMA"), None);
        assert_eq!(RtpMap::parse("8 /8000"), None);
    }

    #[test]
    fn only_a_single_plain_key_is_taken() {
        const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
        let check = |rest: &str, expected: Option<&str>| {
            let value = format!("1 AES_CM_128_HMAC_SHA1_80 {}", rest.replace("KEY", KEY));
            let crypto = Crypto::parse(&value).expect("a crypto line");
            let key = crypto.key().map(|key| key.base64());
            assert_eq!(key.as_deref(), expected, "{value}");
            assert_eq!(crypto.to_string(), value);
        };
        check("inline:KEY", Some(KEY));
        check("INLINE:KEY|2^20", Some(KEY));
        check("inline:KEY|2^20|1:4", None);
        check("inline:KEY;inline:KEY", None);
        check("inline:KEY UNENCRYPTED_SRTP", None);
        check("inline:KEY -note", Some(KEY));
        check("mikey:KEY", None);
        check("inline:KEY=", None);
        check("inline:abc", None);
        let other = format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}");
        assert_eq!(Crypto::parse(&other).and_then(|crypto| crypto.key()), None);
        let key = MasterKey::from_base64(Suite::AesCm128HmacSha1_80, KEY).expect("a key");
        let shown = format!("{:?} {key:?}", Crypto::new(1, &key));
        assert!(!shown.contains(KEY) && !shown.contains("89, 83"));
    }
}
