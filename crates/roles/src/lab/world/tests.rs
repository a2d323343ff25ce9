//! Two scripted machines that say `ping` and `pong`.

use super::*;
use crate::lab::NatKind;

/// Says `ping` when told where to, answers each `ping` by `pong`, and tells what it hears.
struct Echo {
    local: SocketAddr,
    transport: Transport,
    alarm: Option<Time>,
}

impl Party for Echo {
    fn handle(&mut self, now: Time, happens: Happens<'_>, out: &mut Vec<Does>) {
        match happens {
            Happens::Packet { flow, bytes } => {
                out.push(Does::Tell(
                    format!("{} from {}", String::from_utf8_lossy(bytes), flow.remote).into(),
                ));
                if bytes == b"ping" {
                    out.push(Does::Send { flow, bytes: Bytes::from_static(b"pong") });
                }
            }
            Happens::Command(to) => {
                let (transport, local) = (self.transport, self.local);
                let flow = Flow { transport, local, remote: to.parse().expect("an address") };
                out.push(Does::Send { flow, bytes: Bytes::from_static(b"ping") });
            }
            Happens::Failed { reason, .. } => out.push(Does::Tell(reason.into())),
            Happens::Wake => {
                self.alarm = self.alarm.filter(|&alarm| alarm > now);
                out.push(Does::Tell("awake".into()));
            }
            Happens::Resolved { answer, .. } => out.push(Does::Tell(format!("{answer:?}").into())),
            Happens::Start | Happens::Network(_) | Happens::Frame(_) => {}
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        self.alarm
    }

    fn listens(&self, transport: Transport, local: SocketAddr) -> bool {
        (transport, local) == (self.transport, self.local)
    }
}

fn world(transport: Transport, link: Link) -> (World<Echo>, SeatId, SeatId) {
    let mut world = World::new(1, Time::from_secs(1), link);
    let mut seat = |name: &str, local: &str| {
        let local: SocketAddr = local.parse().expect("an address");
        world.join(name, local.ip(), Echo { local, transport, alarm: None })
    };
    let (one, two) = (seat("one", "10.0.0.1:5060"), seat("two", "10.0.0.2:5060"));
    for who in [one, two] {
        world.switch_on(who, Duration::ZERO);
    }
    world.run_for(Duration::ZERO).expect("at rest");
    (world, one, two)
}

/// What was told within ten seconds: millisecond, who, what.
fn heard(world: &mut World<Echo>) -> Vec<String> {
    world.run_for(Duration::from_secs(10)).expect("at rest");
    let told = world.take_told();
    let line = |told: Told| {
        let name = world.name(told.who);
        format!("{} {name}: {}", told.at.as_millis(), told.event.as_str().unwrap_or_default())
    };
    told.into_iter().map(line).collect()
}

#[test]
fn a_datagram_takes_its_time() {
    let (mut world, one, _) = world(Transport::Udp, Link::DESK);
    world.command(one, "10.0.0.2:5060");
    assert_eq!(heard(&mut world), ["1001 two: ping from 10.0.0.1:5060", "1002 one: pong from 10.0.0.2:5060"]);
    assert_eq!(world.passed().len(), 2);
}

#[test]
fn a_closed_port_answers_and_an_empty_address_does_not() {
    let (mut world, one, _) = world(Transport::Udp, Link::DESK);
    world.command(one, "10.0.0.2:5061");
    world.command(one, "10.0.0.9:5060");
    let heard = heard(&mut world);
    assert_eq!(heard.len(), 1);
    assert!(heard[0].starts_with("1002 one: nothing listens at 10.0.0.2:5061"), "{heard:?}");
    assert_eq!(world.passed()[1].fate, Fate::Undeliverable);
}

#[test]
fn a_stream_keeps_its_order_and_breaks_loudly() {
    let (mut world, one, two) = world(Transport::Tcp, Link { jitter_us: 50_000, ..Link::bad(50) });
    for _ in 0..20 {
        world.command(one, "10.0.0.2:5060");
    }
    let heard_first = heard(&mut world);
    assert_eq!(heard_first.iter().filter(|line| line.contains("ping from 10.0.0.1:40001")).count(), 20);
    assert_eq!(heard_first.iter().filter(|line| line.contains("one: pong from 10.0.0.2:5060")).count(), 20);
    world.switch_off(two);
    assert!(heard(&mut world)[0].ends_with("one: the other end was switched off"));
    world.command(one, "10.0.0.2:5060");
    assert!(heard(&mut world)[0].contains("refused the connection (TCP)"));
}

#[test]
fn a_nat_hides_and_forgets() {
    let (mut world, one, two) = world(Transport::Udp, Link::DESK);
    let nat = NatBox::new([203, 0, 113, 1].into(), NatKind::Symmetric, Duration::from_secs(30));
    world.hide(&[one], nat);
    world.command(one, "10.0.0.2:5060");
    assert_eq!(heard(&mut world)[0], "1001 two: ping from 203.0.113.1:20000");
    world.command(two, "203.0.113.1:20000");
    assert_eq!(heard(&mut world).len(), 2);
    world.run_for(Duration::from_secs(40)).expect("at rest");
    world.command(two, "203.0.113.1:20000");
    assert!(heard(&mut world).is_empty());
    assert_eq!(world.name_at([203, 0, 113, 1].into()), Some("one"));
}

#[test]
fn a_clock_that_jumps_meets_its_deadline_early() {
    let (mut world, one, _) = world(Transport::Udp, Link::DESK);
    world.party_mut(one).alarm = Some(Time::from_secs(3_600));
    world.jump(one, Duration::from_secs(3_000));
    world.run_until(Time::from_secs(599)).expect("at rest");
    assert!(world.take_told().is_empty());
    world.run_until(Time::from_secs(600)).expect("at rest");
    assert_eq!(world.take_told().len(), 1);
}

#[test]
fn a_party_that_never_rests_is_named() {
    struct Restless;
    impl Party for Restless {
        fn handle(&mut self, _: Time, _: Happens<'_>, _: &mut Vec<Does>) {}
        fn next_deadline(&self) -> Option<Time> {
            Some(Time::ZERO)
        }
        fn listens(&self, _: Transport, _: SocketAddr) -> bool {
            false
        }
    }
    let mut world = World::new(1, Time::ZERO, Link::DESK);
    let who = world.join("restless", [10, 0, 0, 1].into(), Restless);
    world.switch_on(who, Duration::ZERO);
    assert_eq!(world.run_for(Duration::from_secs(1)).map_err(|stuck| stuck.who), Err("restless".to_owned()));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || {
        let (mut world, one, _) = world(Transport::Udp, Link::bad(20));
        for _ in 0..50 {
            world.command(one, "10.0.0.2:5060");
        }
        heard(&mut world)
    };
    let first = run();
    assert_eq!(first, run());
    assert!(first.len() > 50 && first.len() < 150, "{}", first.len());
}

/// Listens at a group, and answers whoever asks there.
struct Member(SocketAddr);

impl Party for Member {
    fn handle(&mut self, _: Time, happens: Happens<'_>, out: &mut Vec<Does>) {
        match happens {
            Happens::Command("ask") => {
                let remote = "224.0.1.75:5060".parse().expect("an address");
                let flow = Flow { transport: Transport::Udp, local: self.0, remote };
                out.push(Does::Send { flow, bytes: Bytes::from_static(b"who?") });
            }
            Happens::Command(_) => out.push(Does::Frame(Bytes::from_static(b"frame"))),
            Happens::Packet { flow, bytes } => {
                let text = format!("{} at {}", String::from_utf8_lossy(bytes), flow.local);
                out.push(Does::Tell(text.into()));
            }
            Happens::Frame(bytes) => out.push(Does::Tell(String::from_utf8_lossy(bytes).into())),
            _ => {}
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        None
    }

    fn listens(&self, _: Transport, local: SocketAddr) -> bool {
        local == self.0 || local.ip().is_multicast()
    }
}

#[test]
fn a_group_and_a_frame_reach_all_but_the_sender() {
    let mut world = World::new(1, Time::from_secs(1), Link::DESK);
    let seats: Vec<SeatId> = (1..=3_u8)
        .map(|n| {
            let at = SocketAddr::from(([10, 0, 0, n], 5_060));
            world.join(&n.to_string(), at.ip(), Member(at))
        })
        .collect();
    for who in &seats {
        world.switch_on(*who, Duration::ZERO);
    }
    world.run_for(Duration::ZERO).expect("at rest");
    let told = |world: &mut World<Member>| -> Vec<String> {
        world.run_for(Duration::from_secs(1)).expect("at rest");
        world.take_told().iter().map(|told| told.event.as_str().unwrap_or_default().to_owned()).collect()
    };
    world.command(seats[0], "ask");
    assert_eq!(told(&mut world), ["who? at 224.0.1.75:5060"; 2]);
    assert_eq!(world.passed()[0].got.len(), 2);
    world.command(seats[0], "frame");
    assert_eq!(told(&mut world), ["frame"; 2]);
    world.switch_off(seats[1]);
    world.command(seats[0], "frame");
    assert_eq!(told(&mut world), ["frame"]);
}
