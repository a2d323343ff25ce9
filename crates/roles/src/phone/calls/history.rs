//! The list of calls: dialled, received, missed, forwarded.

use std::collections::VecDeque;

use super::{CallNumber, EndReason};
use crate::phone::Phone;
use crate::phone::desk::Change;
use crate::phone::facts::{HistoryEntry, HistoryKind};

/// The most calls that the phone remembers.
pub const MOST_ENTRIES: usize = 100;

/// The list of calls, the newest first.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct History {
    pub(in super::super) entries: VecDeque<HistoryEntry>,
    /// Missed calls that nobody has looked at.
    pub(in super::super) missed: u32,
}

impl History {
    /// Adds a call; the oldest makes room.
    pub(in super::super) fn add(&mut self, entry: HistoryEntry) {
        self.missed = self.missed.saturating_add(u32::from(entry.kind == HistoryKind::Missed));
        self.entries.truncate(MOST_ENTRIES - 1);
        self.entries.push_front(entry);
    }

    /// The last party who called.
    pub(in super::super) fn last_caller(&self) -> Option<(&str, u8)> {
        let mut received = self.entries.iter().filter(|entry| entry.kind != HistoryKind::Dialled);
        received.next().map(|entry| (&*entry.number, entry.account))
    }
}

impl Phone {
    /// Puts a call that has just ended into the list.
    pub(super) fn remember(&mut self, number: CallNumber) {
        let now = self.desk.now;
        let Some(call) = self.calls.table.get(&number) else { return };
        let elsewhere = call.cause.as_ref().is_some_and(|cause| cause.reason == EndReason::AnsweredElsewhere);
        let kind = match (call.outgoing, call.answered_at) {
            (true, _) => HistoryKind::Dialled,
            (false, Some(_)) => HistoryKind::Received,
            (false, None) if elsewhere => return,
            (false, None) => HistoryKind::Missed,
        };
        let answered = call.answered_at.map(|at| now.since(at)).unwrap_or_default();
        self.remember_as(number, kind, answered.as_secs());
    }

    /// Puts a call into the list, once.
    pub(super) fn remember_as(&mut self, number: CallNumber, kind: HistoryKind, duration_s: u64) {
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        if std::mem::replace(&mut call.listed, true) {
            return;
        }
        let logged = self.lines.line_ref(call.account).is_none_or(|line| line.settings.log_missed);
        if kind == HistoryKind::Missed && !logged {
            return;
        }
        let entry = HistoryEntry {
            kind,
            account: call.account,
            number: call.peer.number.clone(),
            name: call.peer.name.clone(),
            at_s: self.desk.wall.at(call.began_at).as_secs(),
            duration_s,
        };
        let who = if entry.name.is_empty() { &entry.number } else { &entry.name };
        let popup = match kind {
            HistoryKind::Missed if self.general.popups.missed => Some(format!("Missed call: {who}")),
            HistoryKind::Forwarded if self.general.popups.forwarded => Some(format!("Forwarded call: {who}")),
            _ => None,
        };
        if let Some(text) = popup {
            self.show(text);
        }
        self.history.add(entry.clone());
        self.desk.keep(Change::Call(entry));
    }

    /// Takes over the calls of an earlier run, the newest first.
    pub(in super::super) fn restore_history(&mut self, entries: Vec<HistoryEntry>) {
        self.history.entries = entries.into_iter().take(MOST_ENTRIES).collect();
    }

    /// Somebody has looked at the missed calls.
    pub(in super::super) fn missed_calls_seen(&mut self) {
        self.history.missed = 0;
    }

    /// The list of calls, the newest first.
    pub fn history(&self) -> impl Iterator<Item = &HistoryEntry> {
        self.history.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded_and_newest_first() {
        let mut history = History::default();
        for number in 0..300 {
            history.add(HistoryEntry {
                kind: HistoryKind::Missed,
                account: 1,
                number: number.to_string(),
                name: String::new(),
                at_s: number,
                duration_s: 0,
            });
        }
        assert_eq!(history.entries.len(), MOST_ENTRIES);
        assert_eq!(history.last_caller(), Some(("299", 1)));
        assert_eq!(history.missed, 300);
    }
}
