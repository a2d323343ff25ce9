//! Calls, sessions, transfers.

use super::registration::{registers, told};
use super::{Sample, above_info};
use crate::doctor::tape::{CREDENTIALS, OTHER, PHONE, SERVER, Talk, Tape, sdp, talk};

pub(super) const SAMPLES: &[Sample] = &[
    Sample { code: "call.403", faulty: || refused(403, ""), healthy: challenged },
    Sample { code: "call.404", faulty: || refused(404, ""), healthy: whole },
    Sample { code: "call.408", faulty: || refused(408, ""), healthy: cancelled },
    Sample { code: "call.480", faulty: || refused(480, ""), healthy: cancelled },
    Sample { code: "call.480-dnd", faulty: || refused(480, "Reason: Q.850;cause=18\n"), healthy: cancelled },
    Sample { code: "call.486", faulty: || refused(486, ""), healthy: cancelled },
    Sample { code: "call.488-codec", faulty: || refused(488, ""), healthy: whole },
    Sample { code: "call.500", faulty: || refused(500, ""), healthy: whole },
    Sample { code: "call.503", faulty: || refused(503, ""), healthy: whole },
    Sample { code: "call.603", faulty: || refused(603, ""), healthy: cancelled },
    Sample { code: "call.not-registered", faulty: || called(true), healthy: || called(false) },
    Sample { code: "call.direct-ip", faulty: direct, healthy: whole },
    Sample { code: "call.no-ack", faulty: not_acknowledged, healthy: acknowledged_late },
    Sample { code: "call.no-answer-to-invite", faulty: || silent(32_000), healthy: answered_at_last },
    Sample { code: "call.dropped-session-timer", faulty: || timed(90_000), healthy: || timed(20_000) },
    Sample { code: "call.hold-failed", faulty: || held(488, 0), healthy: || held(200, 200) },
    Sample { code: "call.resume-failed", faulty: || held(200, 500), healthy: || held(200, 200) },
    Sample { code: "call.auth-loop", faulty: challenged_for_ever, healthy: challenged },
    Sample { code: "call.slow-setup", faulty: || rings_after(6_000), healthy: || rings_after(1_500) },
    Sample {
        code: "transfer.refer-rejected",
        faulty: || transferred(403, &[]),
        healthy: || transferred(202, &[100, 200]),
    },
    Sample {
        code: "transfer.failed-404",
        faulty: || transferred(202, &[100, 404]),
        healthy: || transferred(202, &[100, 200]),
    },
    Sample { code: "transfer.replaces-481", faulty: || replaced(481), healthy: || replaced(200) },
    Sample {
        code: "transfer.no-notify",
        faulty: || transferred(202, &[]),
        healthy: || transferred(202, &[200]),
    },
    Sample { code: "forward.loop", faulty: || forwarded("7002"), healthy: || forwarded("7004") },
];

pub(super) const CALL: Talk = talk("one", "7001", "7002");
pub(super) const CALLER: &str = "192.168.80.23:10000";
pub(super) const CALLEE: &str = "192.168.50.19:11780";

pub(super) fn invites(tape: Tape, ms: u64, more: &str) -> Tape {
    tape.udp(ms, PHONE, SERVER, CALL.ask("INVITE", 1, more)).udp(
        ms + 5,
        SERVER,
        PHONE,
        CALL.tell(100, "INVITE", 1, ""),
    )
}

pub(super) fn answers(tape: Tape, ms: u64, more: &str) -> Tape {
    tape.udp(ms, SERVER, PHONE, CALL.tell(180, "INVITE", 1, ""))
        .udp(ms + 400, SERVER, PHONE, CALL.tell(200, "INVITE", 1, more))
        .udp(ms + 410, PHONE, SERVER, CALL.inside().ask("ACK", 1, ""))
}

pub(super) fn ends(tape: Tape, ms: u64) -> Tape {
    tape.udp(ms, PHONE, SERVER, CALL.inside().ask("BYE", 9, "")).udp(
        ms + 2,
        SERVER,
        PHONE,
        CALL.inside().tell(200, "BYE", 9, ""),
    )
}

pub(super) fn offer() -> String {
    sdp(CALLER, "RTP/AVP", "8", "")
}

pub(super) fn answer() -> String {
    sdp(CALLEE, "RTP/AVP", "8", "")
}

/// Answered at 500 ms.
pub(super) fn stands() -> Tape {
    answers(invites(Tape::default(), 0, &offer()), 100, &answer())
}

fn whole() -> Tape {
    ends(stands(), 2_000)
}

fn refused(status: u16, more: &str) -> Tape {
    invites(Tape::default(), 0, &offer()).udp(300, SERVER, PHONE, CALL.tell(status, "INVITE", 1, more)).udp(
        305,
        PHONE,
        SERVER,
        CALL.inside().ask("ACK", 1, ""),
    )
}

fn cancelled() -> Tape {
    invites(Tape::default(), 0, &offer())
        .udp(200, SERVER, PHONE, CALL.tell(180, "INVITE", 1, ""))
        .udp(3_000, PHONE, SERVER, CALL.ask("CANCEL", 1, ""))
        .udp(3_002, SERVER, PHONE, CALL.tell(200, "CANCEL", 1, ""))
        .udp(3_004, SERVER, PHONE, CALL.tell(487, "INVITE", 1, ""))
        .udp(3_010, PHONE, SERVER, CALL.inside().ask("ACK", 1, ""))
}

fn challenge(tape: Tape, ms: u64, cseq: u32, more: &str) -> Tape {
    tape.udp(ms, PHONE, SERVER, CALL.ask("INVITE", cseq, &format!("{more}{}", offer())))
        .udp(
            ms + 3,
            SERVER,
            PHONE,
            CALL.tell(407, "INVITE", cseq, "Proxy-Authenticate: Digest realm=\"a\", nonce=\"n\"\n"),
        )
        .udp(ms + 6, PHONE, SERVER, CALL.inside().ask("ACK", cseq, ""))
}

fn challenged() -> Tape {
    let with = format!("{CREDENTIALS}{}", offer());
    challenge(Tape::default(), 0, 1, "")
        .udp(20, PHONE, SERVER, CALL.ask("INVITE", 2, &with))
        .udp(200, SERVER, PHONE, CALL.tell(180, "INVITE", 2, ""))
        .udp(900, SERVER, PHONE, CALL.tell(200, "INVITE", 2, &answer()))
        .udp(905, PHONE, SERVER, CALL.inside().ask("ACK", 2, ""))
        .udp(2_000, PHONE, SERVER, CALL.inside().ask("BYE", 3, ""))
        .udp(2_002, SERVER, PHONE, CALL.inside().tell(200, "BYE", 3, ""))
}

fn challenged_for_ever() -> Tape {
    let once = challenge(Tape::default(), 0, 1, "");
    challenge(challenge(once, 20, 2, CREDENTIALS), 40, 3, CREDENTIALS)
}

/// 7002 calls 7001, whose registration was taken back before, or not.
fn called(was_taken_back: bool) -> Tape {
    let mut tape = registers(Tape::default(), 0, 1);
    if was_taken_back {
        let away = "Contact: *\nExpires: 0\n";
        let ask = talk("r", "7001", "7001").ask("REGISTER", 3, &format!("{away}{CREDENTIALS}"));
        tape = told(tape.udp(5_000, PHONE, SERVER, ask), 5_002, 3, 200, "");
    }
    let call = talk("two", "7002", "7001").via(OTHER);
    tape.udp(9_000, OTHER, SERVER, call.ask("INVITE", 1, &offer()))
        .udp(9_100, SERVER, OTHER, call.tell(480, "INVITE", 1, ""))
        .udp(9_105, OTHER, SERVER, call.inside().ask("ACK", 1, ""))
}

/// From a registered phone straight to another, which refuses.
fn direct() -> Tape {
    let call = talk("two", "7001", "").uri("sip:192.168.80.24:5060");
    registers(Tape::default(), 0, 1)
        .udp(9_000, PHONE, OTHER, call.ask("INVITE", 1, &offer()))
        .udp(9_100, OTHER, PHONE, call.tell(404, "INVITE", 1, ""))
        .udp(9_105, PHONE, OTHER, call.inside().ask("ACK", 1, ""))
}

fn answered_again(times: &[u64]) -> Tape {
    let tape = invites(Tape::default(), 0, &offer()).udp(100, SERVER, PHONE, CALL.tell(180, "INVITE", 1, ""));
    times.iter().fold(tape, |tape, ms| tape.udp(*ms, SERVER, PHONE, CALL.tell(200, "INVITE", 1, &answer())))
}

fn not_acknowledged() -> Tape {
    let end = CALL.inside().back();
    answered_again(&[500, 1_000, 2_000, 4_000, 8_000, 12_000])
        .udp(32_500, SERVER, PHONE, end.ask("BYE", 1, ""))
        .udp(32_502, PHONE, SERVER, end.tell(200, "BYE", 1, ""))
}

fn acknowledged_late() -> Tape {
    ends(answered_again(&[500, 1_000]).udp(1_100, PHONE, SERVER, CALL.inside().ask("ACK", 1, "")), 3_000)
}

fn silent(until_ms: u64) -> Tape {
    let sent = [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500];
    sent.into_iter()
        .filter(|ms| *ms <= until_ms)
        .fold(Tape::default(), |tape, ms| tape.udp(ms, PHONE, SERVER, CALL.ask("INVITE", 1, &offer())))
        .udp(until_ms + 500, OTHER, SERVER, "\r\n\r\n")
}

fn answered_at_last() -> Tape {
    ends(answers(silent(1_600), 2_200, &answer()), 4_000)
}

/// A call with a session of 90 s that ends after so long.
fn timed(end_ms: u64) -> Tape {
    let agreed = format!("Session-Expires: 90;refresher=uac\n{}", answer());
    ends(answers(invites(Tape::default(), 0, &offer()), 100, &agreed), end_ms)
}

/// Hold and resume with their answers; no resume for 0.
fn held(hold: u16, resume: u16) -> Tape {
    let change = |tape: Tape, ms: u64, cseq: u32, direction: &str, status: u16| {
        let more = sdp(CALLER, "RTP/AVP", "8", &format!("a={direction}\n"));
        let said = if status == 200 { answer() } else { String::new() };
        tape.udp(ms, PHONE, SERVER, CALL.inside().ask("INVITE", cseq, &more))
            .udp(ms + 3, SERVER, PHONE, CALL.inside().tell(status, "INVITE", cseq, &said))
            .udp(ms + 6, PHONE, SERVER, CALL.inside().ask("ACK", cseq, ""))
    };
    let mut tape = change(stands(), 1_000, 2, "sendonly", hold);
    if resume > 0 {
        tape = change(tape, 1_500, 3, "sendrecv", resume);
    }
    ends(tape, 1_900)
}

fn rings_after(ms: u64) -> Tape {
    ends(answers(invites(Tape::default(), 0, &offer()), ms, &answer()), ms + 1_500)
}

/// A REFER with its answer, and NOTIFYs that tell these statuses.
fn transferred(status: u16, told: &[u16]) -> Tape {
    let mut tape = stands()
        .udp(1_000, PHONE, SERVER, CALL.inside().ask("REFER", 2, "Refer-To: <sip:7003@h>\n"))
        .udp(1_003, SERVER, PHONE, CALL.inside().tell(status, "REFER", 2, ""));
    for (number, told) in (1..).zip(told) {
        let back = CALL.inside().back();
        let more = format!(
            "Event: refer\nSubscription-State: active\nContent-Type: message/sipfrag\n\nSIP/2.0 {told} Said\n"
        );
        let ms = 1_000 + 100 * u64::from(number);
        tape = tape.udp(ms, SERVER, PHONE, back.ask("NOTIFY", number, &more)).udp(
            ms + 3,
            PHONE,
            SERVER,
            back.tell(200, "NOTIFY", number, ""),
        );
    }
    ends(tape, 40_000)
}

fn replaced(status: u16) -> Tape {
    let more = format!("Replaces: gone;to-tag=a;from-tag=b\n{}", offer());
    let tape = invites(Tape::default(), 0, &more);
    let said = if status == 200 { answer() } else { String::new() };
    let tape = tape.udp(300, SERVER, PHONE, CALL.tell(status, "INVITE", 1, &said)).udp(
        305,
        PHONE,
        SERVER,
        CALL.inside().ask("ACK", 1, ""),
    );
    if status == 200 { ends(tape, 900) } else { tape }
}

/// 7002 forwards to 7003, and that to another.
fn forwarded(to: &'static str) -> Tape {
    let hop = |tape: Tape, ms: u64, cseq: u32, uri: &'static str, contact: &str| {
        let call = CALL.uri(uri);
        tape.udp(ms, PHONE, SERVER, call.ask("INVITE", cseq, &offer()))
            .udp(
                ms + 20,
                SERVER,
                PHONE,
                call.tell(302, "INVITE", cseq, &format!("Contact: <sip:{contact}@h>\n")),
            )
            .udp(ms + 25, PHONE, SERVER, call.inside().ask("ACK", cseq, ""))
    };
    let tape = hop(hop(Tape::default(), 0, 1, "sip:7002@h", "7003"), 100, 2, "sip:7003@h", to);
    if to == "7002" {
        return hop(tape, 200, 3, "sip:7002@h", "7003");
    }
    let call = CALL.uri("sip:7004@h");
    tape.udp(200, PHONE, SERVER, call.ask("INVITE", 3, &offer()))
        .udp(300, SERVER, PHONE, call.tell(180, "INVITE", 3, ""))
        .udp(900, SERVER, PHONE, call.tell(200, "INVITE", 3, &answer()))
        .udp(905, PHONE, SERVER, call.inside().ask("ACK", 3, ""))
        .udp(1_500, PHONE, SERVER, call.inside().ask("BYE", 4, ""))
        .udp(1_503, SERVER, PHONE, call.inside().tell(200, "BYE", 4, ""))
}

/// A busy phone, a refusal by a person: nobody has to be told.
#[test]
fn what_a_person_chose_is_no_fault() {
    for status in [480, 486, 600, 603] {
        assert!(above_info(refused(status, "")).is_empty(), "{status}");
    }
}
