//! Sound: whether it flows, how well, encrypted or not, and keys.

use super::calls::{CALL, CALLEE, CALLER, answer, answers, ends, invites, offer, stands};
use super::{Sample, above_info};
use crate::doctor::tape::{PHONE, SERVER, Tape, sdp};

pub(super) const SAMPLES: &[Sample] = &[
    Sample { code: "audio.none", faulty: none, healthy: || sounds(STEADY) },
    Sample { code: "audio.oneway", faulty: one_way, healthy: || sounds(STEADY) },
    Sample {
        code: "audio.nat-private-sdp",
        faulty: || behind_router(false),
        healthy: || behind_router(true),
    },
    Sample { code: "media.pt-mismatch", faulty: || sounds(|_| Some((3, 0))), healthy: || sounds(STEADY) },
    Sample {
        code: "media.codec-asymmetric",
        faulty: || codecs(|_| Some((0, 0))),
        healthy: || codecs(STEADY),
    },
    Sample { code: "srtp.required", faulty: refused, healthy: || profiles("RTP/SAVP", "RTP/SAVP", None) },
    Sample {
        code: "srtp.answer-mismatch",
        faulty: || profiles("RTP/SAVP", "RTP/AVP", None),
        healthy: || profiles("RTP/AVP", "RTP/AVP", None),
    },
    Sample {
        code: "srtp.plain-rtp",
        faulty: || profiles("RTP/SAVP", "RTP/SAVP", Some(STEADY)),
        healthy: || profiles("RTP/AVP", "RTP/AVP", Some(STEADY)),
    },
    Sample {
        code: "quality.gap",
        faulty: || sounds(|n| (!(100..200).contains(&n)).then_some((8, 0))),
        healthy: paused_in_hold,
    },
    Sample {
        code: "quality.loss",
        faulty: || sounds(|n| (n % 20 != 7).then_some((8, 0))),
        healthy: || sounds(|n| (n != 107).then_some((8, 0))),
    },
    Sample {
        code: "quality.jitter",
        faulty: || sounds(|n| Some((8, u64::from(n % 3) * 90))),
        healthy: || sounds(|n| Some((8, u64::from(n % 3) * 9))),
    },
    Sample { code: "dtmf.not-sent", faulty: || keys(None), healthy: || keys(Some(200)) },
    Sample { code: "dtmf.mode-mismatch", faulty: || keys_by_info(415), healthy: || keys_by_info(200) },
];

type Each = fn(u16) -> Option<(u8, u64)>;
const STEADY: Each = |_| Some((8, 0));
/// Eight seconds.
const COUNT: u16 = 400;

fn flows(tape: Tape, there: Each, back: Each) -> Tape {
    tape.rtp(600, (CALLER, CALLEE), COUNT, there).rtp(605, (CALLEE, CALLER), COUNT, back)
}

/// A call of eight seconds; the sound of the called side flows so.
fn sounds(back: Each) -> Tape {
    ends(flows(stands(), STEADY, back), 8_900).sorted()
}

fn none() -> Tape {
    ends(stands().unreachable(700, CALLER, CALLEE), 8_900)
}

fn one_way() -> Tape {
    ends(stands().rtp(600, (CALLER, CALLEE), COUNT, STEADY), 8_900)
}

/// A phone that names its private address; its sound comes from the router, and the server sends back to there or not.
fn behind_router(is_symmetric: bool) -> Tape {
    const OUTSIDE: &str = "203.0.113.7:5060";
    const ROUTER: &str = "203.0.113.7:10000";
    let hidden = sdp("192.168.1.20:10000", "RTP/AVP", "8", "");
    let mut tape = Tape::default()
        .udp(0, OUTSIDE, SERVER, CALL.ask("INVITE", 1, &hidden))
        .udp(100, SERVER, OUTSIDE, CALL.tell(180, "INVITE", 1, ""))
        .udp(500, SERVER, OUTSIDE, CALL.tell(200, "INVITE", 1, &answer()))
        .udp(510, OUTSIDE, SERVER, CALL.inside().ask("ACK", 1, ""))
        .rtp(600, (ROUTER, CALLEE), COUNT, STEADY);
    if is_symmetric {
        tape = tape.rtp(605, (CALLEE, ROUTER), COUNT, STEADY);
    }
    tape.udp(8_900, OUTSIDE, SERVER, CALL.inside().ask("BYE", 9, ""))
        .udp(8_902, SERVER, OUTSIDE, CALL.inside().tell(200, "BYE", 9, ""))
        .sorted()
}

fn codecs(back: Each) -> Tape {
    let both = |at| sdp(at, "RTP/AVP", "8 0", "");
    let tape = answers(invites(Tape::default(), 0, &both(CALLER)), 100, &both(CALLEE));
    ends(flows(tape, STEADY, back), 8_900).sorted()
}

fn refused() -> Tape {
    invites(Tape::default(), 0, &offer())
        .udp(300, SERVER, PHONE, CALL.tell(488, "INVITE", 1, "Warning: 399 h \"SRTP required\"\n"))
        .udp(305, PHONE, SERVER, CALL.inside().ask("ACK", 1, ""))
}

fn profiles(offered: &str, told: &str, sound: Option<Each>) -> Tape {
    let key = |profile: &str| {
        if profile.contains("SAVP") {
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\n"
        } else {
            ""
        }
    };
    let tape = invites(Tape::default(), 0, &sdp(CALLER, offered, "8", key(offered)));
    let tape = answers(tape, 100, &sdp(CALLEE, told, "8", key(told)));
    let tape = match sound {
        Some(each) => flows(tape, each, each),
        None => tape,
    };
    ends(tape, 8_900).sorted()
}

/// The sound stops while the call is held.
fn paused_in_hold() -> Tape {
    let change = |tape: Tape, ms: u64, cseq: u32, direction: &str| {
        let more = sdp(CALLER, "RTP/AVP", "8", &format!("a={direction}\n"));
        tape.udp(ms, PHONE, SERVER, CALL.inside().ask("INVITE", cseq, &more))
            .udp(ms + 3, SERVER, PHONE, CALL.inside().tell(200, "INVITE", cseq, &answer()))
            .udp(ms + 6, PHONE, SERVER, CALL.inside().ask("ACK", cseq, ""))
    };
    let each: Each = |n| (!(100..200).contains(&n)).then_some((8, 0));
    let tape = change(change(stands(), 2_550, 2, "sendonly"), 4_550, 3, "sendrecv");
    ends(flows(tape, each, each), 8_900).sorted()
}

/// The phone's log tells keys; by INFO with that answer, or not at all.
fn keys(info: Option<u16>) -> Tape {
    let tape = match info {
        Some(status) => keys_by_info(status),
        None => sounds(STEADY),
    };
    tape.log("Send DTMF 4\nSend DTMF 2\nDTMF type 0\n")
}

fn keys_by_info(status: u16) -> Tape {
    let more = "Content-Type: application/dtmf-relay\n\nSignal=4\nDuration=160\n";
    sounds(STEADY)
        .udp(3_000, PHONE, SERVER, CALL.inside().ask("INFO", 5, more))
        .udp(3_003, SERVER, PHONE, CALL.inside().tell(status, "INFO", 5, ""))
        .sorted()
}

/// Packets of RFC 4733 under payload type 101.
fn keys_by_events(formats: &str) -> Tape {
    let event = "a=rtpmap:101 telephone-event/8000\n";
    let described = |at| sdp(at, "RTP/AVP", formats, if formats.contains("101") { event } else { "" });
    let tape = answers(invites(Tape::default(), 0, &described(CALLER)), 100, &described(CALLEE));
    let mut tape = flows(tape, |n| (n < 200).then_some((8, 0)), STEADY);
    for number in 0..6_u8 {
        let mut bytes = vec![0x80, 101, 0, 200 + number, 0, 0, 0x80, 0, 0x12, 0x34, 0x27, 0x10];
        bytes.extend([4, if number > 2 { 0x8a } else { 0x0a }, 0, number * 20]);
        tape = tape.udp(4_620 + 20 * u64::from(number), CALLER, CALLEE, bytes);
    }
    ends(tape, 8_900).sorted()
}

/// Keys that go as RTP events are sent; to a side that did not agree to them they are not understood.
#[test]
fn keys_as_events_are_sent() {
    let pressed = |formats| keys_by_events(formats).log("Send DTMF 4\n");
    assert!(above_info(pressed("8 101")).is_empty());
    assert_eq!(above_info(pressed("8")), ["dtmf.mode-mismatch"]);
}

/// Without sound in the capture nothing shows whether keys were sent, and a line about settings is no key.
#[test]
fn keys_are_not_missed_where_nothing_shows_them() {
    assert!(above_info(ends(stands(), 8_900).log("Send DTMF 4\n")).is_empty());
    assert!(above_info(sounds(STEADY).log("DTMF type 0\nDTMF payload 101\n")).is_empty());
    let findings = keys(None).config("#!version:1.0.0.1\naccount.1.dtmf.type = 0\n").findings();
    let told = findings.iter().find(|it| it.code == "dtmf.not-sent").expect("told");
    assert!(told.evidence.iter().any(|one| one.what == "account.1.dtmf.type = 0"), "{told:?}");
    assert_eq!(told.subject, "7002");
}
