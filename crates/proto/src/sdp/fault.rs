//! How much of a session description is taken, and why one cannot be read.

use std::fmt;

/// The longest description taken, in bytes: what one UDP datagram could carry.
pub const MAX_BYTES: usize = 65_535;
/// The longest line taken, in bytes.
pub const MAX_LINE_BYTES: usize = 4_096;
/// The most lines taken.
pub const MAX_LINES: usize = 1_024;
/// The most streams taken.
pub const MAX_MEDIA: usize = 32;
/// The most formats of one stream taken.
pub const MAX_FORMATS: usize = 128;

/// Why a description cannot be read, and where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SdpError {
    /// The line at fault, the first being 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: SdpFault,
}

/// What is wrong with a line of a description.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SdpFault {
    /// The body exceeds [`MAX_BYTES`].
    TooLong,
    /// The line exceeds [`MAX_LINE_BYTES`].
    LineTooLong,
    /// There are more than [`MAX_LINES`].
    TooManyLines,
    /// There are more than [`MAX_MEDIA`] streams.
    TooManyMedia,
    /// The stream has more than [`MAX_FORMATS`].
    TooManyFormats,
    /// The line does not begin with a letter and `=`.
    NoKind,
    /// No `v=0` in the session's part.
    NoVersion,
    /// No `o=` in the session's part.
    NoOrigin,
    /// `o=` without its six words.
    Origin,
    /// `c=` without its three words.
    Connection,
    /// `m=` without kind, port and profile.
    Media,
}

impl fmt::Display for SdpFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the body is longer than {MAX_BYTES} bytes"),
            Self::LineTooLong => write!(f, "the line is longer than {MAX_LINE_BYTES} bytes"),
            Self::TooManyLines => write!(f, "there are more than {MAX_LINES} lines"),
            Self::TooManyMedia => write!(f, "there are more than {MAX_MEDIA} m= lines"),
            Self::TooManyFormats => write!(f, "the stream lists more than {MAX_FORMATS} formats"),
            Self::NoKind => f.write_str("a line must begin with a letter and '='"),
            Self::NoVersion => f.write_str("'v=0' is missing"),
            Self::NoOrigin => f.write_str("'o=' is missing"),
            Self::Origin => {
                f.write_str("expected 'o=<user> <id> <version> IN IP4 <address>'; a word is missing")
            }
            Self::Connection => f.write_str("expected 'c=IN IP4 <address>'; a word is missing"),
            Self::Media => f.write_str("expected 'm=<kind> <port> <profile> <formats>'"),
        }
    }
}

impl fmt::Display for SdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the sender's session description, line {}: {}", self.line, self.fault)
    }
}

impl std::error::Error for SdpError {}
