//! The answering end: one account's credentials and what its server has asked for.

use std::fmt::{self, Write as _};

use super::{Algorithm, Fields, Ha1, Protection, Qop, Terms};
use crate::Rng;
use crate::sip::grammar::quote;
use crate::sip::{Message, Name, Request};

/// How often one request is answered anew because its nonce was stale.
const MAX_STALE: u8 = 3;
/// A longer nonce, realm or opaque is not sent back.
const MAX_FIELD_BYTES: usize = 1_024;

/// Who we are to one server.
#[derive(Clone)]
pub struct Credentials {
    /// The user name of the account.
    pub username: String,
    /// What proves it.
    pub secret: Secret,
    /// The only realm that may ask; `None`: the first that the server names.
    pub realm: Option<String>,
}

/// What proves who we are.
#[derive(Clone)]
pub enum Secret {
    /// The password.
    Password(String),
    /// Its hash, good for one realm.
    Ha1(Ha1),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({:?}, …)", self.username)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// One challenge that we can answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Challenge<'a> {
    /// The realm, escapes kept.
    pub realm: &'a str,
    /// The nonce.
    pub nonce: &'a str,
    /// Whether the last answer was right but for its nonce.
    pub stale: bool,
    /// The hash.
    pub algorithm: Algorithm,
    algorithm_text: Option<&'a str>,
    session: bool,
    opaque: Option<&'a str>,
    qop: Option<Qop>,
}

impl<'a> Challenge<'a> {
    /// Reads one header value. `None` where scheme, hash or quality is not ours (RFC 7616 §3.3).
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let fields = Fields::parse(value)?;
        let (algorithm, session) = fields.algorithm()?;
        let qop = match fields.qop {
            None => None,
            Some(offered) => {
                let mut known = offered.split(',').filter_map(|name| Qop::from_name(name.trim()));
                let first = known.next()?;
                Some(if known.any(|qop| qop == Qop::Auth) { Qop::Auth } else { first })
            }
        };
        if session && qop.is_none() {
            return None;
        }
        let challenge = Self {
            realm: fields.realm?,
            nonce: fields.nonce?,
            stale: fields.stale.is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            algorithm,
            algorithm_text: fields.algorithm,
            session,
            opaque: fields.opaque,
            qop,
        };
        let fields = [challenge.realm, challenge.nonce, challenge.opaque.unwrap_or_default()];
        fields.iter().all(|field| field.len() <= MAX_FIELD_BYTES).then_some(challenge)
    }

    /// The best of those of one realm: SHA-256 before MD5, else the first (RFC 8760 §2.4).
    fn best(challenges: impl Iterator<Item = Self>) -> Option<Self> {
        challenges.reduce(|best, next| {
            let stronger = best.algorithm == Algorithm::Md5 && next.algorithm == Algorithm::Sha256;
            if stronger { next } else { best }
        })
    }
}

/// How often the challenges to one request were answered; a new one for each request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Attempt {
    answered: [u8; 2],
}

/// Why a challenge is not answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The answer was not accepted.
    WrongPassword,
    /// The server calls every nonce of its own stale.
    AlwaysStale,
    /// No challenge that we can read or whose algorithm we know.
    Unknown,
    /// It did not come from the account's server.
    OtherSource,
    /// It names another realm than the account's server does.
    OtherRealm {
        /// The realm that it names.
        named: String,
        /// The account's.
        expected: String,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongPassword => {
                f.write_str("the server did not accept the credentials: check user name and password")
            }
            Self::AlwaysStale => f.write_str("the server keeps calling its own nonces stale"),
            Self::Unknown => f.write_str("the server asks for an authentication that is not supported"),
            Self::OtherSource => f.write_str("a challenge that did not come from the account's server"),
            Self::OtherRealm { named, expected } => {
                write!(f, "a challenge for realm {named:?}, but the account's is {expected:?}")
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// What one account knows of its server's challenges.
///
/// The last nonce is kept and its count raised for each request, so that only the first request is
/// challenged (RFC 7616 §3.4.5; deck, BLF).
#[derive(Clone, Debug)]
pub struct Client {
    credentials: Credentials,
    any_realm: bool,
    sessions: [Option<Session>; 2],
}

/// One challenge that is being answered, 401 and 407 apart.
#[derive(Clone, Debug)]
struct Session {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    algorithm_text: Option<String>,
    session: bool,
    qop: Option<Qop>,
    ha1: Ha1,
    count: u32,
    /// The last request, by which the server's own proof is judged.
    last: Option<Sent>,
}

/// What went into an answer with `qop=auth`.
#[derive(Clone, Debug)]
struct Sent {
    nonce: String,
    nc: String,
    cnonce: String,
    uri: String,
}

impl Client {
    /// For one account. With `any_realm` a realm that changes is answered too; without, passwords
    /// are proven to the first realm alone.
    pub fn new(credentials: Credentials, any_realm: bool) -> Self {
        Self { credentials, any_realm, sessions: [None, None] }
    }

    /// Takes in a 401 or 407. `from_server` tells whether it came from where the account's requests
    /// go. Afterwards [`authorize`](Self::authorize) the request once more.
    ///
    /// # Errors
    /// [`Refusal`] where the request must not be sent again.
    pub fn challenged(
        &mut self,
        attempt: &mut Attempt,
        response: &Message<'_>,
        from_server: bool,
    ) -> Result<(), Refusal> {
        let side = usize::from(response.status() == Some(407));
        let name = if side == 1 { Name::ProxyAuthenticate } else { Name::WwwAuthenticate };
        if !from_server && !self.any_realm {
            return Err(Refusal::OtherSource);
        }
        self.take_challenge(attempt, side, response.headers(name))
    }

    /// The same for a 401 of HTTP, of which only the `WWW-Authenticate` values are known.
    ///
    /// # Errors
    /// As [`challenged`](Self::challenged).
    pub fn challenged_by<'m>(
        &mut self,
        attempt: &mut Attempt,
        values: impl Iterator<Item = &'m [u8]>,
    ) -> Result<(), Refusal> {
        self.take_challenge(attempt, 0, values)
    }

    fn take_challenge<'m>(
        &mut self,
        attempt: &mut Attempt,
        side: usize,
        values: impl Iterator<Item = &'m [u8]>,
    ) -> Result<(), Refusal> {
        let challenge = self.choose(side, values)?;
        match attempt.answered[side] {
            0 => {}
            _ if !challenge.stale => return Err(Refusal::WrongPassword),
            MAX_STALE.. => return Err(Refusal::AlwaysStale),
            _ => {}
        }
        attempt.answered[side] += 1;
        self.sessions[side] = Some(self.begin(&challenge));
        Ok(())
    }

    /// Adds what the server has asked for so far; nothing before the first challenge. The request
    /// must not carry credentials yet.
    pub fn authorize(&mut self, request: Request, rng: &mut Rng) -> Request {
        let method = request.method.as_str();
        let headers = self.headers(method, request.uri(), request.body_bytes(), rng);
        headers.into_iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    /// The headers for one request, `Authorization` before `Proxy-Authorization`; each call counts
    /// the nonce up.
    pub fn headers(&mut self, method: &str, uri: &str, body: &[u8], rng: &mut Rng) -> Vec<(Name, String)> {
        let names = [Name::Authorization, Name::ProxyAuthorization];
        let username = &self.credentials.username;
        let sessions = names.into_iter().zip(&mut self.sessions);
        let known = sessions.filter_map(|(name, session)| Some((name, session.as_mut()?)));
        known.map(|(name, session)| (name, session.answer(username, method, uri, body, rng))).collect()
    }

    /// Takes over the next nonce where a 2xx names one (RFC 7616 §3.5). Whether the server's own proof of the
    /// password, `rspauth`, is right; also where it gives none, or one to another request than the last.
    pub fn accepted(&mut self, response: &Message<'_>) -> bool {
        let names = [Name::AuthenticationInfo, Name::ProxyAuthenticationInfo];
        let told = self.sessions.iter_mut().zip(names);
        // Each proof is looked at, since each may name a nonce.
        told.fold(true, |is_proven, (session, name)| {
            let told = session.as_mut().zip(response.text(name));
            told.is_none_or(|(session, value)| session.is_told(value)) && is_proven
        })
    }

    /// Forgets realm and nonce, as after a change of server or password.
    pub fn forget(&mut self) {
        self.sessions = [None, None];
    }

    fn choose<'m>(
        &self,
        side: usize,
        values: impl Iterator<Item = &'m [u8]>,
    ) -> Result<Challenge<'m>, Refusal> {
        let readable: Vec<Challenge<'m>> = values.filter_map(Challenge::parse).collect();
        let first = readable.first().ok_or(Refusal::Unknown)?;
        let pinned = self.sessions[side].as_ref().map(|session| session.realm.as_str());
        let expected = match self.credentials.realm.as_deref().or(pinned) {
            Some(realm) if !self.any_realm => realm,
            _ => first.realm,
        };
        Challenge::best(readable.iter().copied().filter(|challenge| challenge.realm == expected)).ok_or_else(
            || Refusal::OtherRealm { named: first.realm.to_owned(), expected: expected.to_owned() },
        )
    }

    fn begin(&self, challenge: &Challenge<'_>) -> Session {
        let ha1 = match &self.credentials.secret {
            Secret::Password(password) => Ha1::new(&self.credentials.username, challenge.realm, password),
            Secret::Ha1(ha1) => *ha1,
        };
        Session {
            realm: challenge.realm.to_owned(),
            nonce: challenge.nonce.to_owned(),
            opaque: challenge.opaque.map(str::to_owned),
            algorithm: challenge.algorithm,
            algorithm_text: challenge.algorithm_text.map(str::to_owned),
            session: challenge.session,
            qop: challenge.qop,
            ha1,
            count: 0,
            last: None,
        }
    }
}

impl Session {
    /// Takes an Authentication-Info or Proxy-Authentication-Info; whether its proof is right (RFC 7615 §3, §4).
    fn is_told(&mut self, value: &str) -> bool {
        let field = |wanted: &str| {
            super::pairs(value).find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
        };
        let is_proven = field("rspauth").is_none_or(|proof| self.is_proof(proof, field("cnonce")));
        if let Some(nonce) = field("nextnonce").filter(|nonce| nonce.len() <= MAX_FIELD_BYTES) {
            (self.nonce, self.count) = (nonce.to_owned(), 0);
        }
        is_proven
    }

    /// Whether the server has proven the password to the last request: the response of a request without a
    /// method (RFC 7616 §3.5). Nothing is known of an answer to another request.
    fn is_proof(&self, proof: &str, cnonce: Option<&str>) -> bool {
        let is_to = |last: &&Sent| cnonce.is_none_or(|cnonce| last.cnonce == cnonce);
        let Some(last) = self.last.as_ref().filter(is_to) else { return true };
        let terms = Terms {
            algorithm: self.algorithm,
            session: self.session,
            nonce: &last.nonce,
            protection: Some(Protection { nc: &last.nc, cnonce: &last.cnonce, qop: Qop::Auth }),
            method: "",
            uri: &last.uri,
            body: b"",
        };
        terms.response(&self.ha1).as_str().eq_ignore_ascii_case(proof)
    }

    /// The header value, its fields in the order of the deck's phone (deck, Account Registration).
    fn answer(&mut self, username: &str, method: &str, uri: &str, body: &[u8], rng: &mut Rng) -> String {
        self.count = self.count.saturating_add(1);
        let nc = format!("{:08x}", self.count);
        let cnonce = rng.hex(16);
        let terms = Terms {
            algorithm: self.algorithm,
            session: self.session,
            nonce: &self.nonce,
            protection: self.qop.map(|qop| Protection { nc: &nc, cnonce: &cnonce, qop }),
            method,
            uri,
            body,
        };
        let response = terms.response(&self.ha1);
        self.last = (self.qop == Some(Qop::Auth)).then(|| Sent {
            nonce: self.nonce.clone(),
            nc: nc.clone(),
            cnonce: cnonce.clone(),
            uri: uri.to_owned(),
        });
        let mut value = String::with_capacity(320);
        // Writing to a `String` cannot fail.
        let _ = write!(
            value,
            "Digest username={}, realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", response=\"{}\"",
            quote(username),
            self.realm,
            self.nonce,
            response.as_str()
        );
        if let Some(algorithm) = &self.algorithm_text {
            let _ = write!(value, ", algorithm={algorithm}");
        }
        if self.qop.is_some() {
            let _ = write!(value, ", cnonce=\"{cnonce}\"");
        }
        if let Some(opaque) = &self.opaque {
            let _ = write!(value, ", opaque=\"{opaque}\"");
        }
        if let Some(qop) = self.qop {
            let _ = write!(value, ", qop={}, nc={nc}", qop.as_str());
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Method;

    fn response(headers: &str) -> Vec<u8> {
        let status = if headers.starts_with("Proxy") { 407 } else { 401 };
        format!("SIP/2.0 {status} x\r\n{headers}\r\n\r\n").into_bytes()
    }

    fn challenged(client: &mut Client, attempt: &mut Attempt, headers: &str) -> Result<(), Refusal> {
        let bytes = response(headers);
        client.challenged(attempt, &Message::parse(&bytes).expect("sound"), true)
    }

    fn client() -> Client {
        let secret = Secret::Password("secret".into());
        Client::new(Credentials { username: "7005".into(), secret, realm: None }, false)
    }

    fn answers(client: &mut Client) -> Vec<String> {
        let mut rng = Rng::from_number(1);
        let headers = client.headers("REGISTER", "sip:192.168.50.19", b"", &mut rng);
        headers.into_iter().map(|(_, value)| value).collect()
    }

    const DECK: &str =
        "WWW-Authenticate: Digest realm=\"YSAsterisk\",nonce=\"n\",opaque=\"o\",algorithm=MD5,qop=\"auth\"";

    #[test]
    fn the_answer_has_the_form_of_the_deck() {
        let mut client = client();
        assert_eq!(answers(&mut client), [""; 0]);
        challenged(&mut client, &mut Attempt::default(), DECK).expect("answered");
        let [value] = answers(&mut client).try_into().expect("one");
        let response = value.split("response=\"").nth(1).and_then(|v| v.get(..32)).expect("digits");
        let cnonce = value.split("cnonce=\"").nth(1).and_then(|v| v.get(..16)).expect("digits");
        assert_eq!(
            value,
            format!(
                "Digest username=\"7005\", realm=\"YSAsterisk\", nonce=\"n\", uri=\"sip:192.168.50.19\", \
                 response=\"{response}\", algorithm=MD5, cnonce=\"{cnonce}\", opaque=\"o\", qop=auth, nc=00000001"
            )
        );
        assert!(answers(&mut client)[0].ends_with("nc=00000002"), "the nonce is kept");
        let request = client.authorize(Request::new(Method::Bye, "sip:a"), &mut Rng::from_number(1));
        let mut bytes = Vec::new();
        request.write("x", &mut bytes);
        assert!(String::from_utf8_lossy(&bytes).contains("\r\nAuthorization: Digest username"));
    }

    #[test]
    fn the_strongest_hash_is_chosen() {
        let check = |headers: &str, expected: &str| {
            let mut client = client();
            challenged(&mut client, &mut Attempt::default(), headers).expect("answered");
            assert!(answers(&mut client)[0].contains(expected), "{headers}");
        };
        let md5 = "WWW-Authenticate: Digest realm=\"a\",nonce=\"m\"";
        let sha = "WWW-Authenticate: Digest realm=\"a\",nonce=\"s\",algorithm=SHA-256,qop=\"auth-int,auth\"";
        check(&format!("{md5}\r\n{sha}"), "algorithm=SHA-256");
        check(&format!("{sha}\r\n{md5}"), "qop=auth, ");
        check(&format!("{}\r\n{md5}", md5.replace("\"a\"", "\"a\",algorithm=SHA-512-256")), "nonce=\"m\"");
        check(&format!("{md5}\r\n{}", sha.replace("\"a\"", "\"b\"")), "nonce=\"m\"");
        assert!(Challenge::parse(b"Digest realm=\"a\",nonce=\"n\",qop=\"x\"").is_none());
        assert!(
            Challenge::parse(format!("Digest realm=\"a\",nonce=\"{}\"", "n".repeat(2_000)).as_bytes())
                .is_none()
        );
    }

    #[test]
    fn no_loop_and_no_guessing() {
        let (mut client, mut attempt) = (client(), Attempt::default());
        let stale = format!("{DECK},stale=TRUE");
        assert_eq!(challenged(&mut client, &mut attempt, DECK), Ok(()));
        assert_eq!(challenged(&mut client, &mut attempt, &stale), Ok(()));
        assert_eq!(challenged(&mut client, &mut attempt, DECK), Err(Refusal::WrongPassword));
        assert_eq!(challenged(&mut client, &mut attempt, &stale), Ok(()));
        assert_eq!(challenged(&mut client, &mut attempt, &stale), Err(Refusal::AlwaysStale));
        // A server that forgot its nonce may challenge the next request without `stale`.
        assert_eq!(challenged(&mut client, &mut Attempt::default(), DECK), Ok(()));
        assert_eq!(challenged(&mut client, &mut Attempt::default(), "X: y"), Err(Refusal::Unknown));
    }

    #[test]
    fn only_the_accounts_server_is_answered() {
        let mut client = client();
        let bytes = response(DECK);
        let message = Message::parse(&bytes).expect("sound");
        assert_eq!(client.challenged(&mut Attempt::default(), &message, false), Err(Refusal::OtherSource));
        challenged(&mut client, &mut Attempt::default(), DECK).expect("answered");
        let other = DECK.replace("YSAsterisk", "evil");
        let refused = Refusal::OtherRealm { named: "evil".into(), expected: "YSAsterisk".into() };
        assert_eq!(challenged(&mut client, &mut Attempt::default(), &other), Err(refused));
        assert!(answers(&mut client)[0].contains("YSAsterisk"));
        client.forget();
        assert_eq!(challenged(&mut client, &mut Attempt::default(), &other), Ok(()));
        let mut open = Client::new(client.credentials.clone(), true);
        challenged(&mut open, &mut Attempt::default(), DECK).expect("answered");
        assert_eq!(challenged(&mut open, &mut Attempt::default(), &other), Ok(()));
    }

    #[test]
    fn a_proxy_and_a_server_may_both_ask() {
        let (mut client, mut attempt) = (client(), Attempt::default());
        let proxy = DECK.replace("WWW", "Proxy").replace("YSAsterisk", "proxy");
        challenged(&mut client, &mut attempt, &proxy).expect("answered");
        challenged(&mut client, &mut attempt, DECK).expect("answered");
        assert_eq!(answers(&mut client).len(), 2);
        let bytes = b"SIP/2.0 200 OK\r\nAuthentication-Info: qop=auth, nextnonce=\"later\"\r\n\r\n";
        assert!(client.accepted(&Message::parse(bytes).expect("sound")));
        let first = answers(&mut client)[0].clone();
        assert!(first.contains("nonce=\"later\"") && first.ends_with("nc=00000001"), "{first}");
        assert!(answers(&mut client)[0].ends_with("nc=00000002"));
        let bytes = b"SIP/2.0 200 OK\r\nProxy-Authentication-Info: nextnonce=\"after\"\r\n\r\n";
        assert!(client.accepted(&Message::parse(bytes).expect("sound")));
        let second = answers(&mut client)[1].clone();
        assert!(second.contains("nonce=\"after\"") && second.ends_with("nc=00000001"), "{second}");
    }

    /// RFC 7616 §3.5: the hash of a request without a method, here of `MD5(user:realm:password)` and `MD5(:uri)`.
    #[test]
    fn a_servers_own_proof_is_judged() {
        let mut client = client();
        challenged(&mut client, &mut Attempt::default(), DECK).expect("answered");
        let sent = answers(&mut client)[0].clone();
        let field = |name: &str| {
            let at = sent.find(&format!("{name}=")).expect("there") + name.len() + 1;
            sent[at..].split([',', '"']).find(|part| !part.is_empty()).expect("a value").to_owned()
        };
        let (nonce, cnonce, nc, uri) = (field("nonce"), field("cnonce"), field("nc"), field("uri"));
        let Secret::Password(password) = &client.credentials.secret else { panic!("a password") };
        let md5 = |text: String| {
            super::super::Hex::new(&super::super::joined::<md5::Md5>(&[text.as_bytes()])).as_str().to_owned()
        };
        let secret = md5(format!("{}:{}:{password}", client.credentials.username, field("realm")));
        let proof = md5(format!("{secret}:{nonce}:{nc}:{cnonce}:auth:{}", md5(format!(":{uri}"))));
        let mut judge = |info: String| {
            let text = format!("SIP/2.0 200 OK\r\nAuthentication-Info: {info}\r\n\r\n");
            client.accepted(&Message::parse(text.as_bytes()).expect("sound"))
        };
        assert!(judge(format!("qop=auth, rspauth=\"{proof}\", cnonce=\"{cnonce}\", nc={nc}")));
        assert!(judge(format!("rspauth=\"{proof}\"")));
        assert!(!judge(format!("rspauth=\"{}\", cnonce=\"{cnonce}\"", md5("guess".into()))));
        assert!(judge("rspauth=\"0\", cnonce=\"of-another-request\"".into()), "nothing is known of that one");
        assert!(judge("qop=auth".into()));
    }
}
