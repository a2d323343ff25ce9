//! The one host of roles on the simulated wire: what `drive` is on real sockets.
//!
//! [`Host`] performs what a role asks for: messages, sockets of its own, DNS, downloads, restarts. What is
//! special about one role (its sound or relay, what it keeps) is its [`Side`].

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use proto::sip::flow::{Flow, FlowFault, Transport};
use proto::{Rng, Time};
use serde::Serialize;
use serde_json::Value;

use super::fetch::{Fetching, Step};
use super::party::{Does, Happens, Party};
use crate::role::{
    Input, InputOf, Network, Output, OutputOf, Role, SocketEvent, SocketId, SocketPlan, SocketRequest,
};

/// The first port that a socket at "any port" gets.
const FIRST_PORT: u16 = 49_152;
/// Sockets that one role may have open.
const MOST_SOCKETS: usize = 256;

/// A port that a machine has open from its start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Port {
    /// By which transport.
    pub transport: Transport,
    /// Its number.
    pub number: u16,
    /// The group that is heard there too, by multicast.
    pub group: Option<IpAddr>,
}

impl Port {
    /// A port without a group.
    pub const fn new(transport: Transport, number: u16) -> Self {
        Self { transport, number, group: None }
    }
}

/// A machine of a case that can be switched off and on.
pub trait Machine: Party {
    /// The ports that a stage of real sockets opens for it. On the simulated wire [`Party::listens`] is asked instead.
    fn ports(&self) -> Vec<Port> {
        Vec::new()
    }

    /// Its power comes back: it finds what it has kept. [`Happens::Start`] follows.
    fn restart(&mut self, seed: [u8; 32], now: Time);

    /// The same, and what it kept is lost but for what it cannot be without. Whether it can do that.
    fn forget(&mut self, _seed: [u8; 32], _now: Time) -> bool {
        false
    }
}

/// What a role's machine has beside the wire.
pub trait Side<R: Role> {
    /// Where it listens for SIP.
    fn listens_for_sip(&self, transport: Transport, local: SocketAddr) -> bool;

    /// What a line that a person types means.
    ///
    /// # Errors
    /// The event that says why it is no command.
    fn read(&self, line: &str) -> Result<R::Command, Value>;

    /// Does what the role asks of its media.
    fn media(&mut self, now: Time, command: R::Media, out: &mut Vec<Effect<R::Heard>>);

    /// Takes a datagram that is neither SIP nor for a socket of the role's own.
    fn receive(
        &mut self,
        now: Time,
        local: SocketAddr,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<Effect<R::Heard>>,
    );

    /// Does what is due.
    fn tick(&mut self, _now: Time, _out: &mut Vec<Effect<R::Heard>>) {}

    /// When [`Side::tick`] is to be called.
    fn next_deadline(&self) -> Option<Time> {
        None
    }

    /// Whether media has a port open at `local`.
    fn listens(&self, local: SocketAddr) -> bool;

    /// Keeps what is to outlive a restart.
    fn keep(&mut self, change: R::Change);

    /// Does what the role wishes of the program around it.
    fn grant(&mut self, wish: R::Wish) -> Granted;

    /// The network gives other facts.
    fn moved(&mut self, _network: &Network) {}

    /// Loses what it has kept but for what it cannot be without; whether it can do that.
    fn forget(&mut self) -> bool {
        false
    }

    /// The role as it starts again after `ended`, with what was kept.
    fn again(&mut self, ended: &R, seed: [u8; 32], now: Time) -> R;
}

/// What media does.
#[derive(Clone, Debug)]
pub enum Effect<H> {
    /// Sends a datagram.
    Send {
        /// The own address.
        from: SocketAddr,
        /// Where to.
        to: SocketAddr,
        /// What it holds.
        bytes: bytes::Bytes,
    },
    /// Tells the role.
    Tell(H),
}

/// What came of a wish.
#[derive(Clone, Debug, PartialEq)]
pub enum Granted {
    /// Nothing more is to be done.
    Done,
    /// The role starts again at once.
    Restart,
    /// The role is over.
    Off,
    /// The machine has other facts of its network from now on.
    Moved(Box<Network>),
    /// It cannot be done here; the event says so.
    Told(Value),
}

/// A role as a machine of the simulated wire.
pub struct Host<R: Role, S> {
    role: R,
    side: S,
    rng: Rng,
    ip: IpAddr,
    sockets: BTreeMap<SocketId, Open>,
    fetching: Fetching,
    next_port: u16,
    is_over: bool,
}

/// A socket of the role's own.
#[derive(Debug)]
struct Open {
    local: SocketAddr,
    plan: SocketPlan,
}

impl<R, S> Host<R, S>
where
    R: Role<Event: Serialize>,
    S: Side<R>,
{
    /// A machine at `ip` that is switched off; `seed` is for what its own restarts need.
    pub fn new(role: R, side: S, ip: IpAddr, seed: [u8; 32]) -> Self {
        let mut rng = Rng::new(seed);
        let fetching = Fetching::new(rng.fork());
        let sockets = BTreeMap::new();
        Self { role, side, rng, ip, sockets, fetching, next_port: FIRST_PORT, is_over: false }
    }

    /// The role.
    pub fn role(&self) -> &R {
        &self.role
    }

    /// What it has beside the wire.
    pub fn side(&mut self) -> &mut S {
        &mut self.side
    }

    /// Puts another role in the place of this one: sockets are closed, downloads broken off.
    pub(super) fn replace(&mut self, role: R) {
        self.role = role;
        self.sockets.clear();
        self.fetching.forget_all();
        self.is_over = false;
    }

    fn input(&mut self, now: Time, input: InputOf<'_, R>, out: &mut Vec<Does>) {
        if self.is_over {
            return;
        }
        let mut outputs = Vec::new();
        self.role.handle(now, input, &mut outputs);
        // What the machine itself does at once comes after what the role has said in this turn.
        let mut later = Vec::new();
        for output in outputs {
            self.perform(now, output, &mut later, out);
        }
        for what in later {
            self.follow_up(now, what, out);
        }
    }

    fn perform(&mut self, now: Time, output: OutputOf<R>, later: &mut Vec<Later<R>>, out: &mut Vec<Does>) {
        match output {
            Output::Transmit(transmit) => {
                out.push(Does::Send { flow: transmit.flow, bytes: transmit.bytes });
            }
            // The simulated wire closes no connection for being idle.
            Output::Vouch { .. } => {}
            Output::Close(flow) => out.push(Does::Close(flow)),
            Output::Socket { socket, request } => {
                if let Some(event) = self.socket(socket, request) {
                    later.push(Later::Socket(socket, event));
                }
            }
            Output::SendDatagram { socket, to, bytes } => {
                if let Some(open) = self.sockets.get(&socket) {
                    let flow = Flow { transport: Transport::Udp, local: open.local, remote: to };
                    out.push(Does::Send { flow, bytes });
                }
            }
            Output::SendFrame(bytes) => out.push(Does::Frame(bytes)),
            Output::Resolve(query) => out.push(Does::Ask(query)),
            Output::Fetch(fetch) => {
                let step = self.fetching.begin(now, *fetch, self.ip);
                later.push(Later::Fetch(step));
            }
            Output::Event(event) => out.push(Does::Tell(told(&event))),
            Output::Media(command) => later.push(Later::Media(command)),
            Output::Store(change) => self.side.keep(change),
            Output::Wish(wish) => later.push(Later::Wish(wish)),
        }
    }

    fn follow_up(&mut self, now: Time, what: Later<R>, out: &mut Vec<Does>) {
        match what {
            Later::Socket(socket, event) => self.input(now, Input::Socket { socket, event }, out),
            Later::Fetch(step) => self.fetched(now, step, out),
            Later::Media(command) => {
                let mut effects = Vec::new();
                self.side.media(now, command, &mut effects);
                self.take_effect(now, effects, out);
            }
            Later::Wish(wish) => match self.side.grant(wish) {
                Granted::Done => {}
                Granted::Off => self.is_over = true,
                Granted::Moved(network) => {
                    self.ip = network.ip;
                    out.push(Does::Move(network.ip));
                    self.side.moved(&network);
                    self.input(now, Input::Network(network), out);
                }
                Granted::Told(event) => out.push(Does::Tell(event)),
                Granted::Restart => {
                    let seed = self.rng.fork();
                    let role = self.side.again(&self.role, seed, now);
                    self.replace(role);
                    self.input(now, Input::Start, out);
                }
            },
        }
    }

    fn take_effect(&mut self, now: Time, effects: Vec<Effect<R::Heard>>, out: &mut Vec<Does>) {
        for effect in effects {
            match effect {
                Effect::Send { from, to, bytes } => {
                    let flow = Flow { transport: Transport::Udp, local: from, remote: to };
                    out.push(Does::Send { flow, bytes });
                }
                Effect::Tell(heard) => self.input(now, Input::Heard(heard), out),
            }
        }
    }

    fn fetched(&mut self, now: Time, step: Step, out: &mut Vec<Does>) {
        out.extend(step.does);
        for fetched in step.done {
            self.input(now, Input::Fetched(Box::new(fetched)), out);
        }
    }

    fn socket(&mut self, id: SocketId, request: SocketRequest) -> Option<SocketEvent> {
        let SocketRequest::Open(plan) = request else {
            self.sockets.remove(&id);
            return None;
        };
        if self.sockets.len() >= MOST_SOCKETS {
            return Some(SocketEvent::Failed(format!("{MOST_SOCKETS} sockets are open already")));
        }
        let port = if plan.local.port() == 0 { self.free_port() } else { plan.local.port() };
        let local = SocketAddr::new(plan.local.ip(), port);
        let taken = self.sockets.values().any(|open| open.local == local && !open.plan.shares_port);
        if taken {
            return Some(SocketEvent::Failed(format!("port {port} is in use")));
        }
        // What is bound to all addresses leaves by the machine's own.
        let local = if local.ip().is_unspecified() { SocketAddr::new(self.ip, port) } else { local };
        self.sockets.insert(id, Open { local, plan });
        Some(SocketEvent::Opened(local))
    }

    fn free_port(&mut self) -> u16 {
        loop {
            let port = self.next_port;
            self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_PORT);
            if self.sockets.values().all(|open| open.local.port() != port) {
                return port;
            }
        }
    }

    /// The sockets of the role's own that hear what is sent to `local`.
    fn hearing(&self, local: SocketAddr) -> Vec<SocketId> {
        let hears = |open: &Open| open.hears(local);
        self.sockets.iter().filter(|(_, open)| hears(open)).map(|(id, _)| *id).collect()
    }

    fn on_packet(&mut self, now: Time, flow: Flow, bytes: &[u8], out: &mut Vec<Does>) {
        if let Some(step) = self.fetching.packet(now, &flow, bytes) {
            return self.fetched(now, step, out);
        }
        let sockets = if flow.transport == Transport::Udp { self.hearing(flow.local) } else { Vec::new() };
        if !sockets.is_empty() {
            for socket in sockets {
                self.input(now, Input::Datagram { socket, from: flow.remote, bytes }, out);
            }
        } else if self.side.listens_for_sip(flow.transport, flow.local) || flow.transport != Transport::Udp {
            self.input(now, Input::Message { flow, bytes, waited: Duration::ZERO }, out);
        } else {
            let mut effects = Vec::new();
            self.side.receive(now, flow.local, flow.remote, bytes, &mut effects);
            self.take_effect(now, effects, out);
        }
    }

    fn on_failure(&mut self, now: Time, flow: Flow, reason: String, out: &mut Vec<Does>) {
        if let Some(step) = self.fetching.failed(now, &flow, &reason) {
            return self.fetched(now, step, out);
        }
        let sockets = if flow.transport == Transport::Udp { self.hearing(flow.local) } else { Vec::new() };
        for socket in &sockets {
            let event = SocketEvent::Unreachable(flow.remote);
            self.input(now, Input::Socket { socket: *socket, event }, out);
        }
        let is_sip =
            flow.transport != Transport::Udp || self.side.listens_for_sip(flow.transport, flow.local);
        if sockets.is_empty() && is_sip {
            let is_datagram = flow.transport == Transport::Udp;
            let fault = if is_datagram { FlowFault::Undelivered } else { FlowFault::Broken };
            self.input(now, Input::FlowFailed { flow, fault, reason }, out);
        }
    }

    fn wake(&mut self, now: Time, out: &mut Vec<Does>) {
        if self.side.next_deadline().is_some_and(|due| due <= now) {
            let mut effects = Vec::new();
            self.side.tick(now, &mut effects);
            self.take_effect(now, effects, out);
        }
        if self.fetching.next_deadline().is_some_and(|due| due <= now) {
            let step = self.fetching.wake(now);
            self.fetched(now, step, out);
        }
        if self.role.next_deadline().is_some_and(|(due, _)| due <= now) {
            self.input(now, Input::Wake, out);
        }
    }
}

/// What follows from a role's output once the turn is over.
enum Later<R: Role> {
    Socket(SocketId, SocketEvent),
    Fetch(Step),
    Media(R::Media),
    Wish(R::Wish),
}

impl Open {
    fn hears(&self, local: SocketAddr) -> bool {
        let at_port = self.local.port() == local.port();
        let is_group = self.plan.groups.iter().any(|(group, _)| *group == local.ip());
        let is_broadcast = local.ip() == IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
        at_port
            && (self.local.ip() == local.ip()
                || is_group
                || is_broadcast && self.plan.local.ip().is_unspecified())
    }
}

impl<R, S> Party for Host<R, S>
where
    R: Role<Event: Serialize>,
    S: Side<R>,
{
    fn handle(&mut self, now: Time, happens: Happens<'_>, out: &mut Vec<Does>) {
        match happens {
            Happens::Start => self.input(now, Input::Start, out),
            Happens::Packet { flow, bytes } => self.on_packet(now, flow, bytes, out),
            Happens::Frame(bytes) => self.input(now, Input::Frame(bytes), out),
            Happens::Failed { flow, reason } => self.on_failure(now, flow, reason, out),
            Happens::Resolved { query, answer } => {
                if let Some(step) = self.fetching.resolved(now, &query, &answer) {
                    self.fetched(now, step, out);
                }
                self.input(now, Input::Resolved { query, answer }, out);
            }
            Happens::Command(line) => match self.side.read(line) {
                Ok(command) => self.input(now, Input::Command(command), out),
                Err(event) => out.push(Does::Tell(event)),
            },
            Happens::Wake => self.wake(now, out),
            Happens::Network(network) => {
                self.ip = network.ip;
                self.side.moved(&network);
                self.input(now, Input::Network(network), out);
            }
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        if self.is_over {
            return None;
        }
        let role = self.role.next_deadline().map(|(due, _)| due);
        [role, self.side.next_deadline(), self.fetching.next_deadline()].into_iter().flatten().min()
    }

    fn why(&self) -> String {
        self.role.next_deadline().map_or_else(String::new, |(_, why)| why.to_string())
    }

    fn listens(&self, transport: Transport, local: SocketAddr) -> bool {
        self.side.listens_for_sip(transport, local)
            || transport == Transport::Udp
                && (self.sockets.values().any(|open| open.hears(local))
                    || self.fetching.listens(local)
                    || self.side.listens(local))
    }
}

impl<R, S> Machine for Host<R, S>
where
    R: Role<Event: Serialize>,
    S: Side<R>,
{
    fn restart(&mut self, seed: [u8; 32], now: Time) {
        let role = self.side.again(&self.role, seed, now);
        self.replace(role);
    }

    fn forget(&mut self, seed: [u8; 32], now: Time) -> bool {
        let can = self.side.forget();
        self.restart(seed, now);
        can
    }
}

/// An event as JSON; events are plain data with text keys, so this cannot fail.
pub(super) fn told(event: &impl Serialize) -> Value {
    serde_json::to_value(event).unwrap_or_default()
}
