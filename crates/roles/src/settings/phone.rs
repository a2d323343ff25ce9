//! The settings of the whole phone, read from the table once.

use super::account::{AccountSettings, codes, filled, key};
use super::account_views::{Forward, Forwards, Switch};
use super::phone_views::{
    AlertKeys, AreaCode, AutoAnswer, AutoRedial, BlfAlert, CallWaiting, CheckSyncFrom, DialPlan, DialRule,
    Dialling, FixedAddress, ForwardRules, Intercom, ManualVlan, NetworkSettings, Park, Popups,
    ProvisionSettings, RefuseCodes, Rings, RtpSettings, SipSettings, SoundSettings, SyslogSettings,
    TransferByKey, TransferSettings,
};
use super::secret::Secret;
use super::source::Source;
use super::store::Settings;

/// Everything that the phone knows beside its accounts and keys.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PhoneSettings {
    /// SIP of all accounts.
    pub sip: SipSettings,
    /// VLAN and address of a phone that owns its network socket.
    pub network: NetworkSettings,
    /// RTP and quality of service.
    pub rtp: RtpSettings,
    /// The sound of a call.
    pub sound: SoundSettings,
    /// Ring tones.
    pub rings: Rings,
    /// When calls may be forwarded.
    pub forward_rules: ForwardRules,
    /// The phone's forwards; [`PhoneSettings::forwards_of`] says which hold for an account.
    pub own_forwards: Forwards,
    /// The phone's DND; an account's holds as well.
    pub dnd: Switch,
    /// Final answers.
    pub refuse: RefuseCodes,
    /// A second call.
    pub call_waiting: CallWaiting,
    /// Numbers and times.
    pub dialling: Dialling,
    /// The dial plan.
    pub dial_plan: DialPlan,
    /// A busy number again.
    pub auto_redial: AutoRedial,
    /// Calls that answer themselves.
    pub auto_answer: AutoAnswer,
    /// Calls that ask to be answered.
    pub intercom: Intercom,
    /// Transfer and conference.
    pub transfer: TransferSettings,
    /// Park.
    pub park: Park,
    /// Watched extensions that ring.
    pub blf_alert: BlfAlert,
    /// What is shown for a moment when it happens.
    pub popups: Popups,
    /// The log's way to a server.
    pub syslog: SyslogSettings,
    /// Where the settings come from, and when.
    pub provision: ProvisionSettings,
}

impl PhoneSettings {
    /// Reads them.
    pub fn read(settings: &Settings) -> Self {
        let s = settings;
        Self {
            sip: sip(s),
            network: network(s),
            rtp: rtp(s),
            sound: sound(s),
            rings: rings(s),
            forward_rules: forward_rules(s),
            own_forwards: own_forwards(s),
            dnd: dnd(s),
            refuse: refuse(s),
            call_waiting: call_waiting(s),
            dialling: dialling(s),
            dial_plan: dial_plan(s),
            auto_redial: auto_redial(s),
            auto_answer: auto_answer(s),
            intercom: intercom(s),
            transfer: transfer(s),
            park: park(s),
            blf_alert: blf_alert(s),
            popups: popups(s),
            syslog: syslog(s),
            provision: provision(s),
        }
    }

    /// The forwards that hold for an account: its own or the phone's; none where forwarding is not
    /// allowed.
    pub fn forwards_of<'a>(&'a self, account: &'a AccountSettings) -> Option<&'a Forwards> {
        let forwards =
            if self.forward_rules.per_account { &account.own_forwards } else { &self.own_forwards };
        self.forward_rules.allowed.then_some(forwards)
    }

    /// Whether calls of that account are turned away.
    pub fn dnd_of(&self, account: &AccountSettings) -> bool {
        self.dnd.enabled || account.dnd.enabled
    }

    /// The number that lifting the receiver on that account dials.
    pub fn hotline_of<'a>(&'a self, account: &'a AccountSettings) -> Option<&'a str> {
        account.hotline.active().or(self.dialling.hotline.as_deref())
    }
}

fn sip(s: &Settings) -> SipSettings {
    SipSettings {
        port: s.number(key!("sip.listen_port")),
        t1_ms: s.millis(key!("sip.timer_t1")),
        t2_ms: s.millis(key!("sip.timer_t2")),
        only_from_server: s.on(key!("sip.trust_ctrl")),
        ip_calls: s.on(key!("features.direct_ip_call_enable")),
        notify_restarts: s.on(key!("sip.notify_reboot_enable")),
        outbound_in_dialog: s.on(key!("sip.use_out_bound_in_dialog")),
        pound_as_23: s.on(key!("sip.use_23_as_pound")),
        start_delay_s: s.number(key!("sip.reg_surge_prevention")),
        mac_in_user_agent: s.on(key!("sip.mac_in_ua")),
        show_called_number: s.on(key!("sip.disp_incall_to_info")),
        plus_for_00: s.on(key!("sip.requesturi.e164.addglobalprefix")),
        ringback_after_183: s.on(key!("phone_setting.is_deal180")),
        treat_183_as_180: s.on(key!("phone_setting.change_183_to_180")),
        resync_by_notify: s.on(key!("auto_provision.advanced.resync_from_sip")),
        check_sync_from: match s.text(key!("auto_provision.advanced.check_sync_from")) {
            "1" => CheckSyncFrom::Digest,
            "2" => CheckSyncFrom::Anybody,
            _ => CheckSyncFrom::Registrar,
        },
        text_of_403: filled(s, key!("phone_setting.show_code403")),
    }
}

fn rtp(s: &Settings) -> RtpSettings {
    let min_port = s.number(key!("network.port.min_rtpport"));
    let max_port: u16 = s.number(key!("network.port.max_rtpport"));
    RtpSettings {
        min_port,
        // An end before the beginning leaves one pair of ports.
        max_port: max_port.max(min_port.saturating_add(1)),
        symmetric: s.on(key!("features.rtp_symmetric.enable")),
        audio_dscp: s.number(key!("network.qos.audiotos")),
        signal_dscp: s.number(key!("network.qos.signaltos")),
    }
}

fn network(s: &Settings) -> NetworkSettings {
    let vlan_priority = s.number(key!("network.vlan.internet_port_priority"));
    let by_hand = s.on(key!("network.vlan.internet_port_enable"));
    // 0 is no VLAN: frames without a tag.
    let id = Some(s.number(key!("network.vlan.internet_port_vid"))).filter(|id| by_hand && *id != 0);
    NetworkSettings {
        lldp: s.on(key!("network.lldp.enable")),
        lldp_interval_s: s.number(key!("network.lldp.packet_interval")),
        cdp: s.on(key!("network.cdp.enable")),
        cdp_interval_s: s.number(key!("network.cdp.packet_interval")),
        manual_vlan: id.map(|id| ManualVlan { id, priority: vlan_priority }),
        vlan_priority,
        dhcp_vlan: s.on(key!("network.vlan.dhcp_enable")),
        vlan_options: s.numbers(key!("network.vlan.dhcp_option")),
        vlan_change: s.on(key!("network.vlan.vlan_change.enable")),
        fixed: fixed_address(s),
        wants_pppoe: s.text(key!("network.internet_port.type")) == "1",
        static_dns: static_dns(s),
        prefers_static_dns: s.on(key!("network.static_dns_enable")),
        host_name: s.string(key!("network.dhcp_host_name")),
        url_options: s.numbers(key!("auto_provision.dhcp_option.list_user_options")),
    }
}

fn fixed_address(s: &Settings) -> Option<FixedAddress> {
    let is_static = s.text(key!("network.internet_port.type")) == "2";
    let ip = s.text(key!("network.internet_port.ip")).parse().ok().filter(|_| is_static)?;
    let mask: Option<std::net::Ipv4Addr> = s.text(key!("network.internet_port.mask")).parse().ok();
    let gateway = s.text(key!("network.internet_port.gateway")).parse().ok();
    Some(FixedAddress {
        ip,
        prefix_bits: mask.map_or(24, |mask| mask.to_bits().leading_ones() as u8),
        gateway,
    })
}

fn static_dns(s: &Settings) -> Vec<std::net::IpAddr> {
    let keys = [key!("network.primary_dns"), key!("network.secondary_dns")];
    keys.into_iter().filter_map(|key| s.text(key).parse().ok()).collect()
}

fn sound(s: &Settings) -> SoundSettings {
    let least: u16 = s.number(key!("voice.jib.min"));
    let most: u16 = s.number(key!("voice.jib.max"));
    SoundSettings {
        adaptive: s.on(key!("voice.jib.adaptive")),
        adaptive_ms: (least, most.max(least)),
        fixed_ms: s.number(key!("voice.jib.normal")),
        rtcp: s.on(key!("voice.rtcp.enable")),
        digit_ms: s.number(key!("features.dtmf.duration")),
        digit_pause_ms: s.number(key!("features.dtmf.min_interval")),
        digit_level_db: s.number::<i8>(key!("features.dtmf.volume")).unsigned_abs(),
    }
}

fn rings(s: &Settings) -> Rings {
    let pairs = (1..=10).map(|at| {
        let text = s.string(key!("distinctive_ring_tones.alert_info.X.text", at));
        (text, s.string(key!("distinctive_ring_tones.alert_info.X.ringer", at)))
    });
    Rings {
        usual: s.string(key!("phone_setting.ring_type")),
        by_alert_info: pairs.filter(|(text, _)| !text.is_empty()).collect(),
    }
}

/// Numbers divided by commas.
fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|number| !number.is_empty()).map(str::to_owned).collect()
}

fn forward_rules(s: &Settings) -> ForwardRules {
    let everything = s.on(key!("features.forward.emergency.enable"));
    let authorised = Some(key!("features.forward.emergency.authorized_number")).filter(|_| !everything);
    ForwardRules {
        allowed: s.on(key!("features.fwd.allow")),
        per_account: s.on(key!("features.fwd_mode")),
        diversion: s.on(key!("features.fwd_diversion_enable")),
        international: s.on(key!("forward.international.enable")),
        never_forwarded: authorised.map(|key| list(s.text(key))).unwrap_or_default(),
    }
}

fn own_forwards(s: &Settings) -> Forwards {
    Forwards {
        always: Forward {
            enabled: s.on(key!("forward.always.enable")),
            target: s.string(key!("forward.always.target")),
            codes: codes(s, key!("forward.always.on_code"), key!("forward.always.off_code")),
        },
        busy: Forward {
            enabled: s.on(key!("forward.busy.enable")),
            target: s.string(key!("forward.busy.target")),
            codes: codes(s, key!("forward.busy.on_code"), key!("forward.busy.off_code")),
        },
        no_answer: Forward {
            enabled: s.on(key!("forward.no_answer.enable")),
            target: s.string(key!("forward.no_answer.target")),
            codes: codes(s, key!("forward.no_answer.on_code"), key!("forward.no_answer.off_code")),
        },
        no_answer_after_s: s.number(key!("forward.no_answer.timeout")),
    }
}

fn dnd(s: &Settings) -> Switch {
    Switch {
        enabled: s.on(key!("features.dnd.enable")),
        codes: codes(s, key!("features.dnd.on_code"), key!("features.dnd.off_code")),
    }
}

fn refuse(s: &Settings) -> RefuseCodes {
    RefuseCodes {
        dnd: s.number(key!("features.dnd_refuse_code")),
        reject: s.number(key!("features.normal_refuse_code")),
        no_answer: s.number(key!("features.no_answer_code")),
        anonymous: s.number(key!("features.anonymous_response_code")),
    }
}

fn call_waiting(s: &Settings) -> CallWaiting {
    CallWaiting {
        switch: Switch {
            enabled: s.on(key!("call_waiting.enable")),
            codes: codes(s, key!("call_waiting.on_code"), key!("call_waiting.off_code")),
        },
        tone: s.on(key!("call_waiting.tone")),
    }
}

fn dialling(s: &Settings) -> Dialling {
    Dialling {
        ringing_s: Some(s.number(key!("phone_setting.ringing_timeout"))).filter(|time| *time > 0),
        ringback_s: Some(s.number(key!("phone_setting.ringback_timeout"))).filter(|time| *time > 0),
        busy_tone_s: s.number(key!("features.busy_tone_delay")),
        filtered: s.string(key!("features.call_num_filter")),
        keys_use_default_account: s.on(key!("features.linekey_call_with_default_account")),
        hotline: filled(s, key!("features.hotline_number")),
    }
}

fn dial_plan(s: &Settings) -> DialPlan {
    let replace = (1..=100).map(|at| DialRule {
        pattern: s.string(key!("dialplan.replace.prefix.X", at)),
        replacement: s.string(key!("dialplan.replace.replace.X", at)),
        accounts: named(s.numbers(key!("dialplan.replace.line_id.X", at))),
    });
    let dial_now = (1..=20).map(|at| DialRule {
        pattern: s.string(key!("dialplan.dialnow.rule.X", at)),
        replacement: String::new(),
        accounts: named(s.numbers(key!("dialplan.dialnow.line_id.X", at))),
    });
    let block_out = (1..=10).map(|at| DialRule {
        pattern: s.string(key!("dialplan.block_out.number.X", at)),
        replacement: String::new(),
        accounts: named(s.numbers(key!("dialplan.block_out.line_id.X", at))),
    });
    DialPlan {
        replace: replace.filter(DialRule::is_set).collect(),
        dial_now: dial_now.filter(DialRule::is_set).collect(),
        block_out: block_out.filter(DialRule::is_set).collect(),
        area_code: AreaCode {
            code: s.string(key!("dialplan.area_code.code")),
            min_digits: s.number(key!("dialplan.area_code.min_len")),
            max_digits: s.number(key!("dialplan.area_code.max_len")),
            accounts: named(s.numbers(key!("dialplan.area_code.line_id"))),
        },
    }
}

impl DialRule {
    fn is_set(&self) -> bool {
        !self.pattern.is_empty()
    }
}

/// The accounts or keys that are named; a 0 among them means all, which is the empty list.
fn named(written: Vec<u8>) -> Vec<u8> {
    if written.contains(&0) { Vec::new() } else { written }
}

fn auto_redial(s: &Settings) -> AutoRedial {
    AutoRedial {
        enabled: s.on(key!("auto_redial.enable")),
        interval_s: s.number(key!("auto_redial.interval")),
        times: s.number(key!("auto_redial.times")),
    }
}

fn auto_answer(s: &Settings) -> AutoAnswer {
    AutoAnswer {
        delay_s: s.number(key!("features.auto_answer_delay")),
        tone: s.on(key!("features.auto_answer_tone.enable")),
        first_call_only: s.on(key!("features.auto_answer.first_call_only")),
        muted: s.on(key!("features.mute.autoanswer_mute.enable")),
    }
}

fn intercom(s: &Settings) -> Intercom {
    Intercom {
        allowed: s.on(key!("features.intercom.allow")),
        muted: s.on(key!("features.intercom.mute")),
        tone: s.on(key!("features.intercom.tone")),
        barge: s.on(key!("features.intercom.barge")),
        code: filled(s, key!("features.intercom.feature_access_code")),
        callers: list(s.text(key!("features.intercom.callers"))),
    }
}

fn transfer(s: &Settings) -> TransferSettings {
    TransferSettings {
        by_key: match s.text(key!("transfer.dsskey_deal_type")) {
            "0" => TransferByKey::NewCall,
            "1" => TransferByKey::Attended,
            _ => TransferByKey::Blind,
        },
        semi_attended: s.on(key!("transfer.semi_attend_tran_enable")),
        attended_on_hook: s.on(key!("transfer.on_hook_trans_enable")),
        connects_conference: s.on(key!("transfer.tran_others_after_conf_enable")),
        conference: s.on(key!("features.conference.local.enable")),
    }
}

fn park(s: &Settings) -> Park {
    Park {
        enabled: s.on(key!("features.call_park.enable")),
        by_dialling: s.on(key!("features.call_park.park_mode")),
        code: s.string(key!("features.call_park.park_code")),
        retrieve_code: s.string(key!("features.call_park.park_retrieve_code")),
    }
}

fn blf_alert(s: &Settings) -> BlfAlert {
    BlfAlert {
        heard: AlertKeys {
            on: s.on(key!("features.pickup.blf_audio_enable")),
            keys: named(s.numbers(key!("features.pickup.blf_audio.list"))),
        },
        shown: AlertKeys {
            on: s.on(key!("features.pickup.blf_visual_enable")),
            keys: named(s.numbers(key!("features.pickup.blf_visual.list"))),
        },
    }
}

fn popups(s: &Settings) -> Popups {
    Popups {
        missed: s.on(key!("features.missed_call_popup.enable")),
        forwarded: s.on(key!("features.forward_call_popup.enable")),
        messages: s.on(key!("features.voice_mail_popup.enable")),
    }
}

fn syslog(s: &Settings) -> SyslogSettings {
    SyslogSettings {
        server: filled(s, key!("syslog.server")).filter(|_| s.on(key!("syslog.mode"))),
        port: s.number(key!("syslog.server_port")),
        tcp: s.on(key!("syslog.transport_type")),
        rfc5424: s.on(key!("syslog.advanced.format")),
        level: s.number(key!("syslog.log_level")),
    }
}

fn provision(s: &Settings) -> ProvisionSettings {
    let seconds = |key| Some(s.number::<u32>(key)).filter(|seconds| *seconds > 0);
    let periodic = key!("auto_provision.advanced.resync_periodic");
    let minutes: u32 = s.number(key!("auto_provision.repeat.minutes"));
    // The seconds count; where nobody has set them, the minutes of the files do.
    let repeat_s = match s.value(periodic).source() {
        Source::Factory => Some(minutes.saturating_mul(60)),
        _ => seconds(periodic),
    };
    ProvisionSettings {
        enabled: s.on(key!("auto_provision.advanced.enable")),
        at_start: s.on(key!("auto_provision.power_on")),
        pnp: s.on(key!("auto_provision.pnp_enable")),
        option_66: s.on(key!("auto_provision.dhcp_option.enable"))
            && s.on(key!("auto_provision.advanced.option_66")),
        option_67: s.on(key!("auto_provision.advanced.option_67")),
        rule: s.string(key!("auto_provision.server.url")),
        user: s.string(key!("auto_provision.server.username")),
        password: Secret::new(s.text(key!("auto_provision.server.password"))),
        allows_basic: s.text(key!("auto_provision.advanced.http_authentication")) == "0",
        redirect: s.string(key!("auto_provision.advanced.redirect_url")),
        file_name: s.string(key!("auto_provision.advanced.config_file_name")),
        user_agent: filled(s, key!("auto_provision.advanced.user_agent")),
        repeat_s: repeat_s.filter(|_| s.on(key!("auto_provision.repeat.enable"))),
        random_delay_s: s.number(key!("auto_provision.advanced.resync_random_delay")),
        retry_s: s.number(key!("auto_provision.advanced.resync_error_retry_delay")),
        forced_delay_s: s.number(key!("auto_provision.advanced.forced_resync_delay")),
        rollback_s: seconds(key!("auto_provision.advanced.rollback_s")),
        firmware: s.string(key!("firmware.url")),
        whole: s.string(key!("configuration.url")),
        factory_file: Some(s.string(key!("custom_factory_configuration.url")))
            .filter(|_| s.on(key!("features.custom_factory_config.enable")))
            .unwrap_or_default(),
        after_upgrade: s.on(key!("auto_provision.advanced.resync_after_upgrade")),
        trusted_only: s.on(key!("security.trust_certificates")),
        checks_name: s.on(key!("security.cn_validation")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(lines: &[(&str, &str)]) -> (PhoneSettings, AccountSettings) {
        let mut settings = Settings::default();
        for (name, value) in lines {
            settings.set(name, value, Source::MacCfg).expect("an accepted value");
        }
        (PhoneSettings::read(&settings), AccountSettings::read(&settings, 1))
    }

    #[test]
    fn a_phone_from_the_factory_is_the_deck_s() {
        let (phone, _) = phone(&[]);
        assert_eq!((phone.sip.port, phone.sip.t1_ms, phone.sip.t2_ms), (5_060, 500, 4_000));
        assert_eq!((phone.rtp.min_port, phone.own_forwards.no_answer_after_s), (10_000, 10));
        assert_eq!((phone.refuse.dnd, phone.refuse.reject), (480, 486));
        assert!(!phone.sip.ip_calls && !phone.sip.notify_restarts && phone.call_waiting.switch.enabled);
    }

    #[test]
    fn the_forward_mode_says_whose_forwards_hold() {
        let lines = [("forward.always.target", "7001"), ("account.1.always_fwd.target", "7002")];
        let target = |mode: (&str, &str)| {
            let (phone, account) = phone(&[lines[0], lines[1], mode]);
            phone.forwards_of(&account).map(|forwards| forwards.always.target.clone())
        };
        assert_eq!(target(("features.fwd_mode", "0")).as_deref(), Some("7001"));
        assert_eq!(target(("features.fwd_mode", "1")).as_deref(), Some("7002"));
        assert_eq!(target(("features.fwd.allow", "0")), None);
    }

    #[test]
    fn the_account_s_hotline_comes_before_the_phone_s() {
        let lines = [("features.hotline_number", "1"), ("account.1.auto_dial_num", "2")];
        let hotline = |enable: &str| {
            let (phone, account) = phone(&[lines[0], lines[1], ("account.1.auto_dial_enable", enable)]);
            phone.hotline_of(&account).map(str::to_owned)
        };
        assert_eq!(hotline("0").as_deref(), Some("1"));
        assert_eq!(hotline("1").as_deref(), Some("2"));
    }

    #[test]
    fn dial_rules_are_gathered() {
        let (phone, _) = phone(&[
            ("dialplan.replace.prefix.7", "0(x.)"),
            ("dialplan.replace.replace.7", "+49$1"),
            ("dialplan.replace.line_id.7", "1,2"),
            ("dialplan.dialnow.rule.1", "7xxx"),
            ("dialplan.dialnow.line_id.1", "0"),
        ]);
        let rule = &phone.dial_plan.replace[0];
        assert_eq!((rule.pattern.as_str(), rule.accounts.as_slice()), ("0(x.)", [1, 2].as_slice()));
        assert_eq!(phone.dial_plan.dial_now[0].accounts, [0_u8; 0]);
    }

    #[test]
    fn a_port_range_that_is_upside_down_has_a_pair() {
        let (phone, _) = phone(&[("network.port.min_rtpport", "20000")]);
        assert_eq!((phone.rtp.min_port, phone.rtp.max_port), (20_000, 20_001));
    }
}
