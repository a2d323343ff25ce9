//! One account's settings, read from the table once.

use proto::sip::flow::Transport;

use super::account_views::{
    Advanced, Anonymous, Blf, CodecName, Codes, Dtmf, DtmfInfo, DtmfType, Forward, Forwards, Hold, Hotline,
    Identity, KeepAlive, Mwi, Nat, Pickup, RPort, Registration, Server, SessionTimer, SipServer, Srtp,
    Switch,
};
use super::key::Key;
use super::secret::Secret;
use super::store::Settings;

/// The parameter of a literal name, found while compiling.
macro_rules! key {
    ($name:literal) => {
        const { crate::settings::table::row($name) }.at(0, 0)
    };
    ($name:literal, $first:expr) => {
        const { crate::settings::table::row($name) }.at($first, 0)
    };
    ($name:literal, $first:expr, $second:expr) => {
        const { crate::settings::table::row($name) }.at($first, $second)
    };
}
pub(super) use key;

/// Everything that the phone knows of one account.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AccountSettings {
    /// The account, from 1.
    pub number: u8,
    /// Line Enable.
    pub enabled: bool,
    /// What the screen calls it; the phone number where no label is set.
    pub label: String,
    /// Display Name.
    pub display_name: String,
    /// Phone Number: the user that is registered, without a domain.
    pub user: String,
    /// The domain of the Phone Number, where it was written with one.
    pub domain: Option<String>,
    /// Account: the digest user; the phone number where none is set.
    pub auth_name: String,
    /// Password.
    pub password: Secret,
    /// Proxy Server and its backup.
    pub servers: [SipServer; 2],
    /// Outbound Server and Backup Outbound Server; not set where no outbound server is in use.
    pub outbound: [Server; 2],
    /// How it registers.
    pub registration: Registration,
    /// NAT.
    pub nat: Nat,
    /// SIP Advanced Setup.
    pub advanced: Advanced,
    /// Hold.
    pub hold: Hold,
    /// Digits.
    pub dtmf: Dtmf,
    /// RTP Encrypt Type.
    pub srtp: Srtp,
    /// The offered key names its lifetime.
    pub srtp_lifetime: bool,
    /// Codecs that are on, the preferred first.
    pub codecs: Vec<CodecName>,
    /// Sound in a packet; none leaves it to the far end.
    pub ptime_ms: Option<u8>,
    /// Calls ask for 100rel (RFC 3262).
    pub reliable_provisional: bool,
    /// RFC 4028.
    pub session_timer: SessionTimer,
    /// Headers that name the caller, in order.
    pub caller_from: Vec<Identity>,
    /// Headers that name the called party, in order.
    pub called_from: Vec<Identity>,
    /// A Privacy header hides the caller.
    pub honour_privacy: bool,
    /// P-Preferred-Identity counts as P-Asserted-Identity.
    pub read_preferred_identity: bool,
    /// A new identity during a call is shown.
    pub refresh_identity: bool,
    /// Request addresses carry `user=phone`.
    pub user_is_phone: bool,
    /// An attended transfer names the target by its Contact.
    pub refer_to_contact: bool,
    /// The User-Agent, where it is not the phone's own.
    pub user_agent: Option<String>,
    /// The account's own forwards; [`super::PhoneSettings::forwards_of`] says which hold.
    pub own_forwards: Forwards,
    /// The account's own DND; the phone's holds as well.
    pub dnd: Switch,
    /// Anonymous calls.
    pub anonymous: Anonymous,
    /// Calls are answered by themselves.
    pub auto_answer: bool,
    /// The hotline of this account.
    pub hotline: Hotline,
    /// Missed calls are kept.
    pub log_missed: bool,
    /// Most calls at once.
    pub calls_at_once: u8,
    /// The ring tone; none: the phone's.
    pub ring_tone: Option<String>,
    /// Alert-Info chooses the ring tone.
    pub ring_by_alert_info: bool,
    /// Waiting messages.
    pub mwi: Mwi,
    /// Watching others.
    pub blf: Blf,
    /// Taking others' calls.
    pub pickup: Pickup,
}

impl AccountSettings {
    /// Reads account `number`, from 1.
    pub fn read(settings: &Settings, number: u8) -> Self {
        let s = settings;
        let n = number;
        let (user, domain) = split_user(s.text(key!("account.X.user_name", n)));
        let outbound_on = s.on(key!("account.X.outbound_proxy_enable", n));
        Self {
            number,
            enabled: s.on(key!("account.X.enable", n)),
            label: filled(s, key!("account.X.label", n)).unwrap_or_else(|| user.clone()),
            display_name: s.string(key!("account.X.display_name", n)),
            auth_name: filled(s, key!("account.X.auth_name", n)).unwrap_or_else(|| user.clone()),
            password: Secret::new(s.text(key!("account.X.password", n))),
            user,
            domain,
            servers: [sip_server(s, n, 1), sip_server(s, n, 2)],
            outbound: if outbound_on { [outbound(s, n, 1), outbound(s, n, 2)] } else { Default::default() },
            registration: registration(s, n),
            nat: nat(s, n),
            advanced: advanced(s, n),
            hold: hold(s, n),
            dtmf: dtmf(s, n),
            srtp: srtp(s.text(key!("account.X.srtp_encryption", n))),
            srtp_lifetime: s.on(key!("account.X.srtp_lifetime", n)),
            codecs: codecs(s, n),
            ptime_ms: Some(s.number(key!("account.X.ptime", n))).filter(|ms| *ms > 0),
            reliable_provisional: s.on(key!("account.X.100rel_enable", n)),
            session_timer: session_timer(s, n),
            caller_from: caller_from(s.text(key!("account.X.cid_source", n))),
            called_from: called_from(s.text(key!("account.X.cp_source", n))),
            honour_privacy: s.on(key!("account.X.cid_source_privacy", n)),
            read_preferred_identity: s.on(key!("account.X.cid_source_ppi", n)),
            refresh_identity: s.on(key!("account.X.refresh_remote_id.enable", n)),
            user_is_phone: s.on(key!("account.X.enable_user_equal_phone", n)),
            refer_to_contact: s.on(key!("account.X.transfer_refer_to_contact_header.enable", n)),
            user_agent: filled(s, key!("account.X.custom_ua", n)),
            own_forwards: own_forwards(s, n),
            dnd: dnd(s, n),
            anonymous: anonymous(s, n),
            auto_answer: s.on(key!("account.X.auto_answer", n)),
            hotline: hotline(s, n),
            log_missed: s.on(key!("account.X.missed_calllog", n)),
            calls_at_once: calls_at_once(s, n),
            ring_tone: filled(s, key!("account.X.ringtone.ring_type", n)).filter(|tone| tone != "Common"),
            ring_by_alert_info: s.on(key!("account.X.alert_info_url_enable", n)),
            mwi: mwi(s, n),
            blf: blf(s, n),
            pickup: pickup(s, n),
        }
    }

    /// Reads every account that the model has.
    pub fn read_all(settings: &Settings) -> Vec<Self> {
        (1..=settings.model().accounts).map(|number| Self::read(settings, number)).collect()
    }

    /// Whether it has all it needs to register: it is enabled and has a number and a server.
    pub fn can_register(&self) -> bool {
        self.enabled && !self.user.is_empty() && self.servers[0].server.is_set()
    }

    /// The domain of its addresses: that of its number, else its server as written.
    pub fn home(&self) -> &str {
        self.domain.as_deref().unwrap_or(&self.servers[0].server.host)
    }
}

fn sip_server(s: &Settings, account: u8, number: u8) -> SipServer {
    SipServer {
        server: Server {
            host: s.string(key!("account.X.sip_server.N.address", account, number)),
            port: s.number(key!("account.X.sip_server.N.port", account, number)),
        },
        transport: match s.text(key!("account.X.sip_server.N.transport_type", account, number)) {
            "1" => Some(Transport::Tcp),
            "2" => Some(Transport::Tls),
            "3" => None,
            _ => Some(Transport::Udp),
        },
        expires_s: s.number(key!("account.X.sip_server.N.expires", account, number)),
    }
}

fn outbound(s: &Settings, account: u8, number: u8) -> Server {
    Server {
        host: s.string(key!("account.X.outbound_proxy.N.address", account, number)),
        port: s.number(key!("account.X.outbound_proxy.N.port", account, number)),
    }
}

fn registration(s: &Settings, n: u8) -> Registration {
    Registration {
        retry_interval_s: s.number(key!("account.X.reg_fail_retry_interval", n)),
        back_off_s: (
            s.number(key!("account.X.reg_failed_retry_min_time", n)),
            s.number(key!("account.X.reg_failed_retry_max_time", n)),
        ),
        refresh_lead_s: lead(s.number(key!("account.X.register_expires_overlap", n))),
        unregister_at_start: s.on(key!("account.X.unregister_on_reboot", n)),
        with_mac: s.on(key!("account.X.register_mac", n)),
        with_line: s.on(key!("account.X.register_line", n)),
        outbound_fallback_s: s.number(key!("account.X.outbound_proxy_fallback_interval", n)),
    }
}

fn nat(s: &Settings, n: u8) -> Nat {
    Nat {
        rport: match s.text(key!("account.X.nat.rport", n)) {
            "1" => RPort::Enable,
            "2" => RPort::DirectProcess,
            _ => RPort::Disable,
        },
        keep_alive: match s.text(key!("account.X.nat.udp_update_enable", n)) {
            "1" => KeepAlive::Dummy,
            "2" => KeepAlive::Options,
            "3" => KeepAlive::Notify,
            "4" => KeepAlive::Crlf,
            _ => KeepAlive::Off,
        },
        keep_alive_interval_s: s.number(key!("account.X.nat.udp_update_time", n)),
    }
}

fn advanced(s: &Settings, n: u8) -> Advanced {
    Advanced {
        domain_as_written: s.on(key!("account.X.advanced.domain_name_type", n)),
        carry_port: s.on(key!("account.X.advanced.carry_port_information", n)),
        signal_port: Some(s.number(key!("account.X.advanced.signal_port", n))).filter(|port| *port > 0),
        request_uri_user_check: s.on(key!("account.X.advanced.request_uri_user_check", n)),
        only_from_server: s.on(key!("account.X.advanced.only_recv_request_from_server", n)),
        silence_for_others: s.on(key!("account.X.advanced.only_recv_silence", n)),
        server_address: s.string(key!("account.X.advanced.server_address", n)),
        dhcp_option_120: s.on(key!("account.X.advanced.dhcp_option_120_override", n)),
        call_without_registration: s.on(key!("account.X.advanced.outgoing_call_without_registration", n)),
        diversion_with_blank: s.on(key!("account.X.advanced.diversion_dialect", n)),
        offer_vad_no: s.on(key!("account.X.advanced.codec.offer_vad_no", n)),
    }
}

fn hold(s: &Settings, n: u8) -> Hold {
    Hold {
        by_info: s.on(key!("account.X.advanced.hold_method", n)),
        inactive: s.on(key!("account.X.hold_use_inactive", n)),
        zero_address: s.on(key!("sip.rfc2543_hold")),
    }
}

fn dtmf(s: &Settings, n: u8) -> Dtmf {
    Dtmf {
        kind: match s.text(key!("account.X.dtmf.type", n)) {
            "0" => DtmfType::Inband,
            "2" => DtmfType::Info,
            "3" => DtmfType::Rfc2833AndInfo,
            _ => DtmfType::Rfc2833,
        },
        info: match s.text(key!("account.X.dtmf.info_type", n)) {
            "2" => DtmfInfo::Plain,
            "3" => DtmfInfo::TelephoneEvent,
            _ => DtmfInfo::Relay,
        },
        payload_type: s.number(key!("account.X.dtmf.dtmf_payload", n)),
    }
}

fn srtp(text: &str) -> Srtp {
    match text {
        "1" => Srtp::Optional,
        "2" => Srtp::Compulsory,
        _ => Srtp::Off,
    }
}

fn codecs(s: &Settings, n: u8) -> Vec<CodecName> {
    let all = [
        (CodecName::Pcma, key!("account.X.codec.pcma.enable", n), key!("account.X.codec.pcma.priority", n)),
        (CodecName::Pcmu, key!("account.X.codec.pcmu.enable", n), key!("account.X.codec.pcmu.priority", n)),
        (CodecName::G722, key!("account.X.codec.g722.enable", n), key!("account.X.codec.g722.priority", n)),
    ];
    let on = all.into_iter().filter(|(_, enable, _)| s.on(*enable));
    let mut on: Vec<(u8, CodecName)> = on.map(|(name, _, priority)| (s.number(priority), name)).collect();
    on.sort();
    on.into_iter().map(|(_, name)| name).collect()
}

fn session_timer(s: &Settings, n: u8) -> SessionTimer {
    SessionTimer {
        enabled: s.on(key!("account.X.session_timer.enable", n)),
        expires_s: s.number(key!("account.X.session_timer.expires", n)),
        refresher_is_uas: s.on(key!("account.X.session_timer.refresher", n)),
    }
}

fn caller_from(text: &str) -> Vec<Identity> {
    use Identity::{From, Pai, Rpid};
    match text {
        "0" => vec![From],
        "1" => vec![Pai],
        "3" => vec![Rpid, Pai, From],
        "4" => vec![Pai, Rpid, From],
        "5" => vec![Rpid, From],
        _ => vec![Pai, From],
    }
}

fn called_from(text: &str) -> Vec<Identity> {
    match text {
        "0" => vec![Identity::Pai, Identity::Rpid],
        "2" => vec![Identity::From],
        _ => vec![Identity::Dialled],
    }
}

fn own_forwards(s: &Settings, n: u8) -> Forwards {
    Forwards {
        always: Forward {
            enabled: s.on(key!("account.X.always_fwd.enable", n)),
            target: s.string(key!("account.X.always_fwd.target", n)),
            codes: codes(
                s,
                key!("account.X.always_fwd.on_code", n),
                key!("account.X.always_fwd.off_code", n),
            ),
        },
        busy: Forward {
            enabled: s.on(key!("account.X.busy_fwd.enable", n)),
            target: s.string(key!("account.X.busy_fwd.target", n)),
            codes: codes(s, key!("account.X.busy_fwd.on_code", n), key!("account.X.busy_fwd.off_code", n)),
        },
        no_answer: Forward {
            enabled: s.on(key!("account.X.timeout_fwd.enable", n)),
            target: s.string(key!("account.X.timeout_fwd.target", n)),
            codes: codes(
                s,
                key!("account.X.timeout_fwd.on_code", n),
                key!("account.X.timeout_fwd.off_code", n),
            ),
        },
        no_answer_after_s: s.number(key!("account.X.timeout_fwd.timeout", n)),
    }
}

fn dnd(s: &Settings, n: u8) -> Switch {
    Switch {
        enabled: s.on(key!("account.X.dnd.enable", n)),
        codes: codes(s, key!("account.X.dnd.on_code", n), key!("account.X.dnd.off_code", n)),
    }
}

fn anonymous(s: &Settings, n: u8) -> Anonymous {
    Anonymous {
        call: Switch {
            enabled: s.on(key!("account.X.anonymous_call", n)),
            codes: codes(
                s,
                key!("account.X.anonymous_call_oncode", n),
                key!("account.X.anonymous_call_offcode", n),
            ),
        },
        send_call_codes: s.on(key!("account.X.send_anonymous_code", n)),
        by_server_only: s.on(key!("account.X.anonymous_call.server_base_only", n)),
        reject: Switch {
            enabled: s.on(key!("account.X.reject_anonymous_call", n)),
            codes: codes(
                s,
                key!("account.X.anonymous_reject_oncode", n),
                key!("account.X.anonymous_reject_offcode", n),
            ),
        },
        send_reject_codes: s.on(key!("account.X.send_anonymous_rejection_code", n)),
    }
}

fn hotline(s: &Settings, n: u8) -> Hotline {
    Hotline {
        enabled: s.on(key!("account.X.auto_dial_enable", n)),
        number: s.string(key!("account.X.auto_dial_num", n)),
    }
}

fn calls_at_once(s: &Settings, n: u8) -> u8 {
    match s.number(key!("account.X.phone_setting.call_appearance.calls_per_linekey", n)) {
        0 => s.number(key!("phone_setting.call_appearance.calls_per_linekey")),
        own => own,
    }
}

fn mwi(s: &Settings, n: u8) -> Mwi {
    Mwi {
        subscribe: s.on(key!("account.X.subscribe_mwi", n)),
        expires_s: s.number(key!("account.X.subscribe_mwi_expires", n)),
        at_voice_mail: s.on(key!("account.X.subscribe_mwi_to_vm", n)),
        shown: s.on(key!("account.X.display_mwi.enable", n)),
        voice_mail: s.string(key!("voice_mail.number.X", n)),
    }
}

fn blf(s: &Settings, n: u8) -> Blf {
    Blf {
        expires_s: s.number(key!("account.X.blf.subscribe_period", n)),
        match_host: s.on(key!("account.X.blf.match_host.enable", n)),
        out_of_dialog: s.on(key!("account.X.out_dialog_blf_enable", n)),
        refresh_lead_s: lead(s.number(key!("account.X.subscribe_expires_overlap", n))),
        retry_interval_s: s.number(key!("account.X.sub_fail_retry_interval", n)),
    }
}

fn pickup(s: &Settings, n: u8) -> Pickup {
    let code = |own: Key, common: Key| filled(s, own).unwrap_or_else(|| s.string(common));
    let directed = code(key!("account.X.direct_pickup_code", n), key!("features.pickup.direct_pickup_code"));
    let group = code(key!("account.X.group_pickup_code", n), key!("features.pickup.group_pickup_code"));
    Pickup {
        directed_code: s.on(key!("features.pickup.direct_pickup_enable")).then_some(directed),
        group_code: s.on(key!("features.pickup.group_pickup_enable")).then_some(group),
        by_dialog_info: s.on(key!("account.X.dialoginfo_callpickup", n)),
    }
}

pub(super) fn codes(s: &Settings, on: Key, off: Key) -> Codes {
    Codes { on: s.string(on), off: s.string(off) }
}

/// The text of a parameter that is not empty.
pub(super) fn filled(s: &Settings, key: Key) -> Option<String> {
    Some(s.text(key)).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// `7001@example.com` as user and domain.
fn split_user(text: &str) -> (String, Option<String>) {
    match text.rsplit_once('@') {
        Some((user, domain)) => (user.to_owned(), Some(domain.to_owned()).filter(|it| !it.is_empty())),
        None => (text.to_owned(), None),
    }
}

/// A refresh lead; -1 means half the time.
fn lead(seconds: i64) -> Option<u32> {
    u32::try_from(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Source;

    fn account(lines: &[(&str, &str)]) -> AccountSettings {
        let mut settings = Settings::default();
        for (name, value) in lines {
            settings.set(name, value, Source::MacCfg).expect("an accepted value");
        }
        AccountSettings::read(&settings, 1)
    }

    #[test]
    fn an_account_from_the_factory_is_the_deck_s() {
        let account = account(&[]);
        assert!(!account.enabled && !account.can_register());
        assert_eq!(account.servers[0].expires_s, 1_800);
        assert_eq!(account.codecs, [CodecName::Pcma, CodecName::Pcmu]);
        assert_eq!(account.ptime_ms, Some(20));
        assert_eq!(account.dtmf, Dtmf { kind: DtmfType::Rfc2833, info: DtmfInfo::Relay, payload_type: 101 });
        assert!(account.hold.zero_address && !account.hold.inactive && !account.hold.by_info);
        assert_eq!(account.registration.retry_interval_s, 30);
        assert_eq!(account.pickup.directed_code.as_deref(), Some("*04"));
        assert_eq!(account.caller_from, [Identity::Pai, Identity::From]);
    }

    #[test]
    fn the_number_stands_in_for_what_is_not_set() {
        let account = account(&[("account.1.user_name", "7001@example.com"), ("account.1.enable", "1")]);
        assert_eq!((account.label.as_str(), account.auth_name.as_str()), ("7001", "7001"));
        assert_eq!((account.user.as_str(), account.home()), ("7001", "example.com"));
    }

    #[test]
    fn codecs_come_by_priority() {
        let account =
            account(&[("account.1.codec.g722.enable", "1"), ("account.1.codec.g722.priority", "0")]);
        assert_eq!(account.codecs, [CodecName::G722, CodecName::Pcma, CodecName::Pcmu]);
    }

    #[test]
    fn an_outbound_server_that_is_not_in_use_is_not_there() {
        let address = ("account.1.outbound_proxy.2.address", "backup");
        assert!(!account(&[address]).outbound[1].is_set());
        assert!(account(&[address, ("account.1.outbound_proxy_enable", "on")]).outbound[1].is_set());
    }

    #[test]
    fn a_password_is_not_in_the_account_s_debug_text() {
        let account = account(&[("account.1.password", "swordfish")]);
        assert_eq!(account.password.expose(), "swordfish");
        assert!(!format!("{account:?}").contains("swordfish"));
    }
}
