//! The one loop: one task owns a role and performs what it asks.
//!
//! It waits for the earliest of message, command, helper's answer and deadline, lets the role decide,
//! and performs the outputs without waiting. It knows nothing of SIP. What was kept in a turn is
//! durable before that turn's messages leave and its events are told: they wait here until the store has
//! acknowledged the turn. While nothing can be kept, a command that needs it is refused and not done.

use std::collections::VecDeque;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use proto::sip::locate::{Answer, Query};
use proto::sip::{Flow, FlowFault, Transmit};
use proto::{Time, Wall};
use roles::role::{Fetched, Input, InputOf, Network, Output, OutputOf, Role};
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::net::dns::Dns;
use crate::net::fetch::Fetcher;
use crate::net::{FlowErrorKind, Net, NetEvent};
use crate::store::{Change, Memory, Progress, Store};

/// Messages that make one turn at most; then deadlines and commands have their say.
const MESSAGES_A_TURN: usize = 256;
/// Commands that may wait for the role; whoever sends more waits.
pub const COMMANDS_WAITING: usize = 256;

/// The system's clock was set where it is so far from where it was; what NTP does little by little is told
/// in steps of this.
const CLOCK_WAS_SET: Duration = Duration::from_secs(1);

/// What is told where a role sends a link-layer frame.
const NO_FRAMES: &str = "a link-layer frame was not sent: this program has no socket for frames";

/// What a role's own driver does for it beyond network, DNS and store.
pub trait Hands<R: Role> {
    /// Tells persons and programs. Never waits.
    fn tell(&mut self, event: R::Event);
    /// Passes a command to the media side. Never waits.
    fn media(&mut self, command: R::Media);
    /// The next thing that the media side tells; waits for ever where it is silent. Safe to cancel.
    fn heard(&mut self) -> impl Future<Output = R::Heard>;
    /// What is to be kept, as a row; none where it is kept nowhere.
    fn row(&mut self, change: R::Change) -> Option<Change>;
    /// Does what the role wishes of the program. Never waits; what is done at the end of the role's life
    /// is told by [`Hands::is_over`].
    fn grant(&mut self, wish: R::Wish);
    /// What is known of the network now that this machine has another address.
    fn network(&self, ip: IpAddr) -> Network {
        Network::at(ip)
    }
    /// Takes what is for the operator alone: a connection refused, a store in trouble.
    fn note(&mut self, text: &str);
    /// Whether a command asks for something that must be kept.
    fn is_change(&self, _command: &R::Command) -> bool {
        false
    }
    /// Whether somebody still waits for what comes of a command that is about to be done; if not, it is
    /// dropped.
    fn is_awaited(&mut self, _command: &R::Command) -> bool {
        true
    }
    /// Refuses a command because nothing can be kept; `why` names the remedy.
    fn refuse(&mut self, _command: R::Command, _why: &str) {}
    /// Sees the role after each turn, to publish what it shows.
    fn turned(&mut self, _role: &R) {}
    /// Whether the role has said its last.
    fn is_over(&self) -> bool {
        false
    }
}

/// What a driver needs besides the role.
pub struct Means<R: Role, H> {
    /// The sockets.
    pub net: Net,
    /// The resolver.
    pub dns: Dns,
    /// Performs downloads.
    pub fetcher: Fetcher,
    /// Where rows are kept.
    pub store: Box<dyn Store>,
    /// Tells the time.
    pub clock: Clock,
    /// What persons and programs ask; see [`COMMANDS_WAITING`].
    pub commands: mpsc::Receiver<R::Command>,
    /// The rest.
    pub hands: H,
}

/// One role with everything that it is driven by.
pub struct Driver<R: Role, H> {
    role: R,
    means: Means<R, H>,
    out: Vec<OutputOf<R>>,
    held: Held<R::Event>,
    /// Commands that wait until the store has shown that it can keep something, and the turn by which it
    /// does; those behind them keep their order.
    waiting: VecDeque<(u64, R::Command)>,
    /// How far the system's clock is from the role's time, as the role knows it.
    wall: Wall,
}

/// One thing that ended the wait.
enum Happening<C, H> {
    Net(NetEvent),
    Command(C),
    Resolved(Query, Answer),
    Fetched(Fetched),
    Heard(H),
    Deadline,
    Stored,
}

impl<R: Role, H: Hands<R>> Driver<R, H> {
    /// A driver at rest.
    pub fn new(role: R, means: Means<R, H>) -> Self {
        let held = Held::new(means.store.progress());
        let wall = Wall::default();
        Self { role, means, out: Vec::new(), held, waiting: VecDeque::new(), wall }
    }

    /// The role.
    pub fn role(&self) -> &R {
        &self.role
    }

    /// The role's own helper.
    pub fn hands(&mut self) -> &mut H {
        &mut self.means.hands
    }

    /// Puts another role in the place of this one, as when a phone restarts: its sockets are closed, its
    /// downloads broken off.
    pub fn replace(&mut self, role: R) {
        self.means.net.close_sockets();
        self.means.fetcher.forget_all();
        self.wall = Wall::default();
        self.role = role;
    }

    /// Switches the role on and drives it until its hands say that it is over. Dropping the future
    /// stops it at once.
    pub async fn run(&mut self) {
        self.turn(Input::Start);
        self.end_turn();
        self.run_until(|_| false).await;
    }

    /// Has the role do what the program itself wants.
    pub fn command(&mut self, command: R::Command) {
        self.turn(Input::Command(command));
        self.end_turn();
    }

    /// Drives a role that is switched on until that is so, or its hands say that it is over.
    pub async fn run_until(&mut self, is_so: impl Fn(&R) -> bool) {
        while !self.means.hands.is_over() && !is_so(&self.role) {
            let happening = self.wait().await;
            let is_full = self.take(happening);
            self.end_turn();
            if is_full {
                // There is always more where too much comes: connections, signals and whoever else lives on
                // this thread are to have their turn as well.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Closes the store and lets go what waited for it. Returns whether everything was kept.
    pub fn settle(&mut self) -> bool {
        self.means.store = Box::new(Memory::default());
        self.let_go();
        self.held.is_all_kept()
    }

    /// Lets the sockets send what they hold, at most `wait` long, and closes everything.
    pub async fn finish(self, wait: Duration) {
        self.means.net.finish(wait).await;
    }

    /// Waits for whatever comes first. While the store is behind, only for the store.
    async fn wait(&mut self) -> Happening<R::Command, R::Heard> {
        if self.can_take_waiting() {
            return Happening::Stored;
        }
        let Means { net, dns, fetcher, store, clock, commands, hands } = &mut self.means;
        let deadline = self.role.next_deadline().map(|(at, _)| at);
        let takes_work = !store.is_saturated();
        let takes_commands =
            (takes_work || self.held.trouble().is_some()) && self.waiting.len() < COMMANDS_WAITING;
        let heeds_store = !self.held.is_empty() || !takes_work || !self.waiting.is_empty();
        tokio::select! {
            biased;
            () = self.held.progressed(), if heeds_store => Happening::Stored,
            () = until(clock, deadline), if takes_work => Happening::Deadline,
            Some(command) = commands.recv(), if takes_commands => Happening::Command(command),
            heard = hands.heard(), if takes_work => Happening::Heard(heard),
            (query, answer) = dns.next(), if takes_work => Happening::Resolved(query, answer),
            fetched = fetcher.next(), if takes_work => Happening::Fetched(fetched),
            event = net.next(), if takes_work => Happening::Net(event),
        }
    }

    /// Whether there is more of the same at once.
    fn take(&mut self, happening: Happening<R::Command, R::Heard>) -> bool {
        match happening {
            Happening::Net(event) => return self.drain(event),
            Happening::Command(command) => self.take_command(command),
            Happening::Resolved(query, answer) => self.turn(Input::Resolved { query, answer }),
            Happening::Fetched(fetched) => self.turn(Input::Fetched(Box::new(fetched))),
            Happening::Heard(heard) => self.turn(Input::Heard(heard)),
            Happening::Deadline => self.turn(Input::Wake),
            Happening::Stored => self.take_waiting(),
        }
        false
    }

    /// Does a command, or has it wait until the store has shown that what it changes can be kept.
    fn take_command(&mut self, command: R::Command) {
        let is_change = self.means.hands.is_change(&command);
        let turn = match self.waiting.back() {
            _ if is_change && self.held.trouble().is_none() => self.means.store.probe(),
            // What waits already is older.
            Some((turn, _)) => *turn,
            None => 0,
        };
        self.waiting.push_back((turn, command));
        self.take_waiting();
    }

    /// Whether the oldest command that waits need not wait any more. The store may have told so in the middle
    /// of a turn, which has taken note of its progress since: no further news comes of it.
    fn can_take_waiting(&self) -> bool {
        let is_ripe = |turn: u64| self.held.committed() >= turn || self.held.trouble().is_some();
        self.waiting.front().is_some_and(|(turn, _)| is_ripe(*turn))
    }

    /// Does what has waited for the store, or refuses it where the store is in trouble.
    fn take_waiting(&mut self) {
        while let Some((turn, command)) = self.waiting.pop_front() {
            if !self.means.hands.is_change(&command) {
                self.do_command(command);
            } else if let Some(trouble) = self.held.trouble() {
                self.means.hands.refuse(command, &trouble);
            } else if self.held.committed() >= turn {
                self.do_command(command);
            } else {
                return self.waiting.push_front((turn, command));
            }
        }
    }

    fn do_command(&mut self, command: R::Command) {
        if !self.means.hands.is_awaited(&command) {
            return;
        }
        self.turn(Input::Command(command));
        if self.held.trouble().is_some() {
            self.tell_at_once();
        }
    }

    /// What a command that changes nothing tells waits for no store.
    fn tell_at_once(&mut self) {
        let (told, rest) =
            self.out.drain(..).partition(|output| matches!(output, Output::Event(_))) as (Vec<_>, Vec<_>);
        self.out = rest;
        for output in told {
            if let Output::Event(event) = output {
                self.means.hands.tell(event);
            }
        }
    }

    /// Takes what has come, as far as it is there: one commit for many messages. Whether that was all of a
    /// turn.
    fn drain(&mut self, first: NetEvent) -> bool {
        let mut next = Some(first);
        for _ in 0..MESSAGES_A_TURN {
            let Some(event) = next else { return false };
            self.take_event(event);
            next = self.means.net.try_next();
        }
        if let Some(event) = next {
            self.take_event(event);
        }
        true
    }

    fn take_event(&mut self, event: NetEvent) {
        match event {
            NetEvent::Message { flow, bytes, came } => {
                let waited = self.means.clock.now().since(came);
                self.turn(Input::Message { flow, bytes: &bytes, waited });
            }
            NetEvent::Failed(error) => {
                if error.kind == FlowErrorKind::Overloaded {
                    self.means.hands.note(&error.text);
                }
                let is_open = error.kind == FlowErrorKind::Broken && error.flow.transport.is_reliable();
                let fault = if is_open { FlowFault::Closed } else { FlowFault::Broken };
                self.flow_failed(error.flow, fault, error.text);
            }
            NetEvent::Undelivered(error) => {
                self.flow_failed(error.flow, FlowFault::Undelivered, error.text);
            }
            NetEvent::Closed(flow) => {
                self.flow_failed(flow, FlowFault::Closed, "the connection was closed".to_owned());
            }
            NetEvent::Refused(refusal) => self.means.hands.note(&refusal.text),
            NetEvent::Datagram { socket, from, bytes } => {
                self.turn(Input::Datagram { socket, from, bytes: &bytes });
            }
            NetEvent::Socket { socket, event } => self.turn(Input::Socket { socket, event }),
            NetEvent::Moved(ip) => self.turn(Input::Network(Box::new(self.means.hands.network(ip)))),
            NetEvent::NotMoved(error) => {
                self.means.hands.note(&format!("the address of this machine has changed, but: {error}"));
            }
        }
    }

    fn flow_failed(&mut self, flow: Flow, fault: FlowFault, reason: String) {
        self.turn(Input::FlowFailed { flow, fault, reason });
    }

    fn turn(&mut self, input: InputOf<'_, R>) {
        let now = self.means.clock.now();
        let wall = self.means.clock.wall();
        if wall.distance(self.wall) >= CLOCK_WAS_SET {
            self.wall = wall;
            self.role.handle(now, Input::Wall(wall), &mut self.out);
        }
        self.role.handle(now, input, &mut self.out);
    }

    /// Performs what one turn asked for.
    fn end_turn(&mut self) {
        let Means { net, dns, fetcher, store, hands, .. } = &mut self.means;
        let mut changes = Vec::new();
        for output in self.out.drain(..) {
            match output {
                Output::Transmit(transmit) => self.held.push(Outward::Transmit(transmit)),
                Output::Vouch { flow, account } => net.vouch(&flow, account),
                Output::Close(flow) => net.close(&flow),
                Output::Socket { socket, request } => net.socket(socket, request),
                Output::SendDatagram { socket, to, bytes } => net.send_datagram(socket, to, &bytes),
                Output::SendFrame(_) => hands.note(NO_FRAMES),
                Output::Resolve(query) => dns.ask(query),
                Output::Fetch(fetch) => fetcher.ask(fetch),
                Output::Event(event) => self.held.push(Outward::Event(event)),
                Output::Media(command) => hands.media(command),
                Output::Wish(wish) => hands.grant(wish),
                Output::Store(change) => changes.extend(hands.row(change)),
            }
        }
        let turn = (!changes.is_empty()).then(|| store.commit(changes));
        self.held.end_turn(turn);
        self.let_go();
        let hands = &mut self.means.hands;
        if let Some(trouble) = self.held.new_trouble() {
            hands.note(&trouble);
        }
        hands.turned(&self.role);
    }

    /// Lets go what the store has made durable.
    fn let_go(&mut self) {
        let Means { net, hands, .. } = &mut self.means;
        self.held.release(|outward| match outward {
            Outward::Transmit(transmit) => net.send(transmit),
            Outward::Event(event) => hands.tell(event),
        });
    }
}

/// What leaves the program.
enum Outward<E> {
    Transmit(Transmit),
    Event(E),
}

/// What waits for the store before it leaves the program, oldest turn first. Nothing overtakes another, so
/// a stream keeps its order. The driver takes no new work while the store is saturated, which bounds the
/// queue.
struct Held<E> {
    progress: watch::Receiver<Progress>,
    outwards: VecDeque<Outward<E>>,
    /// What each turn waits for, and how many of the outwards are its own.
    turns: VecDeque<(u64, usize)>,
    last_turn: u64,
    /// How many outwards the turn has that is not over yet.
    unended: usize,
    is_in_trouble: bool,
}

impl<E> Held<E> {
    fn new(progress: watch::Receiver<Progress>) -> Self {
        let (outwards, turns) = (VecDeque::new(), VecDeque::new());
        Self { progress, outwards, turns, last_turn: 0, unended: 0, is_in_trouble: false }
    }

    /// Every turn up to this one is durable.
    fn committed(&self) -> u64 {
        self.progress.borrow().committed
    }

    fn is_all_kept(&self) -> bool {
        self.committed() >= self.last_turn
    }

    /// Why nothing can be kept now.
    fn trouble(&self) -> Option<Arc<str>> {
        self.progress.borrow().trouble.clone()
    }

    fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Waits for news of the store; for ever where it has ended.
    async fn progressed(&mut self) {
        if self.progress.changed().await.is_err() {
            std::future::pending().await
        }
    }

    /// Takes something of this turn.
    fn push(&mut self, outward: Outward<E>) {
        self.outwards.push_back(outward);
        self.unended += 1;
    }

    /// What this turn has waits for `turn`, or where nothing was kept for those before.
    fn end_turn(&mut self, turn: Option<u64>) {
        self.last_turn = turn.unwrap_or(self.last_turn);
        let count = std::mem::take(&mut self.unended);
        if count > 0 {
            self.turns.push_back((self.last_turn, count));
        }
    }

    fn release(&mut self, mut let_go: impl FnMut(Outward<E>)) {
        let committed = self.progress.borrow_and_update().committed;
        while let Some((_, count)) = self.turns.pop_front_if(|(turn, _)| *turn <= committed) {
            self.outwards.drain(..count.min(self.outwards.len())).for_each(&mut let_go);
        }
    }

    /// The store's trouble when it begins, once.
    fn new_trouble(&mut self) -> Option<String> {
        let trouble = self.trouble();
        let was = std::mem::replace(&mut self.is_in_trouble, trouble.is_some());
        trouble.filter(|_| !was).map(|text| text.to_string())
    }
}

/// Sleeps until the deadline; for ever without one.
pub(crate) async fn until(clock: &Clock, deadline: Option<Time>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(clock.instant(at).into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proto::sip::Transport;
    use std::net::SocketAddr;

    fn message(text: &'static str) -> Transmit {
        let at = SocketAddr::from(([127, 0, 0, 1], 5060));
        let flow = Flow { transport: Transport::Udp, local: at, remote: at };
        Transmit { flow, name: None, bytes: Bytes::from_static(text.as_bytes()) }
    }

    fn released(held: &mut Held<&'static str>) -> Vec<Bytes> {
        let mut sent = Vec::new();
        held.release(|outward| {
            sent.push(match outward {
                Outward::Transmit(transmit) => transmit.bytes,
                Outward::Event(event) => event.into(),
            });
        });
        sent
    }

    #[test]
    fn messages_wait_for_their_turn_and_none_overtakes() {
        let (store, progress) = watch::channel(Progress::default());
        let mut held = Held::new(progress);
        let turn = |held: &mut Held<&'static str>, turn, text| {
            held.push(Outward::Transmit(message(text)));
            held.end_turn(turn);
        };
        turn(&mut held, None, "options");
        assert_eq!(released(&mut held), ["options"], "nothing was kept, nothing to wait for");
        held.push(Outward::Transmit(message("100 to invite")));
        turn(&mut held, Some(1), "200 to register");
        held.push(Outward::Event("registered"));
        held.end_turn(None);
        turn(&mut held, None, "later");
        turn(&mut held, Some(2), "last");
        assert!(released(&mut held).is_empty());
        store.send_modify(|progress| progress.committed = 1);
        assert_eq!(released(&mut held), ["100 to invite", "200 to register", "registered", "later"]);
        store.send_modify(|progress| progress.committed = 2);
        assert_eq!(released(&mut held), ["last"]);
        assert!(held.is_empty());
    }

    #[test]
    fn trouble_is_told_once_each_time_it_begins() {
        let (store, progress) = watch::channel(Progress::default());
        let mut held = Held::<()>::new(progress);
        for _ in 0..2 {
            assert_eq!(held.new_trouble(), None);
            store.send_modify(|progress| progress.trouble = Some("the disk is full".into()));
            assert_eq!(held.new_trouble().as_deref(), Some("the disk is full"));
            assert_eq!(held.new_trouble(), None);
            store.send_modify(|progress| progress.trouble = None);
        }
    }
}
