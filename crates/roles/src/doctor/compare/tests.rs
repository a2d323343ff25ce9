//! Working and failing traces that differ in one thing.

use super::{Comparison, Kind, compare, to_json, to_text};
use crate::doctor::diagnose;
use crate::doctor::tape::{CHALLENGE, OTHER, PHONE, SERVER, Talk, Tape, sdp, talk};

const MEDIA: &str = "192.168.80.23:10000";
const RELAY: &str = "192.168.50.19:11780";

/// A call with its offer and its answer; the ids, tags, times and the calling phone are of that trace.
struct Made {
    call: Talk,
    phone: &'static str,
    offer: String,
    final_status: u16,
    answer: String,
    begin_ms: u64,
    ringing_ms: u64,
    bye: bool,
}

fn working() -> Made {
    Made {
        call: talk("one", "7001", "7002"),
        phone: PHONE,
        offer: sdp(MEDIA, "RTP/AVP", "8 101", "a=rtpmap:101 telephone-event/8000\n"),
        final_status: 200,
        answer: sdp(RELAY, "RTP/AVP", "8 101", "a=rtpmap:101 telephone-event/8000\n"),
        begin_ms: 0,
        ringing_ms: 100,
        bye: true,
    }
}

/// As [`working`], at another time from another phone of another number.
fn again() -> Made {
    Made {
        call: talk("two", "7005", "7006").via(OTHER),
        phone: OTHER,
        offer: sdp("192.168.80.24:14000", "RTP/AVP", "8 101", "a=rtpmap:101 telephone-event/8000\n"),
        answer: sdp("192.168.50.19:12444", "RTP/AVP", "8 101", "a=rtpmap:101 telephone-event/8000\n"),
        begin_ms: 90_000,
        ..working()
    }
}

fn tape(made: &Made) -> Tape {
    let Made { call, phone, .. } = *made;
    let at = |ms| made.begin_ms + ms;
    let tape = Tape::default()
        .udp(at(0), phone, SERVER, call.ask("INVITE", 1, &made.offer))
        .udp(at(4), SERVER, phone, call.tell(100, "INVITE", 1, ""))
        .udp(at(made.ringing_ms), SERVER, phone, call.tell(180, "INVITE", 1, ""))
        .udp(
            at(made.ringing_ms + 800),
            SERVER,
            phone,
            call.tell(made.final_status, "INVITE", 1, &made.answer),
        )
        .udp(at(made.ringing_ms + 805), phone, SERVER, call.inside().ask("ACK", 1, ""));
    if !made.bye {
        return tape;
    }
    tape.udp(at(9_000), phone, SERVER, call.inside().ask("BYE", 2, "")).udp(
        at(9_003),
        SERVER,
        phone,
        call.inside().tell(200, "BYE", 2, ""),
    )
}

fn compared(failing: Tape) -> Comparison {
    compare(&tape(&working()).trace(), &failing.trace())
}

fn first(failing: Tape) -> (Kind, String, u32) {
    let first = compared(failing).first.expect("a difference that matters");
    let place = first.failing.or(first.working).expect("a place").0.number;
    (first.kind, first.what, place)
}

#[test]
fn tags_branches_ports_times_numbers_and_machines_are_noise() {
    let found = compared(tape(&again()));
    let differences: Vec<_> = found.differences.iter().map(|it| &it.what).collect();
    assert!(found.first.is_none() && differences.is_empty(), "{differences:?}");
    assert_eq!(found.aligned, 7);
}

#[test]
fn another_outcome_is_named_and_what_follows_from_it_is_not() {
    let made = Made { final_status: 488, answer: String::new(), bye: false, ..again() };
    assert_eq!(
        first(tape(&made)),
        (Kind::Outcome, "488 Said to INVITE instead of 200 Said to INVITE.".to_owned(), 4)
    );
    let found = compared(tape(&made));
    assert!(found.differences.iter().skip(1).all(|it| it.weight <= 30), "{:?}", found.differences);
}

/// The offer differs before the outcome does: that is where the traces part.
#[test]
fn the_first_difference_that_matters_comes_before_the_outcome() {
    let offer = sdp("192.168.80.24:14000", "RTP/AVP", "18", "");
    let made = Made { offer, final_status: 488, answer: String::new(), bye: false, ..again() };
    let (kind, what, place) = first(tape(&made));
    assert_eq!((kind, place), (Kind::Body, 1), "{what}");
    assert!(what.contains("list of codecs"), "{what}");
    let found = compared(tape(&made));
    assert_eq!(
        found.differences.first().map(|it| it.kind),
        Some(Kind::Outcome),
        "the weightiest stands first"
    );
}

#[test]
fn a_header_that_differs_is_named_with_both_values() {
    let offer = again().offer.replace("Contact: <sip:x@192.168.80.24", "Contact: <sip:x@10.0.0.9");
    let found = compared(tape(&Made { offer, ..again() }));
    let first = found.first.expect("a difference");
    assert_eq!((first.kind, first.weight), (Kind::Header, 60));
    let value =
        |place: &Option<(crate::doctor::Proof, String)>| place.as_ref().map(|(_, value)| value.clone());
    assert_eq!(value(&first.working).as_deref(), Some("<sip:x@<caller's address>>"));
    assert_eq!(value(&first.failing).as_deref(), Some("<sip:x@10.0.0.9>"));
}

#[test]
fn a_name_that_is_shown_is_noise() {
    let name = |text: String| text.replace("From: <", "From: \"Al, 5\" <");
    let made = again();
    let invite = made.call.ask("INVITE", 1, &made.offer);
    let tape = |text: String| Tape::default().udp(0, OTHER, SERVER, text);
    let found = compare(&tape(invite.clone()).trace(), &tape(name(invite)).trace());
    assert!(found.differences.is_empty(), "{:?}", found.differences);
}

#[test]
fn a_message_that_never_comes_is_missing() {
    let made = again();
    let call = made.call;
    let mut failing = Tape::default().udp(0, OTHER, SERVER, call.ask("INVITE", 1, &made.offer));
    for ms in [500, 1_500, 3_500] {
        failing = failing.udp(ms, OTHER, SERVER, call.ask("INVITE", 1, &made.offer));
    }
    let found = compared(failing);
    let sent_again = found
        .differences
        .iter()
        .any(|it| it.kind == Kind::Timing && it.what == "INVITE is sent 4 times instead of 1.");
    let no_answer = found
        .differences
        .iter()
        .any(|it| it.kind == Kind::Missing && it.what == "200 Said to INVITE is missing.");
    assert!(sent_again && no_answer, "{:?}", found.differences);
}

#[test]
fn long_waits_are_told() {
    let found = compared(tape(&Made { ringing_ms: 7_000, ..again() }));
    let what: Vec<_> = found.differences.iter().map(|it| (it.kind, it.weight, it.what.as_str())).collect();
    assert_eq!(what, [(Kind::Timing, 40, "180 Said to INVITE comes after 7.0 s instead of 0.1 s.")]);
    assert!(found.first.is_none());
}

/// A registration: challenged, then accepted or refused.
fn registered(id: &'static str, status: u16, algorithm: &str) -> Tape {
    let own = talk(id, "7001", "7001");
    let contact = "Contact: <sip:7001@192.168.80.23:5060>\nExpires: 1800\n";
    let credentials = "Authorization: Digest username=\"7001\", realm=\"a\", nonce=\"n\", response=\"x\"\n";
    let challenge = CHALLENGE.replace("nonce", &format!("{algorithm}nonce"));
    Tape::default()
        .udp(0, PHONE, SERVER, own.ask("REGISTER", 1, contact))
        .udp(3, SERVER, PHONE, own.tell(401, "REGISTER", 1, &challenge))
        .udp(20, PHONE, SERVER, own.ask("REGISTER", 2, &format!("{contact}{credentials}")))
        .udp(23, SERVER, PHONE, own.tell(status, "REGISTER", 2, ""))
}

#[test]
fn registrations_part_at_their_answer_or_at_their_challenge() {
    let ours = registered("r", 200, "").trace();
    let refused = compare(&ours, &registered("q", 403, "").trace()).first.expect("a difference");
    assert_eq!(
        refused.what,
        "403 Said to REGISTER with credentials instead of 200 Said to REGISTER with credentials."
    );
    let other =
        compare(&ours, &registered("q", 403, "algorithm=SHA-256, ").trace()).first.expect("a difference");
    assert_eq!(
        (other.kind, other.what.as_str()),
        (Kind::Header, "401 Said to REGISTER: WWW-Authenticate differs.")
    );
}

#[test]
fn sound_that_flows_one_way_alone_is_told() {
    let with = |made: &Made, both: bool| {
        let at = made.begin_ms + 1_000;
        let tape = tape(made).rtp(at, (MEDIA, RELAY), 100, |_| Some((8, 0)));
        let tape = if both { tape.rtp(at, (RELAY, MEDIA), 100, |_| Some((8, 0))) } else { tape };
        tape.sorted().trace()
    };
    let found = compare(&with(&working(), true), &with(&working(), false));
    assert_eq!(found.first.map(|it| it.what).as_deref(), Some("No sound flows to the caller."));
}

#[test]
fn for_people_and_for_scripts() {
    let (ours, theirs) = (
        tape(&working()).trace(),
        tape(&Made { final_status: 403, answer: String::new(), bye: false, ..again() }).trace(),
    );
    let found = compare(&ours, &theirs);
    let findings = (diagnose(&ours.tracks), diagnose(&theirs.tracks));
    let findings = (&findings.0[..], &findings.1[..]);
    let text = to_text(&found, (&ours, &theirs), findings);
    assert!(
        text.starts_with(
            "The first difference that matters: call from 7005 to 7006: 403 Said to INVITE instead"
        ),
        "{text}"
    );
    assert!(
        text.contains("failing  a.pcap packet 4  403 Said to INVITE") && text.contains("call.403"),
        "{text}"
    );
    let shown = to_json(&found, (&ours, &theirs), findings);
    assert_eq!(
        (&shown["first"]["kind"], &shown["first"]["failing"]["packet"]),
        (&"outcome".into(), &4.into())
    );
    assert_eq!(shown["findings"]["failing"][0]["code"], "call.403");
    let nothing = compare(&ours, &Tape::default().udp(0, PHONE, SERVER, "\r\n").trace());
    assert_eq!((nothing.aligned, nothing.first.is_some()), (0, false));
}

mod any {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever stands in the headers, nothing panics, and a trace beside itself does not differ.
        #[test]
        fn a_trace_is_like_itself(header in "[ -~]{0,60}", name in "(Contact|Via|Authorization|Supported|X-Y|Route)") {
            let made = Made { offer: format!("{name}: {header}\n{}", working().offer), ..working() };
            let (ours, theirs) = (tape(&made).trace(), tape(&made).trace());
            prop_assert!(compare(&ours, &theirs).differences.is_empty());
            let _ = compare(&tape(&working()).trace(), &theirs);
        }
    }
}
