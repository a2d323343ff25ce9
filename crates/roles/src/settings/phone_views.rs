//! The parts of the settings that hold for the whole phone.

use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

use super::account_views::Switch;
use super::secret::Secret;

/// SIP of all accounts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SipSettings {
    /// The local port for UDP and TCP.
    pub port: u16,
    /// RFC 3261's T1.
    pub t1_ms: u32,
    /// RFC 3261's T2.
    pub t2_ms: u32,
    /// Only Recv Request From Server, whatever the accounts say.
    pub only_from_server: bool,
    /// Allow IP Calls.
    pub ip_calls: bool,
    /// Every check-sync restarts the phone.
    pub notify_restarts: bool,
    /// Requests in a dialog go by the outbound server too.
    pub outbound_in_dialog: bool,
    /// A dialled `#` is written as `%23`.
    pub pound_as_23: bool,
    /// The longest random wait before the first registration.
    pub start_delay_s: u32,
    /// The User-Agent ends with the MAC address.
    pub mac_in_user_agent: bool,
    /// An incoming call shows which number was called.
    pub show_called_number: bool,
    /// A dialled 00 becomes +.
    pub plus_for_00: bool,
    /// A 180 after a 183 starts the local ringback tone.
    pub ringback_after_183: bool,
    /// A 183 is taken as a 180.
    pub treat_183_as_180: bool,
    /// A NOTIFY check-sync or resync is obeyed.
    pub resync_by_notify: bool,
    /// Of whom.
    pub check_sync_from: CheckSyncFrom,
    /// What the screen shows for 403; none: the server's words.
    pub text_of_403: Option<String>,
}

/// Whose check-sync is obeyed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CheckSyncFrom {
    /// The servers of the phone's accounts.
    #[default]
    Registrar,
    /// Also of others who show name and password of an account.
    Digest,
    /// Anybody's who reaches the phone.
    Anybody,
}

/// RTP and quality of service.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RtpSettings {
    /// The lowest port.
    pub min_port: u16,
    /// The highest port.
    pub max_port: u16,
    /// Send to where the far end's sound comes from.
    pub symmetric: bool,
    /// DSCP of sound.
    pub audio_dscp: u8,
    /// DSCP of SIP.
    pub signal_dscp: u8,
}

/// VLAN and address of a phone that owns its network socket.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NetworkSettings {
    /// Whether LLDP is sent and listened to.
    pub lldp: bool,
    /// How often LLDP is sent, in seconds.
    pub lldp_interval_s: u16,
    /// Whether CDP is sent and listened to.
    pub cdp: bool,
    /// How often CDP is sent, in seconds.
    pub cdp_interval_s: u16,
    /// The VLAN that a person has set.
    pub manual_vlan: Option<ManualVlan>,
    /// The priority of a VLAN that a DHCP option names.
    pub vlan_priority: u8,
    /// Whether a DHCP option may name the VLAN.
    pub dhcp_vlan: bool,
    /// The DHCP options that name it, the first first.
    pub vlan_options: Vec<u8>,
    /// Whether another VLAN or none is tried where one has no server.
    pub vlan_change: bool,
    /// The address that a person has set; none: DHCP gives it.
    pub fixed: Option<FixedAddress>,
    /// PPPoE is set, which this phone does not speak.
    pub wants_pppoe: bool,
    /// The DNS servers that a person has set.
    pub static_dns: Vec<IpAddr>,
    /// Whether they are used although DHCP names others; with an address that a person has set they always are.
    pub prefers_static_dns: bool,
    /// The host name in DHCP and LLDP; empty: model and MAC address.
    pub host_name: String,
    /// The DHCP options that name the server of the settings, before 66.
    pub url_options: Vec<u8>,
}

/// A VLAN that a person has set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ManualVlan {
    /// Its number, 1 to 4094.
    pub id: u16,
    /// The priority of the phone's frames, 0 to 7.
    pub priority: u8,
}

/// An address that a person has set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FixedAddress {
    /// The address.
    pub ip: Ipv4Addr,
    /// How many leading bits name the network.
    pub prefix_bits: u8,
    /// The router.
    pub gateway: Option<Ipv4Addr>,
}

/// The sound of a call.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SoundSettings {
    /// Whether the jitter buffer follows the network.
    pub adaptive: bool,
    /// Least and most delay of the adaptive jitter buffer.
    pub adaptive_ms: (u16, u16),
    /// Delay of the fixed jitter buffer.
    pub fixed_ms: u16,
    /// Whether RTCP is sent.
    pub rtcp: bool,
    /// How long a digit lasts.
    pub digit_ms: u16,
    /// The pause between two digits.
    pub digit_pause_ms: u16,
    /// The level of a digit, in dB below full scale (RFC 4733 §2.3.3).
    pub digit_level_db: u8,
}

/// Ring tones.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rings {
    /// The phone's ring tone.
    pub usual: String,
    /// Texts in Alert-Info and the ring tones that they choose, in order.
    pub by_alert_info: Vec<(String, String)>,
}

/// When calls may be forwarded at all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ForwardRules {
    /// Whether they may.
    pub allowed: bool,
    /// Each account has its own forwards.
    pub per_account: bool,
    /// Diversion tells who was called and why.
    pub diversion: bool,
    /// Numbers with an international prefix are allowed as targets.
    pub international: bool,
    /// Callers whose calls are not forwarded; empty where emergency calls are forwarded too.
    pub never_forwarded: Vec<String>,
}

/// Final answers that people choose.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RefuseCodes {
    /// While DND is on.
    pub dnd: u16,
    /// The status when a person rejects.
    pub reject: u16,
    /// The status when it rang in vain.
    pub no_answer: u16,
    /// To an anonymous caller.
    pub anonymous: u16,
}

/// How numbers are dialled and how long things ring.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Dialling {
    /// The longest an incoming call rings; none: as long as the caller likes.
    pub ringing_s: Option<u32>,
    /// The longest an outgoing call rings; none: as long as the server likes.
    pub ringback_s: Option<u32>,
    /// The busy tone after the far end hangs up.
    pub busy_tone_s: u32,
    /// Signs that are taken out of a number.
    pub filtered: String,
    /// Dialling keys use the default account.
    pub keys_use_default_account: bool,
    /// The phone's hotline; none: no hotline.
    pub hotline: Option<String>,
}

/// Dialling a busy number again.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AutoRedial {
    /// Whether it is done.
    pub enabled: bool,
    /// The wait between.
    pub interval_s: u32,
    /// How often.
    pub times: u16,
}

/// Calls that answer themselves.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AutoAnswer {
    /// How long they ring first.
    pub delay_s: u32,
    /// A tone is heard first.
    pub tone: bool,
    /// Only while there is no other call.
    pub first_call_only: bool,
    /// With the microphone off.
    pub muted: bool,
}

/// Calls by way of the server that ask to be answered.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Intercom {
    /// Whether they may.
    pub allowed: bool,
    /// With the microphone off.
    pub muted: bool,
    /// A tone is heard first.
    pub tone: bool,
    /// During a call too, which is held.
    pub barge: bool,
    /// The code of an intercom key; none: Call-Info asks for the answer.
    pub code: Option<String>,
    /// The numbers that may ask; empty: all.
    pub callers: Vec<String>,
}

/// What pressing a dialling key during a call does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferByKey {
    /// A new call.
    NewCall,
    /// Begins an attended transfer.
    Attended,
    /// A blind transfer.
    #[default]
    Blind,
}

/// Transfer and conference.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TransferSettings {
    /// What a dialling key does during a call.
    pub by_key: TransferByKey,
    /// To a target that still rings.
    pub semi_attended: bool,
    /// Hanging up completes an attended transfer.
    pub attended_on_hook: bool,
    /// The other two stay connected when the phone leaves a conference.
    pub connects_conference: bool,
    /// Conferences in the phone are allowed.
    pub conference: bool,
}

/// Parking calls.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Park {
    /// Whether calls can be parked.
    pub enabled: bool,
    /// By dialling the code; else by transfer to it.
    pub by_dialling: bool,
    /// The code that parks.
    pub code: String,
    /// The code before the number of a parked call.
    pub retrieve_code: String,
}

/// How a watched extension that rings is told.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BlfAlert {
    /// By a sound.
    pub heard: AlertKeys,
    /// On the screen, with its caller.
    pub shown: AlertKeys,
}

/// The keys whose ringing is told.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AlertKeys {
    /// Whether any is.
    pub on: bool,
    /// The keys; none named: all.
    pub keys: Vec<u8>,
}

impl AlertKeys {
    /// Whether it is told of that key.
    pub fn holds_for(&self, key: u8) -> bool {
        self.on && (self.keys.is_empty() || self.keys.contains(&key))
    }
}

/// What is shown for a moment when it happens.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Popups {
    /// A call that nobody answered.
    pub missed: bool,
    /// A call that was sent elsewhere.
    pub forwarded: bool,
    /// New voice messages.
    pub messages: bool,
}

/// A second call during a call.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CallWaiting {
    /// Whether it rings, and its codes.
    pub switch: Switch,
    /// Whether it is heard.
    pub tone: bool,
}

/// A rule of the dial plan for some accounts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DialRule {
    /// The pattern: `x` a digit, `.` any digits, `[1-3,5]` one of, `(…)` a group.
    pub pattern: String,
    /// What a number that matches becomes; empty for rules that rewrite nothing.
    pub replacement: String,
    /// The accounts for which it holds; empty: all.
    pub accounts: Vec<u8>,
}

/// A code before short numbers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AreaCode {
    /// The code; empty: none.
    pub code: String,
    /// The shortest number that gets it.
    pub min_digits: u8,
    /// The longest number that gets it.
    pub max_digits: u8,
    /// The accounts for which it holds; empty: all.
    pub accounts: Vec<u8>,
}

/// The dial plan.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DialPlan {
    /// Numbers that are rewritten.
    pub replace: Vec<DialRule>,
    /// Numbers that are dialled without waiting.
    pub dial_now: Vec<DialRule>,
    /// Numbers that may not be dialled.
    pub block_out: Vec<DialRule>,
    /// A code before short numbers.
    pub area_code: AreaCode,
}

/// The way of the log to a server.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SyslogSettings {
    /// The server; none: the log stays here.
    pub server: Option<String>,
    /// Its port.
    pub port: u16,
    /// TCP instead of UDP.
    pub tcp: bool,
    /// RFC 5424 instead of RFC 3164.
    pub rfc5424: bool,
    /// How much is logged, 0 to 6 (deck, Syslog).
    pub level: u8,
}

/// Where the phone's settings come from, and when (deck, Provision).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ProvisionSettings {
    /// Whether they are fetched at all.
    pub enabled: bool,
    /// Whether they are fetched when the phone starts.
    pub at_start: bool,
    /// Whether PnP may name the server.
    pub pnp: bool,
    /// Whether DHCP option 66 may name the server.
    pub option_66: bool,
    /// Whether DHCP option 67 may name the file.
    pub option_67: bool,
    /// The server's address, macros unexpanded; empty for none.
    pub rule: String,
    /// Who asks; empty where no server is told.
    pub user: String,
    /// The password at the server.
    pub password: Secret,
    /// Whether the password may be sent as it is.
    pub allows_basic: bool,
    /// The redirection service, macros unexpanded; empty for none.
    pub redirect: String,
    /// What is asked for first at the server of option 66.
    pub file_name: String,
    /// The User-Agent of HTTP; `None`: the phone's own.
    pub user_agent: Option<String>,
    /// How often they are fetched again; `None`: never.
    pub repeat_s: Option<u32>,
    /// The longest wait after the start.
    pub random_delay_s: u32,
    /// The wait after a failure; 0: no other try.
    pub retry_s: u32,
    /// How long a fetch waits for the end of calls.
    pub forced_delay_s: u32,
    /// After how long a configuration with which nobody registers is taken back; `None`: never.
    pub rollback_s: Option<u32>,
    /// New firmware, macros unexpanded; empty for none.
    pub firmware: String,
    /// A whole configuration that is taken once, macros unexpanded; empty for none.
    pub whole: String,
    /// The file that a factory reset goes back to, macros unexpanded; empty for none.
    pub factory_file: String,
    /// Whether they are fetched when the phone starts with new firmware.
    pub after_upgrade: bool,
    /// Only certificates of trusted authorities are taken.
    pub trusted_only: bool,
    /// A certificate must bear the server's name.
    pub checks_name: bool,
}
