//! Registrations.

use super::{Sample, above_info};
use crate::doctor::Severity;
use crate::doctor::tape::{CHALLENGE, CREDENTIALS, OTHER, PHONE, SERVER, Talk, Tape, talk};

pub(super) const SAMPLES: &[Sample] = &[
    Sample { code: "reg.401-loop", faulty: looped, healthy: stale },
    Sample { code: "reg.403", faulty: || refused(403), healthy: accepted },
    Sample { code: "reg.403-multiple", faulty: second_device, healthy: both_devices },
    Sample { code: "reg.404", faulty: || refused(404), healthy: accepted },
    Sample { code: "reg.423", faulty: || refused(423), healthy: corrected },
    Sample { code: "reg.503", faulty: || refused(503), healthy: served_again },
    Sample { code: "reg.timeout", faulty: || unanswered(35_000), healthy: answered_at_last },
    Sample { code: "reg.icmp-port-unreachable", faulty: closed, healthy: accepted },
];

const ACCOUNT: Talk = talk("r", "7001", "7001");
const CONTACT: &str = "Contact: <sip:7001@192.168.80.23:5060>\nExpires: 1800\n";

pub(super) fn asks(tape: Tape, ms: u64, cseq: u32) -> Tape {
    tape.udp(ms, PHONE, SERVER, ACCOUNT.ask("REGISTER", cseq, CONTACT))
        .udp(ms + 2, SERVER, PHONE, ACCOUNT.tell(401, "REGISTER", cseq, CHALLENGE))
        .udp(ms + 20, PHONE, SERVER, ACCOUNT.ask("REGISTER", cseq + 1, &format!("{CONTACT}{CREDENTIALS}")))
}

pub(super) fn told(tape: Tape, ms: u64, cseq: u32, status: u16, more: &str) -> Tape {
    tape.udp(ms, SERVER, PHONE, ACCOUNT.tell(status, "REGISTER", cseq, more))
}

pub(super) fn registers(tape: Tape, ms: u64, cseq: u32) -> Tape {
    told(asks(tape, ms, cseq), ms + 22, cseq + 1, 200, CONTACT)
}

fn accepted() -> Tape {
    registers(Tape::default(), 0, 1)
}

fn refused(status: u16) -> Tape {
    let more = if status == 423 { "Min-Expires: 3600\n" } else { "" };
    told(asks(Tape::default(), 0, 1), 22, 2, status, more)
}

fn looped() -> Tape {
    let once = told(asks(Tape::default(), 0, 1), 22, 2, 401, CHALLENGE);
    told(asks(once, 5_000, 3), 5_022, 4, 401, CHALLENGE)
}

fn stale() -> Tape {
    let stale = "WWW-Authenticate: Digest realm=\"a\", nonce=\"m\", stale=true\n";
    let tape = told(asks(Tape::default(), 0, 1), 22, 2, 401, stale);
    let again = CREDENTIALS.replace("\"n\"", "\"m\"");
    let tape = tape.udp(40, PHONE, SERVER, ACCOUNT.ask("REGISTER", 3, &format!("{CONTACT}{again}")));
    told(tape, 42, 3, 200, CONTACT)
}

fn second(status: u16) -> Tape {
    let other = talk("q", "7001", "7001").via(OTHER);
    let contact = "Contact: <sip:7001@192.168.80.24:5060>\nExpires: 1800\n";
    accepted().udp(900, OTHER, SERVER, other.ask("REGISTER", 1, &format!("{contact}{CREDENTIALS}"))).udp(
        902,
        SERVER,
        OTHER,
        other.tell(status, "REGISTER", 1, contact),
    )
}

fn second_device() -> Tape {
    second(403)
}

fn both_devices() -> Tape {
    second(200)
}

fn corrected() -> Tape {
    let tape = refused(423);
    let longer = CONTACT.replace("1800", "3600");
    let tape = tape.udp(60, PHONE, SERVER, ACCOUNT.ask("REGISTER", 3, &format!("{longer}{CREDENTIALS}")));
    told(tape, 62, 3, 200, &longer)
}

fn served_again() -> Tape {
    registers(refused(503), 31_000, 3)
}

fn unanswered(until_ms: u64) -> Tape {
    let sent = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    let tape = sent
        .into_iter()
        .filter(|ms| *ms <= until_ms)
        .fold(Tape::default(), |tape, ms| tape.udp(ms, PHONE, SERVER, ACCOUNT.ask("REGISTER", 1, CONTACT)));
    tape.udp(until_ms, OTHER, SERVER, "\r\n\r\n")
}

/// A resend that succeeds.
fn answered_at_last() -> Tape {
    told(unanswered(3_500), 3_600, 1, 200, CONTACT)
}

fn closed() -> Tape {
    let asked = Tape::default().udp(0, PHONE, SERVER, ACCOUNT.ask("REGISTER", 1, CONTACT));
    asked.unreachable(1, PHONE, SERVER)
}

#[test]
fn a_silence_that_is_still_short_is_worth_knowing_alone() {
    let findings = unanswered(2_000).findings();
    assert_eq!(
        findings.iter().map(|it| (&*it.code, it.severity)).collect::<Vec<_>>(),
        [("reg.timeout", Severity::Info)]
    );
}

/// A refusal stands although the phone has asked again since: every attempt begins with a challenge.
#[test]
fn a_refusal_before_a_loop_of_challenges_is_told() {
    let tape = told(asks(Tape::default(), 0, 1), 22, 2, 403, "");
    let challenged = told(asks(tape, 90_000, 3), 90_022, 4, 401, CHALLENGE);
    let findings = told(asks(challenged, 190_000, 5), 190_022, 6, 401, CHALLENGE).findings();
    let packets = |code: &str| {
        let finding = findings.iter().find(|it| it.code == code).expect(code);
        finding.evidence.iter().map(|one| one.proof.number).collect::<Vec<_>>()
    };
    assert_eq!((packets("reg.403"), packets("reg.401-loop")), (vec![3, 4], vec![7, 8, 11, 12]));
}

#[test]
fn a_refusal_stands_when_the_capture_ends_with_the_next_challenge() {
    let tape = told(asks(Tape::default(), 0, 1), 22, 2, 404, "").udp(
        30_000,
        PHONE,
        SERVER,
        ACCOUNT.ask("REGISTER", 3, CONTACT),
    );
    assert_eq!(above_info(told(tape, 30_002, 3, 401, CHALLENGE)), ["reg.404"]);
    let tape = told(asks(Tape::default(), 0, 1), 22, 2, 503, "").udp(
        30_000,
        PHONE,
        SERVER,
        ACCOUNT.ask("REGISTER", 3, CONTACT),
    );
    assert!(above_info(told(tape, 30_002, 3, 401, CHALLENGE)).is_empty());
}

/// Some phones register all their accounts with one Call-ID: what one is refused is not the other's trouble.
#[test]
fn accounts_with_one_call_id_are_registrations_of_their_own() {
    let second = talk("r", "7002", "7002");
    let tape = told(asks(Tape::default(), 0, 1), 22, 2, 403, "")
        .udp(100, PHONE, SERVER, second.ask("REGISTER", 3, &format!("{CONTACT}{CREDENTIALS}")))
        .udp(102, SERVER, PHONE, second.tell(200, "REGISTER", 3, CONTACT));
    let tracks = tape.tracks();
    let accounts: Vec<_> = tracks.registrations.iter().map(|it| (&*it.account, it.status)).collect();
    assert_eq!(accounts, [("7001", Some(403)), ("7002", Some(200))]);
}
