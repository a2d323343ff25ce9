//! Connections, TLS and NAT.

use super::Sample;
use super::calls::offer;
use super::registration::registers;
use crate::doctor::tape::{ACK, CREDENTIALS, PHONE, RST, SERVER, SYN, Talk, Tape, talk};

pub(super) const SAMPLES: &[Sample] = &[
    Sample { code: "transport.tcp-refused", faulty: reset, healthy: || opened(1) },
    Sample { code: "transport.tcp-no-answer", faulty: || opened(0), healthy: || opened(2) },
    Sample {
        code: "tls.unknown-ca",
        faulty: || tls(CLIENT, SIPS, Some(48)),
        healthy: || tls(CLIENT, SIPS, None),
    },
    Sample {
        code: "tls.expired",
        faulty: || tls(CLIENT, SIPS, Some(45)),
        healthy: || tls(CLIENT, SIPS, None),
    },
    Sample {
        code: "tls.name-mismatch",
        faulty: || tls(CLIENT, SIPS, Some(112)),
        healthy: || tls(CLIENT, SIPS, None),
    },
    Sample {
        code: "tls.version",
        faulty: || tls(CLIENT, SIPS, Some(70)),
        healthy: || tls(CLIENT, SIPS, Some(0)),
    },
    Sample {
        code: "prov.tls",
        faulty: || tls(CLIENT, HTTPS, Some(48)),
        healthy: || tls(CLIENT, HTTPS, None),
    },
    Sample { code: "nat.no-rport", faulty: || without_rport(5_060), healthy: || without_rport(40_000) },
    Sample {
        code: "nat.binding-expired",
        faulty: || called_behind(EARLIER, 0),
        healthy: || called_behind(EARLIER, 200),
    },
    Sample {
        code: "nat.contact-unreachable",
        faulty: || called_behind(HIDDEN, 0),
        healthy: || called_behind(EARLIER, 200),
    },
];

const CLIENT: &str = "192.168.80.23:41000";
const SIPS: &str = "192.168.50.19:5061";
const HTTPS: &str = "192.168.50.7:443";

fn reset() -> Tape {
    Tape::default().tcp(0, (CLIENT, SERVER), SYN, (0, 0), "").tcp(2, (SERVER, CLIENT), RST | ACK, (0, 1), "")
}

/// SYNs of which the last is answered; 0: none is.
fn opened(answered_after: u64) -> Tape {
    let count = if answered_after == 0 { 4 } else { answered_after };
    let tape = (0..count).fold(Tape::default(), |tape, number| {
        tape.tcp((1 << number) * 1_000, (CLIENT, SERVER), SYN, (0, 0), "")
    });
    let options = talk("o", "7001", "7001").ask("OPTIONS", 1, "").replace("/UDP", "/TCP");
    let answer = talk("o", "7001", "7001").tell(200, "OPTIONS", 1, "").replace("/UDP", "/TCP");
    if answered_after == 0 {
        return tape.udp(30_000, PHONE, SERVER, "\r\n\r\n");
    }
    let at = (1 << (count - 1)) * 1_000 + 2;
    tape.tcp(at, (SERVER, CLIENT), SYN | ACK, (0, 1), "")
        .tcp(at + 1, (CLIENT, SERVER), ACK, (1, 1), &options)
        .tcp(at + 5, (SERVER, CLIENT), ACK, (1, 1 + options.len() as u32), &answer)
}

fn with_length(size: usize, bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u32).to_be_bytes();
    [&length[4 - size..], bytes].concat()
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[22, 3, 1][..], &with_length(2, &[&[kind][..], &with_length(3, body)].concat())].concat()
}

/// A TLS handshake that the client ends by an alert, or that goes on to data. The phone has registered before.
fn tls(client: &str, server: &str, alert: Option<u8>) -> Tape {
    let name = with_length(2, &[&[0][..], &with_length(2, b"pbx.example")].concat());
    let extensions = [&[0, 0][..], &with_length(2, &name)].concat();
    let head = [&[3, 3][..], &[7; 32], &[0], &with_length(2, &[0x13, 1]), &with_length(1, &[0])].concat();
    let hello = handshake(1, &[head, with_length(2, &extensions)].concat());
    let answer = handshake(2, &[&[3, 3][..], &[7; 32], &[0, 0x13, 1, 0], &with_length(2, &[])].concat());
    let data = [&[23, 3, 3][..], &with_length(2, &[9; 40])].concat();
    let end = [21, 3, 3, 0, 2, 2, alert.unwrap_or_default()];
    let whole: [(bool, &[u8]); 4] = [(true, &hello), (false, &answer), (true, &data), (false, &data)];
    let broken: [(bool, &[u8]); 3] = [(true, &hello), (false, &answer), (true, &end)];
    let said = if alert.is_some() { &broken[..] } else { &whole[..] };
    registers(Tape::default(), 0, 1).stream(1_000, client, server, said)
}

const OUTSIDE: &str = "203.0.113.7:40000";
const ACCOUNT: Talk = talk("r", "7001", "7001");

/// A phone behind a router that does not ask for rport; the answers go to that port of the router.
fn without_rport(port: u16) -> Tape {
    let ask = |cseq, more: &str| ACCOUNT.ask("REGISTER", cseq, more).replace(";rport", "");
    let tell =
        |status, cseq, more: &str| ACCOUNT.tell(status, "REGISTER", cseq, more).replace(";rport=5060", "");
    let to = if port == 5_060 { "203.0.113.7:5060" } else { OUTSIDE };
    let contact = "Contact: <sip:7001@192.168.80.23:5060>\nExpires: 1800\n";
    let tape = Tape::default().udp(0, OUTSIDE, SERVER, ask(1, contact)).udp(
        2,
        SERVER,
        to,
        tell(401, 1, "WWW-Authenticate: Digest realm=\"a\", nonce=\"n\"\n"),
    );
    if port == 5_060 {
        return [500, 1_500, 3_500].iter().fold(tape, |tape, ms| {
            tape.udp(*ms, OUTSIDE, SERVER, ask(1, contact)).udp(
                *ms + 2,
                SERVER,
                to,
                tell(401, 1, "WWW-Authenticate: Digest realm=\"a\", nonce=\"n\"\n"),
            )
        });
    }
    tape.udp(20, OUTSIDE, SERVER, ask(2, &format!("{contact}{CREDENTIALS}"))).udp(
        22,
        SERVER,
        to,
        tell(200, 2, contact),
    )
}

const EARLIER: &str = OUTSIDE;
const HIDDEN: &str = "192.168.80.23:5060";

/// A call to a phone behind a router, sent to that address; 0: nobody answers, and the phone comes back from another port.
fn called_behind(to: &str, status: u16) -> Tape {
    let contact = "Contact: <sip:7001@192.168.80.23:5060>\nExpires: 1800\n";
    let with = format!("{contact}{CREDENTIALS}");
    let register = |tape: Tape, ms: u64, cseq: u32, from: &str| {
        tape.udp(ms, from, SERVER, ACCOUNT.ask("REGISTER", cseq, &with)).udp(
            ms + 2,
            SERVER,
            from,
            ACCOUNT.tell(200, "REGISTER", cseq, contact),
        )
    };
    let call = talk("in", "7002", "7001").via(SERVER);
    let times: &[u64] = if status == 0 {
        &[600_000, 600_500, 601_500, 603_500, 607_500, 615_500, 631_500]
    } else {
        &[600_000]
    };
    let tape = times.iter().fold(register(Tape::default(), 0, 1, OUTSIDE), |tape, ms| {
        tape.udp(*ms, SERVER, to, call.ask("INVITE", 1, &offer()))
    });
    if status == 0 {
        return register(tape, 700_000, 2, "203.0.113.7:41111");
    }
    tape.udp(600_100, to, SERVER, call.tell(180, "INVITE", 1, ""))
        .udp(600_900, to, SERVER, call.tell(200, "INVITE", 1, &offer()))
        .udp(600_910, SERVER, to, call.inside().ask("ACK", 1, ""))
        .udp(601_500, SERVER, to, call.inside().ask("BYE", 2, ""))
        .udp(601_503, to, SERVER, call.inside().tell(200, "BYE", 2, ""))
}
