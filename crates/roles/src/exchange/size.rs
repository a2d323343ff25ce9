//! How much of a message is kept, and how much at most.
//!
//! What a request says in its headers is kept in answers, dialogs, subscriptions and calls. So a request
//! with more headers than any device sends is refused before anything of it is kept, and what is kept is
//! bounded by source, by account and in all.

use proto::sip::{Message, Reply};

/// The most bytes of start line and headers.
const MAX_HEAD_BYTES: usize = 8 << 10;
/// The most bytes of a body.
const MAX_BODY_BYTES: usize = 16 << 10;

/// The most bytes that peers can make an exchange keep.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Of requests and the answers to them.
    pub requests_bytes: usize,
    /// Of those of one source.
    pub source_bytes: usize,
    /// Of those of one account.
    pub account_bytes: usize,
    /// Of its own requests that wait for an answer.
    pub own_requests_bytes: usize,
    /// Of calls: their dialogs and session descriptions.
    pub calls_bytes: usize,
    /// Of subscriptions.
    pub subscriptions_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_bytes: 512 << 20,
            source_bytes: 32 << 20,
            account_bytes: 2 << 20,
            own_requests_bytes: 256 << 20,
            calls_bytes: 512 << 20,
            subscriptions_bytes: 256 << 20,
        }
    }
}

/// Whether a message is larger than any device's.
pub(super) fn is_too_large(message: &Message<'_>) -> bool {
    head_bytes(message) > MAX_HEAD_BYTES || message.body().len() > MAX_BODY_BYTES
}

/// How a request that is too large is refused; an ACK and a response are not.
pub(super) fn refusal(message: &Message<'_>) -> Option<Reply> {
    let is_answerable = message.is_request() && message.method() != Some(proto::sip::Method::Ack);
    let status = if head_bytes(message) > MAX_HEAD_BYTES { 513 } else { 413 };
    is_answerable.then(|| Reply::new(status))
}

/// The bytes of a message without its body.
pub(super) fn head_bytes(message: &Message<'_>) -> usize {
    message.bytes().len().saturating_sub(message.body().len())
}
