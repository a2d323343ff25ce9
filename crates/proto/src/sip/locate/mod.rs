//! From a URI to the places to try (RFC 3263 §4): asked for here, done by whoever has a resolver.
//!
//! [`Locate`] says which [`Query`] it needs next and takes the [`Answer`]s in any order, until
//! [`Locate::finish`] gives the targets in the order in which to try them.

mod cache;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

pub use cache::Cache;

use super::{Target, Transport, Uri};
use crate::Rng;

/// The most records of one answer that are looked at.
pub const MAX_RECORDS: usize = 32;
/// The most hosts whose addresses are asked for.
pub const MAX_HOSTS: usize = 16;
/// The most targets that are tried.
pub const MAX_TARGETS: usize = 32;

/// What is asked of the DNS.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum QueryKind {
    /// Which transports a domain offers (RFC 3403).
    Naptr,
    /// Which hosts and ports serve a transport (RFC 2782).
    Srv,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
}

/// One question.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Query {
    /// The type of record.
    pub kind: QueryKind,
    /// The name, in lower case and without a final dot.
    pub name: String,
}

/// One record of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Record {
    /// RFC 3403 §4.1, without its regular expression, which SIP does not use.
    Naptr {
        /// The lowest counts.
        order: u16,
        /// The lowest first, within an order.
        preference: u16,
        /// `s` where an SRV name follows.
        flags: String,
        /// `SIP+D2U`, `SIP+D2T` or `SIPS+D2T`.
        service: String,
        /// The SRV name.
        replacement: String,
    },
    /// RFC 2782.
    Srv {
        /// The lowest first.
        priority: u16,
        /// The share of the load within a priority.
        weight: u16,
        /// The port.
        port: u16,
        /// The host; `.` where the service is not offered.
        target: String,
    },
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
}

/// What the DNS says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Each record with the seconds that it may be kept; none where the name has none.
    Records(Vec<(Record, u32)>),
    /// No server has answered.
    Failed,
}

/// Which addresses are asked for, and which come first (RFC 7984 §4).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Families {
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
    /// Both, IPv4 first.
    #[default]
    V4First,
    /// Both, IPv6 first.
    V6First,
}

/// Nothing was found that could be tried.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NotFound {
    /// The name that was looked for.
    pub host: String,
    /// Whether the DNS failed, rather than knew nothing.
    pub dns_failed: bool,
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        if self.dns_failed {
            write!(f, "no DNS server told an address of {host:?}: check the DNS servers of this network")
        } else {
            write!(f, "the DNS knows no address of {host:?}: check the spelling of the server's name")
        }
    }
}

impl std::error::Error for NotFound {}

/// A search for the targets of one URI.
#[derive(Clone, Debug)]
pub struct Locate {
    host: Arc<str>,
    sips: bool,
    transport: Option<Transport>,
    families: Families,
    seed: u64,
    unasked: VecDeque<Query>,
    asked: Vec<Query>,
    stage: Stage,
    dns_failed: bool,
}

#[derive(Clone, Debug)]
enum Stage {
    Naptr(Vec<Pointer>),
    Srv(Vec<Service>),
    Addresses(Vec<Place>, BTreeMap<String, Vec<IpAddr>>),
}

/// A usable NAPTR record.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Pointer {
    order: u16,
    preference: u16,
    transport: Transport,
    name: String,
}

/// An SRV name and what it says.
#[derive(Clone, Debug)]
struct Service {
    transport: Transport,
    name: String,
    places: Vec<Weighted>,
}

#[derive(Clone, Debug)]
struct Weighted {
    priority: u16,
    weight: u16,
    place: Place,
}

/// A host whose addresses are wanted.
#[derive(Clone, Debug)]
struct Place {
    transport: Transport,
    host: String,
    port: u16,
}

impl Locate {
    /// Begins a search. An address or a port leaves less to ask (RFC 3263 §4.1, §4.2); `sips` goes
    /// by TLS whatever `transport` says.
    pub fn new(
        host: &str,
        port: Option<u16>,
        transport: Option<Transport>,
        sips: bool,
        rng: &mut Rng,
    ) -> Self {
        let host = normal(host.trim_start_matches('[').trim_end_matches(']'));
        let transport = if sips { Some(Transport::Tls) } else { transport };
        let mut locate = Self {
            host: host.as_str().into(),
            sips,
            transport,
            families: Families::default(),
            seed: rng.u64(),
            unasked: VecDeque::new(),
            asked: Vec::new(),
            stage: Stage::Naptr(Vec::new()),
            dns_failed: false,
        };
        if port.is_some() || host.parse::<IpAddr>().is_ok() {
            locate.addresses_of_host(port, transport.unwrap_or_default());
        } else if transport.is_some_and(|_| !sips) {
            locate.ask_services(locate.usual_services());
        } else {
            locate.unasked.push_back(Query { kind: QueryKind::Naptr, name: host });
        }
        locate
    }

    /// The search for a URI, its `maddr` and `transport` respected (RFC 3263 §4).
    pub fn uri(uri: &Uri<'_>, rng: &mut Rng) -> Self {
        let host = uri.params.get("maddr").filter(|maddr| !maddr.is_empty()).unwrap_or(uri.host);
        Self::new(host, uri.port, uri.transport(), uri.is_sips(), rng)
    }

    /// With other families of addresses.
    pub fn families(mut self, families: Families) -> Self {
        self.families = families;
        if let Stage::Addresses(places, _) = &self.stage {
            self.addresses(places.clone());
        }
        self
    }

    /// The next question; several may be under way at once. `None` until answers have come, or for
    /// good where [`is_done`](Self::is_done).
    pub fn next_query(&mut self) -> Option<Query> {
        let query = self.unasked.pop_front()?;
        self.asked.push(query.clone());
        Some(query)
    }

    /// Whether nothing is left to ask or to wait for.
    pub fn is_done(&self) -> bool {
        self.unasked.is_empty() && self.asked.is_empty()
    }

    /// Takes an answer; one that was not asked for changes nothing.
    pub fn answer(&mut self, query: &Query, answer: &Answer) {
        let Some(at) = self.asked.iter().position(|asked| asked == query) else { return };
        self.asked.swap_remove(at);
        let records = match answer {
            Answer::Records(records) => records.get(..MAX_RECORDS).unwrap_or(records),
            Answer::Failed => {
                self.dns_failed = true;
                &[]
            }
        };
        for (record, _) in records {
            self.take(query, record);
        }
        while self.is_done() && self.advance() {}
    }

    /// The targets in the order in which to try them.
    ///
    /// # Errors
    /// [`NotFound`] where there is none, also while answers are missing.
    pub fn finish(self) -> Result<Vec<Target>, NotFound> {
        let mut targets = Vec::new();
        if let Stage::Addresses(places, known) = &self.stage {
            for place in places {
                let mut addresses = known.get(&place.host).cloned().unwrap_or_default();
                let v6_first = matches!(self.families, Families::V6 | Families::V6First);
                addresses.sort_by_key(|address| address.is_ipv6() != v6_first);
                targets.extend(addresses.into_iter().map(|address| Target {
                    transport: place.transport,
                    remote: SocketAddr::new(address, place.port),
                    name: Some(self.host.clone()),
                }));
            }
        }
        targets.truncate(MAX_TARGETS);
        if targets.is_empty() {
            return Err(NotFound { host: self.host.as_ref().into(), dns_failed: self.dns_failed });
        }
        Ok(targets)
    }

    /// Keeps what a record tells, where it belongs to its question.
    fn take(&mut self, query: &Query, record: &Record) {
        match (&mut self.stage, record) {
            (Stage::Naptr(pointers), Record::Naptr { order, preference, flags, service, replacement }) => {
                let transport = service_transport(service, self.sips);
                if let Some(transport) = transport.filter(|_| flags.eq_ignore_ascii_case("s")) {
                    let (order, preference) = (*order, *preference);
                    pointers.push(Pointer { order, preference, transport, name: normal(replacement) });
                }
            }
            (Stage::Srv(services), Record::Srv { priority, weight, port, target }) if target != "." => {
                for service in services.iter_mut().filter(|service| service.name == query.name) {
                    let place = Place { transport: service.transport, host: normal(target), port: *port };
                    service.places.push(Weighted { priority: *priority, weight: *weight, place });
                }
            }
            (Stage::Addresses(_, known), Record::A(address)) => {
                known.entry(query.name.clone()).or_default().push((*address).into());
            }
            (Stage::Addresses(_, known), Record::Aaaa(address)) => {
                known.entry(query.name.clone()).or_default().push((*address).into());
            }
            _ => {}
        }
    }

    /// Goes on once all answers of a stage are there; false at the end.
    fn advance(&mut self) -> bool {
        match &mut self.stage {
            Stage::Naptr(pointers) => {
                let mut pointers = std::mem::take(pointers);
                pointers.sort();
                let named = |p: Pointer| Service { transport: p.transport, name: p.name, places: Vec::new() };
                let services = match pointers.is_empty() {
                    true => self.usual_services(),
                    false => pointers.into_iter().map(named).collect(),
                };
                self.ask_services(services);
                true
            }
            Stage::Srv(services) => {
                let mut rng = Rng::from_number(self.seed);
                let services = std::mem::take(services);
                let best = services.first().map(|service| service.transport);
                let sorted = services.into_iter().flat_map(|service| by_weight(service.places, &mut rng));
                let places: Vec<Place> = sorted.take(MAX_HOSTS).collect();
                match places.is_empty() {
                    true => self.addresses_of_host(None, best.unwrap_or_default()),
                    false => self.addresses(places),
                }
                true
            }
            Stage::Addresses(..) => false,
        }
    }

    /// The SRV names to try where no NAPTR record names others.
    fn usual_services(&self) -> Vec<Service> {
        let transports = match &self.transport {
            Some(transport) => std::slice::from_ref(transport),
            None => &[Transport::Udp, Transport::Tcp],
        };
        let service = |&transport: &Transport| {
            let label = match transport {
                Transport::Udp => "_sip._udp",
                Transport::Tcp => "_sip._tcp",
                Transport::Tls => "_sips._tcp",
            };
            Service { transport, name: format!("{label}.{}", self.host), places: Vec::new() }
        };
        transports.iter().map(service).collect()
    }

    fn ask_services(&mut self, services: Vec<Service>) {
        for service in services.iter().take(MAX_HOSTS) {
            self.ask(QueryKind::Srv, &service.name);
        }
        self.stage = Stage::Srv(services);
    }

    fn addresses_of_host(&mut self, port: Option<u16>, transport: Transport) {
        let port = port.unwrap_or(transport.default_port());
        self.addresses(vec![Place { transport, host: self.host.as_ref().into(), port }]);
    }

    fn addresses(&mut self, places: Vec<Place>) {
        let mut known = BTreeMap::<String, Vec<IpAddr>>::new();
        self.unasked.clear();
        for place in &places {
            if let Ok(address) = place.host.parse() {
                known.insert(place.host.clone(), vec![address]);
                continue;
            }
            if self.families != Families::V6 {
                self.ask(QueryKind::A, &place.host);
            }
            if self.families != Families::V4 {
                self.ask(QueryKind::Aaaa, &place.host);
            }
        }
        self.stage = Stage::Addresses(places, known);
    }

    fn ask(&mut self, kind: QueryKind, name: &str) {
        let query = Query { kind, name: name.to_owned() };
        if !self.unasked.contains(&query) {
            self.unasked.push_back(query);
        }
    }
}

/// The transport of a NAPTR service that serves this scheme and that we speak.
fn service_transport(service: &str, sips: bool) -> Option<Transport> {
    match service.to_ascii_uppercase().as_str() {
        "SIP+D2U" if !sips => Some(Transport::Udp),
        "SIP+D2T" if !sips => Some(Transport::Tcp),
        "SIPS+D2T" => Some(Transport::Tls),
        _ => None,
    }
}

/// Priority by priority; within one, drawn by weight, those without weight rarely first (RFC 2782).
fn by_weight(mut places: Vec<Weighted>, rng: &mut Rng) -> Vec<Place> {
    places.sort_by_key(|place| (place.priority, place.weight));
    let mut sorted = Vec::with_capacity(places.len());
    while let Some(priority) = places.first().map(|place| place.priority) {
        let rivals = || places.iter().take_while(|place| place.priority == priority);
        let total: u64 = rivals().map(|place| u64::from(place.weight)).sum();
        let drawn = rng.below(total + 1);
        let mut sum = 0;
        let chosen = rivals().position(|place| {
            sum += u64::from(place.weight);
            sum >= drawn
        });
        sorted.push(places.remove(chosen.unwrap_or(0)).place);
    }
    sorted
}

/// A name as the questions use it.
fn normal(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A zone file in small: `name TYPE data`, one record a line.
    const ZONE: &str = "
        example.com NAPTR 20 50 s SIP+D2U _sip._udp.example.com.
        example.com NAPTR 10 50 s SIPS+D2T _sips._tcp.Example.com
        example.com NAPTR 10 10 s SIP+D2T _sip._tcp.example.com
        example.com NAPTR 5 10 u E2U+email .
        _sip._udp.example.com SRV 10 0 5070 b.example.com
        _sip._tcp.example.com SRV 20 0 5060 b.example.com
        _sip._tcp.example.com SRV 10 0 5062 a.example.com
        _sips._tcp.example.com SRV 10 0 5061 a.example.com
        a.example.com A 192.0.2.1
        a.example.com AAAA 2001:db8::1
        b.example.com A 192.0.2.2
        example.com A 192.0.2.9
        _sip._udp.srv.example SRV 1 0 5080 host.srv.example
        _sip._tcp.srv.example SRV 1 0 5081 192.0.2.7
        host.srv.example AAAA 2001:db8::5
        plain.example A 192.0.2.3
        plain.example A 192.0.2.4
        _sip._udp.none.example SRV 0 0 0 .
        none.example A 192.0.2.5
        pointless.example NAPTR 1 1 s SIP+D2T _sip._tcp.pointless.example
        pointless.example A 192.0.2.6";

    fn lookup(query: &Query) -> Answer {
        let number = |text: &str| text.parse::<u16>().expect("number");
        let lines = ZONE.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let records = lines.filter_map(|line| {
            let (name, kind, data) = (*line.first()?, line[1], &line[2..]);
            let record = match (query.kind, kind) {
                (QueryKind::Naptr, "NAPTR") => Record::Naptr {
                    order: number(data[0]),
                    preference: number(data[1]),
                    flags: data[2].into(),
                    service: data[3].into(),
                    replacement: data[4].into(),
                },
                (QueryKind::Srv, "SRV") => Record::Srv {
                    priority: number(data[0]),
                    weight: number(data[1]),
                    port: number(data[2]),
                    target: data[3].into(),
                },
                (QueryKind::A, "A") => Record::A(data[0].parse().expect("address")),
                (QueryKind::Aaaa, "AAAA") => Record::Aaaa(data[0].parse().expect("address")),
                _ => return None,
            };
            (name == query.name).then_some((record, 60))
        });
        Answer::Records(records.collect())
    }

    fn run(mut locate: Locate) -> (String, usize) {
        let mut count = 0;
        while let Some(query) = locate.next_query() {
            count += 1;
            locate.answer(&query, &lookup(&query));
        }
        assert!(locate.is_done());
        let targets = locate.finish().map(|targets| {
            let text = |t: &Target| format!("{} {}", t.transport.param_name(), t.remote);
            targets.iter().map(text).collect::<Vec<_>>().join(", ")
        });
        (targets.unwrap_or_else(|error| error.to_string()), count)
    }

    #[test]
    fn every_way_of_the_standard() {
        let check = |uri: &str, queries: usize, expected: &str| {
            let uri = Uri::parse(uri).expect("sound");
            let found = run(Locate::uri(&uri, &mut Rng::from_number(1)));
            assert_eq!(found, (expected.to_owned(), queries), "{uri:?}");
        };
        check("sip:192.0.2.8", 0, "udp 192.0.2.8:5060");
        check("sips:[2001:db8::8]", 0, "tls [2001:db8::8]:5061");
        check("sip:192.0.2.8:5099;transport=tcp", 0, "tcp 192.0.2.8:5099");
        check("sip:a@plain.example;maddr=192.0.2.8", 0, "udp 192.0.2.8:5060");
        check("sip:Plain.Example.:5070", 2, "udp 192.0.2.3:5070, udp 192.0.2.4:5070");
        check("sips:plain.example:5070", 2, "tls 192.0.2.3:5070, tls 192.0.2.4:5070");
        check("sip:plain.example", 5, "udp 192.0.2.3:5060, udp 192.0.2.4:5060");
        check("sip:plain.example;transport=tls", 3, "tls 192.0.2.3:5061, tls 192.0.2.4:5061");
        check("sip:srv.example", 5, "udp [2001:db8::5]:5080, tcp 192.0.2.7:5081");
        check("sip:srv.example;transport=tcp", 1, "tcp 192.0.2.7:5081");
        check(
            "sip:example.com",
            8,
            "tcp 192.0.2.1:5062, tcp [2001:db8::1]:5062, tcp 192.0.2.2:5060, \
             tls 192.0.2.1:5061, tls [2001:db8::1]:5061, udp 192.0.2.2:5070",
        );
        check("sips:example.com", 4, "tls 192.0.2.1:5061, tls [2001:db8::1]:5061");
        check("sip:none.example", 5, "udp 192.0.2.5:5060");
        check("sip:pointless.example", 4, "tcp 192.0.2.6:5060");
        let nothing =
            "the DNS knows no address of \"nowhere.example\": check the spelling of the server's name";
        check("sip:nowhere.example", 5, nothing);
    }

    #[test]
    fn families_by_choice() {
        let check = |families, queries: usize, expected: &str| {
            let locate = Locate::new("a.example.com", Some(1), None, false, &mut Rng::from_number(1));
            assert_eq!(run(locate.families(families)), (expected.to_owned(), queries));
        };
        check(Families::V4, 1, "udp 192.0.2.1:1");
        check(Families::V6, 1, "udp [2001:db8::1]:1");
        check(Families::V4First, 2, "udp 192.0.2.1:1, udp [2001:db8::1]:1");
        check(Families::V6First, 2, "udp [2001:db8::1]:1, udp 192.0.2.1:1");
    }

    #[test]
    fn weights_share_the_load() {
        let places = |weights: &[u16]| {
            let place = |weight: &u16| Weighted {
                priority: 1,
                weight: *weight,
                place: Place { transport: Transport::Udp, host: weight.to_string(), port: 5060 },
            };
            weights.iter().map(place).collect::<Vec<_>>()
        };
        let mut rng = Rng::from_number(5);
        let first = |_| by_weight(places(&[30, 0, 10]), &mut rng).remove(0).host;
        let firsts: Vec<String> = (0..4_000).map(first).collect();
        let share = |host: &str| firsts.iter().filter(|first| *first == host).count();
        assert!((2_750..3_150).contains(&share("30")), "{}", share("30"));
        assert!((850..1_150).contains(&share("10")), "{}", share("10"));
        assert!(share("0") > 0, "those without weight have a small chance");
        assert_eq!(by_weight(places(&[0, 0, 0]), &mut rng).len(), 3);
    }

    #[test]
    fn a_hostile_answer_is_bounded() {
        let mut locate =
            Locate::new("big.example", None, Some(Transport::Udp), false, &mut Rng::from_number(1));
        let query = locate.next_query().expect("SRV");
        let srv =
            |n: u16| Record::Srv { priority: n, weight: 0, port: n, target: format!("h{n}.big.example") };
        let stranger = Query { kind: QueryKind::A, name: "big.example".into() };
        locate.answer(&stranger, &Answer::Records(vec![(Record::A(Ipv4Addr::LOCALHOST), 1)]));
        locate.answer(&query, &Answer::Records((0..1_000).map(|n| (srv(n), 60)).collect()));
        let mut queries = 0;
        while let Some(query) = locate.next_query() {
            queries += 1;
            let many = (0..1_000).map(|n| (Record::A(Ipv4Addr::from(n)), 60));
            locate.answer(&query, &Answer::Records(many.collect()));
        }
        assert_eq!(queries, MAX_HOSTS * 2);
        assert_eq!(locate.finish().map(|targets| targets.len()), Ok(MAX_TARGETS));
    }

    #[test]
    fn a_dead_dns_is_told_from_an_unknown_name() {
        let mut locate = Locate::new("a.example", Some(5060), None, false, &mut Rng::from_number(1));
        assert_eq!(locate.clone().finish().map_err(|error| error.dns_failed), Err(false));
        while let Some(query) = locate.next_query() {
            locate.answer(&query, &Answer::Failed);
        }
        assert_eq!(locate.finish().map_err(|error| error.dns_failed), Err(true));
    }
}
