//! Names.

use proto::dns::{no_such_name, query};

use super::Sample;
use crate::doctor::tape::{PHONE, SERVER, Tape, talk};

pub(super) const SAMPLES: &[Sample] = &[
    Sample { code: "dns.nxdomain", faulty: || answered("pbx.exmaple", 0x8183, ""), healthy: bad_version },
    Sample { code: "dns.no-answer", faulty: silent, healthy: too_long },
    Sample { code: "prov.dns", faulty: || answered("prov.exmaple", 0x8183, ""), healthy: for_a_stranger },
];

const ASKER: &str = "192.168.80.23:33000";
const RESOLVER: &str = "192.168.50.1:53";

fn asked(name: &str) -> Vec<u8> {
    query(7, name, 1).expect("a name")
}

fn answered(name: &str, flags: u16, more: &str) -> Tape {
    let mut answer = no_such_name(&asked(name));
    answer[2..4].copy_from_slice(&flags.to_be_bytes());
    answer.extend(more.as_bytes());
    let tape = Tape::default().udp(0, ASKER, RESOLVER, asked(name)).udp(20, RESOLVER, ASKER, answer);
    tape.udp(60_000, PHONE, SERVER, talk("o", "7001", "7001").ask("OPTIONS", 1, "")).udp(
        60_002,
        SERVER,
        PHONE,
        talk("o", "7001", "7001").tell(200, "OPTIONS", 1, ""),
    )
}

/// The server does not speak that version of EDNS (RFC 6891 §6.1.3): it says nothing of the name.
fn bad_version() -> Tape {
    let mut answer = no_such_name(&asked("pbx.example"));
    answer[2..4].copy_from_slice(&[0x85, 0x80]);
    answer[11] = 1;
    answer.extend([0, 0, 41, 16, 0, 1, 0, 0, 0, 0, 0]);
    Tape::default()
        .udp(0, ASKER, RESOLVER, asked("pbx.example"))
        .udp(20, RESOLVER, ASKER, answer)
        .udp(9_000, PHONE, SERVER, talk("o", "7001", "7001").ask("OPTIONS", 1, ""))
        .udp(9_002, SERVER, PHONE, talk("o", "7001", "7001").tell(200, "OPTIONS", 1, ""))
}

fn silent() -> Tape {
    let ask = |tape: Tape, ms| tape.udp(ms, ASKER, RESOLVER, asked("pbx.example"));
    ask(ask(ask(Tape::default(), 0), 5_000), 10_000).udp(20_000, PHONE, SERVER, "\r\n\r\n")
}

/// An answer that does not fit is asked for again over TCP.
fn too_long() -> Tape {
    answered("pbx.example", 0x8380, "")
}

fn for_a_stranger() -> Tape {
    answered("www.exmaple", 0x8183, "")
}
