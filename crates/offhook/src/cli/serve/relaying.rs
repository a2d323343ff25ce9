//! The exchange's wishes for its media relay, in the relay's own words.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use media::codec::Codec;
use media::tone::{Segment, Tone};
use proto::sdp::Codec as SdpCodec;
use roles::exchange::RelayPorts;
use roles::relay::{RelayCommand, RelayEvent, RelayFigures, RelayId, Side, Sound, Speech};
use tokio::sync::mpsc;

use crate::clock::{self, Clock};
use crate::net::ports;
use crate::net::relay::{self, Audio, Expected, Relay, RelayConfig};

/// What the tone test sounds like.
const TEST_TONE_HZ: u16 = 1_000;
/// A setting is stored: three short beeps.
const CONFIRMATION: Tone = Tone::once(&[
    Segment::new(&[440], 100),
    Segment::new(&[], 100),
    Segment::new(&[440], 100),
    Segment::new(&[], 100),
    Segment::new(&[440], 100),
]);
/// A call waits, and there is no music: a beep every five seconds.
const WAITING: Tone = Tone::repeating(&[Segment::new(&[440], 200), Segment::new(&[], 4_800)]);

/// Where sound is relayed at an address: four ports for each call.
pub(in crate::cli) fn relay_ports(address: IpAddr) -> RelayPorts {
    let (first, ports) = ports::for_sound();
    RelayPorts { address, first, calls: ports / 4 }
}

/// A relay that speaks as the exchange does.
pub(in crate::cli) struct Relaying {
    relay: Relay,
    events: mpsc::UnboundedReceiver<relay::RelayEvent>,
    /// What could not be done, to be told.
    failed: Vec<RelayEvent>,
    /// Pieces of music at 8 kHz, played in turns.
    music: Vec<Arc<[i16]>>,
    next_piece: usize,
    last_ssrc: u32,
}

impl Relaying {
    /// Starts the relay's thread.
    ///
    /// # Errors
    /// The system gives no thread or entropy.
    pub(in crate::cli) fn start(clock: Clock, music: Vec<Arc<[i16]>>) -> io::Result<Self> {
        // Bounded by its commands: each gives at most a handful of events.
        let (teller, events) = mpsc::unbounded_channel();
        let relay = Relay::start(RelayConfig::new(clock), teller)?;
        let [a, b, c, d, ..] = clock::seed()?;
        let last_ssrc = u32::from_be_bytes([a, b, c, d]);
        Ok(Self { relay, events, failed: Vec::new(), music, next_piece: 0, last_ssrc })
    }

    pub(in crate::cli) fn command(&mut self, command: RelayCommand) {
        let (relay, done) = match command {
            RelayCommand::Open { relay, a, b } => (relay, self.relay.open_at(relay.into(), a, b)),
            RelayCommand::Point { relay, side, remote, home, formats, srtp } => {
                let (receive_key, send_key) = srtp.map(|srtp| (srtp.remote_key, srtp.local_key)).unzip();
                let expected = Expected { rtp: remote, home, formats, receive_key, send_key };
                (relay, self.relay.expect(relay.into(), own(side), expected))
            }
            RelayCommand::Play { relay, side, speech } => {
                let speech = speech.map(|speech| self.speech(&speech));
                (relay, self.relay.speak(relay.into(), own(side), speech))
            }
            RelayCommand::Close { relay } => (relay, self.relay.close(relay.into())),
        };
        if let Err(error) = done {
            self.failed.push(RelayEvent::Failed { relay, reason: error.to_string() });
        }
    }

    fn speech(&mut self, speech: &Speech) -> relay::Speech {
        let audio = match speech.sound {
            Sound::Echo => return relay::Speech::Echo,
            Sound::TestTone => Audio::Tone(Tone::sine(TEST_TONE_HZ)),
            Sound::Confirmation => Audio::Tone(CONFIRMATION),
            Sound::Music => match self.music.as_slice() {
                [] => Audio::Tone(WAITING),
                pieces => {
                    self.next_piece = (self.next_piece + 1) % pieces.len();
                    pieces
                        .get(self.next_piece)
                        .map_or(Audio::Tone(WAITING), |piece| Audio::Samples(piece.clone()))
                }
            },
        };
        self.last_ssrc = self.last_ssrc.wrapping_mul(0x9e37_79b1).wrapping_add(1);
        let (payload_type, ssrc) = (speech.payload_type, self.last_ssrc);
        relay::Speech::Sound { of: audio, codec: codec(speech.codec), payload_type, ssrc }
    }

    /// The next thing that the relay has to tell the exchange. Safe to cancel.
    pub(in crate::cli) async fn next(&mut self) -> RelayEvent {
        if let Some(failed) = self.failed.pop() {
            return failed;
        }
        loop {
            match self.events.recv().await {
                Some(relay::RelayEvent::Closed { id, figures: [a, b] }) => {
                    let relay = RelayId::try_from(id).unwrap_or_default();
                    return RelayEvent::Closed { relay, a: figures(&a), b: figures(&b) };
                }
                Some(relay::RelayEvent::Stranger { id, side, from }) => {
                    let relay = RelayId::try_from(id).unwrap_or_default();
                    return RelayEvent::Stranger { relay, side: theirs(side), from };
                }
                // The exchange needs neither learnt addresses nor questions.
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }
}

const fn codec(of: SdpCodec) -> Codec {
    match of {
        SdpCodec::Pcma => Codec::Pcma,
        SdpCodec::Pcmu => Codec::Pcmu,
        SdpCodec::G722 => Codec::G722,
    }
}

const fn own(side: Side) -> relay::Side {
    match side {
        Side::A => relay::Side::A,
        Side::B => relay::Side::B,
    }
}

const fn theirs(side: relay::Side) -> Side {
    match side {
        relay::Side::A => Side::A,
        relay::Side::B => Side::B,
    }
}

fn figures(of: &relay::Figures) -> RelayFigures {
    RelayFigures {
        packets: of.packets,
        bytes: of.bytes,
        lost: of.lost,
        jitter_ms: of.jitter_ms.map(f64::from),
        strangers: of.strangers,
    }
}
