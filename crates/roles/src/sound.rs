//! What a phone asks of its sound and what it hears from it.

use std::net::{IpAddr, SocketAddr};

pub use proto::rtp::session::BeforeAck;
use proto::sdp::offer_answer::Agreed;
use serde::Serialize;

/// One RTP session of a phone, named by the phone.
pub type SessionId = u32;

/// What is to be done with sound.
#[derive(Clone, Debug, PartialEq)]
pub enum SoundCommand {
    /// Open RTP at `local` and RTCP one port above.
    Open {
        /// The session.
        session: SessionId,
        /// Address and (even) port of RTP.
        local: SocketAddr,
    },
    /// What both sides agreed upon, after each offer and answer.
    Agree {
        /// The session.
        session: SessionId,
        /// Codec, addresses, directions, keys.
        agreed: Box<Agreed>,
        /// Whether this phone holds the call: nothing is heard or said, music or silence is sent.
        held: bool,
        /// How much may be sent while the far end's ACK to our 200 is awaited. A call that answers by
        /// itself says `Nothing`, any other call `OneSecond` as long as its ACK is missing; the command
        /// is given again with `Acknowledged` when the ACK comes.
        before_ack: BeforeAck,
        /// The host that the call's signalling comes from: its sound is expected from there too.
        home: Option<IpAddr>,
    },
    /// Send digits by RFC 4733, or as tones in the sound.
    Dtmf {
        /// The session.
        session: SessionId,
        /// 0–9, *, #, A–D.
        digits: String,
        /// As tones instead of events.
        in_band: bool,
    },
    /// What is heard in the earpiece or speaker instead of a call; `None` for nothing.
    Tone(Option<Tone>),
    /// The sessions that hear one another and the person: one for a call, two for a conference,
    /// none for silence.
    Focus(Vec<SessionId>),
    /// The person is not heard.
    Mute(bool),
    /// Close the session; answered by [`SoundEvent::Closed`].
    Close {
        /// The session.
        session: SessionId,
    },
}

/// Call progress tones (deck and ITU-T E.180).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tone {
    /// Off hook, nothing dialled.
    Dial,
    /// The far end rings.
    Ringback,
    /// Busy, or refused.
    Busy,
    /// No way through.
    Congestion,
    /// This phone rings.
    Ring,
    /// A second call comes in.
    CallWaiting,
    /// Before an automatic answer.
    AutoAnswer,
}

/// What the sound side tells.
#[derive(Clone, Debug, PartialEq)]
pub enum SoundEvent {
    /// The far end sent a digit (RFC 4733).
    Digit {
        /// The session.
        session: SessionId,
        /// The digit.
        digit: char,
    },
    /// The session is closed.
    Closed {
        /// The session.
        session: SessionId,
        /// What was measured.
        figures: Figures,
    },
    /// The session could not be opened or broke.
    Failed {
        /// The session.
        session: SessionId,
        /// What went wrong, in words that name the remedy.
        reason: String,
    },
}

/// What was measured of one session; what is not known is `None`, never a nice default.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// The codec agreed last.
    pub codec: Option<String>,
    /// Packets sent.
    pub tx_packets: Option<u64>,
    /// Packets received.
    pub rx_packets: Option<u64>,
    /// Packets that never came.
    pub rx_lost: Option<u64>,
    /// RFC 3550 jitter in milliseconds.
    pub jitter_ms: Option<f64>,
    /// 1.0 to 4.5 by the E-model (ITU-T G.107).
    pub mos: Option<f64>,
}
