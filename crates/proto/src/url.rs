//! Addresses of files: `scheme://[user[:password]@]host[:port]/path` (RFC 3986, RFC 3617 for TFTP).

use std::fmt;

/// The longest address that is read, in bytes.
pub const MAX_BYTES: usize = 2_048;
/// The most folders that a path goes down.
const MAX_SEGMENTS: usize = 64;

/// The address of a file or, where its path ends with `/`, of a folder.
#[derive(Clone, Eq, PartialEq)]
pub struct Url {
    /// `http`, `https`, `tftp`, `ftp`, …; in lower case.
    pub scheme: String,
    /// User and password, decoded.
    pub login: Option<(String, String)>,
    /// A name or an address; IPv6 without its brackets.
    pub host: String,
    /// The port; `None`: the scheme's own.
    pub port: Option<u16>,
    /// From the first `/` on, with the query and without the fragment, still encoded.
    pub path: String,
}

/// Why a text is no address of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flaw {
    /// It has more than [`MAX_BYTES`] bytes.
    TooLong,
    /// It does not begin with `scheme://`.
    NoScheme,
    /// It names no host.
    NoHost,
    /// What stands behind the host is no port.
    BadPort,
    /// It has blanks, control characters or other signs that no address has.
    BadSign,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "it has more than {MAX_BYTES} bytes"),
            Self::NoScheme => f.write_str("it does not begin with http://, https://, tftp:// or ftp://"),
            Self::NoHost => f.write_str("it names no host"),
            Self::BadPort => f.write_str("what stands behind its host is no port"),
            Self::BadSign => f.write_str("it has blanks or signs that no address has"),
        }
    }
}

impl std::error::Error for Flaw {}

impl Url {
    /// Reads a text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let text = text.trim();
        if text.len() > MAX_BYTES {
            return Err(Flaw::TooLong);
        }
        let is_bad =
            |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>' | '\\' | '^');
        if text.contains(is_bad) {
            return Err(Flaw::BadSign);
        }
        let (scheme, rest) = text.split_once("://").ok_or(Flaw::NoScheme)?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        if !is_scheme {
            return Err(Flaw::NoScheme);
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let (host, port) = host_and_port(place)?;
        let path = path.split('#').next().unwrap_or_default();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            login: login.map(user_and_password),
            host,
            port,
            path,
        })
    }

    /// The port, the scheme's own where none is named; 0 for schemes that are not known here.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match &*self.scheme {
            "http" => 80,
            "https" => 443,
            "tftp" => 69,
            "ftp" => 21,
            _ => 0,
        })
    }

    /// Host and port as a Host header writes them (RFC 9110 §7.2): the scheme's own port is left out.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match self.port {
            Some(port) if Some(port) != self.without_port().port_of_scheme() => format!("{host}:{port}"),
            _ => host,
        }
    }

    fn without_port(&self) -> Self {
        Self { port: None, ..self.clone() }
    }

    fn port_of_scheme(&self) -> Option<u16> {
        Some(self.port()).filter(|port| *port > 0)
    }

    /// Whether both are served by one server: scheme, host and port are the same.
    pub fn is_same_server(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.host.eq_ignore_ascii_case(&other.host)
            && self.port() == other.port()
    }

    /// Whether it names a folder and no file.
    pub fn is_folder(&self) -> bool {
        self.without_query().ends_with('/')
    }

    /// The path without its query.
    pub fn without_query(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// The file as TFTP and FTP name it: the path without its first `/`, decoded.
    pub fn file(&self) -> String {
        decoded(self.without_query().trim_start_matches('/'))
    }

    /// The address that `reference` means where it stands in the file that this one names (RFC 3986 §5):
    /// whole, from the root, or from the folder of that file. `../` never leads above the root.
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub fn join(&self, reference: &str) -> Result<Self, Flaw> {
        let reference = reference.trim();
        if reference.contains("://") {
            return Self::parse(reference);
        }
        let folder = self.without_query().rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = match reference.strip_prefix('/') {
            Some(from_root) => format!("/{from_root}"),
            None => format!("{folder}/{reference}"),
        };
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, format!("?{query}")),
            None => (&*path, String::new()),
        };
        let path = normal(path) + &query;
        // What was put together is read anew, so that its signs and its length are looked at.
        let read = Self::parse(&format!("{}://host{path}", self.scheme))?;
        Ok(Self { path: read.path, ..self.clone() })
    }
}

/// Without user and password, so that it may stand in a log.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority(), self.path)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

/// `.` and `..` resolved.
fn normal(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
        kept.truncate(MAX_SEGMENTS);
    }
    format!("/{}", kept.join("/"))
}

fn host_and_port(place: &str) -> Result<(String, Option<u16>), Flaw> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(Flaw::NoHost)?;
            (host, rest.strip_prefix(':').or(rest.is_empty().then_some("")).ok_or(Flaw::BadPort)?)
        }
        None => place.split_once(':').unwrap_or((place, "")),
    };
    if host.is_empty() {
        return Err(Flaw::NoHost);
    }
    let port = match port {
        "" => None,
        port => Some(port.parse().ok().filter(|port| *port > 0).ok_or(Flaw::BadPort)?),
    };
    Ok((host.to_owned(), port))
}

fn user_and_password(login: &str) -> (String, String) {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    (decoded(user), decoded(password))
}

/// `%41` as `A`; what is no such code stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect(text)
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let read = url("HTTP://phone:pass%40word@[2001:db8::1]:8080/a/b.cfg?x=1#top");
        assert_eq!((&*read.scheme, &*read.host, read.port()), ("http", "2001:db8::1", 8080));
        assert_eq!(read.login, Some(("phone".to_owned(), "pass@word".to_owned())));
        assert_eq!(read.to_string(), "http://[2001:db8::1]:8080/a/b.cfg?x=1");
        assert_eq!(url("tftp://10.20.0.92").path, "/");
        assert_eq!((url("tftp://h/a%20b.cfg").file(), url("tftp://h").port()), ("a b.cfg".to_owned(), 69));
        assert_eq!(url("https://h:443/").authority(), "h");
        assert!(url("http://h/x/?a=/b").is_folder() && !url("http://h/x?a=/").is_folder());
    }

    #[test]
    fn what_is_no_address_says_why() {
        let flaw = |text: &str| Url::parse(text).expect_err(text);
        for (text, expected) in [
            ("192.168.1.1", Flaw::NoScheme),
            ("://h", Flaw::NoScheme),
            ("http://", Flaw::NoHost),
            ("http:///x", Flaw::NoHost),
            ("http://h:0/", Flaw::BadPort),
            ("http://h:99999/", Flaw::BadPort),
            ("http://[::1]x/", Flaw::BadPort),
            ("http://h/a b", Flaw::BadSign),
            ("http://h/a\r\nHost: b", Flaw::BadSign),
        ] {
            assert_eq!(flaw(text), expected, "{text}");
        }
        assert_eq!(flaw(&format!("http://h/{}", "x".repeat(MAX_BYTES))), Flaw::TooLong);
    }

    #[test]
    fn references_are_resolved_and_stay_below_the_root() {
        let base = url("http://u:p@h:8080/phones/fip/0021f222b021.boot?v=1");
        let join = |reference: &str| base.join(reference).expect(reference).to_string();
        assert_eq!(join("time.cfg"), "http://h:8080/phones/fip/time.cfg");
        assert_eq!(join("../time.cfg?x=../y"), "http://h:8080/phones/time.cfg?x=../y");
        assert_eq!(join("../../../../etc/./passwd"), "http://h:8080/etc/passwd");
        assert_eq!(join("/all.cfg"), "http://h:8080/all.cfg");
        assert_eq!(join(".."), "http://h:8080/phones/");
        assert_eq!(join("tftp://other/x.cfg"), "tftp://other/x.cfg");
        assert_eq!(base.join("x.cfg").expect("joined").login, base.login);
        assert_eq!(base.join("a b"), Err(Flaw::BadSign));
    }

    proptest! {
        #[test]
        fn anything_is_read_without_harm(text in "\\PC{0,80}|[a-z:/@\\[\\]%.0-9?#]{0,60}", more in "\\PC{0,40}|[./a-z%?]{0,40}") {
            if let Ok(read) = Url::parse(&text) {
                let again = Url::parse(&read.to_string());
                prop_assert_eq!(again.map(|again| again.to_string()), Ok(read.to_string()));
                if let Ok(joined) = read.join(&more) {
                    prop_assert!(!joined.without_query().split('/').any(|part| part == ".."));
                }
                let _ = read.file();
            }
        }
    }
}
