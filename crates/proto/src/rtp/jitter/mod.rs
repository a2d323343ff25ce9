//! The jitter buffer: packets go in as they come, frames come out in the order they were spoken.
//!
//! The owner pulls whenever it is about to run out of decoded sound, so a far end that changes its
//! packet time changes how often that is and nothing else. An underrun does not skip the late
//! frame: the pause is concealed and the delay has grown, which is just what a jittery network
//! asks for. It shrinks again frame by frame when even the emptiest moment had frames to spare.

use super::packet::Packet;
use crate::Time;
use std::time::Duration;

/// Frames that are held at most.
pub const SLOTS: usize = 64;
/// Bytes of a frame that are held at most: an Ethernet frame's worth.
pub const FRAME_LIMIT_BYTES: usize = 1_500;
/// Room that each slot has from the beginning: 40 ms of PCMA.
const FRAME_USUAL_BYTES: usize = 320;
/// Frames that are concealed before a dry buffer is taken for a pause in speech.
const DRY_LIMIT: u16 = 5;
/// Pulls between two looks at whether the delay can shrink.
const WINDOW_PULLS: u16 = 100;
/// Share of the measured spread that is forgotten with each packet: half in about three seconds.
const SPREAD_DECAY: i64 = 256;
/// A transit time that moves by more is a new clock base and no jitter.
const TRANSIT_JUMP_US: i64 = 1_000_000;

/// How long frames wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delay {
    /// Always this long.
    Fixed {
        /// From the first packet of a talkspurt to its sound.
        delay_ms: u32,
    },
    /// As long as the network's jitter asks for.
    Adaptive {
        /// Never less.
        min_ms: u32,
        /// Never more.
        max_ms: u32,
    },
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pushed {
    /// It waits for its turn.
    Stored,
    /// It waits, and what waited before was dropped: a new SSRC, or a new count.
    Restarted,
    /// It is here already.
    Duplicate,
    /// Its turn is over.
    Late,
    /// Its number is far from the others; a second in a row would restart.
    Stray,
    /// Longer than [`FRAME_LIMIT_BYTES`].
    TooLong,
}

/// What is to be played next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pull<'a> {
    /// A frame to decode.
    Frame(Frame<'a>),
    /// A frame is lost or late: conceal one of [`JitterBuffer::frame_ms`].
    Missing,
    /// Nobody speaks: silence.
    Empty,
}

/// An encoded frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Frame<'a> {
    /// What it is encoded as.
    pub payload_type: u8,
    /// Its media time.
    pub timestamp: u32,
    /// It begins a talkspurt.
    pub marker: bool,
    /// The encoded sound.
    pub payload: &'a [u8],
}

/// Counts since the beginning.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct JitterStats {
    /// Frames given out.
    pub played: u64,
    /// Frames that were concealed.
    pub missing: u64,
    /// Packets that came after their turn.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Frames dropped to shorten the delay.
    pub dropped: u64,
    /// New streams after the first.
    pub restarts: u64,
}

/// A bounded buffer of one stream.
#[derive(Debug)]
pub struct JitterBuffer {
    delay: Delay,
    clock_rate_hz: u32,
    frame_ms: u32,
    slots: Vec<Slot>,
    state: State,
    ssrc: Option<u32>,
    /// The sequence number whose turn it is.
    next: u16,
    /// How many sequence numbers from `next` on reach over the newest packet.
    span: u16,
    waiting: u16,
    /// Frames concealed since the buffer ran dry.
    dry: u16,
    stray: Option<u16>,
    spread: Spread,
    pulls: u16,
    spare: u16,
    stats: JitterStats,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Idle,
    Filling { since: Time },
    Playing,
}

#[derive(Debug, Default)]
struct Slot {
    filled: bool,
    payload_type: u8,
    timestamp: u32,
    marker: bool,
    payload: Vec<u8>,
}

/// How far transit times spread over their least.
#[derive(Clone, Copy, Debug, Default)]
struct Spread {
    last: Option<(Time, u32, u16)>,
    /// Transit time above a slowly following least.
    above_us: i64,
    peak_us: i64,
}

impl JitterBuffer {
    /// An empty buffer for a stream of `clock_rate_hz`; `ptime_ms` is what was agreed, until the
    /// timestamps say what the far end does.
    pub fn new(delay: Delay, clock_rate_hz: u32, ptime_ms: u32) -> Self {
        let slot = || Slot { payload: Vec::with_capacity(FRAME_USUAL_BYTES), ..Slot::default() };
        Self {
            delay,
            clock_rate_hz: clock_rate_hz.max(1),
            frame_ms: ptime_ms.max(1),
            slots: std::iter::repeat_with(slot).take(SLOTS).collect(),
            state: State::Idle,
            ssrc: None,
            next: 0,
            span: 0,
            waiting: 0,
            dry: 0,
            stray: None,
            spread: Spread::default(),
            pulls: 0,
            spare: u16::MAX,
            stats: JitterStats::default(),
        }
    }

    /// Takes a packet of sound.
    pub fn push(&mut self, now: Time, packet: &Packet<'_>) -> Pushed {
        if packet.payload.len() > FRAME_LIMIT_BYTES {
            return Pushed::TooLong;
        }
        let pushed = if self.ssrc == Some(packet.ssrc) {
            self.place(now, packet.sequence)
        } else {
            self.restart(now, packet)
        };
        match pushed {
            Pushed::Stored | Pushed::Restarted => self.store(now, packet),
            Pushed::Late => {
                self.stats.late += 1;
                self.note_transit(now, packet);
                pushed
            }
            Pushed::Duplicate | Pushed::Stray | Pushed::TooLong => pushed,
        }
        .or_restarted(pushed)
    }

    /// The next frame, called whenever the owner is about to run out of decoded sound.
    pub fn pull(&mut self, now: Time) -> Pull<'_> {
        if let State::Filling { since } = self.state
            && now.since(since) >= self.target()
        {
            self.state = State::Playing;
        }
        if self.state != State::Playing {
            return Pull::Empty;
        }
        self.shrink();
        if self.waiting == 0 {
            return self.run_dry();
        }
        self.take_next()
    }

    /// Milliseconds of one frame: learnt from timestamps, before that as agreed.
    pub fn frame_ms(&self) -> u32 {
        self.frame_ms
    }

    /// How long a frame is meant to wait.
    pub fn target(&self) -> Duration {
        let target_ms = match self.delay {
            Delay::Fixed { delay_ms } => delay_ms,
            Delay::Adaptive { min_ms, max_ms } => {
                self.spread.peak_ms().saturating_add(self.frame_ms).max(min_ms).min(max_ms)
            }
        };
        Duration::from_millis(target_ms.into())
    }

    /// How much sound waits now.
    pub fn waiting(&self) -> Duration {
        Duration::from_millis(u64::from(self.span) * u64::from(self.frame_ms))
    }

    /// The counts so far.
    pub fn stats(&self) -> JitterStats {
        self.stats
    }

    /// Drops what waits; the next packet begins anew. Used on hold.
    pub fn clear(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.filled = false);
        (self.state, self.span, self.waiting, self.dry, self.stray) = (State::Idle, 0, 0, 0, None);
        (self.pulls, self.spare) = (0, u16::MAX);
    }

    fn slot(&mut self, sequence: u16) -> &mut Slot {
        // The remainder is below the number of slots.
        &mut self.slots[usize::from(sequence) % SLOTS]
    }
}

impl Pushed {
    /// A stored packet keeps the news that it restarted the buffer.
    fn or_restarted(self, before: Pushed) -> Pushed {
        if before == Pushed::Restarted { before } else { self }
    }
}

/// Packets in.
impl JitterBuffer {
    fn restart(&mut self, now: Time, packet: &Packet<'_>) -> Pushed {
        self.stats.restarts += u64::from(self.ssrc.is_some());
        let first = self.ssrc.replace(packet.ssrc).is_none();
        self.clear();
        self.spread = Spread::default();
        self.begin(now, packet.sequence);
        if first { Pushed::Stored } else { Pushed::Restarted }
    }

    fn begin(&mut self, now: Time, sequence: u16) {
        self.state = State::Filling { since: now };
        (self.next, self.span, self.dry, self.stray) = (sequence, 0, 0, None);
    }

    /// Where a packet of the known stream belongs.
    fn place(&mut self, now: Time, sequence: u16) -> Pushed {
        let behind = self.next.wrapping_sub(sequence);
        if (1..=SLOTS as u16).contains(&behind) {
            return self.place_before(behind);
        }
        if self.state == State::Idle {
            self.begin(now, sequence);
        }
        self.skip_concealed(sequence);
        if usize::from(sequence.wrapping_sub(self.next)) < SLOTS {
            return Pushed::Stored;
        }
        if self.stray == Some(sequence) {
            self.stats.restarts += 1;
            self.clear();
            self.begin(now, sequence);
            return Pushed::Restarted;
        }
        self.stray = Some(sequence.wrapping_add(1));
        Pushed::Stray
    }

    /// While a talkspurt still fills, what was sent before its first packet may come after it.
    fn place_before(&mut self, behind: u16) -> Pushed {
        let fits = usize::from(self.span) + usize::from(behind) <= SLOTS;
        if !matches!(self.state, State::Filling { .. }) || !fits {
            return Pushed::Late;
        }
        self.next = self.next.wrapping_sub(behind);
        self.span += behind;
        Pushed::Stored
    }

    /// After an underrun the frames that never came have been concealed already.
    fn skip_concealed(&mut self, sequence: u16) {
        let ahead = sequence.wrapping_sub(self.next);
        if self.dry > 0 && usize::from(ahead) < SLOTS {
            self.next = self.next.wrapping_add(ahead.min(self.dry));
            self.dry = 0;
        }
    }

    fn store(&mut self, now: Time, packet: &Packet<'_>) -> Pushed {
        self.note_transit(now, packet);
        let slot = self.slot(packet.sequence);
        if slot.filled {
            self.stats.duplicates += 1;
            return Pushed::Duplicate;
        }
        slot.filled = true;
        slot.payload_type = packet.payload_type;
        slot.timestamp = packet.timestamp;
        slot.marker = packet.marker;
        slot.payload.clear();
        slot.payload.extend_from_slice(packet.payload);
        self.waiting += 1;
        self.span = self.span.max(packet.sequence.wrapping_sub(self.next).wrapping_add(1));
        self.stray = None;
        Pushed::Stored
    }

    fn note_transit(&mut self, now: Time, packet: &Packet<'_>) {
        let units = self.spread.note(now, packet, self.clock_rate_hz);
        let frame_ms = units.map_or(0, |units| u64::from(units) * 1_000 / u64::from(self.clock_rate_hz));
        if (1..=200).contains(&frame_ms) {
            self.frame_ms = frame_ms as u32;
        }
    }
}

/// Frames out.
impl JitterBuffer {
    fn take_next(&mut self) -> Pull<'_> {
        let sequence = self.next;
        let filled = self.advance();
        if !filled {
            self.stats.missing += 1;
            return Pull::Missing;
        }
        self.stats.played += 1;
        let slot = self.slot(sequence);
        Pull::Frame(Frame {
            payload_type: slot.payload_type,
            timestamp: slot.timestamp,
            marker: slot.marker,
            payload: &slot.payload,
        })
    }

    /// Leaves the place whose turn it is; true where a packet was in it.
    fn advance(&mut self) -> bool {
        let sequence = self.next;
        let filled = std::mem::take(&mut self.slot(sequence).filled);
        self.next = sequence.wrapping_add(1);
        self.span = self.span.saturating_sub(1);
        self.waiting -= u16::from(filled);
        filled
    }

    fn run_dry(&mut self) -> Pull<'_> {
        self.dry += 1;
        if self.dry > DRY_LIMIT {
            self.clear();
            return Pull::Empty;
        }
        self.stats.missing += 1;
        Pull::Missing
    }

    /// Drops frames where the delay has grown beyond what it need be.
    fn shrink(&mut self) {
        self.spare = self.spare.min(self.span.saturating_sub(1));
        self.pulls += 1;
        if self.waiting() > self.longest() {
            self.drop_to(self.frames(self.target()));
        } else if self.pulls >= WINDOW_PULLS {
            if self.spare > self.spare_allowed() {
                self.drop_to(self.span - 1);
            }
            (self.pulls, self.spare) = (0, u16::MAX);
        }
    }

    fn drop_to(&mut self, span: u16) {
        while self.span > span.max(1) && self.waiting > 1 {
            self.stats.dropped += u64::from(self.advance());
        }
    }

    /// What waits beyond this came in a burst and is cut at once.
    fn longest(&self) -> Duration {
        let most_ms = match self.delay {
            Delay::Fixed { delay_ms } => delay_ms.saturating_mul(2),
            Delay::Adaptive { max_ms, .. } => max_ms,
        };
        Duration::from_millis(u64::from(most_ms.max(self.frame_ms * 4)) + u64::from(self.frame_ms) * 2)
    }

    /// Frames that the emptiest moment may have had to spare.
    fn spare_allowed(&self) -> u16 {
        let spread = match self.delay {
            Delay::Fixed { .. } => 0,
            Delay::Adaptive { .. } => self.spread.peak_ms(),
        };
        self.frames(self.target().saturating_sub(Duration::from_millis(spread.into()))).max(1)
    }

    fn frames(&self, span: Duration) -> u16 {
        span.as_millis().div_ceil(self.frame_ms.into()).min(SLOTS as u128) as u16
    }
}

impl Spread {
    /// Takes an arrival; the timestamp's step where the packet follows the last one directly.
    fn note(&mut self, now: Time, packet: &Packet<'_>, clock_rate_hz: u32) -> Option<u32> {
        let (at, timestamp, sequence) = self.last.replace((now, packet.timestamp, packet.sequence))?;
        let units = i64::from(packet.timestamp.wrapping_sub(timestamp) as i32);
        let waited_us = i64::try_from(now.since(at).as_micros()).unwrap_or(i64::MAX);
        let step_us = waited_us.saturating_sub(units * 1_000_000 / i64::from(clock_rate_hz));
        if step_us.abs() < TRANSIT_JUMP_US {
            self.follow(step_us);
        }
        (packet.sequence.wrapping_sub(sequence) == 1).then(|| u32::try_from(units).ok()).flatten()
    }

    fn follow(&mut self, step_us: i64) {
        // The least creeps up by a little of the distance, so that it follows a drifting clock.
        self.above_us = (self.above_us + step_us).clamp(0, TRANSIT_JUMP_US);
        self.above_us -= self.above_us / (SPREAD_DECAY * 2);
        self.peak_us = self.above_us.max(self.peak_us - self.peak_us / SPREAD_DECAY);
    }

    fn peak_ms(&self) -> u32 {
        u32::try_from(self.peak_us / 1_000).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
