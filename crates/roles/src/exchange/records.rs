//! Calls that are over: their records, the oldest of which make room.

use std::collections::VecDeque;

use super::facts::CallRecord;
use super::turn::Turn;
use super::{Change, Event};
use crate::relay::RelayFigures;

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

    /// The newest first: those before a call, from or to a number; all where `None`.
    pub(super) fn list(
        &self,
        before: Option<u64>,
        number: Option<&str>,
    ) -> impl Iterator<Item = &CallRecord> {
        self.iter().filter(move |record| {
            before.is_none_or(|before| record.call < before)
                && number.is_none_or(|number| record.caller == number || record.callee == number)
        })
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
