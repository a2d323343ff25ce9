//! A subscription at the notifier's side (RFC 6665 §4.2): one NOTIFY at a time, and the next once that is answered.

use std::fmt;

use crate::sip::Request;
use crate::sip::dialog::{Dialog, OutOfOrder};
use crate::sip::header::Termination;
use crate::sip::message::{Message, Method, Name};

/// NOTIFYs without any answer, one after the other, until a subscriber counts as gone.
const MAX_UNANSWERED: u8 = 4;

/// How a subscription stands, as Subscription-State writes it (RFC 6665 §8.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It goes on for so long.
    Active {
        /// Seconds.
        expires_s: u32,
    },
    /// This NOTIFY is the last.
    Over(Termination),
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Active { expires_s } => write!(f, "active;expires={expires_s}"),
            Self::Over(why) => write!(f, "terminated;reason={}", why.name()),
        }
    }
}

/// What the answer to a NOTIFY means, or that there was none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Told {
    /// Nothing is to be done.
    Nothing,
    /// Something changed meanwhile, or the NOTIFY did not arrive: the state is to be told again.
    Again,
    /// The subscriber knows of no subscription, or has not answered for long: it is over.
    Gone,
}

/// A NOTIFY in a dialog, which may be a call's (RFC 3515); the body is to be added.
pub fn notify(
    dialog: &mut Dialog,
    event: impl fmt::Display,
    standing: Standing,
    contact: impl fmt::Display,
) -> Request {
    dialog
        .request(Method::Notify)
        .header(Name::Contact, contact)
        .header(Name::Event, event)
        .header(Name::SubscriptionState, standing)
}

/// One subscriber.
#[derive(Debug)]
pub struct Notifier {
    dialog: Dialog,
    /// A NOTIFY waits for its answer.
    asking: bool,
    /// Something changed meanwhile.
    stale: bool,
    unanswered: u8,
}

impl Notifier {
    /// In the dialog that the SUBSCRIBE has opened, or that was kept.
    pub fn new(dialog: Dialog) -> Self {
        Self { dialog, asking: false, stale: false, unanswered: 0 }
    }

    /// The dialog.
    pub fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    /// Takes a SUBSCRIBE inside the dialog: sequence, and where the subscriber is now (RFC 6665 §4.2.1.4). An address
    /// of more bytes than `most_bytes` is not taken.
    ///
    /// # Errors
    /// It is older than the last: the answer is 500.
    pub fn refresh(&mut self, request: &Message<'_>, most_bytes: usize) -> Result<(), OutOfOrder> {
        let before = self.dialog.target.clone();
        self.dialog.receive(request)?;
        if self.dialog.target.len() > most_bytes {
            self.dialog.target = before;
        }
        Ok(())
    }

    /// Whether the state may be told now. Where a NOTIFY waits for its answer it is told after that.
    pub fn may_tell(&mut self) -> bool {
        self.stale |= self.asking;
        !self.asking
    }

    /// The next NOTIFY; the body is to be added. It waits for its answer from now on.
    pub fn tell(
        &mut self,
        event: impl fmt::Display,
        standing: Standing,
        contact: impl fmt::Display,
    ) -> Request {
        (self.asking, self.stale) = (true, false);
        notify(&mut self.dialog, event, standing, contact)
    }

    /// Takes the answer to the last NOTIFY; `None` where none came.
    pub fn on_response(&mut self, status: Option<u16>) -> Told {
        if matches!(status, Some(..200)) {
            return Told::Nothing;
        }
        self.asking = false;
        // One lost answer ends nothing; a subscriber that knows of no subscription does.
        self.unanswered = if status.is_some() { 0 } else { self.unanswered + 1 };
        match status {
            Some(404 | 481 | 489) => Told::Gone,
            None if self.unanswered >= MAX_UNANSWERED => Told::Gone,
            None => Told::Again,
            Some(_) if self.stale => Told::Again,
            Some(_) => Told::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::dialog::Party;

    fn notifier() -> Notifier {
        let [local, remote] =
            ["7001", "7002"].map(|user| Party::new("", format!("sip:{user}@h")).with_tag(user));
        Notifier::new(Dialog::outgoing("call".into(), local, remote, "sip:7002@192.0.2.1".into()))
    }

    #[test]
    fn one_notify_waits_at_a_time() {
        let mut notifier = notifier();
        assert!(notifier.may_tell());
        let request = notifier.tell("dialog", Standing::Active { expires_s: 60 }, "<sip:7001@h>");
        assert_eq!(request.method, Method::Notify);
        assert!(!notifier.may_tell(), "the first has no answer yet");
        assert_eq!(notifier.on_response(Some(100)), Told::Nothing);
        assert_eq!(notifier.on_response(Some(200)), Told::Again, "what changed meanwhile is told");
        notifier.tell("dialog", Standing::Active { expires_s: 59 }, "<sip:7001@h>");
        assert_eq!(notifier.on_response(Some(200)), Told::Nothing);
        assert_eq!(notifier.dialog().local_cseq, 2);
    }

    #[test]
    fn a_subscriber_is_gone_by_its_word_or_after_four_times_without_any() {
        for status in [404, 481, 489] {
            let mut notifier = notifier();
            notifier.tell("dialog", Standing::Active { expires_s: 60 }, "<sip:7001@h>");
            assert_eq!(notifier.on_response(Some(status)), Told::Gone);
        }
        let mut notifier = notifier();
        let mut told = || {
            notifier.tell("dialog", Standing::Active { expires_s: 60 }, "<sip:7001@h>");
            notifier.on_response(None)
        };
        assert_eq!([told(), told(), told(), told()], [Told::Again, Told::Again, Told::Again, Told::Gone]);
    }

    #[test]
    fn the_state_is_written_as_the_rfc_has_it() {
        assert_eq!(Standing::Active { expires_s: 3_600 }.to_string(), "active;expires=3600");
        assert_eq!(Standing::Over(Termination::NoResource).to_string(), "terminated;reason=noresource");
    }
}
