//! Commands: each is passed to the owner of what it asks for.

use proto::Time;
use proto::sip::header::Termination;

use super::answer::{Answer, ExtensionNow, ExtensionView};
use super::command::{Command, What};
use super::directory::Entry;
use super::extension::{DeviceAccount, Extension};
use super::ids::ExtensionId;
use super::{Change, Event, Exchange, MAX_ROWS, registrar};

impl Exchange {
    pub(super) fn obey(&mut self, now: Time, command: Command) {
        let answer = self.answer_to(now, command.what);
        self.turn.tell(Event::Done { id: command.id, answer });
    }

    fn answer_to(&mut self, now: Time, what: What) -> Answer {
        match what {
            What::Extensions { after } => {
                let wanted = self.directory.people_after(after.as_deref()).into_iter().take(MAX_ROWS);
                Answer::Extensions(wanted.map(|(id, entry)| self.view_of(id, entry)).collect())
            }
            What::Extension(number) => self.extension_view(&number),
            What::SetExtension(extension) => self.set_extension(*extension),
            What::EditExtension { number, edit } => {
                let known = self.directory.find(&number).and_then(|id| self.directory.get(id));
                let known = known.map(|entry| entry.extension.clone());
                match edit.make(known, &number, &self.config.realm) {
                    Ok(extension) => self.set_extension(extension),
                    Err(fault) => Answer::Refused(fault),
                }
            }
            What::RemoveExtension(number) => self.remove_extension(&number),
            What::SetDeviceAccounts { number, accounts } => self.set_device_accounts(&number, accounts),
            What::CheckSync { number, contact, reboot } => {
                self.check_syncs.send(&mut self.turn, &self.directory, &number, contact.as_deref(), reboot)
            }
            What::Registrations { number } => {
                Answer::Registrations(self.registrations(now, number.as_deref()))
            }
            What::Calls { number } => {
                Answer::Calls(self.calls.views_of(number.as_deref()).take(MAX_ROWS).collect())
            }
            What::HangUp(call) => match self.calls.find_call(call) {
                Some(id) => {
                    self.switchboard().end_call(id, "ended by hand");
                    Answer::Ok
                }
                None => Answer::Refused(format!("there is no call {call}")),
            },
            What::HangUpAll => {
                for id in self.calls.bridges.keys().copied().collect::<Vec<_>>() {
                    self.switchboard().end_call(id, "the exchange ends");
                }
                Answer::Ok
            }
            What::Originate { from, to } => {
                let started = self.switchboard().originate(&from, &to);
                started.map_or_else(Answer::Refused, Answer::Started)
            }
            What::Transfer { call, party, to } => {
                let led = self.switchboard().transfer(call, party, &to);
                led.map_or_else(Answer::Refused, Answer::Started)
            }
            What::Records { before, number, count } => {
                let wanted = self.records.list(before, number.as_deref());
                Answer::Records(wanted.take(count.min(MAX_ROWS)).cloned().collect())
            }
            What::Codes => Answer::Codes(Box::new(self.router.codes().clone())),
            What::SetCodes(codes) => done(self.router.set_codes(&mut self.turn, &self.directory, *codes)),
            What::Subscriptions { number } => {
                Answer::Subscriptions(self.lamps.list(number.as_deref()).take(MAX_ROWS).cloned().collect())
            }
            What::Blocks => Answer::Blocks(self.blocks.rules().collect()),
            What::Blocked => Answer::Blocked(self.blocks.hit().cloned().collect()),
            What::Figures => Answer::Figures(Box::new(self.figures(now))),
            What::Bans => Answer::Bans(self.gate.bans(now).cloned().collect()),
            What::Ban(source) => {
                self.gate.ban_by_hand(&mut self.turn, source);
                Answer::Ok
            }
            What::Pardon(source) if self.gate.pardon(&mut self.turn, source) => Answer::Ok,
            What::Pardon(source) => Answer::Refused(format!("{source} is not banned")),
        }
    }

    fn extension_view(&self, number: &str) -> Answer {
        let found = self.directory.find_person(number).and_then(|id| Some((id, self.directory.get(id)?)));
        match found {
            Some((id, entry)) => Answer::Extensions(vec![self.view_of(id, entry)]),
            None => Answer::Refused(format!("there is no extension {number}")),
        }
    }

    fn view_of(&self, id: ExtensionId, entry: &Entry) -> ExtensionView {
        let now = ExtensionNow {
            devices: entry.bindings.len(),
            reachable: entry.bindings.iter().filter(|device| device.reachable).count(),
            legs: self.calls.legs_of(id).len(),
            watchers: self.lamps.watchers_of(id).len(),
        };
        ExtensionView::of(entry.extension.clone(), now)
    }

    /// Sets an extension; ends what it may not do any longer.
    fn set_extension(&mut self, extension: Extension) -> Answer {
        match self.directory.put(&mut self.turn, self.router.codes(), extension) {
            Ok(put) => {
                if let Some(reason) = put.cut_off {
                    self.cut_off(put.id, reason);
                }
                self.lamp_board().end_forbidden_lamps(put.id);
                Answer::Ok
            }
            Err(fault) => Answer::Refused(fault),
        }
    }

    /// Removes an extension; every part forgets what it knows of it.
    fn remove_extension(&mut self, number: &str) -> Answer {
        let Some(id) = self.directory.find_person(number) else {
            return Answer::Refused(format!("there is no extension {number}"));
        };
        let watchers = self.lamps.watchers_of(id).to_vec();
        for lamp in watchers {
            self.lamp_board().on_subscription_over(lamp, Termination::NoResource);
        }
        self.cut_off(id, "the extension was removed");
        self.gate.forget(id);
        self.authentication.forget(id);
        self.calls.forget(id);
        self.qualifier.forget(&mut self.turn, id);
        self.registrar.forget(&mut self.turn, id);
        self.directory.remove(id);
        self.turn.keep(Change::ExtensionRemoved { number: number.to_owned() });
        Answer::Ok
    }

    /// Sets the accounts of devices; a device that registered with an account which is gone is unregistered.
    fn set_device_accounts(&mut self, number: &str, accounts: Vec<DeviceAccount>) -> Answer {
        self.directory.set_device_accounts(number, accounts);
        if let Some(id) = self.directory.find(number) {
            for orphan in self.directory.take_orphans(number) {
                registrar::unbound(&mut self.turn, id, &orphan, "its device has no account any more");
            }
        }
        Answer::Ok
    }

    /// Ends at once what the devices of an extension do: their calls, what they watch, their registrations.
    fn cut_off(&mut self, id: ExtensionId, reason: &'static str) {
        let legs = self.calls.legs_of(id).to_vec();
        for leg in legs {
            if let Some(call) = self.calls.legs.get(&leg).and_then(|leg| leg.call) {
                self.switchboard().end_call(call, reason);
            }
        }
        let number = self.directory.number(id);
        self.lamp_board().end_lamps_of(&number);
        registrar::unbind_all(&mut self.turn, &mut self.directory, id, reason);
    }
}

fn done(result: Result<(), String>) -> Answer {
    result.map_or_else(Answer::Refused, |()| Answer::Ok)
}
