//! The ports of the media relay: four in a row for each call.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::relay::RelayId;

/// Ports of one call: RTP and RTCP towards the caller, RTP and RTCP towards the called.
const PORTS_PER_CALL: u16 = 4;

/// Where media is relayed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RelayPorts {
    /// The address that phones send to.
    pub address: IpAddr,
    /// The first port; even.
    pub first: u16,
    /// How many calls there is room for.
    pub calls: u16,
}

impl Default for RelayPorts {
    fn default() -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::LOCALHOST), first: 20_000, calls: 10_000 }
    }
}

/// One call's place at the relay.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) relay: RelayId,
    pub(super) a: SocketAddr,
    pub(super) b: SocketAddr,
}

/// Places that are free.
#[derive(Debug)]
pub(super) struct Ports {
    config: RelayPorts,
    /// Places never used yet.
    next: u16,
    /// Places given back. The one that has rested longest is used first, so that packets of the call
    /// before do not enter the next.
    rested: std::collections::VecDeque<RelayId>,
}

impl Ports {
    pub(super) fn new(config: RelayPorts) -> Self {
        let room = (u16::MAX - config.first.min(u16::MAX - 1)) / PORTS_PER_CALL;
        let config = RelayPorts { calls: config.calls.min(room), ..config };
        Self { config, next: 0, rested: std::collections::VecDeque::new() }
    }

    /// A place, or none where all are taken.
    pub(super) fn take(&mut self) -> Option<Place> {
        let relay = if self.next < self.config.calls {
            self.next += 1;
            u32::from(self.next - 1)
        } else {
            self.rested.pop_front()?
        };
        let base = self.config.first + u16::try_from(relay).ok()? * PORTS_PER_CALL;
        let at = |port| SocketAddr::new(self.config.address, port);
        Some(Place { relay, a: at(base), b: at(base + 2) })
    }

    /// The relay has closed it.
    pub(super) fn give_back(&mut self, relay: RelayId) {
        if relay < u32::from(self.next) && !self.rested.contains(&relay) {
            self.rested.push_back(relay);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_and_given_back() {
        let mut ports = Ports::new(RelayPorts { first: 65_000, calls: 10_000, ..RelayPorts::default() });
        let places: Vec<Place> = std::iter::from_fn(|| ports.take()).collect();
        assert_eq!(places.len(), 133);
        assert!(places.iter().all(|place| place.b.port() == place.a.port() + 2));
        assert!(places.last().is_some_and(|place| place.b.port() < u16::MAX));
        ports.give_back(7);
        ports.give_back(7);
        ports.give_back(500);
        assert_eq!(ports.take().map(|place| place.relay), Some(7));
        assert_eq!(ports.take(), None);
    }
}
