//! Three parties on one phone, mixed here; the phone may leave and leave the others connected.

use super::{CallNumber, Cause, Phase};
use crate::phone::event::By;
use crate::phone::{Phone, Refused};

impl Phone {
    /// Joins the call that is talked in with a held one.
    ///
    /// # Errors
    /// Where there are not two calls, or conferences are off.
    pub(in super::super) fn join(&mut self) -> Result<(), Refused> {
        if !self.general.transfer.conference {
            return Err(Refused::new("conferences on this phone are switched off", &["resume"]));
        }
        if self.calls.conference.is_some() {
            return Err(Refused::new("three parties are joined already", &["split", "hangup"]));
        }
        let up = |(number, call): (CallNumber, &super::Conversation)| {
            (call.phase == Phase::Talking).then_some(number)
        };
        let standing: Vec<_> = self.calls.live().filter_map(up).collect();
        let [.., first, second] = standing[..] else {
            return Err(Refused::new(
                "a conference needs two calls that stand",
                &["dial NUMBER", "consult NUMBER"],
            ));
        };
        self.calls.conference = Some((first, second));
        self.note_call(first, &format!("Conference, calls {first} and {second}"));
        self.set_hold(first, false);
        self.set_hold(second, false);
        Ok(())
    }

    /// Parts a conference: the newer call is talked in, the older is held.
    ///
    /// # Errors
    /// Where there is no conference.
    pub(in super::super) fn split(&mut self) -> Result<(), Refused> {
        let Some((first, _)) = self.calls.conference.take() else {
            return Err(Refused::new("there is no conference", &["conference"]));
        };
        self.note_call(first, "Conference split");
        self.set_hold(first, true);
        Ok(())
    }

    /// The phone leaves its conference: the other two stay connected where that is wanted, else both
    /// calls end. Whether there was one.
    pub(in super::super) fn quit_conference(&mut self) -> bool {
        let Some((first, second)) = self.calls.conference.take() else { return false };
        let to = self.calls.table.get(&second).map(|call| call.peer.number.clone()).unwrap_or_default();
        let connected =
            self.general.transfer.connects_conference && self.start_transfer(first, to, Some(second)).is_ok();
        if !connected {
            for number in [first, second] {
                self.hang_up_call(number, Cause::new(None, "hung up", By::Local));
            }
        }
        true
    }

    /// A party of the conference is gone: an ordinary call remains.
    pub(super) fn leave_conference(&mut self, number: CallNumber) {
        self.calls.conference.take_if(|(first, second)| *first == number || *second == number);
    }
}
