//! Strangers who try numbers and passwords.

use super::{Sample, above_info};
use crate::doctor::tape::{CHALLENGE, PHONE, SERVER, Tape, talk};

pub(super) const SAMPLES: &[Sample] = &[
    Sample {
        code: "sec.scanner",
        faulty: || scans("friendly-scanner", 0, 404),
        healthy: || scans("friendly-scanner", 0, 200),
    },
    Sample { code: "sec.guessing", faulty: || guesses(12), healthy: || guesses(1) },
];

const STRANGER: &str = "203.0.113.66:5071";
const NUMBERS: [&str; 12] =
    ["100", "101", "102", "103", "104", "105", "106", "107", "108", "109", "110", "111"];

/// One number after the other; the first few get 200, the others that status.
fn scans(agent: &str, accepted: usize, status: u16) -> Tape {
    let each = (0..).zip(NUMBERS);
    each.fold(Tape::default(), |tape, (number, user)| {
        let ask = talk(user, user, user);
        let status = if (number as usize) < accepted { 200 } else { status };
        tape.udp(
            number * 50,
            STRANGER,
            SERVER,
            ask.ask(
                "REGISTER",
                1,
                &format!("User-Agent: {agent}\nAuthorization: Digest username=\"{user}\", nonce=\"n\"\n"),
            ),
        )
        .udp(number * 50 + 2, SERVER, STRANGER, ask.tell(status, "REGISTER", 1, ""))
    })
}

/// So many passwords for one number, each in a registration of its own; the last is right.
fn guesses(count: u64) -> Tape {
    let each = (0..count).zip(NUMBERS);
    let tape = each.fold(Tape::default(), |tape, (number, id)| {
        let ask = talk(id, "7001", "7001");
        let (first, second) = (number * 200, number * 200 + 20);
        tape.udp(first, STRANGER, SERVER, ask.ask("REGISTER", 1, ""))
            .udp(first + 2, SERVER, STRANGER, ask.tell(401, "REGISTER", 1, CHALLENGE))
            .udp(
                second,
                STRANGER,
                SERVER,
                ask.ask("REGISTER", 2, "Authorization: Digest username=\"7001\", nonce=\"n\"\n"),
            )
            .udp(
                second + 2,
                SERVER,
                STRANGER,
                ask.tell(if count < 10 && number + 1 == count { 200 } else { 403 }, "REGISTER", 2, ""),
            )
    });
    if count < 10 { tape } else { tape.udp(90_000, PHONE, SERVER, "\r\n\r\n") }
}

/// One password that was found makes no guest of a known scanner.
#[test]
fn a_scanner_that_found_one_password_is_a_scanner() {
    assert_eq!(above_info(scans("friendly-scanner", 1, 403)), ["sec.scanner"]);
    assert_eq!(above_info(scans("friendly-scanner", 2, 403)), ["sec.scanner"]);
}

/// A name alone proves nothing.
#[test]
fn a_scanner_without_a_known_name_is_known_by_its_habits() {
    assert_eq!(above_info(scans("Telephone 1.0", 0, 404)), ["sec.scanner"]);
    assert!(above_info(scans("Telephone 1.0", 12, 404)).is_empty());
}
