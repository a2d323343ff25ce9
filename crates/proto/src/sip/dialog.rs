//! Dialogs (RFC 3261 §12): one type for both ends, local and remote instead of caller and callee.

use super::build::Request;
use super::grammar::quote;
use super::header::{Address, Replaces};
use super::message::{Message, Method, Name};
use super::uri::Uri;

/// The most Record-Route entries that are followed.
const MAX_ROUTES: usize = 32;

/// One end of a dialog.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Party {
    /// The display name, without quotes; may be empty.
    pub display: String,
    /// The URI.
    pub uri: String,
    /// The tag; empty while it is not known, or with an RFC 2543 peer.
    pub tag: String,
}

impl Party {
    /// A party without a tag.
    pub fn new(display: impl Into<String>, uri: impl Into<String>) -> Self {
        Self { display: display.into(), uri: uri.into(), tag: String::new() }
    }

    /// With a tag.
    pub fn with_tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = tag.into();
        self
    }

    /// The user part of the URI, escapes undone.
    pub fn user(&self) -> String {
        Uri::parse(&self.uri).map(|uri| uri.plain_user().into_owned()).unwrap_or_default()
    }

    /// As From and To write it.
    pub fn header_value(&self) -> String {
        let display = if self.display.is_empty() { String::new() } else { quote(&self.display) + " " };
        let tag = if self.tag.is_empty() { String::new() } else { format!(";tag={}", self.tag) };
        format!("{display}<{}>{tag}", self.uri)
    }

    fn from_address(address: &Address<'_>) -> Self {
        Self {
            display: address.display().into_owned(),
            uri: address.uri.to_owned(),
            tag: address.tag().unwrap_or_default().to_owned(),
        }
    }
}

/// What both ends remember of their relation.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// The same for all requests of the dialog.
    pub call_id: String,
    /// We.
    pub local: Party,
    /// They.
    pub remote: Party,
    /// Where their requests are to go: their Contact, or the URI first dialled.
    pub target: String,
    /// The route set, as `Route` values in the order to be visited.
    pub routes: Vec<String>,
    /// The CSeq of our last request.
    pub local_cseq: u32,
    /// The CSeq of their last request.
    pub remote_cseq: Option<u32>,
}

/// A request within a dialog that must be refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OutOfOrder {
    /// Its CSeq is below one already seen: 500 (RFC 3261 §12.2.2).
    OldCSeq,
}

impl Dialog {
    /// Before our first request: the dialog that its answers will establish.
    pub fn outgoing(call_id: String, local: Party, remote: Party, target: String) -> Self {
        Self { call_id, local, remote, target, routes: Vec::new(), local_cseq: 0, remote_cseq: None }
    }

    /// From their first request (RFC 3261 §12.1.1). `None` where its headers cannot be read.
    pub fn incoming(request: &Message<'_>, local_tag: String) -> Option<Self> {
        let from = request.from()?;
        Some(Self {
            call_id: request.call_id().to_owned(),
            local: Party::from_address(&request.to()?).with_tag(local_tag),
            remote: Party::from_address(&from),
            target: request.contact().map_or(from.uri, |contact| contact.uri).to_owned(),
            routes: record_routes(request).collect(),
            local_cseq: 0,
            remote_cseq: Some(request.cseq()?.number),
        })
    }

    /// What a response with a To tag makes of an outgoing dialog (RFC 3261 §12.1.2); several
    /// responses with different tags (forks) make several dialogs.
    pub fn established_by(&self, response: &Message<'_>) -> Self {
        let mut dialog = self.clone();
        dialog.remote.tag = response.to_tag().to_owned();
        dialog.refresh_target(response);
        dialog.routes = record_routes(response).collect();
        dialog.routes.reverse();
        dialog
    }

    /// Whether a message from them belongs to this dialog (RFC 3261 §12.2.2).
    pub fn owns_request(&self, request: &Message<'_>) -> bool {
        request.call_id() == self.call_id
            && request.to_tag() == self.local.tag
            && request.from_tag() == self.remote.tag
    }

    /// Whether a Replaces header names this dialog (RFC 3891 §3).
    pub fn is_named_by(&self, replaces: &Replaces<'_>) -> bool {
        replaces.call_id == self.call_id
            && replaces.to_tag == self.local.tag
            && replaces.from_tag == self.remote.tag
    }

    /// The Replaces value by which they, or whoever they talk to, would name this dialog.
    pub fn replaces_value(&self) -> String {
        format!("{};to-tag={};from-tag={}", self.call_id, self.remote.tag, self.local.tag)
    }

    /// A request of ours: first line, Route, From, To, Call-ID, CSeq and Max-Forwards.
    pub fn request(&mut self, method: Method) -> Request {
        self.local_cseq += 1;
        self.request_with_cseq(method, self.local_cseq)
    }

    /// An ACK or CANCEL, which bears the CSeq of the INVITE it belongs to.
    pub fn request_with_cseq(&self, method: Method, cseq: u32) -> Request {
        let (uri, routes) = self.next_uri();
        let mut request = Request::new(method, uri);
        for route in routes {
            request = request.header(Name::Route, route);
        }
        request
            .header(Name::From, self.local.header_value())
            .header(Name::To, self.remote.header_value())
            .header(Name::CallId, &self.call_id)
            .header(Name::CSeq, format_args!("{cseq} {method}"))
            .header(Name::MaxForwards, 70)
    }

    /// The URI whose address the next request goes to: the first route, else the target.
    pub fn next_hop(&self) -> &str {
        self.routes.first().map_or(&self.target, |route| bare_uri(route))
    }

    /// Takes a request of theirs: its CSeq must rise, its Contact is the new target.
    ///
    /// # Errors
    /// [`OutOfOrder`]; ACK and CANCEL are not asked about.
    pub fn receive(&mut self, request: &Message<'_>) -> Result<(), OutOfOrder> {
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        if self.remote_cseq.is_some_and(|last| number < last) {
            return Err(OutOfOrder::OldCSeq);
        }
        self.remote_cseq = Some(number);
        let refreshes = matches!(
            request.method(),
            Some(Method::Invite | Method::Update | Method::Subscribe | Method::Notify | Method::Refer)
        );
        if refreshes {
            self.refresh_target(request);
        }
        Ok(())
    }

    /// Takes the Contact of a message as the new target (RFC 3261 §12.2.1.2).
    pub fn refresh_target(&mut self, message: &Message<'_>) {
        if let Some(contact) = message.contact().filter(|contact| contact.parsed_uri().is_some()) {
            contact.uri.clone_into(&mut self.target);
        }
    }

    /// Request-URI and Route values, loose or strict (RFC 3261 §12.2.1.1).
    fn next_uri(&self) -> (String, Vec<String>) {
        match self.routes.first() {
            Some(first) if !is_loose(first) => {
                let mut routes = self.routes[1..].to_vec();
                routes.push(format!("<{}>", self.target));
                (bare_uri(first).to_owned(), routes)
            }
            _ => (self.target.clone(), self.routes.clone()),
        }
    }
}

fn record_routes(message: &Message<'_>) -> impl Iterator<Item = String> {
    let routes = message.values(Name::RecordRoute).filter_map(Address::parse).take(MAX_ROUTES);
    routes.map(|route| format!("<{}>", route.uri)).collect::<Vec<_>>().into_iter()
}

fn bare_uri(route: &str) -> &str {
    route.trim_start_matches('<').trim_end_matches('>')
}

fn is_loose(route: &str) -> bool {
    Uri::parse(bare_uri(route)).is_some_and(|uri| uri.params.has("lr"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &[u8] = b"INVITE sip:7005@192.168.80.198:5060 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.168.50.19:5060;branch=z9hG4bKa\r\n\
        Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\nFrom: \"7002\" <sip:7002@192.168.50.19>;tag=f\r\n\
        To: <sip:7005@192.168.80.198>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\nContact: <sip:192.168.50.19:5060>\r\n\r\n";

    fn written(request: &Request) -> String {
        let mut bytes = Vec::new();
        request.write("x", &mut bytes);
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn both_ends_know_the_same() {
        let invite = Message::parse(INVITE).expect("sound");
        let mut callee = Dialog::incoming(&invite, "t".into()).expect("sound");
        assert_eq!(callee.next_hop(), "sip:p1;lr");
        let bye = written(&callee.request(Method::Bye));
        assert!(bye.starts_with("BYE sip:192.168.50.19:5060 SIP/2.0\r\n"), "{bye}");
        assert!(bye.contains("Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\n"), "{bye}");
        assert!(bye.contains("To: \"7002\" <sip:7002@192.168.50.19>;tag=f\r\n"), "{bye}");
        assert_eq!(callee.replaces_value(), "c;to-tag=f;from-tag=t");
    }

    #[test]
    fn a_strict_router_gets_the_request_uri() {
        let mut dialog =
            Dialog::outgoing("c".into(), Party::new("", "sip:a"), Party::new("", "sip:b"), "sip:b".into());
        dialog.routes = vec!["<sip:strict>".into(), "<sip:loose;lr>".into()];
        let bye = written(&dialog.request(Method::Bye));
        assert!(bye.starts_with("BYE sip:strict SIP/2.0\r\n"), "{bye}");
        assert!(bye.contains("Route: <sip:loose;lr>\r\nRoute: <sip:b>\r\n"), "{bye}");
    }

    #[test]
    fn an_old_cseq_is_out_of_order() {
        let invite = Message::parse(INVITE).expect("sound");
        let mut dialog = Dialog::incoming(&invite, "t".into()).expect("sound");
        assert_eq!(dialog.receive(&invite), Ok(()));
        dialog.remote_cseq = Some(8);
        assert_eq!(dialog.receive(&invite), Err(OutOfOrder::OldCSeq));
    }
}
