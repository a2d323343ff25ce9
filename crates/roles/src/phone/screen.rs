//! What the screen shows, gathered from accounts, calls and keys.

use super::Phone;
use super::calls::Conversation;
use super::event::EventKind;
use super::facts::{AccountState, CallNumber, Phase};
use super::view::*;
use crate::settings::KeyKind;

impl Phone {
    /// What a screen would show now.
    pub fn view(&self) -> View {
        let Shown { screen, title, message, calls, missed, messages, dnd, forwards, account: _ } =
            self.shown();
        View {
            screen,
            title,
            message,
            accounts: self.account_views(),
            calls,
            keys: self.key_views(),
            soft_keys: self.soft_keys(),
            missed,
            messages,
            dnd,
            forwards,
            network: NetworkView {
                ip: self.desk.place.ip().to_string(),
                mac: self.desk.place.mac_text(),
                model: self.settings.model().name,
                version: self.desk.place.version.to_string(),
            },
        }
    }

    /// Tells what the screen shows where that has changed.
    pub(super) fn settle_screen(&mut self) {
        let shown = self.shown();
        if *self.on_screen != shown {
            *self.on_screen = shown.clone();
            let soft_keys = self.soft_keys();
            self.desk.tell(EventKind::Screen { shown: Box::new(shown), soft_keys });
        }
    }

    /// The numbers that keys know by name.
    pub(super) fn directory(&self) -> Vec<Contact> {
        let calls =
            |view: &KeyView| matches!(view.kind, KeyKind::Blf | KeyKind::SpeedDial | KeyKind::Intercom);
        let account = |key: u8| self.keys.iter().find(|it| it.settings.number == key);
        let views = self.key_views().into_iter().filter(|view| calls(view) && !view.value.is_empty());
        let contact = |KeyView { key, label, value, .. }: KeyView| Contact {
            name: label,
            number: value,
            account: account(key).map_or(0, |key| key.settings.account),
            key,
        };
        views.map(contact).collect()
    }

    fn shown(&self) -> Shown {
        let forwards = &self.general.own_forwards;
        let named =
            [("always", &forwards.always), ("busy", &forwards.busy), ("no-answer", &forwards.no_answer)];
        let active = named.into_iter().filter_map(|(name, it)| Some(format!("{name} {}", it.active()?)));
        Shown {
            screen: self.screen(),
            title: self.title(),
            message: self.message.as_ref().map(|(text, _)| text.clone()).or_else(|| self.registering()),
            account: if self.lines.accounts.is_empty() { 0 } else { self.default_account() },
            calls: self.calls.live().map(|(number, call)| self.call_view(number, call)).collect(),
            missed: self.history.missed,
            messages: self.mailboxes.iter().map(|mailbox| mailbox.new).sum(),
            dnd: self.general.dnd.enabled,
            forwards: active.collect(),
        }
    }

    /// The lines of the phone's log, oldest first.
    pub fn log(&self) -> impl Iterator<Item = &str> {
        self.desk.log.lines()
    }

    /// The lines of the exception log, oldest first (deck, Exception Syslog).
    pub fn exceptions(&self) -> impl Iterator<Item = &str> {
        self.desk.log.faults()
    }

    fn screen(&self) -> Screen {
        if self.calls.ringing().is_some() {
            return Screen::Ringing;
        }
        let Some(call) = self.calls.focus().and_then(|number| self.calls.table.get(&number)) else {
            return Screen::Idle;
        };
        let transferring = self.calls.live().any(|(_, call)| call.is_being_transferred());
        match call.phase {
            _ if transferring => Screen::Transferring,
            _ if self.calls.conference.is_some() => Screen::Conference,
            _ if call.is_consultation() => Screen::Consulting,
            Phase::Dialling | Phase::Calling => Screen::Dialling,
            Phase::Ringback => Screen::Ringback,
            _ if call.hold.is_on() => Screen::Held,
            _ => Screen::Talking,
        }
    }

    fn title(&self) -> String {
        let mut accounts = self.lines.accounts.iter();
        let default = self.default_account();
        match accounts.clone().find(|it| it.number() == default && it.state.is_registered()) {
            Some(account) => account.line.settings.label.clone(),
            None if accounts.any(|account| account.state.is_registered()) => String::new(),
            None => "No Account".to_owned(),
        }
    }

    fn registering(&self) -> Option<String> {
        let busy = |state: &AccountState| matches!(state, AccountState::Registering | AccountState::Locating);
        let any = self.lines.accounts.iter().any(|account| busy(&account.state));
        any.then(|| "Registering".to_owned())
    }

    fn account_views(&self) -> Vec<AccountView> {
        let default = self.default_account();
        let view = |account: &super::accounts::Account| {
            let way = account.line.ways.get(account.line.way);
            AccountView {
                account: account.number(),
                label: account.line.settings.label.clone(),
                number: account.line.settings.user.clone(),
                state: account.state.clone(),
                server: way.map(|way| way.host.to_string()).unwrap_or_default(),
                default: account.number() == default,
            }
        };
        self.lines.accounts.iter().map(view).collect()
    }

    fn call_view(&self, number: CallNumber, call: &Conversation) -> CallView {
        let agreed = call.sound.as_ref().and_then(|sound| sound.talk.agreed());
        CallView {
            call: number,
            account: call.account,
            peer: call.peer.number.clone(),
            name: call.peer.name.clone(),
            outgoing: call.outgoing,
            phase: call.phase,
            held: call.hold.is_on(),
            remote_held: call.hold.is_remote(),
            conference: self.calls.conference.is_some_and(|(a, b)| a == number || b == number),
            codec: agreed.map(|agreed| agreed.codec.to_string()),
            secure: agreed.is_some_and(|agreed| agreed.srtp.is_some()),
            answered_at_ms: call.answered_at.map(proto::Time::as_millis),
            diverted_from: call.diverted_from.clone(),
            called: call.called.clone(),
            transferring: call.is_being_transferred(),
            consulting: call.is_consultation(),
        }
    }

    fn key_views(&self) -> Vec<KeyView> {
        let label = |key: &super::lamps::Key| {
            let account = self.lines.accounts.iter().find(|it| it.number() == key.settings.account);
            let line = account.filter(|_| key.settings.kind == KeyKind::Line);
            let own = line.map_or(&key.settings.value, |account| &account.line.settings.label);
            if key.settings.label.is_empty() { own.clone() } else { key.settings.label.clone() }
        };
        let view = |key: &super::lamps::Key| KeyView {
            key: key.settings.number,
            kind: key.settings.kind,
            label: label(key),
            value: key.settings.value.clone(),
            lamp: key.lamp.unwrap_or_default(),
        };
        self.keys.iter().map(view).collect()
    }

    /// The soft keys of the page that is shown (deck, SIP Call).
    fn soft_keys(&self) -> Vec<SoftKey> {
        const END: (&str, &str) = ("EndCall", "hangup");
        let dnd = if self.general.dnd.enabled { "dnd off" } else { "dnd on" };
        let keys: &[(&'static str, &str)] = match self.screen() {
            Screen::Idle => {
                &[("History", "history"), ("Dir", "directory"), ("DND", dnd), ("Redial", "redial")]
            }
            Screen::Ringing => &[("Answer", "answer"), ("Forward", "transfer "), ("Reject", "reject")],
            Screen::Dialling | Screen::Ringback | Screen::Transferring => &[END],
            Screen::Talking => &[
                ("Transfer", "consult "),
                ("BTransfer", "transfer "),
                ("Hold", "hold"),
                ("Conf", "conference"),
                END,
            ],
            Screen::Held => &[("Resume", "resume"), ("NewCall", "dial "), ("Conf", "conference"), END],
            Screen::Consulting => &[("Transfer", "complete"), ("Conf", "conference"), END],
            Screen::Conference => &[("Split", "split"), ("Hold", "hold"), END],
        };
        keys.iter().map(|(name, command)| SoftKey { name, command: (*command).to_owned() }).collect()
    }
}
