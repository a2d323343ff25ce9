//! CDP packets, built.

use std::net::Ipv4Addr;

/// A frame has little room; no text of ours is longer.
const MOST_TEXT_BYTES: usize = 200;

/// A packet of version 2 that is being built: pieces stand in the order in which they are added.
#[derive(Clone, Debug)]
pub struct Draft(Vec<u8>);

impl Draft {
    /// A packet of a device; what it tells stands so many seconds.
    pub fn new(device: &str, ttl_s: u8) -> Self {
        Self(vec![2, ttl_s, 0, 0]).text(0x0001, device)
    }

    /// Port (3), software (5) or platform (6).
    pub fn text(self, kind: u16, text: &str) -> Self {
        let text = &text[..text.floor_char_boundary(MOST_TEXT_BYTES)];
        self.piece(kind, text.as_bytes())
    }

    /// Its address.
    pub fn address(self, ip: Ipv4Addr) -> Self {
        // One address, of protocol type NLPID, protocol IPv4.
        self.piece(0x0002, &[&[0, 0, 0, 1, 1, 1, 0xcc, 0, 4][..], &ip.octets()].concat())
    }

    /// What it is: bit 0 router, bit 3 switch, bit 4 host, bit 7 telephone.
    pub fn capabilities(self, capabilities: u32) -> Self {
        self.piece(0x0004, &capabilities.to_be_bytes())
    }

    /// The VLAN of untagged frames.
    pub fn native_vlan(self, vlan: u16) -> Self {
        self.piece(0x000a, &vlan.to_be_bytes())
    }

    /// Whether its port sends and receives at once.
    pub fn full_duplex(self) -> Self {
        self.piece(0x000b, &[1])
    }

    /// A switch names its voice VLAN.
    pub fn voice_vlan(self, vlan: u16) -> Self {
        let [high, low] = vlan.to_be_bytes();
        self.piece(0x000e, &[1, high, low])
    }

    /// A telephone asks for the voice VLAN, in the four bytes that telephones of several makers send.
    pub fn ask_for_voice_vlan(self) -> Self {
        self.piece(0x000f, &[0x20, 2, 0, 1])
    }

    /// How much it takes, in milliwatts.
    pub fn power(self, milliwatts: u16) -> Self {
        self.piece(0x0010, &milliwatts.to_be_bytes())
    }

    /// The packet with its checksum.
    pub fn finish(mut self) -> Vec<u8> {
        let sum = checksum(&self.0);
        self.0[2..4].copy_from_slice(&sum.to_be_bytes());
        self.0
    }

    fn piece(mut self, kind: u16, value: &[u8]) -> Self {
        self.0.extend_from_slice(&kind.to_be_bytes());
        self.0.extend_from_slice(&(value.len() as u16 + 4).to_be_bytes());
        self.0.extend_from_slice(value);
        self
    }
}

/// The Internet checksum (RFC 1071) but for an odd last byte: switches take it as the low byte of a word, with its
/// sign.
fn checksum(packet: &[u8]) -> u16 {
    let (words, rest) = packet.as_chunks::<2>();
    let mut sum: u32 = words.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    if let [last] = rest {
        sum += u32::from(i16::from(*last as i8) as u16);
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::super::Advert;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_phone_asks_is_read() {
        let bytes = Draft::new("SEP0021F222B021", 180)
            .address(Ipv4Addr::new(192, 168, 50, 54))
            .text(0x0003, "Port 1")
            .capabilities(0x90)
            .text(0x0005, "1.0")
            .text(0x0006, "Offhook FIP16")
            .full_duplex()
            .ask_for_voice_vlan()
            .power(5_000)
            .finish();
        let advert = Advert::parse(&bytes).expect("an advert");
        assert_eq!((advert.ttl_s, advert.device.as_deref()), (180, Some("SEP0021F222B021")));
        assert!(advert.is_phone() && advert.voice_vlan_asked.is_some() && advert.voice_vlan.is_none());
        // The query as a telephone of another maker sends it.
        let query = [0, 0x0f, 0, 8, 0x20, 2, 0, 1];
        assert!(bytes.windows(query.len()).any(|window| window == query));
        let switch = Draft::new("sw1", 180).native_vlan(1).voice_vlan(100).finish();
        assert_eq!(
            Advert::parse(&switch).map(|it| (it.native_vlan, it.voice_vlan)),
            Some((Some(1), Some(100)))
        );
    }

    /// Checked against switches' own packets: one of even length, and odd ones by what they end with.
    #[test]
    fn an_odd_last_byte_counts_as_the_low_one() {
        assert_eq!(checksum(b"\x02\xb4\0\0\0\x01\0\x06ab"), !0x641d_u16);
        assert_eq!(checksum(b"\x02\xb4\0\0\x01"), !0x02b5_u16);
        assert_eq!(checksum(b"\x02\xb4\0\0\x81"), !0x0236_u16);
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Advert::parse(&[&b"\x02\xb4\0\0"[..], &bytes].concat());
        }
    }
}
