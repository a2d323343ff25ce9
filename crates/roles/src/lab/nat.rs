//! A router that hides addresses (RFC 4787): mappings that expire, and who may use them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use proto::Time;

/// The most mappings that are kept; the one quiet for longest makes room.
const MAX_MAPPINGS: usize = 4_096;
/// The first port that is given out.
const FIRST_PORT: u16 = 20_000;

/// How a NAT maps and filters (RFC 4787 §4.1 and §5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NatKind {
    /// One outer port for each inner one, whoever the other end is; anyone may use it.
    Cone,
    /// An outer port for each other end; only that end may use it.
    Symmetric,
}

/// A NAT for UDP and for connections from the inside.
#[derive(Clone, Debug)]
pub struct NatBox {
    outer: IpAddr,
    kind: NatKind,
    binding: Duration,
    mappings: BTreeMap<u16, Mapping>,
    next_port: u16,
}

#[derive(Clone, Copy, Debug)]
struct Mapping {
    inner: SocketAddr,
    remote: SocketAddr,
    used: Time,
}

impl NatBox {
    /// A NAT with the address `outer` whose mappings end after `binding` without a packet from inside.
    pub fn new(outer: IpAddr, kind: NatKind, binding: Duration) -> Self {
        Self { outer, kind, binding, mappings: BTreeMap::new(), next_port: FIRST_PORT }
    }

    /// The address that the world sees.
    pub fn outer(&self) -> IpAddr {
        self.outer
    }

    /// What `inner` looks like to `remote`; makes or refreshes the mapping.
    pub fn outbound(&mut self, now: Time, inner: SocketAddr, remote: SocketAddr) -> SocketAddr {
        self.forget(now);
        let known = self.mappings.iter_mut().find(|(_, mapping)| {
            mapping.inner == inner && (self.kind == NatKind::Cone || mapping.remote == remote)
        });
        let port = match known {
            Some((&port, mapping)) => {
                mapping.used = now;
                port
            }
            None => self.open(Mapping { inner, remote, used: now }),
        };
        SocketAddr::new(self.outer, port)
    }

    /// Who inside gets what `remote` sends to `port`; `None` where it is dropped.
    pub fn inbound(&mut self, now: Time, port: u16, remote: SocketAddr) -> Option<SocketAddr> {
        self.forget(now);
        let mapping = self.mappings.get(&port)?;
        let welcome = self.kind == NatKind::Cone || mapping.remote == remote;
        welcome.then_some(mapping.inner)
    }

    fn open(&mut self, mapping: Mapping) -> u16 {
        if self.mappings.len() >= MAX_MAPPINGS {
            let quietest =
                self.mappings.iter().min_by_key(|(_, mapping)| mapping.used).map(|(&port, _)| port);
            quietest.map(|port| self.mappings.remove(&port));
        }
        while self.mappings.contains_key(&self.next_port) {
            self.step_port();
        }
        let port = self.next_port;
        self.step_port();
        self.mappings.insert(port, mapping);
        port
    }

    fn step_port(&mut self) {
        self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_PORT);
    }

    fn forget(&mut self, now: Time) {
        let binding = self.binding;
        self.mappings.retain(|_, mapping| now.since(mapping.used) < binding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn nat(kind: NatKind) -> NatBox {
        NatBox::new([203, 0, 113, 1].into(), kind, Duration::from_secs(30))
    }

    #[test]
    fn a_cone_keeps_one_port_for_everyone() {
        let (inner, one, two) = (address("10.0.0.2:5060"), address("192.0.2.1:1"), address("192.0.2.2:2"));
        let mut cone = nat(NatKind::Cone);
        let outer = cone.outbound(Time::ZERO, inner, one);
        assert_eq!(cone.outbound(Time::ZERO, inner, two), outer);
        assert_eq!(cone.inbound(Time::ZERO, outer.port(), two), Some(inner));
        let mut symmetric = nat(NatKind::Symmetric);
        let outer = symmetric.outbound(Time::ZERO, inner, one);
        assert_ne!(symmetric.outbound(Time::ZERO, inner, two), outer);
        assert_eq!(symmetric.inbound(Time::ZERO, outer.port(), two), None);
    }

    #[test]
    fn a_mapping_ends_without_packets_from_inside() {
        let (inner, remote) = (address("10.0.0.2:5060"), address("192.0.2.1:1"));
        let mut cone = nat(NatKind::Cone);
        let outer = cone.outbound(Time::ZERO, inner, remote);
        cone.outbound(Time::from_secs(20), inner, remote);
        assert_eq!(cone.inbound(Time::from_secs(49), outer.port(), remote), Some(inner));
        assert_eq!(cone.inbound(Time::from_secs(50), outer.port(), remote), None);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut cone = nat(NatKind::Cone);
        let remote = address("192.0.2.1:1");
        let inner = |n: usize| SocketAddr::new([10, 0, (n >> 8) as u8, n as u8].into(), 5060);
        let first = cone.outbound(Time::ZERO, inner(0), remote);
        for n in 1..=MAX_MAPPINGS {
            cone.outbound(Time::from_millis(1), inner(n), remote);
        }
        assert_eq!(cone.mappings.len(), MAX_MAPPINGS);
        assert_eq!(cone.inbound(Time::from_millis(1), first.port(), remote), None);
    }
}
