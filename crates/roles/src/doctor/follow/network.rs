//! What the layers below tell: DHCP, LLDP, CDP, ARP, ICMP and DNS.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proto::dhcp;
use proto::dns;
use proto::icmp::Undelivered;
use proto::{cdp, lldp};

use super::ground::Map;
use super::said::{kept, text};
use crate::doctor::tracks::{
    AddressConflict, DhcpMessage, Discovery, IcmpError, Lease, Lookup, Mac, Neighbour, Tracks,
};
use crate::doctor::{Carrier, Path, Proof};

/// DHCP clients of one case.
pub const LEASES_LIMIT: usize = 16_384;
/// Messages of one client that are kept.
const MESSAGES_LIMIT: usize = 64;
/// LLDP and CDP senders of one case.
pub const NEIGHBOURS_LIMIT: usize = 4_096;
/// ICMP errors of one case.
pub const ICMP_LIMIT: usize = 50_000;
/// Questions to DNS of one case.
pub const LOOKUPS_LIMIT: usize = 50_000;
/// Addresses of which the owner is known.
pub const OWNERS_LIMIT: usize = 65_536;
const CONFLICTS_LIMIT: usize = 256;
const ASKED_LIMIT: usize = 8;
const RECORDS_LIMIT: usize = 16;

/// Which track a message belongs to.
#[derive(Debug, Default)]
pub struct Network {
    leases: Map<Mac, u32>,
    neighbours: Map<(Mac, Discovery), u32>,
    lookups: Map<(SocketAddr, SocketAddr, u16), u32>,
    owners: Map<IpAddr, (Mac, Proof)>,
}

impl Network {
    /// Takes a datagram of port 67 or 68; true where it is DHCP.
    pub fn dhcp(&mut self, tracks: &mut Tracks, proof: Proof, vlan: Option<u16>, bytes: &[u8]) -> bool {
        let Some(message) = dhcp::Message::parse(bytes) else { return false };
        let mac = message.hardware();
        let index = match self.leases.get(&mac) {
            Some(&index) => index,
            None if tracks.leases.len() >= LEASES_LIMIT => {
                tracks.leave_out("DHCP clients");
                return true;
            }
            None => {
                tracks.leases.push(new_lease(mac));
                let index = tracks.leases.len() as u32 - 1;
                self.leases.insert(mac, index);
                index
            }
        };
        if let Some(lease) = tracks.leases.get_mut(index as usize) {
            note_dhcp(lease, proof, vlan, &message);
        }
        true
    }

    /// Takes a frame of LLDP.
    pub fn lldp(&mut self, tracks: &mut Tracks, proof: Proof, mac: Mac, bytes: &[u8]) {
        let Some(advert) = lldp::Advert::parse(bytes) else { return };
        let Some(neighbour) = self.neighbour(tracks, proof, mac, Discovery::Lldp) else { return };
        let name = advert.system_name.as_ref().unwrap_or(&advert.chassis);
        (neighbour.name, neighbour.port) = (kept(name), kept(&advert.port));
        neighbour.description = advert.system_description.as_deref().map(kept).unwrap_or_default();
        neighbour.speaks_med |= advert.med_class.is_some();
        neighbour.is_endpoint |= advert.is_phone();
        neighbour.voice_vlan = advert.voice_vlan();
    }

    /// Takes a frame of CDP.
    pub fn cdp(&mut self, tracks: &mut Tracks, proof: Proof, mac: Mac, bytes: &[u8]) {
        let Some(advert) = cdp::Advert::parse(bytes) else { return };
        let Some(neighbour) = self.neighbour(tracks, proof, mac, Discovery::Cdp) else { return };
        neighbour.name = advert.device.as_deref().map(kept).unwrap_or_default();
        neighbour.port = advert.port.as_deref().map(kept).unwrap_or_default();
        neighbour.description = advert.platform.as_deref().map(kept).unwrap_or_default();
        neighbour.is_endpoint |= advert.is_phone();
        neighbour.voice_vlan = advert.voice_vlan;
    }

    fn neighbour<'t>(
        &mut self,
        tracks: &'t mut Tracks,
        proof: Proof,
        mac: Mac,
        protocol: Discovery,
    ) -> Option<&'t mut Neighbour> {
        let index = match self.neighbours.get(&(mac, protocol)) {
            Some(&index) => index,
            None if tracks.neighbours.len() >= NEIGHBOURS_LIMIT => {
                tracks.leave_out("neighbours");
                return None;
            }
            None => {
                tracks.neighbours.push(new_neighbour(proof, mac, protocol));
                let index = tracks.neighbours.len() as u32 - 1;
                self.neighbours.insert((mac, protocol), index);
                index
            }
        };
        let neighbour = tracks.neighbours.get_mut(index as usize)?;
        neighbour.frames += 1;
        neighbour.last = proof;
        Some(neighbour)
    }

    /// Takes a packet of ARP (RFC 826): whoever speaks for an address that another has spoken for.
    pub fn arp(&mut self, tracks: &mut Tracks, proof: Proof, bytes: &[u8]) {
        let Some(packet) = bytes.first_chunk::<28>() else { return };
        let sender: Mac = [packet[8], packet[9], packet[10], packet[11], packet[12], packet[13]];
        let address = Ipv4Addr::new(packet[14], packet[15], packet[16], packet[17]);
        // A probe (RFC 5227 §2.1) claims nothing yet.
        if packet[..6] != [0, 1, 8, 0, 6, 4] || address.is_unspecified() {
            return;
        }
        self.owns(tracks, proof, address.into(), sender);
    }

    fn owns(&mut self, tracks: &mut Tracks, proof: Proof, address: IpAddr, mac: Mac) {
        if self.owners.len() >= OWNERS_LIMIT {
            self.owners.clear();
        }
        let owner = self.owners.entry(address).or_insert((mac, proof));
        if owner.0 == mac {
            return;
        }
        let known = tracks.conflicts.iter().any(|conflict| {
            conflict.address == address && [conflict.first.0, conflict.second.0].contains(&mac)
        });
        if !known && tracks.conflicts.len() < CONFLICTS_LIMIT {
            tracks.conflicts.push(AddressConflict { address, first: *owner, second: (mac, proof) });
        }
    }

    /// Takes ICMP or ICMPv6; gives the index of the error.
    pub fn icmp(
        &mut self,
        tracks: &mut Tracks,
        proof: Proof,
        from: IpAddr,
        is_v6: bool,
        bytes: &[u8],
    ) -> Option<u32> {
        let [kind, code, ..] = *bytes else { return None };
        let is_error = if is_v6 { kind < 128 } else { matches!(kind, 3 | 4 | 5 | 11 | 12) };
        if !is_error {
            return None;
        }
        let undelivered = if is_v6 { Undelivered::parse_v6(bytes) } else { Undelivered::parse(bytes) };
        let quoted = undelivered.and_then(|undelivered| {
            let carrier = match undelivered.protocol {
                17 => Carrier::Udp,
                6 => Carrier::Tcp,
                _ => return None,
            };
            Some(Path { source: undelivered.from, destination: undelivered.to, carrier })
        });
        if tracks.icmp.len() >= ICMP_LIMIT {
            tracks.leave_out("ICMP errors");
            return None;
        }
        tracks.icmp.push(IcmpError { proof, from, kind: (kind, code), is_v6, quoted });
        Some(tracks.icmp.len() as u32 - 1)
    }

    /// Takes a datagram of port 53; true where it is DNS.
    pub fn dns(&mut self, tracks: &mut Tracks, proof: Proof, path: Path, bytes: &[u8]) -> bool {
        let Some(message) = dns::Message::parse(bytes) else { return false };
        let asked = if message.is_response { path.reversed() } else { path };
        let key = (asked.source, asked.destination, message.id);
        let known = self.lookups.get(&key).copied().filter(|&index| {
            let lookup = tracks.lookups.get(index as usize);
            lookup.is_some_and(|lookup| {
                lookup.kind == message.kind && lookup.name.eq_ignore_ascii_case(&message.name)
            })
        });
        let index = match known {
            Some(index) => index,
            None if tracks.lookups.len() >= LOOKUPS_LIMIT => {
                tracks.leave_out("DNS questions");
                return true;
            }
            None => {
                tracks.lookups.push(new_lookup(asked, &message));
                let index = tracks.lookups.len() as u32 - 1;
                self.lookups.insert(key, index);
                index
            }
        };
        if let Some(lookup) = tracks.lookups.get_mut(index as usize) {
            note_dns(lookup, proof, &message);
        }
        true
    }
}

fn new_lease(mac: Mac) -> Lease {
    Lease {
        mac,
        messages: Vec::new(),
        address: None,
        lease_s: None,
        option66: None,
        vlan: None,
        vendor: None,
        host_name: None,
    }
}

fn note_dhcp(lease: &mut Lease, proof: Proof, vlan: Option<u16>, message: &dhcp::Message<'_>) {
    let kind = message.option(53).and_then(|value| value.first().copied()).unwrap_or(0);
    let asked = message.option_ip(50).or_else(|| message.client_ip());
    let address = if message.is_request() { asked } else { message.your_ip() };
    let option66 = message.option(66).map(|value| text(trim_zeros(value)));
    if message.is_request() {
        lease.vendor = message.option(60).map(text).or(lease.vendor.take());
        lease.host_name = message.option(12).map(text).or(lease.host_name.take());
    }
    if kind == 5 {
        lease.address = address.map(IpAddr::V4).or(lease.address);
        lease.lease_s = message.option(51).and_then(|value| Some(u32::from_be_bytes(*value.first_chunk()?)));
        lease.option66.clone_from(&option66);
        lease.vlan = vlan_option(message);
    }
    if lease.messages.len() < MESSAGES_LIMIT {
        lease.messages.push(DhcpMessage {
            proof,
            kind,
            xid: message.transaction(),
            address: address.map(IpAddr::V4),
            server: message.option_ip(54).map(IpAddr::V4),
            vlan,
            wanted: message.option(55).map(<[u8]>::to_vec).unwrap_or_default(),
            has_option66: option66.is_some(),
            text: message.option(56).map(text),
        });
    }
}

/// Option 132 holds the VLAN as a number or as digits; vendors write it into 43 and others too, of which
/// nothing is guessed.
fn vlan_option(message: &dhcp::Message<'_>) -> Option<u16> {
    let value = message.option(132)?;
    let written = std::str::from_utf8(trim_zeros(value)).ok().and_then(|text| text.trim().parse().ok());
    let number = || Some(u16::from_be_bytes(*value.last_chunk()?));
    written.or_else(number).filter(|vlan| (1..4_095).contains(vlan))
}

fn trim_zeros(value: &[u8]) -> &[u8] {
    let end = value.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
    value.get(..end).unwrap_or(value)
}

fn new_neighbour(proof: Proof, mac: Mac, protocol: Discovery) -> Neighbour {
    Neighbour {
        mac,
        protocol,
        name: "".into(),
        port: "".into(),
        description: "".into(),
        speaks_med: false,
        is_endpoint: false,
        voice_vlan: None,
        first: proof,
        last: proof,
        frames: 0,
    }
}

fn new_lookup(path: Path, message: &dns::Message) -> Lookup {
    Lookup {
        path,
        name: kept(&message.name),
        kind: message.kind,
        asked: Vec::new(),
        answered: None,
        rcode: None,
        records: Vec::new(),
    }
}

fn note_dns(lookup: &mut Lookup, proof: Proof, message: &dns::Message) {
    if !message.is_response {
        if lookup.asked.len() < ASKED_LIMIT {
            lookup.asked.push(proof);
        }
        return;
    }
    lookup.answered.get_or_insert(proof);
    // What did not fit is asked for again over TCP.
    if message.is_truncated {
        return;
    }
    lookup.rcode = Some(message.code);
    for answer in &message.answers {
        if lookup.records.len() >= RECORDS_LIMIT {
            return;
        }
        let record = match answer {
            dns::Answer::V4(address) => address.to_string(),
            dns::Answer::V6(address) => address.to_string(),
            dns::Answer::Name(name) => name.clone(),
            dns::Answer::Server(port, target) => format!("{target}:{port}"),
            dns::Answer::Other(_) => continue,
        };
        lookup.records.push(kept(&record));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::Time;

    const PROOF: Proof = Proof { at: Time::ZERO, file: 0, number: 1, offset: 0 };

    fn arp(mac: u8, address: u8) -> Vec<u8> {
        [&[0, 1, 8, 0, 6, 4, 0, 2][..], &[0, 0, 0, 0, 0, mac], &[192, 0, 2, address], &[0; 10]].concat()
    }

    #[test]
    fn two_who_claim_one_address() {
        let (mut network, mut tracks) = (Network::default(), Tracks::default());
        for (mac, address) in [(1, 10), (1, 10), (2, 11), (2, 0), (2, 10), (2, 10)] {
            let mut packet = arp(mac, address);
            if address == 0 {
                packet[14..18].fill(0);
            }
            network.arp(&mut tracks, PROOF, &packet);
        }
        let conflicts: Vec<_> =
            tracks.conflicts.iter().map(|c| (c.address.to_string(), c.first.0[5], c.second.0[5])).collect();
        assert_eq!(conflicts, [("192.0.2.10".to_owned(), 1, 2)]);
    }

    #[test]
    fn a_million_owners_are_bounded() {
        let (mut network, mut tracks) = (Network::default(), Tracks::default());
        for number in 0..1_000_000u32 {
            network.owns(&mut tracks, PROOF, Ipv4Addr::from_bits(number).into(), [0; 6]);
        }
        assert!(network.owners.len() <= OWNERS_LIMIT);
    }

    #[test]
    fn clients_are_bounded() {
        let (mut network, mut tracks) = (Network::default(), Tracks::default());
        for number in 0..(LEASES_LIMIT as u32 + 5) {
            let mut bytes = vec![0; 240];
            (bytes[0], bytes[1], bytes[2]) = (1, 1, 6);
            bytes[28..32].copy_from_slice(&number.to_be_bytes());
            bytes[236..240].copy_from_slice(&[99, 130, 83, 99]);
            bytes.extend([53, 1, 1, 255]);
            assert!(network.dhcp(&mut tracks, PROOF, None, &bytes));
        }
        assert_eq!((tracks.leases.len(), tracks.left_out["DHCP clients"]), (LEASES_LIMIT, 5));
    }
}
