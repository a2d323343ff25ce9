//! What strangers may do to a phone, and what servers that call from elsewhere may.

use super::*;
use proto::sip::uri::Uri;

pub(super) const STRANGER: &str = "10.0.0.9:5060";
const ALLOWED: (&str, &str) = ("features.direct_ip_call_enable", "1");
const RULE: &str = "account.1.advanced.only_recv_request_from_server";

/// Every way to ask for an answer.
const ASKING: [&str; 5] = [
    "Answer-Mode: Auto",
    "Priv-Answer-Mode: Auto;require",
    "Call-Info: <sip:h>;answer-after=0",
    "Alert-Info: <http://h>;info=alert-autoanswer",
    "Alert-Info: Intercom",
];

/// A request from elsewhere, to the Request-URI `to`.
pub(super) fn request(method: &str, to: &str, call: &str, headers: &str, body: &str) -> String {
    let headers = if headers.is_empty() { String::new() } else { format!("{headers}\r\n") };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} {to} SIP/2.0\r\nVia: SIP/2.0/UDP {STRANGER};branch=z9hG4bK{call}\r\nMax-Forwards: 70\r\n\
         From: <sip:666@h>;tag=f{call}\r\nTo: <{to}>\r\nCall-ID: {call}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:666@{STRANGER}>\r\n{headers}{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Where the phone is known to be.
pub(super) const AT: &str = "sip:7002@192.168.80.20:5060";

fn invite(call: &str, headers: &str) -> String {
    request("INVITE", AT, call, headers, SDP)
}

/// The Contact's URI that the phone gave to its registrar.
fn bound(bench: &mut Bench) -> String {
    bench.input(Input::Start);
    let mut contact = String::new();
    while let Some(register) = bench.take(Method::Register) {
        let message = Message::parse(&register).expect("sound");
        contact = message.contact().expect("a Contact").uri.to_owned();
        let authorized = message.header(Name::Authorization).is_some();
        match authorized {
            false => bench.answer(&register, "401 Unauthorized", CHALLENGE, ""),
            true => bench.answer(&register, "200 OK", "Expires: 1800", ""),
        }
    }
    bench.forget();
    contact
}

/// Takes up a stranger's call.
fn answer(bench: &mut Bench) -> Vec<u8> {
    bench.command("answer");
    let ok = bench.reply(200);
    inside(bench, STRANGER, &ok, "ACK", "");
    ok
}

/// A request of that address in the dialog of an answer.
fn inside(bench: &mut Bench, from: &str, ok: &[u8], method: &str, headers: &str) {
    let ok = Message::parse(ok).expect("sound");
    let text = |name| String::from_utf8_lossy(ok.header(name).unwrap_or_default()).into_owned();
    let headers = if headers.is_empty() { String::new() } else { format!("{headers}\r\n") };
    bench.cseq += 1;
    let number = if method == "ACK" { 1 } else { bench.cseq };
    let (branch, from_header, to, call_id) =
        (bench.cseq, text(Name::From), text(Name::To), text(Name::CallId));
    bench.receive_from(
        from,
        &format!(
            "{method} {AT} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKin{branch}\r\nFrom: {from_header}\r\n\
             To: {to}\r\nCall-ID: {call_id}\r\nCSeq: {number} {method}\r\nContact: <sip:666@{from}>\r\n\
             {headers}Content-Length: 0\r\n\r\n"
        ),
    );
}

#[test]
fn a_stranger_neither_rings_nor_opens_the_microphone() {
    for headers in ASKING.iter().chain([&""]) {
        let mut bench = Bench::registered(&[("account.1.auto_answer", "1")]);
        bench.receive_from(STRANGER, &invite("ghost", headers));
        bench.check("s>p INVITE; p>s 403");
        bench.wait_ms(5_000);
        bench.check_events("");
        assert!(bench.played.is_empty(), "{headers}: {:?}", bench.played);
    }
}

#[test]
fn by_setting_a_stranger_gets_no_answer_to_anything() {
    let mut bench = Bench::registered(&[("account.1.advanced.only_recv_silence", "1")]);
    for method in ["INVITE", "OPTIONS", "MESSAGE", "SUBSCRIBE", "REFER", "NOTIFY", "CANCEL", "BYE", "FOO"] {
        bench.receive_from(STRANGER, &request(method, AT, method, "", ""));
    }
    bench.receive_from(STRANGER, &request("INVITE", AT, "r", "Require: nonsense", ""));
    bench.receive_from(STRANGER, &request("INVITE", "mailto:7002@h", "m", "", ""));
    bench.receive_from(STRANGER, &request("OPTIONS", AT, "to", "", "").replace("Call-ID: to\r\n", ""));
    bench
        .receive_from(STRANGER, &request("BYE", AT, "b", "", "").replace("\r\nCall-ID", ";tag=x\r\nCall-ID"));
    assert!(bench.sent.is_empty(), "{:?}", bench.ladder);
    bench.request("OPTIONS", "server", "", "");
    assert_eq!(bench.reply(200).get(..11), Some(&b"SIP/2.0 200"[..]));
}

#[test]
fn strangers_are_refused_whatever_they_ask_for() {
    for method in ["INVITE", "OPTIONS", "MESSAGE", "SUBSCRIBE", "REFER", "NOTIFY", "PUBLISH"] {
        let mut bench = Bench::registered(&[]);
        bench.receive_from(STRANGER, &request(method, AT, "x", "", ""));
        bench.check(&format!("s>p {method}; p>s 403"));
    }
}

#[test]
fn allow_ip_calls_lets_strangers_ring_and_nothing_more() {
    for headers in ASKING {
        let mut bench = Bench::registered(&[ALLOWED, ("account.1.auto_answer", "1")]);
        bench.receive_from(STRANGER, &invite("ghost", headers));
        bench.check("s>p INVITE; p>s 100; p>s 180");
        bench.wait_ms(60_000);
        bench.check("");
        bench.check_events("incoming");
        assert!(bench.log().contains("asks to be answered by itself and rings"), "{}", bench.log());
    }
    for method in ["OPTIONS", "MESSAGE", "SUBSCRIBE", "REFER", "NOTIFY"] {
        let mut bench = Bench::registered(&[ALLOWED]);
        bench.receive_from(STRANGER, &request(method, AT, "x", "", ""));
        bench.check(&format!("s>p {method}; p>s 403"));
    }
}

/// A stranger's call belongs to no account, so that nothing of an account is shown in it.
#[test]
fn a_strangers_call_has_no_account_and_no_credentials() {
    let mut bench = Bench::registered(&[ALLOWED]);
    bench.receive_from(STRANGER, &invite("ghost", ""));
    answer(&mut bench);
    assert_eq!(bench.phone.view().calls[0].account, 0);
    bench.command("hangup");
    assert_eq!(bench.last_to.map(|to| to.to_string()).as_deref(), Some(STRANGER));
    let bye = bench.take(Method::Bye).expect("a BYE");
    assert!(Message::parse(&bye).expect("sound").header(Name::Authorization).is_none());
    bench.answer(&bye, "401 Unauthorized", CHALLENGE, "");
    assert!(bench.take(Method::Bye).is_none(), "the password is the server's alone");
}

#[test]
fn without_the_rule_a_stranger_rings_but_has_no_more_rights() {
    let mut bench = Bench::registered(&[(RULE, "0"), ("account.1.auto_answer", "1")]);
    bench.receive_from(STRANGER, &invite("ghost", "Answer-Mode: Auto"));
    bench.wait_ms(10_000);
    bench.check("s>p INVITE; p>s 100; p>s 180");
    let ok = answer(&mut bench);
    bench.forget();
    inside(&mut bench, STRANGER, &ok, "REFER", "Refer-To: <sip:0900@192.168.50.19>");
    bench.check("s>p REFER; p>s 403");
    bench.command("hangup");
    let bye = bench.take(Method::Bye).expect("a BYE");
    assert!(Message::parse(&bye).expect("sound").header(Name::Authorization).is_none());
    let mut all = Bench::registered(&[(RULE, "0"), ("sip.trust_ctrl", "1")]);
    all.receive_from(STRANGER, &invite("ghost", ""));
    all.check("s>p INVITE; p>s 403");
}

/// RFC 3261 §16.6: whoever sends to the Contact that was registered puts its parameters into the
/// Request-URI.
#[test]
fn a_call_from_elsewhere_with_the_token_is_the_servers() {
    let mut bench = Bench::new(&[]);
    let contact = bound(&mut bench);
    bench.receive_from(STRANGER, &request("INVITE", &contact, "in", "Answer-Mode: Auto", SDP));
    bench.check("s>p INVITE; p>s 100; p>s 180; p>s 200");
    let ok = bench.reply(200);
    let said = String::from_utf8_lossy(&ok).into_owned();
    let own = said.lines().find(|line| line.starts_with("Contact:")).expect("a Contact");
    assert!(!own.contains("line="), "the registrar alone is told: {own}");
    inside(&mut bench, STRANGER, &ok, "ACK", "");
    bench.check_events("incoming answered");
}

#[test]
fn the_token_stands_in_the_registrars_contact_alone_and_is_the_same_after_a_restart() {
    let first = bound(&mut Bench::new(&[]));
    let uri = Uri::parse(&first).expect("a URI");
    assert_eq!((&*uri.plain_user(), uri.host, uri.port), ("7002", "192.168.80.20", Some(5060)));
    assert!(uri.params.get("line").is_some_and(|token| token.len() == 32), "{first}");
    assert_eq!(bound(&mut Bench::new(&[])), first);
    assert_ne!(bound(&mut Bench::new(&[("account.1.password", "another-secret-of-7002")])), first);
    let mut kept = Bench::new(&[]);
    kept.phone.desk.place.secret = Some(super::super::PhoneSecret([9; 32]));
    let with_secret = bound(&mut kept);
    assert_ne!(with_secret, first);
    let mut bench = Bench::registered(&[]);
    bench.command("dial 7006");
    assert!(!bench.last().contains(";line="), "{}", bench.last());
    assert!(!bench.log().contains(";line="), "{}", bench.log());
}

#[test]
fn a_guessed_token_opens_nothing() {
    let mut bench = Bench::new(&[]);
    let contact = bound(&mut bench);
    let cut = &contact[..contact.len() - 1];
    for (at, guess) in [format!("{AT};line=0"), format!("{AT};line="), cut.to_owned(), format!("{contact}0")]
        .iter()
        .enumerate()
    {
        bench.receive_from(STRANGER, &request("INVITE", guess, &format!("g{at}"), "", SDP));
        bench.check("s>p INVITE; p>s 403");
    }
}

/// RFC 3263: every address that the names of the account's servers stand for may call.
#[test]
fn every_address_of_the_servers_names_may_call() {
    use proto::sip::locate::{Answer, QueryKind, Record};
    let mut bench = Bench::new(&[
        ("account.1.sip_server.1.address", "pbx.example"),
        ("account.1.sip_server.1.port", "0"),
        ("account.1.sip_server.1.transport_type", "3"),
        ("account.1.outbound_proxy_enable", "1"),
        ("account.1.outbound_proxy.1.address", "192.168.50.19"),
        ("account.1.outbound_proxy.2.address", "192.168.50.21"),
        ("account.1.advanced.server_address", "192.168.50.30"),
    ]);
    bench.input(Input::Start);
    let host = |name: &str| (Record::Srv { priority: 1, weight: 1, port: 5070, target: name.into() }, 60);
    for _ in 0..4 {
        for query in std::mem::take(&mut bench.asked) {
            let records = match (query.kind, &*query.name) {
                (QueryKind::Srv, "_sip._udp.pbx.example") => {
                    vec![host("a.pbx.example"), host("b.pbx.example")]
                }
                (QueryKind::A, "a.pbx.example") => {
                    [[192, 0, 2, 1], [192, 0, 2, 2]].map(|ip| (Record::A(ip.into()), 60)).to_vec()
                }
                (QueryKind::A, "b.pbx.example") => vec![(Record::A([192, 0, 2, 3].into()), 60)],
                _ => Vec::new(),
            };
            bench.input(Input::Resolved { query, answer: Answer::Records(records) });
        }
    }
    bench.serve_registration();
    bench.forget();
    let known = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.168.50.19", "192.168.50.21", "192.168.50.30"];
    for (at, ip) in known.iter().enumerate() {
        bench.receive_from(
            &format!("{ip}:{}", 6_000 + at),
            &request("OPTIONS", AT, &format!("o{at}"), "", ""),
        );
        bench.check("s>p OPTIONS; p>s 200");
    }
    bench.receive_from("192.0.2.4:5060", &request("OPTIONS", AT, "x", "", ""));
    bench.check("s>p OPTIONS; p>s 403");
}

#[test]
fn the_rule_judges_requests_outside_of_dialogs_only() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    bench.forget();
    inside(&mut bench, STRANGER, &ok, "BYE", "");
    bench.check("s>p BYE; p>s 200");
    bench.check_events("ended(null,remote)");
}

#[test]
fn a_check_sync_is_judged_by_its_own_setting_alone() {
    let notify = request("NOTIFY", AT, "n", "Event: check-sync", "");
    let check = |settings: &[(&str, &str)], ladder: &str, events: &str| {
        let mut bench = Bench::registered(settings);
        bench.receive_from(STRANGER, &notify);
        bench.check(ladder);
        bench.check_events(events);
    };
    let anybody = ("auto_provision.advanced.check_sync_from", "2");
    check(&[], "s>p NOTIFY; p>s 403", "");
    check(&[anybody], "s>p NOTIFY; p>s 200", "resync provision_failed");
    check(
        &[anybody, ("account.1.advanced.only_recv_silence", "1")],
        "s>p NOTIFY; p>s 200",
        "resync provision_failed",
    );
    check(&[(RULE, "0")], "s>p NOTIFY; p>s 403", "");
    check(&[ALLOWED], "s>p NOTIFY; p>s 403", "");
    let mut bench = Bench::new(&[]);
    let contact = bound(&mut bench);
    bench.receive_from(STRANGER, &request("NOTIFY", &contact, "n", "Event: check-sync;reboot=true", ""));
    bench.check("s>p NOTIFY; p>s 200");
    bench.check_events("reboot");
}

#[test]
fn the_account_that_is_named_decides_on_silence() {
    let second = [
        ("account.2.enable", "1"),
        ("account.2.user_name", "8002"),
        ("account.2.sip_server.1.address", "192.168.50.20"),
    ];
    let check = |silent: &str, user: &str, ladder: &str| {
        let mut settings = second.to_vec();
        settings.push((silent, "1"));
        let mut bench = Bench::registered(&settings);
        bench.forget();
        bench.receive_from(STRANGER, &request("OPTIONS", &AT.replace("7002", user), "o", "", ""));
        bench.check(ladder);
    };
    let (first, other) = ("account.1.advanced.only_recv_silence", "account.2.advanced.only_recv_silence");
    check(first, "7002", "s>p OPTIONS");
    check(first, "8002", "s>p OPTIONS; p>s 403");
    check(other, "7002", "s>p OPTIONS; p>s 403");
    check(other, "8002", "s>p OPTIONS");
    // Whoever is not known here is the default account's.
    check(first, "666", "s>p OPTIONS");
}

#[test]
fn a_call_that_answers_itself_muted_leaves_the_microphone_to_the_next() {
    let mutes = |bench: &mut Bench| -> Vec<bool> {
        let of = |command: &SoundCommand| match command {
            SoundCommand::Mute(muted) => Some(*muted),
            _ => None,
        };
        let told = bench.played.iter().filter_map(of).collect();
        bench.played.clear();
        told
    };
    let muted = ("features.mute.autoanswer_mute.enable", "1");
    let mut bench =
        Bench::registered(&[("account.1.auto_answer", "1"), muted, ("features.auto_answer_delay", "2")]);
    // A person who takes it up before is heard.
    bench.be_called("by-hand");
    bench.command("hangup");
    assert_eq!(mutes(&mut bench), [false; 0]);
    bench.wait_ms(10_000);
    bench.forget();
    for (call, says) in [("muted", None), ("spoken", Some("mute off"))] {
        bench.request("INVITE", call, "", SDP);
        bench.wait_ms(1_000);
        assert_eq!(mutes(&mut bench), [false; 0], "{call} only rings");
        bench.wait_ms(1_500);
        assert_eq!(mutes(&mut bench), [true], "{call}");
        if let Some(says) = says {
            bench.command(says);
            assert_eq!(mutes(&mut bench), [false]);
            bench.command("hangup");
            assert_eq!(mutes(&mut bench), [false; 0]);
        } else {
            bench.command("hangup");
            assert_eq!(mutes(&mut bench), [false]);
        }
        bench.wait_ms(40_000);
    }
    assert!(bench.refused("mute on").contains("no call"));
}

#[test]
fn a_stranger_takes_no_calls_place() {
    let mut bench = Bench::registered(&[ALLOWED]);
    let ok = bench.be_called("in");
    let ok = Message::parse(&ok).expect("sound");
    let replaces = format!("Replaces: in;to-tag={};from-tag={}", ok.to_tag(), ok.from_tag());
    bench.forget();
    bench.receive_from(STRANGER, &invite("thief", &replaces));
    bench.check("s>p INVITE; p>s 100; p>s 403");
    bench.check_events("");
}

#[test]
fn a_refer_is_obeyed_in_calls_through_the_server_and_not_without_end() {
    let mut bench = Bench::registered(&[ALLOWED]);
    bench.receive_from(STRANGER, &invite("ghost", ""));
    let ok = answer(&mut bench);
    bench.forget();
    inside(&mut bench, STRANGER, &ok, "REFER", "Refer-To: <sip:0900@192.168.50.19>");
    bench.check("s>p REFER; p>s 403");

    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    for number in 0..7 {
        bench.forget();
        let refer_to = format!("Refer-To: <sip:80{number}@192.168.50.19>");
        bench.request_inside(&ok, "REFER", &refer_to, "");
        let obeyed = bench.take(Method::Invite);
        assert_eq!(obeyed.is_some(), number < 6, "REFER {number}: {:?}", bench.ladder);
        if let Some(invite) = obeyed {
            bench.answer(&invite, "486 Busy Here", "", "");
            while let Some(notify) = bench.take(Method::Notify) {
                bench.answer(&notify, "200 OK", "", "");
            }
        }
    }
    bench.check("s>p REFER; p>s 503");
    bench.wait_ms(60_001);
    bench.request_inside(&ok, "REFER", "Refer-To: <sip:808@192.168.50.19>", "");
    assert!(bench.take(Method::Invite).is_some());
}

#[test]
fn intercom_is_for_the_numbers_that_the_settings_name() {
    let check = |callers: &str, ladder: &str| {
        let mut bench = Bench::registered(&[("features.intercom.callers", callers)]);
        bench.request("INVITE", "in", "Call-Info: <sip:h>;answer-after=0", SDP);
        bench.check(ladder);
    };
    check("", "s>p INVITE; p>s 100; p>s 180; p>s 200");
    check("7001, 7007", "s>p INVITE; p>s 100; p>s 180; p>s 200");
    check("7001", "s>p INVITE; p>s 100; p>s 180");
}

/// How the sound of a call was agreed on, one after the other.
fn limits(bench: &Bench) -> Vec<crate::sound::BeforeAck> {
    let told = |command: &SoundCommand| match command {
        SoundCommand::Agree { before_ack, .. } => Some(*before_ack),
        _ => None,
    };
    bench.played.iter().filter_map(told).collect()
}

#[test]
fn a_call_that_answers_itself_is_not_heard_before_the_ack() {
    use crate::sound::BeforeAck::{Acknowledged, Nothing, OneSecond};
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "Answer-Mode: Auto", SDP);
    assert_eq!(limits(&bench), [Nothing]);
    let ok = bench.reply(200);
    bench.request_inside(&ok, "ACK", "", "");
    assert_eq!(limits(&bench), [Nothing, Acknowledged]);

    let mut bench = Bench::registered(&[]);
    bench.be_called("in");
    assert_eq!(limits(&bench), [OneSecond, Acknowledged]);

    let mut bench = Bench::registered(&[]);
    bench.command("dial 7006");
    let invite = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&invite, "183 Session Progress", "", SDP);
    assert_eq!(limits(&bench), [OneSecond]);
    bench.answer(&invite, "200 OK", "", "");
    assert_eq!(limits(&bench), [OneSecond, Acknowledged]);
}

#[test]
fn one_caller_has_half_of_the_room_and_ringing_calls_make_way() {
    let mut bench = Bench::registered(&[]);
    for number in 0..8 {
        bench.request("INVITE", &format!("c{number}"), "", SDP);
    }
    assert_eq!(bench.phone.calls.live().count(), 4, "half of eight");
    // The phone is free for its own person, and for others.
    bench.forget();
    bench.command("dial 7006");
    let dialled = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&dialled, "486 Busy Here", "", "");
    let others = |bench: &mut Bench, number: usize| {
        bench.cseq += 1;
        let text = invite(&format!("o{number}"), "").replace("sip:666@h", &format!("sip:9{number}@h"));
        bench.receive(&text.replace(STRANGER, SERVER));
    };
    for number in 0..8 {
        others(&mut bench, number);
    }
    let ringing: Vec<_> = bench.phone.calls.live().map(|(_, call)| call.peer.number.clone()).collect();
    assert_eq!(ringing.len(), 8);
    let greedy = ringing.iter().filter(|number| *number == "7007").count();
    assert_eq!(greedy, 1, "whoever has most makes way: {ringing:?}");
    // Among equals, whoever has rung for long makes way.
    bench.forget();
    others(&mut bench, 8);
    assert!(bench.ladder.last().is_some_and(|step| step == "p>s 486"), "{:?}", bench.ladder);
    bench.wait_ms(20_000);
    bench.forget();
    others(&mut bench, 9);
    assert_eq!(bench.ladder, ["s>p INVITE", "p>s 100", "p>s 486", "p>s 180"]);
}

#[test]
fn strangers_calls_ring_two_at_a_time_and_keep_nobody_out() {
    let mut bench = Bench::registered(&[ALLOWED]);
    for number in 0..8 {
        bench.receive_from(&format!("10.0.0.{number}:5060"), &invite(&format!("g{number}"), ""));
    }
    assert_eq!(bench.phone.calls.live().count(), 2);
    bench.forget();
    bench.request("INVITE", "in", "", SDP);
    bench.check("s>p INVITE; p>s 100; p>s 180");
}

#[test]
fn a_cancel_counts_from_the_server_alone() {
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "", SDP);
    let cseq = bench.cseq;
    let cancel = format!(
        "CANCEL {AT} SIP/2.0\r\nVia: SIP/2.0/UDP {SERVER};branch=z9hG4bKin{cseq};rport\r\n\
         From: \"Jack\" <sip:7007@192.168.50.19>;tag=fin\r\nTo: <sip:7002@192.168.80.20>\r\nCall-ID: in\r\n\
         CSeq: {cseq} CANCEL\r\nContent-Length: 0\r\n\r\n"
    );
    bench.forget();
    bench.receive_from(STRANGER, &cancel);
    bench.check("s>p CANCEL; p>s 481");
    bench.check_events("");
    bench.receive(&cancel);
    bench.check("s>p CANCEL; p>s 200; p>s 487");
    bench.check_events("ended(487,remote)");
    // Another address of the server's may take the call back.
    let mut bench = Bench::registered(&[("account.1.advanced.server_address", "192.168.50.30")]);
    bench.cseq = cseq - 1;
    bench.request("INVITE", "in", "", SDP);
    bench.forget();
    bench.receive_from("192.168.50.30:5060", &cancel);
    bench.check("s>p CANCEL; p>s 200; p>s 487");
}

#[test]
fn nobody_keeps_a_phone_away_for_longer_than_an_hour() {
    for asked in ["4294967295", "3601"] {
        let mut bench = Bench::new(&[("account.1.unregister_on_reboot", "0")]);
        bench.input(Input::Start);
        let register = bench.take(Method::Register).expect("a REGISTER");
        bench.answer(&register, "503 Service Unavailable", &format!("Retry-After: {asked}"), "");
        let told = bench.events.iter().find_map(|event| match event {
            EventKind::RegistrationFailed { retry_in_s, .. } => Some(*retry_in_s),
            _ => None,
        });
        assert_eq!(told, Some(3_600), "{asked}");
        assert!(bench.log().contains("is too long, waiting 3600s"), "{}", bench.log());
        bench.wait_ms(3_600_000);
        assert!(bench.take(Method::Register).is_some(), "{asked}");
    }
}

#[test]
fn a_watcher_is_not_kept_away_for_longer_than_an_hour() {
    let check = |answer: &dyn Fn(&mut Bench, &[u8])| {
        let key = [("linekey.2.type", "16"), ("linekey.2.line", "1"), ("linekey.2.value", "7006")];
        let mut bench = Bench::registered(&key);
        let subscribe = bench.take(Method::Subscribe).expect("a SUBSCRIBE");
        answer(&mut bench, &subscribe);
        assert!(bench.log().contains("BLF 7006 Retry-After of 4294967295s is too long"), "{}", bench.log());
        bench.wait_ms(3_599_000);
        assert!(bench.take(Method::Subscribe).is_none());
        bench.wait_ms(1_001);
        assert!(bench.take(Method::Subscribe).is_some());
    };
    check(&|bench, subscribe| {
        bench.answer(subscribe, "503 Service Unavailable", "Retry-After: 4294967295", "");
    });
    check(&|bench, subscribe| {
        bench.answer(subscribe, "200 OK", "Expires: 3600", "");
        let state = "Event: dialog\r\nSubscription-State: terminated;reason=probation;retry-after=4294967295";
        bench.request_inside(subscribe, "NOTIFY", state, "");
    });
}

/// A far end that is reached past the server, by redirection, Contact or Record-Route, has no claim on the account.
#[test]
fn a_refer_counts_by_where_it_comes_from() {
    let refer_to = "Refer-To: <sip:0900@192.168.50.19>";
    let mut bench = Bench::registered(&[]);
    let invite = bench.talk("7006");
    bench.forget();
    bench.request_inside_from(STRANGER, &invite, "REFER", refer_to, "");
    bench.check("s>p REFER; p>s 403");
    bench.request_inside(&invite, "REFER", refer_to, "");
    assert!(bench.take(Method::Invite).is_some(), "{:?}", bench.ladder);

    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    bench.forget();
    bench.request_inside_from(STRANGER, &ok, "REFER", refer_to, "");
    bench.check("s>p REFER; p>s 403");
}

#[test]
fn a_refer_asks_for_a_call_and_for_nothing_else() {
    let check = |refer_to: &str, expected: Option<&str>| {
        let mut bench = Bench::registered(&[]);
        let ok = bench.be_called("in");
        bench.request_inside(&ok, "REFER", &format!("Refer-To: <{refer_to}>"), "");
        let invite = bench.take(Method::Invite).map(|invite| String::from_utf8_lossy(&invite).into_owned());
        let line = invite.as_deref().and_then(|invite| invite.lines().next());
        assert_eq!(line, expected, "{refer_to}: {:?}", bench.ladder);
    };
    check("sip:8001@192.168.50.19;method=BYE", None);
    check("sip:8001@192.168.50.19;method=INVITE;x=1", Some("INVITE sip:8001@192.168.50.19;x=1 SIP/2.0"));
    check("sip:8001@192.168.50.19?Subject=x", Some("INVITE sip:8001@192.168.50.19 SIP/2.0"));
}
