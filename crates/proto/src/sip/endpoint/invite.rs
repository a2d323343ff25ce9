//! What a client transaction of an INVITE has beyond others: its CANCEL, and the ACK of each 2xx.

use super::Shared;
use super::sent::Sent;
use crate::Time;
use crate::sip::Transmit;
use crate::sip::transaction::{Client, ClientInvite, ClientStep, Timer};

/// The most branches of a forked INVITE that are told apart; 2xx responses of more are not passed
/// on, and their senders give up by themselves.
pub(super) const MAX_FORKS: usize = 16;

#[derive(Debug)]
pub(super) struct Invite {
    pub(super) machine: ClientInvite,
    pub(super) cancel: Cancelling,
    /// One for each To tag that came with a 2xx.
    forks: Vec<Fork>,
    /// The branch of the target before this one and the ACK for its 503.
    pub(super) before: Option<(u64, Sent)>,
}

#[derive(Debug)]
pub(super) enum Cancelling {
    No,
    /// For a provisional response; with the value of its Reason.
    Waiting(Option<Box<str>>),
    Sent(Client, Sent),
    Done,
}

#[derive(Debug)]
struct Fork {
    tag: Box<str>,
    ack: Option<Sent>,
}

impl Invite {
    pub(super) fn new(machine: ClientInvite) -> Self {
        Self { machine, cancel: Cancelling::No, forks: Vec::new(), before: None }
    }

    pub(super) fn send_cancel(
        &mut self,
        shared: &mut Shared,
        now: Time,
        invite: &Sent,
        reason: Option<&str>,
        out: &mut Vec<Transmit>,
    ) {
        self.cancel = Cancelling::Done;
        if let Some(cancel) = invite.cancel(shared, reason) {
            out.push(cancel.transmit());
            let reliable = invite.flow.transport.is_reliable();
            self.cancel = Cancelling::Sent(Client::start(now, shared.config.timing, reliable), cancel);
        }
    }

    /// Sends the CANCEL that waited for a provisional response.
    pub(super) fn send_waiting_cancel(
        &mut self,
        shared: &mut Shared,
        now: Time,
        invite: &Sent,
        out: &mut Vec<Transmit>,
    ) {
        if let Cancelling::Waiting(reason) = std::mem::replace(&mut self.cancel, Cancelling::Done) {
            self.send_cancel(shared, now, invite, reason.as_deref(), out);
        }
    }

    /// Whatever the CANCEL is answered, the INVITE's own response decides.
    pub(super) fn on_cancel_response(&mut self, now: Time, status: u16) {
        if let Cancelling::Sent(machine, _) = &mut self.cancel {
            machine.on_response(now, status);
        }
    }

    pub(super) fn on_cancel_timeout(&mut self, now: Time, out: &mut Vec<Transmit>) {
        if let Cancelling::Sent(machine, cancel) = &mut self.cancel {
            match machine.on_timeout(now) {
                ClientStep::Send => out.push(cancel.transmit()),
                ClientStep::TimedOut | ClientStep::Terminated => self.cancel = Cancelling::Done,
                _ => {}
            }
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        !matches!(self.cancel, Cancelling::No)
    }

    /// Whether a 2xx with this To tag is the first; copies are acknowledged again, as soon as the
    /// owner has acknowledged the first.
    pub(super) fn is_first(&mut self, tag: &str, out: &mut Vec<Transmit>) -> bool {
        if let Some(fork) = self.forks.iter().find(|fork| *fork.tag == *tag) {
            out.extend(fork.ack.as_ref().map(Sent::transmit));
            return false;
        }
        let room = self.forks.len() < MAX_FORKS;
        if room {
            self.forks.push(Fork { tag: tag.into(), ack: None });
        }
        room
    }

    pub(super) fn keep_ack(&mut self, tag: &str, ack: Sent) {
        if let Some(fork) = self.forks.iter_mut().find(|fork| *fork.tag == *tag) {
            fork.ack = Some(ack);
        }
    }

    pub(super) fn deadline(&self) -> Option<(Time, Timer)> {
        let cancel = match &self.cancel {
            Cancelling::Sent(machine, _) => machine.deadline(),
            _ => None,
        };
        self.machine.deadline().into_iter().chain(cancel).min()
    }
}
