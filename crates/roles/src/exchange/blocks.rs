//! Rules against devices (deck, "block third-party device, block the phone, block the network, block the
//! area"), and the devices that they hit.

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;

use proto::sip::{Flow, Message, Name};

use super::Event;
use super::facts::Blocked;
use super::turn::Turn;

/// The most devices that are remembered as blocked.
const MAX_BLOCKED: usize = 256;
/// The longest User-Agent that is remembered, in bytes.
const MAX_AGENT_BYTES: usize = 64;

/// A rule against devices. A device that matches gets 403 although its password is right.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Block {
    /// Devices whose User-Agent has these words, in upper or lower case.
    UserAgent(String),
    /// Addresses whose first `bits` are those of `network`.
    Network {
        /// Any address of it.
        network: IpAddr,
        /// How many bits count; all of them for one address.
        bits: u8,
    },
    /// Addresses of an area, by a list of its networks.
    Area(Area),
}

/// The networks of an area, such as a country.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Area {
    name: String,
    /// First and last addresses, as IPv6 counts them; ascending and apart.
    ranges: Vec<(u128, u128)>,
}

impl Block {
    /// A network as it is written: `10.1.0.0/16`, or one address.
    ///
    /// # Errors
    /// The text is no network; says how one is written.
    pub fn network(text: &str) -> Result<Self, String> {
        let (network, bits) = cidr(text)?;
        Ok(Self::Network { network, bits })
    }

    fn hits(&self, source: IpAddr, user_agent: &str) -> bool {
        let source = source.to_canonical();
        match self {
            Self::UserAgent(words) => {
                !words.is_empty() && user_agent.to_ascii_lowercase().contains(&words.to_ascii_lowercase())
            }
            Self::Network { network, bits } => {
                let (first, last) = range(*network, *bits);
                (first..=last).contains(&counted(source))
            }
            Self::Area(area) => area.contains(source),
        }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserAgent(words) => write!(f, "User-Agent with '{words}'"),
            Self::Network { network, bits } => write!(f, "network {network}/{bits}"),
            Self::Area(area) => write!(f, "area {}", area.name),
        }
    }
}

impl Area {
    /// Reads a list: one network or address a line, `#` begins a comment.
    ///
    /// # Errors
    /// The first line that is none, by its number.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut ranges = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                let (network, bits) = cidr(line).map_err(|fault| format!("line {}: {fault}", at + 1))?;
                ranges.push(range(network, bits));
            }
        }
        ranges.sort_unstable();
        ranges.dedup_by(|next, kept| {
            let joins = next.0 <= kept.1;
            kept.1 = if joins { kept.1.max(next.1) } else { kept.1 };
            joins
        });
        Ok(Self { name: name.to_owned(), ranges })
    }

    fn contains(&self, address: IpAddr) -> bool {
        let address = counted(address);
        let after = self.ranges.partition_point(|(first, _)| *first <= address);
        let before = after.checked_sub(1).and_then(|at| self.ranges.get(at));
        before.is_some_and(|(_, last)| address <= *last)
    }
}

fn cidr(text: &str) -> Result<(IpAddr, u8), String> {
    let fault = || format!("'{text}' is no network: write 10.1.0.0/16 or one address");
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let network: IpAddr = address.trim().parse().map_err(|_| fault())?;
    let most = if network.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Ok(most), |bits| bits.trim().parse().map_err(|_| fault()))?;
    if bits > most { Err(fault()) } else { Ok((network, bits)) }
}

/// IPv4 has its place among the addresses of IPv6 (RFC 4291 §2.5.5.2).
fn counted(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().into(),
        IpAddr::V6(address) => address.into(),
    }
}

fn range(network: IpAddr, bits: u8) -> (u128, u128) {
    let rest = if network.is_ipv4() { 32_u32 } else { 128 }.saturating_sub(u32::from(bits));
    let low = 1_u128.checked_shl(rest).map_or(u128::MAX, |size| size - 1);
    let first = counted(network) & !low;
    (first, first | low)
}

/// The rules against devices, and the devices that they hit of late.
#[derive(Debug)]
pub(super) struct Blocks {
    rules: Vec<Block>,
    /// The last of them last; bounded.
    hit: VecDeque<Blocked>,
}

impl Blocks {
    pub(super) const fn new(rules: Vec<Block>) -> Self {
        Self { rules, hit: VecDeque::new() }
    }

    /// The rules in words.
    pub(super) fn rules(&self) -> impl Iterator<Item = String> {
        self.rules.iter().map(ToString::to_string)
    }

    /// The devices that were hit, the last one first.
    pub(super) fn hit(&self) -> impl Iterator<Item = &Blocked> {
        self.hit.iter().rev()
    }

    /// Whether a rule hits the device of an extension. If so, that is told and remembered.
    pub(super) fn blocks(
        &mut self,
        turn: &mut Turn,
        number: &str,
        flow: Flow,
        message: &Message<'_>,
    ) -> bool {
        let (source, user_agent) = (flow.remote.ip(), message.text(Name::UserAgent).unwrap_or_default());
        let Some(rule) = self.rules.iter().find(|block| block.hits(source, user_agent)) else { return false };
        let (number, rule) = (number.to_owned(), rule.to_string());
        turn.tell(Event::Blocked { number: number.clone(), source, rule: rule.clone() });
        let user_agent = user_agent.chars().take(MAX_AGENT_BYTES).collect();
        let at_ms = turn.wall.at(turn.now).as_millis();
        remember(&mut self.hit, Blocked { number, source, user_agent, rule, count: 1, at_ms });
        true
    }
}

/// The same device at the same rule is one row.
fn remember(blocked: &mut VecDeque<Blocked>, hit: Blocked) {
    let same = |row: &Blocked| (&row.number, row.source, &row.rule) == (&hit.number, hit.source, &hit.rule);
    let count = match blocked.iter().position(same) {
        Some(at) => blocked.remove(at).map_or(1, |row| row.count.saturating_add(1)),
        None => 1,
    };
    if blocked.len() >= MAX_BLOCKED {
        blocked.pop_front();
    }
    blocked.push_back(Blocked { count, ..hit });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn networks_and_agents_are_blocked() {
        let hits = |block: &Block, source: &str| block.hits(at(source), "SIPphone/1");
        let network = |text: &str| Block::network(text).expect("sound");
        assert!(hits(&network("10.1.0.0/16"), "10.1.2.3"));
        assert!(!hits(&network("10.1.0.0/16"), "10.2.2.3"));
        assert!(hits(&network("0.0.0.0/0"), "10.2.2.3"));
        assert!(hits(&network("10.2.2.3"), "::ffff:10.2.2.3"));
        assert!(
            hits(&network("2001:db8::/32"), "2001:db8:1::1") && !hits(&network("2001:db8::/32"), "10.0.0.1")
        );
        assert!(hits(&Block::UserAgent("sipPHONE".into()), "10.2.2.3"));
        assert!(!hits(&Block::UserAgent(String::new()), "10.2.2.3"));
        for text in ["10.1.0.0/33", "10.1", "", "::/129"] {
            assert!(Block::network(text).is_err_and(|fault| fault.contains("10.1.0.0/16")), "{text}");
        }
    }

    #[test]
    fn an_area_is_a_list_of_networks() {
        let text =
            "# a country\n10.9.0.0/16\n10.1.0.0/24 # twice\n10.1.0.128/25\n\n2001:db8::/32\n192.0.2.7\n";
        let area = Area::parse("XX", text).expect("sound");
        assert_eq!(area.ranges.len(), 4);
        for inside in ["10.9.255.255", "10.1.0.0", "10.1.0.255", "2001:db8::1", "192.0.2.7"] {
            assert!(area.contains(at(inside)), "{inside}");
        }
        for outside in ["10.8.255.255", "10.1.1.0", "192.0.2.8", "2001:db9::", "0.0.0.0"] {
            assert!(!area.contains(at(outside)), "{outside}");
        }
        assert!(Area::parse("XX", "10.0.0.0/8\nnowhere\n").is_err_and(|fault| fault.starts_with("line 2:")));
        assert!(!Area::default().contains(at("10.0.0.1")));
    }

    #[test]
    fn the_blocked_are_counted_and_bounded() {
        let mut rows = VecDeque::new();
        let hit = |last: u32| Blocked {
            number: "7001".into(),
            source: IpAddr::V4(last.into()),
            user_agent: String::new(),
            rule: "x".into(),
            count: 1,
            at_ms: 0,
        };
        for last in 0..1_000 {
            remember(&mut rows, hit(last));
        }
        remember(&mut rows, hit(999));
        assert_eq!((rows.len(), rows.back().map(|row| row.count)), (MAX_BLOCKED, Some(2)));
    }
}
