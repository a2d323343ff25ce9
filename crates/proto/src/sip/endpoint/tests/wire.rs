//! Two endpoints on a wire that loses, doubles and delays.

use proptest::prelude::*;

use super::*;
use crate::Rng;

/// How often each thing happened in one play.
#[derive(Debug, Default, Eq, PartialEq)]
struct Tally {
    offered: u32,
    answered: u32,
    timed_out: u32,
    accepted_twice: u32,
}

struct Wire {
    rng: Rng,
    loss_percent: u8,
    /// By moment and number, so that equal moments keep their order.
    packets: std::collections::BTreeMap<(Time, u64), (usize, Transmit)>,
    number: u64,
}

impl Wire {
    fn carry(&mut self, now: Time, to: usize, out: &mut Vec<Transmit>) {
        for transmit in out.drain(..) {
            let copies = u64::from(!self.rng.percent(self.loss_percent)) + u64::from(self.rng.percent(10));
            for _ in 0..copies {
                let delay = std::time::Duration::from_millis(self.rng.below(400));
                self.packets.insert((now + delay, self.number), (to, transmit.clone()));
                self.number += 1;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Every request ends, nothing is acted upon twice, and nothing is left behind.
    #[test]
    fn every_request_has_one_end(seed: u64, loss_percent in 0..90_u8, invite: bool) {
        let tally = play(seed, loss_percent, if invite { Method::Invite } else { Method::Message });
        prop_assert_eq!(tally.offered, 20);
        prop_assert_eq!(tally.answered + tally.timed_out, 20, "{:?}", tally);
        prop_assert_eq!(tally.accepted_twice, 0);
        if loss_percent == 0 {
            prop_assert_eq!(tally.answered, 20);
        }
    }
}

/// The first endpoint sends 20 requests, the second answers each with 486.
fn play(seed: u64, loss_percent: u8, method: Method) -> Tally {
    let mut ends = [0, 1].map(|n| Endpoint::<u32>::new(Config::default(), [n; 32]));
    let rng = Rng::from_number(seed);
    let mut wire = Wire { rng, loss_percent, packets: Default::default(), number: 0 };
    let (mut tally, mut out, mut seen) = (Tally::default(), Vec::new(), std::collections::BTreeSet::new());
    for number in 0..20 {
        let request = Request::new(method, "sip:a@example.com")
            .header(Name::From, "<sip:b@example.com>;tag=f")
            .header(Name::To, "<sip:a@example.com>")
            .header(Name::CallId, number)
            .header(Name::CSeq, format_args!("1 {method}"));
        ends[0]
            .send(Time::ZERO, &request, vec![target("udp 5061")], local(), number, &mut out)
            .expect("room");
        tally.offered += 1;
    }
    wire.carry(Time::ZERO, 1, &mut out);
    loop {
        let due = ends.iter().filter_map(|end| Some(end.next_deadline()?.0)).min();
        let packet = wire.packets.first_key_value().map(|(key, _)| key.0);
        let Some(now) = due.into_iter().chain(packet).min() else { break };
        if packet == Some(now) {
            let Some((_, (to, transmit))) = wire.packets.pop_first() else { break };
            deliver(&mut ends[to], now, &transmit, &mut seen, &mut tally, &mut out);
            wire.carry(now, 1 - to, &mut out);
            continue;
        }
        for (number, end) in ends.iter_mut().enumerate() {
            while let Some(timeout) = end.handle_timeout(now, &mut out) {
                tally.timed_out += u32::from(matches!(timeout, Timeout::TimedOut { .. }));
            }
            wire.carry(now, 1 - number, &mut out);
        }
    }
    assert_eq!(ends.map(|end| end.client_count() + end.server_count()), [0, 0]);
    tally
}

fn deliver(
    end: &mut Endpoint<u32>,
    now: Time,
    transmit: &Transmit,
    seen: &mut std::collections::BTreeSet<String>,
    tally: &mut Tally,
    out: &mut Vec<Transmit>,
) {
    let message = Message::parse(&transmit.bytes).expect("sound");
    match end.receive(now, udp(), &message, out) {
        Received::NewRequest(new) => {
            tally.accepted_twice += u32::from(!seen.insert(message.call_id().to_owned()));
            let id = end.accept(now, Some(new), udp(), &message);
            end.reply(now, id, &Reply::new(486), out).expect("open");
        }
        Received::Response { .. } => tally.answered += u32::from(message.status() == Some(486)),
        _ => {}
    }
}
