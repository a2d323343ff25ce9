//! Accounts: who the phone is to its servers, where they are, and whether it is registered there.

mod line;
mod registering;

pub(super) use line::Line;

use proto::Time;
use proto::sip::usage::register::Registration;

use super::Why;
use super::desk::{Desk, Place};
use super::facts::AccountState;
use crate::settings::{AccountSettings, Model, PhoneSettings};

/// One enabled account.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) line: Line,
    pub(super) state: AccountState,
    registration: Option<Registration>,
    /// Begin, or begin anew with the first server.
    begin_at: Option<Time>,
    keep_alive_at: Option<Time>,
    failures: u32,
    /// The server that is being asked; the line uses it once it has granted the binding.
    trying: usize,
    /// How many servers were tried since the last success.
    tried: usize,
    leaving: bool,
    /// The DNS is being asked about the server in use.
    waiting: bool,
    /// The last registration moved the binding to where the server sees the phone.
    moved: bool,
    /// The connection of the registration has ended, and no registration has come off since.
    lost: bool,
}

impl Account {
    pub(super) fn new(
        settings: AccountSettings,
        general: &PhoneSettings,
        place: &Place,
        model: &Model,
    ) -> Self {
        Self {
            line: Line::new(settings, general, place, model),
            state: AccountState::Unregistered,
            registration: None,
            begin_at: None,
            keep_alive_at: None,
            failures: 0,
            trying: 0,
            tried: 0,
            leaving: false,
            waiting: false,
            moved: false,
            lost: false,
        }
    }

    /// Takes settings that leave the registration as it is.
    pub(super) fn take_settings(
        &mut self,
        settings: AccountSettings,
        general: &PhoneSettings,
        place: &Place,
    ) {
        self.line.take_settings(settings, general, place);
    }

    /// The account's number, from 1.
    pub(super) fn number(&self) -> u8 {
        self.line.settings.number
    }

    /// The account's place in the log, from 0.
    fn log_index(&self) -> usize {
        usize::from(self.number().saturating_sub(1))
    }

    /// When [`on_deadline`](Self::on_deadline) wants to be called, and why.
    pub(super) fn next_deadline(&self) -> Option<(Time, Why)> {
        let begin = self.begin_at.map(|at| (at, Why::RegistrationBegins));
        let keep_alive = self.keep_alive_at.map(|at| (at, Why::KeepAlive));
        let registration = self.registration.as_ref().and_then(Registration::next_deadline);
        let registration = registration.map(|(at, why)| (at, Why::Registration(why)));
        [begin, keep_alive, registration].into_iter().flatten().min()
    }
}

/// All lines of a phone: its accounts, and the one for calls from address to address.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) accounts: Vec<Account>,
    /// Accounts that were changed or switched off and take back their old binding.
    pub(super) leaving: Vec<Account>,
    direct: Option<Box<Line>>,
}

/// The most accounts that may be taking back an old binding.
const MAX_LEAVING: usize = 16;

impl Lines {
    pub(super) fn new() -> Self {
        Self { accounts: Vec::new(), leaving: Vec::new(), direct: None }
    }

    /// The line of an account, or the one for direct calls (0).
    pub(super) fn line(&mut self, number: u8) -> Option<&mut Line> {
        if number == 0 {
            return self.direct.as_deref_mut();
        }
        self.account(number).map(|account| &mut account.line)
    }

    /// The line that a call speaks by: also that of an account that was switched off while its calls still say goodbye.
    pub(super) fn line_of_call(&mut self, number: u8) -> Option<&mut Line> {
        if number == 0 {
            return self.direct.as_deref_mut();
        }
        let mut all = self.accounts.iter_mut().chain(&mut self.leaving);
        all.find(|account| account.number() == number).map(|account| &mut account.line)
    }

    /// The line of an account, or the one for direct calls (0), to read.
    pub(super) fn line_ref(&self, number: u8) -> Option<&Line> {
        if number == 0 {
            return self.direct.as_deref();
        }
        self.accounts.iter().find(|account| account.number() == number).map(|account| &account.line)
    }

    /// An account by its number.
    pub(super) fn account(&mut self, number: u8) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| account.number() == number)
    }

    /// Makes sure that there is a line for calls from address to address.
    pub(super) fn open_direct(&mut self, general: &PhoneSettings, place: &Place, model: &Model) {
        self.direct.get_or_insert_with(|| {
            let settings = AccountSettings::read(&crate::settings::Settings::default(), 1);
            let user = place.mac_text();
            let settings =
                AccountSettings { number: 0, user, domain: Some(place.ip().to_string()), ..settings };
            Box::new(Line::new(settings, general, place, model))
        });
    }

    /// Takes what has changed for the whole phone to the line for calls from address to address.
    pub(super) fn take_general(&mut self, general: &PhoneSettings, place: &Place) {
        if let Some(line) = &mut self.direct {
            let settings = line.settings.clone();
            line.take_settings(*settings, general, place);
        }
    }

    /// An account that was changed or switched off: its binding is taken back beside the new one.
    pub(super) fn leave(&mut self, desk: &mut Desk, mut account: Account) {
        account.stop(desk);
        if self.leaving.len() < MAX_LEAVING {
            self.leaving.push(account);
        }
    }

    /// Whether nothing is left to be taken back.
    pub(super) fn have_left(&self) -> bool {
        self.leaving.is_empty() && self.accounts.iter().all(|account| !account.is_stopping())
    }
}
