//! Strangers who guess passwords by check-sync, and who fill the log.

use proto::sip::digest;

use super::strangers::{AT, STRANGER, request};
use super::*;

/// Sends check-sync and answers the challenge by this password; the answer.
fn challenged(bench: &mut Bench, call: &str, password: &str) -> String {
    let notify =
        |call: &str, more: &str| request("NOTIFY", AT, call, &format!("Event: check-sync{more}"), "");
    bench.receive_from(STRANGER, &notify(call, ""));
    let refusal = bench.reply(401);
    let credentials = digest::Credentials {
        username: "7002".into(),
        secret: digest::Secret::Password(password.into()),
        realm: None,
    };
    let mut client = digest::Client::new(credentials, true);
    let mut rng = proto::Rng::from_number(5);
    let refusal = Message::parse(&refusal).expect("sound");
    let value = refusal.header(Name::WwwAuthenticate).expect("a challenge");
    let values = std::iter::once(value);
    client.challenged_by(&mut digest::Attempt::default(), values).expect("a challenge that can be answered");
    let headers = client.headers("NOTIFY", AT, b"", &mut rng);
    let (_, answer) = headers.first().expect("an answer").clone();
    bench.forget();
    bench.receive_from(STRANGER, &notify(&format!("{call}2"), &format!("\r\nAuthorization: {answer}")));
    answer
}

#[test]
fn a_check_sync_by_digest_shows_the_password_of_an_account() {
    let digest = ("auto_provision.advanced.check_sync_from", "1");
    let mut bench = Bench::registered(&[digest]);
    let notify =
        |call: &str, more: &str| request("NOTIFY", AT, call, &format!("Event: check-sync{more}"), "");
    challenged(&mut bench, "wrong", "not it");
    bench.check("s>p NOTIFY; p>s 403");
    bench.check_events("");
    let used = challenged(&mut bench, "right", "secret-of-7002-long");
    bench.check("s>p NOTIFY; p>s 200");
    bench.check_events("resync provision_failed");
    // What was overheard is good once.
    bench.receive_from(STRANGER, &notify("again", &format!("\r\nAuthorization: {used}")));
    bench.check("s>p NOTIFY; p>s 401");
    bench.check_events("");
}

/// The deck's setting *by digest* opens no oracle for the account's password.
#[test]
fn who_guesses_by_check_sync_waits_longer_each_time() {
    let mut bench = Bench::registered(&[("auto_provision.advanced.check_sync_from", "1")]);
    for call in ["a", "b", "c", "d"] {
        challenged(&mut bench, call, "not it");
        bench.check("s>p NOTIFY; p>s 403");
    }
    // Now not even the right one is looked at.
    challenged(&mut bench, "e", "secret-of-7002-long");
    bench.check("s>p NOTIFY; p>s 403");
    bench.wait_ms(1_001);
    challenged(&mut bench, "f", "secret-of-7002-long");
    bench.check("s>p NOTIFY; p>s 200");
}

#[test]
fn what_strangers_cause_is_summed_up_in_the_log() {
    let mut bench = Bench::registered(&[]);
    let lines = |bench: &Bench, text: &str| bench.log().lines().filter(|line| line.contains(text)).count();
    for number in 0..500 {
        bench.receive_from(STRANGER, &request("NOTIFY", AT, &format!("n{number}"), "Event: check-sync", ""));
        let broken = request("OPTIONS", AT, &format!("o{number}"), "", "").replace("CSeq: 1", "CSeq: none");
        bench.receive_from(STRANGER, &broken);
    }
    let (refused, broken) = (lines(&bench, "NOTIFY check-sync from"), lines(&bench, "message from"));
    assert_eq!((refused, broken), (10, 10), "{}", bench.log());
    bench.wait_ms(10_001);
    assert!(bench.log().contains("490 more lines of `refused check-sync` from"), "{}", bench.log());
    assert!(bench.log().contains("490 more lines of `broken messages` from"), "{}", bench.log());
}
