//! Calls that are over: their records, the oldest of which make room.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::turn::Turn;
use super::{Change, Event};
use crate::relay::RelayFigures;

/// A call that is over.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct CallRecord {
    /// Names the call.
    pub call: u64,
    /// Who called.
    pub caller: String,
    /// Who was called.
    pub callee: String,
    /// Milliseconds since 1970 at which it began.
    #[serde(rename = "started_at", alias = "started_at_ms", with = "crate::stamp::ms")]
    pub started_at_ms: u64,
    /// Milliseconds since 1970 at which it was answered.
    #[serde(rename = "answered_at", alias = "answered_at_ms", with = "crate::stamp::ms_or_null")]
    pub answered_at_ms: Option<u64>,
    /// Milliseconds since 1970 at which it ended.
    #[serde(rename = "ended_at", alias = "ended_at_ms", with = "crate::stamp::ms")]
    pub ended_at_ms: u64,
    /// Why it ended, in words.
    pub reason: String,
    /// What the relay got from the caller, once it has told.
    #[serde(default)]
    pub from_caller: Option<RelayFigures>,
    /// What the relay got from the called, once it has told.
    #[serde(default)]
    pub from_callee: Option<RelayFigures>,
}

/// The calls that are over, the oldest first.
#[derive(Debug)]
pub(super) struct Records {
    all: VecDeque<CallRecord>,
    most: usize,
}

impl Records {
    /// With those of before.
    pub(super) fn new(all: Vec<CallRecord>, most: usize) -> Self {
        Self { all: all.into(), most }
    }

    /// The newest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &CallRecord> {
        self.all.iter().rev()
    }

    /// Keeps the record of a call that has just ended, in the place of the oldest where there are many.
    pub(super) fn keep(&mut self, turn: &mut Turn, record: CallRecord) {
        turn.keep(Change::CallRecord(record.clone()));
        self.all.push_back(record.clone());
        let surplus = self.all.len().saturating_sub(self.most);
        for oldest in self.all.drain(..surplus) {
            turn.keep(Change::CallRecordRemoved { call: oldest.call, started_at_ms: oldest.started_at_ms });
        }
        turn.tell(Event::CallEnded(record));
    }

    /// The relay has measured a call that is over.
    pub(super) fn measured(
        &mut self,
        turn: &mut Turn,
        call: u64,
        from_caller: RelayFigures,
        from_callee: RelayFigures,
    ) {
        let Some(record) = self.all.iter_mut().rev().find(|record| record.call == call) else { return };
        (record.from_caller, record.from_callee) = (Some(from_caller), Some(from_callee));
        turn.keep(Change::CallRecord(record.clone()));
        turn.tell(Event::CallMeasured { call, from_caller, from_callee });
    }
}
