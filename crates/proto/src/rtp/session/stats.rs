//! The figures of a session. What is not known is `None` and never a nice default.

use super::super::quality;
use super::RtpSession;
use crate::Time;
use std::time::Duration;

/// What is known of a session; unknown is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// From us to the far end; loss and jitter are the far end's, by RTCP.
    pub sent: DirectionStats,
    /// From the far end to us.
    pub received: DirectionStats,
    /// There and back, by RTCP.
    pub round_trip: Option<Duration>,
    /// Datagrams from strangers.
    pub strangers: u64,
    /// Datagrams that were neither RTP nor RTCP or did not fit the key.
    pub bad: u64,
    /// Packets of a payload type that was not agreed.
    pub unknown_payload: u64,
    /// The last such payload type.
    pub last_unknown_payload: Option<u8>,
    /// When the far end last sent RTCP.
    pub last_rtcp: Option<Time>,
}

/// What is known of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DirectionStats {
    /// RTP packets, without duplicates.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Packets that never came.
    pub lost: Option<u64>,
    /// Packets that came too late to be heard, as the jitter buffer told.
    pub late: Option<u64>,
    /// Packets that came after one sent later.
    pub reordered: Option<u64>,
    /// Packets that came twice.
    pub duplicates: Option<u64>,
    /// New streams (SSRC or sequence) after the first.
    pub restarts: Option<u64>,
    /// Interarrival jitter, RFC 3550 §6.4.1.
    pub jitter_ms: Option<f32>,
    /// Milliseconds of sound in each packet.
    pub ptime_ms: Option<u32>,
    /// Listening quality, 1.0 to 4.5: codec and loss (`MOS-LQ`, RFC 3611 §4.7.5).
    pub mos: Option<f32>,
    /// Conversational quality: delay counts too, so it needs the round trip (`MOS-CQ`).
    pub mos_conversation: Option<f32>,
    /// When the first packet passed.
    pub first: Option<Time>,
    /// When the last packet passed.
    pub last: Option<Time>,
}

impl RtpSession {
    pub(super) fn fill_received(&self, stats: &mut Stats) {
        let known = self.reception.packets() > 0;
        let received = &mut stats.received;
        received.packets = self.reception.packets();
        received.bytes = self.reception.bytes();
        received.lost = self.reception.lost();
        received.late = self.late.filter(|_| known);
        received.reordered = known.then(|| self.reception.reordered());
        received.duplicates = known.then(|| self.reception.duplicates());
        received.restarts = known.then(|| self.reception.restarts());
        received.jitter_ms = self.reception.jitter_ms();
        received.ptime_ms = self.reception.ptime_ms();
        let missing = received.lost.map(|lost| lost + received.late.unwrap_or(0));
        let expected = received.packets + received.lost.unwrap_or(0);
        self.fill_quality(received, missing, expected, stats.round_trip);
    }

    pub(super) fn fill_sent(&self, stats: &mut Stats) {
        let block = self.far.block;
        let clock_rate_hz = self.config.send.clock_rate_hz.max(1) as f32;
        let sent = &mut stats.sent;
        sent.lost = block.map(|block| block.lost.max(0) as u64);
        sent.jitter_ms = block.map(|block| block.jitter as f32 * 1_000.0 / clock_rate_hz);
        sent.ptime_ms = (sent.packets > 0).then_some(self.config.ptime_ms);
        self.fill_quality(sent, sent.lost, sent.packets, stats.round_trip);
    }

    fn fill_quality(
        &self,
        direction: &mut DirectionStats,
        missing: Option<u64>,
        expected: u64,
        round_trip: Option<Duration>,
    ) {
        let (Some(codec), Some(missing), 1..) = (self.config.impairment, missing, direction.packets) else {
            return;
        };
        let loss = missing as f32 / expected.max(1) as f32;
        let packet_ms = direction.ptime_ms.unwrap_or(self.config.ptime_ms);
        direction.mos = Some(quality::mos_listening(codec, loss));
        direction.mos_conversation = round_trip.map(|round_trip| {
            quality::mos_conversation(codec, loss, round_trip / 2 + Duration::from_millis(packet_ms.into()))
        });
    }
}
