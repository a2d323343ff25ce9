//! The parts of an account's settings, as the phone wants them.

use proto::sip::flow::Transport;
use serde::Serialize;

/// A SIP server or an outbound server.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Server {
    /// Host name or address without brackets; empty where there is none.
    pub host: String,
    /// The port; 0 asks the DNS.
    pub port: u16,
}

impl Server {
    /// Whether there is one.
    pub fn is_set(&self) -> bool {
        !self.host.is_empty()
    }
}

/// One of an account's two SIP servers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SipServer {
    /// Where it is.
    pub server: Server,
    /// How SIP travels there; none leaves it to the DNS (RFC 3263).
    pub transport: Option<Transport>,
    /// The registration time that is asked for.
    pub expires_s: u32,
}

/// How an account registers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Registration {
    /// The wait after a failure.
    pub retry_interval_s: u32,
    /// Shortest and longest wait where waits double; a longest of 0 keeps the retry interval.
    pub back_off_s: (u32, u32),
    /// How long before its end it is refreshed; none: after half its time.
    pub refresh_lead_s: Option<u32>,
    /// Whether an old registration is taken back at start.
    pub unregister_at_start: bool,
    /// Whether REGISTER names the MAC address.
    pub with_mac: bool,
    /// Whether REGISTER names the line.
    pub with_line: bool,
    /// How long the backup outbound server is kept before the first is tried again.
    pub outbound_fallback_s: u32,
}

/// The deck's RPort field.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RPort {
    /// No `rport`.
    #[default]
    Disable,
    /// `;rport` in Via (RFC 3581).
    Enable,
    /// `;rport`, and the Contact is rewritten to received:rport and registered anew.
    DirectProcess,
}

/// What keeps the way through a NAT open.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepAlive {
    /// Nothing.
    #[default]
    Off,
    /// A datagram without meaning.
    Dummy,
    /// OPTIONS.
    Options,
    /// NOTIFY.
    Notify,
    /// An empty line twice (RFC 5626 §3.5.1).
    Crlf,
}

/// An account behind a NAT.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Nat {
    /// The deck's RPort field.
    pub rport: RPort,
    /// What keeps the way open.
    pub keep_alive: KeepAlive,
    /// How often.
    pub keep_alive_interval_s: u32,
}

/// The deck's page SIP Advanced Setup, and what no page names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Advanced {
    /// Domain Name Type: From, To and Request-URI carry the server as written, else its address.
    pub domain_as_written: bool,
    /// Carry Port Information.
    pub carry_port: bool,
    /// Signal Port; none: the phone's own.
    pub signal_port: Option<u16>,
    /// Request-URI User Check: a user that is no account gets 404.
    pub request_uri_user_check: bool,
    /// Only Recv Request From Server.
    pub only_from_server: bool,
    /// Others get silence instead of 403.
    pub silence_for_others: bool,
    /// Server Address: a further address that counts as the server's.
    pub server_address: String,
    /// DHCP option 120 may take the proxy server's place.
    pub dhcp_option_120: bool,
    /// Outgoing Call without Registration.
    pub call_without_registration: bool,
    /// Spell Diversion's reason `no answer` as older phones do.
    pub diversion_with_blank: bool,
    /// Write `fmtp … vad=no` for PCMA and PCMU.
    pub offer_vad_no: bool,
}

/// How hold is told to the far side.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Hold {
    /// By INFO instead of a re-INVITE.
    pub by_info: bool,
    /// `inactive` instead of `sendonly`.
    pub inactive: bool,
    /// `c=0.0.0.0` as well (RFC 2543 §B.5).
    pub zero_address: bool,
}

/// The ways of sending a digit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DtmfType {
    /// Tones in the sound.
    Inband,
    /// RFC 4733 (the page says RFC2833).
    #[default]
    Rfc2833,
    /// SIP INFO.
    Info,
    /// RFC 4733 and SIP INFO.
    Rfc2833AndInfo,
}

/// The body of a digit by SIP INFO.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DtmfInfo {
    /// `application/dtmf-relay`.
    #[default]
    Relay,
    /// `application/dtmf`.
    Plain,
    /// `application/dtmf-relay` by the event's number.
    TelephoneEvent,
}

/// How digits are sent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Dtmf {
    /// The way.
    pub kind: DtmfType,
    /// The body of INFO.
    pub info: DtmfInfo,
    /// The payload type of telephone-event in an offer.
    pub payload_type: u8,
}

/// Whether sound is encrypted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Srtp {
    /// Never.
    #[default]
    Off,
    /// Where the far end agrees.
    Optional,
    /// Or no call.
    Compulsory,
}

/// RFC 4028.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SessionTimer {
    /// Whether calls ask for it.
    pub enabled: bool,
    /// The interval that is asked for.
    pub expires_s: u32,
    /// Whether the called side refreshes.
    pub refresher_is_uas: bool,
}

/// A codec that is switched on.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CodecName {
    /// G.711 A-law, payload type 8.
    Pcma,
    /// G.711 mu-law, payload type 0.
    Pcmu,
    /// G.722, payload type 9.
    G722,
}

impl CodecName {
    /// The static payload type (RFC 3551 §6).
    pub const fn payload_type(self) -> u8 {
        match self {
            CodecName::Pcma => 8,
            CodecName::Pcmu => 0,
            CodecName::G722 => 9,
        }
    }

    /// The name in `rtpmap`.
    pub const fn rtpmap_name(self) -> &'static str {
        match self {
            CodecName::Pcma => "PCMA",
            CodecName::Pcmu => "PCMU",
            CodecName::G722 => "G722",
        }
    }
}

/// Which header names the caller.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// From.
    From,
    /// P-Asserted-Identity (RFC 3325).
    Pai,
    /// Remote-Party-ID.
    Rpid,
    /// The digits that were dialled.
    #[default]
    Dialled,
}

/// One kind of forward.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Forward {
    /// Whether it is on.
    pub enabled: bool,
    /// Where calls go.
    pub target: String,
    /// Dialled when it is switched on or off.
    pub codes: Codes,
}

impl Forward {
    /// The target, if it is on and has one.
    pub fn active(&self) -> Option<&str> {
        (self.enabled && !self.target.is_empty()).then_some(self.target.as_str())
    }
}

/// The three forwards.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Forwards {
    /// Every call.
    pub always: Forward,
    /// While the phone is on a call or DND is on.
    pub busy: Forward,
    /// When nobody answers.
    pub no_answer: Forward,
    /// How long a call rings first.
    pub no_answer_after_s: u32,
}

/// Codes that tell the server what was switched; empty where it is not told.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Codes {
    /// Dialled when it is switched on.
    pub on: String,
    /// Dialled when it is switched off.
    pub off: String,
}

/// A switch with its codes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Switch {
    /// Whether it is on.
    pub enabled: bool,
    /// What tells the server.
    pub codes: Codes,
}

/// Calls without an identity.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Anonymous {
    /// Hide who calls.
    pub call: Switch,
    /// Whether the codes of `call` are dialled.
    pub send_call_codes: bool,
    /// The server hides the caller; From stays.
    pub by_server_only: bool,
    /// Reject callers without an identity.
    pub reject: Switch,
    /// Whether the codes of `reject` are dialled.
    pub send_reject_codes: bool,
}

/// Waiting messages (RFC 3842).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Mwi {
    /// Whether they are subscribed to.
    pub subscribe: bool,
    /// The time that is asked for.
    pub expires_s: u32,
    /// The voice mail number is asked instead of the account.
    pub at_voice_mail: bool,
    /// Whether they light the lamp.
    pub shown: bool,
    /// What the message key dials.
    pub voice_mail: String,
}

/// Subscriptions of BLF keys.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Blf {
    /// The time that is asked for.
    pub expires_s: u32,
    /// The host of an entity must match too.
    pub match_host: bool,
    /// A NOTIFY outside of a subscription may set a lamp.
    pub out_of_dialog: bool,
    /// How long before its end any subscription is refreshed; none: after half its time.
    pub refresh_lead_s: Option<u32>,
    /// The wait after a failed subscription.
    pub retry_interval_s: u32,
}

/// How ringing calls of others are taken.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pickup {
    /// The code before an extension's number; none where directed pickup is off.
    pub directed_code: Option<String>,
    /// The code for a call of the group; none where group pickup is off.
    pub group_code: Option<String>,
    /// Replace the notified dialog where it is named.
    pub by_dialog_info: bool,
}

/// A number that is dialled when the receiver is lifted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Hotline {
    /// Whether it is dialled.
    pub enabled: bool,
    /// The number.
    pub number: String,
}

impl Hotline {
    /// The number, if it is on and has one.
    pub fn active(&self) -> Option<&str> {
        (self.enabled && !self.number.is_empty()).then_some(self.number.as_str())
    }
}
