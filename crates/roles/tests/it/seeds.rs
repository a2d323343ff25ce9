//! Bad lines, by a thousand seeds; each failure names its seed, which plays it again.

use std::time::Duration;

use roles::lab::ears::Deaf;
use roles::lab::script::{EXCHANGE, Stage};
use roles::lab::{Link, Simulated, case};

/// Registers two phones over a bad line and lets one call the other; an error in words.
fn register_and_call(seed: u64) -> Result<(), String> {
    let case = case("basic-call").ok_or("no case")?;
    let percent = 5 + (seed % 16) as u8;
    let mut stage = Simulated::new(case, Link::bad(percent), seed, |_, _| Box::new(Deaf))?;
    for who in [EXCHANGE, "7001", "7002"] {
        stage.switch(who, true);
    }
    wait_for(&mut stage, &["7001 registered", "7002 registered"], 300)?;
    stage.say("7001", "dial 7002");
    wait_for(&mut stage, &["7002 incoming"], 40)?;
    stage.say("7002", "answer");
    wait_for(&mut stage, &["7001 answered", "7002 answered"], 40)?;
    stage.say("7001", "hangup");
    wait_for(&mut stage, &["7001 ended", "7002 ended"], 40)
}

/// Waits until each of these was told, in any order.
fn wait_for(stage: &mut Simulated, wanted: &[&str], seconds: u64) -> Result<(), String> {
    let end = stage.now() + Duration::from_secs(seconds);
    let mut missing: Vec<&str> = wanted.to_vec();
    while !missing.is_empty() {
        let within = end.since(stage.now());
        let Some((who, told)) = stage.next_told(within) else {
            return Err(format!("{missing:?} did not come within {seconds} s"));
        };
        let told = format!("{who} {}", told["event"].as_str().unwrap_or_default());
        missing.retain(|one| *one != told);
    }
    Ok(())
}

#[test]
fn a_thousand_bad_lines_carry_a_call() {
    for seed in 0..1_000 {
        if let Err(fault) = register_and_call(seed) {
            panic!("seed {seed}: {fault}");
        }
    }
}

#[test]
fn a_week_of_registrations_and_a_thousand_calls() {
    let case = case("basic-call").expect("a case");
    let mut stage = Simulated::new(case, Link::DESK, 7, |_, _| Box::new(Deaf)).expect("a stage");
    stage.world().keep_packets(false);
    for who in [EXCHANGE, "7001", "7002"] {
        stage.switch(who, true);
    }
    wait_for(&mut stage, &["7001 registered", "7002 registered"], 10).expect("registered");
    for call in 0..1_000 {
        stage.say("7001", "dial 7002");
        let steps: [(&[&str], (&str, &str)); 2] = [
            (&["7002 incoming"], ("7002", "answer")),
            (&["7001 answered", "7002 answered"], ("7002", "hangup")),
        ];
        for (wanted, (who, line)) in steps {
            wait_for(&mut stage, wanted, 10).unwrap_or_else(|fault| panic!("call {call}: {fault}"));
            stage.say(who, line);
        }
        let ended = wait_for(&mut stage, &["7001 ended", "7002 ended"], 10);
        ended.unwrap_or_else(|fault| panic!("call {call}: {fault}"));
        stage.world().run_for(Duration::from_secs(600)).expect("at rest");
    }
    let exchange = stage.seat(EXCHANGE);
    let part = stage.world().party_mut(exchange).exchange().expect("an exchange");
    assert_eq!((part.bindings(), part.relayed_calls()), (2, 0));
}
