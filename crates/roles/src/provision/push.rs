//! Check-sync to many devices: one after the other, and for each what became of it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proto::{Time, Wall};
use serde::Serialize;

use crate::mac::Mac;

/// Pushes that are remembered; the oldest makes room.
const MOST_PUSHES: usize = 32;
/// The most devices that are told within a minute.
pub const MOST_PER_MINUTE: u32 = 6_000;

/// All pushes, by number from 1.
#[derive(Debug, Default)]
pub(super) struct Pushes {
    all: BTreeMap<u64, Push>,
    last: u64,
}

/// One push.
#[derive(Clone, Debug, Serialize)]
pub struct Push {
    /// Whether the devices are to restart.
    pub reboot: bool,
    /// How many devices are told within a minute.
    pub per_minute: u32,
    /// After how many devices that do not answer no further one is told; 0: never.
    pub stop_after: u32,
    /// Whether that has happened.
    pub stopped: bool,
    /// One row for each device.
    pub rows: Vec<Row>,
    #[serde(skip)]
    waiting: VecDeque<Mac>,
    #[serde(skip)]
    next_at: Time,
    #[serde(skip)]
    failed: u32,
}

/// What became of one device; moments in milliseconds since 1970, null where it has not come.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The device.
    pub mac: Mac,
    /// When it was told, in milliseconds since 1970.
    #[serde(serialize_with = "crate::stamp::ms_or_null::serialize")]
    pub sent: Option<u64>,
    /// When it answered with 2xx, in milliseconds since 1970.
    #[serde(serialize_with = "crate::stamp::ms_or_null::serialize")]
    pub answered: Option<u64>,
    /// Its answer; null where none came.
    pub status: Option<u16>,
    /// When it fetched its configuration, in milliseconds since 1970.
    #[serde(serialize_with = "crate::stamp::ms_or_null::serialize")]
    pub fetched: Option<u64>,
    /// When it was known to have applied it: it registered with the account that this very file names, or
    /// it fetched a file that it had applied before. In milliseconds since 1970.
    #[serde(serialize_with = "crate::stamp::ms_or_null::serialize")]
    pub applied: Option<u64>,
    /// When it registered afterwards, in milliseconds since 1970.
    #[serde(serialize_with = "crate::stamp::ms_or_null::serialize")]
    pub registered: Option<u64>,
    /// When it was seen to have started: it asked by PnP, or was told to restart and registered under
    /// another Call-ID (RFC 3261 §10.2). In milliseconds since 1970.
    #[serde(serialize_with = "crate::stamp::ms_or_null::serialize")]
    pub rebooted: Option<u64>,
}

/// What was seen of a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sign {
    Fetched,
    Applied,
    Registered,
    Started,
    /// It registered under another Call-ID.
    Anew,
}

impl Row {
    fn new(mac: Mac) -> Self {
        let (sent, answered, status) = (None, None, None);
        let (fetched, applied, registered, rebooted) = (None, None, None, None);
        Self { mac, sent, answered, status, fetched, applied, registered, rebooted }
    }
}

impl Pushes {
    /// Begins a push; returns its number.
    pub(super) fn begin(
        &mut self,
        now: Time,
        devices: Vec<Mac>,
        reboot: bool,
        per_minute: u32,
        stop_after: u32,
    ) -> u64 {
        while self.all.len() >= MOST_PUSHES {
            self.all.pop_first();
        }
        self.last += 1;
        let rows = devices.iter().copied().map(Row::new).collect();
        let per_minute = per_minute.clamp(1, MOST_PER_MINUTE);
        let waiting = devices.into();
        let push =
            Push { reboot, per_minute, stop_after, stopped: false, rows, waiting, next_at: now, failed: 0 };
        self.all.insert(self.last, push);
        self.last
    }

    pub(super) fn get(&self, number: u64) -> Option<&Push> {
        self.all.get(&number)
    }

    /// The devices that are to be told now, each with whether it is to restart.
    pub(super) fn due(&mut self, now: Time, wall: Wall) -> Vec<(u64, Mac, bool)> {
        let mut due = Vec::new();
        for (number, push) in &mut self.all {
            while push.next_at <= now && !push.stopped {
                let Some(mac) = push.waiting.pop_front() else { break };
                push.next_at += Duration::from_millis(60_000 / u64::from(push.per_minute));
                if let Some(row) = push.row(mac) {
                    row.sent = Some(wall.at(now).as_millis());
                }
                due.push((*number, mac, push.reboot));
            }
        }
        due
    }

    /// A device has answered, or has not: to the push that told it last.
    pub(super) fn answered(&mut self, date: Time, mac: Mac, status: Option<u16>) {
        for push in self.all.values_mut().rev() {
            let stop_after = push.stop_after;
            let Some(row) = push.row(mac).filter(|row| row.sent.is_some() && row.answered.is_none()) else {
                continue;
            };
            row.status = status;
            if status.is_some_and(|status| (200..300).contains(&status)) {
                row.answered = Some(date.as_millis());
            } else {
                push.failed += 1;
                push.stopped |= stop_after > 0 && push.failed >= stop_after;
            }
            return;
        }
    }

    /// Something was seen of a device: it is noted once for each push that has told it.
    pub(super) fn seen(&mut self, date: Time, mac: Mac, sign: Sign) {
        for push in self.all.values_mut() {
            let counts = sign != Sign::Anew || push.reboot;
            let Some(row) = push.row(mac).filter(|row| counts && row.sent.is_some()) else { continue };
            let place = match sign {
                Sign::Fetched => &mut row.fetched,
                Sign::Applied => &mut row.applied,
                Sign::Registered => &mut row.registered,
                Sign::Started | Sign::Anew => &mut row.rebooted,
            };
            place.get_or_insert(date.as_millis());
        }
    }
}

impl Push {
    fn row(&mut self, mac: Mac) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.mac == mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(last: u8) -> Mac {
        Mac([0, 0x21, 0xf2, 0, 0, last])
    }

    #[test]
    fn devices_are_told_one_after_the_other() {
        let mut pushes = Pushes::default();
        let at = |seconds: u64| Time::from_secs(1_000 + seconds);
        let number = pushes.begin(at(0), (0..4).map(mac).collect(), true, 60, 0);
        assert_eq!(pushes.due(at(0), Wall::default()), [(number, mac(0), true)]);
        assert_eq!(pushes.due(at(0), Wall::default()), []);
        assert_eq!(pushes.due(at(2), Wall::default()).len(), 2);
        assert_eq!(pushes.due(at(60), Wall::default()).len(), 1);
        assert_eq!(pushes.due(at(99), Wall::default()), []);
    }

    #[test]
    fn a_push_stops_after_so_many_devices_that_do_not_answer() {
        let mut pushes = Pushes::default();
        let number = pushes.begin(Time::ZERO, (0..9).map(mac).collect(), false, 6_000, 3);
        let mut told = 0;
        for second in 0..9 {
            let now = Time::from_millis(second * 10);
            for (_, mac, _) in pushes.due(now, Wall::default()) {
                told += 1;
                pushes.answered(now, mac, (told == 1).then_some(200));
            }
        }
        let push = pushes.get(number).expect("a push");
        assert_eq!((told, push.stopped), (4, true), "one answered, three did not");
        assert_eq!(push.rows.iter().filter(|row| row.answered.is_some()).count(), 1);
    }

    #[test]
    fn signs_are_noted_for_whom_was_told_and_pushes_are_bounded() {
        let mut pushes = Pushes::default();
        let number = pushes.begin(Time::ZERO, vec![mac(1), mac(2)], false, 1, 0);
        pushes.due(Time::ZERO, Wall::default());
        for (last, sign) in
            [(1, Sign::Fetched), (1, Sign::Registered), (1, Sign::Started), (2, Sign::Fetched)]
        {
            pushes.seen(Time::from_millis(7), mac(last), sign);
        }
        let rows = &pushes.get(number).expect("a push").rows;
        assert_eq!((rows[0].fetched, rows[0].registered, rows[0].rebooted), (Some(7), Some(7), Some(7)));
        assert_eq!(rows[1].fetched, None, "it was not told yet");
        for _ in 0..100 {
            pushes.begin(Time::ZERO, vec![mac(1)], false, 1, 0);
        }
        assert_eq!(pushes.all.len(), MOST_PUSHES);
    }
}
