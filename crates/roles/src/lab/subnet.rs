//! Where the machines of a lab are: the cases are written for 127.0.0.0/16, and a lab may stand elsewhere.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// The first two bytes of every address in the cases.
const WRITTEN: [u8; 2] = [127, 0];
/// The same, as the cases write it.
const WRITTEN_TEXT: &str = "127.0.";

/// The network of a lab: a /16 of the loopback.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Subnet([u8; 2]);

impl Subnet {
    /// The one that the cases are written for.
    pub const USUAL: Self = Self(WRITTEN);

    /// The network that an address is in.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self([ip.octets()[0], ip.octets()[1]]),
            IpAddr::V6(_) => Self::USUAL,
        }
    }

    /// An address of a case, in this network; addresses of other networks stay.
    pub fn ip(self, written: IpAddr) -> IpAddr {
        match written {
            IpAddr::V4(ip) => IpAddr::V4(self.ipv4(ip)),
            IpAddr::V6(_) => written,
        }
    }

    fn ipv4(self, written: Ipv4Addr) -> Ipv4Addr {
        match written.octets() {
            [a, b, c, d] if [a, b] == WRITTEN => Ipv4Addr::new(self.0[0], self.0[1], c, d),
            _ => written,
        }
    }

    /// A text of a case with its addresses in this subnet.
    pub fn text(self, written: &str) -> Cow<'_, str> {
        if self == Self::USUAL || !written.contains(WRITTEN_TEXT) {
            return Cow::Borrowed(written);
        }
        let (mut text, mut rest) = (String::with_capacity(written.len()), written);
        while let Some(at) = rest.find(WRITTEN_TEXT) {
            let before = &rest[..at];
            text.push_str(before);
            // The middle of another number or address, as in 10.127.0.1.
            let is_part = before.ends_with(|c: char| c.is_ascii_digit() || c == '.');
            match is_part {
                true => text.push_str(WRITTEN_TEXT),
                false => text.push_str(&format!("{}.{}.", self.0[0], self.0[1])),
            }
            rest = &rest[at + WRITTEN_TEXT.len()..];
        }
        text.push_str(rest);
        Cow::Owned(text)
    }
}

impl Default for Subnet {
    fn default() -> Self {
        Self::USUAL
    }
}

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || format!("{}: write a network of the loopback, as in 127.1.0.0/16", text.escape_debug());
        let (address, bits) = text.split_once('/').ok_or_else(refused)?;
        let address: Ipv4Addr = address.parse().map_err(|_| refused())?;
        match (address.octets(), bits) {
            ([127, second, 0, 0], "16") => Ok(Self([127, second])),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.0.0/16", self.0[0], self.0[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_texts_move_into_the_network() {
        let subnet: Subnet = "127.1.0.0/16".parse().unwrap();
        assert_eq!(subnet.ip([127, 0, 50, 19].into()).to_string(), "127.1.50.19");
        assert_eq!(subnet.ip([10, 0, 50, 19].into()).to_string(), "10.0.50.19");
        assert_eq!(subnet.text("sip:7001@127.0.70.1 and 10.127.0.1"), "sip:7001@127.1.70.1 and 10.127.0.1");
        assert_eq!(Subnet::USUAL.text("127.0.70.1"), "127.0.70.1");
        assert_eq!((subnet.to_string(), Subnet::of([127, 1, 2, 3].into())), ("127.1.0.0/16".into(), subnet));
    }

    #[test]
    fn only_a_whole_network_of_the_loopback_is_taken() {
        for wrong in ["127.1.0.0", "127.1.0.0/8", "127.1.2.0/16", "10.0.0.0/16", "x", ""] {
            let why = wrong.parse::<Subnet>().unwrap_err();
            assert!(why.contains("127.1.0.0/16"), "{why}");
        }
    }
}
