//! Names of header fields (RFC 3261 §7.3.1 and §20): long, compact and in any case.

macro_rules! names {
    ($($name:ident, $text:literal, $compact:literal;)*) => {
        /// A header field that we know by name; all others are [`Name::Other`] and kept verbatim.
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "each is the field of that name")]
        pub enum Name { $($name,)* #[default] Other }

        const TEXTS: &[&str] = &[$($text),*];
        const COMPACT: &[u8] = &[$($compact),*];
        const NAMES: &[Name] = &[$(Name::$name),*];
    };
}

names! {
    Via, "Via", b'v';
    From, "From", b'f';
    To, "To", b't';
    CallId, "Call-ID", b'i';
    CSeq, "CSeq", 0;
    Contact, "Contact", b'm';
    MaxForwards, "Max-Forwards", 0;
    ContentLength, "Content-Length", b'l';
    ContentType, "Content-Type", b'c';
    ContentEncoding, "Content-Encoding", b'e';
    ContentDisposition, "Content-Disposition", 0;
    ContentLanguage, "Content-Language", 0;
    Route, "Route", 0;
    RecordRoute, "Record-Route", 0;
    Path, "Path", 0;
    ServiceRoute, "Service-Route", 0;
    Expires, "Expires", 0;
    MinExpires, "Min-Expires", 0;
    Authorization, "Authorization", 0;
    WwwAuthenticate, "WWW-Authenticate", 0;
    ProxyAuthorization, "Proxy-Authorization", 0;
    ProxyAuthenticate, "Proxy-Authenticate", 0;
    AuthenticationInfo, "Authentication-Info", 0;
    ProxyAuthenticationInfo, "Proxy-Authentication-Info", 0;
    Allow, "Allow", 0;
    AllowEvents, "Allow-Events", b'u';
    Supported, "Supported", b'k';
    Require, "Require", 0;
    ProxyRequire, "Proxy-Require", 0;
    Unsupported, "Unsupported", 0;
    Event, "Event", b'o';
    SubscriptionState, "Subscription-State", 0;
    ReferTo, "Refer-To", b'r';
    ReferredBy, "Referred-By", b'b';
    ReferSub, "Refer-Sub", 0;
    Replaces, "Replaces", 0;
    Join, "Join", 0;
    TargetDialog, "Target-Dialog", 0;
    Reason, "Reason", 0;
    Diversion, "Diversion", 0;
    HistoryInfo, "History-Info", 0;
    UserAgent, "User-Agent", 0;
    Server, "Server", 0;
    RetryAfter, "Retry-After", 0;
    Warning, "Warning", 0;
    Accept, "Accept", 0;
    AcceptEncoding, "Accept-Encoding", 0;
    AcceptLanguage, "Accept-Language", 0;
    AlertInfo, "Alert-Info", 0;
    CallInfo, "Call-Info", 0;
    ErrorInfo, "Error-Info", 0;
    AnswerMode, "Answer-Mode", 0;
    PrivAnswerMode, "Priv-Answer-Mode", 0;
    PAssertedIdentity, "P-Asserted-Identity", 0;
    PPreferredIdentity, "P-Preferred-Identity", 0;
    RemotePartyId, "Remote-Party-ID", 0;
    Privacy, "Privacy", 0;
    SessionExpires, "Session-Expires", b'x';
    MinSe, "Min-SE", 0;
    RSeq, "RSeq", 0;
    RAck, "RAck", 0;
    Date, "Date", 0;
    Subject, "Subject", b's';
    Timestamp, "Timestamp", 0;
    MimeVersion, "MIME-Version", 0;
    Organization, "Organization", 0;
    Priority, "Priority", 0;
    InReplyTo, "In-Reply-To", 0;
    ReplyTo, "Reply-To", 0;
    SipEtag, "SIP-ETag", 0;
    SipIfMatch, "SIP-If-Match", 0;
    MaxBreadth, "Max-Breadth", 0;
    RequestDisposition, "Request-Disposition", b'd';
    AcceptContact, "Accept-Contact", b'a';
    RejectContact, "Reject-Contact", b'j';
    Identity, "Identity", b'y';
}

impl Name {
    /// How many names there are, `Other` among them.
    pub const COUNT: usize = NAMES.len() + 1;

    /// Reads a name, long or compact, in any case.
    #[inline]
    pub fn from_bytes(text: &[u8]) -> Self {
        if let [letter] = text {
            let letter = letter.to_ascii_lowercase();
            let at = COMPACT.iter().position(|&c| c == letter && c != 0);
            return at.map_or(Self::Other, |at| NAMES[at]);
        }
        let mut slot = hash(text);
        while let Some(key) = KEYS.get(usize::from(TABLE[slot])) {
            let at = usize::from(TABLE[slot]);
            if key.is(at, text) {
                return NAMES[at];
            }
            slot = (slot + 1) % SLOTS;
        }
        Self::Other
    }

    /// The long form as we write it; empty for `Other`.
    pub fn as_str(self) -> &'static str {
        TEXTS.get(self as usize).copied().unwrap_or_default()
    }
}

/// A known name as its length and two words that may overlap, which hold all of it up to 16 letters.
#[derive(Clone, Copy)]
struct Key {
    len: usize,
    words: (u64, u64),
}

static KEYS: [Key; NAMES.len()] = {
    let mut keys = [Key { len: 0, words: (0, 0) }; NAMES.len()];
    let mut at = 0;
    while at < keys.len() {
        let text = TEXTS[at].as_bytes();
        keys[at] = Key { len: text.len(), words: words(text) };
        at += 1;
    }
    keys
};

/// The first and the last bytes of a name, as many as a word holds and the name has.
#[inline]
const fn words(text: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return (u32::from_le_bytes(*first) as u64, u32::from_le_bytes(*last) as u64);
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return (u16::from_le_bytes(*first) as u64, u16::from_le_bytes(*last) as u64);
    }
    (0, 0)
}

impl Key {
    /// Whether the bytes are this name in any case.
    #[inline]
    fn is(&self, at: usize, text: &[u8]) -> bool {
        // Known names are letters and hyphens; only letters have the bit that this shifts to the one of
        // the case.
        let differs = |known: u64, text: u64| (known ^ text) & !((known & 0x4040_4040_4040_4040) >> 1);
        let (first, last) = words(text);
        self.len == text.len()
            && differs(self.words.0, first) | differs(self.words.1, last) == 0
            && (text.len() <= 16 || TEXTS[at].as_bytes().eq_ignore_ascii_case(text))
    }
}

const SLOTS: usize = 512;
const EMPTY: u8 = u8::MAX;
/// Open addressing: a name stands in the slot of its hash or, where another name has that one, in the next free one.
static TABLE: [u8; SLOTS] = table(TEXTS);

/// From length, first, middle and last letter. With these factors no two of today's names share a slot; a name that
/// does costs one more comparison.
const fn hash(text: &[u8]) -> usize {
    let len = text.len();
    if len == 0 {
        return 0;
    }
    let first = (text[0] | 32) as usize;
    let last = (text[len - 1] | 32) as usize;
    let middle = (text[len / 2] | 32) as usize;
    (len * 15 + first * 412 + middle * 118 + last * 326) % SLOTS
}

const fn table(names: &[&str]) -> [u8; SLOTS] {
    assert!(names.len() < EMPTY as usize, "an index is a byte, and a search ends at a free slot");
    let mut table = [EMPTY; SLOTS];
    let mut at = 0;
    while at < names.len() {
        let mut slot = hash(names[at].as_bytes());
        while table[slot] != EMPTY {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = at as u8;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_every_spelling() {
        for &name in NAMES {
            assert_eq!(Name::from_bytes(name.as_str().as_bytes()), name);
            assert_eq!(Name::from_bytes(name.as_str().to_lowercase().as_bytes()), name);
            assert_eq!(Name::from_bytes(name.as_str().to_uppercase().as_bytes()), name);
        }
        assert_eq!(Name::from_bytes(b"v"), Name::Via);
        assert_eq!(Name::from_bytes(b"K"), Name::Supported);
        assert_eq!(Name::from_bytes(b"X-Bypass-Me"), Name::Other);
        assert_eq!(Name::from_bytes(b"z"), Name::Other);
        for near in [
            "Call\rID",
            "Call\x0dID",
            "To\0",
            "\x14o",
            "Vi\x01",
            "Content_Length",
            "",
            "P-Preferred-Identitx",
        ] {
            assert_eq!(Name::from_bytes(near.as_bytes()), Name::Other, "{near:?}");
        }
    }

    /// A header is added by its line in the table, whatever its letters are.
    #[test]
    fn any_further_names_find_room() {
        let further = [
            "Resource-Priority",
            "Feature-Caps",
            "Flow-Timer",
            "Geolocation",
            "Info-Package",
            "Recv-Info",
            "Max-Expires",
            "P-Access-Network-Info",
            "P-Associated-URI",
            "P-Called-Party-ID",
            "P-Charging-Vector",
            "P-Visited-Network-ID",
            "Permission-Missing",
            "Policy-Contact",
            "Security-Client",
            "Security-Server",
            "Security-Verify",
            "Session-ID",
            "Suppress-If-Match",
            "Trigger-Consent",
            "User-to-User",
            "X-Serialnumber",
            "X-Account",
            "Vio",
            "Fxom",
        ];
        let all: Vec<&str> = TEXTS.iter().chain(&further).copied().collect();
        let table = table(&all);
        for (at, name) in all.iter().enumerate() {
            let probes = (0..SLOTS).map(|step| table[(hash(name.as_bytes()) + step) % SLOTS]);
            let steps = probes
                .take_while(|&found| found != EMPTY)
                .take_while(|&found| usize::from(found) != at)
                .count();
            assert!(steps < 4, "{name} is found after {steps} others");
            assert!(table.contains(&(at as u8)), "{name}");
        }
    }
}
