//! LLDP frames, built: pieces stand in the order in which they are added.

use std::net::Ipv4Addr;

use super::{Advert, IEEE_802_1, Policy, TIA};
use crate::ethernet::Mac;

/// A piece's length has nine bits (802.1AB §8.4).
const MOST_PIECE_BYTES: usize = 511;
/// A text of LLDP-MED's inventory (TIA-1057 §10.2.6).
const MOST_INVENTORY_BYTES: usize = 32;
/// A name or description (802.1AB §8.5.6).
const MOST_TEXT_BYTES: usize = 255;

/// Who speaks (802.1AB §8.5.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Chassis {
    /// By its hardware address: it has no other yet.
    Mac(Mac),
    /// By its network address.
    Ip(Ipv4Addr),
}

/// What a powered device needs (TIA-1057 §10.2.5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Power {
    /// Where it comes from: 0 unknown, 1 the switch, 2 an adapter, 3 both.
    pub source: u8,
    /// 1 critical, 2 high, 3 low.
    pub priority: u8,
    /// How much, in tenths of a watt.
    pub decawatts: u16,
}

/// A frame's payload that is being built.
#[derive(Clone, Debug)]
pub struct Draft(Vec<u8>);

impl Draft {
    /// The three pieces that come first; 0 seconds take back what was told (802.1AB §8.5.4.1, shutdown LLDPDU).
    pub fn new(chassis: Chassis, port: Mac, ttl_s: u16) -> Self {
        let id = match chassis {
            Chassis::Mac(mac) => [&[4][..], &mac].concat(),
            // A network address of the family IPv4.
            Chassis::Ip(ip) => [&[5, 1][..], &ip.octets()].concat(),
        };
        Self(Vec::new()).piece(1, &id).piece(2, &[&[3][..], &port].concat()).piece(3, &ttl_s.to_be_bytes())
    }

    /// The same of a switch, whose ports have names.
    pub fn of_switch(chassis: Mac, port: &str, ttl_s: u16) -> Self {
        let port = [&[5][..], cut(port, MOST_TEXT_BYTES)].concat();
        Self(Vec::new())
            .piece(1, &[&[4][..], &chassis].concat())
            .piece(2, &port)
            .piece(3, &ttl_s.to_be_bytes())
    }

    /// Port description (4), system name (5) or system description (6).
    pub fn text(self, kind: u8, text: &str) -> Self {
        self.piece(kind, cut(text, MOST_TEXT_BYTES))
    }

    /// What it can be and what it is: bit 2 bridge, bit 5 telephone (802.1AB §8.5.8).
    pub fn capabilities(self, supported: u16, enabled: u16) -> Self {
        self.piece(7, &[supported.to_be_bytes(), enabled.to_be_bytes()].concat())
    }

    /// The address by which it is managed, at an interface that has this number (802.1AB §8.5.9).
    pub fn management(self, ip: Ipv4Addr, interface: u32) -> Self {
        let address = [&[5, 1][..], &ip.octets(), &[2], &interface.to_be_bytes(), &[0]].concat();
        self.piece(8, &address)
    }

    /// The VLAN of untagged frames.
    pub fn port_vlan(self, vlan: u16) -> Self {
        self.own(IEEE_802_1, 1, &vlan.to_be_bytes())
    }

    /// LLDP-MED: which pieces follow (bit 0 capabilities, 1 policy, 2 location, 3 power of a source, 4 power of a
    /// device, 5 inventory), and the class: 3 is a telephone, 4 a network device (TIA-1057 §10.2.2).
    pub fn med_capabilities(self, pieces: u16, class: u8) -> Self {
        let [high, low] = pieces.to_be_bytes();
        self.own(TIA, 1, &[high, low, class])
    }

    /// LLDP-MED: a network policy.
    pub fn policy(self, policy: &Policy) -> Self {
        let bits = u32::from(policy.unknown) << 23
            | u32::from(policy.tagged) << 22
            | u32::from(policy.vlan & 0xfff) << 9
            | u32::from(policy.priority & 7) << 6
            | u32::from(policy.dscp & 63);
        let [_, a, b, c] = bits.to_be_bytes();
        self.own(TIA, 2, &[policy.application, a, b, c])
    }

    /// LLDP-MED: the power that a device takes.
    pub fn power(self, power: Power) -> Self {
        // A device (01), then its source and priority.
        let first = 0b01 << 6 | (power.source & 3) << 4 | power.priority & 15;
        let [high, low] = power.decawatts.to_be_bytes();
        self.own(TIA, 4, &[first, high, low])
    }

    /// LLDP-MED, inventory: 5 hardware, 6 firmware, 7 software, 8 serial number, 9 manufacturer, 10 model. An
    /// empty text is left out.
    pub fn inventory(self, kind: u8, text: &str) -> Self {
        if text.is_empty() { self } else { self.own(TIA, kind, cut(text, MOST_INVENTORY_BYTES)) }
    }

    /// The payload with its end.
    pub fn finish(self) -> Vec<u8> {
        self.piece(0, &[]).0
    }

    fn own(self, prefix: [u8; 3], kind: u8, value: &[u8]) -> Self {
        self.piece(127, &[&prefix[..], &[kind], value].concat())
    }

    fn piece(mut self, kind: u8, value: &[u8]) -> Self {
        let length = value.len().min(MOST_PIECE_BYTES);
        let head = u16::from(kind & 0x7f) << 9 | length as u16;
        self.0.extend_from_slice(&head.to_be_bytes());
        self.0.extend_from_slice(&value[..length]);
        self
    }
}

/// At most so many bytes of a text, whole characters.
fn cut(text: &str, most: usize) -> &[u8] {
    &text.as_bytes()[..text.floor_char_boundary(most)]
}

impl Advert {
    /// Who speaks from where: what a receiver tells neighbours apart by (802.1AB §3, MSAP).
    pub fn access_point(&self) -> (&str, &str) {
        (&self.chassis, &self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lldp::VOICE;
    use proptest::prelude::*;

    const PHONE: Mac = [0x00, 0x21, 0xf2, 0x22, 0xb0, 0x21];
    const POLICY: Policy =
        Policy { application: VOICE, unknown: false, tagged: true, vlan: 100, priority: 5, dscp: 46 };

    fn whole() -> Draft {
        Draft::new(Chassis::Ip(Ipv4Addr::new(192, 168, 50, 54)), PHONE, 240)
            .text(4, "WAN PORT")
            .text(5, "FIP16")
            .text(6, "Offhook FIP16 1.0")
            .capabilities(0x24, 0x24)
            .management(Ipv4Addr::new(192, 168, 50, 54), 1)
            .med_capabilities(0x33, 3)
            .policy(&POLICY)
            .power(Power { source: 1, priority: 3, decawatts: 50 })
            .inventory(6, "1.0")
            .inventory(8, "")
            .inventory(10, "FIP16")
    }

    /// TIA-1057 §10.2.3: voice, tagged, VLAN 100, priority 5, DSCP 46.
    #[test]
    fn a_policy_has_the_standard_s_bits() {
        let bytes = whole().finish();
        let policy = [0xfe, 0x08, 0x00, 0x12, 0xbb, 0x02, 0x01, 0x40, 0xc9, 0x6e];
        assert!(bytes.windows(policy.len()).any(|window| window == policy));
        let power = [0xfe, 0x07, 0x00, 0x12, 0xbb, 0x04, 0x53, 0x00, 0x32];
        assert!(bytes.windows(power.len()).any(|window| window == power));
    }

    #[test]
    fn what_a_phone_tells_is_read() {
        let advert = Advert::parse(&whole().finish()).expect("an advert");
        assert_eq!(advert.access_point(), ("192.168.50.54", "0021f222b021"));
        assert_eq!((advert.ttl_s, advert.policies.as_slice()), (240, &[POLICY][..]));
        assert!(advert.is_phone() && advert.is_endpoint());
        assert_eq!((advert.model.as_deref(), advert.firmware.as_deref()), (Some("FIP16"), Some("1.0")));
    }

    /// Chassis, port, 0 seconds, end: what a phone says before its address changes (deck, Auto Provisioning).
    #[test]
    fn a_shutdown_has_four_pieces() {
        let bytes = Draft::new(Chassis::Mac(PHONE), PHONE, 0).finish();
        assert_eq!(
            bytes,
            *b"\x02\x07\x04\0\x21\xf2\x22\xb0\x21\x04\x07\x03\0\x21\xf2\x22\xb0\x21\x06\x02\0\0\0\0"
        );
    }

    /// A switch of another maker, as it stands in a capture: LLDP-MED policy of VLAN 50.
    #[test]
    fn a_switch_s_frame_is_read() {
        let bytes = b"\x02\x07\x04\0\x13\x21\x57\xca\x7f\x04\x02\x071\x06\x02\0\x78\x0e\x04\0\x14\0\x04\
            \xfe\x07\0\x12\xbb\x01\0\x0f\x04\xfe\x08\0\x12\xbb\x02\x01\x40\x65\xae\
            \xfe\x2e\0\x12\xbb\x03\x02\x28\x02US\x01\x02CA\x03\x09Roseville\x06\x09Foothills\x13\x048000\x1a\x03R3L\
            \xfe\x07\0\x12\xbb\x04\x03\0\x41\0\0";
        let advert = Advert::parse(bytes).expect("an advert");
        assert_eq!((advert.voice_vlan(), advert.med_class, advert.is_endpoint()), (Some(50), Some(4), false));
        assert_eq!(advert.policy(VOICE).map(|policy| (policy.priority, policy.dscp)), Some((6, 46)));
    }

    #[test]
    fn texts_are_cut_at_a_character() {
        let bytes = Draft::new(Chassis::Mac(PHONE), PHONE, 1).inventory(10, &"ä".repeat(40)).finish();
        assert_eq!(Advert::parse(&bytes).and_then(|advert| advert.model), Some("ä".repeat(16)));
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let head = Draft::new(Chassis::Mac(PHONE), PHONE, 1).0;
            let _ = (Advert::parse(&bytes), Advert::parse(&[head, bytes].concat()));
        }
    }
}
