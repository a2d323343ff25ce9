//! What a person or program asks of the exchange, and what it is answered.

use std::net::IpAddr;
use std::sync::Arc;

use proto::Time;
use serde::Deserialize;

use super::answer::{Answer, ExtensionView};
use super::directory::{Binding, Entry, Extension};
use super::edit::Edit;
use super::facts::{Ban, CallRecord, CallView, Party, Subscription};
use super::ids::ExtensionId;
use super::registrar;
use super::router::{Codes, Route};
use super::{Change, Event, Exchange, Output};

/// The most rows in one answer.
const MAX_ROWS: usize = 10_000;

/// One wish, and a number by which its answer is known.
#[derive(Clone, Debug, Deserialize)]
pub struct Command {
    /// Comes back in [`Event::Done`].
    pub id: u64,
    /// What is wished.
    pub what: What,
}

/// What can be wished.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Lists the extensions in the order of their numbers.
    Extensions {
        /// From the next number after this one on; from the first where `None`.
        after: Option<String>,
    },
    /// Shows one extension.
    Extension(String),
    /// Sets an extension, new or not; its devices and calls stay.
    SetExtension(Box<Extension>),
    /// Changes what is named of an extension; one that is new needs a password.
    EditExtension {
        /// Which.
        number: String,
        /// What is to be different.
        edit: Box<Edit>,
    },
    /// Removes an extension with its devices and calls.
    RemoveExtension(String),
    /// Sets the accounts that devices have at a number beside its own, all of them.
    SetDeviceAccounts {
        /// The number, whether it has an extension yet or not.
        number: String,
        /// Their accounts.
        accounts: Vec<super::DeviceAccount>,
    },
    /// Tells devices to fetch their configuration, by check-sync; [`super::Event::CheckSynced`] tells what
    /// each answers.
    CheckSync {
        /// Their extension.
        number: String,
        /// The Contact URI of one; `None`: all devices of the extension.
        contact: Option<String>,
        /// Whether it is to restart.
        reboot: bool,
    },
    /// Lists the devices.
    Registrations {
        /// Of this extension alone; of all where `None`.
        number: Option<String>,
    },
    /// Lists the calls under way.
    Calls {
        /// From or to this number alone; all where `None`.
        number: Option<String>,
    },
    /// Ends a call.
    HangUp(u64),
    /// Rings the devices of an extension and connects whoever answers there with a number.
    Originate {
        /// The extension that is rung first.
        from: String,
        /// Whom it is then connected with.
        to: String,
    },
    /// Leads one party of an answered call to another extension; the other one is hung up once that
    /// has answered.
    Transfer {
        /// The call.
        call: u64,
        /// Who is led.
        party: Party,
        /// Where to.
        to: String,
    },
    /// Lists the calls that are over, the newest first.
    Records {
        /// Of those before this call alone; of all where `None`.
        before: Option<u64>,
        /// Of calls from or to this number alone; of all where `None`.
        number: Option<String>,
        /// How many at most.
        count: usize,
    },
    /// Lists the feature codes.
    Codes,
    /// Sets the feature codes; an empty one turns its feature off.
    SetCodes(Box<Codes>),
    /// Lists who watches whom.
    Subscriptions {
        /// What this number watches and who watches it alone; all where `None`.
        number: Option<String>,
    },
    /// Lists the rules against devices.
    Blocks,
    /// Lists the devices that a rule hit of late.
    Blocked,
    /// Counts what there is.
    Figures,
    /// Lists the bans in force.
    Bans,
    /// Bans a source.
    Ban(IpAddr),
    /// Lifts a ban.
    Pardon(IpAddr),
}

impl Exchange {
    pub(super) fn obey(&mut self, now: Time, command: Command) {
        let answer = match command.what {
            What::Extensions { after } => Answer::Extensions(self.extension_views(after.as_deref())),
            What::Extension(number) => self.extension_view(&number),
            What::SetExtension(extension) => self.set_extension(now, *extension),
            What::EditExtension { number, edit } => self.edit_extension(now, &number, *edit),
            What::RemoveExtension(number) => self.remove_extension(now, &number),
            What::SetDeviceAccounts { number, accounts } => self.set_device_accounts(&number, accounts),
            What::CheckSync { number, contact, reboot } => {
                self.check_sync(now, &number, contact.as_deref(), reboot)
            }
            What::Registrations { number } => {
                Answer::Registrations(self.registrations(now, number.as_deref()))
            }
            What::Calls { number } => Answer::Calls(self.calls_with(number.as_deref())),
            What::HangUp(call) => self.hang_up(now, call),
            What::Originate { from, to } => {
                let started = self.switchboard().originate(now, &from, &to);
                started.map_or_else(Answer::Refused, Answer::Started)
            }
            What::Transfer { call, party, to } => {
                let led = self.switchboard().transfer(now, call, party, &to);
                led.map_or_else(Answer::Refused, Answer::Started)
            }
            What::Records { before, number, count } => {
                Answer::Records(self.records(before, number.as_deref(), count))
            }
            What::Codes => Answer::Codes(Box::new(self.config.codes.clone())),
            What::SetCodes(codes) => self.set_codes(*codes),
            What::Subscriptions { number } => Answer::Subscriptions(self.subscriptions(number.as_deref())),
            What::Blocks => {
                Answer::Blocks(self.config.terms.blocks.iter().map(ToString::to_string).collect())
            }
            What::Blocked => Answer::Blocked(self.blocked.iter().rev().cloned().collect()),
            What::Figures => Answer::Figures(Box::new(self.figures(now))),
            What::Bans => Answer::Bans(self.gate.bans(now).cloned().collect()),
            What::Ban(source) => {
                self.gate.ban_by_hand(&mut self.turn, source);
                Answer::Ok
            }
            What::Pardon(source) => self.pardon(source),
        };
        self.turn.told.push(Output::Event(Event::Done { id: command.id, answer }));
    }

    fn extension_views(&self, after: Option<&str>) -> Vec<ExtensionView> {
        let people = self.directory.iter().filter(|(_, entry)| !entry.is_place);
        let wanted = people.filter(|(_, entry)| after.is_none_or(|after| &*entry.extension.number > after));
        let mut wanted: Vec<_> = wanted.collect();
        wanted.sort_unstable_by_key(|(_, entry)| &*entry.extension.number);
        wanted.into_iter().take(MAX_ROWS).map(|(id, entry)| self.view_of(id, entry)).collect()
    }

    fn extension_view(&self, number: &str) -> Answer {
        let found = self.directory.find(number).and_then(|id| Some((id, self.directory.get(id)?)));
        match found.filter(|(_, entry)| !entry.is_place) {
            Some((id, entry)) => Answer::Extensions(vec![self.view_of(id, entry)]),
            None => Answer::Refused(format!("there is no extension {number}")),
        }
    }

    fn view_of(&self, id: ExtensionId, entry: &Entry) -> ExtensionView {
        ExtensionView::of(entry, self.calls.legs_of(id).len(), self.lamps.watchers_of(id).len())
    }

    /// The devices that are registered at `now`, of one extension or of all.
    pub fn registrations(&self, now: Time, number: Option<&str>) -> Vec<Arc<Binding>> {
        let entries = self.directory.iter().map(|(_, entry)| entry);
        let wanted = entries.filter(|entry| number.is_none_or(|number| entry.extension.number == number));
        let live = wanted.flat_map(|entry| &entry.bindings).filter(|binding| binding.is_live(now));
        live.take(MAX_ROWS).cloned().collect()
    }

    fn calls_with(&self, number: Option<&str>) -> Vec<CallView> {
        let is_party = |call: &CallView, number| call.caller.number == number || call.callee.number == number;
        let all = self.calls().into_iter();
        all.filter(|call| number.is_none_or(|number| is_party(call, number))).take(MAX_ROWS).collect()
    }

    fn subscriptions(&self, number: Option<&str>) -> Vec<Subscription> {
        let wanted = self.lamps.iter().filter(|subscription| {
            number.is_none_or(|number| subscription.watcher == number || subscription.watched == number)
        });
        wanted.take(MAX_ROWS).cloned().collect()
    }

    fn records(&self, before: Option<u64>, number: Option<&str>, count: usize) -> Vec<CallRecord> {
        let wanted = self.records.iter().filter(|record| {
            before.is_none_or(|before| record.call < before)
                && number.is_none_or(|number| record.caller == number || record.callee == number)
        });
        wanted.take(count.min(MAX_ROWS)).cloned().collect()
    }

    fn set_extension(&mut self, now: Time, extension: Extension) -> Answer {
        if self.is_place(&extension.number) {
            return Answer::Refused(format!("{} is a parking place", extension.number));
        }
        let is_new = self.directory.find(&extension.number).is_none();
        if let Some(fault) = self.config.codes.hidden_by(&extension.number).filter(|_| is_new) {
            return Answer::Refused(fault);
        }
        if let Err(fault) = extension.check() {
            return Answer::Refused(fault);
        }
        let taken = self.directory.find_by_username(&extension.username);
        if taken.is_some_and(|id| self.directory.number(id) != extension.number) {
            let text = format!("the account name '{}' belongs to another extension", extension.username);
            return Answer::Refused(text);
        }
        self.turn.told.push(Output::Store(Change::Extension(Box::new(extension.clone()))));
        let messages = extension.messages;
        let known = self.directory.find(&extension.number).and_then(|id| self.directory.get(id));
        let before = known.map(|entry| entry.extension.messages).unwrap_or_default();
        let cut_off = known.and_then(|entry| why_cut_off(&entry.extension, &extension));
        let id = self.directory.set(extension);
        if let Some(reason) = cut_off {
            self.cut_off(now, id, reason);
        }
        self.turn.changed_lamps.insert(id);
        if messages != before {
            self.turn.changed_messages.insert(id);
        }
        self.lamp_board().end_forbidden_lamps(now, id);
        Answer::Ok
    }

    fn edit_extension(&mut self, now: Time, number: &str, edit: Edit) -> Answer {
        let known = self.directory.find(number).and_then(|id| self.directory.get(id));
        let known = known.map(|entry| entry.extension.clone());
        match edit.make(known, number, &self.config.realm) {
            Ok(extension) => self.set_extension(now, extension),
            Err(fault) => Answer::Refused(fault),
        }
    }

    fn remove_extension(&mut self, now: Time, number: &str) -> Answer {
        let Some(id) = self.directory.find(number).filter(|_| !self.is_place(number)) else {
            return Answer::Refused(format!("there is no extension {number}"));
        };
        let watchers = self.lamps.watchers_of(id).to_vec();
        for lamp in watchers {
            self.lamp_board().on_subscription_over(now, lamp, "noresource");
        }
        self.cut_off(now, id, "the extension was removed");
        self.gate.forget(id);
        self.authentication.forget(id);
        self.calls.forget(id);
        self.qualifier.forget(&mut self.turn, id);
        self.registrar.forget(&mut self.turn, id);
        self.directory.remove(id);
        self.turn.told.push(Output::Store(Change::ExtensionRemoved { number: number.to_owned() }));
        Answer::Ok
    }

    /// Sets the accounts of devices; what is registered with one that is gone ends at once.
    fn set_device_accounts(&mut self, number: &str, accounts: Vec<super::DeviceAccount>) -> Answer {
        self.directory.set_device_accounts(number, accounts);
        if let Some(id) = self.directory.find(number) {
            for orphan in self.directory.take_orphans(number) {
                registrar::unbound(&mut self.turn, id, &orphan, "its device has no account any more");
            }
        }
        Answer::Ok
    }

    /// The devices of an extension are gone at once: their calls, what they watch, their registrations.
    fn cut_off(&mut self, now: Time, id: ExtensionId, reason: &'static str) {
        let legs = self.calls.legs_of(id).to_vec();
        for leg in legs {
            if let Some(call) = self.calls.legs.get(&leg).and_then(|leg| leg.call) {
                self.switchboard().end_call(now, call, reason);
            }
        }
        let number = self.directory.number(id);
        self.lamp_board().end_lamps_of(now, &number);
        let bindings = self.directory.get_mut(id).map(|entry| std::mem::take(&mut entry.bindings));
        for binding in bindings.unwrap_or_default() {
            registrar::unbound(&mut self.turn, id, &binding, reason);
        }
    }

    fn is_place(&self, number: &str) -> bool {
        matches!(self.route_user(number), Route::Place(_))
    }

    fn set_codes(&mut self, codes: Codes) -> Answer {
        let hidden = self.directory.iter().find_map(|(_, entry)| codes.hidden_by(&entry.extension.number));
        if let Some(text) = codes.clash().or(hidden) {
            return Answer::Refused(text);
        }
        self.turn.told.push(Output::Store(Change::Codes(Box::new(codes.clone()))));
        self.config.codes = codes;
        Answer::Ok
    }

    fn hang_up(&mut self, now: Time, call: u64) -> Answer {
        match self.calls.find_call(call) {
            Some(id) => {
                self.switchboard().end_call(now, id, "ended by hand");
                Answer::Ok
            }
            None => Answer::Refused(format!("there is no call {call}")),
        }
    }

    fn pardon(&mut self, source: IpAddr) -> Answer {
        let lifted = self.gate.pardon(source);
        if lifted.is_empty() {
            return Answer::Refused(format!("{source} is not banned"));
        }
        for Ban { source, account, .. } in lifted {
            self.turn.keep(Change::BanRemoved { source, account });
        }
        Answer::Ok
    }
}

/// Why the devices of an extension may not go on after a change.
fn why_cut_off(before: &Extension, after: &Extension) -> Option<&'static str> {
    match (before.enabled && !after.enabled, before.secret != after.secret) {
        (true, _) => Some("the extension was switched off"),
        (false, true) => Some("the password was changed"),
        (false, false) => None,
    }
}
