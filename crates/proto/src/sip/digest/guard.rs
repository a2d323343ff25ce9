//! The asking end: nonces that need no memory, and the check of what comes back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::Choice;

use super::{Algorithm, Fields, Ha1, Hex, Protection, Qop, Terms, is_same, unescaped};
use crate::sip::uri::unescape;
use crate::sip::{Message, Name, Uri};
use crate::{Rng, Time};

/// Hexadecimal digits of the number in a nonce: seconds and serial.
const NUMBER_DIGITS: usize = 16;
/// Bytes of the seal in a nonce.
const SEAL_BYTES: usize = 12;
/// How far requests of one nonce may overtake each other.
const WINDOW: u32 = 64;

/// How a server asks.
#[derive(Clone, Debug)]
pub struct GuardSettings {
    /// The realm; it is part of every [`Ha1`].
    pub realm: String,
    /// The hashes, each a header of its own, the preferred first (RFC 8760 §2.3).
    pub algorithms: Vec<Algorithm>,
    /// Whether a nonce is good only for the address that it was given to.
    pub bind_source: bool,
    /// How long a nonce lives.
    pub nonce_life: Duration,
    /// For how many nonces the used counts are remembered; the oldest are given up as stale.
    pub max_nonces: usize,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self {
            realm: "offhook".into(),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            bind_source: true,
            nonce_life: Duration::from_secs(3_600),
            max_nonces: 200_000,
        }
    }
}

/// What a request presents.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// Where it came from.
    pub source: IpAddr,
    /// The value of its `Authorization`.
    pub header: Option<&'a [u8]>,
    /// Its method as written.
    pub method: &'a str,
    /// Its Request-URI.
    pub uri: &'a str,
    /// Its body, for `auth-int`.
    pub body: &'a [u8],
}

/// What the check has found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict<'a> {
    /// It is this user.
    Ok(Cow<'a, str>),
    /// No credentials for our realm in an algorithm of ours: challenge.
    Missing,
    /// For a nonce that was given to this source and is too old: challenge anew with `stale`.
    Expired,
    /// For a nonce that is another's or nobody's: challenge anew with `stale` (RFC 7616 §3.3). The
    /// answer to it was not looked at: a source that has not shown that it hears us learns nothing of
    /// passwords, and nothing is counted against it.
    Stale,
    /// Right, but seen before: challenge anew with `stale`.
    Replayed,
    /// The user is unknown or the password wrong; nobody can tell which.
    Wrong,
    /// The credentials were made for another Request-URI, or lack a field: 400 (RFC 7616 §3.4).
    Malformed,
}

/// Challenges requests and verifies the answers of one realm.
///
/// A nonce carries its own time under a seal, so that strangers cost no memory. Only counts of
/// nonces that were answered rightly are remembered, and no more than `max_nonces` of them.
pub struct Guard {
    settings: GuardSettings,
    seal: Hmac<Sha256>,
    nobody: Ha1,
    serial: u32,
    used: BTreeMap<u64, Counts>,
    /// Nonces up to this number are stale, since their counts are no longer remembered.
    forgotten: u64,
}

/// Which counts of a nonce were used: the highest, and a bit for each of those before.
#[derive(Clone, Copy, Default)]
struct Counts {
    highest: u32,
    before: u64,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Guard({:?}, {} nonces)", self.settings.realm, self.used.len())
    }
}

impl Guard {
    /// With a secret of its own; what earlier guards gave out is stale to this one.
    pub fn new(settings: GuardSettings, rng: &mut Rng) -> Self {
        let mut key = [0; 64];
        rng.fill(&mut key);
        let mut nobody = Ha1 { md5: [0; 16], sha256: [0; 32] };
        rng.fill(&mut nobody.md5);
        rng.fill(&mut nobody.sha256);
        let seal = <Hmac<Sha256> as KeyInit>::new(&key.into());
        Self { settings, seal, nobody, serial: 0, used: BTreeMap::new(), forgotten: 0 }
    }

    /// The realm.
    pub fn realm(&self) -> &str {
        &self.settings.realm
    }

    /// The values of `WWW-Authenticate` for one refusal, a fresh nonce in each.
    pub fn challenge(&mut self, now: Time, source: IpAddr, stale: bool) -> Vec<String> {
        let nonce = self.nonce(now, source);
        let realm = self.settings.realm.replace(['"', '\\', '\r', '\n'], "");
        let write = |algorithm: &Algorithm| {
            let mut value = String::with_capacity(realm.len() + 112);
            let stale = if stale { ", stale=true" } else { "" };
            let algorithm = algorithm.as_str();
            // Writing to a `String` cannot fail.
            let _ = write!(
                value,
                "Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={algorithm}, qop=\"auth\"{stale}"
            );
            value
        };
        self.settings.algorithms.iter().map(write).collect()
    }

    /// Checks what a request presents. `secret` finds what is kept of a user; for an unknown one
    /// the same work is done, so that the time tells nothing.
    pub fn verify<'a>(
        &mut self,
        now: Time,
        presented: &Presented<'a>,
        secret: impl FnOnce(&str) -> Option<Ha1>,
    ) -> Verdict<'a> {
        let Some(fields) = presented.header.and_then(Fields::parse) else { return Verdict::Missing };
        let Some((algorithm, session)) = fields.algorithm() else { return Verdict::Missing };
        if fields.realm != Some(self.realm()) || !self.settings.algorithms.contains(&algorithm) {
            return Verdict::Missing;
        }
        let (Some(username), Some(nonce), Some(uri), Some(response)) =
            (fields.username, fields.nonce, fields.uri, fields.response)
        else {
            return Verdict::Malformed;
        };
        let Some((protection, count)) = protection(&fields) else { return Verdict::Malformed };
        if !same_resource(uri, presented.uri) {
            return Verdict::Malformed;
        }
        let Some(number) = self.opened(presented.source, nonce) else { return Verdict::Stale };
        if !self.is_fresh(now, number) {
            return Verdict::Expired;
        }
        let username = unescaped(username);
        let found = secret(&username);
        let known = Choice::from(u8::from(found.is_some()));
        let Presented { method, body, .. } = *presented;
        let terms = Terms { algorithm, session, nonce, protection, method, uri, body };
        let expected = terms.response(&found.unwrap_or(self.nobody));
        let right = is_same(expected.as_bytes(), response.as_bytes()) & known;
        if !bool::from(right) {
            return Verdict::Wrong;
        }
        if self.count(now, number, count) { Verdict::Ok(username) } else { Verdict::Replayed }
    }

    fn nonce(&mut self, now: Time, source: IpAddr) -> String {
        self.serial = self.serial.wrapping_add(1);
        let number = (now.as_secs() << 32) | u64::from(self.serial);
        let mut nonce = String::with_capacity(NUMBER_DIGITS + SEAL_BYTES * 2);
        nonce.push_str(Hex::new(&number.to_be_bytes()).as_str());
        nonce.push_str(self.sealed(number, source).as_str());
        nonce
    }

    /// Whether a request answers a nonce that was given to its source, fresh or not.
    pub fn has_own_nonce(&self, presented: &Presented<'_>) -> bool {
        let fields = presented.header.and_then(Fields::parse);
        let nonce =
            fields.filter(|fields| fields.realm == Some(self.realm())).and_then(|fields| fields.nonce);
        nonce.is_some_and(|nonce| self.opened(presented.source, nonce).is_some())
    }

    /// The number of a nonce that is ours and was given to `source`.
    fn opened(&self, source: IpAddr, nonce: &str) -> Option<u64> {
        let (number, seal) = nonce.split_at_checked(NUMBER_DIGITS)?;
        let number = u64::from_str_radix(number, 16).ok()?;
        let ours = is_same(self.sealed(number, source).as_bytes(), seal.as_bytes());
        bool::from(ours).then_some(number)
    }

    /// Whether a nonce is still good, and its counts are remembered.
    fn is_fresh(&self, now: Time, number: u64) -> bool {
        let age_s = (now.as_secs() & u64::from(u32::MAX)).saturating_sub(number >> 32);
        age_s <= self.settings.nonce_life.as_secs() && number > self.forgotten
    }

    fn sealed(&self, number: u64, source: IpAddr) -> Hex {
        let mut seal = self.seal.clone();
        seal.update(&number.to_be_bytes());
        if self.settings.bind_source {
            match source.to_canonical() {
                IpAddr::V4(address) => seal.update(&address.octets()),
                IpAddr::V6(address) => seal.update(&address.octets()),
            }
        }
        Hex::new(seal.finalize().into_bytes().get(..SEAL_BYTES).unwrap_or_default())
    }

    /// Notes a count as used; false where it was already.
    fn count(&mut self, now: Time, number: u64, count: u32) -> bool {
        if !self.used.contains_key(&number) {
            self.make_room(now);
        }
        self.used.entry(number).or_default().take(count)
    }

    /// Forgets nonces that have expired, and the oldest where there are too many.
    fn make_room(&mut self, now: Time) {
        let life_s = self.settings.nonce_life.as_secs();
        let now_s = now.as_secs() & u64::from(u32::MAX);
        while let Some((&oldest, _)) = self.used.first_key_value() {
            let expired = (oldest >> 32) + life_s < now_s;
            if !expired && self.used.len() < self.settings.max_nonces {
                break;
            }
            self.forgotten = oldest;
            self.used.pop_first();
        }
    }
}

impl Counts {
    /// Whether this count is new; then it no longer is.
    fn take(&mut self, count: u32) -> bool {
        if count > self.highest {
            let step = count - self.highest;
            let was = if self.highest == 0 { 0 } else { 1u64.checked_shl(step - 1).unwrap_or(0) };
            self.before = self.before.checked_shl(step).unwrap_or(0) | was;
            self.highest = count;
            return true;
        }
        let back = self.highest - count;
        if count == 0 || back == 0 || back > WINDOW {
            return false;
        }
        let bit = 1u64 << (back - 1);
        let new = self.before & bit == 0;
        self.before |= bit;
        new
    }
}

impl<'a> Presented<'a> {
    /// The name of the account that is presented.
    pub fn username(&self) -> Option<Cow<'a, str>> {
        self.header.and_then(Fields::parse).and_then(|fields| fields.username).map(unescaped)
    }

    /// What a SIP request presents to this realm.
    pub fn by(request: &Message<'a>, source: IpAddr, realm: &str) -> Self {
        let ours = |value: &&[u8]| Fields::parse(value).is_some_and(|fields| fields.realm == Some(realm));
        let is_alone = request.headers(Name::Authorization).nth(1).is_none();
        // The only one is read by `verify` anyway, which looks at its realm too.
        let header = match is_alone {
            true => request.header(Name::Authorization),
            false => request.headers(Name::Authorization).find(ours),
        };
        Self {
            source,
            header,
            method: std::str::from_utf8(request.method_text()).unwrap_or_default(),
            uri: request.request_uri(),
            body: request.body(),
        }
    }
}

/// What protects an answer, and its count. Without `qop`, as from a peer of RFC 2069, a nonce is
/// good once.
fn protection<'a>(fields: &Fields<'a>) -> Option<(Option<Protection<'a>>, u32)> {
    let Some(qop) = fields.qop else {
        let session = fields.algorithm().is_some_and(|(_, session)| session);
        return (!session).then_some((None, u32::MAX));
    };
    let (nc, cnonce) = (fields.nc?, fields.cnonce?);
    let count = u32::from_str_radix(nc, 16).ok().filter(|_| nc.len() == 8)?;
    Some((Some(Protection { nc, cnonce, qop: Qop::from_name(qop)? }), count))
}

/// Whether the URI of the credentials means the one of the request: port and parameters of a SIP
/// URI may differ, since proxies and phones rewrite them (RFC 3261 §22.4).
fn same_resource(signed: &str, asked: &str) -> bool {
    if signed == asked {
        return true;
    }
    let (Some(signed), Some(asked)) = (Uri::parse(signed), Uri::parse(asked)) else { return false };
    let hosts = signed.is_sip() && asked.is_sip() && signed.is_same_host(&asked);
    hosts && unescape(signed.user) == unescape(asked.user)
}

#[cfg(test)]
mod tests {
    use super::super::{Attempt, Client, Credentials, Secret};
    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 80, 20));
    const URI: &str = "sip:192.168.50.19";

    /// One guard and one phone that answers it.
    struct Pair {
        guard: Guard,
        client: Client,
        rng: Rng,
        now: Time,
    }

    impl Pair {
        fn new(password: &str, change: impl FnOnce(&mut GuardSettings)) -> Self {
            let mut rng = Rng::from_number(3);
            let mut settings = GuardSettings { realm: "YSAsterisk".into(), ..Default::default() };
            change(&mut settings);
            let secret = Secret::Password(password.into());
            let credentials = Credentials { username: "7005".into(), secret, realm: None };
            let guard = Guard::new(settings, &mut rng);
            Self { guard, client: Client::new(credentials, false), rng, now: Time::from_secs(1_640_930_319) }
        }

        fn challenge(&mut self) {
            let values = self.guard.challenge(self.now, SOURCE, false);
            let lines: String = values.iter().map(|v| format!("WWW-Authenticate: {v}\r\n")).collect();
            let bytes = format!("SIP/2.0 401 x\r\n{lines}\r\n").into_bytes();
            let response = Message::parse(&bytes).expect("sound");
            self.client.challenged(&mut Attempt::default(), &response, true).expect("answered");
        }

        fn answer(&mut self) -> String {
            self.client.headers("REGISTER", URI, b"body", &mut self.rng).remove(0).1
        }

        fn verify(&mut self, answer: &str, change: impl FnOnce(&mut Presented<'_>)) -> String {
            let header = Some(answer.as_bytes());
            let mut presented =
                Presented { source: SOURCE, header, method: "REGISTER", uri: URI, body: b"body" };
            change(&mut presented);
            // Kept secrets are hashes already: making them costs no look-up anything.
            let kept = Ha1::new("7005", "YSAsterisk", "secret");
            let secret = |user: &str| (user == "7005").then_some(kept);
            format!("{:?}", self.guard.verify(self.now, &presented, secret))
        }
    }

    const OK: &str = "Ok(\"7005\")";

    #[test]
    fn a_nonce_is_good_for_many_requests_and_each_count_once() {
        for algorithms in
            [vec![Algorithm::Md5], vec![Algorithm::Sha256], vec![Algorithm::Sha256, Algorithm::Md5]]
        {
            let mut pair = Pair::new("secret", |settings| settings.algorithms = algorithms);
            pair.challenge();
            let [first, second, third] = [pair.answer(), pair.answer(), pair.answer()];
            assert_eq!(pair.verify(&first, |_| {}), OK);
            assert_eq!(pair.verify(&third, |_| {}), OK);
            assert_eq!(pair.verify(&second, |_| {}), OK, "requests may overtake each other");
            assert_eq!(pair.verify(&first, |_| {}), "Replayed");
            assert_eq!(pair.verify(&second, |_| {}), "Replayed");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_telling_much() {
        let mut pair = Pair::new("secret", |_| {});
        pair.challenge();
        let answer = pair.answer();
        assert_eq!(pair.verify(&answer, |p| p.method = "BYE"), "Wrong");
        assert_eq!(pair.verify(&answer.replace("7005", "7006"), |_| {}), "Wrong");
        assert_eq!(pair.verify(&answer, |p| p.header = None), "Missing");
        assert_eq!(pair.verify(&answer, |p| p.header = Some(b"Basic eA==")), "Missing");
        assert_eq!(pair.verify(&answer.replace("YSAst", "Other"), |_| {}), "Missing");
        assert_eq!(pair.verify(&answer.replace("SHA-256", "SHA-512"), |_| {}), "Missing");
        assert_eq!(pair.verify(&answer.replace("nc=", "no="), |_| {}), "Malformed");
        assert_eq!(pair.verify(&answer, |p| p.uri = "sip:7001@192.168.50.19"), "Malformed");
        assert_eq!(pair.verify(&answer, |p| p.uri = "sip:192.168.50.19:5060;lr"), OK);
        let mut guesser = Pair::new("guess", |_| {});
        guesser.challenge();
        let guess = guesser.answer();
        assert_eq!(guesser.verify(&guess, |_| {}), "Wrong");
        // A user that does not exist has no password at all, not even the dummy's.
        assert_eq!(guesser.verify(&guess.replace("7005", "nobody"), |_| {}), "Wrong");
    }

    #[test]
    fn a_known_and_an_unknown_user_cost_the_same_hashes() {
        for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
            let mut pair = Pair::new("guess", |settings| settings.algorithms = vec![algorithm]);
            pair.challenge();
            let mut cost = |name: &str| {
                let answer = pair.answer().replace("7005", name);
                let before = super::super::hashes();
                assert_eq!(pair.verify(&answer, |_| {}), "Wrong");
                super::super::hashes() - before
            };
            let (known, unknown) = (cost("7005"), cost("7999"));
            assert!(known == unknown && known > 0, "{known} {unknown}");
        }
    }

    #[test]
    fn nonces_are_bound_and_expire() {
        let mut pair = Pair::new("secret", |_| {});
        pair.challenge();
        let answer = pair.answer();
        let other = "192.168.80.21".parse().expect("address");
        assert_eq!(pair.verify(&answer, |p| p.source = other), "Stale");
        pair.now += Duration::from_secs(3_601);
        assert_eq!(pair.verify(&answer, |_| {}), "Expired");
        // Neither a right nor a wrong answer to what was not asked of this address tells anything.
        let wrong = answer.replace("response=\"", "response=\"0");
        assert_eq!(pair.verify(&wrong, |p| p.source = other), "Stale");
        assert_eq!(pair.verify(&answer.replace("nonce=\"", "nonce=\"0"), |_| {}), "Stale");
        let mut open = Pair::new("secret", |settings| settings.bind_source = false);
        open.challenge();
        let answer = open.answer();
        assert_eq!(open.verify(&answer, |p| p.source = other), OK);
        open.guard = Guard::new(open.guard.settings.clone(), &mut open.rng);
        assert_eq!(open.verify(&answer, |_| {}), "Stale", "a restarted guard has another secret");
    }

    #[test]
    fn the_counts_remembered_are_bounded() {
        let mut pair = Pair::new("secret", |settings| settings.max_nonces = 10);
        let mut answers = Vec::new();
        for _ in 0..12 {
            pair.challenge();
            answers.push(pair.answer());
            assert_eq!(pair.verify(&answers[answers.len() - 1], |_| {}), OK);
        }
        assert_eq!(pair.guard.used.len(), 10);
        let verdicts = [1, 2, 11].map(|at: usize| pair.verify(&answers[at], |_| {}));
        assert_eq!(verdicts, ["Expired", "Replayed", "Replayed"], "what is forgotten cannot be replayed");
        pair.now += Duration::from_secs(4_000);
        pair.challenge();
        let answer = pair.answer();
        assert_eq!(pair.verify(&answer, |_| {}), OK);
        assert_eq!(pair.guard.used.len(), 1, "expired nonces are forgotten");
    }

    #[test]
    fn old_and_unusual_forms_are_verified() {
        let check = |challenge: &str, again: &str| {
            let mut pair = Pair::new("secret", |_| {});
            let nonce = pair.guard.nonce(pair.now, SOURCE);
            let bytes = format!(
                "SIP/2.0 401 x\r\nWWW-Authenticate: Digest realm=\"YSAsterisk\",nonce=\"{nonce}\"{challenge}\r\n\r\n"
            );
            let response = Message::parse(bytes.as_bytes()).expect("sound");
            pair.client.challenged(&mut Attempt::default(), &response, true).expect("answered");
            let [first, second] = [pair.answer(), pair.answer()];
            assert_eq!(pair.verify(&first, |_| {}), OK, "{challenge}");
            assert_eq!(pair.verify(&second, |_| {}), again, "{challenge}");
        };
        check("", "Replayed");
        check(",algorithm=MD5,qop=\"auth-int\"", OK);
        check(",algorithm=MD5-sess,qop=\"auth\"", OK);
        check(",algorithm=SHA-256-sess,qop=\"auth,auth-int\"", OK);
        let mut pair = Pair::new("secret", |_| {});
        pair.challenge();
        let answer = pair.answer().replace("qop=auth", "qop=auth-int");
        assert_eq!(pair.verify(&answer, |_| {}), "Wrong");
    }

    #[test]
    fn the_window_of_counts() {
        let mut counts = Counts::default();
        let taken = [5, 5, 4, 0, 70, 5, 6, 6, 135, 70, 71, 71].map(|count| counts.take(count));
        let expected = [true, false, true, false, true, false, true, false, true, false, true, false];
        assert_eq!(taken, expected);
    }

    #[test]
    fn the_right_one_of_several_credentials_is_presented() {
        let bytes = b"BYE sip:a SIP/2.0\r\nAuthorization: Digest realm=\"b\"\r\nAuthorization: Digest realm=\"c\"\r\n\r\n";
        let message = Message::parse(bytes).expect("sound");
        let presented = Presented::by(&message, SOURCE, "c");
        assert_eq!((presented.method, presented.uri), ("BYE", "sip:a"));
        assert_eq!(presented.header, Some(b"Digest realm=\"c\"".as_slice()));
        assert!(Presented::by(&message, SOURCE, "d").header.is_none());
    }
}
