//! Hold and resume, ours and theirs, and every other change of a standing call (deck, Call Hold).

use proto::sdp::HoldForm;

use super::{CallNumber, Cause};
use crate::phone::Phone;
use crate::phone::event::{By, EventKind};

/// What is wanted, what was asked for and what is true of a call's hold.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Hold {
    wanted: bool,
    asked: Option<bool>,
    done: bool,
    remote: bool,
    /// The far end does not know yet that this phone's address has changed.
    moved: bool,
    /// Their offer, until a call that rings here is answered.
    pub(super) offer: Option<Vec<u8>>,
}

impl Hold {
    /// Whether this phone holds the other party.
    pub(in super::super) fn is_on(&self) -> bool {
        self.done
    }

    /// Whether it does, or is about to.
    pub(in super::super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Whether the other party holds this phone.
    pub(in super::super) fn is_remote(&self) -> bool {
        self.remote
    }

    /// Whether nothing is left to be done.
    fn is_settled(&self) -> bool {
        self.asked.is_none() && self.wanted == self.done
    }
}

impl Phone {
    /// Wants a call held or not; the far end is asked as soon as it can be.
    pub(in super::super) fn set_hold(&mut self, number: CallNumber, on: bool) {
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        call.hold.wanted = on;
        if call.hold.is_settled() {
            return self.on_hold_settled(number);
        }
        self.push_hold(number);
    }

    /// Resumes a held call; another one that is talked in is held, unless both are in conference.
    pub(in super::super) fn resume(&mut self, number: CallNumber) {
        if let Some(other) = self.talked_in().filter(|other| *other != number) {
            self.set_hold(other, true);
        }
        self.set_hold(number, false);
    }

    /// Asks for what is wanted and not yet true, in every call where nothing else is under way.
    pub(in super::super) fn settle_holds(&mut self) {
        let waiting: Vec<_> = self
            .calls
            .live()
            .filter(|(_, call)| call.is_up() && call.hold.asked.is_none() && !call.hold.is_settled())
            .map(|(number, _)| number)
            .collect();
        for number in waiting {
            self.push_hold(number);
        }
    }

    fn push_hold(&mut self, number: CallNumber) {
        let Some(call) = self.calls.table.get(&number) else { return };
        let wanted = call.hold.wanted;
        let standing = call.signalling.as_ref().is_some_and(|it| it.is_confirmed() && !it.is_modifying());
        if call.hold.asked.is_some() || !standing {
            return;
        }
        let Some(line) = self.lines.line_ref(call.account) else { return };
        let form =
            HoldForm { inactive: line.settings.hold.inactive, zero_address: line.settings.hold.zero_address };
        if line.settings.hold.by_info {
            let body = if wanted { "event hold\r\n" } else { "event talk\r\n" };
            self.speak(number, |call, context| {
                call.info(context, "application/broadsoft;version=1.0", body.into());
            });
            return self.hold_is(number, wanted);
        }
        self.offer_change(number, |talk| if wanted { talk.hold(form) } else { talk.resume() }, Some(wanted));
    }

    /// Offers a changed session by re-INVITE.
    fn offer_change(
        &mut self,
        number: CallNumber,
        change: impl FnOnce(&mut proto::sdp::OfferAnswer),
        asked: Option<bool>,
    ) {
        let call = self.calls.table.get_mut(&number);
        let Some(sound) = call.and_then(|call| call.sound.as_mut()) else { return };
        change(&mut sound.talk);
        let offer = sound.talk.offer().to_bytes();
        let sent = self.speak(number, |call, context| call.modify(context, Some(offer))).unwrap_or(false);
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        if sent {
            call.hold.asked = asked;
        } else if let Some(sound) = call.sound.as_mut() {
            sound.talk.offer_failed();
        }
    }

    /// The phone's address has changed: every call is told where it is now, one that is not answered yet
    /// with its answer or after it.
    pub(in super::super) fn move_calls(&mut self) {
        let ip = self.desk.place.ip();
        let live: Vec<_> = self.calls.live().map(|(number, _)| number).collect();
        for number in live {
            let Some(call) = self.calls.table.get_mut(&number) else { continue };
            let unknown = call.outgoing || call.is_up();
            let Some(sound) = call.sound.as_mut() else { continue };
            sound.talk.local_mut().address = ip;
            call.hold.moved = unknown;
            let (session, local) = (sound.session, std::net::SocketAddr::new(ip, sound.port));
            self.desk.sound(crate::sound::SoundCommand::Open { session, local });
            self.agree(number);
        }
        self.settle_moves();
    }

    /// Tells the far ends of calls that stand where the phone is now, as soon as nothing else is under way.
    pub(in super::super) fn settle_moves(&mut self) {
        let free = |call: &super::Conversation| {
            call.is_up()
                && call.hold.moved
                && call.signalling.as_ref().is_some_and(|it| it.is_confirmed() && !it.is_modifying())
        };
        let moved: Vec<_> =
            self.calls.live().filter(|(_, call)| free(call)).map(|(number, _)| number).collect();
        for number in moved {
            if let Some(call) = self.calls.table.get_mut(&number) {
                call.hold.moved = false;
            }
            self.offer_change(number, |_| {}, None);
        }
    }

    /// An offer of ours that was refused with 491 counts no longer; what is wanted is offered anew when its
    /// time has come.
    pub(super) fn take_back_offer(&mut self, number: CallNumber) {
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        let Some(sound) = call.sound.as_mut().filter(|sound| sound.talk.is_waiting()) else { return };
        sound.talk.offer_failed();
        // What is offered without a hold or its end tells where this phone is now.
        call.hold.moved |= call.hold.asked.take().is_none();
    }

    /// An answer of ours says all that an offer was to say: a hold that waits for its time is done by it.
    fn hold_by_answer(&mut self, number: CallNumber) {
        let Some(call) = self.calls.table.get(&number) else { return };
        let Some(talk) = call.sound.as_ref().map(|sound| &sound.talk) else { return };
        let wanted = call.hold.wanted;
        let waits = call.hold.asked.is_none() && wanted != call.hold.done;
        let said = talk.is_local_hold() == wanted;
        if waits && said && (wanted || talk.agreed().is_some_and(|agreed| agreed.receive)) {
            self.hold_is(number, wanted);
        }
    }

    /// Our change was answered.
    pub(super) fn on_modified(&mut self, number: CallNumber, sdp: Option<Vec<u8>>) {
        if let Some(sdp) = sdp
            && let Err(why) = self.take_answer(number, &sdp)
        {
            self.note_call(number, &format!("Answer to a change not acceptable: {why}"));
            self.hang_up_call(number, Cause::new(Some(488), why, By::Local));
            return;
        }
        let asked = self.calls.table.get_mut(&number).and_then(|call| call.hold.asked.take());
        if let Some(on) = asked {
            self.hold_is(number, on);
        }
        self.tell_remote_hold(number);
    }

    /// Our change was refused, or nobody answered: the session is as it was.
    pub(super) fn on_modify_failed(&mut self, number: CallNumber, status: Option<u16>) {
        let why = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        let asked = call.hold.asked.take();
        call.hold.wanted = call.hold.done;
        let done = call.hold.done;
        if let Some(sound) = call.sound.as_mut() {
            sound.talk.offer_failed();
            if !done {
                sound.talk.resume();
            }
        }
        if let Some(on) = asked {
            let what = if on { "Hold" } else { "Resume" };
            self.note_call(number, &format!("{what} Fail, {why}"));
            self.show(format!("{what} failed: {why}"));
            self.on_hold_settled(number);
        }
    }

    /// A hold or its end is true now.
    fn hold_is(&mut self, number: CallNumber, on: bool) {
        let call_ref = self.call_ref(number);
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        let changed = std::mem::replace(&mut call.hold.done, on) != on;
        if changed {
            let told =
                if on { EventKind::Held { call: call_ref } } else { EventKind::Resumed { call: call_ref } };
            self.desk.tell(told);
            self.note_call(number, if on { "Hold" } else { "Resume" });
            self.agree(number);
        }
        let settled = self.calls.table.get(&number).is_some_and(|call| call.hold.is_settled());
        if settled {
            self.on_hold_settled(number);
        }
    }

    /// Whoever waited for this call's hold goes on.
    fn on_hold_settled(&mut self, number: CallNumber) {
        self.go_on_after(number);
        self.go_on_with_transfer(number);
    }

    /// They want to change the session.
    pub(super) fn on_offered(&mut self, number: CallNumber, sdp: Option<Vec<u8>>) {
        let signalling = self.calls.table.get(&number).and_then(|call| call.signalling.as_ref());
        if signalling.is_some_and(|it| it.waits_to_ask()) {
            self.take_back_offer(number);
        }
        let sound = self.calls.table.get(&number).and_then(|call| call.sound.as_ref());
        if sound.is_some_and(|sound| sound.talk.is_waiting()) {
            // Our own offer has no answer yet (RFC 3311 §5.2).
            self.speak(number, |call, context| call.refuse_offer(context, proto::sip::Reply::new(491)));
            return;
        }
        match self.answer_to(number, sdp.as_deref()) {
            Ok(answer) => {
                if sdp.is_some() {
                    self.agree(number);
                }
                self.speak(number, |call, context| call.accept_offer(context, Some(answer)));
                self.tell_remote_hold(number);
                self.hold_by_answer(number);
            }
            Err(why) => {
                self.note_call(number, &format!("Change refused: {}", why.text));
                self.speak(number, |call, context| call.refuse_offer(context, why.reply()));
            }
        }
    }

    /// Tells where the other party began or ended a hold.
    pub(super) fn tell_remote_hold(&mut self, number: CallNumber) {
        let call_ref = self.call_ref(number);
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        let now = call.sound.as_ref().is_some_and(|sound| sound.talk.is_remote_hold());
        if std::mem::replace(&mut call.hold.remote, now) == now {
            return;
        }
        let event = if now {
            EventKind::RemoteHold { call: call_ref }
        } else {
            EventKind::RemoteResume { call: call_ref }
        };
        self.desk.tell(event);
        self.note_call(number, if now { "Remote Hold" } else { "Remote Resume" });
    }
}
