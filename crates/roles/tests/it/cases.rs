//! Every case of the lab, in virtual time.

use roles::lab::ears::ToneEars;
use roles::lab::script::play;
use roles::lab::{Case, Link, Outcome, Simulated, case, cases};

fn run(case: &Case, link: Link, seed: u64) -> Outcome {
    let ears = |desk: &roles::lab::Desk, seed| Box::new(ToneEars::new(desk.tone_hz, seed)) as _;
    let mut stage = Simulated::new(case, link, seed, ears).expect("settings that a phone takes");
    play(case, &mut stage)
}

#[test]
fn every_case_ends_as_it_says() {
    let failed = cases().iter().filter_map(|case| {
        let outcome = run(case, Link::DESK, 1);
        let report = || format!("{}: {}\n{}", case.slug, outcome.faults.join("\n"), outcome.ladder);
        (!outcome.as_expected()).then(report)
    });
    let failed: Vec<String> = failed.collect();
    assert!(failed.is_empty(), "{} cases failed\n\n{}", failed.len(), failed.join("\n\n"));
}

#[test]
fn a_case_has_the_same_ladder_for_every_seed() {
    let case = case("basic-call").expect("a case");
    let shape = |seed| {
        let ladder = run(case, Link::DESK, seed).ladder;
        // Ports, tags and URIs apart: who says what to whom.
        ladder.lines().map(|line| line.split("sip:").next().unwrap_or(line).to_owned()).collect::<Vec<_>>()
    };
    let first = shape(1);
    assert!((2..6).all(|seed| shape(seed) == first));
}

#[test]
fn a_case_that_does_not_happen_fails() {
    let mut case = *case("reg-wrong-password").expect("a case");
    case.ladders = &[("7005", "register")];
    let outcome = run(&case, Link::DESK, 1);
    assert!(outcome.faults[0].contains("after 3 steps `s>p 200` was expected"), "{:?}", outcome.faults);
}
