//! RTP streams: one direction, one SSRC.

use std::sync::Arc;

use super::super::proof::{Path, Proof};

/// What was counted of one stream.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The source's identifier.
    pub ssrc: u32,
    /// From the sender to the receiver.
    pub path: Arc<Path>,
    /// Payload types with the packets of each and where it was seen first, at most 8.
    pub payload_types: Vec<(u8, u64, Proof)>,
    /// The codec of most packets, where it is known by number or by SDP.
    pub codec: Option<Box<str>>,
    /// Its clock in Hz.
    pub clock_hz: Option<u32>,
    /// Packet time, learnt from timestamps.
    pub ptime_ms: Option<u32>,
    /// The first packet.
    pub first: Proof,
    /// The last packet.
    pub last: Proof,
    /// Packets without duplicates.
    pub packets: u64,
    /// Packets that were sent and not seen.
    pub lost: u64,
    /// Packets seen twice.
    pub duplicates: u64,
    /// Packets after one that was sent later.
    pub reordered: u64,
    /// Runs of two and more lost packets in a row.
    pub bursts: u32,
    /// The longest run of lost packets.
    pub longest_burst: u32,
    /// RFC 3550 jitter: mean over the packets, in milliseconds.
    pub jitter_ms: Option<f32>,
    /// RFC 3550 jitter: its highest value.
    pub jitter_max_ms: Option<f32>,
    /// The longest time for which the jitter was at least 30 ms, in milliseconds, and where it began.
    pub jitter_high: Option<(u64, Proof)>,
    /// Silences of at least one second: the last packet before, the first after, at most 16.
    pub gaps: Vec<Gap>,
    /// How much faster the sender's clock runs than the capture's, in millionths.
    pub skew_ppm: Option<f32>,
    /// Listening quality by the E-model, where the codec has known figures.
    pub mos: Option<f32>,
    /// DTMF events (RFC 4733) with their first packet, at most 64.
    pub digits: Vec<(char, Proof)>,
    /// Whether the payload looks encrypted: `Some(false)` where silence or tones are seen in clear.
    pub is_srtp: Option<bool>,
    /// RTCP of this stream: what the receiver reported last, lost packets and jitter in milliseconds.
    pub reported: Option<(i32, f32)>,
    /// The leg that agreed on it.
    pub leg: Option<u32>,
}

/// A silence in a stream.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// The last packet before.
    pub before: Proof,
    /// The first packet after.
    pub after: Proof,
    /// How many packets are missing by their numbers; 0 where the sender paused.
    pub lost: u32,
}
