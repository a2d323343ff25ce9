//! Lamps: what each line key shows, and the subscriptions that tell it (deck, BLF).

use std::collections::VecDeque;

use proto::Time;
use proto::event::dialog_info::{self, Applied, DialogInfo, LampState, Watch};
use proto::event::mwi::{self, MessageSummary};
use proto::sip::dialog::Dialog;
use proto::sip::endpoint::{ClientId, ServerId};
use proto::sip::header::Termination;
use proto::sip::message::Message;
use proto::sip::usage::Wait;
use proto::sip::usage::subscribe::{Config, Event, Subscription};

use super::accounts::Line;
use super::desk::{Desk, Owner};
use super::event::EventKind;
use super::facts::Phase;
use super::lamp::{Colour, Lamp, Meaning, Rhythm};
use super::{Phone, Why};
use crate::settings::{KeyKind, KeySettings};

/// A line key that is set to something.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) settings: KeySettings,
    pub(super) lamp: Option<Lamp>,
    pub(super) watched: Option<Box<Watched>>,
}

/// A watched extension.
#[derive(Debug)]
pub(super) struct Watched {
    subscription: Subscription,
    pub(super) watch: Watch,
    refused: bool,
    /// The server that was asked; `None` before the first.
    way: Option<usize>,
}

/// The most subscriptions that were ended lately and whose last NOTIFY is still awaited.
const MAX_ENDED: usize = 64;

/// Dialogs of subscriptions that this phone has ended: Call-ID and own tag, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Ended(VecDeque<(String, String)>);

impl Ended {
    fn add(&mut self, dialog: &Dialog) {
        self.0.push_back((dialog.call_id.clone(), dialog.local.tag.clone()));
        let surplus = self.0.len().saturating_sub(MAX_ENDED);
        self.0.drain(..surplus);
    }

    /// Whether a NOTIFY belongs to one of them (RFC 6665 §4.1.2.3).
    pub(super) fn has(&self, notify: &Message<'_>) -> bool {
        self.0.iter().any(|(call_id, tag)| call_id == notify.call_id() && tag == notify.to_tag())
    }
}

/// The waiting messages of an account.
#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) account: u8,
    pub(super) new: u32,
    pub(super) old: u32,
    subscription: Option<Box<Subscription>>,
    /// The server that was asked; `None` before the first.
    way: Option<usize>,
}

impl Mailbox {
    /// The server is to be asked anew.
    pub(super) fn ask_again(&mut self) {
        (self.subscription, self.way) = (None, None);
    }
}

impl Key {
    pub(super) fn new(settings: KeySettings) -> Self {
        Self { settings, lamp: None, watched: None }
    }

    pub(super) fn next_deadline(&self) -> Option<(Time, Why)> {
        let (at, why) = self.watched.as_ref()?.subscription.next_deadline()?;
        Some((at, Why::Lamp(why)))
    }

    /// Who is called by whom, for the screen: `7007 <- 7001`.
    fn alert(&self) -> Option<String> {
        let LampState::Ringing { caller, .. } = self.state() else { return None };
        let caller = caller.and_then(|caller| caller.display.or(caller.identity)).unwrap_or_default();
        Some(format!("{} <- {caller}", self.settings.value))
    }

    /// What is known of the watched party.
    pub(super) fn state(&self) -> LampState {
        self.watched.as_ref().map(|watched| watched.watch.lamp()).unwrap_or_default()
    }
}

impl Watched {
    fn new(key: &KeySettings, line: &Line, desk: &mut Desk) -> Self {
        let settings = &line.settings.blf;
        let config = Config {
            resource: line.address_of(&key.value),
            identity: line.party(),
            event: "dialog",
            accept: dialog_info::MEDIA_TYPE,
            expires_s: settings.expires_s,
            retry_s: settings.retry_interval_s.max(1),
            refresh_early_s: settings.refresh_lead_s,
        };
        let host = settings.match_host.then(|| line.settings.home().to_owned());
        let subscription = Subscription::new(config, desk.rng.hex(24), desk.rng.hex(8));
        let watch = Watch::new(&key.value, host.as_deref());
        Self { subscription, watch, refused: false, way: None }
    }

    fn on_event(&mut self, desk: &mut Desk, line: &mut Line, key: &KeySettings, event: Event) {
        match event {
            Event::Accepted => self.refused = false,
            Event::Notified { body } => match DialogInfo::parse_with_flaws(&body) {
                Ok((info, flawed)) => {
                    if flawed > 0 {
                        desk.note(&format!(
                            "BLF {}: {flawed} dialogs without a known state are left out",
                            key.value
                        ));
                    }
                    self.refused = false;
                    if self.watch.apply(&info) == Applied::NeedRefresh {
                        self.subscription.refresh(&mut line.context(desk, Owner::Key(key.number)));
                    }
                }
                Err(error) => desk.note(&format!("BLF {}: {error}", key.value)),
            },
            Event::Failed { status, reason, termination, retry } => {
                self.refused =
                    status.is_some_and(|status| status < 500) || termination == Some(Termination::Rejected);
                self.watch.reset();
                let status = status.map(|status| format!("{status} ")).unwrap_or_default();
                desk.note(&format!("BLF {} Fail, {status}{reason}", key.value));
                note_too_long(desk, &format!("BLF {}", key.value), retry);
            }
            Event::Raised { reason, expires_s } => {
                desk.note(&format!("BLF {} Fail, 423 {reason}, again with {expires_s}s", key.value));
            }
            Event::Forgotten { reason } => {
                desk.note(&format!("BLF {} Fail, 481 {reason}, subscribing anew", key.value));
            }
            Event::Ended => self.watch.reset(),
        }
    }
}

/// Tells that a server wants to keep the phone away for too long.
fn note_too_long(desk: &mut Desk, what: &str, retry: Option<Wait>) {
    if let Some(Wait { seconds, asked_s: Some(asked_s) }) = retry {
        desk.warn(&format!("{what} Retry-After of {asked_s}s is too long, waiting {seconds}s"));
    }
}

impl Mailbox {
    pub(super) fn new(account: u8) -> Self {
        Self { account, new: 0, old: 0, subscription: None, way: None }
    }

    /// Takes a body; how many new messages there are where there are more than before.
    fn take(&mut self, desk: &mut Desk, body: &[u8]) -> Option<u32> {
        let Ok(summary) = MessageSummary::parse(body) else {
            desk.note("a message summary that cannot be read");
            return None;
        };
        let counts = summary.voice().unwrap_or_default();
        // Servers that tell no numbers still tell whether there is something.
        let new = if summary.waiting { counts.new.max(1) } else { 0 };
        let more = (new > self.new).then_some(new);
        if (self.new, self.old) != (new, counts.old) {
            (self.new, self.old) = (new, counts.old);
            desk.tell(EventKind::Messages { account: self.account, new, old: counts.old });
        }
        more
    }
}

impl Phone {
    /// Begins the subscriptions whose account is registered and whose key or mailbox asks for one.
    pub(super) fn settle_subscriptions(&mut self) {
        for at in 0..self.keys.len() {
            let key = &mut self.keys[at];
            let wanted = key.settings.kind == KeyKind::Blf && !key.settings.value.is_empty();
            let Some(account) = self.lines.account(key.settings.account).filter(|_| wanted) else { continue };
            let line = &mut account.line;
            // After a failover the new server has to be asked.
            let asked = key.watched.as_ref().is_some_and(|watched| watched.way == Some(line.way));
            if asked || !account.state.is_registered() {
                continue;
            }
            let mut watched = Watched::new(&key.settings, line, &mut self.desk);
            let targets = line.targets();
            watched.way = Some(line.way);
            let mut context = line.context(&mut self.desk, Owner::Key(key.settings.number));
            watched.subscription.start(&mut context, targets);
            key.watched = Some(Box::new(watched));
        }
        self.settle_mailboxes();
    }

    fn settle_mailboxes(&mut self) {
        let (lines, desk) = (&mut self.lines, &mut self.desk);
        for account in lines.accounts.iter_mut().filter(|it| it.state.is_registered()) {
            let (number, settings) = (account.number(), account.line.settings.mwi.clone());
            if !settings.subscribe {
                continue;
            }
            if !self.mailboxes.iter().any(|mailbox| mailbox.account == number) {
                self.mailboxes.push(Mailbox::new(number));
            }
            let mailbox = self
                .mailboxes
                .iter_mut()
                .find(|mailbox| mailbox.account == number && mailbox.way != Some(account.line.way));
            let Some(mailbox) = mailbox else { continue };
            let line = &mut account.line;
            let own = line.address_of_record();
            let voice_mail = Some(&settings.voice_mail).filter(|it| settings.at_voice_mail && !it.is_empty());
            let config = Config {
                resource: voice_mail.map_or(own, |number| line.address_of(number)),
                identity: line.party(),
                event: "message-summary",
                accept: mwi::MEDIA_TYPE,
                expires_s: settings.expires_s.max(60),
                retry_s: line.settings.blf.retry_interval_s.max(1),
                refresh_early_s: line.settings.blf.refresh_lead_s,
            };
            let mut subscription = Subscription::new(config, desk.rng.hex(24), desk.rng.hex(8));
            let targets = line.targets();
            subscription.start(&mut line.context(desk, Owner::Messages(number)), targets);
            (mailbox.subscription, mailbox.way) = (Some(Box::new(subscription)), Some(line.way));
        }
    }

    /// Runs one turn of a key's subscription.
    fn with_key(
        &mut self,
        number: u8,
        turn: impl FnOnce(&mut Subscription, &mut Line, &mut Desk) -> Option<Event>,
    ) {
        let Some(key) = self.keys.iter_mut().find(|key| key.settings.number == number) else { return };
        let Some(line) = self.lines.line(key.settings.account) else { return };
        let Some(watched) = key.watched.as_deref_mut() else { return };
        let before = watched.subscription.dialog().call_id.clone();
        let event = turn(&mut watched.subscription, line, &mut self.desk);
        if watched.subscription.dialog().call_id != before {
            // A subscription in a new dialog counts its versions anew.
            watched.watch.reset();
        }
        if let Some(event) = event {
            watched.on_event(&mut self.desk, line, &key.settings, event);
        }
    }

    fn with_mailbox(
        &mut self,
        account: u8,
        turn: impl FnOnce(&mut Subscription, &mut Line, &mut Desk) -> Option<Event>,
    ) {
        let Some(mailbox) = self.mailboxes.iter_mut().find(|mailbox| mailbox.account == account) else {
            return;
        };
        let Some(line) = self.lines.line(account) else { return };
        let Some(subscription) = mailbox.subscription.as_deref_mut() else { return };
        match turn(subscription, line, &mut self.desk) {
            Some(Event::Notified { body }) => {
                let more = mailbox.take(&mut self.desk, &body);
                self.show_messages(more);
            }
            Some(Event::Failed { status, reason, retry, .. }) => {
                let status = status.map(|status| format!("{status} ")).unwrap_or_default();
                self.desk.note(&format!("MWI Fail, {status}{reason}"));
                note_too_long(&mut self.desk, "MWI", retry);
            }
            _ => {}
        }
    }

    /// An answer to a SUBSCRIBE.
    pub(super) fn on_subscription_response(&mut self, owner: Owner, id: ClientId, response: &Message<'_>) {
        match owner {
            Owner::Key(number) => self.with_key(number, |subscription, line, desk| {
                subscription.on_response(&mut line.context(desk, owner), id, response)
            }),
            Owner::Messages(account) => self.with_mailbox(account, |subscription, line, desk| {
                subscription.on_response(&mut line.context(desk, owner), id, response)
            }),
            _ => {}
        }
    }

    /// A SUBSCRIBE that was not answered.
    pub(super) fn on_subscription_failed(&mut self, owner: Owner, id: ClientId) {
        match owner {
            Owner::Key(number) => self.with_key(number, |subscription, line, desk| {
                subscription.on_request_failed(&mut line.context(desk, owner), id)
            }),
            Owner::Messages(account) => self.with_mailbox(account, |subscription, line, desk| {
                subscription.on_request_failed(&mut line.context(desk, owner), id)
            }),
            _ => {}
        }
    }

    /// Whose subscription a NOTIFY belongs to.
    pub(super) fn subscriber_of(&self, request: &Message<'_>) -> Option<Owner> {
        let owns = |subscription: &Subscription| subscription.owns_notify(request);
        let key = self.keys.iter().find(|key| key.watched.as_ref().is_some_and(|it| owns(&it.subscription)));
        let mut boxes = self.mailboxes.iter();
        let mailbox = boxes.find(|mailbox| mailbox.subscription.as_ref().is_some_and(|it| owns(it)));
        let key = key.map(|key| Owner::Key(key.settings.number));
        key.or_else(|| mailbox.map(|mailbox| Owner::Messages(mailbox.account)))
    }

    /// A NOTIFY of one of our subscriptions.
    pub(super) fn on_notify(&mut self, owner: Owner, id: ServerId, request: &Message<'_>) {
        match owner {
            Owner::Key(number) => self.with_key(number, |subscription, line, desk| {
                subscription.on_notify(&mut line.context(desk, owner), id, request)
            }),
            Owner::Messages(account) => self.with_mailbox(account, |subscription, line, desk| {
                subscription.on_notify(&mut line.context(desk, owner), id, request)
            }),
            _ => {}
        }
    }

    /// Waiting messages that nobody subscribed to; many servers tell them all the same.
    pub(super) fn on_unasked_messages(&mut self, account: u8, body: &[u8]) {
        let at = self.mailboxes.iter().position(|mailbox| mailbox.account == account);
        let at = at.unwrap_or_else(|| {
            self.mailboxes.push(Mailbox::new(account));
            self.mailboxes.len() - 1
        });
        let more = self.mailboxes[at].take(&mut self.desk, body);
        self.show_messages(more);
    }

    fn show_messages(&mut self, more: Option<u32>) {
        if let Some(new) = more.filter(|_| self.general.popups.messages) {
            self.show(if new == 1 { "1 new message".to_owned() } else { format!("{new} new messages") });
        }
    }

    /// A dialog body that nobody subscribed to, where the settings allow one to set a lamp. Whether it
    /// was about a key.
    pub(super) fn on_unasked_dialogs(&mut self, account: u8, body: &[u8]) -> bool {
        let allowed = self.lines.line_ref(account).is_some_and(|line| line.settings.blf.out_of_dialog);
        let Ok(info) = DialogInfo::parse(body) else { return false };
        let keys = self.keys.iter_mut().filter(|key| allowed && key.settings.account == account);
        let watches = keys.filter_map(|key| key.watched.as_mut());
        watches
            .map(|watched| watched.watch.apply(&info) == Applied::Taken)
            .fold(false, |any, taken| any | taken)
    }

    /// Does what is due in subscriptions.
    pub(super) fn advance_subscriptions(&mut self) {
        let now = self.desk.now;
        let due = |subscription: &Subscription| subscription.next_deadline().is_some_and(|(at, _)| at <= now);
        let keys: Vec<_> = self
            .keys
            .iter()
            .filter(|key| key.watched.as_ref().is_some_and(|it| due(&it.subscription)))
            .map(|key| key.settings.number)
            .collect();
        for number in keys {
            self.with_key(number, |subscription, line, desk| {
                subscription.on_deadline(&mut line.context(desk, Owner::Key(number)))
            });
        }
        let boxes: Vec<_> = self
            .mailboxes
            .iter()
            .filter(|mailbox| mailbox.subscription.as_ref().is_some_and(|it| due(it)))
            .map(|mailbox| mailbox.account)
            .collect();
        for account in boxes {
            self.with_mailbox(account, |subscription, line, desk| {
                subscription.on_deadline(&mut line.context(desk, Owner::Messages(account)))
            });
        }
    }

    /// The phone's address has changed: every server is told where to send its NOTIFYs (RFC 6665 §4.4.1).
    pub(super) fn move_subscriptions(&mut self) {
        let keys: Vec<_> = self.keys.iter().map(|key| key.settings.number).collect();
        for number in keys {
            self.with_key(number, |subscription, line, desk| {
                subscription.refresh(&mut line.context(desk, Owner::Key(number)));
                None
            });
        }
        let accounts: Vec<_> = self.mailboxes.iter().map(|mailbox| mailbox.account).collect();
        for account in accounts {
            self.with_mailbox(account, |subscription, line, desk| {
                subscription.refresh(&mut line.context(desk, Owner::Messages(account)));
                None
            });
        }
    }

    /// When a subscription wants to be woken, and why.
    pub(super) fn next_subscription_deadline(&self) -> Option<(Time, Why)> {
        let boxes =
            self.mailboxes.iter().filter_map(|mailbox| mailbox.subscription.as_ref()?.next_deadline());
        let boxes = boxes.map(|(at, why)| (at, Why::Messages(why)));
        self.keys.iter().filter_map(Key::next_deadline).chain(boxes).min()
    }

    /// Ends the subscriptions whose key is set to something else, or all.
    pub(super) fn end_subscriptions(&mut self) {
        for at in 0..self.keys.len() {
            self.end_key(at);
        }
        for mailbox in &mut self.mailboxes {
            let Some(line) = self.lines.line(mailbox.account) else { continue };
            if let Some(subscription) = &mut mailbox.subscription {
                self.ended.add(subscription.dialog());
                subscription.stop(&mut line.context(&mut self.desk, Owner::Messages(mailbox.account)));
            }
        }
    }

    pub(super) fn end_key(&mut self, at: usize) {
        let Some(key) = self.keys.get_mut(at) else { return };
        let Some(line) = self.lines.line(key.settings.account) else { return };
        if let Some(watched) = &mut key.watched {
            let owner = Owner::Key(key.settings.number);
            self.ended.add(watched.subscription.dialog());
            watched.subscription.stop(&mut line.context(&mut self.desk, owner));
        }
    }

    /// Whether a watched extension rings whose key is to be heard.
    pub(super) fn a_watched_party_is_heard(&self) -> bool {
        let heard = &self.general.blf_alert.heard;
        self.keys.iter().any(|key| {
            heard.holds_for(key.settings.number) && matches!(key.state(), LampState::Ringing { .. })
        })
    }

    /// Tells each lamp that has changed.
    pub(super) fn settle_lamps(&mut self) {
        for at in 0..self.keys.len() {
            let lamp = self.lamp_of(&self.keys[at]);
            let key = &mut self.keys[at];
            if key.lamp.replace(lamp) != Some(lamp) {
                let shown = &self.general.blf_alert.shown;
                let alert = shown.holds_for(key.settings.number) && lamp.meaning == Meaning::Ringing;
                let shown = key.alert().filter(|_| alert);
                let Lamp { colour, rhythm, meaning } = lamp;
                self.desk.tell(EventKind::Lamp { key: key.settings.number, colour, rhythm, meaning });
                if let Some(shown) = shown {
                    self.show(shown);
                }
            }
        }
    }

    fn lamp_of(&self, key: &Key) -> Lamp {
        let settings = &key.settings;
        let complete = !settings.value.is_empty();
        let account = self.lines.accounts.iter().find(|account| account.number() == settings.account);
        match settings.kind {
            KeyKind::Line => account.map_or(Lamp::INCOMPLETE, |account| {
                self.lamp_of_line(settings.account, account.state.is_registered())
            }),
            KeyKind::Blf if !complete || account.is_none() => Lamp::INCOMPLETE,
            KeyKind::Blf => {
                let registered = key.watched.as_ref().and_then(|watched| watched.watch.registered());
                let refused = key.watched.as_ref().is_some_and(|watched| watched.refused);
                Lamp::of_watched(&key.state(), registered, refused)
            }
            KeyKind::SpeedDial | KeyKind::Intercom | KeyKind::DirectedPickup if !complete => Lamp::INCOMPLETE,
            KeyKind::Dnd => Lamp::of_switch(self.general.dnd.enabled),
            KeyKind::Forward => Lamp::of_switch(self.general.own_forwards.always.enabled),
            KeyKind::VoiceMail => {
                let own = |mailbox: &Mailbox| mailbox.account == settings.account && mailbox.new > 0;
                let waiting = self.mailboxes.iter().any(own);
                let lit = Lamp::new(Colour::Red, Rhythm::FlashingSlow, Meaning::Busy);
                if waiting { lit } else { Lamp::dark(Meaning::Idle) }
            }
            _ => Lamp::dark(Meaning::Idle),
        }
    }

    /// A line's own lamp; red where it is not registered (deck, Account Registration).
    fn lamp_of_line(&self, account: u8, registered: bool) -> Lamp {
        let mut calls =
            self.calls.live().map(|(_, call)| call).filter(|call| call.account == account).peekable();
        if calls.peek().is_none() {
            let unregistered = Lamp::new(Colour::Red, Rhythm::Steady, Meaning::Unregistered);
            return if registered { Lamp::dark(Meaning::Idle) } else { unregistered };
        }
        let mut lamp = Lamp::new(Colour::Green, Rhythm::FlashingSlow, Meaning::Held);
        for call in calls {
            if call.phase == Phase::Ringing {
                return Lamp::new(Colour::Green, Rhythm::Flashing, Meaning::Ringing);
            }
            if !call.hold.is_on() {
                lamp = Lamp::new(Colour::Green, Rhythm::Steady, Meaning::Busy);
            }
        }
        lamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lamps_of_the_deck() {
        let check = |state: LampState, colour, rhythm, meaning| {
            assert_eq!(Lamp::of_watched(&state, None, false), Lamp::new(colour, rhythm, meaning));
        };
        check(LampState::Idle, Colour::Green, Rhythm::Steady, Meaning::Idle);
        let ringing = LampState::Ringing { caller: None, pickup: None };
        check(ringing, Colour::Red, Rhythm::Flashing, Meaning::Ringing);
        check(LampState::Busy, Colour::Red, Rhythm::Steady, Meaning::Busy);
        check(LampState::Parked, Colour::Red, Rhythm::FlashingSlow, Meaning::Parked);
        check(LampState::Unknown, Colour::Off, Rhythm::Off, Meaning::Unknown);
        let refused = Lamp::of_watched(&LampState::Idle, None, true);
        assert_eq!(refused, Lamp::new(Colour::Grey, Rhythm::Steady, Meaning::Refused));
    }
}
