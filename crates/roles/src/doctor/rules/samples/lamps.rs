//! Busy lamps.

use super::Sample;
use super::registration::registers;
use crate::doctor::tape::{CREDENTIALS, OTHER, PHONE, SERVER, Talk, Tape, talk};

pub(super) const SAMPLES: &[Sample] = &[
    Sample { code: "blf.403", faulty: || refused(403), healthy: watched },
    Sample { code: "blf.404", faulty: || refused(404), healthy: watched },
    Sample { code: "blf.423", faulty: || refused(423), healthy: corrected },
    Sample { code: "blf.481", faulty: || refused(481), healthy: begun_anew },
    Sample { code: "blf.489", faulty: || refused(489), healthy: watched },
    Sample { code: "blf.no-notify", faulty: || later(accepted()), healthy: watched },
    Sample { code: "blf.notify-481", faulty: forgotten, healthy: forgotten_and_begun_anew },
    Sample { code: "blf.notify-unanswered", faulty: unheard, healthy: heard_at_last },
    Sample { code: "blf.target-unregistered", faulty: || target(false), healthy: || target(true) },
    Sample { code: "blf.wrong-server", faulty: || elsewhere(404), healthy: || elsewhere(200) },
    Sample { code: "blf.state-wrong", faulty: || called("terminated"), healthy: || called("confirmed") },
    Sample { code: "phone.resend-storm", faulty: || storm(7, 489), healthy: || storm(2, 489) },
];

const WATCH: Talk = talk("s", "7002", "7001");
const DIALOG: &str = "Event: dialog\nExpires: 3600\nContact: <sip:7002@192.168.80.24:5060>\n";

fn subscribes(tape: Tape, ms: u64, watch: Talk, cseq: u32, status: u16, more: &str) -> Tape {
    let watch = watch.via(OTHER);
    tape.udp(ms, OTHER, SERVER, watch.ask("SUBSCRIBE", cseq, DIALOG)).udp(
        ms + 3,
        SERVER,
        OTHER,
        watch.tell(status, "SUBSCRIBE", cseq, more),
    )
}

fn tells(tape: Tape, ms: u64, watch: Talk, cseq: u32, state: &str, status: u16) -> Tape {
    let back = watch.inside().back();
    let body = format!(
        "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{cseq}\" state=\"full\" \
         entity=\"sip:7001@h\"><dialog id=\"a\"><state>{state}</state></dialog></dialog-info>"
    );
    let more = format!(
        "Event: dialog\nSubscription-State: active;expires=3599\nContent-Type: application/dialog-info+xml\n\n{body}"
    );
    let tape = tape.udp(ms, SERVER, OTHER, back.ask("NOTIFY", cseq, &more));
    if status == 0 { tape } else { tape.udp(ms + 3, OTHER, SERVER, back.tell(status, "NOTIFY", cseq, "")) }
}

fn later(tape: Tape) -> Tape {
    tape.udp(60_000, PHONE, SERVER, "\r\n\r\n")
}

fn refused(status: u16) -> Tape {
    subscribes(Tape::default(), 0, WATCH, 1, status, if status == 423 { "Min-Expires: 7200\n" } else { "" })
}

fn accepted() -> Tape {
    subscribes(Tape::default(), 0, WATCH, 1, 200, "Expires: 3600\n")
}

fn watched() -> Tape {
    later(tells(accepted(), 10, WATCH, 1, "terminated", 200))
}

fn corrected() -> Tape {
    let tape = subscribes(refused(423), 50, WATCH, 2, 200, "Expires: 7200\n");
    tells(tape, 60, WATCH, 1, "terminated", 200)
}

const AGAIN: Talk = talk("t", "7002", "7001");

fn begun_anew() -> Tape {
    let tape = subscribes(refused(481), 50, AGAIN, 1, 200, "Expires: 3600\n");
    tells(tape, 60, AGAIN, 1, "terminated", 200)
}

fn forgotten() -> Tape {
    later(tells(tells(accepted(), 10, WATCH, 1, "terminated", 200), 9_000, WATCH, 2, "confirmed", 481))
}

fn forgotten_and_begun_anew() -> Tape {
    let tape = tells(tells(accepted(), 10, WATCH, 1, "terminated", 200), 9_000, WATCH, 2, "confirmed", 481);
    let tape = subscribes(tape, 9_500, AGAIN, 1, 200, "Expires: 3600\n");
    tells(tape, 9_600, AGAIN, 1, "terminated", 200)
}

fn told_again(times: &[u64]) -> Tape {
    let tape = tells(accepted(), 10, WATCH, 1, "terminated", 200);
    times.iter().fold(tape, |tape, ms| tells(tape, *ms, WATCH, 2, "confirmed", 0))
}

fn unheard() -> Tape {
    later(told_again(&[9_000, 9_500, 10_500, 12_500, 16_500, 20_500, 24_500]))
}

fn heard_at_last() -> Tape {
    tells(told_again(&[9_000, 9_500]), 10_500, WATCH, 2, "confirmed", 200)
}

/// 7001 takes its registration back, and is watched all the same.
fn target(stays: bool) -> Tape {
    let mut tape = registers(Tape::default(), 0, 1);
    if !stays {
        let own = talk("r", "7001", "7001");
        tape = tape
            .udp(
                1_000,
                PHONE,
                SERVER,
                own.ask("REGISTER", 3, &format!("Contact: *\nExpires: 0\n{CREDENTIALS}")),
            )
            .udp(1_003, SERVER, PHONE, own.tell(200, "REGISTER", 3, ""));
    }
    let tape = subscribes(tape, 5_000, WATCH, 1, 200, "Expires: 3600\n");
    tells(tape, 5_010, WATCH, 1, "terminated", 200)
}

/// 7001 registers at one server and is watched at another.
fn elsewhere(status: u16) -> Tape {
    const ANOTHER: &str = "192.168.50.20:5060";
    let watch = WATCH.via(OTHER);
    let tape = registers(Tape::default(), 0, 1)
        .udp(900, OTHER, ANOTHER, watch.ask("SUBSCRIBE", 1, DIALOG))
        .udp(903, ANOTHER, OTHER, watch.tell(status, "SUBSCRIBE", 1, "Expires: 3600\n"));
    if status != 200 {
        return tape;
    }
    let back = watch.inside().back();
    tape.udp(910, ANOTHER, OTHER, back.ask("NOTIFY", 1, "Event: dialog\nSubscription-State: active\n")).udp(
        913,
        OTHER,
        ANOTHER,
        back.tell(200, "NOTIFY", 1, ""),
    )
}

/// 7001 is in a call of six seconds, and the lamp is told that state.
fn called(state: &str) -> Tape {
    use super::calls::{CALL, ends};
    let tape = tells(accepted(), 10, WATCH, 1, "terminated", 200)
        .udp(1_000, PHONE, SERVER, CALL.ask("INVITE", 1, ""))
        .udp(1_100, SERVER, PHONE, CALL.tell(180, "INVITE", 1, ""))
        .udp(1_500, SERVER, PHONE, CALL.tell(200, "INVITE", 1, ""))
        .udp(1_510, PHONE, SERVER, CALL.inside().ask("ACK", 1, ""));
    let tape = if state == "terminated" { tape } else { tells(tape, 1_600, WATCH, 2, state, 200) };
    tells(ends(tape, 7_500), 7_600, WATCH, 3, "terminated", 200)
}

/// The same request again and again, each refused.
fn storm(count: u32, status: u16) -> Tape {
    let publish = talk("p", "7002", "7002").via(OTHER);
    (1..=count).fold(Tape::default(), |tape, cseq| {
        let ms = u64::from(cseq) * 5_000;
        let subscribe = WATCH.via(OTHER);
        let (talk, method) = if count > 4 { (subscribe, "SUBSCRIBE") } else { (publish, "PUBLISH") };
        tape.udp(ms, OTHER, SERVER, talk.ask(method, cseq, DIALOG)).udp(
            ms + 3,
            SERVER,
            OTHER,
            talk.tell(status, method, cseq, ""),
        )
    })
}
