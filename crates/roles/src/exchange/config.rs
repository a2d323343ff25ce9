//! What an exchange begins with: its settings, and what the store has kept.

use super::binding::Binding;
use super::codes::Codes;
use super::extension::Extension;
use super::facts::{Ban, CallRecord, Subscription};
use super::gate::Patience;
use super::ports::RelayPorts;
use super::registrar::Terms;
use super::size::Limits;

/// The settings of an exchange.
#[derive(Clone, Debug)]
pub struct Config {
    /// The realm of its accounts.
    pub realm: String,
    /// Whether challenges name SHA-256 beside MD5 (RFC 8760).
    pub offers_sha256: bool,
    /// Whether NOTIFYs hold only what has changed, after a first one with everything (RFC 4235 §3.2).
    pub partial_lamps: bool,
    /// What it calls itself in User-Agent and Server.
    pub user_agent: String,
    /// Where media is relayed.
    pub relay: RelayPorts,
    /// How long registrations last, and who may not register.
    pub terms: Terms,
    /// How patient it is with strangers.
    pub patience: Patience,
    /// Feature codes.
    pub codes: Codes,
    /// Where calls are parked.
    pub parking: Parking,
    /// Whether the relay has music for those who are held.
    pub music: bool,
    /// The most calls at a time; above it callers get 503 with Retry-After.
    pub max_calls: usize,
    /// The most bytes that peers can make it keep.
    pub limits: Limits,
    /// The most records of calls that are kept; the oldest make room.
    pub max_records: usize,
    /// How long a called extension rings, in seconds.
    pub ring_s: u16,
    /// The session timer asked for on each leg, in seconds; none where `None` (RFC 4028).
    pub session_s: Option<u32>,
    /// Every how many seconds devices over UDP are sent OPTIONS; never where `None`.
    pub qualify_s: Option<u32>,
    /// Answers that a strict exchange would not give.
    pub answers: Answers,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            realm: "offhook".into(),
            offers_sha256: false,
            partial_lamps: false,
            user_agent: "Offhook".into(),
            relay: RelayPorts::default(),
            terms: Terms::default(),
            patience: Patience::default(),
            codes: Codes::default(),
            parking: Parking::default(),
            music: false,
            max_calls: 20_000,
            limits: Limits::default(),
            max_records: 10_000,
            ring_s: 60,
            session_s: None,
            qualify_s: None,
            answers: Answers::default(),
        }
    }
}

/// Parking places: numbers in a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Parking {
    /// The first number.
    pub first: u32,
    /// How many there are.
    pub count: u16,
    /// After how many seconds the exchange calls the extension that parked a call.
    pub recall_s: u32,
}

impl Default for Parking {
    fn default() -> Self {
        Self { first: 800, count: 10, recall_s: 120 }
    }
}

/// What the deck's server answers and a strict one does not; set by lab cases alone.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// REGISTERs are answered with this status and nothing else.
    pub register: Option<u16>,
    /// SUBSCRIBEs are answered with this status and nothing else.
    pub subscribe: Option<u16>,
    /// Nothing is answered at all.
    pub silence: bool,
    /// It listens on UDP alone.
    pub udp_only: bool,
    /// NOTIFYs have the deck's body: one dialog named after the extension, and its state.
    pub minimal_lamps: bool,
}

/// What an exchange finds again after a restart.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// Who lives here.
    pub extensions: Vec<Extension>,
    /// Which devices they have.
    pub bindings: Vec<Binding>,
    /// Who watches whom.
    pub subscriptions: Vec<Subscription>,
    /// Who is banned.
    pub bans: Vec<Ban>,
    /// The calls that are over, the oldest first.
    pub records: Vec<CallRecord>,
    /// The feature codes, where they were set.
    pub codes: Option<Codes>,
}
