//! The media thread: phones that hear one another through loopback sockets.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use media::detect::level_of_frequency_db;
use offhook::clock::Clock;
use offhook::sound::argument::Audio;
use offhook::sound::thread::{PhoneId, SoundThread, probe_ports};
use offhook::sound::{Config, Engine, Silence, Sine, Sink, Source};
use proto::sdp::offer_answer::{Agreed, Codec};
use roles::sound::{BeforeAck, Figures, SoundCommand, SoundEvent};
use tokio::sync::mpsc::{Receiver, Sender, channel};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// How long an event that must come is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

struct Lab {
    thread: SoundThread,
    events: Receiver<(PhoneId, SoundEvent)>,
}

impl Lab {
    fn new() -> Self {
        let (sender, events) = channel(64);
        Self { thread: SoundThread::start(Clock::start(), sender).expect("started"), events }
    }

    fn attach(&self, phone: PhoneId, source: Box<dyn Source>, sink: Box<dyn Sink>) {
        let engine = Engine::new(Config::NARROWBAND, source, sink, [phone as u8; 32]);
        self.thread.attach(phone, engine, 46).expect("attached");
    }

    fn tell(&self, phone: PhoneId, command: SoundCommand) {
        self.thread.command(phone, command).expect("told");
    }

    fn call(&self, phone: PhoneId, local: SocketAddr, remote: SocketAddr) {
        self.tell(phone, SoundCommand::Open { session: 1, local });
        let agreed = Box::new(agreed(remote));
        self.tell(
            phone,
            SoundCommand::Agree {
                session: 1,
                agreed,
                held: false,
                before_ack: BeforeAck::Acknowledged,
                home: None,
            },
        );
        self.tell(phone, SoundCommand::Focus(vec![1]));
    }

    async fn event(&mut self) -> (PhoneId, SoundEvent) {
        tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("in time").expect("an event")
    }

    async fn close(&mut self, phone: PhoneId) -> Figures {
        self.tell(phone, SoundCommand::Close { session: 1 });
        match self.event().await {
            (of, SoundEvent::Closed { session: 1, figures }) if of == phone => figures,
            other => panic!("not closed: {other:?}"),
        }
    }
}

/// Passes on what it hears, so that a test can wait for sound.
struct Ear(Sender<Vec<i16>>);

impl Ear {
    fn new() -> (Self, Receiver<Vec<i16>>) {
        let (frames, heard) = channel(1_000);
        (Self(frames), heard)
    }
}

impl Sink for Ear {
    fn hear(&mut self, frame: &[i16]) {
        // A test that has heard enough takes no more.
        let _ = self.0.try_send(frame.to_vec());
    }
}

/// A second of sound from its first frame that is not silent.
async fn heard_second(frames: &mut Receiver<Vec<i16>>) -> Vec<i16> {
    let mut heard = Vec::new();
    while heard.len() < 8_000 {
        let frame = tokio::time::timeout(PATIENCE, frames.recv()).await.expect("in time").expect("a frame");
        if !heard.is_empty() || frame.iter().any(|sample| sample.unsigned_abs() > 100) {
            heard.extend(frame);
        }
    }
    heard
}

fn agreed(remote: SocketAddr) -> Agreed {
    Agreed {
        codec: Codec::Pcmu,
        send_payload_type: 0,
        receive_payload_type: 0,
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

#[tokio::test]
async fn two_phones_hear_each_other() {
    let mut lab = Lab::new();
    let port = *probe_ports(HOST, 33_000, 2).expect("ports").start();
    let (a, b) = (SocketAddr::new(HOST, port), SocketAddr::new(HOST, port + 2));
    let (ear, mut heard) = Ear::new();
    lab.attach(1, Box::new(Sine::new(440, 8_000)), Box::new(Silence));
    lab.attach(2, Box::new(Silence), Box::new(ear));
    lab.call(1, a, b);
    lab.call(2, b, a);
    let level = level_of_frequency_db(&heard_second(&mut heard).await, 8_000, 440.0);
    assert!(level > -3.0, "{level} dB");
    lab.tell(1, SoundCommand::Dtmf { session: 1, digits: "42#".to_owned(), in_band: false });
    for digit in ['4', '2', '#'] {
        assert_eq!(lab.event().await, (2, SoundEvent::Digit { session: 1, digit }));
    }
    let (sent, received) = (lab.close(1).await, lab.close(2).await);
    assert!(received.rx_packets.is_some_and(|packets| packets >= 50), "{received:?}");
    assert!(sent.tx_packets >= received.rx_packets, "{sent:?} {received:?}");
    // The answer to the closing comes before the ports are closed, the answer to the next command after.
    lab.tell(1, SoundCommand::Close { session: 1 });
    lab.event().await;
    UdpSocket::bind(a).expect("closed");
}

#[tokio::test]
async fn a_port_in_use_is_told() {
    let mut lab = Lab::new();
    let taken = UdpSocket::bind((HOST, 0)).expect("bound");
    let local = taken.local_addr().expect("bound");
    lab.attach(5, Box::new(Silence), Box::new(Silence));
    lab.tell(5, SoundCommand::Open { session: 1, local });
    let (phone, event) = lab.event().await;
    let SoundEvent::Failed { session: 1, reason } = event else { panic!("{event:?}") };
    assert!(phone == 5 && reason.contains("another program uses this port"), "{reason}");
    assert_eq!(lab.close(5).await, Figures::default());
}

#[tokio::test]
async fn a_recording_is_complete_when_the_thread_has_ended() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("heard.wav");
    let audio: Audio = format!("tone:1000,{}", path.display()).parse().expect("an argument");
    let (source, sink) = audio.open(8_000).expect("opened");
    let mut lab = Lab::new();
    let port = *probe_ports(HOST, 34_000, 2).expect("ports").start();
    let (a, b) = (SocketAddr::new(HOST, port), SocketAddr::new(HOST, port + 2));
    let (ear, mut heard) = Ear::new();
    lab.attach(1, source, sink);
    lab.attach(2, Box::new(Sine::new(440, 8_000)), Box::new(ear));
    lab.call(1, a, b);
    lab.call(2, b, a);
    heard_second(&mut heard).await;
    lab.thread.detach(1).expect("told");
    assert!(matches!(lab.event().await, (1, SoundEvent::Closed { .. })));
    drop(lab);
    let wav = media::wav::Wav::parse(&std::fs::read(&path).expect("written")).expect("a WAV file");
    assert!(level_of_frequency_db(&wav.samples, 8_000, 440.0) > -3.0);
}
