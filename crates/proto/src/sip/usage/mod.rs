//! What dialogs are used for: calls, subscriptions, registrations.
//!
//! A usage holds no socket and no transaction of its own: it speaks through a [`Context`] and is
//! told what came back. Its owner keeps it in a table and finds it again by the owner token.

pub mod call;
pub mod notify;
pub mod register;
pub mod subscribe;

use std::net::SocketAddr;

use super::build::{Reply, Request};
use super::digest::{self, Attempt, Refusal};
use super::endpoint::{ClientId, Endpoint, SendError, ServerId};
use super::flow::{Target, Transmit};
use super::message::{Message, Name};
use crate::{Rng, Time};

/// The longest that a peer may keep us from asking again by Retry-After or `retry-after`: a larger number
/// would switch the account off until somebody notices.
pub const LONGEST_WAIT_S: u32 = 3_600;

/// How often one attempt obeys a 422 or 423 that asks for a longer time. A server names its least once; who names a
/// larger one each time would have us ask without end.
const MOST_RAISES: u8 = 2;

/// Seconds until the next attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Wait {
    /// How long we wait, in seconds.
    pub seconds: u32,
    /// What the peer asked for, where that was more than [`LONGEST_WAIT_S`].
    pub asked_s: Option<u32>,
}

impl Wait {
    /// As long as the peer asks, within bounds; `usual_s` where it does not ask.
    pub fn new(asked_s: Option<u32>, usual_s: u32) -> Self {
        Self {
            seconds: asked_s.map_or(usual_s, |asked_s| asked_s.min(LONGEST_WAIT_S)).max(1),
            asked_s: asked_s.filter(|&asked_s| asked_s > LONGEST_WAIT_S),
        }
    }

    /// As a duration.
    pub fn time(self) -> std::time::Duration {
        std::time::Duration::from_secs(u64::from(self.seconds))
    }
}

/// Who we are on the wire.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The address that Via names and datagrams leave from.
    pub local: SocketAddr,
    /// The Contact value, angle brackets included.
    pub contact: String,
    /// The User-Agent (or Server) value.
    pub user_agent: String,
    /// The Allow value.
    pub allow: &'static str,
    /// The Supported value; empty for none.
    pub supported: &'static str,
    /// Whether requests ask for `rport` (RFC 3581).
    pub rport: bool,
}

/// Everything that a usage needs to speak, lent for one turn.
#[derive(Debug)]
pub struct Context<'a, O: Copy> {
    /// Now.
    pub now: Time,
    /// The transactions.
    pub endpoint: &'a mut Endpoint<O>,
    /// Where datagrams go.
    pub out: &'a mut Vec<Transmit>,
    /// Chance.
    pub rng: &'a mut Rng,
    /// The credentials of the account; `None` for one who answers no challenge.
    pub auth: Option<&'a mut digest::Client>,
    /// Who we are.
    pub identity: &'a Identity,
    /// The token under which the owner finds this usage again.
    pub owner: O,
}

impl<O: Copy> Context<'_, O> {
    /// Sends a request in a transaction of its own, with credentials where a nonce is at hand.
    ///
    /// # Errors
    /// Where nobody said where to, or too many requests are open.
    pub fn send(&mut self, request: Request, targets: &[Target]) -> Result<ClientId, SendError> {
        let mut request = request.header(Name::UserAgent, &self.identity.user_agent);
        request.rport = self.identity.rport;
        if let Some(auth) = self.auth.as_deref_mut() {
            request = auth.authorize(request, self.rng);
        }
        let (local, targets) = (self.identity.local, targets.to_vec());
        self.endpoint.send(self.now, &request, targets, local, self.owner, self.out)
    }

    /// Answers a request.
    pub fn reply(&mut self, id: ServerId, reply: Reply) {
        let reply = reply.header(Name::UserAgent, &self.identity.user_agent);
        // A transaction that is over was answered before, by a CANCEL or a BYE that came first.
        let _ = self.endpoint.reply(self.now, id, &reply, self.out);
    }

    /// Whether a 401 or 407 is to be answered with credentials: at most once for each request,
    /// unless the server says that the nonce was stale. The response has found its transaction by a
    /// branch that only the server was told, so it comes from there.
    pub fn may_retry(&mut self, attempt: &mut Attempt, response: &Message<'_>) -> bool {
        self.challenged(attempt, response).is_ok()
    }

    /// The same, with the reason where it is not; none where there are no credentials.
    ///
    /// # Errors
    /// Why the request must not be sent again.
    pub fn challenged(
        &mut self,
        attempt: &mut Attempt,
        response: &Message<'_>,
    ) -> Result<(), Option<Refusal>> {
        let auth = self.auth.as_deref_mut().ok_or(None)?;
        auth.challenged(attempt, response, true).map_err(Some)
    }

    /// The ACK of a 2xx has come.
    pub fn acked(&mut self, id: ServerId) {
        self.endpoint.acked(self.now, id);
    }
}

/// Why a usage waits.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Why {
    /// To ask again after 491 (RFC 3261 §14.1).
    Glare,
    /// To refresh the session (RFC 4028 §10).
    SessionRefresh,
    /// To end a session that nobody refreshed (RFC 4028 §10).
    SessionExpiry,
    /// To send a reliable provisional response again (RFC 3262 §3).
    ProvisionalResend,
    /// To refresh a registration (RFC 3261 §10.2.4).
    RegistrationRefresh,
    /// To try a failed registration again.
    RegistrationRetry,
    /// To refresh a subscription (RFC 6665 §4.1.2.2).
    SubscriptionRefresh,
    /// To try a failed subscription again.
    SubscriptionRetry,
    /// To give up waiting for the first NOTIFY: timer N (RFC 6665 §4.1.2.4).
    NotifyMissing,
}
