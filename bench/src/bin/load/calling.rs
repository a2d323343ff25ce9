//! Calls between pairs of extensions: INVITE, 401 or 407, ACK, INVITE with digest, 180, 200, ACK, and
//! BYE at once. The called phones answer without memory.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Instant;

use bench::sip::{self, Credentials};
use bench::wire::Wire;

use super::drive::{Scenario, Step};
use super::options::Options;
use super::registering::FIRST_USER;

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.1.1\r\ns=-\r\nc=IN IP4 127.0.1.1\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

/// Pairs of phones that call.
pub struct Calling {
    realm: String,
    server: String,
    password: String,
    body: &'static str,
    addresses: Vec<String>,
    calls: Vec<Call>,
    idle: Vec<usize>,
    pairs: usize,
    next_pair: usize,
    serial: u32,
    invited_at: Instant,
    /// Where both ends of calls that stay send their sound; none where calls end at once.
    held: Option<Vec<SocketAddr>>,
    out: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Stage {
    #[default]
    Idle,
    Inviting,
    HangingUp,
}

/// One call, told apart from others of its place by its number.
#[derive(Default)]
struct Call {
    stage: Stage,
    serial: u32,
    caller: u32,
    socket: usize,
    cseq: u32,
    to: Vec<u8>,
    target: Vec<u8>,
    routes: Vec<Vec<u8>>,
    /// The request that is unanswered, to be sent again as it is.
    request: Vec<u8>,
}

impl Calling {
    /// Half of the extensions call the other half.
    pub fn new(options: &Options, wire: &Wire) -> Self {
        Self {
            realm: options.realm.clone(),
            server: options.server.to_string(),
            password: options.password.clone(),
            body: if options.offer { OFFER } else { "" },
            addresses: (0..wire.count()).map(|socket| wire.address(socket).to_string()).collect(),
            calls: Vec::new(),
            idle: Vec::new(),
            pairs: options.users / 2,
            next_pair: 0,
            serial: 0,
            invited_at: Instant::now(),
            held: None,
            out: Vec::with_capacity(1_500),
        }
    }

    /// Calls stay, one for each pair.
    pub fn hold(mut self) -> Self {
        self.held = Some(Vec::new());
        self
    }

    /// Where the ends of the calls that stay send their sound.
    pub fn sound_addresses(&self) -> &[SocketAddr] {
        self.held.as_deref().unwrap_or_default()
    }

    /// When the last INVITE went out.
    pub fn invited_at(&self) -> Instant {
        self.invited_at
    }

    fn invite(&mut self, place: usize, challenge: Option<(&str, &[u8])>, wire: &Wire) {
        let call = &mut self.calls[place];
        call.cseq += 1;
        let uri = format!("sip:{}@{}", call.caller + 1, self.server);
        let mut out = std::mem::take(&mut call.request);
        write_head(&mut out, call, place, "INVITE", &uri, &self.addresses, &self.server);
        if let Some((header, nonce)) = challenge {
            let ha1 = sip::ha1(call.caller, &self.realm, &self.password);
            let (user, realm) = (call.caller, self.realm.as_str());
            Credentials { header, user, realm, ha1: &ha1, nonce, count: 1, method: "INVITE", uri: &uri }
                .write(&mut out);
        }
        write_body(&mut out, self.body);
        self.invited_at = Instant::now();
        wire.send(call.socket, &out);
        call.request = out;
    }

    /// The ACK of a refusal belongs to the transaction of its INVITE.
    fn acknowledge_refusal(&mut self, place: usize, to: &[u8], wire: &Wire) {
        let call = &mut self.calls[place];
        call.to = to.to_vec();
        let uri = format!("sip:{}@{}", call.caller + 1, self.server);
        write_head(&mut self.out, call, place, "ACK", &uri, &self.addresses, &self.server);
        write_body(&mut self.out, "");
        wire.send(call.socket, &self.out);
        call.to.clear();
    }

    fn answered(&mut self, place: usize, message: &[u8], wire: &Wire) -> Step {
        let call = &mut self.calls[place];
        call.to = sip::header(message, b"To").unwrap_or_default().to_vec();
        let contact = sip::header(message, b"Contact").and_then(sip::bracketed);
        call.target = contact.unwrap_or_default().to_vec();
        call.routes = sip::headers(message, b"Record-Route").map(<[u8]>::to_vec).collect();
        call.routes.reverse();
        self.acknowledge(place, wire);
        if let Some(held) = &mut self.held {
            held.extend(sip::sound_address(message));
            self.end(place);
            return Step::Done(place);
        }
        let call = &mut self.calls[place];
        call.cseq += 1;
        call.stage = Stage::HangingUp;
        let mut out = std::mem::take(&mut call.request);
        let target = String::from_utf8_lossy(&call.target).into_owned();
        write_head(&mut out, call, place, "BYE", &target, &self.addresses, &self.server);
        write_body(&mut out, "");
        wire.send(call.socket, &out);
        call.request = out;
        Step::Sent(place)
    }

    fn acknowledge(&mut self, place: usize, wire: &Wire) {
        let call = &self.calls[place];
        let target = String::from_utf8_lossy(&call.target).into_owned();
        write_head(&mut self.out, call, place, "ACK", &target, &self.addresses, &self.server);
        write_body(&mut self.out, "");
        wire.send(call.socket, &self.out);
    }

    /// A request to a called phone.
    fn serve(&mut self, socket: usize, request: &[u8], wire: &Wire) {
        if request.starts_with(b"INVITE ") {
            if let Some(held) = &mut self.held {
                held.extend(sip::sound_address(request));
            }
            self.respond(socket, request, "180 Ringing", "", wire);
            self.respond(socket, request, "200 OK", self.body, wire);
        } else if !request.starts_with(b"ACK ") {
            self.respond(socket, request, "200 OK", "", wire);
        }
    }

    fn respond(&mut self, socket: usize, request: &[u8], status: &str, body: &str, wire: &Wire) {
        let out = &mut self.out;
        sip::write_response(request, status, &self.addresses[socket], out);
        write_body(out, body);
        wire.send(socket, out);
    }

    fn end(&mut self, place: usize) {
        self.calls[place].stage = Stage::Idle;
        self.idle.push(place);
    }
}

impl Scenario for Calling {
    fn begin(&mut self, wire: &Wire) -> Option<usize> {
        if self.held.is_some() && self.serial as usize == self.pairs {
            return None;
        }
        let place = self.idle.pop().unwrap_or_else(|| {
            self.calls.push(Call::default());
            self.calls.len() - 1
        });
        self.serial += 1;
        self.next_pair = (self.next_pair + 1) % self.pairs;
        let call = &mut self.calls[place];
        call.stage = Stage::Inviting;
        call.serial = self.serial;
        call.caller = FIRST_USER + 2 * self.next_pair as u32;
        call.socket = 2 * self.next_pair % self.addresses.len();
        call.cseq = 0;
        call.target.clear();
        call.to.clear();
        call.routes.clear();
        self.invite(place, None, wire);
        Some(place)
    }

    fn received(&mut self, socket: usize, message: &[u8], wire: &Wire) -> Step {
        let Some(status) = sip::status(message) else {
            self.serve(socket, message, wire);
            return Step::Nothing;
        };
        let id = sip::header(message, b"Call-ID").and_then(|id| id.strip_prefix(b"c")).unwrap_or_default();
        let Some((place, serial)) = two_numbers(id) else { return Step::Nothing };
        let Some(call) = self.calls.get(place).filter(|call| call.serial == serial) else {
            return Step::Nothing;
        };
        let cseq = sip::header(message, b"CSeq").unwrap_or_default();
        let (latest, invites) = (sip::number(cseq) == Some(call.cseq), cseq.ends_with(b"INVITE"));
        match (status, call.stage) {
            (..200, _) | (_, Stage::Idle) => Step::Nothing,
            (200, Stage::Inviting) if latest => self.answered(place, message, wire),
            // A copy of the 200, whose ACK may be lost.
            (200, Stage::HangingUp) if invites => Step::Nothing,
            (200, Stage::HangingUp) if latest => {
                self.end(place);
                Step::Done(place)
            }
            (401 | 407, Stage::Inviting) if latest => {
                let to = sip::header(message, b"To").unwrap_or_default().to_vec();
                self.acknowledge_refusal(place, &to, wire);
                let (header, name): (_, &[u8]) = match status {
                    401 => ("Authorization", b"WWW-Authenticate"),
                    _ => ("Proxy-Authorization", b"Proxy-Authenticate"),
                };
                let challenge = sip::header(message, name).unwrap_or_default();
                let nonce = sip::quoted(challenge, b"nonce=\"").unwrap_or_default().to_vec();
                self.invite(place, Some((header, &nonce)), wire);
                Step::Sent(place)
            }
            (300.., _) if latest => {
                self.end(place);
                Step::Refused(place)
            }
            _ => Step::Nothing,
        }
    }

    fn resend(&mut self, place: usize, wire: &Wire) {
        let call = &self.calls[place];
        wire.send(call.socket, &call.request);
    }

    fn give_up(&mut self, place: usize) {
        self.end(place);
    }
}

/// `7-12`.
fn two_numbers(text: &[u8]) -> Option<(usize, u32)> {
    let dash = text.iter().position(|&b| b == b'-')?;
    Some((sip::number(&text[..dash])? as usize, sip::number(&text[dash + 1..])?))
}

fn write_head(
    out: &mut Vec<u8>,
    call: &Call,
    place: usize,
    method: &str,
    uri: &str,
    addresses: &[String],
    server: &str,
) {
    let Call { serial, caller, cseq, socket, to, .. } = call;
    let (address, called) = (&addresses[*socket], caller + 1);
    out.clear();
    // An ACK within the dialog is a transaction of its own; that of a refusal is not.
    let own = if method == "ACK" && !call.target.is_empty() && !to.is_empty() { "a" } else { "" };
    // Writing to a `Vec` cannot fail.
    let _ = write!(
        out,
        "{method} {uri} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {address};branch=z9hG4bK{place}x{serial}x{cseq}{own};rport\r\n\
         Max-Forwards: 70\r\n\
         From: \"{caller}\" <sip:{caller}@{server}>;tag=c{serial}\r\n\
         To: "
    );
    if to.is_empty() {
        let _ = write!(out, "<sip:{called}@{server}>");
    } else {
        out.extend_from_slice(to);
    }
    let _ = write!(out, "\r\nCall-ID: c{place}-{serial}@load\r\nCSeq: {cseq} {method}\r\n");
    for route in &call.routes {
        out.extend_from_slice(b"Route: ");
        out.extend_from_slice(route);
        out.extend_from_slice(b"\r\n");
    }
    if method == "INVITE" {
        let _ = write!(out, "Contact: <sip:{caller}@{address}>\r\n");
    }
}

fn write_body(out: &mut Vec<u8>, body: &str) {
    if !body.is_empty() {
        out.extend_from_slice(b"Content-Type: application/sdp\r\n");
    }
    // Writing to a `Vec` cannot fail.
    let _ = write!(out, "Content-Length: {}\r\n\r\n{body}", body.len());
}
