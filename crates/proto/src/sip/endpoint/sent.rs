//! A request as it was sent, kept to be sent again.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::Shared;
use crate::sip::transaction::key::Branch;
use crate::sip::{Flow, Message, Method, Name, Request, Target, Transmit, Transport};

/// A message, where it went, and where in it the transport and the branch stand.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) flow: Flow,
    name: Option<Arc<str>>,
    pub(super) bytes: Bytes,
    transport_at: u32,
    branch_at: u32,
}

impl Sent {
    /// Writes `request` into the scratch; [`stamp`](Self::stamp) makes a message of it.
    pub(super) fn draft(shared: &mut Shared, request: &Request, local: SocketAddr) -> Self {
        let flow = Flow { transport: Transport::Udp, local, remote: local };
        let mut via = String::with_capacity(96);
        // Writing to a `String` cannot fail.
        let _ = write!(via, "SIP/2.0/UDP {local};branch=");
        let branch_at = via.len();
        let _ = write!(via, "{}{}", Branch { slot: 0, nonce: 0 }, if request.rport { ";rport" } else { "" });
        shared.scratch.clear();
        request.write(&via, &mut shared.scratch);
        let via_at = request.method.as_str().len() + request.uri().len() + BEFORE_VIA.len();
        Self {
            flow,
            name: None,
            bytes: Bytes::new(),
            transport_at: (via_at + "SIP/2.0/".len()) as u32,
            branch_at: (via_at + branch_at) as u32,
        }
    }

    /// Puts the message back into the scratch.
    pub(super) fn recall(&self, shared: &mut Shared) {
        shared.scratch.clear();
        shared.scratch.extend_from_slice(&self.bytes);
    }

    pub(super) fn aim(&mut self, target: Target) {
        self.flow = Flow { transport: target.transport, remote: target.remote, ..self.flow };
        self.name = target.name;
    }

    /// Writes transport and branch into the scratch, which is the message from now on.
    pub(super) fn stamp(&mut self, shared: &mut Shared, branch: Branch) {
        patch(&mut shared.scratch, self.transport_at, self.flow.transport.via_name());
        patch(&mut shared.scratch, self.branch_at, &branch.to_string());
        self.bytes = Bytes::copy_from_slice(&shared.scratch);
    }

    pub(super) fn transmit(&self) -> Transmit {
        Transmit { flow: self.flow, name: self.name.clone(), bytes: self.bytes.clone() }
    }

    /// The ACK of a refusal of this INVITE.
    pub(super) fn ack(&self, shared: &mut Shared, refusal: &Message<'_>) -> Option<Self> {
        self.derived(shared, Method::Ack, refusal.header(Name::To), None)
    }

    /// The CANCEL of this INVITE.
    pub(super) fn cancel(&self, shared: &mut Shared, reason: Option<&str>) -> Option<Self> {
        self.derived(shared, Method::Cancel, None, reason)
    }

    fn derived(
        &self,
        shared: &mut Shared,
        method: Method,
        to: Option<&[u8]>,
        reason: Option<&str>,
    ) -> Option<Self> {
        let bytes = shared.derived(method, &self.bytes, to, reason)?;
        Some(Self { bytes, ..self.clone() })
    }
}

/// What stands between the parts of a request line, and up to the value of its Via.
const BEFORE_VIA: &str = "  SIP/2.0\r\nVia: ";

/// The next to be tried. A message that is too long for UDP goes to the first that offers more
/// (RFC 3261 §18.1.1); the others stay in place for when it cannot be reached.
pub(super) fn next_target(targets: &mut VecDeque<Target>, shared: &Shared) -> Option<Target> {
    let too_long = shared.scratch.len() > shared.config.udp_limit_bytes;
    let first_is_udp = targets.front().is_some_and(|target| !target.transport.is_reliable());
    if too_long && first_is_udp {
        let stream = targets.iter().position(|target| target.transport.is_reliable());
        return targets.remove(stream.unwrap_or(0));
    }
    targets.pop_front()
}

fn patch(bytes: &mut [u8], at: u32, text: &str) {
    let at = at as usize;
    if let Some(place) = bytes.get_mut(at..at + text.len()) {
        place.copy_from_slice(text.as_bytes());
    }
}
