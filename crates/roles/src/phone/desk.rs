//! What every part of a phone works with: its place, its transactions, its log and what goes out.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use proto::sip::endpoint::{Config, Endpoint, NewRequest, ServerId};
use proto::sip::flow::{Flow, Transmit, Transport};
use proto::sip::line_token::without_token;
use proto::sip::message::Message;
use proto::sip::transaction::Timing;
use proto::syslog::Severity;
use proto::{Rng, Time, Wall};

use super::event::{Event, EventKind};
use super::facts::{CallNumber, HistoryEntry, Topic};
use super::kept::{Downloads, Firmware, NamedFiles, Sources};
use super::log::{Log, Tag};
use super::network::KeptLease;
use crate::repeats::Repeats;
use crate::role::{Network, Output};
use crate::settings::{PhoneSettings, Secret};
use crate::sound::SoundCommand;

/// The most requests of ours that wait for an answer.
const MAX_CLIENTS: usize = 512;
/// The most requests of others that are remembered.
const MAX_SERVERS: usize = 512;
/// The most bytes that others' requests and the answers to them hold.
const MAX_REQUESTS_BYTES: usize = 4 << 20;

/// What only this phone knows. It is not printed.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct PhoneSecret(pub [u8; 32]);

impl std::fmt::Debug for PhoneSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PhoneSecret(…)")
    }
}

/// Where a phone stands and what it is; told by whoever drives it.
#[derive(Clone, Debug)]
pub struct Place {
    /// What it knows of its network: its address, and what DHCP and the switch told.
    pub network: Network,
    /// Where it listens for SIP over UDP.
    pub udp_port: u16,
    /// Where it listens for SIP over TCP.
    pub tcp_port: u16,
    /// Where it listens for SIP over TLS.
    pub tls_port: u16,
    /// The ports that its sound may use.
    pub rtp_ports: RangeInclusive<u16>,
    /// The interface that it owns: VLAN and address are found by the phone itself. None: the machine's own.
    pub interface: Option<Arc<str>>,
    /// Its MAC address.
    pub mac: [u8; 6],
    /// Its firmware's version.
    pub version: Arc<str>,
    /// Further ports at which it listens for SIP: signal ports of single accounts.
    pub signal_ports: Vec<u16>,
    /// A secret that it keeps over restarts; none where it keeps nothing.
    pub secret: Option<PhoneSecret>,
    /// Its serial number, as provisioning servers may ask for it.
    pub serial: Arc<str>,
    /// Who may name the server of its settings.
    pub sources: Sources,
    /// How many lines of its log and calls of its history it keeps.
    pub most_log_lines: usize,
}

impl Place {
    /// A phone at `ip` with the usual ports.
    pub fn new(ip: IpAddr) -> Self {
        Self {
            network: Network::at(ip),
            udp_port: 5_060,
            tcp_port: 5_060,
            tls_port: 5_061,
            rtp_ports: 10_000..=10_099,
            interface: None,
            mac: [0x00, 0x21, 0xf2, 0, 0, 1],
            version: env!("CARGO_PKG_VERSION").into(),
            signal_ports: Vec::new(),
            secret: None,
            serial: "".into(),
            sources: Sources::default(),
            most_log_lines: 500,
        }
    }

    /// Its address.
    pub fn ip(&self) -> IpAddr {
        self.network.ip
    }

    /// Where it listens for that transport.
    pub fn listen(&self, transport: Transport) -> SocketAddr {
        let port = match transport {
            Transport::Udp => self.udp_port,
            Transport::Tcp => self.tcp_port,
            Transport::Tls => self.tls_port,
        };
        SocketAddr::new(self.ip(), port)
    }

    /// The MAC address as files and headers write it: `0021f222b021`.
    pub fn mac_text(&self) -> String {
        proto::text::hex(&self.mac)
    }
}

/// What a phone wants kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A parameter that a person or program set.
    Setting {
        /// The parameter's name.
        key: String,
        /// Its value; it may be a secret.
        value: Secret,
        /// Who said so.
        source: crate::settings::Source,
    },
    /// What a person or program had set of a parameter is forgotten.
    SettingForgotten {
        /// The parameter's name.
        key: String,
    },
    /// What files said is forgotten.
    FilesForgotten,
    /// What was downloaded, whole.
    Downloaded(Box<Downloads>),
    /// Firmware that was downloaded.
    Firmware(Box<Firmware>),
    /// What is kept of files that settings name.
    NamedFiles(Box<NamedFiles>),
    /// A call for the history.
    Call(HistoryEntry),
    /// The address that it is to ask for after a restart.
    Lease(KeptLease),
}

/// What a phone asks of the program around it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wish {
    /// To be started again, with the settings that it has.
    Restart,
    /// To be switched off: it has said goodbye to its servers.
    SwitchOff,
    /// Its interface is to have this address and VLAN, or none any more; [`crate::role::Input::Network`] answers.
    Place(Option<Box<Network>>),
    /// A support bundle, and the answer to the command that asks for it.
    Bundle {
        /// The command's own name.
        id: Option<String>,
        /// The file.
        file: String,
        /// What the case is about.
        topic: Topic,
        /// When it was asked for.
        at: Time,
    },
    /// The whole configuration in a file, secrets included, and the answer to the command that asks for it.
    Export {
        /// The command's own name.
        id: Option<String>,
        /// The file.
        file: String,
        /// When it was asked for.
        at: Time,
    },
}

/// Whose a request of ours is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Owner {
    /// The registration of an account.
    Registration(u8),
    /// A call.
    Call(CallNumber),
    /// The subscription of a line key.
    Key(u8),
    /// The subscription to an account's waiting messages.
    Messages(u8),
    /// A keep-alive, whose answer says nothing.
    KeepAlive,
}

/// What a phone hands out.
pub(super) type Out = Output<Event, SoundCommand, Change, Wish>;

/// What every part of a phone works with.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) now: Time,
    /// What dates are told and logged by.
    /// Lines that strangers cause.
    pub(super) repeats: Repeats,
    pub(super) wall: Wall,
    pub(super) place: Place,
    pub(super) endpoint: Endpoint<Owner>,
    /// What the endpoint has found out about the request in hand, where that is new.
    pub(super) new: Option<NewRequest>,
    pub(super) rng: Rng,
    pub(super) log: Log,
    pub(super) transmits: Vec<Transmit>,
    pub(super) out: Vec<Out>,
    /// Why the request that is being given up could not be sent; none where nobody answered.
    pub(super) unsent: Option<String>,
}

impl Desk {
    pub(super) fn new(
        place: Place,
        general: &PhoneSettings,
        product: &str,
        seed: [u8; 32],
        now: Time,
    ) -> Self {
        let mut rng = Rng::new(seed);
        let millis = |ms: u32| Duration::from_millis(u64::from(ms));
        let config = Config {
            timing: Timing::new(millis(general.sip.t1_ms), millis(general.sip.t2_ms), Duration::from_secs(5)),
            // An account set to UDP stays on UDP up to the path MTU: the deck's attended INVITE has
            // 1,386 bytes.
            udp_limit_bytes: 1_472,
            max_clients: MAX_CLIENTS,
            max_servers: MAX_SERVERS,
            max_server_bytes: MAX_REQUESTS_BYTES,
            product: Some(product.into()),
            ..Config::default()
        };
        let endpoint = Endpoint::new(config, rng.fork());
        let process = 300 + rng.below(32_000) as u16;
        let log = Log::new(process, place.most_log_lines);
        Self {
            now,
            wall: Wall::default(),
            place,
            endpoint,
            rng,
            log,
            new: None,
            transmits: Vec::new(),
            out: Vec::new(),
            repeats: Repeats::default(),
            unsent: None,
        }
    }

    /// Opens the transaction of the request in hand.
    pub(super) fn accept(&mut self, flow: Flow, request: &Message<'_>) -> ServerId {
        self.endpoint.accept(self.now, self.new, flow, request)
    }

    /// Tells persons and programs.
    pub(super) fn tell(&mut self, what: EventKind) {
        self.out.push(Output::Event(Event { what, at: self.wall.at(self.now) }));
    }

    /// Writes a line of the log.
    pub(super) fn note(&mut self, text: &str) {
        self.write(Tag::Phone, Severity::Informational, text);
    }

    /// Writes a line of another part of the phone.
    pub(super) fn note_as(&mut self, tag: Tag, text: &str) {
        self.write(tag, Severity::Informational, text);
    }

    /// As [`Self::warn`], of another part of the phone.
    pub(super) fn warn_as(&mut self, tag: Tag, text: &str) {
        self.write(tag, Severity::Warning, text);
    }

    /// Writes that something may soon not work, or that somebody was turned away.
    pub(super) fn warn(&mut self, text: &str) {
        self.write(Tag::Phone, Severity::Warning, text);
    }

    /// As [`Self::warn`], of what a stranger may cause without end: lines of one kind from one source are summed up.
    pub(super) fn warn_of(&mut self, kind: &str, source: IpAddr, text: &str) {
        self.sum_up();
        if self.repeats.admit(self.now, kind, &source.to_canonical().to_string()) {
            self.warn(text);
        }
    }

    /// Tells how many lines were left out, once their time is over.
    pub(super) fn sum_up(&mut self) {
        for sum in self.repeats.take(self.now) {
            self.warn(&sum.words());
        }
    }

    /// Writes that something did not work, into the log of exceptions too (deck, Exception Syslog).
    pub(super) fn fault(&mut self, text: &str) {
        self.write(Tag::Phone, Severity::Error, text);
    }

    /// Writes that a message came or goes, where the log is to say so.
    pub(super) fn trace(&mut self, what: &str, bytes: &[u8], flow: Flow) {
        if !self.log.takes(Severity::Debug) {
            return;
        }
        let first = bytes.split(|&byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        let first = String::from_utf8_lossy(first);
        let text = format!("{what} {} {}", flow.remote, without_token(&first));
        self.write(Tag::Phone, Severity::Debug, &text);
    }

    pub(super) fn write(&mut self, tag: Tag, severity: Severity, text: &str) {
        if let Some(line) = self.log.write(self.wall.at(self.now), tag, severity, text) {
            self.tell(EventKind::Log { line, severity });
        }
    }

    /// Asks the program around the phone.
    pub(super) fn wish(&mut self, wish: Wish) {
        self.out.push(Output::Wish(wish));
    }

    /// Starts the phone again, and says why.
    pub(super) fn restart(&mut self, why: &str) {
        self.fault(&format!("Reboot, {why}"));
        self.tell(EventKind::Reboot { why: why.to_owned() });
        self.wish(Wish::Restart);
    }

    /// Tells the media side.
    pub(super) fn sound(&mut self, command: SoundCommand) {
        self.out.push(Output::Media(command));
    }

    /// Wants something kept.
    pub(super) fn keep(&mut self, change: Change) {
        self.out.push(Output::Store(change));
    }

    /// Sends bytes that are no message: a keep-alive (RFC 5626 §3.5.1).
    pub(super) fn send_raw(&mut self, flow: Flow, bytes: &'static [u8]) {
        self.transmits.push(Transmit { flow, name: None, bytes: bytes::Bytes::from_static(bytes) });
    }

    /// Hands over what has gathered: what is to be kept and opened first, then the messages.
    pub(super) fn flush(&mut self, out: &mut Vec<Out>) {
        if self.log.takes(Severity::Debug) {
            for transmit in std::mem::take(&mut self.transmits) {
                self.trace("Send", &transmit.bytes, transmit.flow);
                self.transmits.push(transmit);
            }
        }
        out.append(&mut std::mem::take(&mut self.out));
        out.extend(std::mem::take(&mut self.transmits).into_iter().map(Output::Transmit));
    }
}
