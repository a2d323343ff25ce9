//! DHCP messages, read and built (RFC 2131, options RFC 2132).

mod build;
mod sip_servers;
mod vlan;

use std::net::Ipv4Addr;

pub use build::{Draft, LEAST_REQUEST_BYTES};
pub use sip_servers::{MOST_SIP_SERVERS, SipServer, sip_servers, sip_servers_value};
pub use vlan::vlan_of;

/// Where servers and relays listen.
pub const SERVER_PORT: u16 = 67;
/// Where clients listen.
pub const CLIENT_PORT: u16 = 68;

/// The bytes before the options (RFC 2131 §2), with the magic cookie.
const FIXED_BYTES: usize = 240;
const MAGIC: [u8; 4] = [99, 130, 83, 99];
const PAD: u8 = 0;
const END: u8 = 255;
const OVERLOAD: u8 = 52;

/// What a message is for (RFC 2132 §9.6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A client looks for servers.
    Discover,
    /// A server offers an address.
    Offer,
    /// A client takes one.
    Request,
    /// The address is in use by somebody else.
    Decline,
    /// The client may have it.
    Ack,
    /// The client may not have it.
    Nak,
    /// The client gives it back.
    Release,
    /// The client has an address and wants to know the rest.
    Inform,
}

impl Kind {
    /// As RFC 2131 writes it: `DISCOVER`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Discover => "DISCOVER",
            Self::Offer => "OFFER",
            Self::Request => "REQUEST",
            Self::Decline => "DECLINE",
            Self::Ack => "ACK",
            Self::Nak => "NAK",
            Self::Release => "RELEASE",
            Self::Inform => "INFORM",
        }
    }

    /// As option 53 writes it.
    pub const fn number(self) -> u8 {
        match self {
            Self::Discover => 1,
            Self::Offer => 2,
            Self::Request => 3,
            Self::Decline => 4,
            Self::Ack => 5,
            Self::Nak => 6,
            Self::Release => 7,
            Self::Inform => 8,
        }
    }

    fn of(number: u8) -> Option<Self> {
        use Kind::{Ack, Decline, Discover, Inform, Nak, Offer, Release, Request};
        const ALL: [Kind; 8] = [Discover, Offer, Request, Decline, Ack, Nak, Release, Inform];
        ALL.get(usize::from(number).checked_sub(1)?).copied()
    }
}

/// A message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    /// What it is for.
    pub kind: Kind,
}

impl<'a> Message<'a> {
    /// Reads a datagram's payload; `None` where it is no DHCP message, BOOTP without a kind among them.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let is_one = bytes.len() >= FIXED_BYTES && matches!(bytes[0], 1 | 2) && bytes[236..240] == MAGIC;
        let mut message = is_one.then_some(Self { bytes, kind: Kind::Inform })?;
        message.kind = Kind::of(*message.option(53)?.first()?)?;
        Some(message)
    }

    /// Whether a client sent it.
    pub fn is_request(&self) -> bool {
        self.bytes[0] == 1
    }

    /// The number that a client gave its exchange.
    pub fn transaction(&self) -> u32 {
        u32::from_be_bytes([self.bytes[4], self.bytes[5], self.bytes[6], self.bytes[7]])
    }

    /// Whether the client cannot take a datagram for the address that it is offered (RFC 2131 §4.1).
    pub fn wants_broadcast(&self) -> bool {
        self.bytes[10] & 0x80 != 0
    }

    /// The address that the client has already.
    pub fn client_ip(&self) -> Option<Ipv4Addr> {
        self.fixed_ip(12)
    }

    /// The address that the server gives.
    pub fn your_ip(&self) -> Option<Ipv4Addr> {
        self.fixed_ip(16)
    }

    /// The relay between client and server.
    pub fn relay_ip(&self) -> Option<Ipv4Addr> {
        self.fixed_ip(24)
    }

    /// The client's hardware address.
    pub fn hardware(&self) -> [u8; 6] {
        std::array::from_fn(|at| self.bytes[28 + at])
    }

    /// The server's host name field; where it holds options (overload), nothing.
    pub fn server_name(&self) -> &'a [u8] {
        if self.overload() & 2 == 0 { until_zero(&self.bytes[44..108]) } else { &[] }
    }

    /// The boot file field; where it holds options (overload), nothing.
    pub fn boot_file(&self) -> &'a [u8] {
        if self.overload() & 1 == 0 { until_zero(&self.bytes[108..236]) } else { &[] }
    }

    /// The first piece of an option, its header taken off. A piece that does not fit is not there.
    pub fn option(&self, wanted: u8) -> Option<&'a [u8]> {
        self.options().find(|(code, _)| *code == wanted).map(|(_, value)| value)
    }

    /// An option, its pieces put together (RFC 3396 §7).
    pub fn whole_option(&self, wanted: u8) -> Option<Vec<u8>> {
        let mut pieces = self.options().filter(|(code, _)| *code == wanted).map(|(_, value)| value);
        let first = pieces.next()?;
        Some(pieces.fold(first.to_vec(), |whole, piece| [&whole, piece].concat()))
    }

    /// An option that is text, without the zeros that some servers put behind it and without control characters.
    pub fn option_text(&self, wanted: u8) -> Option<String> {
        let value = self.whole_option(wanted)?;
        let text = String::from_utf8_lossy(until_zero(&value)).into_owned();
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// An option that is a number of 32 bits: a time in seconds.
    pub fn option_number(&self, wanted: u8) -> Option<u32> {
        self.option(wanted)?.first_chunk().map(|number| u32::from_be_bytes(*number))
    }

    /// An option that is a list of addresses; those that are no address of a machine are left out.
    pub fn option_ips(&self, wanted: u8) -> Vec<Ipv4Addr> {
        let value = self.whole_option(wanted).unwrap_or_default();
        let all = value.as_chunks::<4>().0.iter().map(|octets| Ipv4Addr::from_octets(*octets));
        all.filter(|ip| !ip.is_unspecified() && !ip.is_broadcast() && !ip.is_multicast()).collect()
    }

    /// An option that is one address, or the first of several.
    pub fn option_ip(&self, wanted: u8) -> Option<Ipv4Addr> {
        self.option(wanted)?.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets))
    }

    /// Whether a client's parameter list (55) asks for that option.
    pub fn asks_for(&self, code: u8) -> bool {
        self.option(55).is_some_and(|list| list.contains(&code))
    }

    /// All options in the order of writing, those of the overloaded fields last.
    pub fn options(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let overload = self.overload();
        let field = |bit: u8, range: std::ops::Range<usize>| {
            if overload & bit == 0 { &[] } else { &self.bytes[range] }
        };
        let (file, name) = (field(1, 108..236), field(2, 44..108));
        Pieces(&self.bytes[FIXED_BYTES..]).chain(Pieces(file)).chain(Pieces(name))
    }

    fn overload(&self) -> u8 {
        let found = Pieces(&self.bytes[FIXED_BYTES..]).find(|(code, _)| *code == OVERLOAD);
        found.and_then(|(_, value)| value.first().copied()).unwrap_or(0)
    }

    fn fixed_ip(&self, at: usize) -> Option<Ipv4Addr> {
        let octets: [u8; 4] = std::array::from_fn(|octet| self.bytes[at + octet]);
        let ip = Ipv4Addr::from(octets);
        (!ip.is_unspecified()).then_some(ip)
    }
}

fn until_zero(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

struct Pieces<'a>(&'a [u8]);

impl<'a> Iterator for Pieces<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&code, rest) = self.0.split_first()?;
            self.0 = rest;
            match code {
                PAD => continue,
                END => self.0 = &[],
                _ => {
                    let (&length, rest) = rest.split_first()?;
                    let value = rest.get(..usize::from(length));
                    self.0 = rest.get(usize::from(length)..).unwrap_or_default();
                    return Some((code, value?));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(options: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; FIXED_BYTES];
        (bytes[0], bytes[1], bytes[2]) = (2, 1, 6);
        bytes[4..8].copy_from_slice(&[1, 2, 3, 4]);
        bytes[16..20].copy_from_slice(&[192, 168, 50, 54]);
        bytes[28..34].copy_from_slice(&[0, 0x21, 0xf2, 0x22, 0xb0, 0x21]);
        bytes[236..240].copy_from_slice(&MAGIC);
        bytes.extend_from_slice(options);
        bytes
    }

    #[test]
    fn an_offer_with_option_66_is_read() {
        let bytes = message(b"\x35\x01\x02\x00\x42\x0e192.168.50.165\x36\x04\xc0\xa8\x32\x01\xff\x42\x01x");
        let offer = Message::parse(&bytes).expect("a message");
        assert_eq!((offer.kind, offer.is_request(), offer.transaction()), (Kind::Offer, false, 0x0102_0304));
        assert_eq!(offer.your_ip(), Some(Ipv4Addr::new(192, 168, 50, 54)));
        assert_eq!(offer.option(66), Some(&b"192.168.50.165"[..]));
        assert_eq!(offer.option_ip(54), Some(Ipv4Addr::new(192, 168, 50, 1)));
        assert_eq!((offer.client_ip(), offer.hardware()), (None, [0, 0x21, 0xf2, 0x22, 0xb0, 0x21]));
    }

    #[test]
    fn options_in_overloaded_fields_are_found() {
        let mut bytes = message(b"\x35\x01\x05\x34\x01\x02\xff");
        bytes[44..50].copy_from_slice(b"\x42\x03tft\xff");
        let ack = Message::parse(&bytes).expect("a message");
        assert_eq!((ack.option(66), ack.server_name()), (Some(&b"tft"[..]), &b""[..]));
    }

    #[test]
    fn lengths_that_lie_end_the_options() {
        let bytes = message(b"\x35\x01\x02\x42\xff12");
        assert_eq!(Message::parse(&bytes).and_then(|offer| offer.option(66)), None);
        assert!(Message::parse(&message(b"\x42\x01a\xff")).is_none(), "no kind");
        assert!(Message::parse(&bytes[..200]).is_none());
    }
}
