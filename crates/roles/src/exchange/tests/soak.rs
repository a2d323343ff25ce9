//! Long runs in virtual time: a flood of guessers, a week with faults.

use std::sync::Arc;

use super::*;

#[test]
fn a_flood_of_guessers_leaves_real_phones_their_service() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    for source in 0..10_000_u32 {
        let [_, b, c, d] = source.to_be_bytes();
        let mut guesser =
            Phone::with_password(if source.is_multiple_of(2) { "7001" } else { "7009" }, "guess");
        guesser.address.set_ip([10, b, c, d].into());
        for _ in 0..2 {
            let request = guesser.register("3600").replace("reg-", &format!("reg-{source}-"));
            bench.say(&guesser, &request);
            let answer = bench.inbox.remove(&guesser.address).and_then(|mut all| all.pop());
            if let Some(answer) = answer.filter(|answer| answer.starts_with("SIP/2.0 401")) {
                guesser.challenged(&answer);
            }
        }
        if source.is_multiple_of(1_000) {
            bench.ladder.clear();
            for phone in &mut phones {
                let request = phone.register("3600");
                bench.say(phone, &request);
                assert!(bench.inbox[&phone.address].last().expect("an answer").starts_with("SIP/2.0 200"));
            }
        }
        bench.now += Duration::from_millis(1);
    }
    let figures = bench.exchange.figures(bench.now);
    assert_eq!((figures.devices, figures.calls), (3, 0));
    // Strangers are answered without transactions.
    assert!(figures.server_transactions < 100, "{figures:?}");
    let invite = phones[0].invite("7002", "after", "");
    bench.say(&phones[0], &invite);
    bench.heard(&phones[1], "INVITE");
}

/// The store of a long run: what an exchange would find again.
#[derive(Default)]
struct Kept {
    bindings: BTreeMap<(String, String), Binding>,
    subscriptions: BTreeMap<String, Subscription>,
    records: Vec<CallRecord>,
}

impl Kept {
    fn take(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Binding(binding) => {
                    self.bindings.insert(
                        (binding.number.clone(), binding.contact.clone()),
                        Arc::unwrap_or_clone(binding),
                    );
                }
                Change::BindingRemoved { number, contact } => {
                    self.bindings.remove(&(number, contact));
                }
                Change::Subscription(kept) => {
                    self.subscriptions.insert(kept.local_tag.clone(), Arc::unwrap_or_clone(kept));
                }
                Change::SubscriptionRemoved { local_tag } => {
                    self.subscriptions.remove(&local_tag);
                }
                Change::CallRecord(record) => self.records.push(record),
                _ => {}
            }
        }
    }

    fn restored(&self) -> Restored {
        let numbers = ["7001", "7002", "7003"];
        Restored {
            extensions: numbers.map(|number| Extension::new(number, "offhook", "secret")).to_vec(),
            bindings: self.bindings.values().cloned().collect(),
            subscriptions: self.subscriptions.values().cloned().collect(),
            records: self.records.iter().rev().take(50).rev().cloned().collect(),
            ..Restored::default()
        }
    }
}

/// Answers every NOTIFY that a phone has heard since the last time; the newest body.
fn answer_notifies(bench: &mut Bench, phone: &Phone) -> Option<String> {
    let heard = bench.inbox.remove(&phone.address).unwrap_or_default();
    let notifies: Vec<String> = heard.into_iter().filter(|text| text.starts_with("NOTIFY")).collect();
    for notify in &notifies {
        let ok = phone.answer(notify, 200, "", "");
        bench.say(phone, &ok);
    }
    notifies.last().cloned()
}

/// Registers whatever the exchange has forgotten of the nonce.
fn refresh(bench: &mut Bench, phone: &mut Phone) {
    for _ in 0..2 {
        let request = phone.register("3600");
        bench.say(phone, &request);
        let answer =
            bench.inbox[&phone.address].iter().rev().find(|text| text.starts_with("SIP/2.0")).cloned();
        match answer {
            Some(answer) if answer.starts_with("SIP/2.0 401") => phone.challenged(&answer),
            _ => return,
        }
    }
}

fn subscribe_once(bench: &mut Bench, phone: &mut Phone, serial: u32) {
    let fields = format!("Contact: {}\r\nEvent: dialog\r\nExpires: 3600\r\n", phone.contact());
    let to = "<sip:7002@192.0.2.100>";
    let call_id = format!("watch-{serial}");
    let request = phone.request("SUBSCRIBE", "sip:7002@192.0.2.100", to, "", &call_id, &fields, "");
    bench.say(phone, &request);
}

/// Time passes while 7003 answers what it is told; the newest lamp.
fn rest(bench: &mut Bench, watcher: &Phone, seconds: u64) -> Option<String> {
    let mut lamp = None;
    for _ in 0..seconds.div_ceil(10) {
        bench.wait(10);
        // Each answer may bring the next NOTIFY.
        while let Some(told) = answer_notifies(bench, watcher) {
            lamp = Some(told);
        }
    }
    lamp
}

/// 7001 calls 7002, which answers or does not; who hangs up changes too.
fn one_call(bench: &mut Bench, phones: &mut [Phone; 3], serial: u32) {
    let invite = phones[0].invite("7002", &format!("week-{serial}"), "");
    bench.say(&phones[0], &invite);
    let offered = bench.heard(&phones[1], "INVITE");
    rest(bench, &phones[2], 10);
    if serial.is_multiple_of(5) {
        // Its network is gone: nobody answers anything.
        rest(bench, &phones[2], 70);
        return;
    }
    let ok = phones[1].answer(&offered, 200, "", SDP);
    bench.say(&phones[1], &ok);
    let answered = bench.heard(&phones[0], "SIP/2.0 200");
    let ack = phones[0].ack(&invite, &answered);
    bench.say(&phones[0], &ack);
    rest(bench, &phones[2], 60);
    let bye = if serial.is_multiple_of(2) {
        (0, phones[0].within(&answered, "BYE", "", ""))
    } else {
        (1, phones[1].within_called(&offered, "BYE", "", ""))
    };
    bench.say(&phones[bye.0], &bye.1);
}

#[test]
fn a_week_with_faults_leaves_no_call_and_no_lamp_behind() {
    let mut kept = Kept::default();
    let config = || Config { max_records: 50, ring_s: 30, ..Config::default() };
    let mut bench = Bench::restored(config(), kept.restored());
    let mut phones = bench.ready();
    let mut versions = Vec::new();
    for serial in 0..7 * 24 {
        for phone in &mut phones {
            bench.inbox.remove(&phone.address);
            refresh(&mut bench, phone);
        }
        let mut faulty = Phone::with_password("7003", "faulty");
        faulty.address.set_port(5_099);
        let request = faulty.register("3600");
        bench.say(&faulty, &request);
        bench.inbox.remove(&faulty.address);
        subscribe_once(&mut bench, &mut phones[2], serial);
        answer_notifies(&mut bench, &phones[2]);
        one_call(&mut bench, &mut phones, serial);
        let lamp = rest(&mut bench, &phones[2], 120);
        for relay in 0..4 {
            let (a, b) = (RelayFigures::default(), RelayFigures::default());
            bench.give(Input::Heard(RelayEvent::Closed { relay, a, b }));
        }
        // Where the call was over before, the lamp was told before.
        let lamp = lamp.unwrap_or_default();
        assert!(!lamp.contains("<dialog "), "hour {serial}: a stuck lamp: {lamp}");
        rest(&mut bench, &phones[2], 3_270);
        bench.ladder.clear();
        bench.events.clear();
        bench.media.clear();
        kept.take(std::mem::take(&mut bench.changes));
        let figures = bench.exchange.figures(bench.now);
        assert_eq!((figures.calls, figures.legs), (0, 0), "hour {serial}: {figures:?}");
        assert!(figures.client_transactions + figures.server_transactions < 40, "hour {serial}: {figures:?}");
        assert!(figures.subscriptions <= 2 && figures.records <= 50, "hour {serial}: {figures:?}");
        assert!(
            bench.exchange.turn.alarms.len() < 20,
            "hour {serial}: {} alarms",
            bench.exchange.turn.alarms.len()
        );
        assert!(kept.bindings.len() <= 3 && kept.subscriptions.len() <= 2);
        versions.extend(
            kept.subscriptions.values().map(|kept| (kept.local_tag.clone(), kept.cseq, kept.version)),
        );
        if (serial + 1).is_multiple_of(24) {
            let now = bench.now;
            bench = Bench::restored_at(config(), kept.restored(), now);
            bench.give(Input::Start);
        }
    }
    for (at, (tag, cseq, version)) in versions.iter().enumerate() {
        let later = versions.iter().skip(at).filter(|(other, _, _)| other == tag);
        assert!(later.clone().all(|(_, c, v)| c >= cseq && v >= version), "{tag} went backwards");
    }
}
