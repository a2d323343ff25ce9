//! Registrations: REGISTER, 401, REGISTER with digest, 200; or the last two alone.

use std::collections::VecDeque;
use std::io::Write as _;

use bench::sip::{self, Credentials};
use bench::wire::Wire;

use super::drive::{Scenario, Step};
use super::options::Options;

/// The first extension.
pub const FIRST_USER: u32 = 10_000;

/// Phones that register again and again.
pub struct Registering {
    realm: String,
    uri: String,
    phones: Vec<Phone>,
    idle: VecDeque<usize>,
    reuse_nonces: bool,
    left: usize,
    out: Vec<u8>,
}

struct Phone {
    user: u32,
    socket: usize,
    address: String,
    ha1: [u8; 32],
    cseq: u32,
    nonce: Vec<u8>,
    count: u32,
    busy: bool,
}

impl Registering {
    /// All phones of the options, none of them known to the server.
    pub fn new(options: &Options, wire: &Wire) -> Self {
        let phone = |number: usize| {
            let (user, socket) = (FIRST_USER + (number % options.users) as u32, number % wire.count());
            Phone {
                user,
                socket,
                address: wire.address(socket).to_string(),
                ha1: sip::ha1(user, &options.realm, &options.password),
                cseq: 0,
                nonce: Vec::new(),
                count: 0,
                busy: false,
            }
        };
        let phones: Vec<Phone> = (0..options.phones()).map(phone).collect();
        Self {
            realm: options.realm.clone(),
            uri: format!("sip:{}", options.server),
            idle: (0..phones.len()).collect(),
            phones,
            reuse_nonces: false,
            left: usize::MAX,
            out: Vec::with_capacity(1_500),
        }
    }

    /// Whether nonces are used more than once.
    pub fn reuse_nonces(&mut self, reuse: bool) {
        self.reuse_nonces = reuse;
    }

    /// How many registrations there shall be.
    pub fn limit(&mut self, registrations: usize) {
        self.left = registrations;
    }

    fn send(&mut self, place: usize, wire: &Wire) {
        let phone = &mut self.phones[place];
        let Phone { user, cseq, address, .. } = phone;
        let (uri, out) = (&self.uri, &mut self.out);
        out.clear();
        // Writing to a `Vec` cannot fail.
        let _ = write!(
            out,
            "REGISTER {uri} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {address};branch=z9hG4bK{place}x{cseq};rport\r\n\
             Max-Forwards: 70\r\n\
             From: \"{user}\" <sip:{user}@{host}>;tag=r{place}\r\n\
             To: \"{user}\" <sip:{user}@{host}>\r\n\
             Call-ID: r{place}-{run}@load\r\n\
             CSeq: {cseq} REGISTER\r\n\
             Contact: <sip:{user}@{address};line={place}>\r\n\
             User-Agent: load\r\n\
             Expires: 1800\r\n",
            host = &uri[4..],
            run = std::process::id()
        );
        if !phone.nonce.is_empty() {
            let credentials = Credentials {
                header: "Authorization",
                user: phone.user,
                realm: &self.realm,
                ha1: &phone.ha1,
                nonce: &phone.nonce,
                count: phone.count,
                method: "REGISTER",
                uri,
            };
            credentials.write(out);
        }
        out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        wire.send(phone.socket, out);
    }

    fn end(&mut self, place: usize) {
        self.phones[place].busy = false;
        self.idle.push_back(place);
    }
}

impl Scenario for Registering {
    fn begin(&mut self, wire: &Wire) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let place = self.idle.pop_front()?;
        let phone = &mut self.phones[place];
        phone.busy = true;
        phone.cseq += 1;
        phone.count += 1;
        if !self.reuse_nonces {
            phone.nonce.clear();
        }
        self.send(place, wire);
        Some(place)
    }

    fn received(&mut self, _: usize, message: &[u8], wire: &Wire) -> Step {
        let place = sip::header(message, b"Call-ID").and_then(|id| id.strip_prefix(b"r"));
        let Some(place) = place.and_then(sip::number).map(|place| place as usize) else {
            return Step::Nothing;
        };
        let Some(phone) = self.phones.get_mut(place).filter(|phone| phone.busy) else { return Step::Nothing };
        let cseq = sip::header(message, b"CSeq").and_then(sip::number);
        match sip::status(message) {
            _ if cseq != Some(phone.cseq) => Step::Nothing,
            Some(..200) | None => Step::Nothing,
            Some(200) => {
                self.end(place);
                Step::Done(place)
            }
            Some(401) => {
                let challenge = sip::header(message, b"WWW-Authenticate").unwrap_or_default();
                phone.nonce = sip::quoted(challenge, b"nonce=\"").unwrap_or_default().to_vec();
                phone.cseq += 1;
                phone.count = 1;
                self.send(place, wire);
                Step::Sent(place)
            }
            Some(_) => {
                self.end(place);
                Step::Refused(place)
            }
        }
    }

    fn resend(&mut self, place: usize, wire: &Wire) {
        self.send(place, wire);
    }

    fn give_up(&mut self, place: usize) {
        self.end(place);
    }
}
