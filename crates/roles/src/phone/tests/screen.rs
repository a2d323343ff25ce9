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
