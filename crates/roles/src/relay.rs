//! What an exchange asks of its media relay and what it hears from it.

use std::net::{IpAddr, SocketAddr};

use proto::rtp::Format;
use proto::sdp::Codec;
use proto::sdp::offer_answer::AgreedSrtp;
use serde::{Deserialize, Serialize};

/// One relayed call, named by the exchange.
pub type RelayId = u32;

/// The two legs of a relayed call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The caller.
    A,
    /// The callee.
    B,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum RelayCommand {
    /// Open RTP (and RTCP one port above) at both addresses and pass packets between them.
    Open {
        /// The call.
        relay: RelayId,
        /// Facing the caller.
        a: SocketAddr,
        /// Facing the callee.
        b: SocketAddr,
    },
    /// What the SDP of one leg says: where it receives, and its keys.
    Point {
        /// The call.
        relay: RelayId,
        /// Which leg.
        side: Side,
        /// Its address; `None` while it holds (`0.0.0.0`) or is unknown.
        remote: Option<SocketAddr>,
        /// The host that its signalling comes from: its sound is expected from there too.
        home: Option<IpAddr>,
        /// What it may send, by what it was told. A stranger is not believed for anything else.
        formats: Vec<Format>,
        /// Its keys where the leg is encrypted.
        srtp: Option<Box<AgreedSrtp>>,
    },
    /// Speak to one leg. What the other leg says does not reach it meanwhile.
    Play {
        /// The call.
        relay: RelayId,
        /// Who hears it.
        side: Side,
        /// What is said; `None` passes the other leg's packets on again.
        speech: Option<Speech>,
    },
    /// Close; answered by [`RelayEvent::Closed`].
    Close {
        /// The call.
        relay: RelayId,
    },
}

/// What a leg hears of the exchange itself, and how it is coded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Speech {
    /// What is heard.
    pub sound: Sound,
    /// Its coding.
    pub codec: Codec,
    /// The payload type that the leg knows it by.
    pub payload_type: u8,
}

/// What an exchange can say by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sound {
    /// The leg's own packets.
    Echo,
    /// 1,000 Hz without end.
    TestTone,
    /// Three short beeps: a setting is stored.
    Confirmation,
    /// Music for those who wait; where there is none, a beep now and then.
    Music,
}

/// What the relay tells.
#[derive(Clone, Debug, PartialEq)]
pub enum RelayEvent {
    /// Closed.
    Closed {
        /// The call.
        relay: RelayId,
        /// What came from the caller.
        a: RelayFigures,
        /// What came from the callee.
        b: RelayFigures,
    },
    /// Somebody else sends to a leg; told once for each [`RelayCommand::Point`] at another place. His
    /// packets are dropped.
    Stranger {
        /// The call.
        relay: RelayId,
        /// Whose port he sends to.
        side: Side,
        /// Who he is.
        from: SocketAddr,
    },
    /// Could not be opened, or not pointed: the call has no sound.
    Failed {
        /// The call.
        relay: RelayId,
        /// What went wrong, in words that name the remedy.
        reason: String,
    },
}

/// What was measured of one direction.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct RelayFigures {
    /// Packets received.
    pub packets: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Packets missing by sequence number; `None` where nothing came.
    pub lost: Option<u64>,
    /// RFC 3550 jitter in milliseconds.
    pub jitter_ms: Option<f64>,
    /// Packets from strangers, dropped.
    pub strangers: u64,
}
