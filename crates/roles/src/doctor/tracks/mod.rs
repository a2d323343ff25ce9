//! What a case holds, put together: the facts that rules judge.
//!
//! Everything is plain data with its [`Proof`](super::Proof)s. Nothing here judges. Unknown is `None`.
//! Every table has a limit; what did not fit is counted in [`Tracks::left_out`].

mod call;
mod device;
mod network;
mod provisioning;
mod registration;
mod stream;
mod subscription;
mod text;
mod transaction;

use std::collections::BTreeMap;

use proto::Time;

pub use call::{By, Call, Leg, LegId};
pub use device::{Device, Reboot, Scanner};
pub use network::{
    AddressConflict, Carries, Connection, DhcpMessage, Discovery, IcmpError, Lease, Lookup, LostFragment,
    Mac, Neighbour, NotSipMessage, Tls, mac_text,
};
pub use provisioning::{PnP, Provisioning, Scheme, Transfer, TransferResult};
pub use registration::{Outcome, Registration};
pub use stream::{Gap, Stream};
pub use subscription::Subscription;
pub use text::{ConfigFile, LogLine};
pub use transaction::{
    Answer, Body, Party, Request, Said, Sdp, SdpFormat, SdpMedia, Transaction, TransactionId,
};

/// The facts of one case.
#[derive(Debug, Default)]
pub struct Tracks {
    /// The inputs in the order given.
    pub files: Vec<FileTrack>,
    /// Slots of transactions; an empty one was given up.
    pub transactions: Vec<Option<Box<Transaction>>>,
    /// About how many bytes the transactions take that are kept.
    pub transaction_bytes: usize,
    /// Calls in the order of their beginnings.
    pub calls: Vec<Call>,
    /// Their legs.
    pub legs: Vec<Leg>,
    /// Registrations in the order of their beginnings.
    pub registrations: Vec<Registration>,
    /// Subscriptions in the order of their beginnings.
    pub subscriptions: Vec<Subscription>,
    /// Transactions that belong to none of those: OPTIONS, MESSAGE, PUBLISH, NOTIFY check-sync, …
    pub others: Vec<TransactionId>,
    /// RTP streams in the order of their beginnings.
    pub streams: Vec<Stream>,
    /// Files that were asked for.
    pub transfers: Vec<Transfer>,
    /// Runs of provisioning.
    pub provisioning: Vec<Provisioning>,
    /// DHCP, a client each.
    pub leases: Vec<Lease>,
    /// LLDP and CDP, a sender and protocol each.
    pub neighbours: Vec<Neighbour>,
    /// ICMP errors.
    pub icmp: Vec<IcmpError>,
    /// TCP connections.
    pub connections: Vec<Connection>,
    /// DNS.
    pub lookups: Vec<Lookup>,
    /// IP addresses that two devices claim.
    pub conflicts: Vec<AddressConflict>,
    /// IP datagrams of which fragments are missing.
    pub lost_fragments: Vec<LostFragment>,
    /// What should be SIP and is not.
    pub not_sip: Vec<NotSipMessage>,
    /// Devices.
    pub devices: Vec<Device>,
    /// Starts of phones.
    pub reboots: Vec<Reboot>,
    /// Sources that try many numbers.
    pub scanners: Vec<Scanner>,
    /// Lines of logs, files' and syslog's.
    pub log: Vec<LogLine>,
    /// Configuration files.
    pub configs: Vec<ConfigFile>,
    /// SIP messages by method (requests) and by status and method (answers), as a capture's statistics.
    pub counts: Counts,
    /// How many things of each kind did not fit.
    pub left_out: BTreeMap<&'static str, u64>,
}

/// SIP messages, counted as they passed.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Requests by method.
    pub requests: BTreeMap<Box<str>, u64>,
    /// Answers by status and method.
    pub answers: BTreeMap<(u16, Box<str>), u64>,
}

/// One input.
#[derive(Clone, Debug, Default)]
pub struct FileTrack {
    /// Its name as given.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
    /// Packets that it holds; none for a text.
    pub packets: Option<u64>,
    /// Lines that it holds; none for a capture.
    pub lines: Option<u64>,
    /// The earliest time in it.
    pub from: Option<Time>,
    /// The latest time in it.
    pub to: Option<Time>,
    /// What could not be read and other things worth knowing, each in a sentence.
    pub notes: Vec<String>,
    /// Packets that the capture kept only a part of.
    pub cut_packets: u64,
    /// The shortest snap length of its interfaces, where one is set.
    pub snap_bytes: Option<u32>,
    /// Packets that the capturing machine dropped, as the file itself says.
    pub drops: Option<u64>,
    /// Where the file could not be read any further.
    pub ends_early: Option<EndsEarly>,
    /// The stretches of even time: the first packet of each and its latest time, at most 64. A new one begins where
    /// time runs backwards by more than a second or leaps by more than a day, as in captures that were put
    /// one after the other.
    pub stretches: Vec<(u32, Time)>,
    /// The first packet whose time lies before its predecessor's by more than a second, and the jump in microseconds.
    pub backwards: Option<(super::Proof, u64)>,
    /// Packets that stand in the capture twice: the same bytes within a millisecond.
    pub doubles: u64,
    /// How far this file's clock is ahead of the first capture's, in microseconds, where both hold the same messages.
    pub clock_ahead_us: Option<i64>,
    /// What was seen and is not judged: `T.38`, `video`, `encrypted signalling`, … with its first packet.
    pub unjudged: BTreeMap<&'static str, super::Proof>,
}

/// Where a file could not be read any further.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EndsEarly {
    /// Bytes of the file before it, after decompression.
    pub offset: u64,
    /// Why, in a few words.
    pub why: String,
    /// The last packet that was read.
    pub after: Option<super::Proof>,
}

/// Kinds of input.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FileKind {
    /// pcap, pcapng or snoop.
    #[default]
    Capture,
    /// A phone's or server's log.
    Log,
    /// A configuration file.
    Config,
    /// A boot file.
    Boot,
    /// None of these.
    Other,
}

impl FileTrack {
    /// Whether nothing at all could be read of it.
    pub fn is_unread(&self) -> bool {
        self.ends_early.is_some() && self.packets.unwrap_or(0) == 0 && self.lines.unwrap_or(0) == 0
    }

    /// The latest time of the stretch in which a packet lies.
    fn end(&self, number: u32) -> Option<Time> {
        let later = self.stretches.partition_point(|(first, _)| *first <= number);
        let stretch = later.checked_sub(1).and_then(|index| self.stretches.get(index));
        stretch.map(|(_, end)| *end).or(self.to)
    }
}

impl Tracks {
    /// Until when the capture goes on after that, as far as its clock can be trusted.
    pub fn end(&self, proof: super::Proof) -> Time {
        self.files.get(usize::from(proof.file)).and_then(|file| file.end(proof.number)).unwrap_or(proof.at)
    }

    /// Whether there are inputs and nothing could be read of any.
    pub fn is_unread(&self) -> bool {
        !self.files.is_empty() && self.files.iter().all(FileTrack::is_unread)
    }

    /// All transactions that are kept, in the order of their first packets.
    pub fn transactions(&self) -> impl Iterator<Item = (TransactionId, &Transaction)> {
        let numbered = self.transactions.iter().zip(0..);
        numbered.filter_map(|(kept, index)| Some((TransactionId(index), kept.as_deref()?)))
    }

    /// One of them; `None` where it was given up because its call was healthy and is over.
    pub fn transaction(&self, id: TransactionId) -> Option<&Transaction> {
        self.transactions.get(id.0 as usize)?.as_deref()
    }

    /// The transactions of a leg that are kept.
    pub fn of_leg<'a>(&'a self, leg: &'a Leg) -> impl Iterator<Item = &'a Transaction> {
        leg.transactions.iter().filter_map(|&id| self.transaction(id))
    }

    /// The name of the file that a proof lies in.
    pub fn file_name(&self, proof: super::Proof) -> &str {
        self.files.get(usize::from(proof.file)).map_or("", |file| &file.name)
    }

    /// Counts one thing that did not fit into its table.
    pub fn leave_out(&mut self, what: &'static str) {
        *self.left_out.entry(what).or_default() += 1;
    }

    /// One of them, to be added to.
    pub fn transaction_mut(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        self.transactions.get_mut(id.0 as usize)?.as_deref_mut()
    }
}
