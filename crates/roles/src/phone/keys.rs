//! Line keys: a press does what a person expects at that moment (deck, BLF; Phone, Line Key).

use proto::event::dialog_info::{Caller, LampState};
use proto::sip::message::Name;

use super::calls::{Peer, Purpose, shown};
use super::command::{CommandKind, ForwardWhen, pressed};
use super::facts::{CallNumber, Phase};
use super::{Phone, Refused};
use crate::settings::{KeyKind, KeySettings, TransferByKey};

/// The deck's code for a call that rings at an extension.
const USUAL_PICKUP_CODE: &str = "*04";

impl Phone {
    /// Presses line key `number`, from 1.
    ///
    /// # Errors
    /// Where the key does nothing now, and what would.
    pub(super) fn press(&mut self, number: u8) -> Result<(), Refused> {
        let key = self.keys.iter().find(|key| key.settings.number == number);
        let Some((key, state)) = key.map(|key| (key.settings.clone(), key.state())) else {
            let used = self.keys.iter().map(|key| format!("key {}", key.settings.number)).collect();
            return Err(Refused { message: format!("key {number} is set to nothing"), possible: used });
        };
        let call = self.calls.focus();
        match key.kind {
            KeyKind::Line => self.press_line(key.account),
            KeyKind::Blf => self.press_watched(&key, state),
            KeyKind::SpeedDial => self.dial_by_key(&key, &key.value.clone()),
            KeyKind::Intercom => self.intercom(&key),
            KeyKind::Transfer if self.is_consulting() => self.obey(CommandKind::Complete),
            KeyKind::Transfer if key.value.is_empty() => {
                Err(Refused::new("say whom to transfer to", &["transfer NUMBER", "consult NUMBER"]))
            }
            KeyKind::Transfer if self.general.transfer.by_key == TransferByKey::Attended => {
                self.consult(&key.value)
            }
            KeyKind::Transfer => self.transfer(&key.value),
            KeyKind::Conference => self.obey(CommandKind::Conference),
            KeyKind::Hold if call.is_some_and(|call| self.is_held(call)) => {
                self.obey(CommandKind::Resume(None))
            }
            KeyKind::Hold => self.obey(CommandKind::Hold),
            KeyKind::Dnd => self.obey(CommandKind::Dnd(!self.general.dnd.enabled)),
            KeyKind::Forward => self.press_forward(&key),
            KeyKind::Redial => self.obey(CommandKind::Redial),
            KeyKind::CallReturn => self.call_return(),
            KeyKind::DirectedPickup => self.pick_up(&key, &key.value.clone()),
            KeyKind::GroupPickup => self.group_pickup(&key),
            KeyKind::Dtmf => match pressed(&key.value) {
                Some(digits) => self.obey(CommandKind::Dtmf(digits)),
                None => Err(without_number(&key)),
            },
            KeyKind::VoiceMail => self.voice_mail(&key),
            KeyKind::CallPark => self.park(&key),
            KeyKind::RetrievePark => match format!("{}{}", self.general.park.retrieve_code, key.value) {
                number if number.is_empty() => Err(without_number(&key)),
                number => self.dial_plainly(&key, number),
            },
            KeyKind::History => self.obey(CommandKind::History),
            KeyKind::Directory => self.obey(CommandKind::Directory),
            KeyKind::Status => self.obey(CommandKind::Status),
            KeyKind::AccountUp => self.choose_account(-1),
            KeyKind::AccountDown => self.choose_account(1),
            KeyKind::None | KeyKind::Other(_) => {
                let why = key.kind.why_not().unwrap_or("it is set to nothing");
                Err(Refused::new(
                    format!("key {number} does nothing here: {why}"),
                    &["set linekey.N.type TYPE"],
                ))
            }
        }
    }

    fn is_held(&self, number: CallNumber) -> bool {
        self.calls.table.get(&number).is_some_and(|call| call.hold.is_on())
    }

    /// A line's own key: answers its call, resumes its held one, else makes it the line to dial by.
    fn press_line(&mut self, account: u8) -> Result<(), Refused> {
        let own = |wanted: &dyn Fn(&super::calls::Conversation) -> bool| {
            let mut calls = self.calls.live();
            calls.find(|(_, call)| call.account == account && wanted(call)).map(|(number, _)| number)
        };
        let ringing = own(&|call| call.phase == Phase::Ringing);
        let held = own(&|call| call.is_up() && call.hold.is_on());
        let talking = own(&|call| call.is_up() && !call.hold.is_on());
        match (ringing, held, talking) {
            (Some(call), _, _) => self.obey(CommandKind::Answer(Some(call))),
            (None, _, Some(_)) => self.obey(CommandKind::Hold),
            (None, Some(call), None) => self.obey(CommandKind::Resume(Some(call))),
            (None, None, None) if self.lines.line_ref(account).is_none() => {
                Err(Refused::new(format!("account {account} is not set up"), &["set account.N.enable 1"]))
            }
            (None, None, None) => {
                self.chosen_account = Some(account);
                let settings = self.lines.line_ref(account).map(|line| &line.settings);
                let hotline =
                    settings.and_then(|settings| self.general.hotline_of(settings)).map(str::to_owned);
                match hotline {
                    Some(number) => self.dial(&number, Some(account), Purpose::Plain).map(|_| ()),
                    None => Ok(()),
                }
            }
        }
    }

    fn press_watched(&mut self, key: &KeySettings, state: LampState) -> Result<(), Refused> {
        match state {
            LampState::Ringing { pickup, .. } => {
                let by_replaces =
                    self.lines.line_ref(key.account).is_some_and(|line| line.settings.pickup.by_dialog_info);
                match pickup.filter(|_| by_replaces) {
                    Some(pickup) => self.take_over(key, &pickup),
                    None => self.pick_up(key, &key.value.clone()),
                }
            }
            LampState::Parked => {
                let code = format!("{}{}", self.general.park.retrieve_code, key.value);
                self.dial_code(key, code, Peer { number: key.value.clone(), name: String::new() })
            }
            _ => self.dial_by_key(key, &key.value.clone()),
        }
    }

    /// Takes a ringing call by its dialog (RFC 3891, RFC 5359 §2.16).
    fn take_over(
        &mut self,
        key: &KeySettings,
        pickup: &proto::event::dialog_info::Pickup,
    ) -> Result<(), Refused> {
        let to = pickup.remote_target.clone().unwrap_or_else(|| key.value.clone());
        let replaces = format!(
            "{};to-tag={};from-tag={};early-only",
            pickup.call_id, pickup.remote_tag, pickup.local_tag
        );
        let headers = vec![(Name::Replaces, replaces)];
        let call = self.dial_with(&to, Some(key.account), Purpose::Plain, headers)?;
        let peer = self.caller_at(&key.value);
        self.is_call_of(call, peer);
        Ok(())
    }

    /// Takes a call that rings at an extension by the key's code, the account's or the usual one.
    pub(super) fn pick_up(&mut self, key: &KeySettings, number: &str) -> Result<(), Refused> {
        let line = self.lines.line_ref(key.account);
        let code = line.and_then(|line| line.settings.pickup.directed_code.clone());
        let code = key.pickup_code.clone().or(code).filter(|code| !code.is_empty());
        let peer = self.caller_at(number);
        self.dial_code(key, format!("{}{number}", code.as_deref().unwrap_or(USUAL_PICKUP_CODE)), peer)
    }

    /// Who calls a watched party, as its lamp tells; the party itself where that is not known.
    fn caller_at(&self, watched: &str) -> Peer {
        let states =
            self.keys.iter().filter(|key| key.settings.value == watched).map(super::lamps::Key::state);
        let mut callers = states.filter_map(|state| match state {
            LampState::Ringing { caller, .. } => caller,
            _ => None,
        });
        let named = |caller: Caller| {
            let number = shown(&caller.identity.filter(|identity| !identity.is_empty())?);
            Some(Peer { number, name: caller.display.unwrap_or_default() })
        };
        let unknown = || Peer { number: watched.to_owned(), name: String::new() };
        callers.find_map(named).unwrap_or_else(unknown)
    }

    /// The same for a number that may have a key.
    pub(super) fn pick_up_number(&mut self, number: &str) -> Result<(), Refused> {
        let watching =
            |key: &&super::lamps::Key| key.settings.kind == KeyKind::Blf && key.settings.value == number;
        let key = self.keys.iter().find(watching).map(|key| key.settings.clone());
        let account = self.default_account();
        let key = key.unwrap_or_else(|| KeySettings { account, ..KeySettings::default() });
        self.pick_up(&key, number)
    }

    fn group_pickup(&mut self, key: &KeySettings) -> Result<(), Refused> {
        let line = self.lines.line_ref(key.account);
        let code = line.and_then(|line| line.settings.pickup.group_code.clone());
        let code = Some(key.value.clone()).filter(|value| !value.is_empty()).or(code);
        match code.filter(|code| !code.is_empty()) {
            Some(code) => self.dial_code(key, code, Peer::default()),
            None => Err(Refused::new(
                "no group pickup code is set",
                &["set features.pickup.group_pickup_code *4"],
            )),
        }
    }

    /// Dials a key's number; during a call as `transfer.dsskey_deal_type` says.
    fn dial_by_key(&mut self, key: &KeySettings, number: &str) -> Result<(), Refused> {
        if number.is_empty() {
            return Err(without_number(key));
        }
        if self.talked_in_now() {
            match self.general.transfer.by_key {
                TransferByKey::NewCall => {}
                TransferByKey::Attended => return self.consult(number),
                TransferByKey::Blind => return self.transfer(number),
            }
        }
        let account = if self.general.dialling.keys_use_default_account { None } else { Some(key.account) };
        self.dial(number, account, Purpose::Plain).map(|_| ())
    }

    fn talked_in_now(&self) -> bool {
        self.calls.live().any(|(_, call)| call.phase == Phase::Talking && !call.hold.is_on())
    }

    fn dial_plainly(&mut self, key: &KeySettings, number: String) -> Result<(), Refused> {
        let account = self.account_of_key(key, &number);
        self.dial_with(&number, account, Purpose::Plain, Vec::new()).map(|_| ())
    }

    /// Dials a code that asks the server for a call of `peer`.
    fn dial_code(&mut self, key: &KeySettings, code: String, peer: Peer) -> Result<(), Refused> {
        let account = self.account_of_key(key, &code);
        let call = self.dial_with(&code, account, Purpose::Plain, Vec::new())?;
        self.is_call_of(call, peer);
        Ok(())
    }

    /// The account that a key dials by; none for an address, which is called directly.
    fn account_of_key(&self, key: &KeySettings, number: &str) -> Option<u8> {
        (!self.is_foreign(number)).then_some(key.account)
    }

    fn intercom(&mut self, key: &KeySettings) -> Result<(), Refused> {
        if key.value.is_empty() {
            return Err(without_number(key));
        }
        if let Some(code) = self.general.intercom.code.clone() {
            return self.dial_plainly(key, format!("{code}{}", key.value));
        }
        let headers = vec![
            (Name::CallInfo, "<sip:intercom>;answer-after=0".to_owned()),
            (Name::AlertInfo, "<http://127.0.0.1>;info=alert-autoanswer".to_owned()),
        ];
        let account = self.account_of_key(key, &key.value);
        self.dial_with(&key.value, account, Purpose::Plain, headers).map(|_| ())
    }

    fn press_forward(&mut self, key: &KeySettings) -> Result<(), Refused> {
        let always = &self.forwards_in_use().always;
        let target = if key.value.is_empty() { always.target.clone() } else { key.value.clone() };
        let to = (!always.enabled).then_some(target);
        if to.as_ref().is_some_and(String::is_empty) {
            return Err(Refused::new("no number to forward to is set", &["forward always NUMBER"]));
        }
        self.obey(CommandKind::Forward { when: ForwardWhen::Always, to })
    }

    fn call_return(&mut self) -> Result<(), Refused> {
        let Some((number, account)) =
            self.history.last_caller().map(|(number, account)| (number.to_owned(), account))
        else {
            return Err(Refused::new("nobody has called yet", &["dial NUMBER"]));
        };
        self.dial_with(&number, Some(account), Purpose::Plain, Vec::new()).map(|_| ())
    }

    fn voice_mail(&mut self, key: &KeySettings) -> Result<(), Refused> {
        let line = self.lines.line_ref(key.account);
        let own = line.map(|line| line.settings.mwi.voice_mail.clone()).unwrap_or_default();
        let number = if key.value.is_empty() { own } else { key.value.clone() };
        if number.is_empty() {
            return Err(Refused::new("no voice mail number is set", &["set voice_mail.number.1 NUMBER"]));
        }
        self.dial_plainly(key, number)
    }

    fn park(&mut self, key: &KeySettings) -> Result<(), Refused> {
        let rule = self.general.park.clone();
        let code = format!("{}{}", rule.code, key.value);
        if !rule.enabled || code.is_empty() {
            return Err(Refused::new(
                "call park is switched off or has no code",
                &["set features.call_park.enable 1"],
            ));
        }
        if rule.by_dialling { self.dial_plainly(key, code) } else { self.transfer(&code) }
    }

    fn choose_account(&mut self, step: isize) -> Result<(), Refused> {
        let numbers: Vec<u8> = self.lines.accounts.iter().map(|account| account.number()).collect();
        let current = self.default_account();
        let Some(at) = numbers.iter().position(|number| *number == current) else {
            return Err(Refused::new("No Account", &["set account.1.enable 1"]));
        };
        let count = numbers.len().cast_signed();
        let next = (at.cast_signed() + step).rem_euclid(count).cast_unsigned();
        self.chosen_account = numbers.get(next).copied();
        Ok(())
    }
}

fn without_number(key: &KeySettings) -> Refused {
    let number = key.number;
    let remedy = format!("set linekey.{number}.value NUMBER");
    Refused::new(format!("key {number} has no number that it could use"), &[&remedy])
}
