//! What each command does: one match, and the few words that a person is told.

use super::calls::{Cause, Purpose};
use super::command::{Command, CommandKind, ForwardWhen, Which};
use super::desk::{Change, Wish};
use super::discover::Reason;
use super::event::{By, EventKind};
use super::facts::{CallNumber, Phase};
use super::{Phone, Refused};
use crate::settings::{
    AccountSettings, Fault, FaultKind, Forwards, Key, Secret, Settings, Source, Switch, Value, nearest_key,
};

impl Phone {
    pub(super) fn on_command(&mut self, command: Command) {
        let Command { id, what } = command;
        // Only the program can write files: it answers the command when the file is written.
        if let CommandKind::Bundle { file, topic } = what {
            return self.desk.wish(Wish::Bundle { id, file, topic, at: self.desk.now });
        }
        if let CommandKind::Export(Some(file)) = what {
            return self.desk.wish(Wish::Export { id, file, at: self.desk.wall.at(self.desk.now) });
        }
        match what {
            CommandKind::Dial { number, account } => self.dial_when_registered(id, number, account),
            CommandKind::Wait { event, seconds } => self.wait_for(id, event, seconds),
            CommandKind::EndOfInput => self.on_end_of_input(),
            what => {
                let done = self.obey(what);
                self.tell_outcome(id, done);
            }
        }
    }

    /// Does what a command says.
    #[expect(clippy::too_many_lines, reason = "a list: one arm for each command")]
    pub(super) fn obey(&mut self, what: CommandKind) -> Result<(), Refused> {
        use CommandKind as K;
        match what {
            K::Dial { number, account } => self.dial(&number, account, Purpose::Plain).map(|_| ()),
            K::Answer(call) => self.obey_answer(call),
            K::HangUp(which) => self.obey_hang_up(which),
            K::Reject { call, status } => {
                let number = self.ringing_call(call)?;
                self.reject(number, status);
                Ok(())
            }
            K::Hold => self.obey_hold(),
            K::Mute(on) => self.obey_mute(on),
            K::Resume(call) => self.obey_resume(call),
            K::Dtmf(digits) => {
                let number = self.standing_call()?;
                self.send_digits(number, &digits);
                Ok(())
            }
            K::Transfer(to) => self.obey_transfer(&to),
            K::Consult(to) => self.consult(&to),
            K::Complete => self.complete_transfer(),
            K::Conference => self.join(),
            K::Split => self.split(),
            K::Dnd(on) => self.obey_dnd(on),
            K::Forward { when, to } => self.obey_forward(when, to),
            K::Key(number) => self.press(number),
            K::Pickup(number) => self.pick_up_number(&number),
            K::Redial => self.redial().map(|_| ()),
            K::Resync => {
                self.discover.ask(self.desk.now, Reason::Command);
                Ok(())
            }
            K::Reboot => {
                self.restart("command");
                Ok(())
            }
            K::Upgrade(url) => match proto::url::Url::parse(&url) {
                Ok(_) => {
                    self.discover.want_firmware(&url);
                    Ok(())
                }
                Err(flaw) => {
                    Err(Refused::new(format!("`{url}` is no address of a file: {flaw}"), &["upgrade URL"]))
                }
            },
            K::FactoryReset => {
                self.factory_reset();
                Ok(())
            }
            K::Export(None) => {
                self.export();
                Ok(())
            }
            K::Import(text) => self.import(&text),
            // The program reads the file before it hands the line on.
            K::ImportFile(_) => {
                let message =
                    "a file is read by a line of standard input; over HTTP send it to PUT /api/configuration";
                Err(Refused::new(message, &["import FILE.cfg"]))
            }
            K::Export(Some(_)) => Err(Refused::new("a key cannot write a file", &["export FILE.cfg"])),
            K::Set(assignments) => self.set(&assignments, Source::Api),
            K::Get(key) => self.get(&key),
            // Only what stands alone can be answered later.
            K::Wait { .. } | K::EndOfInput => Err(Refused::new("a key cannot wait", &["wait EVENT"])),
            // Only what stands alone can be answered by the program.
            K::Bundle { .. } => Err(Refused::new("a key cannot write a bundle", &["bundle FILE.zip"])),
            K::Status => {
                let view = Box::new(self.view());
                self.desk.tell(EventKind::Status(view));
                Ok(())
            }
            K::History => {
                self.missed_calls_seen();
                self.desk.tell(EventKind::History { calls: self.history.entries.iter().cloned().collect() });
                Ok(())
            }
            K::Directory => {
                self.desk.tell(EventKind::Directory { entries: self.directory() });
                Ok(())
            }
            K::Quit => {
                self.quit();
                Ok(())
            }
            K::Wrong { message, possible } => Err(Refused { message, possible }),
        }
    }

    fn obey_answer(&mut self, call: Option<CallNumber>) -> Result<(), Refused> {
        let number = self.ringing_call(call)?;
        self.answer_call(number);
        Ok(())
    }

    fn obey_hang_up(&mut self, which: Which) -> Result<(), Refused> {
        match which {
            Which::All => {
                self.obey_hang_up_all();
                return Ok(());
            }
            Which::Call(number) if !self.is_live(number) => return Err(self.no_such_call("hangup", number)),
            Which::Call(number) => self.hang_up(number),
            Which::Current if self.quit_conference() => {}
            Which::Current if self.general.transfer.attended_on_hook && self.is_consulting() => {
                return self.complete_transfer();
            }
            Which::Current => {
                let number = self.calls.focus().or(self.calls.ringing());
                let number = number.ok_or_else(|| Refused::new("there is no call", &["dial NUMBER"]))?;
                self.hang_up(number);
            }
        }
        Ok(())
    }

    pub(super) fn obey_hang_up_all(&mut self) {
        let all: Vec<_> = self.calls.live().map(|(number, _)| number).collect();
        for number in all {
            self.hang_up(number);
        }
    }

    /// Ends, cancels, or rejects what rings in.
    fn hang_up(&mut self, number: CallNumber) {
        let Some(call) = self.calls.table.get(&number) else { return };
        let cause = match call.phase {
            Phase::Ringing => return self.reject(number, Some(486)),
            Phase::Dialling | Phase::Calling | Phase::Ringback => {
                Cause::new(Some(487), "cancelled", By::Local)
            }
            _ => Cause::new(None, "hung up", By::Local),
        };
        self.hang_up_call(number, cause);
    }

    fn obey_hold(&mut self) -> Result<(), Refused> {
        if let Some((first, second)) = self.calls.conference.take() {
            self.set_hold(first, true);
            self.set_hold(second, true);
            return Ok(());
        }
        let number = self.standing_call()?;
        if self.calls.table.get(&number).is_some_and(|call| call.hold.is_wanted()) {
            return Err(Refused::new(format!("call {number} is held already"), &["resume"]));
        }
        self.set_hold(number, true);
        Ok(())
    }

    /// A call that answered itself with the microphone off is talked in after `mute off`.
    fn obey_mute(&mut self, on: bool) -> Result<(), Refused> {
        let numbers = match self.calls.conference {
            Some((first, second)) => vec![first, second],
            None => vec![self.standing_call()?],
        };
        for number in numbers {
            if let Some(call) = self.calls.table.get_mut(&number) {
                call.muted = on;
            }
            self.note_call(number, if on { "Microphone off" } else { "Microphone on" });
        }
        Ok(())
    }

    fn obey_resume(&mut self, call: Option<CallNumber>) -> Result<(), Refused> {
        let held = |number: &CallNumber| {
            self.calls.table.get(number).is_some_and(|call| call.is_up() && call.hold.is_wanted())
        };
        let last = self.calls.live().map(|(number, _)| number).filter(held).last();
        let number = match call {
            Some(number) if !self.is_live(number) => return Err(self.no_such_call("resume", number)),
            Some(number) => Some(number).filter(held),
            None => last,
        };
        let number = number.ok_or_else(|| Refused::new("there is no held call", &["hold", "status"]))?;
        self.resume(number);
        Ok(())
    }

    /// Transfers; what rings here is sent elsewhere instead.
    fn obey_transfer(&mut self, to: &str) -> Result<(), Refused> {
        let up = self.calls.live().any(|(_, call)| call.is_up());
        if let Some(number) = self.calls.ringing().filter(|_| !up) {
            let account = self.calls.table.get(&number).map(|call| call.account);
            let to = self.dialled(to, account)?;
            self.deflect(number, &to);
            return Ok(());
        }
        self.transfer(to)
    }

    fn obey_dnd(&mut self, on: bool) -> Result<(), Refused> {
        let codes = self.general.dnd.codes.clone();
        self.set(&[("features.dnd.enable".into(), switch(on))], Source::Api)?;
        self.tell_server(if on { codes.on } else { codes.off });
        Ok(())
    }

    fn obey_forward(&mut self, when: ForwardWhen, to: Option<String>) -> Result<(), Refused> {
        // Where each account has its own forwards, those of the account in use are meant.
        let account = self.general.forward_rules.per_account.then(|| self.default_account());
        let prefix = match account {
            Some(number) => format!("account.{number}.{}", when.account_key_word()),
            None => format!("forward.{}", when.key_word()),
        };
        let mut assignments = vec![(format!("{prefix}.enable"), switch(to.is_some()))];
        assignments.extend(to.clone().map(|to| (format!("{prefix}.target"), to)));
        self.set(&assignments, Source::Api)?;
        let codes = &when.of(self.forwards_in_use()).codes;
        let code = match to {
            Some(to) if !codes.on.is_empty() => format!("{}{to}", codes.on),
            Some(_) => String::new(),
            None => codes.off.clone(),
        };
        self.tell_server_by(code, account);
        Ok(())
    }

    /// The forwards that the commands change: the phone's, or those of the account in use.
    pub(super) fn forwards_in_use(&self) -> &Forwards {
        let account = self.general.forward_rules.per_account.then(|| self.default_account());
        let line = account.and_then(|number| self.lines.line_ref(number));
        line.map_or(&self.general.own_forwards, |line| &line.settings.own_forwards)
    }

    /// Dials a code that tells the server of a switch; nothing where no code is set.
    fn tell_server(&mut self, code: String) {
        self.tell_server_by(code, None);
    }

    fn tell_server_by(&mut self, code: String, account: Option<u8>) {
        if code.is_empty() {
            return;
        }
        // A server that cannot be told now does not change what the phone itself does.
        if let Err(refused) = self.dial_with(&code, account, Purpose::Plain, Vec::new()) {
            self.desk.note(&format!("code {code} not dialled: {}", refused.message));
        }
    }

    /// Sets parameters, all or none.
    fn set(&mut self, assignments: &[(String, String)], source: Source) -> Result<(), Refused> {
        let mut settings: Settings = self.settings.clone();
        for (key, value) in assignments {
            settings.set(key, value, source).map_err(|fault| refused("set", key, fault))?;
        }
        self.hold(settings, assignments, source);
        self.tell_kept(assignments);
        Ok(())
    }

    /// Settings of which `assignments` are new hold from now on.
    pub(super) fn hold(&mut self, settings: Settings, assignments: &[(String, String)], source: Source) {
        let codes = anonymous_codes(&self.settings, &settings);
        for (key, value) in assignments {
            self.desk.keep(Change::Setting { key: key.clone(), value: Secret::new(value), source });
        }
        self.take_settings(settings);
        // Save & Apply on the page Provision fetches at once (deck, Triggering the Phone).
        let is_server = |key: &str| key.trim_start_matches("static.").starts_with("auto_provision.server.");
        if assignments.iter().any(|(key, _)| is_server(key)) && self.discover.has_sources(&self.desk.place) {
            self.discover.ask(self.desk.now, Reason::Page);
        }
        for (account, code) in codes {
            self.tell_server_by(code, Some(account));
        }
    }

    /// Tells of parameters that do nothing here that they are kept, and why.
    fn tell_kept(&mut self, assignments: &[(String, String)]) {
        for (name, _) in assignments {
            let Ok(value) = self.settings.get(name) else { continue };
            let about = self.settings.about(value.key());
            if about.kept.is_some() {
                let told = EventKind::Value {
                    key: value.key().to_string(),
                    value: value.shown().to_owned(),
                    source: value.source(),
                    about: Some(Box::new(about)),
                };
                self.desk.tell(told);
            }
        }
    }

    /// Tells a parameter and all about it, or the values of all whose names fit a pattern.
    fn get(&mut self, name: &str) -> Result<(), Refused> {
        let told = |value: Value<'_>, about| EventKind::Value {
            key: value.key().to_string(),
            value: value.shown().to_owned(),
            source: value.source(),
            about,
        };
        if name.contains('*') {
            let values: Vec<_> = self.settings.matching(name).map(|value| told(value, None)).collect();
            if values.is_empty() {
                return Err(Refused::new(format!("no parameter fits {name}"), &["get account.1.*", "get *"]));
            }
            values.into_iter().for_each(|value| self.desk.tell(value));
            return Ok(());
        }
        let value = self.settings.get(name).map_err(|fault| refused("get", name, fault))?;
        let about = Box::new(self.settings.about(value.key()));
        let told = told(value, Some(about));
        self.desk.tell(told);
        Ok(())
    }

    fn is_live(&self, number: CallNumber) -> bool {
        self.calls.live().any(|(live, _)| live == number)
    }

    fn no_such_call(&self, command: &str, number: CallNumber) -> Refused {
        let live = self.calls.live().map(|(number, _)| format!("{command} {number}")).collect();
        Refused { message: format!("there is no call {number}"), possible: live }
    }

    fn ringing_call(&self, wanted: Option<CallNumber>) -> Result<CallNumber, Refused> {
        let ringing: Vec<_> = self
            .calls
            .live()
            .filter(|(_, call)| call.phase == Phase::Ringing)
            .map(|(number, _)| number)
            .collect();
        let number = wanted.or(ringing.first().copied()).filter(|number| ringing.contains(number));
        let possible = ringing.iter().map(|number| format!("answer {number}")).collect();
        number.ok_or_else(|| Refused { message: "nothing rings here".into(), possible })
    }

    fn standing_call(&self) -> Result<CallNumber, Refused> {
        let up = |number: &CallNumber| {
            self.calls.table.get(number).is_some_and(|call| call.is_up() || call.phase == Phase::Ringback)
        };
        let number = self.calls.focus().filter(up);
        number.ok_or_else(|| Refused::new("there is no call that stands", &["dial NUMBER", "answer"]))
    }
}

/// Why a parameter is not set or told, with the values that it takes or the name that may be meant.
fn refused(command: &str, name: &str, fault: Fault) -> Refused {
    let near = nearest_key(name);
    let values = name.parse::<Key>().map(|key| key.row().kind.values()).unwrap_or_default();
    let possible = match fault.kind {
        FaultKind::BadValue => values.into_iter().map(|value| format!("{command} {name} {value}")).collect(),
        _ if command == "set" => near.iter().map(|near| format!("{command} {near} VALUE")).collect(),
        _ => near.iter().map(|near| format!("{command} {near}")).collect(),
    };
    // What a file's reader is told of lines that are passed over does not help whoever typed the name.
    let message =
        if fault.kind == FaultKind::UnknownKey && near.is_none() { fault.message } else { fault.to_string() };
    Refused { message, possible }
}

/// The codes that tell servers of anonymous calls, and of their rejection, that were switched on or off.
fn anonymous_codes(before: &Settings, after: &Settings) -> Vec<(u8, String)> {
    let switched = |before: &Switch, after: &Switch, told: bool| {
        let code = if after.enabled { &after.codes.on } else { &after.codes.off };
        (told && before.enabled != after.enabled).then(|| code.clone())
    };
    let pairs = AccountSettings::read_all(before).into_iter().zip(AccountSettings::read_all(after));
    let codes = pairs.flat_map(|(before, after)| {
        let (before, number, after) = (before.anonymous, after.number, after.anonymous);
        let call = switched(&before.call, &after.call, after.send_call_codes);
        let reject = switched(&before.reject, &after.reject, after.send_reject_codes);
        call.into_iter().chain(reject).map(move |code| (number, code))
    });
    codes.collect()
}

fn switch(on: bool) -> String {
    if on { "1" } else { "0" }.to_owned()
}
