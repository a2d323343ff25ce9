//! What is counted of a received stream, RFC 3550 §6.4.1 and appendix A.

use super::rtcp::ReportBlock;
use crate::Time;

/// Forward jumps beyond this are a restart and no loss, RFC 3550 A.1.
const MAX_DROPOUT: u16 = 3_000;
/// Packets further behind than this are no stragglers, RFC 3550 A.1.
const MAX_MISORDER: u16 = 100;
/// Longest packet time that is believed.
const PTIME_LIMIT_MS: u32 = 200;

/// What a sequence number says of its packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// The next, or a later one.
    Fresh,
    /// After one that was sent later.
    Reordered,
    /// Received before.
    Duplicate,
    /// Far from the others: dropped until a second one confirms it.
    Stray,
    /// The far end began to count anew.
    Restart,
}

/// Counts of one direction over all streams (SSRCs and restarts) of a session.
#[derive(Debug, Default)]
pub struct Reception {
    totals: Totals,
    stream: Option<Stream>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    packets: u64,
    bytes: u64,
    duplicates: u64,
    reordered: u64,
    /// Lost in streams that are over.
    lost_before: u64,
    restarts: u64,
}

#[derive(Debug)]
struct Stream {
    ssrc: u32,
    base: u64,
    /// Highest sequence number with its cycles above it; begins one cycle up, so that a packet from
    /// before the first has room below.
    highest: u64,
    /// Which of the 64 up to `highest` came.
    seen: u64,
    received: u64,
    stray: Option<u16>,
    reported_expected: u64,
    reported_received: u64,
    transit: Transit,
}

/// Relative transit times, RFC 3550 A.8.
#[derive(Debug, Default)]
struct Transit {
    last: Option<Arrival>,
    clock_rate_hz: u32,
    /// Sixteenths of a clock unit.
    jitter_16: u64,
    ptime_ms: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Arrival {
    at: Time,
    timestamp: u32,
    sequence: u16,
}

impl Reception {
    /// Counts one packet. `media` is the clock of its payload type, or `None` where its timestamp
    /// says nothing of its sending (DTMF events).
    pub fn receive(
        &mut self,
        now: Time,
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
        payload_bytes: usize,
        media: Option<u32>,
    ) -> Order {
        let order = self.order(ssrc, sequence);
        match order {
            Order::Stray => return order,
            Order::Duplicate => {
                self.totals.duplicates += 1;
                return order;
            }
            Order::Reordered => self.totals.reordered += 1,
            Order::Fresh | Order::Restart => {}
        }
        self.totals.packets += 1;
        self.totals.bytes += payload_bytes as u64;
        if let (Some(stream), Some(clock_rate_hz)) = (&mut self.stream, media) {
            stream.transit.note(Arrival { at: now, timestamp, sequence }, clock_rate_hz);
        }
        order
    }

    fn order(&mut self, ssrc: u32, sequence: u16) -> Order {
        let order = match &mut self.stream {
            Some(stream) if stream.ssrc == ssrc => stream.order(sequence),
            _ => Order::Restart,
        };
        if order == Order::Restart {
            self.begin(ssrc, sequence);
        }
        order
    }

    fn begin(&mut self, ssrc: u32, sequence: u16) {
        if let Some(over) = self.stream.take() {
            self.totals.lost_before += over.lost().max(0) as u64;
            self.totals.restarts += 1;
        }
        self.stream = Some(Stream::new(ssrc, sequence));
    }

    /// Packets without duplicates.
    pub fn packets(&self) -> u64 {
        self.totals.packets
    }

    /// Payload bytes of those packets.
    pub fn bytes(&self) -> u64 {
        self.totals.bytes
    }

    /// Packets that came twice.
    pub fn duplicates(&self) -> u64 {
        self.totals.duplicates
    }

    /// Packets that came after one sent later.
    pub fn reordered(&self) -> u64 {
        self.totals.reordered
    }

    /// How often the far end began a new stream after the first.
    pub fn restarts(&self) -> u64 {
        self.totals.restarts
    }

    /// Packets that were sent and never came; `None` before the first came.
    pub fn lost(&self) -> Option<u64> {
        let stream = self.stream.as_ref()?;
        Some(self.totals.lost_before + stream.lost().max(0) as u64)
    }

    /// Interarrival jitter; `None` before the second packet.
    pub fn jitter_ms(&self) -> Option<f32> {
        self.stream.as_ref()?.transit.jitter_ms()
    }

    /// Packet time of the far end, learnt from its timestamps; `None` until two packets in a row.
    pub fn ptime_ms(&self) -> Option<u32> {
        self.stream.as_ref()?.transit.ptime_ms
    }

    /// What RTCP says of the stream, and begins the next interval. `last_report` and
    /// `delay_since_last_report` are the caller's.
    pub fn report(&mut self) -> Option<ReportBlock> {
        self.stream.as_mut().map(Stream::report)
    }
}

impl Stream {
    fn new(ssrc: u32, sequence: u16) -> Self {
        let first = 0x1_0000 + u64::from(sequence);
        Self {
            ssrc,
            base: first,
            highest: first,
            seen: 1,
            received: 1,
            stray: None,
            reported_expected: 0,
            reported_received: 0,
            transit: Transit::default(),
        }
    }

    fn order(&mut self, sequence: u16) -> Order {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead != 0 && ahead < MAX_DROPOUT {
            return self.advance(ahead);
        }
        let behind = ahead.wrapping_neg();
        if behind <= MAX_MISORDER {
            return self.fall_behind(behind);
        }
        if self.stray == Some(sequence) {
            return Order::Restart;
        }
        self.stray = Some(sequence.wrapping_add(1));
        Order::Stray
    }

    fn advance(&mut self, ahead: u16) -> Order {
        self.highest += u64::from(ahead);
        self.seen = self.seen.checked_shl(ahead.into()).unwrap_or(0) | 1;
        self.received += 1;
        self.stray = None;
        Order::Fresh
    }

    fn fall_behind(&mut self, behind: u16) -> Order {
        let mask = 1u64.checked_shl(behind.into()).unwrap_or(0);
        if self.seen & mask != 0 {
            return Order::Duplicate;
        }
        self.seen |= mask;
        self.received += 1;
        self.base = self.base.min(self.highest.saturating_sub(behind.into()));
        Order::Reordered
    }

    fn expected(&self) -> u64 {
        self.highest - self.base + 1
    }

    fn lost(&self) -> i64 {
        self.expected() as i64 - self.received as i64
    }

    fn report(&mut self) -> ReportBlock {
        let expected = self.expected().saturating_sub(self.reported_expected);
        let received = self.received.saturating_sub(self.reported_received);
        (self.reported_expected, self.reported_received) = (self.expected(), self.received);
        let missing = expected.saturating_sub(received);
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: (missing * 256).checked_div(expected).unwrap_or(0).min(255) as u8,
            lost: self.lost().clamp(i32::MIN.into(), i32::MAX.into()) as i32,
            highest_sequence: (self.highest - 0x1_0000) as u32,
            jitter: u32::try_from(self.transit.jitter_16 / 16).unwrap_or(u32::MAX),
            ..ReportBlock::default()
        }
    }
}

impl Transit {
    fn note(&mut self, arrival: Arrival, clock_rate_hz: u32) {
        if clock_rate_hz != self.clock_rate_hz {
            *self = Self { clock_rate_hz, ..Self::default() };
        }
        let Some(last) = self.last.replace(arrival) else { return };
        let units = i64::from(arrival.timestamp.wrapping_sub(last.timestamp) as i32);
        self.learn_ptime(arrival.sequence.wrapping_sub(last.sequence), units);
        let waited_us = arrival.at.since(last.at).as_micros().min(u128::from(u32::MAX)) as u64;
        let waited = waited_us * u64::from(clock_rate_hz) / 1_000_000;
        let difference = (waited as i64).abs_diff(units);
        // A jump of more than ten seconds is a new clock base and no jitter.
        if difference < u64::from(clock_rate_hz) * 10 {
            self.jitter_16 = self.jitter_16 + difference - (self.jitter_16 + 8) / 16;
        }
    }

    fn learn_ptime(&mut self, steps: u16, units: i64) {
        if steps != 1 || units <= 0 {
            return;
        }
        let ms = units as u64 * 1_000 / u64::from(self.clock_rate_hz.max(1));
        if (1..=u64::from(PTIME_LIMIT_MS)).contains(&ms) {
            self.ptime_ms = Some(ms as u32);
        }
    }

    fn jitter_ms(&self) -> Option<f32> {
        self.last.filter(|_| self.clock_rate_hz > 0)?;
        Some(self.jitter_16 as f32 / 16.0 * 1_000.0 / self.clock_rate_hz as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Packets by sequence number in the order of their coming, 20 ms apart: the lost ones.
    fn check(sequences: &[u16], packets: u64, lost: u64, reordered: u64, duplicates: u64) -> Reception {
        let mut reception = Reception::default();
        for (step, &sequence) in sequences.iter().enumerate() {
            let now = Time::from_millis(step as u64 * 20);
            reception.receive(now, 1, sequence, u32::from(sequence) * 160, 160, Some(8_000));
        }
        let counted = (reception.packets(), reception.lost(), reception.reordered(), reception.duplicates());
        assert_eq!(counted, (packets, Some(lost), reordered, duplicates), "{sequences:?}");
        reception
    }

    #[test]
    fn counts() {
        check(&[1, 2, 3], 3, 0, 0, 0);
        check(&[1, 2, 5], 3, 2, 0, 0);
        check(&[1, 3, 2, 4], 4, 0, 1, 0);
        check(&[1, 2, 2, 3], 3, 0, 0, 1);
        check(&[65_535, 0, 2], 3, 1, 0, 0);
        check(&[5, 4], 2, 0, 1, 0);
        check(&[0, 65_535, 1], 3, 0, 1, 0);
    }

    #[test]
    fn one_stray_is_dropped_and_two_are_a_restart() {
        assert_eq!(check(&[1, 2, 30_000, 3], 3, 0, 0, 0).restarts(), 0);
        assert_eq!(check(&[1, 3, 30_000, 30_001, 30_002], 4, 1, 0, 0).restarts(), 1);
    }

    #[test]
    fn a_new_ssrc_is_a_new_count() {
        let mut reception = check(&[1, 3], 2, 1, 0, 0);
        assert_eq!(reception.receive(Time::ZERO, 2, 9_000, 0, 160, Some(8_000)), Order::Restart);
        assert_eq!((reception.lost(), reception.packets()), (Some(1), 3));
    }

    #[test]
    fn nothing_is_known_of_nothing() {
        let mut reception = Reception::default();
        assert_eq!((reception.lost(), reception.jitter_ms(), reception.report()), (None, None, None));
    }

    #[test]
    fn a_report_covers_its_interval() {
        let mut reception = check(&[1, 2, 3, 5], 4, 1, 0, 0);
        assert_eq!(reception.report().unwrap().fraction_lost, 51);
        reception.receive(Time::from_secs(1), 1, 6, 960, 160, Some(8_000));
        let block = reception.report().unwrap();
        assert_eq!((block.fraction_lost, block.lost, block.highest_sequence), (0, 1, 6));
    }

    #[test]
    fn jitter_of_packets_that_alternate_by_10_ms() {
        let mut reception = Reception::default();
        for step in 0..400u16 {
            let late_ms = if step % 2 == 0 { 0 } else { 10 };
            let now = Time::from_millis(u64::from(step) * 20 + late_ms);
            reception.receive(now, 1, step, u32::from(step) * 160, 160, Some(8_000));
        }
        let jitter_ms = reception.jitter_ms().unwrap();
        assert!((9.0..=10.1).contains(&jitter_ms), "{jitter_ms}");
        assert_eq!(reception.ptime_ms(), Some(20));
    }

    proptest! {
        #[test]
        fn any_order_is_counted_without_panic(
            packets in proptest::collection::vec((0u32..3, any::<u16>(), any::<u32>(), any::<u32>()), 0..200)
        ) {
            let mut reception = Reception::default();
            for (ssrc, sequence, timestamp, at) in packets {
                let clock = (ssrc > 0).then_some(48_000);
                reception.receive(Time::from_micros(at.into()), ssrc, sequence, timestamp, 160, clock);
                reception.report();
                prop_assert!(reception.jitter_ms().is_none_or(|jitter| jitter >= 0.0));
            }
        }
    }
}
