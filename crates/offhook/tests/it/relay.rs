//! The media relay between two phones on loopback sockets.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use media::codec::Codec;
use media::tone::Tone;
use offhook::clock::Clock;
use offhook::net::relay::{Audio, Expected, Figures, Relay, RelayConfig, RelayEvent, Side, Speech};
use proto::Rng;
use proto::rtp::Format;
use proto::rtp::srtp::{MasterKey, Opener, Protector, Suite};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// How long a packet that must come is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A phone's RTP socket that counts what it sends.
struct Phone {
    socket: UdpSocket,
    ssrc: u32,
    sequence: u16,
}

impl Phone {
    fn new(ssrc: u32) -> Self {
        Self::on(HOST, ssrc)
    }

    fn on(host: IpAddr, ssrc: u32) -> Self {
        let socket = UdpSocket::bind((host, 0)).expect("bound");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        Self { socket, ssrc, sequence: 100 }
    }

    fn at(&self) -> SocketAddr {
        self.socket.local_addr().expect("bound")
    }

    /// The next packet of PCMA with some sound.
    fn packet(&mut self) -> Vec<u8> {
        self.sequence += 1;
        let mut packet = vec![0x80, 8];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend((u32::from(self.sequence) * 160).to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend([0x55; 160]);
        packet
    }

    fn say(&mut self, to: SocketAddr) -> Vec<u8> {
        let packet = self.packet();
        self.send(to, &packet);
        packet
    }

    fn send(&self, to: SocketAddr, packet: &[u8]) {
        self.socket.send_to(packet, to).expect("sent");
    }

    fn hear(&self) -> Vec<u8> {
        let mut buffer = [0; 2_000];
        let length = self.socket.recv(&mut buffer).expect("a packet comes");
        buffer[..length].to_vec()
    }
}

fn pcma() -> Vec<Format> {
    vec![Format { payload_type: 8, clock_rate_hz: 8_000 }]
}

/// A relay with one session, and two phones in it.
struct Call {
    relay: Relay,
    events: UnboundedReceiver<RelayEvent>,
    a: Phone,
    b: Phone,
    a_at: SocketAddr,
    b_at: SocketAddr,
}

impl Call {
    fn new() -> Self {
        Self::on(HOST)
    }

    fn on(host: IpAddr) -> Self {
        let (told, events) = unbounded_channel();
        let mut relay = Relay::start(RelayConfig::new(Clock::start()), told).expect("started");
        let [a_at, b_at] = relay.open(1, host, host).expect("opened");
        Self { relay, events, a: Phone::on(host, 1), b: Phone::on(host, 2), a_at, b_at }
    }

    /// A is behind a NAT: its description names an address where nobody is, it signals from its own host,
    /// and so does B.
    fn behind_nat(host: IpAddr, private: SocketAddr) -> Self {
        let call = Self::on(host);
        let [a, b] = [private, call.b.at()].map(|rtp| Expected {
            rtp: Some(rtp),
            home: Some(host),
            formats: pcma(),
            ..Expected::default()
        });
        call.relay.expect(1, Side::A, a).expect("told");
        call.relay.expect(1, Side::B, b).expect("told");
        call
    }

    /// Both phones are where their SDP says.
    fn joined() -> Self {
        let call = Self::new();
        call.expect(Side::A, Some(call.a.at()));
        call.expect(Side::B, Some(call.b.at()));
        call
    }

    fn expect(&self, side: Side, rtp: Option<SocketAddr>) {
        self.relay.expect(1, side, Expected { rtp, formats: pcma(), ..Expected::default() }).expect("told");
    }

    fn event(&mut self) -> RelayEvent {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let event = runtime.block_on(async { tokio::time::timeout(PATIENCE, self.events.recv()).await });
        event.expect("told in time").expect("the relay lives")
    }

    fn check_a_to_b(&mut self) {
        let said = self.a.say(self.a_at);
        assert_eq!(self.b.hear(), said);
    }

    fn check_b_to_a(&mut self) {
        let said = self.b.say(self.b_at);
        assert_eq!(self.a.hear(), said);
    }

    /// Blocks until so many packets of A were taken.
    fn wait_for_packets(&mut self, packets: u64) {
        loop {
            self.relay.ask(1).expect("told");
            let event = self.event();
            if matches!(event, RelayEvent::Figures { figures: [a, _], .. } if a.packets >= packets) {
                return;
            }
        }
    }

    /// Closes and returns the last figures, passing over other events.
    fn close(mut self) -> [Figures; 2] {
        self.relay.close(1).expect("told");
        loop {
            if let RelayEvent::Closed { id: 1, figures } = self.event() {
                return figures;
            }
        }
    }
}

#[test]
fn a_leg_hears_itself_until_it_hears_the_other_again() {
    let mut call = Call::joined();
    call.relay.speak(1, Side::A, Some(Speech::Echo)).expect("told");
    let said = call.a.say(call.a_at);
    assert_eq!(call.a.hear(), said);
    call.relay.speak(1, Side::A, None).expect("told");
    call.check_a_to_b();
    call.check_b_to_a();
}

#[test]
fn a_leg_hears_the_relay_and_not_the_other() {
    let call = Call::joined();
    let tone =
        Speech::Sound { of: Audio::Tone(Tone::sine(1_000)), codec: Codec::Pcma, payload_type: 8, ssrc: 77 };
    call.relay.speak(1, Side::B, Some(tone)).expect("told");
    let mut a = Phone::new(1);
    let mut pcm = Vec::new();
    for _ in 0..20 {
        a.say(call.a_at);
        let packet = call.b.hear();
        let packet = proto::rtp::Packet::parse(&packet).expect("RTP");
        assert_eq!((packet.ssrc, packet.payload_type), (77, 8));
        let mut frame = [0; 160];
        media::g711::decode_alaw(packet.payload, &mut frame);
        pcm.extend(frame);
    }
    let share = media::detect::level_of_frequency_db(&pcm, 8_000, 1_000.0);
    assert!(share > -1.0, "{share} dB of the sound are at 1,000 Hz");
}

#[test]
fn sound_goes_both_ways_and_is_counted() {
    let mut call = Call::joined();
    for _ in 0..5 {
        call.check_a_to_b();
        call.check_b_to_a();
    }
    call.a.sequence += 2;
    call.check_a_to_b();
    call.relay.ask(1).expect("told");
    assert_eq!(call.event(), RelayEvent::Learnt { id: 1, side: Side::A, from: call.a.at() });
    assert_eq!(call.event(), RelayEvent::Learnt { id: 1, side: Side::B, from: call.b.at() });
    let RelayEvent::Figures { figures: [asked, _], .. } = call.event() else {
        panic!("figures were asked for")
    };
    assert_eq!((asked.packets, asked.lost), (6, Some(2)));
    let [a, b] = call.close();
    assert_eq!((a.packets, a.bytes, a.lost, a.strangers), (6, 960, Some(2), 0));
    assert_eq!((b.packets, b.bytes, b.lost, b.refused), (5, 800, Some(0), 0));
    assert!(a.jitter_ms.is_some());
}

#[test]
fn control_packets_go_beside_the_sound() {
    let mut call = Call::joined();
    let next = |at: SocketAddr| SocketAddr::new(at.ip(), at.port() + 1);
    let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
    let (a, b) = (UdpSocket::bind((HOST, 0)).expect("bound"), UdpSocket::bind((HOST, 0)).expect("bound"));
    b.set_read_timeout(Some(PATIENCE)).expect("set");
    call.check_a_to_b();
    // B's control address is learnt from what it sends.
    b.send_to(&report, next(call.b_at)).expect("sent");
    call.check_b_to_a();
    a.send_to(&report, next(call.a_at)).expect("sent");
    let mut buffer = [0; 100];
    assert_eq!(b.recv(&mut buffer).expect("comes"), report.len());
    assert_eq!(buffer[..report.len()], report);
}

#[test]
fn a_stranger_is_dropped_and_told_once() {
    let mut call = Call::joined();
    call.check_a_to_b();
    let mut stranger = Phone::new(9);
    for _ in 0..20 {
        stranger.say(call.a_at);
    }
    call.check_a_to_b();
    assert!(matches!(call.event(), RelayEvent::Learnt { .. }));
    let from = stranger.at();
    assert_eq!(call.event(), RelayEvent::Stranger { id: 1, side: Side::A, from });
    call.check_b_to_a();
    let [a, _] = call.close();
    assert_eq!((a.packets, a.strangers), (2, 20));
}

/// A sweep of all ports sends three packets to each, and more at once to those of a call; then the phone
/// behind a NAT speaks, and both hear each other.
fn check_sweep(host: IpAddr, stranger: IpAddr, private: &str) {
    let mut call = Call::behind_nat(host, private.parse().expect("an address"));
    let mut stranger = Phone::on(stranger, 9);
    for at in [call.a_at, call.b_at] {
        (0..100).for_each(|_| drop(stranger.say(at)));
    }
    call.check_a_to_b();
    call.check_b_to_a();
    for at in [call.a_at, call.b_at] {
        (0..100).for_each(|_| drop(stranger.say(at)));
    }
    call.check_b_to_a();
    call.check_a_to_b();
    let silent = Duration::from_millis(1);
    stranger.socket.set_read_timeout(Some(silent)).expect("set");
    assert!(stranger.socket.recv(&mut [0; 100]).is_err(), "the stranger hears nothing");
    let [a, b] = call.close();
    assert_eq!((a.packets, b.packets, a.undelivered), (2, 2, 0), "nothing of his went through");
}

#[test]
fn a_sweep_of_all_ports_hears_nobody_behind_a_nat() {
    check_sweep(HOST, IpAddr::from([127, 0, 52, 9]), "10.255.0.1:4000");
}

#[test]
fn a_sweep_of_all_ports_hears_nobody_over_ip_version_6() {
    let host = IpAddr::from(std::net::Ipv6Addr::LOCALHOST);
    if UdpSocket::bind((host, 0)).is_err() {
        return eprintln!("skipped: this machine has no IPv6");
    }
    // There is one loopback address, so the phone's host is known by its description alone.
    let mut call = Call::on(host);
    for (side, rtp) in [(Side::A, call.a.at()), (Side::B, "[2001:db8::7]:4000".parse().expect("an address"))]
    {
        let expected = Expected { rtp: Some(rtp), formats: pcma(), ..Expected::default() };
        call.relay.expect(1, side, expected).expect("told");
    }
    let mut stranger = Phone::on(host, 9);
    // He is a stranger to B's leg: its description names another host.
    (0..100).for_each(|_| drop(stranger.say(call.b_at)));
    // Packets and commands reach the relay by ways of their own: by so many turns it has read his.
    for packets in 1..=20 {
        call.a.say(call.a_at);
        call.wait_for_packets(packets);
    }
    let home = Expected {
        rtp: Some("[2001:db8::7]:4000".parse().expect("an address")),
        home: Some(host),
        formats: pcma(),
        ..Expected::default()
    };
    call.relay.expect(1, Side::B, home).expect("told");
    call.check_b_to_a();
    call.check_a_to_b();
    let [_, b] = call.close();
    assert_eq!(b.packets, 1);
}

#[test]
fn a_media_server_sends_from_the_address_of_its_description() {
    // It signals from elsewhere, as a session border controller or a server with direct media does.
    let mut call = Call::new();
    for (side, rtp) in [(Side::A, call.a.at()), (Side::B, call.b.at())] {
        let home = Some(IpAddr::from([127, 0, 52, 8]));
        let expected = Expected { rtp: Some(rtp), home, formats: pcma(), ..Expected::default() };
        call.relay.expect(1, side, expected).expect("told");
    }
    call.check_a_to_b();
    call.check_b_to_a();
    // What else comes from where it signals does not take its place.
    Phone::on(IpAddr::from([127, 0, 52, 8]), 7).say(call.a_at);
    call.check_a_to_b();
    let [a, _] = call.close();
    assert_eq!(a.packets, 2);
}

#[test]
fn a_phone_behind_a_nat_is_learnt() {
    let mut call = Call::behind_nat(HOST, "10.255.0.1:4000".parse().expect("an address"));
    call.check_a_to_b();
    call.check_b_to_a();
    let [a, _] = call.close();
    assert_eq!((a.packets, a.strangers), (1, 0));
}

#[test]
fn a_new_description_points_elsewhere_and_none_holds() {
    let mut call = Call::joined();
    call.check_a_to_b();
    let moved = Phone::new(2);
    call.expect(Side::B, Some(moved.at()));
    let said = call.a.say(call.a_at);
    assert_eq!(moved.hear(), said);
    for (packets, nowhere) in [(3, None), (4, Some("0.0.0.0:4000".parse().expect("an address")))] {
        call.expect(Side::B, nowhere);
        call.a.say(call.a_at);
        call.wait_for_packets(packets);
    }
    call.expect(Side::B, Some(call.b.at()));
    call.check_a_to_b();
    let [a, _] = call.close();
    assert_eq!((a.packets, a.undelivered), (5, 2));
}

#[test]
fn one_leg_in_cipher_the_other_in_clear() {
    let mut call = Call::new();
    let mut rng = Rng::from_number(1);
    let [phone_key, our_key] = [(); 2].map(|()| MasterKey::generate(Suite::AesCm128HmacSha1_80, &mut rng));
    let (mut protector, mut opener) = (Protector::new(&phone_key), Opener::new(&our_key));
    let secure = Expected {
        rtp: Some(call.a.at()),
        receive_key: Some(phone_key.clone()),
        send_key: Some(our_key.clone()),
        ..Expected::default()
    };
    call.relay.expect(1, Side::A, secure.clone()).expect("told");
    call.expect(Side::B, Some(call.b.at()));
    for round in 0..3 {
        let clear = call.a.packet();
        let mut cipher = clear.clone();
        protector.protect_rtp(&mut cipher).expect("protected");
        call.a.send(call.a_at, &cipher);
        assert_eq!(call.b.hear(), clear, "round {round}");
        // Forged, damaged and replayed packets are not forwarded.
        call.a.send(call.a_at, &clear);
        call.a.send(call.a_at, &cipher);
        let said = call.b.say(call.b_at);
        let mut heard = call.a.hear();
        let length = opener.open_rtp(&mut heard).expect("of our key");
        assert_eq!(heard[..length], said);
        // The same keys again, as a session refresh offers them, change nothing.
        call.relay.expect(1, Side::A, secure.clone()).expect("told");
    }
    let mut last = call.a.packet();
    protector.protect_rtp(&mut last).expect("protected");
    call.a.send(call.a_at, &last);
    call.b.hear();
    let [a, b] = call.close();
    assert_eq!((a.packets, a.refused, b.packets), (4, 6, 3));
}

#[test]
fn garbage_is_refused() {
    let mut call = Call::joined();
    call.check_a_to_b();
    for garbage in [&[][..], &[0x80], &[0; 12], &[0xff; 300], &[0x8f, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]] {
        call.a.send(call.a_at, garbage);
    }
    call.check_a_to_b();
    let [a, _] = call.close();
    assert_eq!((a.packets, a.refused), (2, 5));
}

#[test]
fn sessions_and_ports_are_bounded() {
    let (told, _events) = unbounded_channel();
    let clock = Clock::start();
    let mut relay =
        Relay::start(RelayConfig { sessions: 2, ..RelayConfig::new(clock) }, told).expect("started");
    relay.open(1, HOST, HOST).expect("opened");
    assert!(relay.open(1, HOST, HOST).expect_err("twice").to_string().contains("open already"));
    relay.open(2, HOST, HOST).expect("opened");
    assert!(relay.open(3, HOST, HOST).expect_err("a third").to_string().contains("all 2 relayed calls"));
    relay.close(1).expect("told");
    relay.open(3, HOST, HOST).expect("opened");

    let (told, _events) = unbounded_channel();
    let elsewhere = IpAddr::from([127, 0, 52, 1]);
    let mut relay = Relay::start(RelayConfig { ports: 20_000..=20_003, ..RelayConfig::new(clock) }, told)
        .expect("started");
    let [a, b] = relay.open(1, elsewhere, elsewhere).expect("opened");
    assert_eq!((a.port(), b.port()), (20_000, 20_002));
    assert!(relay.open(2, elsewhere, elsewhere).expect_err("none").to_string().contains("20000 to 20003"));
}
