//! What offer and answer agreed, as a session needs it.

use super::super::format::Format;
use super::super::quality::Impairment;
use super::super::srtp::MasterKey;
use std::net::{IpAddr, SocketAddr};

/// What a session needs to know, from offer and answer.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Our canonical name in RTCP.
    pub cname: String,
    /// What sound is sent as.
    pub send: Format,
    /// What may be received; the first is preferred. Anything else is refused by name.
    pub receive: Vec<Format>,
    /// Payload type of the DTMF events we send; the far end's choice.
    pub dtmf_send: Option<u8>,
    /// Payload type of the DTMF events we receive; our choice.
    pub dtmf_receive: Option<u8>,
    /// Milliseconds of sound in each packet we send.
    pub ptime_ms: u32,
    /// Who may speak.
    pub direction: Direction,
    /// Where SDP says that the far end listens.
    pub remote: Option<SocketAddr>,
    /// The host that its signalling comes from: its sound is expected from there too.
    pub home: Option<IpAddr>,
    /// Where SDP says that the far end wants RTCP; the next port where it does not say.
    pub remote_rtcp: Option<SocketAddr>,
    /// RTP and RTCP share a port (RFC 5761).
    pub rtcp_mux: bool,
    /// Answer to where packets come from and not to where SDP says (RFC 4961).
    pub symmetric: bool,
    /// How much may be sent while the far end's ACK is awaited.
    pub before_ack: BeforeAck,
    /// Our key; what is sent is SRTP.
    pub srtp_send: Option<MasterKey>,
    /// The far end's key; what is received must be SRTP.
    pub srtp_receive: Option<MasterKey>,
    /// What the codec costs, for the MOS; `None` where no figure is published.
    pub impairment: Option<Impairment>,
}

impl SessionConfig {
    /// PCMA or PCMU both ways with DTMF as 101, 20 ms, symmetric, in the clear.
    pub fn g711(payload_type: u8, remote: Option<SocketAddr>) -> Self {
        let format = Format { payload_type, clock_rate_hz: 8_000 };
        Self {
            cname: "offhook".to_owned(),
            send: format,
            receive: vec![format],
            dtmf_send: Some(101),
            dtmf_receive: Some(101),
            ptime_ms: 20,
            direction: Direction::SendReceive,
            remote,
            home: None,
            remote_rtcp: None,
            rtcp_mux: false,
            symmetric: true,
            before_ack: BeforeAck::Acknowledged,
            srtp_send: None,
            srtp_receive: None,
            impairment: Some(Impairment::G711_CONCEALED),
        }
    }

    pub(super) fn format_of(&self, payload_type: u8) -> Option<Format> {
        self.receive.iter().copied().find(|format| format.payload_type == payload_type)
    }

    /// All that may arrive: sound and keys.
    pub(super) fn receivable(&self) -> Vec<Format> {
        let keys = self
            .dtmf_receive
            .map(|payload_type| Format { payload_type, clock_rate_hz: self.send.clock_rate_hz });
        self.receive.iter().copied().chain(keys).collect()
    }

    pub(super) fn step(&self) -> u32 {
        let step = u64::from(self.send.clock_rate_hz) * u64::from(self.ptime_ms) / 1_000;
        u32::try_from(step).unwrap_or(u32::MAX)
    }
}

/// How much may be sent before the far end has acknowledged the call.
///
/// An INVITE needs no true source address and names where sound is to go. Without a limit one datagram
/// has a stream of sound sent to anybody, until the missing ACK ends the call after 32 s (RFC 3261
/// §13.3.1.4).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum BeforeAck {
    /// No limit: the ACK has come, or the call is our own and was answered.
    #[default]
    Acknowledged,
    /// One second in all while nothing has come from the address that is sent to; no limit once
    /// something has.
    OneSecond,
    /// Nothing, neither RTP nor RTCP: for calls that nobody here answered by hand.
    Nothing,
}

/// The direction attribute of SDP, seen from here.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Direction {
    /// `sendrecv`.
    #[default]
    SendReceive,
    /// `sendonly`: we hold the far end.
    SendOnly,
    /// `recvonly`: we are held.
    ReceiveOnly,
    /// `inactive`.
    Inactive,
}

impl Direction {
    /// True where we may speak.
    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendReceive | Direction::SendOnly)
    }

    /// True where we listen.
    pub const fn receives(self) -> bool {
        matches!(self, Direction::SendReceive | Direction::ReceiveOnly)
    }
}
