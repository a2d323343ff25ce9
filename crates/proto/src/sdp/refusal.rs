//! Why an offer or an answer is not taken.

use std::fmt;

/// Why an offer or an answer is not taken, and what to tell the other party.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// No live audio stream is offered.
    NoAudio,
    /// No codec is shared.
    NoCommonCodec,
    /// A transport profile nobody here speaks, for example `UDP/TLS/RTP/SAVPF`.
    Transport,
    /// The stream has no `c=` line, neither of its own nor of the session.
    NoAddress,
    /// We encrypt always and the other party has no key for us.
    SrtpRequired,
    /// The other party insists on SRTP and we do not encrypt, or no key of its fits.
    SrtpNotAcceptable,
    /// The answer refuses the stream with port 0.
    Rejected,
    /// The answer does not fit the offer: another number or kind of streams, or a key that nobody
    /// offered.
    Mismatch,
    /// Our own offer is on its way (RFC 3264 §4): glare.
    Glare,
    /// An answer to nothing.
    NoOffer,
}

impl Refusal {
    /// The SIP status to refuse an offer with (RFC 3261 §13.3.1.3, §14.2).
    pub fn status(self) -> u16 {
        match self {
            Self::Glare => 491,
            _ => 488,
        }
    }

    /// The code of a Warning header (RFC 3261 §20.43).
    pub fn warning(self) -> u16 {
        match self {
            Self::NoAudio | Self::Rejected => 304,
            Self::NoCommonCodec => 305,
            Self::Transport => 302,
            Self::NoAddress => 300,
            Self::SrtpRequired | Self::SrtpNotAcceptable => 307,
            Self::Mismatch | Self::Glare | Self::NoOffer => 399,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAudio => "the other party offers no audio stream",
            Self::NoCommonCodec => "no codec in common; enable one of the other party's codecs",
            Self::Transport => "the other party offers a transport profile that is not supported",
            Self::NoAddress => "the other party's description names no address (no c= line)",
            Self::SrtpRequired => "encryption is required here and the other party offers no key; set SRTP to optional or enable it there",
            Self::SrtpNotAcceptable => "the other party insists on SRTP that is not acceptable here; enable SRTP or a suite in common",
            Self::Rejected => "the other party refuses the audio stream",
            Self::Mismatch => "the other party's answer does not fit the offer",
            Self::Glare => "an offer of ours is still unanswered; try again shortly",
            Self::NoOffer => "the other party answers although nothing was offered",
        })
    }
}

impl std::error::Error for Refusal {}
