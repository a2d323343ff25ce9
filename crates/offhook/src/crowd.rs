//! Connections of strangers, and which of them is closed first where there is no room left.
//!
//! Whoever opens the most connections from one source loses the oldest of them. So a crowd from a few
//! sources makes room for whoever comes from another one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};

/// All connections of strangers. `N` names one and rises with the time of its arrival.
#[derive(Debug)]
pub(crate) struct Crowd<N> {
    by_source: HashMap<IpAddr, BTreeSet<N>>,
    /// Sources by how many connections they have.
    by_size: BTreeSet<(usize, IpAddr)>,
    /// The source of each connection.
    sources: BTreeMap<N, IpAddr>,
}

impl<N> Default for Crowd<N> {
    fn default() -> Self {
        Self { by_source: HashMap::new(), by_size: BTreeSet::new(), sources: BTreeMap::new() }
    }
}

impl<N: Copy + Ord> Crowd<N> {
    /// Takes a connection into the crowd.
    pub(crate) fn add(&mut self, name: N, from: IpAddr) {
        let source = source(from);
        let all = self.by_source.entry(source).or_default();
        let before = all.len();
        if all.insert(name) {
            self.sources.insert(name, source);
            self.resized(source, before, before + 1);
        }
    }

    /// The connection is no stranger's any more, or closed. One that is not in the crowd is no error.
    pub(crate) fn remove(&mut self, name: N) {
        let Some(source) = self.sources.remove(&name) else { return };
        let Some(all) = self.by_source.get_mut(&source) else { return };
        let before = all.len();
        all.remove(&name);
        if all.is_empty() {
            self.by_source.remove(&source);
        }
        self.resized(source, before, before.saturating_sub(1));
    }

    /// The oldest connection of the source that has the most.
    pub(crate) fn first_to_go(&self) -> Option<N> {
        let (_, source) = self.by_size.last()?;
        self.oldest_of(*source)
    }

    /// The oldest connection from one source.
    pub(crate) fn oldest_of(&self, from: IpAddr) -> Option<N> {
        self.by_source.get(&source(from))?.first().copied()
    }

    /// How many connections a source has in the crowd.
    pub(crate) fn count_of(&self, from: IpAddr) -> usize {
        self.by_source.get(&source(from)).map_or(0, BTreeSet::len)
    }

    fn resized(&mut self, source: IpAddr, before: usize, after: usize) {
        self.by_size.remove(&(before, source));
        if after > 0 {
            self.by_size.insert((after, source));
        }
    }
}

/// Who is behind an address: with IPv6 one subscriber has a whole /64 (RFC 6177), so all of it counts as one.
pub(crate) fn source(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        // Loopback and link-local addresses belong to one machine each.
        IpAddr::V6(ip) if !ip.is_loopback() && !ip.is_unicast_link_local() => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn the_fattest_source_loses_its_oldest_connection() {
        let mut crowd = Crowd::default();
        assert_eq!(crowd.first_to_go(), None);
        for (name, from) in [(1, 1), (2, 2), (3, 2), (4, 1), (5, 2)] {
            crowd.add(name, ip(from));
        }
        let mut gone = Vec::new();
        while let Some(name) = crowd.first_to_go() {
            gone.push(name);
            crowd.remove(name);
        }
        // Where two have as many, the higher address goes first.
        assert_eq!(gone, [2, 3, 1, 5, 4]);
        assert!(crowd.sources.is_empty() && crowd.by_source.is_empty() && crowd.by_size.is_empty());
    }

    #[test]
    fn whoever_is_known_is_in_no_crowd() {
        let mut crowd = Crowd::default();
        crowd.add(1, ip(1));
        crowd.add(1, ip(1));
        crowd.add(2, ip(1));
        assert_eq!((crowd.count_of(ip(1)), crowd.oldest_of(ip(1))), (2, Some(1)));
        crowd.remove(1);
        crowd.remove(1);
        assert_eq!(
            (crowd.count_of(ip(1)), crowd.oldest_of(ip(1)), crowd.first_to_go()),
            (1, Some(2), Some(2))
        );
        assert_eq!((crowd.count_of(ip(2)), crowd.oldest_of(ip(2))), (0, None));
    }

    #[test]
    fn a_network_of_ip_version_6_is_one_source() {
        let source = |text: &str| source(text.parse().unwrap()).to_string();
        assert_eq!(source("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(source("2001:db8:1:3::6"), "2001:db8:1:3::");
        assert_eq!(source("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(source("::1"), "::1");
        assert_eq!(source("fe80::7"), "fe80::7");
    }
}
