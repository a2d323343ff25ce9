use super::super::srtp::{MasterKey, Suite};
use super::*;
use crate::rtp::Format;
use proptest::prelude::*;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Two sessions and the wire between them.
struct Pair {
    now: Time,
    rng: crate::Rng,
    a: RtpSession,
    b: RtpSession,
    a_address: SocketAddr,
    out: Vec<u8>,
}

const A: &str = "127.0.0.2:11780";
const B: &str = "127.0.0.3:11780";

impl Pair {
    fn new(change: impl Fn(&mut SessionConfig, &mut SessionConfig)) -> Self {
        let mut rng = crate::Rng::from_number(1);
        let now = Time::from_secs(1_700_000_000);
        let mut a = SessionConfig::g711(8, Some(address(B)));
        let mut b = SessionConfig::g711(8, Some(address(A)));
        change(&mut a, &mut b);
        let (a, b) = (RtpSession::new(now, a, &mut rng), RtpSession::new(now, b, &mut rng));
        Self { now, rng, a, b, a_address: address(A), out: Vec::with_capacity(2_048) }
    }

    fn plain() -> Self {
        Self::new(|_, _| {})
    }

    /// One packet time: A speaks, B hears; what it meant, in a word.
    fn step(&mut self) -> String {
        self.now += Duration::from_millis(20);
        match self.a.send(self.now, &[0xd5; 160], false, &mut self.out) {
            Some(_) => self.arrive(),
            None => "unsent".to_owned(),
        }
    }

    fn arrive(&mut self) -> String {
        match self.b.receive(self.now, self.a_address, &mut self.out) {
            Received::Media { new_stream: true, .. } => "new".to_owned(),
            Received::Media { .. } => "media".to_owned(),
            Received::Dtmf(digit) => digit.to_string(),
            other => format!("{other:?}"),
        }
    }

    fn steps(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.step()).collect()
    }

    /// RTCP both ways over a wire of `one_way`.
    fn report(&mut self, one_way: Duration) {
        self.now = self.a.next_deadline().max(self.b.next_deadline());
        let to = self.a.tick(self.now, &mut self.rng, &mut self.out).unwrap();
        assert_eq!(to, address("127.0.0.3:11781"));
        self.now += one_way;
        let from = SocketAddr::new(self.a_address.ip(), self.a_address.port() + 1);
        assert_eq!(self.b.receive(self.now, from, &mut self.out), Received::Rtcp { goodbye: false });
        self.now += Duration::from_millis(700);
        self.b.tick(self.now, &mut self.rng, &mut self.out).unwrap();
        self.now += one_way;
        let from = address("127.0.0.3:11781");
        assert_eq!(self.a.receive(self.now, from, &mut self.out), Received::Rtcp { goodbye: false });
    }
}

#[test]
fn sound_goes_over() {
    let mut pair = Pair::plain();
    assert_eq!(pair.steps(3), ["new", "media", "media"]);
    let (sent, received) = (pair.a.stats().sent, pair.b.stats().received);
    assert_eq!((sent.packets, sent.bytes), (3, 480));
    assert_eq!((received.packets, received.bytes, received.lost), (3, 480, Some(0)));
    assert_eq!((received.jitter_ms, received.ptime_ms), (Some(0.0), Some(20)));
    assert_eq!(received.last.unwrap().since(received.first.unwrap()), Duration::from_millis(40));
}

#[test]
fn the_unknown_is_none() {
    let pair = Pair::plain();
    assert_eq!(pair.a.stats(), Stats::default());
    let mut pair = Pair::new(|_, b| b.impairment = None);
    pair.steps(5);
    assert_eq!(pair.b.stats().received.mos, None);
    assert_eq!(pair.a.stats().sent.mos, None);
}

#[test]
fn the_marker_begins_each_talkspurt() {
    let mut pair = Pair::plain();
    let mut markers = Vec::new();
    for step in 0..8 {
        pair.now += Duration::from_millis(if step == 6 { 3_000 } else { 20 });
        if step == 3 {
            assert_eq!(pair.a.send_nothing(pair.now, &mut pair.out), None);
            continue;
        }
        pair.a.send(pair.now, &[0; 160], false, &mut pair.out).unwrap();
        let packet = Packet::parse(&pair.out).unwrap();
        markers.push((packet.marker, packet.timestamp));
    }
    let first = markers[0].1;
    let seen: Vec<_> = markers.iter().map(|(marker, at)| (*marker, at.wrapping_sub(first) / 160)).collect();
    assert_eq!(seen, [(true, 0), (false, 1), (false, 2), (true, 4), (false, 5), (true, 155), (false, 156)]);
}

#[test]
fn keys_go_over_even_while_silent() {
    let mut pair = Pair::plain();
    pair.steps(2);
    pair.a.press(Digit::from_char('4').unwrap(), 60).unwrap();
    pair.a.press(Digit::from_char('#').unwrap(), 60).unwrap();
    assert!(pair.a.is_dialling());
    let heard: Vec<_> = pair.steps(14).into_iter().filter(|word| word.len() == 1).collect();
    assert_eq!(heard, ["4", "#"]);
    assert!(!pair.a.is_dialling());
    assert_eq!(pair.b.stats().received.lost, Some(0));
    pair.now += Duration::from_millis(20);
    pair.a.press(Digit::from_char('A').unwrap(), 60).unwrap();
    let sent: Vec<_> = (0..8)
        .filter_map(|_| {
            pair.now += Duration::from_millis(20);
            pair.a.send_nothing(pair.now, &mut pair.out).map(|_| pair.arrive())
        })
        .collect();
    assert_eq!(sent, ["A", "Nothing", "Nothing", "Nothing", "Nothing"]);
}

#[test]
fn keys_need_an_agreed_event() {
    let mut pair = Pair::new(|a, _| a.dtmf_send = None);
    assert_eq!(pair.a.press(Digit::from_char('1').unwrap(), 100), Err(DtmfFlaw::NotAgreed));
}

#[test]
fn reports_give_round_trip_loss_and_quality() {
    let mut pair = Pair::plain();
    pair.steps(10);
    for _ in 0..5 {
        pair.now += Duration::from_millis(20);
        pair.a.send(pair.now, &[0; 160], false, &mut pair.out).unwrap();
    }
    pair.steps(5);
    pair.report(Duration::from_millis(30));
    let stats = pair.a.stats();
    let round_trip = stats.round_trip.unwrap();
    assert!(round_trip.abs_diff(Duration::from_millis(60)) < Duration::from_millis(1), "{round_trip:?}");
    assert_eq!((stats.sent.lost, pair.b.stats().received.lost), (Some(5), Some(5)));
    let mos = stats.sent.mos.unwrap();
    assert!(mos < 3.3 && stats.sent.mos_conversation.unwrap() < mos, "{mos}");
    assert_eq!(pair.b.stats().received.mos_conversation, None);
    assert_eq!(pair.b.stats().last_rtcp.map(|at| at < pair.now), Some(true));
}

#[test]
fn reports_come_every_five_seconds_or_so_with_chance() {
    let mut pair = Pair::plain();
    let mut waits = Vec::new();
    let mut last = pair.now;
    for _ in 0..200 {
        assert_eq!(
            pair.a.tick(pair.a.next_deadline() - Duration::from_micros(1), &mut pair.rng, &mut pair.out),
            None
        );
        let now = pair.a.next_deadline();
        pair.a.tick(now, &mut pair.rng, &mut pair.out).unwrap();
        waits.push(now.since(last).as_millis());
        last = now;
    }
    let rest = &waits[1..];
    assert!(waits[0] < 3_100 && rest.iter().all(|wait| (2_050..=6_200).contains(wait)), "{waits:?}");
    let mean = rest.iter().sum::<u128>() / rest.len() as u128;
    assert!((3_800..=4_400).contains(&mean), "{mean}");
}

#[test]
fn late_packets_of_the_jitter_buffer_cost_quality() {
    let mut pair = Pair::plain();
    pair.steps(100);
    let best = pair.b.stats().received.mos.unwrap();
    pair.b.set_late(5);
    let stats = pair.b.stats().received;
    assert_eq!(stats.late, Some(5));
    assert!(best > 4.3 && stats.mos.unwrap() < best - 0.3);
}

#[test]
fn a_goodbye_is_told() {
    let mut pair = Pair::plain();
    pair.steps(1);
    pair.a.goodbye(pair.now, &mut pair.out).unwrap();
    assert_eq!(pair.arrive(), "Rtcp { goodbye: true }");
}

#[test]
fn a_far_end_that_moves_is_followed_after_silence() {
    let mut pair = Pair::plain();
    pair.steps(5);
    pair.a_address = address("192.0.2.1:4000");
    // 200 ms of silence where it was, then half a second of its stream from elsewhere.
    assert_eq!(pair.steps(34), ["Stranger"; 34]);
    assert_eq!(pair.step(), "media");
    assert_eq!(pair.b.remote(), Some(pair.a_address));
    assert!(pair.b.stats().strangers > 10);
    let mut back = Vec::new();
    assert_eq!(pair.b.send(pair.now, &[0; 160], false, &mut back), Some(pair.a_address));
}

#[test]
fn a_far_end_that_changes_its_ssrc_is_followed() {
    let mut pair = Pair::plain();
    pair.steps(5);
    pair.a.sender = Sender::new(&mut pair.rng);
    assert_eq!(pair.steps(4), ["Stranger", "Stranger", "new", "media"]);
    pair.now += Duration::from_millis(500);
    pair.a.sender = Sender::new(&mut pair.rng);
    assert_eq!(pair.steps(2), ["new", "media"]);
    assert_eq!(pair.b.stats().received.restarts, Some(2));
    assert_eq!(pair.b.stats().received.lost, Some(0));
}

#[test]
fn a_far_end_that_changes_payload_type_or_packet_time() {
    let mut pair = Pair::new(|_, b| b.receive.push(Format { payload_type: 0, clock_rate_hz: 8_000 }));
    pair.steps(3);
    let mut config = SessionConfig::g711(0, Some(address(B)));
    config.ptime_ms = 40;
    pair.a.reconfigure(config);
    for _ in 0..3 {
        pair.now += Duration::from_millis(40);
        pair.a.send(pair.now, &[0xff; 320], false, &mut pair.out).unwrap();
        assert_eq!(pair.arrive(), "media");
    }
    assert_eq!(pair.b.stats().received.ptime_ms, Some(40));
    pair.a.reconfigure(SessionConfig::g711(18, Some(address(B))));
    assert_eq!(pair.step(), "UnknownPayload(18)");
    assert_eq!(pair.b.stats().last_unknown_payload, Some(18));
}

#[test]
fn direction_decides_who_speaks_and_who_listens() {
    let check = |direction: Direction, sends: bool, hears: &str| {
        let mut pair = Pair::new(|_, b| b.direction = direction);
        assert_eq!(pair.step(), hears, "{direction:?}");
        let mut out = Vec::new();
        assert_eq!(pair.b.send(pair.now, &[0; 160], false, &mut out).is_some(), sends, "{direction:?}");
        assert_eq!(pair.b.stats().received.packets, 1);
    };
    check(Direction::SendReceive, true, "new");
    check(Direction::SendOnly, true, "Nothing");
    check(Direction::ReceiveOnly, false, "new");
    check(Direction::Inactive, false, "Nothing");
}

fn with_keys(a: &mut SessionConfig, b: &mut SessionConfig) {
    let key = MasterKey::generate(Suite::AesCm128HmacSha1_80, &mut crate::Rng::from_number(9));
    a.srtp_send = Some(key.clone());
    b.srtp_receive = Some(key);
}

#[test]
fn srtp_goes_over_and_nothing_else_does() {
    let mut pair = Pair::new(with_keys);
    assert_eq!(pair.steps(3), ["new", "media", "media"]);
    // An authentic packet is believed from anywhere at once.
    pair.a_address = address("192.0.2.1:4000");
    assert_eq!(pair.step(), "media");
    assert_eq!(pair.b.remote(), Some(pair.a_address));
    pair.a.goodbye(pair.now, &mut pair.out).unwrap();
    assert_eq!(pair.arrive(), "Rtcp { goodbye: true }");
    let mut clear = Pair::new(|_, b| with_keys(&mut SessionConfig::g711(8, None), b));
    assert_eq!(clear.step(), "Bad(Srtp(Tag))");
    assert_eq!((clear.b.stats().bad, clear.b.stats().received.packets), (1, 0));
}

#[test]
fn strangers_get_nothing_out_of_rtcp() {
    let mut pair = Pair::plain();
    pair.steps(1);
    pair.a.goodbye(pair.now, &mut pair.out).unwrap();
    pair.a_address = address("192.0.2.66:11781");
    assert_eq!(pair.arrive(), "Stranger");
}

#[test]
fn our_own_sound_echoed_is_heard() {
    let mut pair = Pair::plain();
    pair.now += Duration::from_millis(20);
    pair.a.send(pair.now, &[1; 160], false, &mut pair.out).unwrap();
    let received = pair.a.receive(pair.now, address(B), &mut pair.out);
    assert!(matches!(received, Received::Media { .. }));
}

#[test]
fn the_steady_loop_allocates_nothing() {
    let mut pair = Pair::new(with_keys);
    pair.out = Vec::with_capacity(200);
    let before = (pair.out.capacity(), pair.out.as_ptr());
    pair.a.press(Digit::from_char('7').unwrap(), 100).unwrap();
    for _ in 0..3_000 {
        pair.step();
        pair.a.tick(pair.now, &mut pair.rng, &mut pair.out);
    }
    assert_eq!((pair.out.capacity(), pair.out.as_ptr()), before);
    assert_eq!(pair.b.stats().received.packets, 3_000);
}

proptest! {
    #[test]
    fn any_datagram_is_read_without_panic(
        datagrams in proptest::collection::vec(
            (any::<u16>(), 0u16..3, 0u8..3, proptest::collection::vec(any::<u8>(), 0..80)), 0..30),
        keyed: bool,
    ) {
        let mut pair = if keyed { Pair::new(with_keys) } else { Pair::plain() };
        for (wait_ms, port, shape, mut bytes) in datagrams {
            pair.now += Duration::from_millis(wait_ms.into());
            // Random bytes seldom look like RTP; two of three shapes begin as it does.
            if let (Some([first, second]), 1..) = (bytes.get_mut(..2), shape) {
                (*first, *second) = (0x80, if shape == 1 { 8 } else { 200 });
            }
            let from = SocketAddr::new(address(A).ip(), 11_780 + port);
            pair.b.receive(pair.now, from, &mut bytes);
            pair.b.send(pair.now, &[0; 160], false, &mut pair.out);
            pair.b.tick(pair.now, &mut pair.rng, &mut pair.out);
        }
        let stats = pair.b.stats();
        prop_assert!(stats.received.mos.is_none_or(|mos| (1.0..=4.5).contains(&mos)));
    }
}

/// Packets of sound that go out in three seconds, with a key in between; then what follows one packet of
/// the far end.
#[track_caller]
fn check_before_ack(before_ack: BeforeAck, unheard: usize, heard: usize) {
    let mut pair = Pair::new(|a, _| a.before_ack = before_ack);
    let three_seconds = |pair: &mut Pair| {
        let steps = pair.steps(150);
        steps.iter().filter(|step| *step != "unsent").count()
    };
    pair.a.press(Digit::from_char('4').unwrap(), 60).unwrap();
    assert_eq!(three_seconds(&mut pair), unheard, "{before_ack:?}");
    pair.now = pair.now.max(pair.a.next_deadline());
    let report = pair.a.tick(pair.now, &mut pair.rng, &mut pair.out);
    assert_eq!(report.is_some(), before_ack == BeforeAck::Acknowledged, "{before_ack:?}");

    pair.b.send(pair.now, &[0xd5; 160], false, &mut pair.out).unwrap();
    pair.a.receive(pair.now, address(B), &mut pair.out);
    assert_eq!(three_seconds(&mut pair), heard, "{before_ack:?}");
}

#[test]
fn before_the_ack_an_address_that_sent_nothing_gets_one_second_of_sound() {
    check_before_ack(BeforeAck::Acknowledged, 150, 150);
    check_before_ack(BeforeAck::OneSecond, 50, 150);
    check_before_ack(BeforeAck::Nothing, 0, 0);
}

#[test]
fn another_address_before_the_ack_gets_no_further_second() {
    let mut pair = Pair::new(|a, _| a.before_ack = BeforeAck::OneSecond);
    pair.steps(60);
    pair.a.reconfigure(SessionConfig { remote: Some(address("127.0.0.9:9")), ..pair.a.config().clone() });
    assert_eq!(pair.step(), "unsent");
    pair.a.reconfigure(SessionConfig { before_ack: BeforeAck::Acknowledged, ..pair.a.config().clone() });
    assert_ne!(pair.step(), "unsent");
}

#[test]
fn a_hold_and_its_end_lose_nothing() {
    for (held, resumed) in [(None, A), (Some(A), A), (Some("127.0.0.9:4"), A), (None, "127.0.0.9:4")] {
        let mut pair = Pair::plain();
        pair.steps(5);
        for (remote, direction) in [
            (held, Direction::ReceiveOnly),
            (Some(resumed), Direction::SendReceive),
            (held, Direction::Inactive),
            (Some(resumed), Direction::SendReceive),
        ] {
            let remote = remote.map(address);
            pair.a_address = remote.unwrap_or(pair.a_address);
            pair.b.reconfigure(SessionConfig { remote, direction, ..pair.b.config().clone() });
            let expected = if direction == Direction::Inactive { "Nothing" } else { "media" };
            assert_eq!(pair.steps(4), [expected; 4], "{held:?} {resumed}");
        }
        let received = pair.b.stats().received;
        assert_eq!((received.packets, received.lost), (21, Some(0)), "{held:?} {resumed}");
    }
}
