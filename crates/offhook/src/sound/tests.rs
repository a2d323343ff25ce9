//! Engines that hear one another over a virtual wire, judged by what is in the sound.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use media::detect::{dtmf_keys, level_of_frequency_db};
use media::level::is_silent;
use proto::rtp::srtp::{MasterKey, Suite};
use proto::sdp::offer_answer::{Agreed, AgreedSrtp, Codec};
use proto::{Rng, Time};
use roles::sound::{BeforeAck, Figures, SessionId, SoundCommand, SoundEvent, Tone};

use super::engine::SESSIONS_LIMIT;
use super::speech::KEYS_LIMIT;
use super::{Config, Engine, Outlet, Recording, Sine};

const KEY: [&str; 2] =
    ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"];

/// What one engine gave out.
#[derive(Default)]
struct Tray {
    datagrams: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    events: Vec<SoundEvent>,
    /// The address that a session sends from.
    at: BTreeMap<SessionId, SocketAddr>,
}

impl Outlet for Tray {
    fn send(&mut self, session: SessionId, rtcp: bool, to: SocketAddr, bytes: &[u8]) {
        let mut from = self.at[&session];
        from.set_port(from.port() + u16::from(rtcp));
        self.datagrams.push_back((from, to, bytes.to_vec()));
    }

    fn tell(&mut self, event: SoundEvent) {
        self.events.push(event);
    }
}

struct Phone {
    engine: Engine,
    ear: Recording,
    tray: Tray,
}

/// Phones and what is between them; phone `p` has session `s` at `127.0.0.p:s`.
struct World {
    now: Time,
    rng: Rng,
    loss_percent: u8,
    phones: Vec<Phone>,
}

impl World {
    /// Phones that hum these frequencies.
    fn new(config: Config, hums_hz: &[u16]) -> Self {
        let phone = |(number, hum_hz): (u8, &u16)| {
            let ear = Recording::new(16_000 * 60);
            let source = Box::new(Sine::new(*hum_hz, config.rate_hz));
            let engine = Engine::new(config, source, Box::new(ear.clone()), [number; 32]);
            Phone { engine, ear, tray: Tray::default() }
        };
        let phones = (1..).zip(hums_hz).map(phone).collect();
        Self { now: Time::from_secs(1_000), rng: Rng::from_number(5), loss_percent: 0, phones }
    }

    fn tell(&mut self, phone: usize, command: SoundCommand) {
        let Phone { engine, tray, .. } = &mut self.phones[phone];
        engine.command(self.now, command, tray);
    }

    fn open(&mut self, phone: usize, session: SessionId) {
        let local = address(phone, session);
        self.phones[phone].tray.at.insert(session, local);
        self.tell(phone, SoundCommand::Open { session, local });
    }

    fn agree(&mut self, phone: usize, session: SessionId, agreed: Agreed, held: bool) {
        self.agree_before_ack(phone, session, agreed, (held, BeforeAck::Acknowledged));
    }

    fn agree_before_ack(
        &mut self,
        phone: usize,
        session: SessionId,
        agreed: Agreed,
        (held, before_ack): (bool, BeforeAck),
    ) {
        self.tell(
            phone,
            SoundCommand::Agree { session, agreed: Box::new(agreed), held, before_ack, home: None },
        );
    }

    /// A call between two sessions, opened, agreed and in focus.
    fn join(&mut self, ends: [(usize, SessionId); 2], change: impl Fn(usize, &mut Agreed)) {
        for (index, (phone, session)) in ends.into_iter().enumerate() {
            let (other, other_session) = ends[1 - index];
            self.open(phone, session);
            let mut agreed = plain(address(other, other_session));
            change(index, &mut agreed);
            self.agree(phone, session, agreed, false);
            self.tell(phone, SoundCommand::Focus(vec![session]));
        }
    }

    fn call(config: Config, change: impl Fn(usize, &mut Agreed)) -> Self {
        let mut world = Self::new(config, &[440, 1_000]);
        world.join([(0, 1), (1, 1)], change);
        world
    }

    fn run(&mut self, span_ms: u64) {
        let end = self.now + Duration::from_millis(span_ms);
        while self.now < end {
            self.now += Duration::from_millis(5);
            for phone in &mut self.phones {
                phone.engine.tick(self.now, &mut phone.tray);
            }
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        let sent: Vec<_> =
            self.phones.iter_mut().flat_map(|phone| std::mem::take(&mut phone.tray.datagrams)).collect();
        for (from, to, mut bytes) in sent {
            let place = self.phones.iter().position(|phone| {
                phone.tray.at.values().any(|at| at.ip() == to.ip() && at.port() == to.port() & !1)
            });
            let Some(place) = place.filter(|_| !self.rng.percent(self.loss_percent)) else { continue };
            let Phone { engine, tray, .. } = &mut self.phones[place];
            engine.receive(self.now, session_at(to), from, &mut bytes, tray);
        }
    }

    /// What a phone heard in the last second.
    fn ear(&mut self, phone: usize) -> Vec<i16> {
        self.run(500);
        self.phones[phone].ear.take();
        self.run(1_000);
        self.phones[phone].ear.take()
    }

    fn check_hears(&mut self, phone: usize, rate_hz: u32, frequency_hz: f64) {
        let heard = self.ear(phone);
        let level = level_of_frequency_db(&heard, rate_hz, frequency_hz);
        assert!(level > -3.0, "phone {phone} hears {frequency_hz} Hz at {level} dB of the whole");
    }

    fn check_silent(&mut self, phone: usize) {
        let heard = self.ear(phone);
        assert!(heard.len() >= 8_000 && is_silent(&heard), "phone {phone} hears something");
    }

    fn figures(&mut self, phone: usize, session: SessionId) -> Figures {
        self.tell(phone, SoundCommand::Close { session });
        match self.phones[phone].tray.events.pop() {
            Some(SoundEvent::Closed { session: closed, figures }) if closed == session => figures,
            other => panic!("not closed: {other:?}"),
        }
    }

    fn digits(&self, phone: usize) -> String {
        let digit = |event: &SoundEvent| match event {
            SoundEvent::Digit { digit, .. } => Some(*digit),
            _ => None,
        };
        self.phones[phone].tray.events.iter().filter_map(digit).collect()
    }
}

fn address(phone: usize, session: SessionId) -> SocketAddr {
    format!("127.0.0.{}:{}", phone + 1, 10_000 + 2 * session).parse().unwrap()
}

fn session_at(to: SocketAddr) -> SessionId {
    u32::from(to.port() - 10_000) / 2
}

fn plain(remote: SocketAddr) -> Agreed {
    Agreed {
        codec: Codec::Pcma,
        send_payload_type: 8,
        receive_payload_type: 8,
        also_receive: Vec::new(),
        send_dtmf: Some(101),
        receive_dtmf: Some(101),
        ptime_ms: 20,
        remote_rtp: Some(remote),
        remote_rtcp: None,
        send: true,
        receive: true,
        srtp: None,
    }
}

fn as_codec(agreed: &mut Agreed, codec: Codec) {
    agreed.codec = codec;
    (agreed.send_payload_type, agreed.receive_payload_type) = (codec.payload_type(), codec.payload_type());
}

fn key(end: usize) -> MasterKey {
    MasterKey::from_base64(Suite::AesCm128HmacSha1_80, KEY[end]).unwrap()
}

fn encrypt(end: usize, agreed: &mut Agreed) {
    agreed.srtp = Some(AgreedSrtp { local_key: key(end), remote_key: key(1 - end) });
}

#[test]
fn two_phones_hear_each_other() {
    let mut world = World::call(Config::NARROWBAND, |_, _| {});
    world.check_hears(0, 8_000, 1_000.0);
    world.check_hears(1, 8_000, 440.0);
    let figures = world.figures(0, 1);
    assert_eq!((figures.codec.as_deref(), figures.rx_lost), (Some("PCMA"), Some(0)));
    let (sent, received) = (figures.tx_packets.unwrap(), figures.rx_packets.unwrap());
    assert!((149..=151).contains(&sent) && (149..=151).contains(&received), "{figures:?}");
    assert!(figures.mos.unwrap() > 4.3 && figures.jitter_ms.unwrap() < 10.0, "{figures:?}");
}

#[test]
fn every_codec_packet_time_and_rate() {
    for config in [Config::NARROWBAND, Config::WIDEBAND] {
        for codec in Codec::ALL {
            for ptime_ms in [10, 20, 30, 60, 5, 200] {
                let mut world = World::call(config, |_, agreed| {
                    as_codec(agreed, codec);
                    agreed.ptime_ms = ptime_ms;
                });
                world.check_hears(0, config.rate_hz, 1_000.0);
            }
        }
    }
}

#[test]
fn loss_is_concealed_and_counted() {
    let mut world = World::call(Config::NARROWBAND, |_, _| {});
    world.loss_percent = 10;
    world.check_hears(0, 8_000, 1_000.0);
    let figures = world.figures(0, 1);
    assert!((1..40).contains(&figures.rx_lost.unwrap()) && figures.mos.unwrap() < 4.2, "{figures:?}");
}

#[test]
fn encrypted_sound_needs_the_right_key() {
    let mut world = World::call(Config::NARROWBAND, encrypt);
    world.check_hears(0, 8_000, 1_000.0);
    world.check_hears(1, 8_000, 440.0);
    let mut world = World::call(Config::NARROWBAND, |end, agreed| {
        encrypt(end, agreed);
        if let (1, Some(srtp)) = (end, &mut agreed.srtp) {
            srtp.local_key = key(0);
        }
    });
    world.check_silent(0);
    world.check_hears(1, 8_000, 440.0);
}

#[test]
fn three_phones_confer_across_codecs() {
    let mut world = World::new(Config::NARROWBAND, &[440, 1_000, 1_700]);
    world.join([(0, 1), (1, 1)], |_, _| {});
    world.join([(0, 2), (2, 1)], |_, agreed| as_codec(agreed, Codec::G722));
    world.check_silent(1);
    world.check_hears(2, 8_000, 440.0);
    world.tell(0, SoundCommand::Focus(vec![1, 2]));
    let check = |world: &mut World, phone, loud: [f64; 2], absent: f64| {
        let heard = world.ear(phone);
        let level = |frequency_hz| level_of_frequency_db(&heard, 8_000, frequency_hz);
        assert!(loud.iter().all(|hz| level(*hz) > -6.0), "phone {phone} misses one of {loud:?}");
        assert!(level(absent) < -30.0, "phone {phone} hears itself");
    };
    check(&mut world, 0, [1_000.0, 1_700.0], 440.0);
    check(&mut world, 1, [440.0, 1_700.0], 1_000.0);
    check(&mut world, 2, [440.0, 1_000.0], 1_700.0);
}

#[test]
fn hold_is_silent_both_ways_and_ends() {
    let mut world = World::call(Config::NARROWBAND, |_, _| {});
    world.check_hears(1, 8_000, 440.0);
    let mut held = plain(address(1, 1));
    held.receive = false;
    world.agree(0, 1, held, true);
    world.check_silent(0);
    world.check_silent(1);
    world.agree(0, 1, plain(address(1, 1)), false);
    world.check_hears(0, 8_000, 1_000.0);
    world.check_hears(1, 8_000, 440.0);
}

#[test]
fn muted_hears_and_is_not_heard() {
    let mut world = World::call(Config::NARROWBAND, |_, _| {});
    world.tell(0, SoundCommand::Mute(true));
    world.check_hears(0, 8_000, 1_000.0);
    world.check_silent(1);
    world.tell(0, SoundCommand::Mute(false));
    world.check_hears(1, 8_000, 440.0);
}

#[test]
fn a_new_agreement_changes_the_codec() {
    let mut world = World::call(Config::NARROWBAND, |_, _| {});
    world.check_hears(0, 8_000, 1_000.0);
    for (phone, other) in [(0, 1), (1, 0)] {
        let mut agreed = plain(address(other, 1));
        as_codec(&mut agreed, Codec::G722);
        agreed.ptime_ms = 30;
        world.agree(phone, 1, agreed, false);
    }
    world.check_hears(0, 8_000, 1_000.0);
    assert_eq!(world.figures(0, 1).codec.as_deref(), Some("G722"));
}

#[test]
fn a_far_end_that_changes_its_payload_type_is_heard_on() {
    for config in [Config::NARROWBAND, Config::WIDEBAND] {
        let mut world = World::call(config, |_, agreed| {
            agreed.also_receive = vec![(0, Codec::Pcmu), (9, Codec::G722)];
        });
        world.check_hears(0, config.rate_hz, 1_000.0);
        for codec in [Codec::Pcmu, Codec::G722, Codec::Pcma] {
            // Without a word of signalling to the other side.
            let mut agreed = plain(address(0, 1));
            as_codec(&mut agreed, codec);
            world.agree(1, 1, agreed, false);
            world.run(300);
            world.ear(0);
            world.check_hears(0, config.rate_hz, 1_000.0);
        }
        let figures = world.figures(0, 1);
        assert_eq!((figures.codec.as_deref(), figures.rx_lost), (Some("PCMA"), Some(0)));
    }
}

#[test]
fn digits_go_as_events() {
    let mut world = World::call(Config::NARROWBAND, encrypt);
    world.run(200);
    let digits = "0123456789*#ABCD".to_owned();
    world.tell(0, SoundCommand::Dtmf { session: 1, digits: digits.clone(), in_band: false });
    world.run(6_000);
    assert_eq!((world.digits(1), world.digits(0)), (digits, String::new()));
    world.check_hears(1, 8_000, 440.0);
}

#[test]
fn digits_go_as_tones_where_no_event_was_agreed() {
    for (in_band, event) in [(true, Some(101)), (false, None)] {
        let mut world = World::call(Config::NARROWBAND, |_, agreed| agreed.send_dtmf = event);
        world.run(300);
        world.phones[1].ear.take();
        world.tell(0, SoundCommand::Dtmf { session: 1, digits: "159D#x".to_owned(), in_band });
        world.run(2_000);
        assert_eq!(dtmf_keys(&world.phones[1].ear.take()), "159D#");
        assert_eq!(world.digits(1), "");
        world.check_hears(1, 8_000, 440.0);
    }
}

#[test]
fn the_keys_that_wait_are_bounded() {
    let mut world = World::call(Config::NARROWBAND, |_, _| {});
    let digits = "1".repeat(KEYS_LIMIT * 2);
    world.tell(0, SoundCommand::Dtmf { session: 1, digits, in_band: true });
    // 128 keys of 240 ms.
    world.run(KEYS_LIMIT as u64 * 240 + 500);
    world.check_hears(1, 8_000, 440.0);
}

#[test]
fn tones_are_heard_without_a_call_and_over_one() {
    let mut world = World::new(Config::NARROWBAND, &[440]);
    assert_eq!(world.phones[0].engine.next_deadline(), Time::NEVER);
    world.tell(0, SoundCommand::Tone(Some(Tone::Dial)));
    world.check_hears(0, 8_000, 425.0);
    world.tell(0, SoundCommand::Tone(None));
    assert_eq!(world.phones[0].engine.next_deadline(), Time::NEVER);
    world.tell(0, SoundCommand::Tone(Some(Tone::AutoAnswer)));
    world.run(300);
    let beep = world.phones[0].ear.take();
    assert_eq!(beep.len(), 1_600);
    assert!(level_of_frequency_db(&beep, 8_000, 1_000.0) > -1.0);
    let mut world = World::call(Config::NARROWBAND, |_, _| {});
    world.tell(0, SoundCommand::Tone(Some(Tone::Dial)));
    let heard = world.ear(0);
    let level = |frequency_hz| level_of_frequency_db(&heard, 8_000, frequency_hz);
    assert!(level(1_000.0) > -6.0 && level(425.0) > -6.0);
}

#[test]
fn sessions_are_bounded_and_every_close_is_answered() {
    let mut world = World::new(Config::NARROWBAND, &[440]);
    (0..=SESSIONS_LIMIT as u32).for_each(|session| world.open(0, session));
    assert_eq!(world.phones[0].engine.sessions().count(), SESSIONS_LIMIT);
    let events = &world.phones[0].tray.events;
    assert!(matches!(&events[..], [SoundEvent::Failed { session: 64, .. }]), "{events:?}");
    assert_eq!(world.figures(0, 64), Figures::default());
    assert_eq!(world.figures(0, 3), Figures::default());
    world.open(0, 64);
    assert_eq!(world.phones[0].engine.sessions().count(), SESSIONS_LIMIT);
}

#[test]
fn rtcp_goes_to_the_port_above_unless_turned_off() {
    for rtcp in [true, false] {
        let mut world = World::call(Config { rtcp, ..Config::NARROWBAND }, |_, _| {});
        world.run(1_000);
        world.figures(0, 1);
        let to: Vec<_> = world.phones[0].tray.datagrams.iter().map(|(from, to, _)| (*from, *to)).collect();
        let above = |phone| SocketAddr::new(address(phone, 1).ip(), address(phone, 1).port() + 1);
        assert_eq!(to, if rtcp { vec![(above(0), above(1))] } else { vec![] });
    }
}

#[test]
fn a_standstill_is_not_caught_up() {
    let mut world = World::call(Config::NARROWBAND, |_, _| {});
    world.run(1_000);
    world.now += Duration::from_secs(60);
    world.run(100);
    let sent = world.figures(0, 1).tx_packets.unwrap();
    assert!((50..70).contains(&sent), "{sent}");
}

proptest::proptest! {
    #[test]
    fn any_datagram_does_no_harm(datagrams in proptest::collection::vec(
        proptest::collection::vec(proptest::num::u8::ANY, 0..64), 0..32)) {
        let mut world = World::call(Config::NARROWBAND, |_, _| {});
        world.run(50);
        for mut bytes in datagrams {
            if let Some(first) = bytes.first_mut() {
                *first = *first & 0x3f | 0x80;
            }
            let Phone { engine, tray, .. } = &mut world.phones[0];
            engine.receive(world.now, 1, address(1, 1), &mut bytes, tray);
            world.run(20);
        }
        proptest::prop_assert!(world.figures(0, 1).tx_packets.unwrap() > 0);
    }
}

#[test]
fn a_call_that_awaits_its_ack_is_not_heard_and_then_it_is() {
    let mut world = World::call(Config::NARROWBAND, |_, _| {});
    world.agree_before_ack(0, 1, plain(address(1, 1)), (false, BeforeAck::Nothing));
    world.check_silent(1);
    world.check_hears(0, 8_000, 1_000.0);
    world.agree(0, 1, plain(address(1, 1)), false);
    world.check_hears(1, 8_000, 440.0);
}
