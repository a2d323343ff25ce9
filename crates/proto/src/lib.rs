//! The protocols of Offhook: SIP, SDP, RTP and what stands around them.
//!
//! Everything here is a plain value. Time, chance and packets come in as arguments, packets and
//! meaning go out; there is no socket, no clock, no file, no thread and no lock in this crate.
//!
//! # The contract of every machine
//!
//! * **Told, not asking.** `now: Time` is the first argument of whatever depends on time.
//! * **Bytes out through the caller's buffer; meaning is returned.** Datagrams are pushed to an
//!   `out: &mut Vec<Transmit>`, what they mean to the owner is the return value.
//! * **A parent translates its child's event at once.** Nobody subscribes, nothing bubbles.
//! * **One name for each deadline**, the RFC's where it has one; `next_deadline` says when and why.
//! * **Bounded.** Whatever a peer can grow has a limit.
//! * **No panic** can be reached from bytes.
#![forbid(unsafe_code)]

pub mod arp;
pub mod cdp;
mod checksum;
pub mod dhcp;
pub mod dns;
pub mod ethernet;
pub mod event;
pub mod ftp;
pub mod icmp;
pub mod ipv4;
pub mod lldp;
pub mod pcap;
pub mod rng;
pub mod rtp;
pub mod sdp;
pub mod sip;
pub mod sntp;
pub mod syslog;
pub mod text;
pub mod tftp;
pub mod time;
pub mod url;
pub mod xmlrpc;

pub use rng::Rng;
pub use time::{Time, Wall};
