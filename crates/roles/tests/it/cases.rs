#![allow(clippy::disallowed_methods, reason = "a test writes the ladders beside the cases")]
//! Every case of the lab, in virtual time.

use std::path::Path;

use roles::lab::ears::{Deaf, ToneEars};
use roles::lab::script::{EXCHANGE, Stage, play};
use roles::lab::{Case, Link, Outcome, Simulated, Subnet, captured_at, case, cases};
use roles::trace::text;

fn run(case: &Case, link: Link, seed: u64) -> Outcome {
    let ears = |desk: &roles::lab::Desk, seed| Box::new(ToneEars::new(desk.tone_hz, seed)) as _;
    let mut stage = Simulated::new(case, link, seed, ears).expect("settings that a phone takes");
    play(case, &mut stage)
}

#[test]
fn every_case_ends_as_it_says() {
    let failed = cases().iter().filter_map(|case| {
        let outcome = run(case, Link::DESK, 1);
        let report = || format!("{}: {}\n{}", case.slug, outcome.faults.join("\n"), text(&outcome.ladder));
        (!outcome.as_expected()).then(report)
    });
    let failed: Vec<String> = failed.collect();
    assert!(failed.is_empty(), "{} cases failed\n\n{}", failed.len(), failed.join("\n\n"));
}

#[test]
fn a_case_is_the_same_in_another_network() {
    let subnet: Subnet = "127.9.0.0/16".parse().expect("a network");
    for case in cases() {
        let ears = |desk: &roles::lab::Desk, seed| Box::new(ToneEars::new(desk.tone_hz, seed)) as _;
        let mut stage =
            Simulated::at(subnet, case, Link::DESK, 1, ears).expect("settings that a phone takes");
        let outcome = play(case, &mut stage);
        assert!(outcome.as_expected(), "{}: {:?}", case.slug, outcome.faults);
        let is_stray = |part: &[u8]| part.starts_with(b"127.0.50.") || part.starts_with(b"127.0.70.");
        let strays = stage.passed().iter().find(|packet| packet.bytes.windows(9).any(is_stray));
        assert!(strays.is_none(), "{}: {strays:?}", case.slug);
    }
}

/// `UPDATE_LADDERS=1 cargo test -p roles ladder` writes the files anew; what changes needs a reason in the
/// deck or an RFC.
#[test]
fn a_case_has_the_ladder_that_is_written_for_every_seed() {
    for case in cases() {
        if std::env::var_os("UPDATE_LADDERS").is_some() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lab/cases/ladders");
            let ladder = text(&run(&Case { whole: "", ..*case }, Link::DESK, 1).ladder);
            std::fs::write(folder.join(format!("{}.txt", case.slug)), ladder).expect("written");
            continue;
        }
        for seed in 1..=8 {
            let ladder = text(&run(case, Link::DESK, seed).ladder);
            assert_eq!(ladder, case.whole, "offhook lab {} --once --seed {seed}", case.slug);
        }
    }
}

#[test]
fn a_message_too_few_or_too_many_fails_the_case() {
    let case = case("reg-wrong-password").expect("a case");
    let last = "0.003  exchange → 7005      Status: 403 Forbidden (REGISTER)\n";
    let shorter: &'static str = case.whole.strip_suffix(last).expect("a ladder");
    let outcome = run(&Case { whole: shorter, ..*case }, Link::DESK, 1);
    assert_eq!(
        outcome.faults,
        [
            "message 4 of the ladder is `exchange → 7005      Status: 403 Forbidden (REGISTER)` instead of `the end`"
        ]
    );
}

#[test]
fn a_misspelt_name_is_a_fault_of_the_case() {
    let mut case = *case("reg-wrong-password").expect("a case");
    case.steps = &[roles::lab::Step::On("exchagne")];
    case.ladders = &[("7oo5", "register")];
    let outcome = run(&case, Link::DESK, 1);
    let expected = [
        "step 1: no machine of the case is called `exchagne`",
        "ladder register: no machine of the case is called `7oo5`",
    ];
    assert_eq!(outcome.faults, expected);
}

#[test]
fn a_phone_that_is_told_to_reboot_starts_again() {
    let mut case = *case("basic-call").expect("a case");
    case.steps = &[
        roles::lab::Step::On("exchange"),
        roles::lab::Step::Up(&["7001"]),
        roles::lab::Step::Say("7001", "reboot"),
        roles::lab::Step::Log("7001", "***system booting***"),
        roles::lab::Step::Event("7001", "registered", &[], 5_000),
    ];
    (case.ladders, case.whole) = (&[], "");
    assert_eq!(run(&case, Link::DESK, 1).faults, [""; 0]);
}

#[test]
fn a_case_that_does_not_happen_fails() {
    let mut case = *case("reg-wrong-password").expect("a case");
    case.ladders = &[("7005", "register")];
    let outcome = run(&case, Link::DESK, 1);
    assert!(outcome.faults[0].contains("after 3 steps `s>p 200` was expected"), "{:?}", outcome.faults);
}

/// A capture holds what its machine sent and got; what a firewall swallows stands at the sender alone.
#[test]
fn a_capture_is_taken_at_a_machine() {
    let case = case("one-way-audio").expect("a case");
    let mut stage = Simulated::new(case, Link::DESK, 1, |_, _| Box::new(Deaf)).expect("a stage");
    play(case, &mut stage);
    let count = |who: &str, from: &str| {
        let (at, from) = (stage.ip(who), stage.ip(from));
        captured_at(stage.passed(), at).iter().filter(|packet| packet.from.ip() == from).count()
    };
    assert_eq!(count("7002", "7001"), 0, "the exchange stands between the phones");
    let sip = |packet: &&roles::lab::Passed| packet.to.port() == 5060;
    let told = captured_at(stage.passed(), stage.ip("7002"));
    let times: Vec<_> = told.iter().map(|packet| packet.at).collect();
    assert!(times.is_sorted() && told.iter().filter(sip).count() > 4);
    assert_eq!(
        count("7002", EXCHANGE),
        told.iter().filter(|packet| packet.from.ip() == stage.ip(EXCHANGE)).count()
    );
}

#[test]
fn a_capture_behind_a_router_shows_the_phone_s_own_address() {
    let case = case("reg-nat-no-rport").expect("a case");
    let mut stage = Simulated::new(case, Link::DESK, 1, |_, _| Box::new(Deaf)).expect("a stage");
    play(case, &mut stage);
    let (phone, exchange) = (stage.ip("7001"), stage.ip(EXCHANGE));
    let at_phone = captured_at(stage.passed(), phone);
    assert!(at_phone.iter().all(|packet| packet.from.ip() == phone || packet.to.ip() == phone));
    let at_exchange = captured_at(stage.passed(), exchange);
    assert!(at_exchange.iter().all(|packet| packet.from.ip() != phone && packet.to.ip() != phone));
}
