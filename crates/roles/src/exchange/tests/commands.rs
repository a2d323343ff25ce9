//! What is asked by command: calls made, led and listed.

use super::*;
use crate::relay::Side;

fn originate(bench: &mut Bench, from: &str, to: &str) -> u64 {
    let wish = What::Originate { from: from.into(), to: to.into() };
    match bench.command(wish) {
        Answer::Started(call) => call,
        other => panic!("not started: {other:?}"),
    }
}

/// 7001 picks up the call that was made for it to 7002, which answers too. Returns the INVITEs of both.
fn connected(bench: &mut Bench, phones: &[Phone; 3]) -> (String, String) {
    originate(bench, "7001", "7002");
    let first = bench.heard(&phones[0], "INVITE");
    let ok = phones[0].answer(&first, 200, "", SDP);
    bench.say(&phones[0], &ok);
    let second = bench.heard(&phones[1], "INVITE");
    let ok = phones[1].answer(&second, 200, "", SDP);
    bench.say(&phones[1], &ok);
    let led = bench.heard(&phones[0], "INVITE");
    let ok = phones[0].answer(&led, 200, "", SDP);
    bench.say(&phones[0], &ok);
    (first, second)
}

#[test]
fn a_call_is_made_by_command() {
    let mut bench = Bench::new();
    let phones = bench.ready();
    let (first, second) = connected(&mut bench, &phones);
    bench.check(
        "s>7001 INVITE; 7001>s 200; s>7001 ACK; s>7002 INVITE; 7002>s 200; s>7002 ACK; \
         s>7001 INVITE; 7001>s 200; s>7001 ACK",
    );
    assert!(first.contains("From: <sip:7002@") || first.contains("From: \"7002\" <sip:7002@"), "{first}");
    assert!(first.contains(&format!("{}RTP/AVP 8 0 101\r\n", bench.audio(Side::B))), "{first}");
    assert!(
        second.contains("From: \"7001\" <sip:7001@") && second.contains(&bench.audio(Side::B)),
        "{second}"
    );
    let Answer::Calls(calls) = bench.command(What::Calls { number: None }) else { panic!("no calls") };
    assert_eq!(
        (&*calls[0].caller.number, &*calls[0].callee.number, calls[0].answered),
        ("7001", "7002", true)
    );
}

/// A machine without a clock of its own gets its time after the exchange has started.
#[test]
fn dates_follow_the_wall_clock_and_deadlines_do_not() {
    const SET_AT_S: u64 = 1_764_000_000;
    let mut bench = Bench::new();
    let phones = bench.ready();
    bench.changes.clear();
    let registered = |bench: &mut Bench| {
        let Answer::Registrations(all) = bench.command(What::Registrations { number: Some("7001".into()) })
        else {
            panic!("no registrations")
        };
        all.iter().map(|it| it.expires_at_s).collect::<Vec<_>>()
    };
    let before = registered(&mut bench);
    assert_eq!(before.len(), 1);
    let ahead_s = SET_AT_S - bench.now.as_secs();
    bench.give(Input::Wall(Wall::showing(Time::from_secs(SET_AT_S), bench.now)));
    assert_eq!(registered(&mut bench), [before[0] + ahead_s], "told by the wall clock");
    let kept = |change: &Change| matches!(change, Change::Binding(it) if it.expires_at_s > SET_AT_S);
    assert_eq!(bench.changes.iter().filter(|change| kept(change)).count(), 3, "and kept anew");

    connected(&mut bench, &phones);
    bench.wait(5);
    let Answer::Calls(calls) = bench.command(What::Calls { number: None }) else { panic!("no calls") };
    assert_eq!(calls[0].started_at_ms / 1_000, SET_AT_S);
    let call = calls[0].call;
    assert!(matches!(bench.command(What::HangUp(call)), Answer::Ok));
    let all = What::Records { before: None, number: None, count: 9 };
    let Answer::Records(records) = bench.command(all) else { panic!("no records") };
    let ended_s = (records[0].ended_at_ms - records[0].started_at_ms) / 1_000;
    assert_eq!((records[0].started_at_ms / 1_000, ended_s), (SET_AT_S, 5));

    // The registration ends when it would have ended.
    bench.wait(before[0] - bench.now.as_secs() - 1);
    assert_eq!(registered(&mut bench).len(), 1);
    bench.wait(2);
    assert!(registered(&mut bench).is_empty());
}

#[test]
fn a_call_made_by_command_that_nobody_takes_ends() {
    let mut bench = Bench::new();
    let phones = bench.ready();
    originate(&mut bench, "7001", "7002");
    let first = bench.heard(&phones[0], "INVITE");
    let busy = phones[0].answer(&first, 486, "", "");
    bench.say(&phones[0], &busy);
    bench.check("s>7001 INVITE; 7001>s 486; s>7001 ACK");
    originate(&mut bench, "7001", "7002");
    let first = bench.heard(&phones[0], "INVITE");
    let ok = phones[0].answer(&first, 200, "", SDP);
    bench.say(&phones[0], &ok);
    let second = bench.heard(&phones[1], "INVITE");
    let busy = phones[1].answer(&second, 486, "", "");
    bench.say(&phones[1], &busy);
    bench.check("s>7001 INVITE; 7001>s 200; s>7001 ACK; s>7002 INVITE; 7002>s 486; s>7002 ACK; s>7001 BYE");
    assert!(bench.exchange.calls().is_empty());
}

#[test]
fn a_call_that_cannot_be_made_is_refused_in_words() {
    let check = |from: &str, to: &str, words: &str| {
        let mut bench = Bench::new();
        bench.register(&mut Phone::new("7001"));
        let wish = What::Originate { from: from.into(), to: to.into() };
        let answer = bench.command(wish);
        assert!(matches!(&answer, Answer::Refused(text) if text.contains(words)), "{answer:?}");
    };
    check("7999", "7001", "no extension 7999");
    check("7001", "7999", "no extension 7999");
    check("7002", "7001", "no device of 7002");
}

#[test]
fn a_call_is_led_elsewhere_by_command() {
    let mut bench = Bench::new();
    let phones = bench.ready();
    connected(&mut bench, &phones);
    bench.ladder.clear();
    let call = bench.exchange.calls()[0].call;
    let wish = What::Transfer { call, party: Party::Caller, to: "7003".into() };
    assert!(matches!(bench.command(wish.clone()), Answer::Started(_)));
    assert!(matches!(bench.command(wish), Answer::Refused(text) if text.contains("already")));
    let third = bench.heard(&phones[2], "INVITE");
    let ok = phones[2].answer(&third, 200, "", SDP);
    bench.say(&phones[2], &ok);
    bench.check("s>7003 INVITE; 7003>s 200; s>7003 ACK; s>7002 BYE; s>7001 INVITE");
    let calls = bench.exchange.calls();
    assert_eq!((calls.len(), &*calls[0].caller.number, &*calls[0].callee.number), (1, "7001", "7003"));
}

#[test]
fn a_call_that_cannot_be_led_elsewhere_stays() {
    let mut bench = Bench::new();
    let phones = bench.ready();
    connected(&mut bench, &phones);
    let call = bench.exchange.calls()[0].call;
    let wish = What::Transfer { call, party: Party::Callee, to: "7003".into() };
    bench.command(wish);
    let third = bench.heard(&phones[2], "INVITE");
    bench.ladder.clear();
    let busy = phones[2].answer(&third, 486, "", "");
    bench.say(&phones[2], &busy);
    bench.check("7003>s 486; s>7003 ACK");
    assert_eq!(bench.exchange.calls().len(), 1);
}

#[test]
fn records_hold_what_the_relay_measured_and_are_bounded() {
    let mut bench = Bench::with(Config { max_records: 2, ..Config::default() });
    let phones = bench.ready();
    let figures = RelayFigures { packets: 7, ..RelayFigures::default() };
    for _ in 0..3 {
        connected(&mut bench, &phones);
        let call = bench.exchange.calls()[0].call;
        assert!(matches!(bench.command(What::HangUp(call)), Answer::Ok));
        bench.give(Input::Heard(RelayEvent::Closed { relay: bench.place(), a: figures, b: figures }));
        bench.wait(64);
    }
    let wish = |before| What::Records { before, number: None, count: 10 };
    let Answer::Records(all) = bench.command(wish(None)) else { panic!("no records") };
    assert_eq!(all.len(), 2);
    assert!(all[0].call > all[1].call && all[0].reason == "ended by hand");
    let Answer::Records(older) = bench.command(wish(Some(all[0].call))) else { panic!("no records") };
    assert_eq!(older, all[1..]);
    let removed = bench.changes.iter().filter(|change| matches!(change, Change::CallRecordRemoved { .. }));
    assert_eq!(removed.count(), 1);
}

#[test]
fn an_extension_is_edited_by_command() {
    let mut bench = Bench::new();
    let edit = |text: &str| Box::new(serde_json::from_str::<Edit>(text).expect("sound"));
    let wish = |number: &str, text: &str| What::EditExtension { number: number.into(), edit: edit(text) };
    assert!(matches!(bench.command(wish("7004", "{}")), Answer::Refused(text) if text.contains("password")));
    assert!(matches!(bench.command(wish("7004", r#"{"password":"kV3x-Pq81-zLm0"}"#)), Answer::Ok));
    assert!(matches!(bench.command(wish("7004", r#"{"display":"Jack"}"#)), Answer::Ok));
    bench.register(&mut Phone::with_password("7004", "kV3x-Pq81-zLm0"));
    let Answer::Extensions(all) = bench.command(What::Extensions { after: None }) else {
        panic!("no extensions")
    };
    let jack = all.iter().find(|view| view.number == "7004").expect("there");
    assert_eq!((&*jack.display, jack.now.devices, jack.enabled), ("Jack", 1, true));
}

/// 7001 talks to 7002 and watches 7003; then 7001 is changed. What is left of it.
fn after_change(change: impl FnOnce(&mut Extension)) -> (usize, usize, usize, Vec<&'static str>) {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    calls::talking(&mut bench, &mut phones);
    lamps::subscribe(&mut bench, &mut phones[0], "7003", "dialog", 3_600);
    let mut extension = Extension::new("7001", "offhook", "secret");
    change(&mut extension);
    assert!(matches!(bench.command(What::SetExtension(Box::new(extension))), Answer::Ok));
    let Answer::Registrations(devices) = bench.command(What::Registrations { number: Some("7001".into()) })
    else {
        panic!("no registrations")
    };
    let reasons = bench.events.iter().filter_map(|event| match event {
        Event::Unregistered { reason, .. } => Some(*reason),
        _ => None,
    });
    (devices.len(), bench.exchange.calls().len(), bench.exchange.lamps.iter().count(), reasons.collect())
}

#[test]
fn whoever_is_switched_off_is_gone_at_once() {
    assert_eq!(after_change(|own| own.display = "Jack".into()), (1, 1, 1, vec![]));
    assert_eq!(after_change(|own| own.enabled = false), (0, 0, 0, vec!["the extension was switched off"]));
    let password = |own: &mut Extension| own.secret = Extension::new("7001", "offhook", "another").secret;
    assert_eq!(after_change(password), (0, 0, 0, vec!["the password was changed"]));
    let mut bench = Bench::new();
    bench.ready();
    let mut extension = Extension::new("7001", "offhook", "secret");
    extension.enabled = false;
    bench.command(What::SetExtension(Box::new(extension)));
    for (from, to) in [("7001", "7002"), ("7002", "7001")] {
        let answer = bench.command(What::Originate { from: from.into(), to: to.into() });
        assert!(
            matches!(&answer, Answer::Refused(text) if text.contains("7001 is switched off")),
            "{answer:?}"
        );
    }
}

#[test]
fn a_number_is_no_code_and_a_code_no_number() {
    let mut bench = Bench::new();
    for number in ["*43", "*047001", "800"] {
        let extension = Extension::new(number, "offhook", "secret");
        let answer = bench.command(What::SetExtension(Box::new(extension)));
        assert!(matches!(answer, Answer::Refused(_)), "{number}");
    }
    for code in ["7001", "805"] {
        let codes = Codes { echo: code.into(), ..Codes::default() };
        let answer = bench.command(What::SetCodes(Box::new(codes)));
        assert!(matches!(&answer, Answer::Refused(text) if text.contains("echo")), "{answer:?}");
    }
}

#[test]
fn a_password_that_is_guessed_first_is_refused() {
    let mut bench = Bench::new();
    for (password, is_taken) in [("secret", false), ("700470047004", false), ("kV3x-Pq81-zLm0", true)] {
        let edit = Edit { password: Some(edit::Password::from(password.to_owned())), ..Edit::default() };
        let answer = bench.command(What::EditExtension { number: "7004".into(), edit: Box::new(edit) });
        assert_eq!(matches!(answer, Answer::Ok), is_taken, "{password}: {answer:?}");
    }
}
