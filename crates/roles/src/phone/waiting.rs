//! Commands that wait: a call for the registration of its account, `wait` for an event, the end of the
//! input for the end of both and of all calls.

use std::collections::VecDeque;
use std::time::Duration;

use proto::Time;

use super::calls::Purpose;
use super::event::EventKind;
use super::facts::AccountState;
use super::{Phone, Refused, Why};
use crate::role::Output;

/// How long a call waits for the registration of its account.
const REGISTRATION: Duration = Duration::from_secs(20);
/// The most commands that wait at a time, of each kind.
const MOST: usize = 64;
/// Events that can be waited for.
pub(super) const EVENTS: [&str; 20] = [
    "registered",
    "registration_failed",
    "unregistered",
    "incoming",
    "ringing",
    "answered",
    "held",
    "resumed",
    "remote_hold",
    "remote_resume",
    "peer_changed",
    "transferred",
    "forwarded",
    "ended",
    "dtmf",
    "lamp",
    "messages",
    "screen",
    "resync",
    "reboot",
];

/// Everything that waits.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    calls: VecDeque<Call>,
    events: Vec<Wait>,
    /// The input is over: the phone ends when nothing is left to do.
    is_input_over: bool,
}

/// A call that waits for its account.
#[derive(Debug)]
struct Call {
    id: Option<String>,
    number: String,
    account: u8,
    until: Time,
}

/// Somebody who waits for an event.
#[derive(Debug)]
struct Wait {
    id: Option<String>,
    event: String,
    until: Time,
}

impl Waiting {
    pub(super) fn next_deadline(&self) -> Option<(Time, Why)> {
        let calls = self.calls.iter().map(|call| call.until);
        calls.chain(self.events.iter().map(|wait| wait.until)).min().map(|until| (until, Why::Command))
    }

    fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.events.is_empty()
    }
}

impl Phone {
    /// Whether a command waits for something to happen: whoever reads commands from a file reads on after
    /// it.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A call by an account whose registration is under way waits for it.
    pub(super) fn dial_when_registered(&mut self, id: Option<String>, number: String, account: Option<u8>) {
        match self.is_registering_for(&number, account) {
            Some(account) if self.waiting.calls.len() < MOST => {
                let until = self.desk.now + REGISTRATION;
                self.waiting.calls.push_back(Call { id, number, account, until });
            }
            _ => self.answer_dial(id, &number, account),
        }
    }

    fn answer_dial(&mut self, id: Option<String>, number: &str, account: Option<u8>) {
        let dialled = self.dial(number, account, Purpose::Plain);
        self.tell_outcome(id, dialled.map(|_| ()));
    }

    pub(super) fn tell_outcome(&mut self, id: Option<String>, done: Result<(), Refused>) {
        self.desk.tell(match done {
            Ok(()) => EventKind::Done { id },
            Err(Refused { message, possible }) => EventKind::Error { id, message, possible },
        });
    }

    /// The account by which a number would be called, where its registration is not decided yet.
    fn is_registering_for(&self, number: &str, account: Option<u8>) -> Option<u8> {
        if account.is_none() && self.is_foreign(number) {
            return None;
        }
        let number = account.unwrap_or_else(|| self.default_account());
        let account = self.lines.accounts.iter().find(|account| account.number() == number)?;
        let free = account.line.settings.advanced.call_without_registration;
        (!free && is_undecided(&account.state)).then_some(number)
    }

    /// Waits for an event; one that tells what is true already need not be waited for.
    pub(super) fn wait_for(&mut self, id: Option<String>, event: String, seconds: u16) {
        if event == "registered" && self.lines.accounts.iter().any(|account| account.state.is_registered()) {
            return self.tell_outcome(id, Ok(()));
        }
        if self.waiting.events.len() >= MOST {
            let refused = Refused::new(format!("{MOST} commands wait already"), &["status"]);
            return self.tell_outcome(id, Err(refused));
        }
        let until = self.desk.now + Duration::from_secs(seconds.into());
        self.waiting.events.push(Wait { id, event, until });
    }

    /// Nothing more is to be done than what is begun.
    pub(super) fn on_end_of_input(&mut self) {
        self.waiting.is_input_over = true;
    }

    /// Does what has waited for what happened in this turn.
    pub(super) fn settle_waiting(&mut self) {
        self.settle_dials();
        self.settle_waits();
        let is_done = self.waiting.is_empty() && self.calls.live().next().is_none() && !self.calls.redials();
        if self.waiting.is_input_over && is_done && self.quitting.is_none() {
            self.waiting.is_input_over = false;
            self.quit();
        }
    }

    fn settle_dials(&mut self) {
        let now = self.desk.now;
        let is_decided = |phone: &Self, call: &Call| {
            let account = phone.lines.accounts.iter().find(|account| account.number() == call.account);
            call.until <= now || account.is_none_or(|account| !is_undecided(&account.state))
        };
        while let Some(call) = self.waiting.calls.pop_front() {
            if !is_decided(self, &call) {
                return self.waiting.calls.push_front(call);
            }
            self.answer_dial(call.id, &call.number, Some(call.account));
        }
    }

    fn settle_waits(&mut self) {
        if self.waiting.events.is_empty() {
            return;
        }
        let told = self.desk.out.iter().filter_map(|output| match output {
            Output::Event(event) => Some(event.what.name()),
            _ => None,
        });
        let told: Vec<String> = told.collect();
        let now = self.desk.now;
        for wait in std::mem::take(&mut self.waiting.events) {
            if told.contains(&wait.event) {
                self.tell_outcome(wait.id, Ok(()));
            } else if wait.until <= now {
                let refused = Refused::new(format!("`{}` did not come in time", wait.event), &["status"]);
                self.tell_outcome(wait.id, Err(refused));
            } else {
                self.waiting.events.push(wait);
            }
        }
    }
}

/// It will be known soon whether the account is registered.
const fn is_undecided(state: &AccountState) -> bool {
    matches!(state, AccountState::Unregistered | AccountState::Locating | AccountState::Registering)
}
