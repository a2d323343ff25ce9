//! The RTP session of one call: everything between a socket and a codec, without either.
//!
//! The owner calls [`RtpSession::receive`] for each datagram, [`RtpSession::send`] once each packet
//! time, and [`RtpSession::tick`] when [`RtpSession::next_deadline`] has come. What is to be sent is
//! written into the owner's buffer; the return value says where it goes. Once its buffers have grown
//! the session allocates nothing.
//!
//! A packet with our own SSRC is taken like any other: echo servers send our own sound back.

use super::dtmf::{Arrival, Digit, DtmfReceiver, DtmfSender, EventPacket, QueueFull};
use super::packet::{self, Packet};
use super::reception::{Order, Reception};
use super::remote::{Remote, Sighting};
use super::rtcp::{self, Compound, Item, ReportBlock, SenderInfo};
use super::srtp::{Opener, Protector, SrtpFlaw};
use crate::{Rng, Time};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

mod config;
mod stats;

pub use config::{BeforeAck, Direction, SessionConfig};
pub use stats::{DirectionStats, Stats};

/// Mean time between two of our reports, RFC 3550 §6.2.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// Sound that may be sent to an address that has sent nothing, under [`BeforeAck::OneSecond`].
const UNHEARD_LIMIT_MS: u32 = 1_000;

/// What a datagram meant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Received<'a> {
    /// Sound for the jitter buffer.
    Media {
        /// The packet, decrypted.
        packet: Packet<'a>,
        /// The far end began a new stream with it; the jitter buffer notices by itself.
        new_stream: bool,
    },
    /// A key was pressed; told once, at the first packet of its event.
    Dtmf(Digit),
    /// A further packet of a known event, a duplicate, or sound while we do not listen.
    Nothing,
    /// RTCP; `goodbye` where the far end leaves.
    Rtcp {
        /// The far end sends no more on this source.
        goodbye: bool,
    },
    /// Not from where the far end is believed to be; see [`Remote`].
    Stranger,
    /// A payload type that was not agreed.
    UnknownPayload(u8),
    /// Neither RTP nor RTCP, or not by the agreed key.
    Bad(Flaw),
}

/// Why a datagram was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flaw {
    /// Not RTP.
    Rtp(packet::Flaw),
    /// Not RTCP.
    Rtcp(rtcp::Flaw),
    /// Not passed by SRTP.
    Srtp(SrtpFlaw),
    /// A sequence number far from the others; the next in a row makes it a new stream.
    Stray,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Rtp(flaw) => flaw.fmt(f),
            Flaw::Rtcp(flaw) => flaw.fmt(f),
            Flaw::Srtp(flaw) => flaw.fmt(f),
            Flaw::Stray => f.write_str("the far end's sequence number jumped; waiting for a second one"),
        }
    }
}

impl std::error::Error for Flaw {}

/// One RTP session.
#[derive(Debug)]
pub struct RtpSession {
    config: SessionConfig,
    remote: Remote,
    rtcp_source: Option<SocketAddr>,
    protector: Option<Protector>,
    opener: Option<Opener>,
    sender: Sender,
    dtmf_sender: DtmfSender,
    dtmf_receiver: DtmfReceiver,
    reception: Reception,
    ssrc_heard: Option<u32>,
    late: Option<u64>,
    far: FarEnd,
    next_report: Time,
    packets_at_report: u64,
    /// Sound that went to addresses that had sent nothing, under [`BeforeAck::OneSecond`].
    unheard_ms: u32,
    stats: Stats,
}

#[derive(Debug)]
struct Sender {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// When the last packet time was filled, with sound or without.
    at: Option<Time>,
    talking: bool,
    rtp_sent: Option<(Time, u32)>,
}

/// What the far end told by RTCP.
#[derive(Debug, Default)]
struct FarEnd {
    report: Option<(u32, Time)>,
    block: Option<ReportBlock>,
}

impl RtpSession {
    /// A session with its own random SSRC, sequence number and timestamp.
    pub fn new(now: Time, config: SessionConfig, rng: &mut Rng) -> Self {
        let sender = Sender::new(rng);
        let mut session = Self {
            remote: remote_of(&config),
            rtcp_source: None,
            protector: config.srtp_send.as_ref().map(Protector::new),
            opener: config.srtp_receive.as_ref().map(Opener::new),
            sender,
            dtmf_sender: DtmfSender::new(config.send.clock_rate_hz, config.ptime_ms),
            dtmf_receiver: DtmfReceiver::default(),
            reception: Reception::default(),
            ssrc_heard: None,
            late: None,
            far: FarEnd::default(),
            next_report: now,
            packets_at_report: 0,
            unheard_ms: 0,
            stats: Stats::default(),
            config,
        };
        // The first report comes after half the time, RFC 3550 §6.2.
        session.next_report = now + session.report_wait(rng) / 2;
        session
    }

    /// Takes what a new offer and answer agreed: counts, SSRC and sequence numbers go on.
    ///
    /// A key that is the same as before keeps its state, another one begins anew; a new signalled
    /// address forgets what was learnt, none keeps it.
    pub fn reconfigure(&mut self, config: SessionConfig) {
        if config.srtp_send != self.config.srtp_send {
            self.protector = config.srtp_send.as_ref().map(Protector::new);
        }
        if config.srtp_receive != self.config.srtp_receive {
            self.opener = config.srtp_receive.as_ref().map(Opener::new);
        }
        if config.symmetric != self.config.symmetric {
            self.remote = remote_of(&config);
        }
        // A hold by 0.0.0.0 says nothing of where the sound comes from: that stays what it was.
        if config.remote.is_some() {
            self.remote.signal(config.remote);
        }
        self.remote.signal_home(config.home);
        self.remote.agree(config.receivable());
        if (config.send.clock_rate_hz, config.ptime_ms)
            != (self.config.send.clock_rate_hz, self.config.ptime_ms)
        {
            self.dtmf_sender = DtmfSender::new(config.send.clock_rate_hz, config.ptime_ms);
        }
        self.config = config;
    }

    /// Reads one datagram, in place where it is SRTP. RTCP is told apart by its second byte, so the
    /// datagrams of both ports come in here.
    pub fn receive<'a>(&mut self, now: Time, from: SocketAddr, bytes: &'a mut [u8]) -> Received<'a> {
        let received = if packet::is_rtcp(bytes) {
            self.receive_rtcp(now, from, bytes)
        } else {
            self.receive_rtp(now, from, bytes)
        };
        match received {
            Received::Stranger => self.stats.strangers += 1,
            Received::Bad(_) => self.stats.bad += 1,
            Received::UnknownPayload(payload_type) => {
                self.stats.unknown_payload += 1;
                self.stats.last_unknown_payload = Some(payload_type);
            }
            _ => {}
        }
        received
    }

    /// Called once each packet time with encoded sound: one datagram in `out`, which is cleared
    /// first, and where it goes. A waiting DTMF event takes the place of the sound. `None` where
    /// nothing is to be sent (direction, no address yet, key used up).
    pub fn send(&mut self, now: Time, payload: &[u8], marker: bool, out: &mut Vec<u8>) -> Option<SocketAddr> {
        let timestamp = self.sender.step_to(now, self.config.step(), self.config.send.clock_rate_hz);
        if let Some(to) = self.send_event(now, timestamp, out) {
            return Some(to);
        }
        let to = self.destination().filter(|_| self.config.direction.sends())?;
        let marker = marker || !self.sender.talking;
        self.sender.talking = true;
        self.emit(now, self.config.send.payload_type, timestamp, marker, payload, out).then_some(to)
    }

    /// Called in place of [`RtpSession::send`] where there is no sound for this packet time: the
    /// media clock goes on, a waiting DTMF event is sent, and the next sound carries the marker.
    pub fn send_nothing(&mut self, now: Time, out: &mut Vec<u8>) -> Option<SocketAddr> {
        let timestamp = self.sender.step_to(now, self.config.step(), self.config.send.clock_rate_hz);
        self.sender.talking = false;
        self.send_event(now, timestamp, out)
    }

    /// Puts a key into the queue of events (RFC 4733), to sound for `duration_ms`.
    ///
    /// # Errors
    /// [`DtmfFlaw`] where no event was agreed or too many keys wait.
    pub fn press(&mut self, digit: Digit, duration_ms: u32) -> Result<(), DtmfFlaw> {
        if self.config.dtmf_send.is_none() {
            return Err(DtmfFlaw::NotAgreed);
        }
        self.dtmf_sender.press(digit, duration_ms).map_err(|QueueFull| DtmfFlaw::QueueFull)
    }

    /// True while a key sounds or waits.
    pub fn is_dialling(&self) -> bool {
        self.dtmf_sender.is_busy()
    }

    /// When [`RtpSession::tick`] is to be called: the next RTCP report.
    pub fn next_deadline(&self) -> Time {
        self.next_report
    }

    /// Writes a report into `out`, which is cleared first, when it is due, and says where it goes.
    pub fn tick(&mut self, now: Time, rng: &mut Rng, out: &mut Vec<u8>) -> Option<SocketAddr> {
        if now < self.next_report {
            return None;
        }
        self.next_report = now + self.report_wait(rng);
        let to = self.rtcp_address()?;
        self.write_report(now, out);
        self.seal_rtcp(out).then_some(to)
    }

    /// The last report, with a goodbye; for the end of a call.
    pub fn goodbye(&mut self, now: Time, out: &mut Vec<u8>) -> Option<SocketAddr> {
        let to = self.rtcp_address()?;
        self.write_report(now, out);
        rtcp::write_goodbye(out, self.sender.ssrc);
        self.seal_rtcp(out).then_some(to)
    }

    /// Where sound goes: learnt, else signalled.
    pub fn remote(&self) -> Option<SocketAddr> {
        self.remote.address()
    }

    /// Our source.
    pub fn ssrc(&self) -> u32 {
        self.sender.ssrc
    }

    /// What the session was told.
    pub fn config(&self) -> &SessionConfig {
        &self.config
    }

    /// The jitter buffer's count of packets that came too late to be heard.
    pub fn set_late(&mut self, packets: u64) {
        self.late = Some(packets);
    }

    /// The figures so far.
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats;
        self.fill_received(&mut stats);
        self.fill_sent(&mut stats);
        stats
    }
}

/// Why a key cannot be sent as an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DtmfFlaw {
    /// The far end took no `telephone-event`; send it as INFO or in the sound.
    NotAgreed,
    /// Too many keys wait; let some go out first.
    QueueFull,
}

impl fmt::Display for DtmfFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DtmfFlaw::NotAgreed => {
                f.write_str("the far end took no telephone-event; use SIP INFO or in-band tones")
            }
            DtmfFlaw::QueueFull => QueueFull.fmt(f),
        }
    }
}

impl std::error::Error for DtmfFlaw {}

/// Receiving.
impl RtpSession {
    fn receive_rtp<'a>(&mut self, now: Time, from: SocketAddr, bytes: &'a mut [u8]) -> Received<'a> {
        let length = match &mut self.opener {
            Some(opener) => match opener.open_rtp(bytes) {
                Ok(length) => length,
                Err(flaw) => return Received::Bad(Flaw::Srtp(flaw)),
            },
            None => bytes.len(),
        };
        match Packet::parse(bytes.get(..length).unwrap_or_default()) {
            Ok(packet) => self.receive_packet(now, from, packet),
            Err(flaw) => Received::Bad(Flaw::Rtp(flaw)),
        }
    }

    fn receive_packet<'a>(&mut self, now: Time, from: SocketAddr, packet: Packet<'a>) -> Received<'a> {
        let is_event = self.config.dtmf_receive == Some(packet.payload_type);
        let format = self.config.format_of(packet.payload_type);
        if !is_event && format.is_none() {
            let near = self.opener.is_some() || self.remote.is_near(from);
            return if near { Received::UnknownPayload(packet.payload_type) } else { Received::Stranger };
        }
        let (ssrc, sequence) = (packet.ssrc, packet.sequence);
        let sighting = Sighting::of(&packet, from, self.opener.is_some());
        if !self.remote.accept(now, sighting) {
            return Received::Stranger;
        }
        let clock = format.filter(|_| !is_event).map(|format| format.clock_rate_hz);
        let order =
            self.reception.receive(now, ssrc, sequence, packet.timestamp, packet.payload.len(), clock);
        match order {
            Order::Stray => return Received::Bad(Flaw::Stray),
            Order::Duplicate => return Received::Nothing,
            Order::Restart => self.begin_stream(ssrc),
            Order::Fresh | Order::Reordered => {}
        }
        self.stats.received.first.get_or_insert(now);
        self.stats.received.last = Some(now);
        self.deliver(now, packet, is_event, order)
    }

    fn begin_stream(&mut self, ssrc: u32) {
        self.ssrc_heard = Some(ssrc);
        self.dtmf_receiver.reset();
    }

    fn deliver<'a>(&mut self, now: Time, packet: Packet<'a>, is_event: bool, order: Order) -> Received<'a> {
        if is_event {
            let Packet { timestamp, marker, payload, .. } = packet;
            let arrival = Arrival { timestamp, marker, reordered: order == Order::Reordered };
            let digit = self.dtmf_receiver.receive(now, arrival, payload);
            return digit.map_or(Received::Nothing, Received::Dtmf);
        }
        if self.config.direction.receives() {
            Received::Media { packet, new_stream: order == Order::Restart }
        } else {
            Received::Nothing
        }
    }

    fn receive_rtcp<'a>(&mut self, now: Time, from: SocketAddr, bytes: &'a mut [u8]) -> Received<'a> {
        let length = match &mut self.opener {
            Some(opener) => match opener.open_rtcp(bytes) {
                Ok(length) => length,
                Err(flaw) => return Received::Bad(Flaw::Srtp(flaw)),
            },
            None if self.remote.is_near(from) => bytes.len(),
            None => return Received::Stranger,
        };
        match Compound::parse(bytes.get(..length).unwrap_or_default()) {
            Ok(compound) => self.take_reports(now, from, compound),
            Err(flaw) => Received::Bad(Flaw::Rtcp(flaw)),
        }
    }

    fn take_reports(&mut self, now: Time, from: SocketAddr, compound: Compound<'_>) -> Received<'static> {
        self.rtcp_source = Some(from);
        self.stats.last_rtcp = Some(now);
        let mut goodbye = false;
        for item in compound.items() {
            match item {
                Item::SenderReport { ssrc, sender, blocks } => {
                    if self.ssrc_heard.is_none_or(|heard| heard == ssrc) {
                        self.far.report = Some((rtcp::middle_of(sender.ntp), now));
                    }
                    self.take_blocks(now, blocks);
                }
                Item::ReceiverReport { blocks, .. } => self.take_blocks(now, blocks),
                Item::Goodbye { ssrc } => goodbye |= self.ssrc_heard.is_none_or(|heard| heard == ssrc),
                Item::Name { .. } | Item::Other(_) => {}
            }
        }
        Received::Rtcp { goodbye }
    }

    fn take_blocks(&mut self, now: Time, blocks: rtcp::Blocks<'_>) {
        for block in blocks.iter().filter(|block| block.ssrc == self.sender.ssrc) {
            self.far.block = Some(block);
            if let Some(round_trip) = block.round_trip(rtcp::ntp_of(now)) {
                self.stats.round_trip = Some(round_trip);
            }
        }
    }
}

/// Sending.
impl RtpSession {
    fn send_event(&mut self, now: Time, timestamp: u32, out: &mut Vec<u8>) -> Option<SocketAddr> {
        let payload_type = self.config.dtmf_send?;
        let to = self.destination().filter(|_| self.config.direction.sends())?;
        let EventPacket { marker, timestamp, payload } = self.dtmf_sender.next_packet(timestamp)?;
        self.emit(now, payload_type, timestamp, marker, &payload, out).then_some(to)
    }

    fn emit(
        &mut self,
        now: Time,
        payload_type: u8,
        timestamp: u32,
        marker: bool,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> bool {
        let (ssrc, sequence) = (self.sender.ssrc, self.sender.sequence);
        out.clear();
        Packet { marker, payload_type, sequence, timestamp, ssrc, payload, ..Packet::default() }.write(out);
        if self.protector.as_mut().is_some_and(|protector| protector.protect_rtp(out).is_err()) {
            out.clear();
            return false;
        }
        if self.config.before_ack == BeforeAck::OneSecond && !self.remote.is_locked() {
            self.unheard_ms = self.unheard_ms.saturating_add(self.config.ptime_ms);
        }
        self.sender.sequence = sequence.wrapping_add(1);
        self.sender.rtp_sent = Some((now, self.sender.timestamp));
        let sent = &mut self.stats.sent;
        sent.packets += 1;
        sent.bytes += payload.len() as u64;
        sent.first.get_or_insert(now);
        sent.last = Some(now);
        true
    }

    /// Where packets may go now.
    fn destination(&self) -> Option<SocketAddr> {
        let allowed = match self.config.before_ack {
            BeforeAck::Acknowledged => true,
            BeforeAck::OneSecond => self.remote.is_locked() || self.unheard_ms < UNHEARD_LIMIT_MS,
            BeforeAck::Nothing => false,
        };
        self.remote.address().filter(|_| allowed)
    }

    fn rtcp_address(&self) -> Option<SocketAddr> {
        let rtp = self.destination()?;
        if self.config.rtcp_mux {
            return Some(rtp);
        }
        let learnt = self.rtcp_source.filter(|source| self.config.symmetric && source.ip() == rtp.ip());
        let next_port = SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?);
        Some(learnt.or(self.config.remote_rtcp).unwrap_or(next_port))
    }

    fn report_wait(&self, rng: &mut Rng) -> Duration {
        // Half to one and a half times the interval, less what reconsideration would add
        // (e − 3/2 = 1.21828), RFC 3550 §6.3.1.
        let thousandths = 500 + rng.below(1_001);
        Duration::from_micros(REPORT_INTERVAL.as_micros() as u64 * thousandths * 100 / 121_828)
    }

    fn write_report(&mut self, now: Time, out: &mut Vec<u8>) {
        out.clear();
        let sent = self.stats.sent.packets;
        let sender = (sent > self.packets_at_report).then(|| self.sender_info(now));
        self.packets_at_report = sent;
        let block = self.reception.report().map(|block| self.with_last_report(now, block));
        rtcp::write_report(out, self.sender.ssrc, sender.as_ref(), block.as_slice());
        rtcp::write_name(out, self.sender.ssrc, self.config.cname.as_bytes());
    }

    fn sender_info(&self, now: Time) -> SenderInfo {
        SenderInfo {
            ntp: rtcp::ntp_of(now),
            rtp_timestamp: self.sender.timestamp_at(now, self.config.send.clock_rate_hz),
            packets: self.stats.sent.packets as u32,
            payload_bytes: self.stats.sent.bytes as u32,
        }
    }

    fn with_last_report(&self, now: Time, block: ReportBlock) -> ReportBlock {
        let Some((last_report, at)) = self.far.report else { return block };
        let delay_since_last_report = rtcp::units_of(now.since(at));
        ReportBlock { last_report, delay_since_last_report, ..block }
    }

    fn seal_rtcp(&mut self, out: &mut Vec<u8>) -> bool {
        let sealed = self.protector.as_mut().is_none_or(|protector| protector.protect_rtcp(out).is_ok());
        if !sealed {
            out.clear();
        }
        sealed
    }
}

fn remote_of(config: &SessionConfig) -> Remote {
    let mut remote = Remote::new(config.remote, config.symmetric);
    remote.signal_home(config.home);
    remote.agree(config.receivable());
    remote
}

impl Sender {
    fn new(rng: &mut Rng) -> Self {
        // SRTP counts rollovers from the first packet on; starting in the lower half keeps a lost
        // first packet from being guessed on the wrong side (RFC 3711 §3.3.1).
        let sequence = (rng.u32() & 0x7fff) as u16;
        Self { ssrc: rng.u32(), sequence, timestamp: rng.u32(), at: None, talking: false, rtp_sent: None }
    }

    /// Moves the media clock by one packet time, and over whatever time the owner was away.
    fn step_to(&mut self, now: Time, step: u32, clock_rate_hz: u32) -> u32 {
        let Some(last) = self.at.replace(now) else { return self.timestamp };
        let units = now.since(last).as_micros().saturating_mul(clock_rate_hz.into()) / 1_000_000;
        // Within five packet times the owner was merely late and catches up by calling more often.
        let away = units > u128::from(step) * 5;
        let whole_steps = units / u128::from(step.max(1)) * u128::from(step);
        self.timestamp = self.timestamp.wrapping_add(if away { whole_steps as u32 } else { step });
        self.talking &= !away;
        self.timestamp
    }

    /// The media clock at `now`, as a sender report pairs it with the wall clock.
    fn timestamp_at(&self, now: Time, clock_rate_hz: u32) -> u32 {
        let Some((at, timestamp)) = self.rtp_sent else { return self.timestamp };
        let units = now.since(at).as_micros().saturating_mul(clock_rate_hz.into()) / 1_000_000;
        timestamp.wrapping_add(units as u32)
    }
}

#[cfg(test)]
mod tests;
