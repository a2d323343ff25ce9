//! What one party can do and wants: the side of offer/answer that the owner decides.

use std::fmt;
use std::net::IpAddr;

use super::attribute::{Connection, Crypto, Direction};
use super::description::Media;
use crate::rtp::srtp::{MasterKey, Suite};

/// The sound codings of Offhook.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Codec {
    /// G.711 A-law.
    Pcma,
    /// G.711 µ-law.
    Pcmu,
    /// G.722, 16 kHz sound whose RTP clock is 8 kHz all the same (RFC 3551 §4.5.2).
    G722,
}

impl Codec {
    /// All of them.
    pub const ALL: [Codec; 3] = [Codec::Pcma, Codec::Pcmu, Codec::G722];

    /// The static payload type (RFC 3551 §6).
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcma => 8,
            Self::Pcmu => 0,
            Self::G722 => 9,
        }
    }

    /// The encoding's name in `a=rtpmap`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
            Self::G722 => "G722",
        }
    }

    /// Ticks of the RTP timestamp in a second.
    pub const fn clock_hz(self) -> u32 {
        8_000
    }

    /// The codec of this encoding name, in any letter case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// What a payload type of a stream means: by `a=rtpmap`, otherwise by the static table.
    pub fn of(media: &Media, payload_type: u8) -> Option<Self> {
        match media.rtpmap(payload_type) {
            Some(map) if map.clock_hz == 8_000 && map.channels == 1 => Self::from_name(&map.encoding),
            Some(_) => None,
            None => Self::ALL.into_iter().find(|codec| codec.payload_type() == payload_type),
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether sound is to be encrypted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SrtpPolicy {
    /// Never: an offer that insists is refused.
    #[default]
    Off,
    /// If the other party can: offered as plain `RTP/AVP` with `a=crypto` lines (RFC 8643), which
    /// PJSIP, baresip, FreeSWITCH, Asterisk and snom understand or pass over. An offer of `RTP/SAVP`
    /// would leave a party without SRTP no answer but a refusal.
    Optional,
    /// Always: offered as `RTP/SAVP`; a party that cannot is refused.
    Required,
}

/// How a hold is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HoldForm {
    /// `a=inactive` instead of `a=sendonly` (`account.X.hold_use_inactive`).
    pub inactive: bool,
    /// `c=IN IP4 0.0.0.0` as well (`sip.rfc2543_hold`).
    pub zero_address: bool,
}

impl HoldForm {
    /// `a=sendonly` under the true address (RFC 3264 §8.4).
    pub const SENDONLY: HoldForm = HoldForm { inactive: false, zero_address: false };
    /// `a=sendonly` under `0.0.0.0` (deck, Call Hold).
    pub const DECK: HoldForm = HoldForm { inactive: false, zero_address: true };
    /// `a=inactive` under the true address.
    pub const INACTIVE: HoldForm = HoldForm { inactive: true, zero_address: false };
}

/// What one party can do and wants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Local {
    /// User name of `o=` and name of the session; the deck's phone says `F`.
    pub username: String,
    /// Where RTP is received.
    pub address: IpAddr,
    /// The port of RTP.
    pub port: u16,
    /// The port of RTCP if it is not the one after (RFC 3605).
    pub rtcp_port: Option<u16>,
    /// Codecs in order of preference.
    pub codecs: Vec<Codec>,
    /// The payload type to receive key presses by (RFC 4733); none turns them off.
    pub dtmf_payload_type: Option<u8>,
    /// Sound in a packet, in milliseconds.
    pub ptime_ms: u32,
    /// What is wanted apart from hold.
    pub direction: Direction,
    /// Whether to encrypt.
    pub srtp: SrtpPolicy,
    /// Keys in order of preference; needed unless `srtp` is off.
    pub srtp_keys: Vec<MasterKey>,
    /// Whether a key says for how many packets it holds: `|2^31` (RFC 4568 §6.1).
    pub srtp_lifetime: bool,
    /// Whether `a=fmtp` says of a codec that silence is sent too (deck, Call Hold: `vad=no`).
    pub says_vad: bool,
}

impl Local {
    /// The deck's phone at an address: PCMA, PCMU, key presses as 101, 20 ms, no encryption.
    pub fn new(address: IpAddr, port: u16) -> Self {
        Self {
            username: "F".to_owned(),
            address,
            port,
            rtcp_port: None,
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            dtmf_payload_type: Some(101),
            ptime_ms: 20,
            direction: Direction::SendRecv,
            srtp: SrtpPolicy::Off,
            srtp_keys: Vec::new(),
            srtp_lifetime: false,
            says_vad: true,
        }
    }

    /// Our key for a suite.
    pub(super) fn key_for(&self, suite: Suite) -> Option<&MasterKey> {
        self.srtp_keys.iter().find(|key| key.suite() == suite)
    }

    /// The `a=crypto` lines to offer, tagged from 1.
    pub(super) fn crypto_lines(&self) -> Vec<Crypto> {
        let mut lines = if self.srtp == SrtpPolicy::Off { Vec::new() } else { crypto_lines(&self.srtp_keys) };
        if self.srtp_lifetime {
            lines.iter_mut().for_each(|line| line.key_parameters.push_str("|2^31"));
        }
        lines
    }

    /// The `c=` line: the true address, or `0.0.0.0` under an old-style hold.
    pub(super) fn connection(&self, zero: bool) -> Connection {
        match (zero, self.address) {
            (false, address) => Connection::new(address),
            (true, IpAddr::V4(_)) => Connection::new(std::net::Ipv4Addr::UNSPECIFIED.into()),
            (true, IpAddr::V6(_)) => Connection::new(std::net::Ipv6Addr::UNSPECIFIED.into()),
        }
    }
}

/// One `a=crypto` line for each key, tagged from 1.
pub(super) fn crypto_lines(keys: &[MasterKey]) -> Vec<Crypto> {
    (1..).zip(keys).map(|(tag, key)| Crypto::new(tag, key)).collect()
}
