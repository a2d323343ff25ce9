//! The loop, with a role that is simple enough to see through.

use std::time::Duration;

use bytes::Bytes;
use offhook::clock::Clock;
use offhook::drive::{Driver, Hands, Means};
use offhook::net::Net;
use offhook::net::dns::Dns;
use offhook::net::fetch::Fetcher;
use offhook::net::tls::Trust;
use offhook::store::{Change, Memory, Progress, Reader, Store, Table};
use proto::Time;
use proto::sip::{Flow, Transmit};
use roles::role::{
    Fetch, FetchFaultKind, FetchId, Input, Nothing, Output, Role, SocketEvent, SocketId, SocketPlan,
    SocketRequest, TlsRules,
};
use tokio::sync::{mpsc, watch};

use crate::net::{config, flow, message, run, transmit};

/// Keeps what it is sent and sends it back; rings 20 ms after a command.
#[derive(Default)]
struct Echo {
    bell: Option<Time>,
    /// What begins with `fading` goes back a byte shorter, as long as it does: the shortest so far.
    shortest: Option<usize>,
}

#[derive(Debug, Eq, PartialEq)]
enum Told {
    Started,
    Rang,
    Heard(&'static str),
    FlowFailed,
    Moved,
    Datagram(String),
    Fetched(Option<FetchFaultKind>),
    Changed,
    Answered,
}

/// The echo has nothing more to say.
#[derive(Debug)]
struct Wish;

type Out = Output<Told, &'static str, String, Wish>;

impl Role for Echo {
    type Command = &'static str;
    type Event = Told;
    type Media = &'static str;
    type Heard = &'static str;
    type Change = String;
    type Settings = Nothing;
    type Wish = Wish;
    type Why = &'static str;

    fn handle(&mut self, now: Time, input: Input<'_, &'static str, &'static str>, out: &mut Vec<Out>) {
        match input {
            Input::Start => out.push(Output::Event(Told::Started)),
            Input::Message { flow, bytes, .. } if bytes.starts_with(FADING) => {
                self.shortest = Some(self.shortest.unwrap_or(bytes.len()).min(bytes.len()));
                let rest = &bytes[..bytes.len() - 1];
                out.extend(rest.starts_with(FADING).then(|| Output::Transmit(echo(flow, rest))));
            }
            Input::Message { flow, bytes, .. } => {
                out.push(Output::Transmit(echo(flow, bytes)));
                out.push(Output::Store(String::from_utf8_lossy(bytes).into_owned()));
            }
            Input::Command("socket") => {
                let request = SocketRequest::Open(SocketPlan::ephemeral([127, 0, 0, 1].into()));
                out.push(Output::Socket { socket: SocketId(1), request });
            }
            Input::Command("fetch") => out.push(Output::Fetch(Box::new(nowhere()))),
            Input::Command("end") => out.push(Output::Wish(Wish)),
            Input::Socket { socket, event: SocketEvent::Opened(local) } => {
                out.push(Output::SendDatagram { socket, to: local, bytes: Bytes::from_static(b"ping") });
            }
            Input::Datagram { bytes, .. } => {
                out.push(Output::Event(Told::Datagram(String::from_utf8_lossy(bytes).into_owned())));
            }
            Input::Fetched(fetched) => {
                out.push(Output::Event(Told::Fetched(fetched.result.map_err(|fault| fault.kind).err())))
            }
            Input::Command("change") => {
                out.push(Output::Event(Told::Changed));
                out.push(Output::Store("change".to_owned()));
            }
            Input::Command("question") => out.push(Output::Event(Told::Answered)),
            Input::Command(sound) => {
                self.bell = Some(now + Duration::from_millis(20));
                out.push(Output::Media(sound));
            }
            Input::Wake if self.bell.take_if(|at| *at <= now).is_some() => {
                out.push(Output::Event(Told::Rang));
            }
            Input::Heard(sound) => out.push(Output::Event(Told::Heard(sound))),
            Input::Network(_) => out.push(Output::Event(Told::Moved)),
            Input::FlowFailed { .. } => out.push(Output::Event(Told::FlowFailed)),
            _ => {}
        }
    }

    fn next_deadline(&self) -> Option<(Time, &'static str)> {
        self.bell.map(|at| (at, "bell"))
    }
}

fn nowhere() -> Fetch {
    Fetch {
        id: FetchId(1),
        url: "nonsense".to_owned(),
        from: [127, 0, 0, 1].into(),
        user_agent: String::new(),
        login: None,
        known: None,
        most_redirects: 0,
        most_bytes: 0,
        patience_ms: 1_000,
        tls: TlsRules::default(),
    }
}

const FADING: &[u8] = b"fading";

fn echo(flow: Flow, bytes: &[u8]) -> Transmit {
    Transmit { flow, name: None, bytes: Bytes::copy_from_slice(bytes) }
}

/// Media that says back what it is told; over after so many events.
struct Ears {
    told: mpsc::UnboundedSender<Told>,
    sounds: Vec<&'static str>,
    left: usize,
    refused: Vec<(&'static str, String)>,
    notes: Vec<String>,
}

impl Hands<Echo> for Ears {
    fn tell(&mut self, event: Told) {
        self.left = self.left.saturating_sub(1);
        self.told.send(event).expect("the test listens");
    }

    fn grant(&mut self, _: Wish) {
        self.left = 0;
    }

    fn media(&mut self, command: &'static str) {
        self.sounds.push(command);
    }

    async fn heard(&mut self) -> &'static str {
        match self.sounds.pop() {
            Some(sound) => sound,
            None => std::future::pending().await,
        }
    }

    fn row(&mut self, change: String) -> Option<Change> {
        Some(Change::set(Table::Setting, change, "1"))
    }

    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    fn is_change(&self, command: &&'static str) -> bool {
        *command == "change"
    }

    fn is_awaited(&mut self, command: &&'static str) -> bool {
        *command != "given up"
    }

    fn refuse(&mut self, command: &'static str, why: &str) {
        self.refused.push((command, why.to_owned()));
    }

    fn is_over(&self) -> bool {
        self.left == 0
    }
}

struct Parts {
    driver: Driver<Echo, Ears>,
    commands: mpsc::Sender<&'static str>,
    told: mpsc::UnboundedReceiver<Told>,
    reader: std::sync::Arc<dyn Reader>,
}

fn driven(net: Net, events: usize) -> Parts {
    driven_with(net, events, Box::new(Memory::default()))
}

fn driven_with(net: Net, events: usize, store: Box<dyn Store>) -> Parts {
    let (commands, inbox) = mpsc::channel(8);
    let (teller, told) = mpsc::unbounded_channel();
    let reader = store.reader();
    let hands =
        Ears { told: teller, sounds: Vec::new(), left: events, refused: Vec::new(), notes: Vec::new() };
    let means = Means {
        net,
        fetcher: Fetcher::new(&Dns::with_servers(&[]), Trust::default()),
        dns: Dns::with_servers(&[]),
        store,
        clock: Clock::start(),
        commands: inbox,
        hands,
    };
    Parts { driver: Driver::new(Echo::default(), means), commands, told, reader }
}

#[test]
fn a_role_has_sockets_downloads_and_wishes() {
    run(async {
        let mut parts = driven(Net::bind(config()).expect("bound"), 99);
        for command in ["socket", "fetch"] {
            parts.commands.send(command).await.expect("room");
        }
        let mut told = Vec::new();
        let listen = async {
            while told.len() < 3 {
                told.push(parts.told.recv().await.expect("told"));
            }
            parts.commands.send("end").await.expect("room");
        };
        // The wish ends it, although more could be told.
        tokio::join!(parts.driver.run(), listen);
        assert_eq!(told[0], Told::Started);
        assert!(told.contains(&Told::Datagram("ping".to_owned())), "{told:?}");
        assert!(told.contains(&Told::Fetched(Some(FetchFaultKind::BadUrl))), "{told:?}");
    });
}

#[test]
fn a_command_reaches_the_role_its_media_and_its_deadline() {
    run(async {
        let mut parts = driven(Net::bind(config()).expect("bound"), 3);
        parts.commands.send("tone").await.expect("room");
        parts.driver.run().await;
        let mut order = Vec::new();
        while let Ok(told) = parts.told.try_recv() {
            order.push(told);
        }
        assert_eq!(order, [Told::Started, Told::Heard("tone"), Told::Rang]);
    });
}

#[test]
fn messages_come_back_and_what_they_changed_is_kept() {
    run(async {
        let (net, mut peer) = (Net::bind(config()).expect("bound"), Net::bind(config()).expect("bound"));
        let there = flow(proto::sip::Transport::Udp, &peer, &net);
        let mut parts = driven(net, 9);
        let talk = async {
            for text in ["one", "two", "three"] {
                peer.send(transmit(there, text));
                assert_eq!(message(&mut peer).await.1, text);
            }
        };
        tokio::select! {
            () = parts.driver.run() => panic!("the role is not over"),
            () = talk => {}
        }
        let rows = parts.reader.load(Table::Setting).expect("readable");
        let kept: Vec<_> = rows.iter().map(|row| row.key.as_str()).collect();
        assert_eq!(kept, ["one", "three", "two"]);
    });
}

#[test]
fn a_connection_that_ends_is_told_to_the_role() {
    run(async {
        let (net, peer) = (Net::bind(config()).expect("bound"), Net::bind(config()).expect("bound"));
        let there = flow(proto::sip::Transport::Tcp, &peer, &net);
        let mut parts = driven(net, 2);
        let mut peer = peer;
        peer.send(transmit(there, "OPTIONS sip:7001@127.0.0.1 SIP/2.0\r\nContent-Length: 0\r\n\r\n"));
        let talk = async {
            message(&mut peer).await;
            peer.finish(Duration::from_secs(1)).await;
        };
        tokio::join!(parts.driver.run(), talk);
        assert_eq!(parts.told.recv().await, Some(Told::Started));
        assert_eq!(parts.told.recv().await, Some(Told::FlowFailed));
    });
}

#[test]
fn a_role_is_told_that_its_sockets_have_moved() {
    run(async {
        let mut net = Net::bind(config()).expect("bound");
        let (moves, addresses) = mpsc::channel(1);
        net.follow(addresses);
        moves.send([127, 12, 9, 8].into()).await.expect("followed");
        let mut parts = driven(net, 2);
        parts.driver.run().await;
        assert_eq!(parts.told.try_recv(), Ok(Told::Started));
        assert_eq!(parts.told.try_recv(), Ok(Told::Moved));
    });
}

#[test]
fn whoever_is_flooded_leaves_others_their_turn() {
    run(async {
        let mut net = Net::bind(config()).expect("bound");
        let at = net.local(proto::sip::Transport::Udp).expect("bound");
        // Each is sent to whom it comes from, a byte shorter each time: enough for two hundred rounds.
        let to_itself = Flow { transport: proto::sip::Transport::Udp, local: at, remote: at };
        let longest = FADING.len() + 200;
        let text = [FADING, &[b'.'; 200]].concat();
        (0..400).for_each(|_| net.send(transmit(to_itself, text.clone())));
        let mut parts = driven(net, 10);
        let other = tokio::spawn(async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        });
        tokio::select! {
            () = parts.driver.run() => panic!("it is not over"),
            other = other => other.expect("well"),
        }
        let shortest = parts.driver.role().shortest.expect("some came");
        assert!(
            shortest > longest - 100,
            "the other one waited until {shortest} of {longest} bytes were left"
        );
    });
}

/// A store that keeps something only when the test says so.
#[derive(Clone, Default)]
struct Slow {
    progress: watch::Sender<Progress>,
    /// Turns that were begun, probes among them.
    begun: watch::Sender<u64>,
    rows: Memory,
}

impl Store for Slow {
    fn commit(&mut self, changes: Vec<Change>) -> u64 {
        self.rows.commit(changes);
        self.begun.send_modify(|begun| *begun += 1);
        *self.begun.borrow()
    }

    fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    fn is_saturated(&self) -> bool {
        self.progress.borrow().trouble.is_some()
    }

    fn reader(&self) -> std::sync::Arc<dyn Reader> {
        self.rows.reader()
    }
}

impl Slow {
    fn commits(&self, turn: u64) {
        self.progress.send_replace(Progress { committed: turn, trouble: None });
    }

    fn fails(&self) {
        self.progress.send_modify(|progress| progress.trouble = Some("the disk is full".into()));
    }

    async fn has_begun(&self, turn: u64) {
        self.begun.subscribe().wait_for(|begun| *begun >= turn).await.expect("the test holds it");
    }
}

async fn passes() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn nothing_is_told_before_it_is_kept() {
    run(async {
        let store = Slow::default();
        let mut parts = driven_with(Net::bind(config()).expect("bound"), 3, Box::new(store.clone()));
        parts.commands.send("change").await.expect("room");
        let talk = async {
            assert_eq!(parts.told.recv().await, Some(Told::Started));
            store.has_begun(1).await;
            passes().await;
            assert_eq!(*store.begun.borrow(), 1, "the store has to show that it can keep something");
            store.commits(1);
            store.has_begun(2).await;
            parts.commands.send("question").await.expect("room");
            passes().await;
            assert!(parts.told.try_recv().is_err(), "it is not kept yet");
            store.commits(2);
            assert_eq!(parts.told.recv().await, Some(Told::Changed));
            assert_eq!(parts.told.recv().await, Some(Told::Answered));
        };
        tokio::join!(parts.driver.run(), talk);
        assert!(parts.driver.settle(), "all is kept");
    });
}

#[test]
fn what_cannot_be_kept_is_refused_and_not_done_while_questions_are_answered() {
    run(async {
        let store = Slow::default();
        let mut parts = driven_with(Net::bind(config()).expect("bound"), 4, Box::new(store.clone()));
        let talk = async {
            assert_eq!(parts.told.recv().await, Some(Told::Started));
            // One is under way when the disk fails, one comes later, and one was given up by its asker.
            parts.commands.send("change").await.expect("room");
            parts.commands.send("question").await.expect("room");
            store.has_begun(1).await;
            store.fails();
            assert_eq!(parts.told.recv().await, Some(Told::Answered));
            for command in ["change", "given up", "question"] {
                parts.commands.send(command).await.expect("room");
            }
            assert_eq!(parts.told.recv().await, Some(Told::Answered));
            passes().await;
            assert_eq!(*store.begun.borrow(), 1, "nothing more is asked of a store in trouble");
            store.commits(1);
            parts.commands.send("change").await.expect("room");
            store.has_begun(2).await;
            store.commits(2);
            store.has_begun(3).await;
            store.commits(3);
            assert_eq!(parts.told.recv().await, Some(Told::Changed));
        };
        tokio::join!(parts.driver.run(), talk);
        let why = "the disk is full".to_owned();
        assert_eq!(parts.driver.hands().refused, [("change", why.clone()), ("change", why.clone())]);
        assert_eq!(parts.driver.hands().notes, [why]);
        assert_eq!(parts.reader.load(Table::Setting).expect("readable").len(), 1);
    });
}

#[test]
fn whoever_ends_with_something_unwritten_knows_it() {
    run(async {
        let store = Slow::default();
        let mut parts = driven_with(Net::bind(config()).expect("bound"), 2, Box::new(store.clone()));
        parts.commands.send("change").await.expect("room");
        let talk = async {
            store.has_begun(1).await;
            store.commits(1);
            store.has_begun(2).await;
            store.fails();
            passes().await;
        };
        tokio::select! {
            () = parts.driver.run() => panic!("it is not over"),
            () = talk => {}
        }
        assert!(!parts.driver.settle());
        assert_eq!(parts.told.try_recv(), Ok(Told::Started));
        assert!(parts.told.try_recv().is_err(), "what is not kept is not told");
    });
}
