//! SIP requests with their answers, as the wire showed them.

use std::sync::Arc;

use proto::sdp::attribute::Direction;
use proto::sip::Method;
use proto::sip::message::Flaw;

use super::super::proof::{Path, Proof};
use std::net::SocketAddr;

/// Names one transaction of a case.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TransactionId(pub u32);

/// One request, its resends and its answers.
#[derive(Debug)]
pub struct Transaction {
    /// What the request asks for.
    pub method: Method,
    /// The way of the request; where only answers were seen, the reverse of theirs.
    pub path: Arc<Path>,
    /// Its Call-ID.
    pub call_id: Arc<str>,
    /// The number of CSeq.
    pub cseq: u32,
    /// The branch of the topmost Via.
    pub branch: Box<str>,
    /// What the request said; `None` where the capture holds only answers.
    pub request: Option<Box<Request>>,
    /// The request and its resends in order; empty where only answers were seen.
    pub copies: Vec<Proof>,
    /// The answers in order, each once.
    pub answers: Vec<Answer>,
    /// The first ACK (INVITE alone).
    pub ack: Option<Proof>,
    /// Index of the first ICMP error that quotes this request ([`Tracks::icmp`](super::Tracks::icmp)).
    pub icmp: Option<u32>,
}

/// What a request says.
#[derive(Debug, Default)]
pub struct Request {
    /// The method as written, where we do not know it.
    pub other_method: Option<Box<str>>,
    /// The Request-URI.
    pub uri: Box<str>,
    /// Who: user and host of From.
    pub from: Party,
    /// To whom: user and host of To.
    pub to: Party,
    /// The URI of the first Contact.
    pub contact: Option<Box<str>>,
    /// How many Contacts there are.
    pub contacts: u8,
    /// Expires, of the Contact or of the header, in seconds.
    pub expires_s: Option<u32>,
    /// The user of the credentials that it brings.
    pub username: Option<Box<str>>,
    /// The nonce of its credentials.
    pub nonce: Option<Box<str>>,
    /// Host of the topmost Via.
    pub via_host: Box<str>,
    /// Port of the topmost Via.
    pub via_port: Option<u16>,
    /// Whether the topmost Via asks for `rport`.
    pub rport: bool,
    /// How many Vias there are.
    pub hops: u8,
    /// User-Agent.
    pub user_agent: Option<Box<str>>,
    /// Event with its parameters.
    pub event: Option<Box<str>>,
    /// Subscription-State with its parameters.
    pub subscription_state: Option<Box<str>>,
    /// Refer-To.
    pub refer_to: Option<Box<str>>,
    /// Replaces, as a header.
    pub replaces: Option<Box<str>>,
    /// Reason.
    pub reason_header: Option<Box<str>>,
    /// Session-Expires.
    pub session_expires: Option<Box<str>>,
    /// Diversion.
    pub diversion: Option<Box<str>>,
    /// P-Asserted-Identity or Remote-Party-ID.
    pub asserted: Option<Box<str>>,
    /// What the body says.
    pub body: Body,
    /// Faults of form.
    pub flaws: Vec<Flaw>,
}

/// One side of From and To.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Party {
    /// The user part, escapes resolved.
    pub user: Box<str>,
    /// Host and port.
    pub host: Box<str>,
    /// The display name.
    pub display: Box<str>,
    /// The tag; empty where there is none.
    pub tag: Box<str>,
}

/// What a body says, as far as a rule asks for it.
#[derive(Debug, Default)]
pub struct Body {
    /// The type without parameters, in lower case; empty where there is no body.
    pub kind: Box<str>,
    /// Its length in bytes as it was captured.
    pub bytes: u32,
    /// The session description.
    pub sdp: Option<Box<Sdp>>,
    /// The status in a `message/sipfrag`.
    pub fragment_status: Option<u16>,
    /// The most telling state of a dialog-info: `confirmed`, `early`, `terminated`, …
    pub dialog_state: Option<&'static str>,
    /// The digits of a DTMF INFO.
    pub dtmf: Option<Box<str>>,
    /// What a PnP answer names (`application/url`).
    pub url: Option<Box<str>>,
}

/// A session description in short.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sdp {
    /// The user agent's session id and version (`o=`).
    pub session: (u64, u64),
    /// The address of `o=`.
    pub origin: Box<str>,
    /// Its streams.
    pub media: Vec<SdpMedia>,
}

/// One `m=` line with what belongs to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SdpMedia {
    /// `audio`, `video`, `image`, …
    pub kind: Box<str>,
    /// `RTP/AVP`, `RTP/SAVP`, …
    pub protocol: Box<str>,
    /// The port as written; 0 refuses or ends the stream.
    pub port: u16,
    /// Where RTP is wanted; none at port 0, `0.0.0.0` or a host name.
    pub address: Option<SocketAddr>,
    /// Where RTCP is wanted.
    pub rtcp: Option<SocketAddr>,
    /// Which way.
    pub direction: Direction,
    /// Whether the address is `0.0.0.0` (hold of RFC 2543).
    pub unspecified: bool,
    /// Payload types with name and clock.
    pub formats: Vec<SdpFormat>,
    /// The crypto suites of SDES.
    pub suites: Vec<Box<str>>,
    /// Whether keys come by DTLS (`a=fingerprint`).
    pub has_fingerprint: bool,
    /// `a=ptime`.
    pub ptime_ms: Option<u32>,
}

/// One format of a stream.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SdpFormat {
    /// Payload type.
    pub payload_type: u8,
    /// The name as written, or that of the static assignment.
    pub name: Box<str>,
    /// The clock in Hz; 0 where unknown.
    pub clock_hz: u32,
}

/// One answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// How often it was seen.
    pub copies: Vec<Proof>,
    /// Its way, where it is not simply the reverse of the request's.
    pub path: Option<Arc<Path>>,
    /// What it says.
    pub said: Option<Box<Said>>,
}

/// What an answer says.
#[derive(Debug, Default)]
pub struct Said {
    /// The reason phrase.
    pub reason: Box<str>,
    /// The tag of To.
    pub to_tag: Box<str>,
    /// `received` of the topmost Via.
    pub received: Option<Box<str>>,
    /// `rport` of the topmost Via.
    pub rport: Option<u16>,
    /// The realm of the challenge.
    pub realm: Option<Box<str>>,
    /// The nonce of the challenge.
    pub nonce: Option<Box<str>>,
    /// Whether the challenge says `stale=true`.
    pub stale: bool,
    /// Min-Expires in seconds.
    pub min_expires_s: Option<u32>,
    /// Expires in seconds: that of the binding that the request brought, else the header's.
    pub expires_s: Option<u32>,
    /// Retry-After in seconds.
    pub retry_after_s: Option<u32>,
    /// The URIs of its Contacts, at most 8.
    pub contacts: Vec<Box<str>>,
    /// How many Contacts there are.
    pub contact_count: u16,
    /// User-Agent or Server.
    pub server: Option<Box<str>>,
    /// Reason.
    pub reason_header: Option<Box<str>>,
    /// Warning.
    pub warning: Option<Box<str>>,
    /// Session-Expires.
    pub session_expires: Option<Box<str>>,
    /// Diversion.
    pub diversion: Option<Box<str>>,
    /// What the body says.
    pub body: Body,
    /// Faults of form.
    pub flaws: Vec<Flaw>,
}

impl Transaction {
    /// The first final answer.
    pub fn last_answer(&self) -> Option<&Answer> {
        self.answers.iter().find(|answer| answer.status >= 200)
    }

    /// The status of the first final answer.
    pub fn status(&self) -> Option<u16> {
        self.last_answer().map(|answer| answer.status)
    }

    /// The first thing that was seen of it.
    pub fn first(&self) -> Option<Proof> {
        self.copies.first().copied().or_else(|| self.answers.first().and_then(Answer::first))
    }

    /// The last thing that was seen of it.
    pub fn last(&self) -> Option<Proof> {
        let sent = self.copies.last().copied();
        let answered = self.answers.iter().filter_map(|answer| answer.copies.last().copied());
        answered.chain(sent).chain(self.ack).max()
    }

    /// About how many bytes it takes.
    pub fn weight(&self) -> usize {
        let request = self.request.as_ref().map_or(0, |request| request.weight());
        let answers = self.answers.iter().map(Answer::weight).sum::<usize>();
        size_of::<Self>() + self.branch.len() + self.copies.len() * size_of::<Proof>() + request + answers
    }

    /// Whether its request brought credentials.
    pub fn has_credentials(&self) -> bool {
        self.request.as_ref().is_some_and(|request| request.username.is_some())
    }
}

/// Lengths of texts, with what each costs beside its letters.
fn lengths<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> usize {
    texts.into_iter().flatten().map(|text| text.len() + 16).sum()
}

impl Request {
    /// About how many bytes it takes.
    fn weight(&self) -> usize {
        let optional = [
            &self.other_method,
            &self.contact,
            &self.username,
            &self.nonce,
            &self.user_agent,
            &self.event,
            &self.subscription_state,
            &self.refer_to,
            &self.replaces,
            &self.reason_header,
            &self.session_expires,
            &self.diversion,
            &self.asserted,
        ];
        let parties = [&self.from, &self.to]
            .map(|party| lengths([&*party.user, &*party.host, &*party.display, &*party.tag].map(Some)));
        let texts = lengths(optional.map(|text| text.as_deref()))
            + lengths([Some(&*self.uri), Some(&*self.via_host)]);
        size_of::<Self>()
            + texts
            + parties.iter().sum::<usize>()
            + self.body.weight()
            + size_of_val(&*self.flaws)
    }
}

impl Body {
    fn weight(&self) -> usize {
        let formats = |sdp: &Sdp| sdp.media.iter().map(|media| media.formats.len() * 64).sum::<usize>();
        let sdp = |sdp: &Sdp| size_of::<Sdp>() + sdp.media.len() * size_of::<SdpMedia>() + formats(sdp);
        lengths([Some(&*self.kind), self.dtmf.as_deref(), self.url.as_deref()])
            + self.sdp.as_deref().map_or(0, sdp)
    }
}

impl Answer {
    /// About how many bytes it takes.
    pub fn weight(&self) -> usize {
        let said = self.said.as_ref().map_or(0, |said| {
            let optional = [
                &said.received,
                &said.realm,
                &said.nonce,
                &said.server,
                &said.reason_header,
                &said.warning,
                &said.session_expires,
                &said.diversion,
            ];
            let contacts = lengths(said.contacts.iter().map(|contact| Some(&**contact)));
            let texts = lengths(optional.map(|text| text.as_deref()))
                + lengths([Some(&*said.reason), Some(&*said.to_tag)]);
            size_of::<Said>() + texts + contacts + said.body.weight() + size_of_val(&*said.flaws)
        });
        size_of::<Self>() + self.copies.len() * size_of::<Proof>() + said
    }

    /// Where it was seen first.
    pub fn first(&self) -> Option<Proof> {
        self.copies.first().copied()
    }
}

impl Sdp {
    /// The first sound stream.
    pub fn audio(&self) -> Option<&SdpMedia> {
        self.media.iter().find(|media| &*media.kind == "audio")
    }
}
