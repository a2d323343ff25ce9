//! DHCP messages, built.

use std::net::Ipv4Addr;

use super::{END, FIXED_BYTES, Kind, MAGIC, Message, OVERLOAD};
use crate::ethernet::Mac;

/// The payload of a client's message, filled up with zeros: 590 bytes on the wire (deck, DHCP Option66). Relays and
/// servers of BOOTP expect no less than 300 (RFC 1542 §2.1).
pub const LEAST_REQUEST_BYTES: usize = 548;
/// The longest piece of an option; a longer value becomes several (RFC 3396 §5).
const MOST_PIECE_BYTES: usize = 255;

/// A message that is being built: options stand in the order in which they are added.
#[derive(Clone, Debug)]
pub struct Draft(Vec<u8>);

impl Draft {
    /// A client's message.
    pub fn request(kind: Kind, transaction: u32, hardware: Mac) -> Self {
        let mut draft = Self::new(1, transaction, hardware);
        draft.0[..4].copy_from_slice(&[1, 1, 6, 0]);
        draft.option(53, &[kind.number()])
    }

    /// A server's answer to `asked`: transaction, flags, relay and client are the question's (RFC 2131 §4.3.1).
    pub fn reply(kind: Kind, asked: &Message<'_>) -> Self {
        let mut draft = Self::new(2, asked.transaction(), asked.hardware());
        draft.0[1..3].copy_from_slice(&[1, 6]);
        draft.0[10..12].copy_from_slice(&asked.bytes[10..12]);
        draft.0[24..28].copy_from_slice(&asked.bytes[24..28]);
        draft.option(53, &[kind.number()])
    }

    fn new(operation: u8, transaction: u32, hardware: Mac) -> Self {
        let mut bytes = vec![0; FIXED_BYTES];
        bytes[0] = operation;
        bytes[4..8].copy_from_slice(&transaction.to_be_bytes());
        bytes[28..34].copy_from_slice(&hardware);
        bytes[236..].copy_from_slice(&MAGIC);
        Self(bytes)
    }

    /// How long the client has tried, in seconds.
    pub fn seconds(mut self, seconds: u16) -> Self {
        self.0[8..10].copy_from_slice(&seconds.to_be_bytes());
        self
    }

    /// The address that the client has.
    pub fn client_ip(mut self, ip: Ipv4Addr) -> Self {
        self.0[12..16].copy_from_slice(&ip.octets());
        self
    }

    /// The address that the server gives.
    pub fn your_ip(mut self, ip: Ipv4Addr) -> Self {
        self.0[16..20].copy_from_slice(&ip.octets());
        self
    }

    /// Marks that the client hears broadcasts alone.
    pub fn broadcast(mut self) -> Self {
        self.0[10] |= 0x80;
        self
    }

    /// Adds an option. Padding, the end and the mark of overloaded fields are no options of a draft's.
    pub fn option(mut self, code: u8, value: &[u8]) -> Self {
        if matches!(code, 0 | END | OVERLOAD) {
            return self;
        }
        if value.is_empty() {
            self.0.extend_from_slice(&[code, 0]);
        }
        for piece in value.chunks(MOST_PIECE_BYTES) {
            self.0.extend_from_slice(&[code, piece.len() as u8]);
            self.0.extend_from_slice(piece);
        }
        self
    }

    /// Adds an option where there is a value.
    pub fn maybe(self, code: u8, value: Option<&[u8]>) -> Self {
        match value {
            Some(value) => self.option(code, value),
            None => self,
        }
    }

    /// The message, filled up to `least_bytes`.
    pub fn finish(mut self, least_bytes: usize) -> Vec<u8> {
        self.0.push(END);
        self.0.resize(self.0.len().max(least_bytes), 0);
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethernet::{self, BROADCAST};
    use crate::ipv4;
    use proptest::prelude::*;
    use std::net::SocketAddrV4;

    const PHONE: Mac = [0x00, 0x21, 0xf2, 0x22, 0xb0, 0x1d];
    const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 2);

    fn on_the_wire(from: SocketAddrV4, to: SocketAddrV4, message: &[u8]) -> usize {
        let packet = ipv4::datagram(from, to, message).expect("a datagram");
        ethernet::frame(BROADCAST, PHONE, None, ethernet::IPV4, &packet).len()
    }

    fn discover() -> Vec<u8> {
        Draft::request(Kind::Discover, 0xf844_8829, PHONE)
            .option(60, b"Offhook")
            .option(55, &[1, 3, 6, 12, 15, 42, 43, 51, 54, 58, 59, 66, 67, 120, 132])
            .finish(LEAST_REQUEST_BYTES)
    }

    /// Deck, DHCP Option66: DISCOVER and REQUEST have 590 bytes, OFFER and ACK 343.
    #[test]
    fn frames_have_the_deck_s_sizes() {
        let client = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68);
        let all = SocketAddrV4::new(Ipv4Addr::BROADCAST, 67);
        let bytes = discover();
        assert_eq!(on_the_wire(client, all, &bytes), 590);
        let asked = Message::parse(&bytes).expect("a message");
        assert_eq!(
            (asked.kind, asked.transaction(), asked.asks_for(66)),
            (Kind::Discover, 0xf844_8829, true)
        );
        // In the order of the deck's ACK: 53 54 1 3 6 51 58 59 66 255.
        let ack = Draft::reply(Kind::Ack, &asked)
            .your_ip(Ipv4Addr::new(192, 168, 50, 4))
            .option(54, &SERVER.octets())
            .option(1, &[255, 255, 255, 0])
            .option(3, &[192, 168, 50, 1])
            .option(6, &[192, 168, 50, 1])
            .option(51, &86_400_u32.to_be_bytes())
            .option(58, &43_200_u32.to_be_bytes())
            .option(59, &75_600_u32.to_be_bytes())
            .option(66, b"192.168.50.92")
            .finish(0);
        let to_client = SocketAddrV4::new(Ipv4Addr::BROADCAST, 68);
        assert_eq!(on_the_wire(SocketAddrV4::new(SERVER, 67), to_client, &ack), 343);
        let ack = Message::parse(&ack).expect("a message");
        assert_eq!((ack.kind, ack.transaction(), ack.hardware()), (Kind::Ack, 0xf844_8829, PHONE));
        assert_eq!(
            ack.options().map(|(code, _)| code).collect::<Vec<_>>(),
            [53, 54, 1, 3, 6, 51, 58, 59, 66]
        );
        assert_eq!(
            (ack.option_text(66), ack.option_number(51)),
            (Some("192.168.50.92".into()), Some(86_400))
        );
        assert_eq!(ack.option_ips(3), [Ipv4Addr::new(192, 168, 50, 1)]);
    }

    #[test]
    fn what_the_relay_needs_comes_back() {
        let mut bytes = discover();
        bytes[10] = 0x80;
        bytes[24..28].copy_from_slice(&[10, 0, 0, 1]);
        let asked = Message::parse(&bytes).expect("a message");
        let offer = Draft::reply(Kind::Offer, &asked).finish(300);
        let offer = Message::parse(&offer).expect("a message");
        assert_eq!((offer.wants_broadcast(), offer.relay_ip()), (true, Some(Ipv4Addr::new(10, 0, 0, 1))));
    }

    #[test]
    fn a_long_option_is_split_and_put_together() {
        let long = vec![b'a'; 600];
        let bytes = Draft::request(Kind::Inform, 1, PHONE).option(43, &long).option(12, b"").finish(0);
        let message = Message::parse(&bytes).expect("a message");
        assert_eq!(message.options().filter(|(code, _)| *code == 43).count(), 3);
        assert_eq!((message.whole_option(43), message.option(12)), (Some(long), Some(&b""[..])));
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic(options in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = discover();
            bytes.truncate(FIXED_BYTES);
            bytes.extend_from_slice(&[53, 1, 5]);
            bytes.extend_from_slice(&options);
            if let Some(message) = Message::parse(&bytes) {
                for code in 0..=255 {
                    let _ = (message.whole_option(code), message.option_text(code), message.option_ips(code));
                }
                let _ = Draft::reply(Kind::Nak, &message).finish(300);
            }
        }
    }
}
