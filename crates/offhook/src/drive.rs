//! The one loop: one task owns a role and performs what it asks.
//!
//! It waits for the earliest of message, command, helper's answer and deadline, lets the role decide,
//! and performs the outputs without waiting. It knows nothing of SIP. What was kept in a turn is
//! durable before that turn's messages leave: they wait here until the store has acknowledged the turn.

use std::collections::VecDeque;
use std::future::Future;
use std::net::IpAddr;

use proto::Time;
use proto::sip::locate::{Answer, Query};
use proto::sip::{Flow, Transmit};
use roles::role::{Fetched, Input, InputOf, Network, Output, OutputOf, Role};
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::net::dns::Dns;
use crate::net::fetch::Fetcher;
use crate::net::{Net, NetEvent};
use crate::store::{Change, Progress, Store};

/// Messages that make one turn at most; then deadlines and commands have their say.
const MESSAGES_A_TURN: usize = 256;
/// Commands that may wait for the role; whoever sends more waits.
pub const COMMANDS_WAITING: usize = 256;

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
    held: Held,
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
        Self { role, means, out: Vec::new(), held }
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
        self.role = role;
    }

    /// Switches the role on and drives it until its hands say that it is over. Dropping the future
    /// stops it at once.
    pub async fn run(&mut self) {
        self.turn(Input::Start);
        self.end_turn();
        while !self.means.hands.is_over() {
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

    /// Lets the sockets send what they hold, at most `wait` long, and closes everything.
    pub async fn finish(self, wait: std::time::Duration) {
        self.means.net.finish(wait).await;
    }

    /// Waits for whatever comes first. While the store is behind, only for the store.
    async fn wait(&mut self) -> Happening<R::Command, R::Heard> {
        let Means { net, dns, fetcher, store, clock, commands, hands } = &mut self.means;
        let deadline = self.role.next_deadline().map(|(at, _)| at);
        let takes_work = !store.is_saturated();
        tokio::select! {
            biased;
            () = self.held.progressed(), if !self.held.is_empty() || !takes_work => Happening::Stored,
            () = until(clock, deadline), if takes_work => Happening::Deadline,
            Some(command) = commands.recv(), if takes_work => Happening::Command(command),
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
            Happening::Command(command) => self.turn(Input::Command(command)),
            Happening::Resolved(query, answer) => self.turn(Input::Resolved { query, answer }),
            Happening::Fetched(fetched) => self.turn(Input::Fetched(Box::new(fetched))),
            Happening::Heard(heard) => self.turn(Input::Heard(heard)),
            Happening::Deadline => self.turn(Input::Wake),
            Happening::Stored => {}
        }
        false
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
            NetEvent::Failed(error) => self.flow_failed(error.flow, error.text),
            NetEvent::Closed(flow) => self.flow_failed(flow, "the connection was closed".to_owned()),
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

    fn flow_failed(&mut self, flow: Flow, reason: String) {
        self.turn(Input::FlowFailed { flow, reason });
    }

    fn turn(&mut self, input: InputOf<'_, R>) {
        let now = self.means.clock.now();
        self.role.handle(now, input, &mut self.out);
    }

    /// Performs what one turn asked for.
    fn end_turn(&mut self) {
        let Means { net, dns, fetcher, store, hands, .. } = &mut self.means;
        let mut changes = Vec::new();
        for output in self.out.drain(..) {
            match output {
                Output::Transmit(transmit) => self.held.push(transmit),
                Output::Vouch(flow) => net.vouch(&flow),
                Output::Close(flow) => net.close(&flow),
                Output::Socket { socket, request } => net.socket(socket, request),
                Output::SendDatagram { socket, to, bytes } => net.send_datagram(socket, to, &bytes),
                Output::SendFrame(_) => hands.note(NO_FRAMES),
                Output::Resolve(query) => dns.ask(query),
                Output::Fetch(fetch) => fetcher.ask(fetch),
                Output::Event(event) => hands.tell(event),
                Output::Media(command) => hands.media(command),
                Output::Wish(wish) => hands.grant(wish),
                Output::Store(change) => changes.extend(hands.row(change)),
            }
        }
        let turn = (!changes.is_empty()).then(|| store.commit(changes));
        self.held.end_turn(turn);
        self.held.release(|transmit| net.send(transmit));
        if let Some(trouble) = self.held.new_trouble() {
            hands.note(&trouble);
        }
        hands.turned(&self.role);
    }
}

/// Messages that wait for the store, oldest turn first. None overtakes another, so a stream keeps its
/// order. The driver takes no new work while the store is saturated, which bounds the queue.
struct Held {
    progress: watch::Receiver<Progress>,
    messages: VecDeque<Transmit>,
    /// What each turn waits for, and how many of the messages are its own.
    turns: VecDeque<(u64, usize)>,
    last_turn: u64,
    /// How many messages the turn has that is not over yet.
    unended: usize,
    trouble: bool,
}

impl Held {
    fn new(progress: watch::Receiver<Progress>) -> Self {
        let (messages, turns) = (VecDeque::new(), VecDeque::new());
        Self { progress, messages, turns, last_turn: 0, unended: 0, trouble: false }
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

    /// Takes a message of this turn.
    fn push(&mut self, transmit: Transmit) {
        self.messages.push_back(transmit);
        self.unended += 1;
    }

    /// The messages of this turn wait for `turn`, or where nothing was kept for those before.
    fn end_turn(&mut self, turn: Option<u64>) {
        self.last_turn = turn.unwrap_or(self.last_turn);
        let count = std::mem::take(&mut self.unended);
        if count > 0 {
            self.turns.push_back((self.last_turn, count));
        }
    }

    fn release(&mut self, mut send: impl FnMut(Transmit)) {
        let committed = self.progress.borrow_and_update().committed;
        while let Some((_, count)) = self.turns.pop_front_if(|(turn, _)| *turn <= committed) {
            self.messages.drain(..count.min(self.messages.len())).for_each(&mut send);
        }
    }

    /// The store's trouble when it begins, once.
    fn new_trouble(&mut self) -> Option<String> {
        let trouble = self.progress.borrow().trouble.clone();
        let was = std::mem::replace(&mut self.trouble, trouble.is_some());
        trouble.filter(|_| !was).map(|text| text.to_string())
    }
}

/// Sleeps until the deadline; for ever without one.
async fn until(clock: &Clock, deadline: Option<Time>) {
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

    fn released(held: &mut Held) -> Vec<Bytes> {
        let mut sent = Vec::new();
        held.release(|transmit| sent.push(transmit.bytes));
        sent
    }

    #[test]
    fn messages_wait_for_their_turn_and_none_overtakes() {
        let (store, progress) = watch::channel(Progress::default());
        let mut held = Held::new(progress);
        let turn = |held: &mut Held, turn, text| {
            held.push(message(text));
            held.end_turn(turn);
        };
        turn(&mut held, None, "options");
        assert_eq!(released(&mut held), ["options"], "nothing was kept, nothing to wait for");
        held.push(message("100 to invite"));
        turn(&mut held, Some(1), "200 to register");
        held.end_turn(None);
        turn(&mut held, None, "later");
        turn(&mut held, Some(2), "last");
        assert!(released(&mut held).is_empty());
        store.send_modify(|progress| progress.committed = 1);
        assert_eq!(released(&mut held), ["100 to invite", "200 to register", "later"]);
        store.send_modify(|progress| progress.committed = 2);
        assert_eq!(released(&mut held), ["last"]);
        assert!(held.is_empty());
    }

    #[test]
    fn trouble_is_told_once_each_time_it_begins() {
        let (store, progress) = watch::channel(Progress::default());
        let mut held = Held::new(progress);
        for _ in 0..2 {
            assert_eq!(held.new_trouble(), None);
            store.send_modify(|progress| progress.trouble = Some("the disk is full".into()));
            assert_eq!(held.new_trouble().as_deref(), Some("the disk is full"));
            assert_eq!(held.new_trouble(), None);
            store.send_modify(|progress| progress.trouble = None);
        }
    }
}
