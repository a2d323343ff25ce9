//! LLDP frames, read and built (IEEE 802.1AB; LLDP-MED: ANSI/TIA-1057).

mod build;

pub use build::{Chassis, Draft, Power};

use crate::ethernet::Mac;

/// Whom LLDP is sent to: the nearest bridge (IEEE 802.1AB §7.1).
pub const GROUP: Mac = [0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e];
/// The policy of calls (TIA-1057 §10.2.3.1).
pub const VOICE: u8 = 1;
/// The policy of signalling, where it is another than that of calls.
pub const VOICE_SIGNALLING: u8 = 2;

/// A management address or a network policy is a piece: a kind and its bytes.
pub type Piece<'a> = (u8, &'a [u8]);

/// TIA's prefix of LLDP-MED pieces.
const TIA: [u8; 3] = [0x00, 0x12, 0xbb];
/// IEEE 802.1's prefix.
const IEEE_802_1: [u8; 3] = [0x00, 0x80, 0xc2];

/// What a neighbour says of itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Advert {
    /// Its chassis: a MAC address as twelve hex digits, or text.
    pub chassis: String,
    /// The port it speaks from.
    pub port: String,
    /// How long this stands, in seconds; 0 takes it back.
    pub ttl_s: u16,
    /// Its name.
    pub system_name: Option<String>,
    /// What it is, in words.
    pub system_description: Option<String>,
    /// What it is on at present (802.1AB §8.5.8): bit 2 bridge, bit 5 telephone.
    pub capabilities: u16,
    /// The VLAN of untagged frames (802.1 piece 1).
    pub port_vlan: Option<u16>,
    /// Whether it speaks LLDP-MED, and as what: 1 to 3 an end point (3 a telephone), 4 a network device.
    pub med_class: Option<u8>,
    /// LLDP-MED network policies.
    pub policies: Vec<Policy>,
    /// LLDP-MED inventory: model name.
    pub model: Option<String>,
    /// LLDP-MED inventory: firmware.
    pub firmware: Option<String>,
}

/// An LLDP-MED network policy (TIA-1057 §10.2.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Policy {
    /// 1 voice, 2 voice signalling.
    pub application: u8,
    /// The speaker does not know which VLAN; a telephone asks in this way.
    pub unknown: bool,
    /// Whether frames are tagged.
    pub tagged: bool,
    /// The VLAN.
    pub vlan: u16,
    /// Priority, 802.1p.
    pub priority: u8,
    /// DSCP.
    pub dscp: u8,
}

/// Pieces of one frame that are looked at: each has at least two bytes, a frame few more.
const MOST_POLICIES: usize = 16;

impl Advert {
    /// Reads what follows the EtherType 0x88cc; `None` where the three pieces that must come first do not.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut pieces = Pieces(bytes);
        let (chassis, port, ttl) = (pieces.next()?, pieces.next()?, pieces.next()?);
        let ([1, 2, 3], Some(ttl)) = ([chassis.0, port.0, ttl.0], ttl.1.first_chunk::<2>()) else {
            return None;
        };
        let mut advert = Self {
            chassis: identifier(chassis.1, 4)?,
            port: identifier(port.1, 3)?,
            ttl_s: u16::from_be_bytes(*ttl),
            ..Self::default()
        };
        pieces.for_each(|piece| advert.take(piece));
        Some(advert)
    }

    /// Whether an end point speaks, of which no policy is taken: it tells what it was told itself.
    pub fn is_endpoint(&self) -> bool {
        matches!(self.med_class, Some(1..=3)) || self.is_phone()
    }

    /// Its policy for that application, where it knows one.
    pub fn policy(&self, application: u8) -> Option<&Policy> {
        self.policies.iter().find(|policy| policy.application == application && !policy.unknown)
    }

    /// Whether this is a telephone (class III) or says that it can be one.
    pub fn is_phone(&self) -> bool {
        self.med_class == Some(3) || self.capabilities & 0x20 != 0
    }

    /// The voice VLAN of its policy, where it names one: 0 is "untagged".
    pub fn voice_vlan(&self) -> Option<u16> {
        let voice = self.policy(VOICE)?;
        Some(if voice.tagged { voice.vlan } else { 0 })
    }

    fn take(&mut self, (kind, value): Piece<'_>) {
        match kind {
            5 => self.system_name = Some(text(value)),
            6 => self.system_description = Some(text(value)),
            7 => self.capabilities = value.get(2..4).map_or(0, |on| u16::from_be_bytes([on[0], on[1]])),
            127 => self.take_own(value),
            _ => {}
        }
    }

    fn take_own(&mut self, value: &[u8]) {
        let Some((&[a, b, c, kind], rest)) = value.split_first_chunk::<4>() else { return };
        match ([a, b, c], kind) {
            (IEEE_802_1, 1) => self.port_vlan = rest.first_chunk().map(|vlan| u16::from_be_bytes(*vlan)),
            (TIA, 1) => self.med_class = rest.get(2).copied(),
            (TIA, 2) if self.policies.len() < MOST_POLICIES => self.policies.extend(policy(rest)),
            (TIA, 6) => self.firmware = Some(text(rest)),
            (TIA, 10) => self.model = Some(text(rest)),
            _ => {}
        }
    }
}

fn policy(value: &[u8]) -> Option<Policy> {
    let &[application, a, b, c] = value.first_chunk::<4>()?;
    let bits = u32::from_be_bytes([0, a, b, c]);
    Some(Policy {
        application,
        unknown: bits >> 23 & 1 == 1,
        tagged: bits >> 22 & 1 == 1,
        vlan: (bits >> 9 & 0xfff) as u16,
        priority: (bits >> 6 & 7) as u8,
        dscp: (bits & 63) as u8,
    })
}

/// A chassis or port: a MAC address where the subtype says so, else text.
fn identifier(value: &[u8], mac_subtype: u8) -> Option<String> {
    let (&subtype, rest) = value.split_first()?;
    Some(match (subtype == mac_subtype, rest.len()) {
        (true, 6) => crate::text::hex(rest),
        _ => match rest {
            // A network address: family 1 is IPv4.
            [1, a, b, c, d] => format!("{a}.{b}.{c}.{d}"),
            _ => text(rest),
        },
    })
}

fn text(value: &[u8]) -> String {
    let trimmed = value.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(trimmed).chars().filter(|c| !c.is_control()).collect()
}

struct Pieces<'a>(&'a [u8]);

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&[high, low], rest) = self.0.split_first_chunk::<2>()?;
        let (kind, length) = (high >> 1, usize::from(high & 1) << 8 | usize::from(low));
        let value = rest.get(..length).filter(|_| kind != 0)?;
        self.0 = &rest[length..];
        Some((kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A telephone that asks for its policy: chassis by address, port by MAC, class III.
    #[test]
    fn a_phone_asks_and_a_switch_tells() {
        let head = b"\x02\x06\x05\x01\xc0\xa8\x32\x36\x04\x07\x03\x00\x21\xf2\x22\xb0\x21\x06\x02\x00\xb4";
        let med = b"\xfe\x07\x00\x12\xbb\x01\x00\x33\x03\xfe\x08\x00\x12\xbb\x02\x01\x80\x00\x00\x00\x00";
        let phone = Advert::parse(&[&head[..], med].concat()).expect("an advert");
        assert_eq!(
            (phone.chassis.as_str(), phone.port.as_str(), phone.ttl_s),
            ("192.168.50.54", "0021f222b021", 180)
        );
        assert!(phone.is_phone() && phone.policies[0].unknown && phone.voice_vlan().is_none());
        // Application voice, tagged, VLAN 50, priority 5, DSCP 46.
        let told = b"\xfe\x08\x00\x12\xbb\x02\x01\x40\x65\x6e\x00\x00";
        let switch = Advert::parse(&[&head[..], told].concat()).expect("an advert");
        assert_eq!(switch.voice_vlan(), Some(50));
        assert_eq!((switch.policies[0].priority, switch.policies[0].dscp), (5, 46));
    }

    #[test]
    fn what_is_cut_or_lies_is_none_or_left_out() {
        for bytes in
            [&b""[..], b"\x02", b"\x02\xff\x05", b"\x04\x02\x05a", b"\x02\x02\x07a\x04\x02\x05b\x06\x01\0"]
        {
            assert_eq!(Advert::parse(bytes), None, "{bytes:?}");
        }
        let whole = b"\x02\x02\x07a\x04\x02\x05b\x06\x02\0\x78\x0a\xffname";
        assert_eq!(Advert::parse(whole).map(|advert| advert.system_name), Some(None));
    }
}
