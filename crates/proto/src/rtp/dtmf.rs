//! Key presses as RTP events, RFC 4733: a sender of packet trains and a forgiving receiver.

use crate::Time;
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// Bytes of one event payload, RFC 4733 §2.3.
pub const EVENT_BYTES: usize = 4;
/// Keys that may wait to be sent: a calling-card number with PIN, and then some.
pub const QUEUE_LIMIT: usize = 128;
/// How often the last packet of an event is sent, RFC 4733 §2.5.1.4.
const END_PACKETS: u8 = 3;
/// Quiet between two keys, so that the far end hears two and not one.
const GAP_MS: u32 = 60;
/// Shortest and longest event that is sent.
const DURATION_LIMITS_MS: (u32, u32) = (40, 8_000);
/// Power of the tone in -dBm0, as desk phones send it.
const VOLUME: u8 = 10;
/// Packets of one event follow each other closer than this; a broken sender's marker on each of them
/// is passed over only within it.
const SAME_EVENT_WITHIN: Duration = Duration::from_millis(150);
/// Some senders let the timestamp run on within one key. One that is further beyond the end of the last
/// packet's event than this, 40 ms at 8 kHz, begins another key.
const BEYOND_END: u32 = 320;
/// After this much quiet an older timestamp is a new stream and not a straggler.
const STRAGGLERS_WITHIN: Duration = Duration::from_secs(1);

/// A telephone key as RFC 4733 numbers it: 0–9, `*` 10, `#` 11, A–D 12–15, flash 16.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Digit(u8);

impl Digit {
    /// From an event code; `None` above 16.
    pub const fn from_code(code: u8) -> Option<Self> {
        if code <= 16 { Some(Self(code)) } else { None }
    }

    /// From what is printed on the key, either case; `!` is flash.
    pub fn from_char(key: char) -> Option<Self> {
        let code = KEYS.iter().position(|known| char::from(*known) == key.to_ascii_uppercase())?;
        Self::from_code(code as u8)
    }

    /// What is printed on the key; `!` for flash.
    pub fn as_char(self) -> char {
        KEYS.get(usize::from(self.0)).map_or('!', |key| char::from(*key))
    }

    /// The event code.
    pub const fn code(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

const KEYS: &[u8; 17] = b"0123456789*#ABCD!";

/// The payload of an event packet, RFC 4733 §2.3.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Event {
    /// The event; 0 to 16 are keys.
    pub code: u8,
    /// The event is over.
    pub end: bool,
    /// Power in -dBm0, 0 to 63.
    pub volume: u8,
    /// Units of the RTP clock since the packet's timestamp.
    pub duration: u16,
}

impl Event {
    /// Reads the first event of a payload; `None` where it is shorter than [`EVENT_BYTES`].
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [code, flags, high, low, ..] = *payload else { return None };
        let duration = u16::from_be_bytes([high, low]);
        Some(Self { code, end: flags & 0x80 != 0, volume: flags & 0x3f, duration })
    }

    /// The payload.
    pub fn bytes(&self) -> [u8; EVENT_BYTES] {
        let [high, low] = self.duration.to_be_bytes();
        [self.code, u8::from(self.end) << 7 | self.volume & 0x3f, high, low]
    }
}

/// One packet of a train, to be sent in place of sound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EventPacket {
    /// Set on the first packet of the event.
    pub marker: bool,
    /// When the event, or this segment of a long one, began, in units of the RTP clock.
    pub timestamp: u32,
    /// The payload.
    pub payload: [u8; EVENT_BYTES],
}

/// The queue of keys holds [`QUEUE_LIMIT`] already: the caller presses faster than keys can be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QueueFull;

impl fmt::Display for QueueFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{QUEUE_LIMIT} keys are waiting to be sent; let some go out first")
    }
}

impl std::error::Error for QueueFull {}

/// Turns key presses into packet trains, one packet each packet time.
#[derive(Debug)]
pub struct DtmfSender {
    step: u32,
    gap_steps: u32,
    units_per_ms: u32,
    queue: VecDeque<(Digit, u32)>,
    state: Sending,
}

#[derive(Clone, Copy, Debug)]
enum Sending {
    Idle,
    Train(Train),
    Gap(u32),
}

#[derive(Clone, Copy, Debug)]
struct Train {
    digit: Digit,
    timestamp: u32,
    /// Units since `timestamp`, which is that of the segment.
    elapsed: u32,
    /// Units still to be sent after `elapsed`.
    remaining: u32,
    first: bool,
    ends_sent: u8,
}

impl DtmfSender {
    /// For a stream of `clock_rate_hz` with a packet each `ptime_ms`.
    pub fn new(clock_rate_hz: u32, ptime_ms: u32) -> Self {
        let units_per_ms = (clock_rate_hz / 1_000).max(1);
        Self {
            step: units_per_ms.saturating_mul(ptime_ms).max(1),
            gap_steps: GAP_MS.div_ceil(ptime_ms.max(1)),
            units_per_ms,
            queue: VecDeque::with_capacity(QUEUE_LIMIT),
            state: Sending::Idle,
        }
    }

    /// Puts a key into the queue, to sound for `duration_ms` (40 ms to 8 s; beyond is cut).
    ///
    /// # Errors
    /// [`QueueFull`] where [`QUEUE_LIMIT`] keys wait.
    pub fn press(&mut self, digit: Digit, duration_ms: u32) -> Result<(), QueueFull> {
        if self.queue.len() >= QUEUE_LIMIT {
            return Err(QueueFull);
        }
        let duration_ms = duration_ms.clamp(DURATION_LIMITS_MS.0, DURATION_LIMITS_MS.1);
        self.queue.push_back((digit, duration_ms.saturating_mul(self.units_per_ms)));
        Ok(())
    }

    /// True while a key sounds or waits.
    pub fn is_busy(&self) -> bool {
        matches!(self.state, Sending::Train(_)) || !self.queue.is_empty()
    }

    /// Forgets what waits and ends what sounds, without end packets.
    pub fn clear(&mut self) {
        self.queue.clear();
        self.state = Sending::Idle;
    }

    /// Called once each packet time with the timestamp sound would have now: the event packet to
    /// send in its place, or `None` for sound.
    pub fn next_packet(&mut self, timestamp: u32) -> Option<EventPacket> {
        if let Sending::Gap(steps) = self.state {
            self.state = if steps > 1 { Sending::Gap(steps - 1) } else { Sending::Idle };
            return None;
        }
        let mut train = self.current_train(timestamp)?;
        let packet = train.advance(self.step);
        self.state =
            if train.ends_sent < END_PACKETS { Sending::Train(train) } else { Sending::Gap(self.gap_steps) };
        Some(packet)
    }

    fn current_train(&mut self, timestamp: u32) -> Option<Train> {
        if let Sending::Train(train) = self.state {
            return Some(train);
        }
        let (digit, remaining) = self.queue.pop_front()?;
        Some(Train { digit, timestamp, elapsed: 0, remaining, first: true, ends_sent: 0 })
    }
}

impl Train {
    fn advance(&mut self, step: u32) -> EventPacket {
        if self.elapsed >= u32::from(u16::MAX) && self.remaining > 0 {
            self.begin_segment();
        }
        // A segment ends at what its duration field can say, RFC 4733 §2.5.1.3.
        let step = step.min(self.remaining).min(u32::from(u16::MAX) - self.elapsed);
        self.elapsed += step;
        self.remaining -= step;
        let end = self.remaining == 0;
        self.ends_sent += u8::from(end);
        EventPacket {
            marker: std::mem::take(&mut self.first),
            timestamp: self.timestamp,
            payload: Event { code: self.digit.code(), end, volume: VOLUME, duration: self.elapsed as u16 }
                .bytes(),
        }
    }

    fn begin_segment(&mut self) {
        self.timestamp = self.timestamp.wrapping_add(self.elapsed);
        self.elapsed = 0;
    }
}

/// Turns packet trains back into key presses, each told once, at its first packet.
///
/// An event is known by its RTP timestamp (RFC 4733 §2.5.2.2), so lost first, last or middle
/// packets and a missing marker do no harm. Senders who break this rule are understood too: those who
/// send two keys under one timestamp, and those whose timestamp runs on within one key.
#[derive(Debug, Default)]
pub struct DtmfReceiver {
    last: Option<Heard>,
}

/// What the packet around an event says.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Its timestamp.
    pub timestamp: u32,
    /// Its marker.
    pub marker: bool,
    /// A packet that was sent later has come before it, by its sequence number.
    pub reordered: bool,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    event: Event,
    timestamp: u32,
    at: Time,
}

impl DtmfReceiver {
    /// Takes one event packet; a key comes back when this packet is the first seen of its event.
    pub fn receive(&mut self, now: Time, arrival: Arrival, payload: &[u8]) -> Option<Digit> {
        let event = Event::parse(payload)?;
        let digit = Digit::from_code(event.code)?;
        let kin = self.last.map_or(Kin::New, |last| last.kin(now, arrival, &event));
        if kin != Kin::Straggler {
            self.last = Some(Heard { event, timestamp: arrival.timestamp, at: now });
        }
        (kin == Kin::New).then_some(digit)
    }

    /// Forgets the last event: the far end began a new stream.
    pub fn reset(&mut self) {
        self.last = None;
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kin {
    New,
    Same,
    Straggler,
}

impl Heard {
    fn kin(&self, now: Time, arrival: Arrival, event: &Event) -> Kin {
        let ahead = arrival.timestamp.wrapping_sub(self.timestamp);
        let quiet = now.since(self.at);
        let is_behind = ahead > u32::MAX / 2;
        if arrival.reordered && (ahead == 0 || is_behind) {
            return Kin::Straggler;
        }
        let is_new = event.code != self.event.code
            || (arrival.marker && !self.is_marked_again(ahead, quiet, event))
            || match is_behind {
                true => quiet >= STRAGGLERS_WITHIN || event.duration < self.event.duration,
                false => self.is_beyond(ahead, event),
            };
        match (is_new, is_behind) {
            (true, _) => Kin::New,
            (false, true) => Kin::Straggler,
            (false, false) => Kin::Same,
        }
    }

    /// Whether the marker says nothing: some senders set it on each packet of an event, or send the first
    /// one more than once.
    fn is_marked_again(&self, ahead: u32, quiet: Duration, event: &Event) -> bool {
        ahead == 0 && !self.event.end && quiet < SAME_EVENT_WITHIN && event.duration >= self.event.duration
    }

    /// Whether a packet of the same digit is not of the event, by its times. The next segment of a long
    /// event begins exactly where the last one ended (RFC 4733 §2.5.1.3).
    fn is_beyond(&self, ahead: u32, event: &Event) -> bool {
        let end = u32::from(self.event.duration);
        let next_segment = ahead > 0 && ahead == end && !self.event.end;
        !next_segment && (event.duration < self.event.duration || ahead > end + BEYOND_END)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digit(key: char) -> Digit {
        Digit::from_char(key).unwrap()
    }

    fn train(sender: &mut DtmfSender, ticks: u32, step: u32) -> Vec<Option<EventPacket>> {
        (0..ticks).map(|tick| sender.next_packet(tick * step)).collect()
    }

    #[test]
    fn keys_and_codes() {
        for code in 0..=16 {
            let digit = Digit::from_code(code).unwrap();
            assert_eq!(Digit::from_char(digit.as_char()), Some(digit));
        }
        assert_eq!(Digit::from_char('d'), Digit::from_code(15));
        assert_eq!((Digit::from_code(17), Digit::from_char('x')), (None, None));
    }

    #[test]
    fn a_train_of_100_ms() {
        let mut sender = DtmfSender::new(8_000, 20);
        sender.press(digit('5'), 100).unwrap();
        assert!(sender.is_busy());
        let packets: Vec<_> = train(&mut sender, 20, 160).into_iter().flatten().collect();
        let events: Vec<_> = packets.iter().map(|p| Event::parse(&p.payload).unwrap()).collect();
        assert_eq!(
            events.iter().map(|e| e.duration).collect::<Vec<_>>(),
            [160, 320, 480, 640, 800, 800, 800]
        );
        assert_eq!(events.iter().filter(|e| e.end).count(), 3);
        assert!(packets.iter().all(|p| p.timestamp == 0));
        assert_eq!(
            packets.iter().map(|p| p.marker).collect::<Vec<_>>(),
            [true, false, false, false, false, false, false]
        );
        assert!(!sender.is_busy());
    }

    #[test]
    fn two_keys_have_a_gap_and_their_own_timestamps() {
        let mut sender = DtmfSender::new(8_000, 20);
        sender.press(digit('1'), 40).unwrap();
        sender.press(digit('1'), 40).unwrap();
        let slots = train(&mut sender, 14, 160);
        let shape: String = slots.iter().map(|slot| if slot.is_some() { 'e' } else { '.' }).collect();
        assert_eq!(shape, "eeee...eeee...");
        assert_eq!(slots[7].unwrap().timestamp, 7 * 160);
    }

    #[test]
    fn a_long_event_at_48_khz_has_segments_and_is_heard_once() {
        let mut sender = DtmfSender::new(48_000, 20);
        sender.press(digit('#'), 4_000).unwrap();
        let mut receiver = DtmfReceiver::default();
        let mut heard = Vec::new();
        let mut timestamps = Vec::new();
        for tick in 0..220u32 {
            let Some(packet) = sender.next_packet(tick * 960) else { continue };
            let now = Time::from_millis(u64::from(tick) * 20);
            timestamps.push(packet.timestamp);
            let EventPacket { timestamp, marker, payload } = packet;
            heard.extend(receiver.receive(now, Arrival { timestamp, marker, reordered: false }, &payload));
        }
        timestamps.dedup();
        assert_eq!(timestamps, [0, 65_535, 131_070]);
        assert_eq!(heard, [digit('#')]);
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut sender = DtmfSender::new(8_000, 20);
        for _ in 0..QUEUE_LIMIT {
            sender.press(digit('0'), 100).unwrap();
        }
        assert_eq!(sender.press(digit('0'), 100), Err(QueueFull));
        sender.clear();
        assert!(!sender.is_busy());
    }

    /// `packets`: (at ms, timestamp, marker, code, end, duration); the keys that are told.
    fn check(packets: &[(u64, u32, bool, u8, bool, u16)], expected: &str) {
        let mut receiver = DtmfReceiver::default();
        let heard: String = packets
            .iter()
            .filter_map(|&(at_ms, timestamp, marker, code, end, duration)| {
                let payload = Event { code, end, volume: 10, duration }.bytes();
                let arrival = Arrival { timestamp, marker, reordered: false };
                receiver.receive(Time::from_millis(at_ms), arrival, &payload)
            })
            .map(Digit::as_char)
            .collect();
        assert_eq!(heard, expected, "{packets:?}");
    }

    #[test]
    fn a_key_is_heard_once_whatever_is_lost() {
        check(
            &[(0, 9, true, 5, false, 160), (20, 9, false, 5, false, 320), (40, 9, false, 5, true, 320)],
            "5",
        );
        check(&[(40, 9, false, 5, true, 320), (60, 9, false, 5, true, 320)], "5");
        check(&[(0, 9, false, 5, false, 160), (200, 2_000, false, 5, false, 160)], "55");
        check(
            &[(0, 9, true, 5, true, 160), (20, 2_000, true, 5, false, 160), (30, 9, false, 5, true, 160)],
            "55",
        );
    }

    #[test]
    fn a_wandering_timestamp_is_one_key() {
        check(
            &[(0, 0, false, 1, false, 160), (20, 160, false, 1, false, 320), (40, 320, false, 1, true, 480)],
            "1",
        );
    }

    /// A key of 100 ms as the standard has it, but for its marker and its timestamp: (duration, end).
    const TRAIN: [(u16, bool); 7] =
        [(160, false), (320, false), (480, false), (640, false), (800, true), (800, true), (800, true)];

    #[test]
    fn two_keys_under_one_timestamp_are_two() {
        for marker in [true, false] {
            let key = |begin_ms: u64| {
                TRAIN.into_iter().enumerate().map(move |(step, (duration, end))| {
                    (begin_ms + step as u64 * 20, 77, marker && step == 0, 1, end, duration)
                })
            };
            check(&key(0).chain(key(300)).collect::<Vec<_>>(), "11");
        }
    }

    #[test]
    fn an_end_that_is_repeated_under_later_timestamps_is_one_key() {
        let packets = [0, 160, 320].map(|later| (u64::from(later) / 8, 1_000 + later, false, 3, true, 0x320));
        check(&packets, "3");
        let marked = |step: u32| (u64::from(step), 1_000 + step * 160, step == 0, 3, true, 0x320);
        check(&[marked(0), marked(1), marked(2)], "3");
    }

    #[test]
    fn a_timestamp_beyond_the_end_is_another_key_and_one_just_after_it_is_not() {
        check(&[(0, 0, false, 3, true, 800), (140, 800 + 320, false, 3, true, 800)], "3");
        check(&[(0, 0, false, 3, true, 800), (141, 800 + 321, false, 3, true, 800)], "33");
    }

    #[test]
    fn a_marker_on_each_packet_is_one_key() {
        let key = |begin_ms: u64, timestamp: u32| {
            TRAIN.into_iter().enumerate().filter(|(_, (_, end))| !end).map(move |(step, (duration, end))| {
                (begin_ms + step as u64 * 20, timestamp, true, 1, end, duration)
            })
        };
        check(&key(0, 77).chain(key(300, 2_477)).collect::<Vec<_>>(), "11");
        check(
            &[(0, 5, true, 4, false, 160), (20, 5, true, 4, false, 160), (40, 5, false, 4, true, 320)],
            "4",
        );
    }

    #[test]
    fn another_digit_is_another_key_whatever_its_timestamp() {
        check(&[(0, 5_000, true, 1, true, 800), (200, 5_000, false, 2, true, 800)], "12");
        check(&[(0, 5_000, true, 1, true, 800), (200, 90, false, 2, true, 800)], "12");
    }

    #[test]
    fn packets_that_overtake_one_another_are_one_key() {
        let mut receiver = DtmfReceiver::default();
        let mut hear = |at_ms: u64, timestamp: u32, marker, duration, end, reordered| {
            let payload = Event { code: 1, end, volume: 10, duration }.bytes();
            let arrival = Arrival { timestamp, marker, reordered };
            receiver.receive(Time::from_millis(at_ms), arrival, &payload)
        };
        assert_eq!(hear(0, 9, false, 320, false, false), Some(digit('1')));
        assert_eq!(hear(1, 9, true, 160, false, true), None, "the first packet comes second");
        assert_eq!(hear(40, 9, false, 640, true, false), None);
        assert_eq!(hear(41, 9, false, 480, false, true), None);
        assert_eq!(hear(300, 2_400, true, 160, false, false), Some(digit('1')));
        assert_eq!(hear(301, 9, false, 640, true, true), None, "the end of the key before");
        assert_eq!(hear(320, 2_400, false, 320, true, false), None);
    }

    #[test]
    fn a_timestamp_that_jumps_back_after_quiet_is_a_new_key() {
        check(&[(0, 900_000, true, 1, true, 160), (3_000, 5, true, 2, false, 160)], "12");
    }

    proptest! {
        #[test]
        fn any_payload_is_read_without_panic(
            packets in proptest::collection::vec((any::<u32>(), any::<u32>(), any::<bool>(), any::<Vec<u8>>()), 0..20)
        ) {
            let mut receiver = DtmfReceiver::default();
            for (at, timestamp, marker, payload) in packets {
                let arrival = Arrival { timestamp, marker, reordered: at.is_multiple_of(3) };
                receiver.receive(Time::from_micros(at.into()), arrival, &payload);
            }
        }

        #[test]
        fn an_event_survives_its_bytes(code: u8, end: bool, volume in 0u8..64, duration: u16) {
            let event = Event { code, end, volume, duration };
            prop_assert_eq!(Event::parse(&event.bytes()), Some(event));
        }
    }
}
