//! Lamps, keys and waiting messages (deck, BLF).

use super::*;
use crate::phone::{Colour, Meaning, Rhythm};

const BLF: &[(&str, &str)] = &[
    ("linekey.5.type", "16"),
    ("linekey.5.line", "1"),
    ("linekey.5.value", "7007"),
    ("linekey.5.extension", "*04"),
];

/// A phone whose key 5 watches 7007; the SUBSCRIBE that was accepted.
fn watching(settings: &[(&str, &str)]) -> (Bench, Vec<u8>) {
    let all: Vec<_> = BLF.iter().chain(settings).copied().collect();
    let mut bench = Bench::registered(&all);
    let subscribe = bench.take(Method::Subscribe).expect("a SUBSCRIBE");
    bench.answer(&subscribe, "200 OK", "Expires: 3600", "");
    (bench, subscribe)
}

/// The body of the deck's Yeastar.
pub(super) fn body(version: u32, state: &str) -> String {
    proto::event::dialog_info::minimal(
        "7007",
        "192.168.50.19:5060",
        version,
        match state {
            "early" => proto::event::dialog_info::DialogState::Early,
            "confirmed" => proto::event::dialog_info::DialogState::Confirmed,
            _ => proto::event::dialog_info::DialogState::Terminated,
        },
    )
}

pub(super) fn tell(bench: &mut Bench, subscribe: &[u8], body: &str) {
    let headers = "Event: dialog\r\nSubscription-State: active;expires=3599\r\nContent-Type: application/dialog-info+xml";
    tell_with(bench, subscribe, headers, body);
}

pub(super) fn tell_with(bench: &mut Bench, subscribe: &[u8], headers: &str, body: &str) {
    let message = Message::parse(subscribe).expect("sound");
    let text = |name| String::from_utf8_lossy(message.header(name).unwrap_or_default()).into_owned();
    bench.cseq += 1;
    let cseq = bench.cseq;
    bench.receive(&format!(
        "NOTIFY sip:7002@192.168.80.20:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {SERVER};branch=z9hG4bKn{cseq}\r\n\
         From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} NOTIFY\r\nContact: <sip:{SERVER}>\r\n{headers}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        with_tag(&text(Name::To)),
        text(Name::From),
        text(Name::CallId),
        body.len()
    ));
}

#[track_caller]
fn check_lamp(bench: &Bench, colour: Colour, rhythm: Rhythm, meaning: Meaning) {
    let key = bench.phone.view().keys.into_iter().find(|key| key.key == 5).expect("key 5");
    assert_eq!((key.lamp.colour, key.lamp.rhythm, key.lamp.meaning), (colour, rhythm, meaning));
}

#[test]
fn the_lamp_shows_what_the_server_tells() {
    let (mut bench, subscribe) = watching(&[]);
    let text = String::from_utf8_lossy(&subscribe).into_owned();
    for line in ["SUBSCRIBE sip:7007@192.168.50.19 SIP/2.0", "Event: dialog", "Expires: 3600"] {
        assert!(text.contains(&format!("{line}\r\n")), "{line} is not in\n{text}");
    }
    bench.forget();
    tell(&mut bench, &subscribe, &body(0, "terminated"));
    bench.check("s>p NOTIFY; p>s 200");
    check_lamp(&bench, Colour::Green, Rhythm::Steady, Meaning::Idle);
    tell(&mut bench, &subscribe, &body(1, "early"));
    check_lamp(&bench, Colour::Red, Rhythm::Flashing, Meaning::Ringing);
    tell(&mut bench, &subscribe, &body(2, "confirmed"));
    check_lamp(&bench, Colour::Red, Rhythm::Steady, Meaning::Busy);
    tell(&mut bench, &subscribe, &body(3, "terminated"));
    check_lamp(&bench, Colour::Green, Rhythm::Steady, Meaning::Idle);
}

#[test]
fn a_notify_may_come_before_the_answer() {
    let mut bench = Bench::registered(BLF);
    let subscribe = bench.take(Method::Subscribe).expect("a SUBSCRIBE");
    tell(&mut bench, &subscribe, &body(0, "terminated"));
    check_lamp(&bench, Colour::Green, Rhythm::Steady, Meaning::Idle);
    bench.answer(&subscribe, "200 OK", "Expires: 3600", "");
    tell(&mut bench, &subscribe, &body(1, "early"));
    check_lamp(&bench, Colour::Red, Rhythm::Flashing, Meaning::Ringing);
}

#[test]
fn a_server_in_trouble_has_refused_nothing_whatever_its_phrase() {
    let mut bench = Bench::registered(BLF);
    let subscribe = bench.take(Method::Subscribe).expect("a SUBSCRIBE");
    bench.answer(&subscribe, "503 rejected", "", "");
    check_lamp(&bench, Colour::Off, Rhythm::Off, Meaning::Unknown);
}

#[test]
fn a_refusal_shows_as_grey_and_is_logged() {
    for (status, line) in
        [("403 Forbidden", "BLF 7007 Fail, 403 Forbidden"), ("489 Bad Event", "BLF 7007 Fail, 489 Bad Event")]
    {
        let mut bench = Bench::registered(BLF);
        let subscribe = bench.take(Method::Subscribe).expect("a SUBSCRIBE");
        bench.answer(&subscribe, status, "", "");
        check_lamp(&bench, Colour::Grey, Rhythm::Steady, Meaning::Refused);
        assert!(bench.log().contains(line), "{}", bench.log());
    }
}

#[test]
fn an_interval_too_brief_is_raised() {
    let mut bench = Bench::registered(BLF);
    let subscribe = bench.take(Method::Subscribe).expect("a SUBSCRIBE");
    bench.answer(&subscribe, "423 Interval Too Brief", "Min-Expires: 7200", "");
    assert!(bench.last().contains("Expires: 7200\r\n"), "{}", bench.last());
}

#[test]
fn a_forgotten_subscription_is_made_anew_and_counts_its_versions_anew() {
    let (mut bench, subscribe) = watching(&[]);
    tell(&mut bench, &subscribe, &body(9, "confirmed"));
    bench.wait_ms(1_800_100);
    let refresh = bench.take(Method::Subscribe).expect("a refresh");
    bench.answer(&refresh, "481 Subscription Does Not Exist", "", "");
    let anew = bench.take(Method::Subscribe).expect("a SUBSCRIBE in a new dialog");
    bench.answer(&anew, "200 OK", "Expires: 3600", "");
    tell(&mut bench, &anew, &body(0, "terminated"));
    check_lamp(&bench, Colour::Green, Rhythm::Steady, Meaning::Idle);
}

#[test]
fn a_press_does_what_a_person_expects() {
    let (mut bench, subscribe) = watching(&[]);
    tell(&mut bench, &subscribe, &body(0, "early"));
    bench.forget();
    bench.command("key 5");
    assert!(bench.last().starts_with("INVITE sip:*047007@192.168.50.19 "), "{}", bench.last());
    let (mut bench, subscribe) = watching(&[]);
    tell(&mut bench, &subscribe, &body(0, "terminated"));
    bench.command("key 5");
    assert!(bench.last().starts_with("INVITE sip:7007@192.168.50.19 "), "{}", bench.last());
    let (mut bench, _) = watching(&[]);
    bench.talk("7006");
    bench.command("key 5");
    bench.accept(Method::Invite, SDP);
    assert!(bench.last().contains("Refer-To: <sip:7007@192.168.50.19:5060>"), "{}", bench.last());
    assert!(bench.refused("key 9").contains("key 9 is set to nothing"));
}

#[test]
fn a_ringing_call_is_taken_by_its_dialog() {
    let (mut bench, subscribe) = watching(&[("account.1.dialoginfo_callpickup", "1")]);
    let rich = "<?xml version=\"1.0\"?><dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"0\" state=\"full\" \
        entity=\"sip:7007@192.168.50.19\"><dialog id=\"1\" call-id=\"abc\" local-tag=\"l\" remote-tag=\"r\" \
        direction=\"recipient\"><state>early</state></dialog></dialog-info>";
    tell(&mut bench, &subscribe, rich);
    bench.command("key 5");
    assert!(bench.last().contains("Replaces: abc;to-tag=r;from-tag=l;early-only\r\n"), "{}", bench.last());
}

/// A dialog of 7007 that rings, called by Jack.
const CALLED_BY_JACK: &str = "<?xml version=\"1.0\"?><dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"0\" \
    state=\"full\" entity=\"sip:7007@192.168.50.19\"><dialog id=\"1\" direction=\"recipient\"><state>early</state>\
    <remote><identity display=\"Jack\">sip:7001@192.168.50.19</identity></remote></dialog></dialog-info>";

#[test]
fn a_call_that_is_picked_up_is_named_after_its_caller_and_then_as_the_server_says() {
    let (mut bench, subscribe) = watching(&[]);
    tell(&mut bench, &subscribe, CALLED_BY_JACK);
    bench.command("key 5");
    let invite = bench.take(Method::Invite).expect("an INVITE");
    assert!(String::from_utf8_lossy(&invite).starts_with("INVITE sip:*047007@"), "the code is dialled");
    let peer = |bench: &Bench| {
        let call = &bench.phone.view().calls[0];
        (call.peer.clone(), call.name.clone())
    };
    assert_eq!(peer(&bench), ("7001".into(), "Jack".into()));
    bench.answer(&invite, "200 OK", "Remote-Party-ID: \"John\" <sip:7011@192.168.50.19>", SDP);
    assert_eq!(peer(&bench), ("7011".into(), "John".into()));
    bench.command("hangup");
    assert_eq!(bench.phone.history().next().map(|entry| entry.number.clone()).as_deref(), Some("7011"));
    // Who is not known is not the code.
    let (mut bench, _) = watching(&[]);
    bench.command("pickup 7008");
    assert_eq!(peer(&bench).0, "7008");
}

#[test]
fn pickup_by_number_uses_the_key_s_code() {
    let (mut bench, _) = watching(&[("linekey.5.extension", "**")]);
    bench.command("pickup 7007");
    assert!(bench.last().starts_with("INVITE sip:**7007@192.168.50.19 "), "{}", bench.last());
}

#[test]
fn a_key_set_to_something_else_ends_its_subscription() {
    let (mut bench, subscribe) = watching(&[]);
    tell(&mut bench, &subscribe, &body(0, "terminated"));
    bench.forget();
    bench.command("set linekey.5.type 13");
    bench.check("p>s SUBSCRIBE(expires 0)");
}

#[test]
fn a_lamp_may_be_told_without_a_subscription_where_that_is_set() {
    let check = |allowed: &str, status: &str, meaning| {
        let (mut bench, _) = watching(&[("account.1.out_dialog_blf_enable", allowed)]);
        bench.forget();
        let headers = "Event: dialog\r\nSubscription-State: active";
        bench.request("NOTIFY", "u", headers, &body(0, "confirmed"));
        bench.check(&format!("s>p NOTIFY; p>s {status}"));
        assert_eq!(bench.phone.view().keys.last().map(|key| key.lamp.meaning), Some(meaning));
    };
    check("0", "481", Meaning::Unknown);
    check("1", "200", Meaning::Busy);
}

#[test]
fn an_incomplete_key_is_grey() {
    let bench = Bench::registered(&[("linekey.5.type", "16")]);
    check_lamp(&bench, Colour::Grey, Rhythm::Steady, Meaning::Unknown);
}

#[test]
fn the_line_s_own_lamp() {
    let mut bench = Bench::registered(&[]);
    let lamp = |bench: &Bench| bench.phone.view().keys[0].lamp;
    assert_eq!(lamp(&bench).meaning, Meaning::Idle);
    bench.request("INVITE", "in", "", SDP);
    assert_eq!((lamp(&bench).colour, lamp(&bench).rhythm), (Colour::Green, Rhythm::Flashing));
    bench.command("key 1");
    assert_eq!((lamp(&bench).rhythm, lamp(&bench).meaning), (Rhythm::Steady, Meaning::Busy));
}

#[test]
fn waiting_messages_are_told_asked_for_or_not() {
    let told = "Messages-Waiting: yes\r\nVoice-Message: 2/5\r\n";
    let mut bench = Bench::registered(&[("account.1.subscribe_mwi", "1")]);
    let subscribe = bench.take(Method::Subscribe).expect("a SUBSCRIBE");
    bench.answer(&subscribe, "200 OK", "Expires: 3600", "");
    let headers = "Event: message-summary\r\nSubscription-State: active;expires=3599\r\n\
        Content-Type: application/simple-message-summary";
    tell_with(&mut bench, &subscribe, headers, told);
    assert_eq!(bench.phone.view().messages, 2);
    let mut bench = Bench::registered(&[]);
    bench.request("NOTIFY", "m", "Event: message-summary\r\nSubscription-State: active", told);
    bench.check("s>p NOTIFY; p>s 200");
    assert_eq!(bench.phone.view().messages, 2);
}

/// What Asterisk with `notifycid` and FreeSWITCH tell of a ringing extension, to be taken by Replaces.
#[test]
fn rich_bodies_name_the_caller() {
    let rich = "<?xml version=\"1.0\"?>\r\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"0\" \
        state=\"full\" entity=\"sip:7007@192.168.50.19\">\r\n<dialog id=\"7007\" call-id=\"pickup-1\" local-tag=\"l\" \
        remote-tag=\"r\" direction=\"recipient\"><remote><identity display=\"Jack\">sip:7001@192.168.50.19</identity>\
        <target uri=\"sip:7001@192.168.50.19\"/></remote><local><identity>sip:7007@192.168.50.19</identity></local>\
        <state>early</state></dialog></dialog-info>";
    let (mut bench, subscribe) = watching(&[("features.pickup.blf_visual_enable", "1")]);
    tell(&mut bench, &subscribe, rich);
    check_lamp(&bench, Colour::Red, Rhythm::Flashing, Meaning::Ringing);
    assert_eq!(bench.phone.view().message.as_deref(), Some("7007 <- Jack"));
}

fn partial(version: u32, id: &str, state: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
         state=\"partial\" entity=\"sip:7007@192.168.50.19\"><dialog id=\"{id}\" direction=\"recipient\">\
         <state>{state}</state></dialog></dialog-info>"
    )
}

#[test]
fn partial_bodies_add_up_and_a_gap_asks_for_the_whole() {
    let (mut bench, subscribe) = watching(&[]);
    tell(&mut bench, &subscribe, &body(0, "terminated"));
    tell(&mut bench, &subscribe, &partial(1, "a", "early"));
    check_lamp(&bench, Colour::Red, Rhythm::Flashing, Meaning::Ringing);
    tell(&mut bench, &subscribe, &partial(2, "b", "confirmed"));
    check_lamp(&bench, Colour::Red, Rhythm::Steady, Meaning::Busy);
    tell(&mut bench, &subscribe, &partial(3, "b", "terminated"));
    check_lamp(&bench, Colour::Red, Rhythm::Flashing, Meaning::Ringing);
    bench.forget();
    tell(&mut bench, &subscribe, &partial(5, "a", "terminated"));
    bench.check("s>p NOTIFY; p>s 200; p>s SUBSCRIBE");
    check_lamp(&bench, Colour::Red, Rhythm::Flashing, Meaning::Ringing);
    tell(&mut bench, &subscribe, &body(6, "terminated"));
    check_lamp(&bench, Colour::Green, Rhythm::Steady, Meaning::Idle);
}

#[test]
fn a_notify_out_of_order_changes_nothing() {
    let (mut bench, subscribe) = watching(&[]);
    tell(&mut bench, &subscribe, &body(4, "confirmed"));
    bench.cseq -= 50;
    bench.forget();
    tell(&mut bench, &subscribe, &body(5, "terminated"));
    bench.check("s>p NOTIFY; p>s 500");
    check_lamp(&bench, Colour::Red, Rhythm::Steady, Meaning::Busy);
    bench.cseq += 60;
    tell(&mut bench, &subscribe, &body(3, "terminated"));
    check_lamp(&bench, Colour::Red, Rhythm::Steady, Meaning::Busy);
}

#[test]
fn how_a_subscription_ends_says_when_to_ask_again() {
    let check = |state: &str, meaning: Meaning, wait_ms: Option<u64>| {
        let (mut bench, subscribe) = watching(&[]);
        tell(&mut bench, &subscribe, &body(0, "terminated"));
        let headers = format!("Event: dialog\r\nSubscription-State: {state}");
        tell_with(&mut bench, &subscribe, &headers, "");
        let lamp = bench.phone.view().keys.last().map(|key| key.lamp.meaning);
        assert_eq!(lamp, Some(meaning), "{state}");
        bench.forget();
        bench.sent.clear();
        match wait_ms {
            Some(wait_ms) => {
                bench.wait_ms(wait_ms - 1);
                assert!(bench.take(Method::Subscribe).is_none(), "{state}: too early");
                bench.wait_ms(1);
                assert!(bench.take(Method::Subscribe).is_some(), "{state}: too late");
            }
            None => {
                bench.wait_ms(600_000);
                assert!(bench.take(Method::Subscribe).is_none(), "{state}: never again");
            }
        }
    };
    check("terminated;reason=deactivated", Meaning::Unknown, Some(1_000));
    check("terminated;reason=timeout", Meaning::Unknown, Some(1_000));
    check("terminated;reason=probation;retry-after=7", Meaning::Unknown, Some(7_000));
    check("terminated;reason=giveup", Meaning::Unknown, Some(30_000));
    check("terminated;reason=rejected", Meaning::Refused, None);
    check("terminated;reason=noresource", Meaning::Unknown, None);
}

#[test]
fn a_press_in_each_state_of_the_lamp() {
    let check = |state: &str, starts: &str| {
        let (mut bench, subscribe) = watching(&[]);
        if !state.is_empty() {
            tell(&mut bench, &subscribe, &body(0, state));
        }
        bench.command("key 5");
        assert!(bench.last().starts_with(starts), "{state}: {}", bench.last());
    };
    check("", "INVITE sip:7007@192.168.50.19 ");
    check("terminated", "INVITE sip:7007@192.168.50.19 ");
    check("early", "INVITE sip:*047007@192.168.50.19 ");
    check("confirmed", "INVITE sip:7007@192.168.50.19 ");
    let mut bench = Bench::registered(BLF);
    let subscribe = bench.take(Method::Subscribe).expect("a SUBSCRIBE");
    bench.answer(&subscribe, "403 Forbidden", "", "");
    bench.command("key 5");
    assert!(bench.last().starts_with("INVITE sip:7007@192.168.50.19 "), "{}", bench.last());
    let mut bench = Bench::registered(&[("linekey.5.type", "16")]);
    assert!(bench.refused("key 5").contains("key 5 has no number"));
}

#[test]
fn a_watched_party_that_rings_may_be_heard() {
    let check = |heard: &str, tone: Option<crate::sound::Tone>| {
        let (mut bench, subscribe) = watching(&[("features.pickup.blf_audio_enable", heard)]);
        bench.played.clear();
        tell(&mut bench, &subscribe, &body(0, "early"));
        let told = bench.played.contains(&SoundCommand::Tone(tone));
        assert_eq!(told, tone.is_some());
    };
    check("0", None);
    check("1", Some(crate::sound::Tone::CallWaiting));
}

#[test]
fn the_alert_of_ringing_keys_may_be_for_some_of_them() {
    let check = |keys: &str, alerts: bool| {
        let (mut bench, subscribe) = watching(&[
            ("features.pickup.blf_audio_enable", "1"),
            ("features.pickup.blf_visual_enable", "1"),
            ("features.pickup.blf_audio.list", keys),
            ("features.pickup.blf_visual.list", keys),
        ]);
        bench.played.clear();
        tell(&mut bench, &subscribe, &body(0, "early"));
        let heard = bench.played.contains(&SoundCommand::Tone(Some(crate::sound::Tone::CallWaiting)));
        let shown = bench.phone.view().message.is_some_and(|message| message.starts_with("7007 <-"));
        assert_eq!((heard, shown), (alerts, alerts), "{keys}");
    };
    check("", true);
    check("4,5", true);
    check("6", false);
}

#[test]
fn the_voice_mail_lamp_is_its_own_account_s() {
    let mut bench = Bench::registered(&[
        ("linekey.5.type", "12"),
        ("linekey.5.line", "1"),
        ("linekey.6.type", "12"),
        ("linekey.6.line", "2"),
    ]);
    let told = "Messages-Waiting: yes\r\nVoice-Message: 2/5\r\n";
    bench.request("NOTIFY", "m", "Event: message-summary\r\nSubscription-State: active", told);
    let lit = |bench: &Bench, number: u8| {
        bench.phone.view().keys.iter().any(|key| key.key == number && key.lamp.colour == Colour::Red)
    };
    assert!(lit(&bench, 5) && !lit(&bench, 6));
}

#[test]
fn a_key_that_can_do_nothing_says_why() {
    let check = |settings: &[(&str, &str)], line: &str, says: &str| {
        let mut bench = Bench::registered(settings);
        let said = bench.refused(line);
        assert!(said.contains(says), "{line}: {said}");
    };
    check(&[], "key 3", "account 3 is not set up");
    check(&[("linekey.5.type", "24")], "key 5", "multicast paging is neither sent nor heard");
    check(&[("linekey.5.type", "41")], "key 5", "no redirection service is asked");
    check(&[("linekey.5.type", "11")], "key 5", "key 5 has no number that it could use");
    check(&[("linekey.5.type", "11"), ("linekey.5.value", "12x")], "key 5", "key 5 has no number");
    check(&[("linekey.5.type", "56")], "key 5", "key 5 has no number");
    check(&[("linekey.5.type", "3")], "key 5", "say whom to transfer to");
}

#[test]
fn the_transfer_key_completes_what_was_consulted() {
    let mut bench = Bench::registered(&[("linekey.5.type", "3")]);
    bench.talk("7006");
    bench.command("consult 7001");
    bench.accept(Method::Invite, SDP);
    let consult = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&consult, "200 OK", "", SDP);
    bench.forget();
    bench.command("key 5");
    assert!(bench.ladder.iter().any(|step| step.starts_with("p>s REFER")), "{:?}", bench.ladder);
}

#[test]
fn a_key_that_is_taken_away_goes_dark() {
    let (mut bench, subscribe) = watching(&[]);
    tell(&mut bench, &subscribe, &body(0, "terminated"));
    bench.forget();
    bench.command("set linekey.5.type 0");
    let dark = |event: &EventKind| matches!(event, EventKind::Lamp { key: 5, colour: Colour::Off, .. });
    assert!(bench.events.iter().any(dark), "{:?}", bench.events);
}

/// A phone with one watched extension, and its SUBSCRIBE.
fn watching_7006() -> (Bench, Vec<u8>) {
    let key = [("linekey.5.type", "16"), ("linekey.5.line", "1"), ("linekey.5.value", "7006")];
    let mut bench = Bench::registered(&key);
    let subscribe = bench.take(Method::Subscribe).expect("a SUBSCRIBE");
    (bench, subscribe)
}

/// RFC 6665 §4.1.3: the newest word on the time counts, and who says none changes nothing.
#[test]
fn the_newest_word_on_a_subscriptions_time_counts() {
    let (mut bench, subscribe) = watching_7006();
    bench.answer(&subscribe, "200 OK", "Expires: 8", "");
    bench.request_inside(&subscribe, "NOTIFY", "Event: dialog\r\nSubscription-State: active", "");
    bench.wait_ms(2_000);
    bench.request_inside(&subscribe, "NOTIFY", "Event: dialog\r\nSubscription-State: active", "");
    bench.wait_ms(1_999);
    assert!(bench.take(Method::Subscribe).is_none());
    bench.wait_ms(1);
    let refresh = bench.take(Method::Subscribe).expect("half of 8 s are over");
    bench.answer(&refresh, "200 OK", "Expires: 100", "");
    bench.request_inside(&subscribe, "NOTIFY", "Event: dialog\r\nSubscription-State: active;expires=20", "");
    bench.wait_ms(10_000);
    assert!(bench.take(Method::Subscribe).is_some(), "the NOTIFY came last");
}

/// RFC 6665 §4.1.2.3.
#[test]
fn the_last_notify_of_a_subscription_that_was_ended_is_answered() {
    let (mut bench, subscribe) = watching_7006();
    bench.answer(&subscribe, "200 OK", "Expires: 600", "");
    bench.request_inside(&subscribe, "NOTIFY", "Event: dialog\r\nSubscription-State: active;expires=600", "");
    bench.command("set linekey.5.type 13");
    let last = bench.take(Method::Subscribe).expect("an end");
    bench.answer(&last, "200 OK", "Expires: 0", "");
    bench.ladder.clear();
    bench.request_inside(&subscribe, "NOTIFY", "Event: dialog\r\nSubscription-State: terminated", "");
    bench.check("s>p NOTIFY; p>s 200");
}

#[test]
fn one_bad_dialog_does_not_spoil_the_others() {
    let (mut bench, subscribe) = watching_7006();
    bench.answer(&subscribe, "200 OK", "Expires: 600", "");
    let body = "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"0\" state=\"full\" \
        entity=\"sip:7006@h\"><dialog id=\"a\"/><dialog id=\"b\"><state>confirmed</state></dialog>\
        <dialog id=\"c\"><state>dancing</state></dialog></dialog-info>";
    tell(&mut bench, &subscribe, body);
    check_lamp(&bench, Colour::Red, Rhythm::Steady, Meaning::Busy);
    assert!(
        bench.log().contains("BLF 7006: 2 dialogs without a known state are left out"),
        "{}",
        bench.log()
    );
}

#[test]
fn a_phone_whose_connection_broke_registers_and_subscribes_anew() {
    let (mut bench, subscribe) = watching(&[("account.1.sip_server.1.transport_type", "1")]);
    tell(&mut bench, &subscribe, &body(0, "confirmed"));
    bench.forget();
    let flow = |transport| Flow {
        transport,
        local: "192.168.80.20:40000".parse().expect("an address"),
        remote: SERVER.parse().expect("an address"),
    };
    let closed = |transport| Input::FlowFailed {
        flow: flow(transport),
        fault: FlowFault::Broken,
        reason: "the connection was closed".into(),
    };
    // What happens to another flow does not matter.
    bench.input(closed(Transport::Tls));
    assert!(bench.told("registration_failed").is_none());
    bench.input(closed(Transport::Tcp));
    let failed = bench.told("registration_failed").expect("it is told");
    assert_eq!(failed["reason"], "the connection was closed");
    assert!((3..=5).contains(&failed["retry_in_s"].as_u64().expect("a number")), "{failed}");
    assert_eq!(bench.told("lamp").expect("the lamp tells it")["meaning"], "unknown");
    bench.wait_ms(5_000);
    bench.serve_registration();
    assert!(bench.told("registered").is_some());
    let anew = bench.take(Method::Subscribe).expect("a SUBSCRIBE");
    assert!(String::from_utf8_lossy(&anew).contains("SUBSCRIBE sip:7007@"), "it watches again");
}

#[test]
fn an_attempt_that_could_not_be_sent_tells_why() {
    let mut bench = Bench::new(&[("account.1.sip_server.1.transport_type", "1")]);
    bench.input(Input::Start);
    let flow = Flow {
        transport: Transport::Tcp,
        local: "192.168.80.20:0".parse().expect("an address"),
        remote: SERVER.parse().expect("an address"),
    };
    let reason = "nobody listens at 192.168.50.19:5060 (connection refused)";
    let remote = bench.last_to.expect("a REGISTER was sent");
    assert_eq!(remote, flow.remote);
    let local = bench.last_flow.expect("sent").local;
    bench.input(Input::FlowFailed {
        flow: Flow { local, ..flow },
        fault: FlowFault::Broken,
        reason: reason.into(),
    });
    assert_eq!(bench.told("registration_failed").expect("failed")["reason"], reason);
    assert!(bench.log().contains("Register Fail, Timeout"), "as the deck writes it: {}", bench.log());
}

#[test]
fn a_least_interval_that_rises_is_followed_twice() {
    let mut bench = Bench::registered(BLF);
    for asked_s in [7_201, 7_202, 7_203] {
        let subscribe = bench.take(Method::Subscribe).expect("a SUBSCRIBE");
        bench.answer(&subscribe, "423 Interval Too Brief", &format!("Min-Expires: {asked_s}"), "");
    }
    assert!(bench.take(Method::Subscribe).is_none(), "{:?}", bench.ladder);
}

/// A notifier may not lengthen what was asked for (RFC 6665 §4.2.1.1).
#[test]
fn a_subscription_of_a_century_is_refreshed_within_the_hour() {
    let mut bench = Bench::registered(BLF);
    let subscribe = bench.take(Method::Subscribe).expect("a SUBSCRIBE");
    bench.answer(&subscribe, "200 OK", "Expires: 4294967295", "");
    tell(&mut bench, &subscribe, &body(0, "terminated"));
    bench.wait_ms(3_600_000);
    assert!(bench.take(Method::Subscribe).is_some());
}

/// A server that accepts and forgets, again and again.
#[test]
fn a_subscription_that_is_forgotten_again_at_once_waits() {
    let (mut bench, subscribe) = watching(&[]);
    tell(&mut bench, &subscribe, &body(0, "terminated"));
    bench.wait_ms(1_800_100);
    let refresh = bench.take(Method::Subscribe).expect("a refresh");
    bench.answer(&refresh, "481 Subscription Does Not Exist", "", "");
    let anew = bench.take(Method::Subscribe).expect("a SUBSCRIBE in a new dialog");
    tell(&mut bench, &anew, &body(0, "terminated"));
    bench.answer(&anew, "481 Subscription Does Not Exist", "", "");
    assert!(bench.take(Method::Subscribe).is_none(), "{:?}", bench.ladder);
    bench.wait_ms(60_000);
    assert!(bench.take(Method::Subscribe).is_some(), "it is tried again after the usual wait");
}

#[test]
fn what_was_missed_is_asked_for_every_two_seconds_at_most() {
    let (mut bench, subscribe) = watching(&[]);
    tell(&mut bench, &subscribe, &body(0, "terminated"));
    let partial = |version: u32| body(version, "early").replace("state=\"full\"", "state=\"partial\"");
    let mut asked = 0;
    for round in 1..=20_u32 {
        tell(&mut bench, &subscribe, &partial(round * 10));
        if let Some(refresh) = bench.take(Method::Subscribe) {
            asked += 1;
            bench.answer(&refresh, "200 OK", "Expires: 3600", "");
        }
        bench.wait_ms(100);
    }
    assert_eq!(asked, 1, "{:?}", bench.ladder);
    bench.wait_ms(2_000);
    assert!(bench.take(Method::Subscribe).is_some(), "what is still missed is asked for then");
}
