//! Bad lines, by a thousand seeds; each failure names its seed, which plays it again.

use std::time::Duration;

use proto::Rng;
use roles::lab::ears::Deaf;
use roles::lab::script::{EXCHANGE, Stage};
use roles::lab::{Link, Simulated, case};

use super::each_seed;

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
    each_seed(1_000, "a_thousand_bad_lines_carry_a_call", register_and_call);
}

/// Restarts either side, lets clocks jump and a router forget the way to a phone; afterwards a call works.
fn survive_and_call(seed: u64) -> Result<(), String> {
    let case = case("basic-call").ok_or("no case")?;
    let mut stage = Simulated::new(case, Link::DESK, seed, |_, _| Box::new(Deaf))?;
    let mut chance = Rng::from_number(seed ^ 0x7e57);
    stage.world().keep_packets(false);
    if chance.percent(50) {
        stage.hide("7001");
    }
    for who in [EXCHANGE, "7001", "7002"] {
        stage.switch(who, true);
    }
    wait_for(&mut stage, &["7001 registered", "7002 registered"], 300)?;
    for _ in 0..4 {
        let who = [EXCHANGE, "7001", "7002"][chance.below(3) as usize];
        match chance.below(3) {
            0 => stage.restart(who),
            1 => {
                let (seat, ahead) = (stage.seat(who), Duration::from_secs(chance.below(7_200)));
                stage.world().jump(seat, ahead);
            }
            _ => {}
        }
        rest(&mut stage, chance.below(900))?;
    }
    // Longer than a registration lasts and than a phone waits before it tries again.
    rest(&mut stage, 3_600)?;
    stage.say("7001", "dial 7002");
    wait_for(&mut stage, &["7002 incoming"], 40)?;
    stage.say("7002", "answer");
    wait_for(&mut stage, &["7001 answered", "7002 answered"], 40)?;
    stage.say("7002", "hangup");
    wait_for(&mut stage, &["7001 ended", "7002 ended"], 40)
}

fn rest(stage: &mut Simulated, seconds: u64) -> Result<(), String> {
    let passed = stage.world().run_for(Duration::from_secs(seconds));
    stage.world().take_told();
    passed.map_err(|stuck| stuck.to_string())
}

#[test]
fn restarts_clocks_and_routers_are_survived() {
    each_seed(1_000, "restarts_clocks_and_routers_are_survived", survive_and_call);
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
