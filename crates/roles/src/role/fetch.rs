//! Downloads: what a role asks for, and what comes of it.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;

use crate::settings::Secret;

/// A role's own name for one of its downloads.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FetchId(pub u64);

/// A file to be downloaded by TFTP, FTP, HTTP or HTTPS.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// Whose answer [`Fetched`] is.
    pub id: FetchId,
    /// The file. A user and password in it come before `login`.
    pub url: String,
    /// The address to ask from; unspecified for any.
    pub from: IpAddr,
    /// What HTTP is told about who asks.
    pub user_agent: String,
    /// Who asks, where the server wants to know.
    pub login: Option<Login>,
    /// What is there already.
    pub known: Option<Known>,
    /// How many redirects are followed; 0: the first is told by [`Found::Elsewhere`].
    pub most_redirects: u8,
    /// A larger file is refused.
    pub most_bytes: usize,
    /// How long all of it may take, in milliseconds.
    pub patience_ms: u32,
    /// Whom HTTPS believes.
    pub tls: TlsRules,
}

/// A user and his password.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// Whether the password may be sent as it is, by Basic (RFC 7617), to a server that asks for that. Digest
    /// (RFC 7616) is always answered.
    pub allows_basic: bool,
}

/// What an earlier download left: a server need not send the same file again (RFC 9110 §13.1).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Known {
    /// The entity tag, as the server wrote it.
    pub etag: Option<String>,
    /// The moment of its last change, as the server wrote it.
    pub modified: Option<String>,
}

/// Whom HTTPS believes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TlsRules {
    /// Only a certificate that a trusted authority has signed is taken.
    pub trusted_only: bool,
    /// The certificate must bear the server's name.
    pub checks_name: bool,
}

impl Default for TlsRules {
    fn default() -> Self {
        Self { trusted_only: true, checks_name: true }
    }
}

/// What came of a download.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Whose.
    pub id: FetchId,
    /// What was found, or why nothing was.
    pub result: Result<Found, FetchFault>,
}

/// What was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Found {
    /// The file, whole.
    File {
        /// What it holds.
        bytes: Bytes,
        /// What the server says about it, for the next time.
        known: Known,
        /// Where it was found, after all redirects.
        url: String,
    },
    /// The file is what [`Fetch::known`] says (HTTP 304).
    Unchanged,
    /// The server names another place, and [`Fetch::most_redirects`] is 0.
    Elsewhere(String),
}

/// Why a download failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FetchFault {
    /// What kind of fault; a role decides by this, never by the text.
    pub kind: FetchFaultKind,
    /// The server's status, where it gave one: HTTP's, FTP's, or TFTP's error code.
    pub status: Option<u16>,
    /// Who is at fault and what helps, in a sentence.
    pub text: String,
}

impl FetchFault {
    /// A fault without a status of the server.
    pub fn new(kind: FetchFaultKind, text: impl Into<String>) -> Self {
        Self { kind, status: None, text: text.into() }
    }

    /// The same with the server's status.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }
}

impl fmt::Display for FetchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for FetchFault {}

/// Kinds of faults of a download.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FetchFaultKind {
    /// The address cannot be read, or its scheme is none of ours.
    BadUrl,
    /// The DNS knows no such host.
    UnknownHost,
    /// Nobody answers, or nobody listens there.
    Unreachable,
    /// It took longer than [`Fetch::patience_ms`].
    TimedOut,
    /// The server has no such file.
    NotFound,
    /// The server refuses: wrong user or password, or no right to this file.
    Denied,
    /// The server's certificate is not taken.
    Certificate,
    /// Redirects without end, or to where they must not lead.
    Redirects,
    /// The file is larger than [`Fetch::most_bytes`].
    TooLarge,
    /// The server has a fault of its own, or its answer is none.
    Server,
    /// The transfer broke off.
    Broken,
    /// Too many downloads at a time.
    Busy,
}
