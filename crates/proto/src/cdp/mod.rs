//! CDP frames, read and built: what a switch of one vendor says in place of LLDP.

mod build;

pub use build::Draft;

use crate::ethernet::Mac;

/// Whom CDP is sent to.
pub const GROUP: Mac = [0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcc];

/// What a neighbour says of itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Advert {
    /// How long this stands, in seconds.
    pub ttl_s: u8,
    /// Its name.
    pub device: Option<String>,
    /// The port it speaks from.
    pub port: Option<String>,
    /// Its software.
    pub version: Option<String>,
    /// What it is: `Cisco IP Phone 7960`.
    pub platform: Option<String>,
    /// What it can be: bit 0 router, bit 3 switch, bit 7 telephone.
    pub capabilities: u32,
    /// The VLAN of untagged frames.
    pub native_vlan: Option<u16>,
    /// The voice VLAN that a switch names.
    pub voice_vlan: Option<u16>,
    /// The voice VLAN that a telephone asks for.
    pub voice_vlan_asked: Option<u16>,
}

impl Advert {
    /// Reads what follows the SNAP header (00:00:0c, 0x2000); `None` where it is no CDP of version 1 or 2.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (&[version, ttl_s, _, _], mut rest) = bytes.split_first_chunk::<4>()?;
        if !matches!(version, 1 | 2) {
            return None;
        }
        let mut advert = Self { ttl_s, ..Self::default() };
        while let Some((kind, value, after)) = piece(rest) {
            advert.take(kind, value);
            rest = after;
        }
        Some(advert)
    }

    /// Whether a telephone speaks.
    pub fn is_phone(&self) -> bool {
        self.capabilities & 0x80 != 0 || self.voice_vlan_asked.is_some()
    }

    fn take(&mut self, kind: u16, value: &[u8]) {
        let number = |value: &[u8]| value.first_chunk().map(|number| u16::from_be_bytes(*number));
        match kind {
            0x0001 => self.device = Some(text(value)),
            0x0003 => self.port = Some(text(value)),
            0x0004 => self.capabilities = value.first_chunk().map_or(0, |number| u32::from_be_bytes(*number)),
            0x0005 => self.version = Some(text(value)),
            0x0006 => self.platform = Some(text(value)),
            0x000a => self.native_vlan = number(value),
            // The first byte says what it is for: 1 is voice. A switch without one sends it alone.
            0x000e => self.voice_vlan = value.get(1..).and_then(number),
            0x000f => self.voice_vlan_asked = value.get(1..).and_then(number),
            _ => {}
        }
    }
}

fn piece(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (&[a, b, c, d], _) = bytes.split_first_chunk::<4>()?;
    let length = usize::from(u16::from_be_bytes([c, d]));
    let value = bytes.get(4..length)?;
    Some((u16::from_be_bytes([a, b]), value, &bytes[length..]))
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_names_its_voice_vlan() {
        let bytes = b"\x02\xb4\0\0\0\x01\0\x07sw1\0\x03\0\x08Fa0/\0\x0a\0\x06\0\x01\0\x0e\0\x07\x01\0\x64";
        let advert = Advert::parse(bytes).expect("an advert");
        assert_eq!(
            (advert.device.as_deref(), advert.voice_vlan, advert.native_vlan),
            (Some("sw1"), Some(100), Some(1))
        );
        assert!(!advert.is_phone());
    }

    #[test]
    fn lengths_that_lie_end_it() {
        for bytes in
            [&b"\x02\xb4\0\0\0\x01\0\0sw"[..], b"\x02\xb4\0\0\0\x01\0\xffsw", b"\x02\xb4\0\0\0\x01\0\x03sw"]
        {
            assert_eq!(Advert::parse(bytes).and_then(|advert| advert.device), None);
        }
        assert_eq!(Advert::parse(b"\x07\xb4\0\0"), None);
    }
}
