//! Simple network time: the question of a client and what its answer says (RFC 5905 §14).

use std::time::Duration;

use crate::time::Time;

/// The port of NTP.
pub const PORT: u16 = 123;
/// A packet without extensions.
const PACKET_BYTES: usize = 48;
/// From 1900, where NTP counts from, to 1970.
const EPOCH_S: u64 = 2_208_988_800;
/// One turn of NTP's 32 bits of seconds: the second begins in 2036 (RFC 5905 §6).
const ERA_S: u64 = 1 << 32;

/// A question, with what its answer is known by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Question {
    /// The transmit timestamp that was sent: a number of chance, no time (draft-ietf-ntp-data-minimization).
    nonce: u64,
    /// When it was sent, by the clock that is to be set.
    sent: Time,
}

/// How far a clock is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Offset {
    /// What the server's clock shows at the moment of the answer.
    pub shown: Time,
    /// How long question and answer were on their way; half of it is how wrong the offset may be.
    pub delay: Duration,
}

/// Why an answer is of no use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It is no answer of a server to this question.
    NotOurs,
    /// The server's own clock is not set.
    NotSet,
    /// The server wants to be left alone: RATE, DENY, RSTR (RFC 5905 §7.4).
    Refused([u8; 4]),
}

impl Question {
    /// A question that is sent at `sent` by the clock that is to be set; `nonce` is a number of chance.
    pub fn new(nonce: u64, sent: Time) -> Self {
        Self { nonce, sent }
    }

    /// As it is sent.
    pub fn to_bytes(self) -> [u8; PACKET_BYTES] {
        let mut bytes = [0; PACKET_BYTES];
        // No leap second told, version 4, client.
        bytes[0] = 0b00_100_011;
        bytes[40..].copy_from_slice(&self.nonce.to_be_bytes());
        bytes
    }

    /// Reads what came at `received`, by the clock that is to be set.
    ///
    /// # Errors
    /// [`Fault`] where it is no answer to this question, or one without a time.
    pub fn answer(&self, received: Time, bytes: &[u8]) -> Result<Offset, Fault> {
        let packet = bytes.first_chunk::<PACKET_BYTES>().ok_or(Fault::NotOurs)?;
        let stamp = |first: usize| u64::from_be_bytes(std::array::from_fn(|at| packet[first + at]));
        let (mode, leap, stratum) = (packet[0] & 7, packet[0] >> 6, packet[1]);
        if mode != 4 || stamp(24) != self.nonce {
            return Err(Fault::NotOurs);
        }
        if stratum == 0 {
            return Err(Fault::Refused(std::array::from_fn(|at| packet[12 + at])));
        }
        let (came, left) = (stamp(32), stamp(40));
        if leap == 3 || stratum > 15 || came == 0 || left == 0 {
            return Err(Fault::NotSet);
        }
        let (came, left) = (time(came), time(left));
        let delay = received.since(self.sent).saturating_sub(left.since(came));
        Ok(Offset { shown: left + delay / 2, delay })
    }
}

/// A timestamp of NTP as a time; one before 1968 belongs to the era that begins in 2036.
fn time(stamp: u64) -> Time {
    let seconds = stamp >> 32;
    let seconds = if seconds >> 31 == 1 { seconds } else { seconds + ERA_S };
    let micros = ((stamp & u64::from(u32::MAX)) * 1_000_000) >> 32;
    Time::from_secs(seconds.saturating_sub(EPOCH_S)) + Duration::from_micros(micros)
}

/// What a server answers whose clock shows `shown`.
pub fn answer(question: &[u8], shown: Time) -> Option<[u8; PACKET_BYTES]> {
    let asked = question.first_chunk::<PACKET_BYTES>().filter(|packet| packet[0] & 7 == 3)?;
    let mut bytes = [0; PACKET_BYTES];
    // The version that was asked in, server, stratum 2.
    (bytes[0], bytes[1]) = (asked[0] & 0b00_111_000 | 4, 2);
    bytes[24..32].copy_from_slice(&asked[40..]);
    let micros = shown.as_micros();
    let seconds = (micros / 1_000_000 + EPOCH_S) % ERA_S;
    let stamp = (seconds << 32) | (((micros % 1_000_000) << 32) / 1_000_000);
    for at in [16, 32, 40] {
        bytes[at..at + 8].copy_from_slice(&stamp.to_be_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SENT: Time = Time::from_secs(1_000);

    #[test]
    fn half_of_the_way_is_added_to_the_server_s_time() {
        let question = Question::new(7, SENT);
        let shown = Time::from_utc(2022, 2, 15, 17, 54, 14).expect("a time");
        let bytes = answer(&question.to_bytes(), shown).expect("a question");
        let offset = question.answer(SENT + Duration::from_millis(20), &bytes).expect("an answer");
        assert_eq!(offset.delay, Duration::from_millis(20));
        assert!(offset.shown.since(shown + Duration::from_millis(10)) < Duration::from_micros(2));
        assert_eq!(Question::new(8, SENT).answer(SENT, &bytes), Err(Fault::NotOurs));
        assert_eq!(question.answer(SENT, &bytes[..47]), Err(Fault::NotOurs));
    }

    #[test]
    fn what_has_no_time_is_told() {
        let question = Question::new(7, SENT);
        let mut bytes = answer(&question.to_bytes(), Time::from_secs(1_700_000_000)).expect("a question");
        bytes[1] = 0;
        bytes[12..16].copy_from_slice(b"RATE");
        assert_eq!(question.answer(SENT, &bytes), Err(Fault::Refused(*b"RATE")));
        (bytes[0], bytes[1]) = (0b11_100_100, 2);
        assert_eq!(question.answer(SENT, &bytes), Err(Fault::NotSet));
    }

    /// RFC 5905 §6: the second era begins on 7 February 2036.
    #[test]
    fn the_second_era_is_read() {
        let question = Question::new(7, SENT);
        let shown = Time::from_utc(2040, 1, 1, 0, 0, 0).expect("a time");
        let bytes = answer(&question.to_bytes(), shown).expect("a question");
        assert_eq!(question.answer(SENT, &bytes).map(|offset| offset.shown), Ok(shown));
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), later in 0_u64..100) {
            let nonce = bytes.get(24..32).map_or(0, |it| u64::from_be_bytes(std::array::from_fn(|at| it[at])));
            let _ = Question::new(nonce, SENT).answer(SENT + Duration::from_secs(later), &bytes);
            let _ = answer(&bytes, SENT);
        }
    }
}
