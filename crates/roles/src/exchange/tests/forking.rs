//! Several devices of one extension: what each says, and what the caller is told.

use super::calls::ringing;
use super::*;
use crate::relay::Side;
use proto::rtp::Format;

/// 7001 calls 7002, who has devices at ports 5060 and 5062. Returns the INVITE and that of each device.
fn both_asked(bench: &mut Bench, phones: &mut [Phone; 3]) -> (String, [String; 2]) {
    phones[1].address.set_port(5_062);
    let request = phones[1].register("3600");
    bench.say(&phones[1], &request);
    phones[1].address.set_port(5_060);
    let (invite, first) = ringing(bench, phones);
    phones[1].address.set_port(5_062);
    let second = bench.heard(&phones[1], "INVITE");
    (invite, [first, second])
}

/// The device at a port of 7002 answers.
fn answer(bench: &mut Bench, phone: &mut Phone, port: u16, asked: &str, status: u16, sdp: &str) {
    phone.address.set_port(port);
    let tag = format!(";tag=t{port}");
    let answer = phone.answer(asked, status, "", sdp).replace(";tag=t7002", &tag);
    bench.say(phone, &answer);
}

#[test]
fn a_refusal_for_everybody_ends_the_call_at_once() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (_, [first, second]) = both_asked(&mut bench, &mut phones);
    answer(&mut bench, &mut phones[1], 5_062, &second, 180, "");
    bench.ladder.clear();
    answer(&mut bench, &mut phones[1], 5_060, &first, 603, "");
    bench.check("7002>s 603; s>7002 ACK; s>7002 CANCEL; s>7001 603");
}

#[test]
fn the_best_of_the_refusals_is_told() {
    for (one, other, told) in [
        (486, 480, 486),
        (480, 486, 486),
        (480, 500, 480),
        (488, 480, 488),
        (404, 486, 486),
        (500, 488, 488),
        (486, 488, 486),
    ] {
        let mut bench = Bench::new();
        let mut phones = bench.ready();
        let (_, [first, second]) = both_asked(&mut bench, &mut phones);
        answer(&mut bench, &mut phones[1], 5_060, &first, one, "");
        bench.ladder.clear();
        answer(&mut bench, &mut phones[1], 5_062, &second, other, "");
        bench.check(&format!("7002>s {other}; s>7002 ACK; s>7001 {told}"));
    }
}

#[test]
fn no_device_speaks_early_for_another() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (_, [first, second]) = both_asked(&mut bench, &mut phones);
    bench.ladder.clear();
    answer(&mut bench, &mut phones[1], 5_060, &first, 183, SDP);
    bench.check("7002>s 183; s>7001 180");
    assert!(!bench.heard(&phones[0], "SIP/2.0 180").contains("m=audio"));
    let other = SDP.replace("m=audio 4000", "m=audio 4444");
    answer(&mut bench, &mut phones[1], 5_062, &second, 200, &other);
    assert!(bench.heard(&phones[0], "SIP/2.0 200").contains(&bench.audio(Side::A)));
    let remote = Some("10.0.0.1:4444".parse().expect("sound"));
    let home = Some(phones[1].address.ip());
    let formats = vec![Format { payload_type: 8, clock_rate_hz: 8_000 }];
    let relay = bench.place();
    let point = RelayCommand::Point { relay, side: Side::B, remote, home, formats, srtp: None };
    assert_eq!(bench.media.last(), Some(&point));
}

#[test]
fn what_one_device_has_answered_early_stands_when_it_answers() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (_, [first, _]) = both_asked(&mut bench, &mut phones);
    answer(&mut bench, &mut phones[1], 5_060, &first, 183, SDP);
    answer(&mut bench, &mut phones[1], 5_060, &first, 200, "");
    assert!(bench.heard(&phones[0], "SIP/2.0 200").contains(&bench.audio(Side::A)));
}
