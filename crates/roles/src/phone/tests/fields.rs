//! Fields of the account pages: each changes what is sent.

use super::*;
use crate::phone::{Meaning, Place};

const NO_REMOVAL: (&str, &str) = ("account.1.unregister_on_reboot", "0");
const BACKUP: &[(&str, &str)] = &[
    NO_REMOVAL,
    ("account.1.outbound_proxy_enable", "1"),
    ("account.1.outbound_proxy.1.address", "192.168.50.21"),
    ("account.1.outbound_proxy.2.address", "192.168.50.22"),
];

/// A phone at another place than the usual one.
fn placed(settings: &[(&str, &str)], change: impl FnOnce(&mut Place)) -> Bench {
    let mut bench = Bench::new(settings);
    let mut place = bench.phone.desk.place.clone();
    change(&mut place);
    bench.phone = Phone::new(bench.phone.settings().clone(), place, [7; 32], bench.now);
    bench.input(Input::Start);
    bench
}

#[test]
fn a_register_names_the_machine_and_the_line_where_that_is_set() {
    let check = |mac: &str, line: &str, named: [bool; 2]| {
        let settings = [("account.1.register_mac", mac), ("account.1.register_line", line)];
        let mut bench = Bench::new(&settings);
        bench.input(Input::Start);
        let said = ["Mac: 0021f2000001\r\n", "Line: 1\r\n"].map(|header| bench.last().contains(header));
        assert_eq!(said, named, "{}", bench.last());
    };
    check("0", "0", [false, false]);
    check("1", "0", [true, false]);
    check("1", "1", [true, true]);
}

#[test]
fn a_signal_port_is_used_where_it_is_open() {
    let check = |open: &[u16], port: u16| {
        let bench =
            placed(&[("account.1.advanced.signal_port", "5071")], |place| place.signal_ports = open.to_vec());
        let contact = format!("Contact: <sip:7002@192.168.80.20:{port}>");
        let shown = bench.last_shown();
        assert!(shown.contains(&contact), "{contact} is not in\n{shown}");
        assert!(bench.last().contains(&format!("UDP 192.168.80.20:{port};")), "{}", bench.last());
    };
    check(&[5_071], 5_071);
    check(&[], 5_060);
}

#[test]
fn option_120_takes_the_proxy_server_s_place_where_it_may() {
    let check = |allowed: &str, server: &str| {
        let settings = [("account.1.advanced.dhcp_option_120_override", allowed)];
        let bench =
            placed(&settings, |place| place.network.option_120 = Some(("192.168.50.77".into(), 5_060)));
        assert!(bench.last().starts_with(&format!("REGISTER sip:{server} ")), "{}", bench.last());
        assert_eq!(bench.phone.view().accounts[0].server, server);
    };
    check("0", "192.168.50.19");
    check("1", "192.168.50.77");
}

#[test]
fn what_an_offer_says_of_silence_and_of_its_keys() {
    let check = |settings: &[(&str, &str)], said: &str, expected: bool| {
        let mut bench = Bench::registered(settings);
        bench.command("dial 7006");
        assert_eq!(bench.last().contains(said), expected, "{settings:?} {said}\n{}", bench.last());
    };
    check(&[], "a=fmtp:8 vad=no\r\n", true);
    check(&[("account.1.advanced.codec.offer_vad_no", "0")], "vad=no", false);
    let secure = ("account.1.srtp_encryption", "2");
    check(&[secure], "|2^31\r\n", false);
    check(&[secure, ("account.1.srtp_lifetime", "1")], "|2^31\r\n", true);
}

#[test]
fn who_refreshes_a_session_is_asked_for() {
    let check = |refresher: &str, header: &str| {
        let mut bench = Bench::registered(&[
            ("account.1.session_timer.enable", "1"),
            ("account.1.session_timer.refresher", refresher),
        ]);
        bench.command("dial 7006");
        assert!(bench.last().contains(header), "{header} is not in\n{}", bench.last());
    };
    check("0", "Session-Expires: 1800\r\n");
    check("1", "Session-Expires: 1800;refresher=uas\r\n");
}

#[test]
fn too_small_an_interval_is_raised_by_the_server() {
    let mut bench = Bench::registered(&[
        ("account.1.session_timer.enable", "1"),
        ("account.1.session_timer.expires", "120"),
    ]);
    bench.command("dial 7006");
    let invite = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&invite, "422 Session Interval Too Small", "Min-SE: 600", "");
    assert!(bench.last().contains("Session-Expires: 600\r\nMin-SE: 600\r\n"), "{}", bench.last());
}

#[test]
fn calls_abroad_are_forwarded_only_where_that_is_allowed() {
    let check = |allowed: &str, ladder: &str| {
        let mut bench = Bench::registered(&[
            ("forward.always.enable", "1"),
            ("forward.always.target", "0049301234"),
            ("forward.international.enable", allowed),
        ]);
        bench.request("INVITE", "in", "", SDP);
        bench.check(ladder);
    };
    check("1", "s>p INVITE; p>s 100; p>s 302");
    check("0", "s>p INVITE; p>s 100; p>s 180");
}

#[test]
fn how_a_call_rings_is_told() {
    let check = |settings: &[(&str, &str)], headers: &str, ring: &str| {
        let mut bench = Bench::registered(settings);
        bench.request("INVITE", "in", headers, SDP);
        let told = bench.events.iter().find_map(|event| match event {
            EventKind::Incoming { ring, .. } => Some(ring.clone()),
            _ => None,
        });
        assert_eq!(told.as_deref(), Some(ring), "{settings:?} {headers}");
    };
    let by_text = [
        ("distinctive_ring_tones.alert_info.1.text", "internal"),
        ("distinctive_ring_tones.alert_info.1.ringer", "Ring3.wav"),
    ];
    check(&[], "", "Ring1.wav");
    check(&[("account.1.ringtone.ring_type", "Ring5.wav")], "", "Ring5.wav");
    check(&by_text, "Alert-Info: <http://h>;info=internal", "Ring3.wav");
    let off = [by_text[0], by_text[1], ("account.1.alert_info_url_enable", "0")];
    check(&off, "Alert-Info: <http://h>;info=internal", "Ring1.wav");
}

#[test]
fn the_number_that_was_called_is_shown_where_that_is_set() {
    let check = |shown: &str, called: Option<&str>| {
        let mut bench = Bench::registered(&[("sip.disp_incall_to_info", shown)]);
        bench.request("INVITE", "in", "", SDP);
        assert_eq!(bench.phone.view().calls[0].called.as_deref(), called);
    };
    check("0", None);
    check("1", Some("7002"));
}

#[test]
fn codes_of_anonymous_calls_are_dialled_where_that_is_set() {
    let check = |told: &str, ladder: &str| {
        let mut bench = Bench::registered(&[
            ("account.1.send_anonymous_code", told),
            ("account.1.anonymous_call_oncode", "*67"),
            ("account.1.anonymous_call_offcode", "*68"),
        ]);
        bench.command("set account.1.anonymous_call 1");
        bench.check(ladder);
    };
    check("0", "");
    check("1", "p>s INVITE");
    let mut bench = Bench::registered(&[
        ("account.1.send_anonymous_rejection_code", "1"),
        ("account.1.reject_anonymous_call", "1"),
        ("account.1.anonymous_reject_offcode", "*87"),
    ]);
    bench.command("set account.1.reject_anonymous_call 0");
    assert!(bench.last().starts_with("INVITE sip:*87@192.168.50.19 "), "{}", bench.last());
}

#[test]
fn hanging_up_completes_an_attended_transfer_where_that_is_set() {
    let check = |on_hook: &str, last: &str| {
        let mut bench = Bench::registered(&[("transfer.on_hook_trans_enable", on_hook)]);
        bench.talk("7007");
        bench.command("consult 7001");
        bench.accept(Method::Invite, SDP);
        let consult = bench.take(Method::Invite).expect("an INVITE");
        bench.answer(&consult, "200 OK", "", SDP);
        bench.forget();
        bench.command("hangup");
        bench.check(last);
    };
    check("0", "p>s BYE");
    check("1", "p>s REFER(Replaces)");
}

/// A phone that is registered at the first of two outbound servers.
fn with_backup(settings: &[(&str, &str)]) -> Bench {
    let all: Vec<_> = BACKUP.iter().chain(settings).copied().collect();
    let mut bench = Bench::new(&all);
    bench.input(Input::Start);
    bench.serve_registration();
    bench
}

#[test]
fn a_call_that_only_the_backup_answers_takes_the_registration_with_it() {
    let mut bench = with_backup(&[]);
    bench.command("dial 7006");
    bench.wait_ms(32_000);
    let invite = bench.sent.pop_back().expect("an INVITE to the backup");
    let text = String::from_utf8_lossy(&invite).into_owned();
    assert!(text.starts_with("INVITE"), "{text}");
    bench.forget();
    let ringing = text.replacen("INVITE sip:7006@192.168.50.19 SIP/2.0", "SIP/2.0 180 Ringing", 1);
    bench.receive_from(
        "192.168.50.22:5060",
        &ringing.replace("\r\nTo: <sip:7006@192.168.50.19>", "\r\nTo: <sip:7006@192.168.50.19>;tag=b"),
    );
    assert!(bench.log().contains("0 Server 192.168.50.21 does not answer"), "{}", bench.log());
    let register = bench.take(Method::Register).expect("a REGISTER by the backup");
    bench.answer(&register, "200 OK", "Expires: 1800", "");
    assert_eq!(bench.phone.view().accounts[0].server, "192.168.50.22");
    assert!(bench.log().contains("0 Server 192.168.50.22"), "{}", bench.log());
}

#[test]
fn the_end_of_a_call_by_the_backup_leaves_the_registration_where_it_is() {
    let mut bench = with_backup(&[]);
    bench.talk("7006");
    bench.forget();
    bench.sent.clear();
    bench.command("hangup");
    let bye = bench.take(Method::Bye).expect("a BYE");
    let text = String::from_utf8_lossy(&bye).into_owned();
    let (head, _) = text.split_once("\r\n").expect("a request line");
    bench.receive_from("192.168.50.22:5060", &text.replacen(head, "SIP/2.0 200 OK", 1));
    assert!(bench.take(Method::Register).is_none(), "{}", bench.log());
    assert_eq!(bench.phone.view().accounts[0].server, "192.168.50.21");
}

#[test]
fn lamps_follow_the_registration_to_the_backup() {
    let mut bench = with_backup(&[
        ("linekey.5.type", "16"),
        ("linekey.5.line", "1"),
        ("linekey.5.value", "7007"),
        ("account.1.register_expires_overlap", "900"),
    ]);
    let first = bench.take(Method::Subscribe).expect("a SUBSCRIBE");
    bench.answer(&first, "200 OK", "Expires: 3600", "");
    bench.wait_ms(900_000);
    bench.wait_ms(32_000);
    let register = bench.sent.pop_back().expect("a REGISTER");
    bench.sent.clear();
    bench.answer(&register, "200 OK", "Expires: 1800", "");
    let second = bench.take(Method::Subscribe).expect("a SUBSCRIBE to the backup");
    assert_ne!(Message::parse(&first).unwrap().call_id(), Message::parse(&second).unwrap().call_id());
    let key = |bench: &Bench| bench.phone.view().keys.last().map(|key| key.lamp.meaning);
    assert_eq!(key(&bench), Some(Meaning::Unknown), "nothing is known of the new server's view");
}

#[test]
fn a_request_inside_a_call_goes_by_the_backup_too() {
    let mut bench = with_backup(&[("sip.use_out_bound_in_dialog", "1")]);
    bench.talk("7006");
    bench.forget();
    bench.command("hangup");
    bench.wait_ms(32_000);
    let byes = bench.ladder.iter().filter(|step| *step == "p>s BYE").count();
    bench.forget();
    bench.wait_ms(31_000);
    assert!(byes > 10 && bench.ladder.iter().any(|step| step == "p>s BYE"), "{:?}", bench.ladder);
}

#[test]
fn another_address_moves_calls_and_lamps() {
    let mut bench =
        Bench::registered(&[("linekey.5.type", "16"), ("linekey.5.line", "1"), ("linekey.5.value", "7007")]);
    let subscribe = bench.take(Method::Subscribe).expect("a SUBSCRIBE");
    bench.answer(&subscribe, "200 OK", "Expires: 3600", "");
    watching::tell(&mut bench, &subscribe, &watching::body(0, "terminated"));
    bench.talk("7006");
    bench.forget();
    bench.sent.clear();
    bench.input(Input::Network(Box::new(crate::role::Network::at([192, 168, 80, 77].into()))));
    let invite = bench.take(Method::Invite).expect("a re-INVITE");
    let text = String::from_utf8_lossy(&invite).into_owned();
    assert!(text.contains("Contact: <sip:7002@192.168.80.77:5060>\r\n"), "{text}");
    assert!(text.contains("c=IN IP4 192.168.80.77\r\n"), "{text}");
    let subscribe = bench.take(Method::Subscribe).expect("a SUBSCRIBE");
    let text = String::from_utf8_lossy(&subscribe).into_owned();
    assert!(text.contains("Contact: <sip:7002@192.168.80.77:5060>\r\n"), "{text}");
    bench.answer(&invite, "200 OK", "", SDP);
    assert_eq!(bench.phone.view().calls.len(), 1);
}
