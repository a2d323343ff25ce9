//! Where a server is: its name asked of the DNS when needed, the answer kept as long as it may be.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use proto::sip::flow::{Target, Transport};
use proto::sip::locate::{Answer, Locate, Query};
use proto::{Rng, Time};

/// The shortest time for which an answer is kept, in seconds: a record of zero must not ask forever.
const LEAST_KEPT_S: u32 = 30;

/// One server as set, and where it is.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) host: Box<str>,
    port: Option<u16>,
    /// How SIP travels there; `None` leaves it to the DNS.
    pub(super) transport: Option<Transport>,
    /// Where it is, the one that answers first; empty where that is not known.
    pub(super) targets: Vec<Target>,
    /// The same in the order of the DNS, in which they are asked to register.
    pub(super) by_dns: Vec<Target>,
    search: Option<Box<Locate>>,
    good_until: Time,
    least_s: u32,
}

/// What is to be done before a server can be spoken to.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Located {
    /// Nothing.
    Known,
    /// The DNS is to be asked.
    Ask(Vec<Query>),
}

impl Way {
    /// A server; port 0 asks the DNS for it.
    pub(super) fn new(host: &str, port: u16, transport: Option<Transport>) -> Self {
        Self {
            host: host.into(),
            port: (port > 0).then_some(port),
            transport,
            targets: Vec::new(),
            by_dns: Vec::new(),
            search: None,
            good_until: Time::ZERO,
            least_s: u32::MAX,
        }
    }

    /// Whether the server's place is known, and else what is to be asked.
    pub(super) fn locate(&mut self, now: Time, rng: &mut Rng) -> Located {
        if now < self.good_until && !self.targets.is_empty() {
            return Located::Known;
        }
        let tls = self.transport == Some(Transport::Tls);
        let port = self
            .port
            .filter(|&port| !(tls && port == 5_060))
            .or(tls.then_some(5_061).filter(|_| self.port.is_some()));
        let mut search = Locate::new(&self.host, port, self.transport, false, rng);
        self.least_s = u32::MAX;
        let queries = queries(&mut search);
        self.search = Some(Box::new(search));
        if queries.is_empty() {
            self.finish(now);
            return Located::Known;
        }
        Located::Ask(queries)
    }

    /// Takes an answer. `None` where it is not about this server; else what is to be done next.
    pub(super) fn answer(&mut self, now: Time, query: &Query, answer: &Answer) -> Option<Located> {
        let search = self.search.as_mut()?;
        search.answer(query, answer);
        if let Answer::Records(records) = answer {
            let least = records.iter().map(|(_, kept_s)| *kept_s).min();
            self.least_s = self.least_s.min(least.unwrap_or(u32::MAX));
        }
        let more = queries(search);
        if !search.is_done() {
            return Some(Located::Ask(more));
        }
        self.finish(now);
        Some(Located::Known)
    }

    /// Whether its place was asked of the DNS too long ago to be relied on.
    pub(super) fn is_stale(&self, now: Time) -> bool {
        now >= self.good_until
    }

    /// Whether the server answers from that address.
    pub(super) fn has(&self, from: SocketAddr) -> bool {
        self.targets.iter().any(|target| target.remote == from)
    }

    /// Puts the address that answers before the others, until the DNS is asked again: nobody shall wait
    /// for a dead machine at each request (RFC 3263 §4.3). Whether it is one of this server's.
    pub(super) fn prefer(&mut self, from: SocketAddr) -> bool {
        let at = self.targets.iter().position(|target| target.remote == from);
        if let Some(at) = at {
            self.targets[..=at].rotate_right(1);
        }
        at.is_some()
    }

    fn finish(&mut self, now: Time) {
        let Some(search) = self.search.take() else { return };
        // Where the DNS fails, the place that was known last is better than none.
        if let Ok(targets) = search.finish() {
            let used = self.targets.first().map(|target| target.remote);
            self.by_dns.clone_from(&targets);
            self.targets = targets;
            // Whoever answers goes on being used until a better one has answered too.
            if let Some(used) = used {
                self.prefer(used);
            }
            let kept = Duration::from_secs(u64::from(self.least_s.max(LEAST_KEPT_S)));
            self.good_until = now + kept;
        }
    }
}

fn queries(search: &mut Locate) -> Vec<Query> {
    std::iter::from_fn(|| search.next_query()).collect()
}

/// Two addresses of one host, however they are written.
pub(super) fn is_same_host(a: IpAddr, b: IpAddr) -> bool {
    a.to_canonical() == b.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::sip::locate::Record;

    #[test]
    fn an_address_needs_no_dns() {
        let mut way = Way::new("192.168.50.19", 5060, Some(Transport::Udp));
        assert_eq!(way.locate(Time::ZERO, &mut Rng::from_number(1)), Located::Known);
        assert_eq!(way.targets[0].remote.to_string(), "192.168.50.19:5060");
    }

    #[test]
    fn a_name_is_asked_for_and_kept_as_long_as_its_record_says() {
        let mut rng = Rng::from_number(1);
        let mut way = Way::new("pbx.example", 5070, Some(Transport::Udp));
        let Located::Ask(asked) = way.locate(Time::ZERO, &mut rng) else {
            panic!("a name is not an address")
        };
        for query in &asked {
            let record = (Record::A([192, 0, 2, 7].into()), 60);
            let answer = Answer::Records(if query.name == "pbx.example" { vec![record] } else { Vec::new() });
            way.answer(Time::ZERO, query, &answer);
        }
        assert_eq!(way.targets.first().map(|t| t.remote.to_string()).as_deref(), Some("192.0.2.7:5070"));
        assert_eq!(way.locate(Time::from_secs(59), &mut rng), Located::Known);
        assert_ne!(way.locate(Time::from_secs(61), &mut rng), Located::Known);
    }

    #[test]
    fn the_address_that_answers_comes_first() {
        let mut way = Way::new("192.0.2.1", 5060, Some(Transport::Udp));
        way.locate(Time::ZERO, &mut Rng::from_number(1));
        let at = |last: u8| SocketAddr::from(([192, 0, 2, last], 5060));
        for last in [2, 3] {
            way.targets.push(Target { remote: at(last), ..way.targets[0].clone() });
        }
        assert!(way.prefer(at(3)) && !way.prefer(at(9)));
        let order: Vec<_> = way.targets.iter().map(|target| target.remote).collect();
        assert_eq!(order, [at(3), at(1), at(2)]);
    }

    /// Whoever answers goes on being used, and the better one is asked first when a binding is due.
    #[test]
    fn a_new_answer_of_the_dns_does_not_send_calls_to_a_dead_machine() {
        let mut way = Way::new("pbx.example", 5060, Some(Transport::Udp));
        let both = |way: &mut Way, at: Time| {
            let mut rng = Rng::from_number(1);
            let Located::Ask(asked) = way.locate(at, &mut rng) else { panic!("a name is asked for") };
            for query in &asked {
                let known = query.name == "pbx.example" && query.kind == asked[0].kind;
                let records = [[192, 0, 2, 1], [192, 0, 2, 2]].map(|ip| (Record::A(ip.into()), 60));
                way.answer(at, query, &Answer::Records(if known { records.to_vec() } else { Vec::new() }));
            }
        };
        both(&mut way, Time::ZERO);
        let (first, second) = (way.by_dns[0].remote, way.by_dns[1].remote);
        assert!(
            way.prefer(second) && !way.is_stale(Time::from_secs(59)) && way.is_stale(Time::from_secs(60))
        );
        both(&mut way, Time::from_secs(60));
        assert_eq!((way.targets[0].remote, way.by_dns[0].remote), (second, first));
    }
}
