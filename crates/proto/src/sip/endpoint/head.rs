//! The head of a response: what is copied from its request (RFC 3261 §8.2.6.2), the top Via
//! completed with where the request came from (RFC 3261 §18.2.1, RFC 3581 §4).

use std::fmt::{self, Write as _};
use std::net::SocketAddr;

use bytes::Bytes;

use super::Shared;
use crate::sip::grammar::unquoted;
use crate::sip::header::Via;
use crate::sip::{Flow, Message, Method, Name, Reply, Transmit};

/// Via, From, To, Call-ID and CSeq of a request, then Timestamp, then Record-Route.
#[derive(Clone, Debug)]
pub(super) struct Head {
    bytes: Vec<u8>,
    /// Where the tag goes, unless To has one.
    to_end: Option<u32>,
    core_end: u32,
    timestamp_end: u32,
}

impl Head {
    /// `source` is where the request came from; `bytes` is written anew.
    pub(super) fn copy(request: &Message<'_>, source: SocketAddr, mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        for (number, line) in request.headers(Name::Via).enumerate() {
            bytes.extend_from_slice(b"Via: ");
            match number {
                0 => write_top_via(line, request.via(), source, &mut bytes),
                _ => bytes.extend_from_slice(line),
            }
            bytes.extend_from_slice(b"\r\n");
        }
        copy_first(request, Name::From, &mut bytes);
        copy_first(request, Name::To, &mut bytes);
        let untagged = request.header(Name::To).is_some() && request.to_tag().is_empty();
        let to_end = untagged.then(|| bytes.len() as u32 - 2);
        copy_first(request, Name::CallId, &mut bytes);
        copy_first(request, Name::CSeq, &mut bytes);
        let core_end = bytes.len() as u32;
        copy_first(request, Name::Timestamp, &mut bytes);
        let timestamp_end = bytes.len() as u32;
        for route in request.headers(Name::RecordRoute) {
            write_line(Name::RecordRoute, route, &mut bytes);
        }
        Self { bytes, to_end, core_end, timestamp_end }
    }

    /// How many bytes it has.
    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The room that it took.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Whether a reply needs a tag.
    pub(super) fn lacks_tag(&self) -> bool {
        self.to_end.is_some()
    }

    /// Writes the whole response. A 100 has no tag and gives the Timestamp back (RFC 3261 §8.2.6.1);
    /// what may open a dialog gives the Record-Route back (RFC 3261 §12.1.1).
    pub(super) fn write(&self, reply: &Reply, tag: &str, out: &mut Vec<u8>) {
        reply.write_status_line(out);
        self.write_core(if reply.status > 100 { tag } else { "" }, out);
        match reply.status {
            ..=100 => out.extend_from_slice(self.part(self.core_end, self.timestamp_end)),
            101..=299 => out.extend_from_slice(self.part(self.timestamp_end, self.bytes.len() as u32)),
            300.. => {}
        }
        reply.write_rest(out);
    }

    /// Writes the response without anything that could be left out.
    pub(super) fn write_shortest(&self, reply: &Reply, tag: &str, out: &mut Vec<u8>) {
        reply.write_status_line(out);
        self.write_core(tag, out);
        out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    }

    fn write_core(&self, tag: &str, out: &mut Vec<u8>) {
        let to_end = self.to_end.unwrap_or(self.core_end);
        out.extend_from_slice(self.part(0, to_end));
        if self.lacks_tag() && !tag.is_empty() {
            out.extend_from_slice(b";tag=");
            out.extend_from_slice(tag.as_bytes());
        }
        out.extend_from_slice(self.part(to_end, self.core_end));
    }

    fn part(&self, from: u32, to: u32) -> &[u8] {
        self.bytes.get(from as usize..to as usize).unwrap_or_default()
    }
}

impl Shared {
    /// Answers without memory, and never with more than twice the request's length.
    pub(super) fn answer(
        &mut self,
        flow: Flow,
        request: &Message<'_>,
        reply: &Reply,
        out: &mut Vec<Transmit>,
    ) {
        let Some(via) = request.via() else { return };
        let head = Head::copy(request, flow.remote, std::mem::take(&mut self.spare));
        let tag = reply.to_tag.clone().unwrap_or_else(|| self.keys.tag(request));
        let most = request.bytes().len() * 2;
        self.scratch.clear();
        head.write(reply, &tag, &mut self.scratch);
        if self.scratch.len() > most {
            self.scratch.clear();
            head.write_shortest(reply, &tag, &mut self.scratch);
        }
        if self.scratch.len() <= most {
            let bytes = Bytes::copy_from_slice(&self.scratch);
            out.push(Transmit { flow: reply_flow(flow, &via), name: None, bytes });
        }
        self.spare = head.into_bytes();
    }

    /// A reply that the endpoint gives by itself.
    pub(super) fn own_reply(&self, status: u16) -> Reply {
        Reply::new(status).header_opt(Name::Server, self.config.product.as_deref())
    }
}

/// The refusal of a request that no endpoint gets to see, because its stream is closed after it
/// (RFC 3261 §18.3). `head` is what there is of the request, `source` where it came from, `tag` the tag of
/// To. None where nobody can be answered: a response, an ACK, no Via, or no SIP at all.
pub fn refusal(head: &[u8], source: SocketAddr, status: u16, tag: &str) -> Option<Vec<u8>> {
    let request = Message::parse(head).ok()?;
    request.via()?;
    if !request.is_request() || request.method() == Some(Method::Ack) {
        return None;
    }
    let mut bytes = Vec::new();
    Head::copy(&request, source, Vec::new()).write(&Reply::new(status), tag, &mut bytes);
    Some(bytes)
}

/// Where responses go: the connection itself, or the source address with the source port if the
/// peer asked for `rport`, else the port of its Via (RFC 3261 §18.2.2, RFC 3581 §4). `maddr` is not
/// followed: it would let anyone aim our responses at others.
pub(super) fn reply_flow(flow: Flow, via: &Via<'_>) -> Flow {
    if flow.transport.is_reliable() || via.params.has("rport") {
        return flow;
    }
    let port = via.port.unwrap_or(flow.transport.default_port());
    Flow { remote: SocketAddr::new(flow.remote.ip(), port), ..flow }
}

fn copy_first(request: &Message<'_>, name: Name, out: &mut Vec<u8>) {
    if let Some(value) = request.header(name) {
        write_line(name, value, out);
    }
}

fn write_line(name: Name, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes a Via line whose first member, which is `via`, gets `received` and the value of its `rport`.
fn write_top_via(line: &[u8], via: Option<Via<'_>>, source: SocketAddr, out: &mut Vec<u8>) {
    let member_end = unquoted(line, b',').unwrap_or(line.len());
    let (member, others) = line.split_at(member_end);
    let Some(via) = via.filter(|_| !member.trim_ascii().is_empty()) else {
        return out.extend_from_slice(line);
    };
    let params_at = unquoted(member, b';').unwrap_or(member.len());
    out.extend_from_slice(member[..params_at].trim_ascii());
    let mut text = Append(out);
    // Writing to a `Vec` cannot fail.
    let _ = write_via_params(&via, source, &mut text);
    out.extend_from_slice(others);
}

fn write_via_params(via: &Via<'_>, source: SocketAddr, text: &mut Append<'_>) -> fmt::Result {
    let mut rport = false;
    for (name, value) in via.params.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("received")) {
        text.write_str(";")?;
        text.write_str(name)?;
        if name.eq_ignore_ascii_case("rport") {
            rport = true;
            write!(text, "={}", source.port())?;
        } else if let Some(value) = value {
            text.write_str("=")?;
            text.write_str(value)?;
        }
    }
    let host = via.host.trim_start_matches('[').trim_end_matches(']');
    if rport || host.parse() != Ok(source.ip()) {
        write!(text, ";received={}", source.ip())?;
    }
    Ok(())
}

struct Append<'a>(&'a mut Vec<u8>);

impl fmt::Write for Append<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_via_says_where_the_request_came_from() {
        check("SIP/2.0/UDP 192.0.2.1;branch=z9", "SIP/2.0/UDP 192.0.2.1;branch=z9");
        check("SIP/2.0/UDP a.example;branch=z9", "SIP/2.0/UDP a.example;branch=z9;received=192.0.2.1");
        check(
            "SIP/2.0/UDP 10.0.0.1:5062 ; rport;branch=z9",
            "SIP/2.0/UDP 10.0.0.1:5062;rport=40000;branch=z9;received=192.0.2.1",
        );
        check("SIP/2.0/UDP 192.0.2.1;rport", "SIP/2.0/UDP 192.0.2.1;rport=40000;received=192.0.2.1");
        check(
            "SIP/2.0/UDP 192.0.2.1;received=203.0.113.9;x, SIP/2.0/TCP b;rport",
            "SIP/2.0/UDP 192.0.2.1;x, SIP/2.0/TCP b;rport",
        );
        check("nonsense", "nonsense");
    }

    #[test]
    fn responses_go_to_the_source_at_the_right_port() {
        let flow = |transport, port| Flow {
            transport,
            local: "192.0.2.9:5060".parse().expect("sound"),
            remote: SocketAddr::new("192.0.2.1".parse().expect("sound"), port),
        };
        let (udp, tcp) = (crate::sip::Transport::Udp, crate::sip::Transport::Tcp);
        let port = |transport, via: &str| {
            reply_flow(flow(transport, 40_000), &Via::parse(via.as_bytes()).expect("sound")).remote.port()
        };
        assert_eq!(port(udp, "SIP/2.0/UDP a"), 5_060);
        assert_eq!(port(udp, "SIP/2.0/UDP a:5070"), 5_070);
        assert_eq!(port(udp, "SIP/2.0/UDP a:5070;rport"), 40_000);
        assert_eq!(port(tcp, "SIP/2.0/TCP a:5070"), 40_000);
        assert_eq!(port(udp, "SIP/2.0/UDP a;maddr=203.0.113.9"), 5_060);
    }

    #[track_caller]
    fn check(via: &str, expected: &str) {
        let mut out = Vec::new();
        let first = crate::sip::grammar::members(via.as_bytes()).next().and_then(Via::parse);
        write_top_via(via.as_bytes(), first, "192.0.2.1:40000".parse().expect("sound"), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
