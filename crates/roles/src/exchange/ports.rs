//! The ports of the media relay: four in a row for each call.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proto::Rng;

use crate::relay::RelayId;

/// Ports of one call: RTP and RTCP towards the caller, RTP and RTCP towards the called.
const PORTS_PER_CALL: u16 = 4;
/// One place in so many rests after a call.
const RESTING_PART: usize = 8;

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
///
/// Each is drawn by chance, so that one call does not show where the next one will be.
#[derive(Debug)]
pub(super) struct Ports {
    config: RelayPorts,
    /// Places that may be drawn.
    free: Vec<u16>,
    /// Places given back not long ago, the oldest first: packets of the call before must not enter the next.
    rested: VecDeque<u16>,
    taken: Vec<bool>,
}

impl Ports {
    pub(super) fn new(config: RelayPorts) -> Self {
        let room = (u16::MAX - config.first.min(u16::MAX - 1)) / PORTS_PER_CALL;
        let config = RelayPorts { calls: config.calls.min(room), ..config };
        let free = (0..config.calls).collect();
        Self { config, free, rested: VecDeque::new(), taken: vec![false; config.calls.into()] }
    }

    /// A place, or none where all are taken.
    pub(super) fn take(&mut self, rng: &mut Rng) -> Option<Place> {
        let resting = usize::from(self.config.calls) / RESTING_PART;
        let rested = self.rested.len().saturating_sub(resting);
        self.free.extend(self.rested.drain(..rested));
        let place = if self.free.is_empty() {
            self.rested.pop_front()?
        } else {
            self.free.swap_remove(rng.below(self.free.len() as u64) as usize)
        };
        *self.taken.get_mut(usize::from(place))? = true;
        let base = self.config.first + place * PORTS_PER_CALL;
        let at = |port| SocketAddr::new(self.config.address, port);
        Some(Place { relay: place.into(), a: at(base), b: at(base + 2) })
    }

    /// The relay has closed it.
    pub(super) fn give_back(&mut self, relay: RelayId) {
        let Ok(place) = u16::try_from(relay) else { return };
        let taken = self.taken.get_mut(usize::from(place));
        if taken.is_some_and(std::mem::take) {
            self.rested.push_back(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn places_are_taken_and_given_back() {
        let mut rng = Rng::from_number(1);
        let mut ports = Ports::new(RelayPorts { first: 65_000, calls: 10_000, ..RelayPorts::default() });
        let places: Vec<Place> = std::iter::from_fn(|| ports.take(&mut rng)).collect();
        assert_eq!(places.len(), 133);
        assert!(
            places
                .iter()
                .all(|place| place.b.port() == place.a.port() + 2 && place.a.port().is_multiple_of(2))
        );
        let ports_used: BTreeSet<u16> = places.iter().map(|place| place.a.port()).collect();
        assert_eq!(
            (ports_used.len(), ports_used.first(), ports_used.last()),
            (133, Some(&65_000), Some(&65_528))
        );
        ports.give_back(7);
        ports.give_back(7);
        ports.give_back(500);
        assert_eq!(ports.take(&mut rng).map(|place| place.relay), Some(7));
        assert_eq!(ports.take(&mut rng), None);
    }

    #[test]
    fn places_are_drawn_by_chance() {
        let drawn = |seed| {
            let mut rng = Rng::from_number(seed);
            let mut ports = Ports::new(RelayPorts::default());
            let mut draw = || ports.take(&mut rng).map(|place| place.relay);
            std::array::from_fn::<_, 20, _>(|_| draw())
        };
        let (one, two) = (drawn(1), drawn(2));
        assert_ne!(one, two);
        let steps: BTreeSet<_> = one.windows(2).map(|pair| pair[0] < pair[1]).collect();
        assert_eq!(steps.len(), 2, "neither rising nor falling: {one:?}");
    }

    #[test]
    fn a_place_given_back_rests() {
        let mut rng = Rng::from_number(1);
        let mut ports = Ports::new(RelayPorts { calls: 80, ..RelayPorts::default() });
        let first = ports.take(&mut rng).map(|place| place.relay).expect("a place");
        ports.give_back(first);
        for _ in 0..79 {
            assert_ne!(ports.take(&mut rng).map(|place| place.relay), Some(first));
        }
        assert_eq!(ports.take(&mut rng).map(|place| place.relay), Some(first));
    }
}
