//! ARP packets for IPv4 over Ethernet, read and built (RFC 826; probes and announcements: RFC 5227).

use std::net::Ipv4Addr;

use crate::ethernet::Mac;

/// Ethernet, IPv4, and the lengths of their addresses.
const HEAD: [u8; 6] = [0, 1, 8, 0, 6, 4];
const PACKET_BYTES: usize = 28;

/// A packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packet {
    /// Whether it asks; else it answers.
    pub is_request: bool,
    /// Who speaks.
    pub sender: Mac,
    /// Which address the speaker has; unspecified in a probe.
    pub sender_ip: Ipv4Addr,
    /// Whom it means; zeros in a question.
    pub target: Mac,
    /// Which address it is about.
    pub target_ip: Ipv4Addr,
}

impl Packet {
    /// Asks whether anybody has the address, without claiming it (RFC 5227 §2.1.1).
    pub fn probe(sender: Mac, target_ip: Ipv4Addr) -> Self {
        Self { is_request: true, sender, sender_ip: Ipv4Addr::UNSPECIFIED, target: [0; 6], target_ip }
    }

    /// Tells everybody that the address is taken (RFC 5227 §2.3).
    pub fn announcement(sender: Mac, ip: Ipv4Addr) -> Self {
        Self { is_request: true, sender, sender_ip: ip, target: [0; 6], target_ip: ip }
    }

    /// The answer of whoever has the address.
    pub fn answer(&self, sender: Mac) -> Self {
        Self {
            is_request: false,
            sender,
            sender_ip: self.target_ip,
            target: self.sender,
            target_ip: self.sender_ip,
        }
    }

    /// Reads what follows the EtherType; `None` where it is no ARP for IPv4 over Ethernet.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let packet = bytes.first_chunk::<PACKET_BYTES>()?;
        let is_request = match packet[6..8] {
            [0, 1] => true,
            [0, 2] => false,
            _ => return None,
        };
        let mac = |first: usize| std::array::from_fn(|at| packet[first + at]);
        let ip = |first: usize| Ipv4Addr::from_octets(std::array::from_fn(|at| packet[first + at]));
        (packet[..6] == HEAD).then(|| Self {
            is_request,
            sender: mac(8),
            sender_ip: ip(14),
            target: mac(18),
            target_ip: ip(24),
        })
    }

    /// As it is sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PACKET_BYTES);
        bytes.extend_from_slice(&HEAD);
        bytes.extend_from_slice(&[0, if self.is_request { 1 } else { 2 }]);
        bytes.extend_from_slice(&self.sender);
        bytes.extend_from_slice(&self.sender_ip.octets());
        bytes.extend_from_slice(&self.target);
        bytes.extend_from_slice(&self.target_ip.octets());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_answered_by_whoever_has_the_address() {
        let ip = Ipv4Addr::new(192, 168, 50, 54);
        let probe = Packet::probe([1; 6], ip);
        assert_eq!(
            probe.to_bytes(),
            *b"\0\x01\x08\0\x06\x04\0\x01\x01\x01\x01\x01\x01\x01\0\0\0\0\0\0\0\0\0\0\xc0\xa8\x32\x36"
        );
        let answer = probe.answer([2; 6]);
        let read = Packet::parse(&answer.to_bytes()).expect("a packet");
        assert_eq!((read.is_request, read.sender_ip, read.sender, read.target), (false, ip, [2; 6], [1; 6]));
        assert_eq!(Packet::parse(&probe.to_bytes()[..27]), None);
        assert_eq!(Packet::parse(&[7; 28]), None);
    }
}
