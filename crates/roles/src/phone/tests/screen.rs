//! What the screen shows in each state, the log behind it, and the case that goes to support.

use super::*;
use crate::phone::case_file::{Surroundings, Topic};
use crate::phone::view::Screen;

#[track_caller]
fn check_screen(bench: &Bench, screen: Screen, keys: &str) {
    let view = bench.phone.view();
    assert_eq!(view.screen, screen, "{view:?}");
    let names: Vec<_> = view.soft_keys.iter().map(|key| key.name).collect();
    assert_eq!(names.join(" "), keys);
    for key in &view.soft_keys {
        let typed =
            if key.command.ends_with(' ') { format!("{}7009", key.command) } else { key.command.clone() };
        assert!(Command::parse(&typed).is_ok(), "the soft key {} types `{typed}`", key.name);
    }
}

#[test]
fn a_page_for_each_state_of_a_call() {
    let mut bench = Bench::registered(&[]);
    check_screen(&bench, Screen::Idle, "History Dir DND Redial");
    bench.command("dial 7006");
    check_screen(&bench, Screen::Dialling, "EndCall");
    let invite = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&invite, "180 Ringing", "", "");
    check_screen(&bench, Screen::Ringback, "EndCall");
    bench.answer(&invite, "200 OK", "", SDP);
    check_screen(&bench, Screen::Talking, "Transfer BTransfer Hold Conf EndCall");
    bench.command("hold");
    bench.accept(Method::Invite, SDP);
    check_screen(&bench, Screen::Held, "Resume NewCall Conf EndCall");
    bench.command("consult 7001");
    check_screen(&bench, Screen::Consulting, "Transfer Conf EndCall");
    let consult = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&consult, "200 OK", "", SDP);
    bench.command("conference");
    bench.accept(Method::Invite, SDP);
    check_screen(&bench, Screen::Conference, "Split Hold EndCall");
    bench.command("split");
    bench.accept(Method::Invite, SDP);
    bench.command("complete");
    check_screen(&bench, Screen::Transferring, "EndCall");
    assert!(bench.phone.view().calls.iter().any(|call| call.transferring));
    bench.command("hangup all");
    check_screen(&bench, Screen::Idle, "History Dir DND Redial");
    bench.request("INVITE", "in", "", SDP);
    check_screen(&bench, Screen::Ringing, "Answer Forward Reject");
}

#[test]
fn nothing_unknown_looks_good() {
    let mut bench = Bench::new(&[("linekey.5.type", "16"), ("linekey.5.value", "7007")]);
    bench.input(Input::Start);
    let view = bench.phone.view();
    assert_eq!((view.title.as_str(), view.message.as_deref()), ("No Account", Some("Registering")));
    assert!(view.keys.iter().all(|key| key.lamp.colour != crate::phone::Colour::Green), "{:?}", view.keys);
    bench.wait_ms(32_000);
    let view = bench.phone.view();
    assert_eq!((view.title.as_str(), view.message), ("No Account", None));
    let line = view.keys.iter().find(|key| key.key == 1).expect("a line key");
    assert_eq!(line.lamp.meaning, crate::phone::Meaning::Unregistered);
    let blf = view.keys.iter().find(|key| key.key == 5).expect("a BLF key");
    assert_eq!(blf.lamp.meaning, crate::phone::Meaning::Unknown);
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "", SDP);
    let call = &bench.phone.view().calls[0];
    assert_eq!((call.codec.as_deref(), call.secure, call.answered_at_ms), (None, false, None));
}

#[test]
fn messages_of_the_moment_go_away() {
    let mut bench = Bench::registered(&[]);
    bench.command("dial 7006");
    let invite = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&invite, "404 Not Found", "", "");
    assert_eq!(bench.phone.view().message.as_deref(), Some("Call failed: 404 Not Found"));
    bench.wait_ms(5_000);
    assert_eq!(bench.phone.view().message, None);
}

#[test]
fn dnd_is_switched_both_ways_by_its_soft_key() {
    let mut bench = Bench::registered(&[]);
    for on in [true, false] {
        let key = bench.phone.view().soft_keys.into_iter().find(|key| key.name == "DND").expect("a key");
        bench.command(&key.command);
        assert_eq!(bench.phone.view().dnd, on);
    }
}

#[test]
fn the_level_of_the_log_is_a_setting() {
    let check = |level: &str, holds: &str, expected: bool| {
        let mut bench = Bench::registered(&[("syslog.log_level", level)]);
        bench.command("dial 7006");
        assert_eq!(bench.log().contains(holds), expected, "{level} {holds}\n{}", bench.log());
    };
    check("3", "0 Calling To:< sip:7006@192.168.50.19", true);
    check("2", "0 Calling To:<", false);
    check("3", "Send 192.168.50.19:5060 INVITE", false);
    check("6", "Send 192.168.50.19:5060 INVITE sip:7006@192.168.50.19 SIP/2.0", true);
    check("6", "Recv 192.168.50.19:5060 SIP/2.0 200 OK", true);
}

#[test]
fn faults_are_exceptions_too() {
    let mut bench = Bench::registered(&[("syslog.log_level", "0")]);
    bench.command("reboot");
    bench.be_called("in");
    bench.input(Input::Heard(SoundEvent::Failed { session: 1, reason: "the port is taken".into() }));
    let faults: Vec<_> = bench.phone.exceptions().collect();
    assert!(faults[0].ends_with("Reboot, command"), "{faults:?}");
    assert!(faults[1].ends_with("Sound of call 1 failed: the port is taken"), "{faults:?}");
    assert_eq!(bench.phone.log().count(), 0, "the level leaves them out of the system log");
}

#[test]
fn a_case_answers_what_the_phone_knows_and_asks_the_rest() {
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "", SDP);
    bench.command("reject");
    let surroundings = Surroundings {
        restarts: Some(2),
        changes: vec!["account.1.password".into()],
        ..Surroundings::default()
    };
    let check = |topic: &str, lines: &[&str]| {
        let text = bench.phone.case_file(Topic::named(topic).expect("a topic"), bench.now, &surroundings);
        for line in lines {
            assert!(text.contains(line), "{topic}: `{line}` is not in\n{text}");
        }
        assert!(!text.contains("secret-of-7002-long"), "{text}");
    };
    check(
        "registration",
        &[
            "# Case: account registration",
            "Model: FIP14G",
            "Restarts: 2",
            "account.1.password",
            "7002 at 192.168.50.19: registered",
            "- Neighbours: not known",
        ],
    );
    check("call", &["dial-out failure or dial-in failure", "received from 7007", "*To be filled in.*"]);
    check("audio", &["internal calls or external calls"]);
    check("blf", &["A monitors B"]);
    check("slow", &["How often does the issue happen"]);
    for topic in ["provisioning", "network"] {
        check(topic, &["# Case: ", "*To be filled in.*"]);
    }
}

/// The screens that were told, as JSON.
fn told(bench: &mut Bench) -> Vec<serde_json::Value> {
    let events = std::mem::take(&mut bench.events);
    let screens = events.into_iter().filter(|event| matches!(event, EventKind::Screen { .. }));
    screens.map(|event| serde_json::to_value(event).expect("plain data")).collect()
}

#[test]
fn every_change_of_the_screen_is_told_and_nothing_else() {
    let mut bench = Bench::new(&[]);
    bench.input(Input::Start);
    let first = told(&mut bench);
    assert_eq!((&first[0]["title"], &first[0]["message"]), (&"No Account".into(), &"Registering".into()));
    bench.serve_registration();
    let last = told(&mut bench).pop().expect("a screen");
    assert_eq!(
        (&last["event"], &last["screen"], &last["title"]),
        (&"screen".into(), &"idle".into(), &"7002".into())
    );
    assert_eq!(last["message"], serde_json::Value::Null);
    bench.input(Input::Wake);
    bench.command("get account.1.label");
    assert!(told(&mut bench).is_empty());
    bench.command("dial 7006");
    let dialling = told(&mut bench);
    assert_eq!((dialling.len(), &dialling[0]["calls"][0]["peer"]), (1, &"7006".into()));
    assert_eq!(
        (&dialling[0]["screen"], &dialling[0]["soft_keys"][0]["name"]),
        (&"dialling".into(), &"EndCall".into())
    );
    let invite = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&invite, "180 Ringing", "", "");
    assert_eq!(told(&mut bench)[0]["screen"], "ringback");
    bench.answer(&invite, "404 Not Found", "", "");
    let failed = told(&mut bench).pop().expect("a screen");
    assert_eq!(
        (&failed["screen"], &failed["message"]),
        (&"idle".into(), &"Call failed: 404 Not Found".into())
    );
    bench.wait_ms(5_000);
    let last = told(&mut bench).pop().expect("the message went away");
    assert_eq!(last["message"], serde_json::Value::Null);
    bench.command("forward busy 7001");
    assert_eq!(told(&mut bench)[0]["forwards"][0], "busy 7001");
}

#[test]
fn calls_and_messages_that_were_missed_are_shown_for_a_moment() {
    let check = |on: &str, shown: &[Option<&str>]| {
        let mut bench = Bench::registered(&[
            ("features.missed_call_popup.enable", on),
            ("features.forward_call_popup.enable", on),
            ("features.voice_mail_popup.enable", on),
        ]);
        let message = |bench: &Bench| bench.phone.view().message;
        bench.call_in_vain("in");
        assert_eq!(message(&bench).as_deref(), shown[0]);
        bench.command("forward always 7001");
        bench.request("INVITE", "in2", "", SDP);
        assert_eq!(message(&bench).as_deref(), shown[1]);
        let waiting = "Messages-Waiting: yes\r\nVoice-Message: 2/5\r\n";
        bench.request("NOTIFY", "m", "Event: message-summary\r\nSubscription-State: active", waiting);
        assert_eq!(message(&bench).as_deref(), shown[2]);
    };
    check("1", &[Some("Missed call: Jack"), Some("Forwarded call: Jack"), Some("2 new messages")]);
    check("0", &[None, None, None]);
}

#[test]
fn the_list_of_calls_and_the_directory_are_told_to_whoever_asks() {
    let mut bench = Bench::registered(&[
        ("linekey.5.type", "28"),
        ("linekey.6.type", "29"),
        ("linekey.7.type", "13"),
        ("linekey.7.value", "7009"),
        ("linekey.7.label", "Jack"),
    ]);
    bench.call_in_vain("in");
    assert_eq!(bench.phone.view().missed, 1);
    for line in ["history", "key 5"] {
        bench.forget();
        bench.command(line);
        let calls = bench.events.iter().find_map(|event| match event {
            EventKind::History { calls } => Some(calls.clone()),
            _ => None,
        });
        assert_eq!(calls.expect(line)[0].number, "7007");
        assert_eq!(bench.phone.view().missed, 0, "they are seen");
    }
    for line in ["directory", "key 6"] {
        bench.forget();
        bench.command(line);
        let told = bench.events.iter().find_map(|event| match event {
            EventKind::Directory { entries } => Some(entries.clone()),
            _ => None,
        });
        let told = told.expect(line);
        assert_eq!((told.len(), &*told[0].name, &*told[0].number, told[0].key), (1, "Jack", "7009", 7));
    }
}

#[test]
fn a_wrong_line_is_answered_in_its_turn() {
    let mut bench = Bench::registered(&[]);
    bench.input(Input::Command(Command::read("@1 dail 7")));
    let answer = bench.last_answer().cloned();
    let Some(EventKind::Error { id, message, possible }) = answer else { panic!("{answer:?}") };
    assert_eq!((id.as_deref(), &*message), (Some("1"), "`dail` is no command"));
    assert!(possible.contains(&"dial NUMBER [account N]".to_owned()));
}

#[test]
fn a_wrong_value_is_refused_with_those_that_are_right() {
    let check = |line: &str, message: &str, wanted: &[&str]| {
        let mut bench = Bench::registered(&[]);
        assert_eq!(bench.refused(line), message);
        let Some(EventKind::Error { possible, .. }) = bench.last_answer() else { panic!("no error") };
        assert_eq!(possible, wanted, "{line}");
    };
    check(
        "set account.1.enable maybe",
        "account.1.enable: expected 0 (off) or 1 (on)",
        &["set account.1.enable 0", "set account.1.enable 1"],
    );
    check("set nonsense 1", "no parameter is called nonsense", &[]);
    check(
        "get account.1.passwrd",
        "no parameter is called account.1.passwrd; did you mean account.1.password?",
        &["get account.1.password"],
    );
}
