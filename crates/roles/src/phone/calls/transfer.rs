//! Transfer: asking (REFER), being asked, and being the target (deck, Call Transfer; RFC 3515, 5589).

use std::time::Duration;

use proto::sip::message::Name;
use proto::sip::uri::{Uri, escape};
use proto::sip::usage::call::{Event, Refer};

use super::{CallNumber, Cause, Conversation, Due, Phase, Purpose};
use crate::phone::event::{By, EventKind};
use crate::phone::{Phone, Refused};

/// How long the other side may take to hang up after an attended transfer went through.
const BYE_WAIT: Duration = Duration::from_secs(2);
/// How long whoever transferred this phone may take to hang up.
const TRANSFEROR_WAIT: Duration = Duration::from_secs(10);

/// How long the first NOTIFY after an accepted REFER may take: timer N (RFC 6665 §4.1.2.4).
const FIRST_NOTIFY_WAIT: Duration = Duration::from_secs(32);
/// How long a transfer of which something was heard may go on: as long as a phone rings, and a little.
const OUTCOME_WAIT: Duration = Duration::from_secs(200);

/// A transfer that this phone asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Transfer {
    /// The number to call.
    to: String,
    /// The call whose place is to be taken: an attended transfer.
    consult: Option<CallNumber>,
    /// REFER has been sent.
    asked: bool,
    /// How it came out is known.
    over: bool,
}

impl Conversation {
    /// Whether a transfer of it is under way.
    pub(in super::super) fn is_being_transferred(&self) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| !transfer.over)
    }

    /// Whether it was made to ask somebody about another call.
    pub(in super::super) fn is_consultation(&self) -> bool {
        matches!(self.purpose, Purpose::Consult(_))
    }
}

impl Phone {
    /// Sends the call that is talked in to a number, without asking there first.
    ///
    /// # Errors
    /// Where there is no call to transfer, or the number is the other party itself.
    pub(in super::super) fn transfer(&mut self, to: &str) -> Result<(), Refused> {
        let number = self.transferable()?;
        let to = self.dialled(to, self.calls.table.get(&number).map(|call| call.account))?;
        self.start_transfer(number, to, None)
    }

    /// Holds the call that is talked in and calls somebody about it.
    ///
    /// # Errors
    /// Where there is no call to consult about, or the number cannot be called.
    pub(in super::super) fn consult(&mut self, to: &str) -> Result<(), Refused> {
        let number = self.transferable()?;
        let account = self.calls.table.get(&number).map(|call| call.account);
        self.dial(to, account, Purpose::Consult(number)).map(|_| ())
    }

    /// Transfers the first call to whom was consulted; one who still rings is called anew by the
    /// other party (semi-attended).
    ///
    /// # Errors
    /// Where nobody is being consulted.
    pub(in super::super) fn complete_transfer(&mut self) -> Result<(), Refused> {
        let Some((of, consult)) = self.consultation() else {
            return Err(Refused::new("nobody is being consulted", &["consult NUMBER", "transfer NUMBER"]));
        };
        let Some(call) = self.calls.table.get(&consult) else { return Ok(()) };
        let to = call.peer.number.clone();
        if call.phase == Phase::Talking {
            return self.start_transfer(of, to, Some(consult));
        }
        if !self.general.transfer.semi_attended {
            let message = "the other party has not answered, and transfer to a ringing party is off";
            return Err(Refused::new(message, &["hangup", "status"]));
        }
        self.hang_up_call(consult, Cause::new(Some(487), "transferred", By::Local));
        self.start_transfer(of, to, None)
    }

    /// Whether somebody who was called about a held call is on the line.
    pub(in super::super) fn is_consulting(&self) -> bool {
        self.calls.live().any(|(_, call)| {
            call.phase == Phase::Talking && !call.hold.is_on() && matches!(call.purpose, Purpose::Consult(_))
        })
    }

    /// The call that is to be transferred and the one with whom was consulted; without a consultation
    /// the held call and the one that is talked in.
    fn consultation(&self) -> Option<(CallNumber, CallNumber)> {
        let consulted = self.calls.live().find_map(|(number, call)| match call.purpose {
            Purpose::Consult(of) if self.calls.table.get(&of).is_some_and(|of| of.is_up()) => {
                Some((of, number))
            }
            _ => None,
        });
        let held = self.calls.live().find(|(_, call)| call.is_up() && call.hold.is_on());
        let pair = held.map(|(number, _)| number).zip(self.talked_in());
        consulted.or(pair)
    }

    fn transferable(&self) -> Result<CallNumber, Refused> {
        let up = |number: &CallNumber| {
            self.calls.table.get(number).is_some_and(|call| call.phase == Phase::Talking)
        };
        let held = self.calls.live().find(|(_, call)| call.phase == Phase::Talking).map(|(number, _)| number);
        let number = self.calls.focus().filter(up).or(held);
        number.ok_or_else(|| Refused::new("there is no call to transfer", &["dial NUMBER", "answer"]))
    }

    pub(super) fn start_transfer(
        &mut self,
        number: CallNumber,
        to: String,
        consult: Option<CallNumber>,
    ) -> Result<(), Refused> {
        let Some(call) = self.calls.table.get_mut(&number) else { return Ok(()) };
        let named = super::dial::shown(&to);
        let at_home = self.lines.line_ref(call.account).is_none_or(|line| line.names(&to, &call.peer.number));
        if call.peer.number == named && at_home && consult.is_none() {
            let message = format!("{to} is the party of this call itself");
            return Err(Refused::new(message, &["transfer NUMBER"]));
        }
        if call.transfer.as_ref().is_some_and(|transfer| !transfer.over) {
            return Err(Refused::new("this call is being transferred already", &["status"]));
        }
        call.transfer = Some(Box::new(Transfer { to, consult, asked: false, over: false }));
        self.set_hold(number, true);
        Ok(())
    }

    /// The call is held (or the other side would not be): REFER can go.
    pub(super) fn go_on_with_transfer(&mut self, number: CallNumber) {
        let transfer = self.calls.table.get_mut(&number).and_then(|call| call.transfer.as_mut());
        let Some(transfer) = transfer.filter(|transfer| !transfer.asked) else { return };
        transfer.asked = true;
        let transfer = transfer.clone();
        let Some(refer_to) = self.refer_to(number, &transfer) else {
            return self.transfer_failed(number, None);
        };
        let account = self.calls.table.get(&number).map_or(0, |call| call.account);
        let referred_by = self.lines.line_ref(account).map(|line| format!("<{}>", line.address_of_record()));
        let headers = referred_by.map(|value| (Name::ReferredBy, value)).into_iter().collect();
        self.note_call(number, &format!("Transfer To:{refer_to}"));
        let sent = self.speak(number, |call, context| call.refer(context, refer_to, headers));
        if sent != Some(true) {
            self.transfer_failed(number, None);
        }
    }

    /// The Refer-To value (deck, Call Transfer): the target's address with its port, or the address of
    /// the consulted party and the dialog to take over.
    fn refer_to(&self, number: CallNumber, transfer: &Transfer) -> Option<String> {
        let line = self.lines.line_ref(self.calls.table.get(&number)?.account)?;
        let Some(consult) = transfer.consult else {
            return Some(format!("<{}>", line.address_with_port(&transfer.to)));
        };
        let dialog = self.calls.table.get(&consult)?.signalling.as_ref()?.dialog();
        let address = if line.settings.refer_to_contact { &dialog.target } else { &dialog.remote.uri };
        let address = address.split('?').next().unwrap_or_default();
        Some(format!("<{address}?Replaces={}>", escape(&dialog.replaces_value())))
    }

    /// What the other side says of our REFER.
    pub(super) fn on_transfer_event(&mut self, number: CallNumber, event: &Event) {
        match *event {
            Event::ReferAccepted => self.await_outcome(number, FIRST_NOTIFY_WAIT),
            Event::ReferProgress { status: ..200, over: false } => self.await_outcome(number, OUTCOME_WAIT),
            Event::ReferRefused { status } => self.transfer_failed(number, status),
            Event::ReferProgress { status: status @ 300.., .. } => self.transfer_failed(number, Some(status)),
            Event::ReferProgress { status, over: true } => self.transferred(number, status),
            _ => {}
        }
    }

    /// Whoever accepted our REFER has so long to say how it gets on.
    fn await_outcome(&mut self, number: CallNumber, wait: Duration) {
        self.take_timer(number, Due::TransferSilent);
        let at = self.desk.now + wait;
        if let Some(call) = self.calls.table.get_mut(&number).filter(|call| call.is_being_transferred()) {
            call.wait(at, Due::TransferSilent);
        }
    }

    /// Nobody has said in time how the transfer gets on.
    pub(super) fn on_transfer_silent(&mut self, number: CallNumber) {
        self.speak(number, |call, _| call.give_up_refer());
        self.transfer_failed(number, None);
    }

    fn transferred(&mut self, number: CallNumber, status: u16) {
        let Some(consult) = self.end_transfer(number) else { return };
        self.tell_transferred(number, Some(status));
        self.show("Transferred".to_owned());
        let now = self.desk.now;
        let Some(consult) = consult else {
            return self.hang_up_call(number, Cause::new(None, "transferred", By::Local));
        };
        // The other two hang up on us; whoever does not is helped.
        for number in [number, consult] {
            if let Some(call) = self.calls.table.get_mut(&number).filter(|call| call.is_live()) {
                call.wait(now + BYE_WAIT, Due::HangUp);
            }
        }
    }

    /// The call comes back.
    fn transfer_failed(&mut self, number: CallNumber, status: Option<u16>) {
        let Some(consult) = self.end_transfer(number) else { return };
        self.tell_transferred(number, status);
        let why = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        self.note_call(number, &format!("Transfer Fail, {why}"));
        self.show(format!("Transfer failed: {why}"));
        if consult.is_none_or(|consult| self.calls.table.get(&consult).is_none_or(|call| !call.is_live())) {
            self.set_hold(number, false);
        }
    }

    fn tell_transferred(&mut self, number: CallNumber, status: Option<u16>) {
        let call = self.call_ref(number);
        self.desk.tell(EventKind::Transferred { call, status });
    }

    /// Ends a transfer that is under way; whom was consulted.
    fn end_transfer(&mut self, number: CallNumber) -> Option<Option<CallNumber>> {
        let transfer = self.calls.table.get_mut(&number)?.transfer.as_mut()?;
        let open = !std::mem::replace(&mut transfer.over, true);
        let consult = transfer.consult;
        self.take_timer(number, Due::TransferSilent);
        open.then_some(consult)
    }

    /// Whom was consulted is gone: an ordinary call remains, held.
    pub(super) fn on_consulted_ended(&mut self, number: CallNumber) {
        for call in self.calls.table.values_mut() {
            if call.purpose == Purpose::Consult(number) {
                call.purpose = Purpose::Plain;
            }
        }
    }

    /// The other party asks this phone to call somebody. That is the server's to ask alone, and `by_server` is judged by
    /// where the REFER comes from: the far end of a call may be reached past the server, after a redirection as well
    /// as through a Contact or Record-Route that the server passed on.
    pub(super) fn on_refer(&mut self, number: CallNumber, refer: Refer, by_server: bool) {
        let Some(call) = self.calls.table.get(&number) else { return };
        let account = call.account;
        let uri = Uri::parse(&refer.to).filter(|uri| uri.is_sip() || uri.is_tel());
        let own = self.lines.line_ref(account).map(|line| line.settings.user.clone()).unwrap_or_default();
        let refusal = match &uri {
            // Whoever reaches the phone directly has no claim on its account.
            _ if !by_server => Some(403),
            None => Some(416),
            // To call oneself would end in a busy tone at best.
            Some(uri) if uri.plain_user() == own && refer.replaces.is_none() => Some(603),
            Some(_) if !self.may_be_referred() => Some(503),
            Some(_) => None,
        };
        if let Some(status) = refusal {
            self.note_call(number, &format!("REFER refused, {status}"));
            self.speak(number, |call, context| call.refuse_refer(context, status));
            return;
        }
        self.speak(number, |call, context| call.accept_refer(context));
        let referred_by = refer.referred_by.map(|value| (Name::ReferredBy, value));
        let replaces = refer.replaces.map(|value| (Name::Replaces, value));
        let headers = referred_by.into_iter().chain(replaces).collect();
        self.note_call(number, &format!("Referred To:< {}", refer.to));
        if let Err(refused) = self.dial_with(&refer.to, Some(account), Purpose::Refer(number), headers) {
            self.note_call(number, &format!("Refer Fail, {}", refused.message));
            self.speak(number, |call, context| call.notify_refer(context, 503, true));
        }
    }

    /// A call that was made by REFER gets on: whoever asked for it is told.
    pub(super) fn on_referred_progress(&mut self, number: CallNumber, status: u16) {
        let Some(Purpose::Refer(asker)) = self.calls.table.get(&number).map(|call| call.purpose) else {
            return;
        };
        let over = status >= 200;
        self.speak(asker, |call, context| call.notify_refer(context, status, over));
        let now = self.desk.now;
        let Some(call) = self.calls.table.get_mut(&asker).filter(|call| call.is_live()) else { return };
        if (200..300).contains(&status) {
            call.wait(now + TRANSFEROR_WAIT, Due::HangUp);
        }
    }

    /// A call that was made by REFER ended before anybody answered.
    pub(super) fn on_referred_ended(&mut self, number: CallNumber) {
        let Some(Purpose::Refer(asker)) = self.calls.table.get(&number).map(|call| call.purpose) else {
            return;
        };
        let owed = self.calls.table.get(&asker).and_then(|call| call.signalling.as_ref());
        if owed.is_some_and(|call| call.owes_refer_outcome()) {
            self.speak(asker, |call, context| call.notify_refer(context, 487, true));
        }
    }
}
