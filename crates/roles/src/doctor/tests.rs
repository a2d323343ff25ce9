//! Whole captures as bytes, and what their tracks show.

use std::net::SocketAddr;

use proto::Time;
use proto::pcap::{Transport, Writer, file_header};

use super::tracks::{By, Outcome};
use super::{Tracks, read_capture};

const PHONE: &str = "192.168.80.23:5060";
const SERVER: &str = "192.168.50.19:5060";
const OTHER: &str = "192.168.80.24:5060";

/// Datagrams as milliseconds, from, to and text.
pub(super) fn judge(datagrams: &[(u64, &str, &str, String)]) -> Tracks {
    let mut file = file_header().to_vec();
    let mut writer = Writer::new();
    for (ms, from, to, text) in datagrams {
        let at = Time::from_secs(1_640_000_000) + std::time::Duration::from_millis(*ms);
        let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
        writer.write(at, from, to, Transport::Udp, text.as_bytes(), &mut file);
    }
    read(&file)
}

pub(super) fn read(file: &[u8]) -> Tracks {
    read_capture("a.pcap", file, Time::from_secs(1_700_000_000))
}

/// A request; `more` are whole lines with LF.
fn request(method: &str, uri: &str, call_id: &str, cseq: u32, from: &str, to: &str, more: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP {PHONE};branch=z9hG4bK{call_id}{cseq}{method};rport\n\
         From: <sip:{from}>\nTo: <sip:{to}>\nCall-ID: {call_id}\nCSeq: {cseq} {method}\n{more}Content-Length: 0\n\n"
    )
    .replace('\n', "\r\n")
}

/// The answer to [`request`].
fn answer(status: u16, method: &str, call_id: &str, cseq: u32, more: &str) -> String {
    format!(
        "SIP/2.0 {status} X\nVia: SIP/2.0/UDP {PHONE};branch=z9hG4bK{call_id}{cseq}{method};rport=5060\n\
         From: <sip:a@h>;tag=1\nTo: <sip:b@h>;tag=2\nCall-ID: {call_id}\nCSeq: {cseq} {method}\n{more}Content-Length: 0\n\n"
    )
    .replace('\n', "\r\n")
}

fn register(cseq: u32, more: &str) -> String {
    request("REGISTER", "sip:h", "r", cseq, "7005@h>;tag=1;x=<", "7005@h", more).replace(";x=<>", "")
}

const CREDENTIALS: &str = "Authorization: Digest username=\"7005\", nonce=\"n\"\n";
const CONTACT: &str = "Contact: <sip:7005@192.168.80.23>\nExpires: 1800\n";

#[test]
fn a_registration_of_the_deck() {
    let tracks = judge(&[
        (0, PHONE, SERVER, register(1, CONTACT)),
        (
            2,
            SERVER,
            PHONE,
            answer(401, "REGISTER", "r", 1, "WWW-Authenticate: Digest realm=\"a\", nonce=\"n\"\n"),
        ),
        (280, PHONE, SERVER, register(2, &format!("{CONTACT}{CREDENTIALS}"))),
        (
            283,
            SERVER,
            PHONE,
            answer(200, "REGISTER", "r", 2, "Contact: <sip:7005@192.168.80.23>;expires=120\n"),
        ),
    ]);
    let track = &tracks.registrations[0];
    assert_eq!((tracks.registrations.len(), track.outcome, track.status), (1, Outcome::Accepted, Some(200)));
    assert_eq!((&*track.account, track.expires_s, track.successes), ("7005", Some(120), 1));
    assert_eq!(tracks.counts.requests["REGISTER"], 2);
    assert_eq!(tracks.counts.answers[&(401, "REGISTER".into())], 1);
    let numbers: Vec<_> =
        tracks.transactions().map(|(_, t)| (t.copies[0].number, t.answers[0].copies[0].number)).collect();
    assert_eq!(numbers, [(1, 2), (3, 4)]);
}

#[test]
fn outcomes_of_registrations() {
    let check = |more: &[(u64, &str, &str, String)], outcome, status| {
        let tracks = judge(more);
        assert_eq!((tracks.registrations[0].outcome, tracks.registrations[0].status), (outcome, status));
    };
    let challenge = || answer(401, "REGISTER", "r", 1, "");
    let asked = |cseq| register(cseq, &format!("{CONTACT}{CREDENTIALS}"));
    check(
        &[(0, PHONE, SERVER, asked(1)), (1, SERVER, PHONE, answer(403, "REGISTER", "r", 1, ""))],
        Outcome::Refused,
        Some(403),
    );
    check(&[(0, PHONE, SERVER, asked(1)), (500, PHONE, SERVER, asked(1))], Outcome::Unanswered, None);
    check(
        &[(0, PHONE, SERVER, register(1, CONTACT)), (1, SERVER, PHONE, challenge())],
        Outcome::Unknown,
        None,
    );
    let away = register(1, "Contact: *\nExpires: 0\nAuthorization: Digest username=\"7005\"\n");
    check(
        &[(0, PHONE, SERVER, away), (1, SERVER, PHONE, answer(200, "REGISTER", "r", 1, ""))],
        Outcome::Ended,
        Some(200),
    );
}

fn invite(call_id: &str, from: &str, to: &str) -> String {
    request("INVITE", "sip:x@h", call_id, 1, &format!("{from}@h>;tag=1;x=<"), &format!("{to}@h"), "")
        .replace(";x=<>", "")
}

#[test]
fn both_legs_of_an_exchange_are_one_call() {
    let bye = request("BYE", "sip:x@h", "one", 2, "7001@h>;tag=1;x=<", "7002@h>;tag=2;x=<", "")
        .replace(";x=<>", "");
    let tracks = judge(&[
        (0, PHONE, SERVER, invite("one", "7001", "7002")),
        (10, SERVER, PHONE, answer(100, "INVITE", "one", 1, "")),
        (12, SERVER, OTHER, invite("two", "7001", "7002")),
        (40, OTHER, SERVER, answer(180, "INVITE", "two", 1, "")),
        (42, SERVER, PHONE, answer(180, "INVITE", "one", 1, "")),
        (500, OTHER, SERVER, answer(200, "INVITE", "two", 1, "")),
        (502, SERVER, PHONE, answer(200, "INVITE", "one", 1, "")),
        (510, PHONE, SERVER, request("ACK", "sip:x@h", "one", 1, "7001@h", "7002@h", "")),
        (900, PHONE, SERVER, bye),
        (902, SERVER, PHONE, answer(200, "BYE", "one", 2, "")),
        (950, OTHER, SERVER, invite("three", "7002", "7003")),
    ]);
    assert_eq!(tracks.calls.iter().map(|call| call.legs.len()).collect::<Vec<_>>(), [2, 1]);
    let leg = &tracks.legs[0];
    assert_eq!((leg.status, leg.by), (Some(200), Some(By::Caller)));
    let number = |proof: Option<super::Proof>| proof.map(|proof| proof.number);
    assert_eq!(
        [leg.started, leg.ringing, leg.answered, leg.ended].map(number),
        [Some(1), Some(5), Some(7), Some(9)]
    );
    assert_eq!(tracks.transaction(leg.transactions[0]).and_then(|t| t.ack).map(|ack| ack.number), Some(8));
    let shown = super::json::report(&tracks, Vec::new());
    let call = &shown["calls"][0];
    assert_eq!(
        (&call["setup_ms"], &call["answered_ms"], &call["ended_ms"]),
        (&42.into(), &502.into(), &900.into())
    );
    assert_eq!((&call["legs"][1], &call["by"]), (&"two".into(), &"caller".into()));
}

#[test]
fn a_packet_captured_twice_is_no_resend() {
    let once = register(1, CONTACT);
    let tracks = judge(&[
        (0, PHONE, SERVER, once.clone()),
        (0, PHONE, SERVER, once.clone()),
        (500, PHONE, SERVER, once),
    ]);
    let (_, transaction) = tracks.transactions().next().unwrap();
    assert_eq!((transaction.copies.len(), tracks.files[0].doubles), (2, 1));
}

#[test]
fn a_lamp() {
    let subscribe = request(
        "SUBSCRIBE",
        "sip:7007@h",
        "s",
        2,
        "7002@h>;tag=1;x=<",
        "7007@h",
        "Event: dialog\nExpires: 3600\n",
    )
    .replace(";x=<>", "");
    let body = "<?xml version=\"1.0\"?>\r\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"0\" state=\"full\" \
        entity=\"sip:7007@h\"><dialog id=\"7007\"><state>early</state></dialog></dialog-info>";
    let head = request(
        "NOTIFY",
        "sip:7002@h",
        "s",
        1,
        "7007@h>;tag=1;x=<",
        "7002@h>;tag=9;x=<",
        "Event: dialog\nSubscription-State: active;expires=3599\nContent-Type: application/dialog-info+xml\n",
    )
    .replace(";x=<>", "");
    let notify =
        head.replace("Content-Length: 0\r\n\r\n", &format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    let tracks = judge(&[
        (0, PHONE, SERVER, subscribe),
        (3, SERVER, PHONE, answer(200, "SUBSCRIBE", "s", 2, "Expires: 3600\n")),
        (5, SERVER, PHONE, notify),
        (20, PHONE, SERVER, answer(200, "NOTIFY", "s", 1, "")),
    ]);
    let track = &tracks.subscriptions[0];
    assert_eq!((&*track.account, &*track.target, &*track.event), ("7002", "7007", "dialog"));
    assert_eq!(
        (track.outcome, track.status, track.last_state),
        (Outcome::Accepted, Some(200), Some("early"))
    );
    assert!(tracks.calls.is_empty() && tracks.others.is_empty());
}

#[test]
fn a_start_after_check_sync_with_plug_and_play() {
    let subscribe = request(
        "SUBSCRIBE",
        "sip:MAC0021f222abd9@224.0.1.75",
        "p",
        1,
        "a@h",
        "a@h",
        "Event: ua-profile;profile-type=\"device\";vendor=\"Flyingvoice\";model=\"FIP14G\"\n",
    );
    let check = request(
        "NOTIFY",
        "sip:flyingvoice@192.168.80.23",
        "1234",
        10,
        "pbx@h",
        "flyingvoice@h",
        "Event: check-sync;reboot=true\n",
    );
    let notify = request(
        "NOTIFY",
        "sip:x@h",
        "p",
        2,
        "a@h",
        "a@h",
        "Event: ua-profile\nContent-Type: application/url\n",
    )
    .replace("Content-Length: 0\r\n\r\n", "Content-Length: 21\r\n\r\ntftp://192.168.50.165");
    let tracks = judge(&[
        (0, SERVER, PHONE, check),
        (30, PHONE, SERVER, answer(200, "NOTIFY", "1234", 10, "")),
        (45_000, "192.168.80.23:48637", "224.0.1.75:5060", subscribe),
        (45_010, SERVER, "192.168.80.23:48637", notify),
    ]);
    let run = &tracks.provisioning[0];
    assert_eq!(
        (run.device.as_deref(), run.source, run.url.as_deref()),
        (Some("0021f222abd9"), Some("pnp"), Some("tftp://192.168.50.165"))
    );
    let reboot = &tracks.reboots[0];
    assert_eq!(
        (reboot.started.number, reboot.check_sync.map(|(proof, restart)| (proof.number, restart))),
        (3, Some((1, true)))
    );
}

/// A call that begins at so many milliseconds and is over after 900.
fn whole_call(call_id: &str, ms: u64, bye: u16) -> Vec<(u64, &'static str, &'static str, String)> {
    let end = request("BYE", "sip:x@h", call_id, 2, "7001@h>;tag=1;x=<", "7002@h>;tag=2;x=<", "")
        .replace(";x=<>", "");
    vec![
        (ms, PHONE, SERVER, invite(call_id, "7001", "7002")),
        (ms + 40, SERVER, PHONE, answer(180, "INVITE", call_id, 1, "")),
        (ms + 500, SERVER, PHONE, answer(200, "INVITE", call_id, 1, "")),
        (ms + 510, PHONE, SERVER, request("ACK", "sip:x@h", call_id, 1, "7001@h", "7002@h", "")),
        (ms + 900, PHONE, SERVER, end),
        (ms + 902, SERVER, PHONE, answer(bye, "BYE", call_id, 2, "")),
    ]
}

#[test]
fn calls_that_are_healthy_and_over_cost_no_transactions() {
    let calls = [whole_call("good", 0, 200), whole_call("bad", 2_000, 500), whole_call("new", 100_000, 200)];
    let tracks = judge(&calls.concat());
    let kept = |leg: usize| (tracks.legs[leg].settled, tracks.of_leg(&tracks.legs[leg]).count());
    assert_eq!([kept(0), kept(1), kept(2)], [(true, 0), (false, 2), (false, 2)]);
    let leg = &tracks.legs[0];
    assert_eq!(
        (leg.status, leg.by, leg.answered.map(|proof| proof.number)),
        (Some(200), Some(By::Caller), Some(3))
    );
    assert_eq!(tracks.transactions().count(), 4);
}
