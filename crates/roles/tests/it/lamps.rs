//! The lamp tells the truth: after loss, reordering, doubled packets and restarts of either side every
//! lamp ends equal to the exchange's own account of its calls. Each failure names its seed.

use std::time::Duration;

use proto::Rng;
use roles::lab::ears::Deaf;
use roles::lab::script::{EXCHANGE, Stage, as_it_comes};
use roles::lab::{Case, Desk, Link, Simulated};
use roles::phone::Meaning;
use serde_json::Value;

use super::each_seed;

/// Short times, so that whatever was lost is found out within minutes.
const SHORT: &[(&str, &str)] = &[("account.1.sip_server.1.expires", "120")];
const WATCHER: &[(&str, &str)] = &[
    ("account.1.sip_server.1.expires", "120"),
    ("account.1.blf.subscribe_period", "120"),
    ("linekey.2.type", "16"),
    ("linekey.2.line", "1"),
    ("linekey.2.value", "7001"),
    ("linekey.3.type", "16"),
    ("linekey.3.line", "1"),
    ("linekey.3.value", "7002"),
];
const CASE: Case = Case {
    topic: "BLF",
    slug: "lamps",
    title: "Lamps over a bad line",
    deck: "",
    teaches: "",
    desks: &[Desk::with("7001", 0, SHORT), Desk::with("7002", 0, SHORT), Desk::with("7007", 0, WATCHER)],
    machines: &[],
    exchange: as_it_comes,
    steps: &[],
    ladders: &[],
    verdict: &[],
    capture_at: EXCHANGE,
    whole: "",
};
/// Longer than a call rings, than a registration and a subscription last, and than a retry waits.
const HEALING: Duration = Duration::from_secs(600);

struct Run {
    stage: Simulated,
    chance: Rng,
    asked: u64,
}

impl Run {
    fn new(seed: u64) -> Result<Self, String> {
        let percent = (seed % 26) as u8;
        let mut stage = Simulated::new(&CASE, Link::DESK, seed, |_, _| Box::new(Deaf))?;
        stage.world().keep_packets(false);
        for who in [EXCHANGE, "7001", "7002", "7007"] {
            stage.switch(who, true);
        }
        let mut run = Self { stage, chance: Rng::from_number(seed ^ 0x5eed), asked: 0 };
        run.pass(5_000);
        run.set_lines(Link::bad(percent));
        Ok(run)
    }

    fn set_lines(&mut self, link: Link) {
        let exchange = self.stage.ip(EXCHANGE);
        for who in ["7001", "7002", "7007"] {
            let phone = self.stage.ip(who);
            self.stage.world().set_link(exchange, phone, link);
        }
    }

    fn pass(&mut self, ms: u64) {
        self.stage.world().run_for(Duration::from_millis(ms)).expect("everybody comes to rest");
        self.stage.world().take_told();
    }

    /// Something that people or machines do.
    fn act(&mut self) {
        match self.chance.below(12) {
            0 | 1 => self.stage.say("7001", "dial 7002"),
            2 | 3 => self.stage.say("7002", "dial 7001"),
            4 | 5 => self.stage.say("7001", "answer"),
            6 => self.stage.say("7002", "answer"),
            7 => self.stage.say("7001", "hangup all"),
            8 => self.stage.say("7002", "hangup all"),
            9 => self.stage.restart(EXCHANGE),
            10 => self.stage.restart("7007"),
            _ => {
                self.stage.forget(EXCHANGE);
            }
        }
        let wait_ms = self.chance.below(20_000);
        self.pass(wait_ms);
    }

    /// What the exchange answers to a command.
    fn ask(&mut self, what: &str) -> Vec<Value> {
        self.asked += 1;
        let line = format!("{{\"id\":{},\"what\":{{\"{what}\":{{}}}}}}", self.asked);
        let seat = self.stage.seat(EXCHANGE);
        self.stage.world().command(seat, &line);
        let told = self.stage.world().take_told();
        let answer = told.into_iter().find(|told| told.event["id"] == self.asked);
        let answer = answer.expect("an exchange that is on answers").event;
        answer["answer"][what].as_array().cloned().unwrap_or_default()
    }

    /// What the lamp of an extension ought to mean, by the exchange's lists of calls and devices.
    fn truth(&mut self, number: &str) -> Meaning {
        let is = |peer: &Value| peer["number"] == number;
        let calls = self.ask("calls");
        let own = || calls.iter().filter(|call| is(&call["caller"]) || is(&call["callee"]));
        let mut standing = own().filter(|call| call["answered"] == true).peekable();
        if standing.peek().is_some() {
            let holds = |call: &Value| {
                call[if is(&call["caller"]) { "caller_holds" } else { "callee_holds" }] == true
            };
            return if standing.all(holds) { Meaning::Held } else { Meaning::Busy };
        }
        if own().any(|call| is(&call["callee"])) {
            return Meaning::Ringing;
        }
        if own().next().is_some() {
            return Meaning::Busy;
        }
        let devices = self.ask("registrations");
        let there = |device: &Value| device["number"] == number && device["reachable"] == true;
        if devices.iter().any(there) { Meaning::Idle } else { Meaning::Unregistered }
    }

    fn lamp(&mut self, key: u8) -> Meaning {
        let seat = self.stage.seat("7007");
        let phone = self.stage.world().party_mut(seat).phone().expect("a phone");
        let keys = phone.phone().view().keys;
        keys.iter().find(|it| it.key == key).map(|it| it.lamp.meaning).unwrap_or_default()
    }

    fn check(&mut self, when: &str) -> Result<(), String> {
        for (key, number) in [(2, "7001"), (3, "7002")] {
            let (truth, lamp) = (self.truth(number), self.lamp(key));
            if truth != lamp {
                return Err(format!("{when}: the lamp of {number} says {lamp:?}, the exchange {truth:?}"));
            }
        }
        Ok(())
    }
}

fn lamps_end_true(seed: u64) -> Result<(), String> {
    let mut run = Run::new(seed)?;
    let acts = 4 + run.chance.below(10);
    for _ in 0..acts {
        run.act();
    }
    run.set_lines(Link::DESK);
    run.pass(u64::try_from(HEALING.as_millis()).unwrap_or(u64::MAX));
    run.check("after healing")?;
    run.stage.say("7001", "hangup all");
    run.stage.say("7002", "hangup all");
    run.pass(2_000);
    run.check("after hanging up")?;
    run.stage.say("7001", "dial 7002");
    run.pass(2_000);
    run.check("while it rings")?;
    let rings = (run.lamp(2), run.lamp(3));
    if rings != (Meaning::Busy, Meaning::Ringing) {
        return Err(format!("while it rings the lamps say {rings:?}"));
    }
    run.stage.say("7002", "answer");
    run.pass(2_000);
    run.check("in a call")
}

#[test]
fn every_lamp_ends_true() {
    each_seed(1_000, "every_lamp_ends_true", lamps_end_true);
}
