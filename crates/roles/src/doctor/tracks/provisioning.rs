//! How a phone is set up: transfers of files, and the runs that they belong to.

use std::net::{IpAddr, SocketAddr};

use super::super::proof::Proof;

/// One file that was asked for.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Who asks.
    pub client: SocketAddr,
    /// Who is asked.
    pub server: SocketAddr,
    /// How.
    pub scheme: Scheme,
    /// The file as asked for: the path of a URL, or the name.
    pub name: Box<str>,
    /// The host that the client named (`Host`).
    pub host: Option<Box<str>>,
    /// `GET`, `PUT`, `RRQ`, `RETR`, …
    pub verb: Box<str>,
    /// User-Agent of the client.
    pub user_agent: Option<Box<str>>,
    /// The request.
    pub asked: Proof,
    /// How often it was asked for anew without an answer between.
    pub repeats: u32,
    /// The first answer.
    pub answered: Option<Proof>,
    /// The last packet that belongs to it.
    pub last: Proof,
    /// Bytes of the file that were seen.
    pub bytes: u64,
    /// The size that the server announced.
    pub announced_bytes: Option<u64>,
    /// Status of HTTP, reply of FTP, code of a TFTP error.
    pub status: Option<u16>,
    /// The text with it.
    pub text: Option<Box<str>>,
    /// Content-Type of HTTP.
    pub content_type: Option<Box<str>>,
    /// The first bytes of the content, at most 256: enough to see that it is no configuration.
    pub head: Vec<u8>,
    /// What became of it.
    pub result: TransferResult,
}

/// How a file is fetched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// RFC 1350.
    Tftp,
    /// RFC 9110.
    Http,
    /// RFC 959.
    Ftp,
}

impl Scheme {
    /// In lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tftp => "tftp",
            Self::Http => "http",
            Self::Ftp => "ftp",
        }
    }
}

/// What became of a transfer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TransferResult {
    /// Nobody answered.
    #[default]
    Unanswered,
    /// It has begun and did not end.
    Stalled,
    /// All of it came.
    Complete,
    /// There is no such file.
    NotFound,
    /// Not given: access, login, server error.
    Refused,
}

impl TransferResult {
    /// As the report writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unanswered => "unanswered",
            Self::Stalled => "stalled",
            Self::Complete => "ok",
            Self::NotFound => "not-found",
            Self::Refused => "refused",
        }
    }
}

/// All that one phone fetched in a row, and what told it where.
#[derive(Clone, Debug)]
pub struct Provisioning {
    /// The device's MAC address as twelve hex digits, where it is known.
    pub device: Option<Box<str>>,
    /// The device's address.
    pub address: IpAddr,
    /// What told the phone where to ask: `option66`, `pnp`, …; none where the capture does not show it.
    pub source: Option<&'static str>,
    /// The URL or server it was told.
    pub url: Option<Box<str>>,
    /// Indices into [`Tracks::transfers`](super::Tracks::transfers).
    pub transfers: Vec<u32>,
    /// The PnP SUBSCRIBE, and the NOTIFY that answered it.
    pub pnp: Option<PnP>,
}

/// SIP plug and play: a SUBSCRIBE for `ua-profile` to a multicast group.
#[derive(Clone, Debug)]
pub struct PnP {
    /// The SUBSCRIBE.
    pub asked: Proof,
    /// How often it was sent.
    pub copies: u32,
    /// Who answered by NOTIFY, with what URL, at most 8.
    pub answers: Vec<(SocketAddr, Option<Box<str>>, Proof)>,
    /// The MAC address in its Request-URI.
    pub mac: Option<Box<str>>,
    /// Vendor, model and version of the Event header.
    pub event: Box<str>,
}
