//! What can be wrong with a message, each with its section of the standard and the status that refuses it.

use std::fmt;

/// Something wrong with a message, and where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flaw {
    /// Byte position from the beginning of the message.
    pub at: u16,
    /// What it is.
    pub kind: FlawKind,
}

macro_rules! flaws {
    ($($(#[$doc:meta])* $name:ident, $status:literal, $section:literal, $text:literal;)*) => {
        /// The kinds of flaws, each with the section that it offends.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum FlawKind { $($(#[$doc])* $name,)* }

        impl FlawKind {
            /// The status with which a request that has this flaw is refused.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The section of the standard that it offends.
            pub const fn section(self) -> &'static str {
                match self { $(Self::$name => $section,)* }
            }

            /// In words.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

flaws! {
    /// Lines end with LF alone.
    BareLf, 400, "RFC 3261 §7", "a line ends with LF instead of CRLF";
    /// Line breaks before the start line.
    LeadingCrlf, 400, "RFC 3261 §7.5", "empty lines before the start line";
    /// The version is not SIP/2.0.
    Version, 505, "RFC 3261 §7.1", "the version is not SIP/2.0";
    /// The start line has extra blanks.
    StartLineSpace, 400, "RFC 3261 §7.1", "superfluous white space in the start line";
    /// The status code is not three digits between 100 and 699.
    StatusCode, 400, "RFC 3261 §7.2", "the status code is not between 100 and 699";
    /// The Request-URI is not a URI.
    RequestUri, 400, "RFC 3261 §19.1", "the Request-URI is malformed";
    /// The Request-URI carries headers.
    UriHeaders, 400, "RFC 3261 §19.1.1", "the Request-URI carries headers";
    /// A header line without a colon.
    NoColon, 400, "RFC 3261 §7.3", "a header line without a colon";
    /// A header name that is no token.
    HeaderName, 400, "RFC 3261 §25.1", "a header name is not a token";
    /// The headers do not end with an empty line.
    NoBlankLine, 400, "RFC 3261 §7", "the headers do not end with an empty line";
    /// More header lines than are read.
    TooManyHeaders, 513, "RFC 3261 §21.5.7", "too many header lines";
    /// Content-Length is not a number.
    ContentLengthValue, 400, "RFC 3261 §20.14", "Content-Length is not a number";
    /// Content-Length promises more than there is.
    ContentLengthLong, 400, "RFC 3261 §18.3", "Content-Length is larger than the body";
    /// There is more than Content-Length says.
    Surplus, 400, "RFC 3261 §18.3", "bytes after the body";
    /// Two Content-Length headers that differ.
    ContentLengthTwice, 400, "RFC 3261 §20.14", "two different Content-Length headers";
    /// A stream message without Content-Length.
    ContentLengthMissing, 400, "RFC 3261 §18.3", "no Content-Length on a stream";
    /// There is no Via.
    MissingVia, 400, "RFC 3261 §8.1.1", "the Via header is missing";
    /// There is no From.
    MissingFrom, 400, "RFC 3261 §8.1.1", "the From header is missing";
    /// There is no To.
    MissingTo, 400, "RFC 3261 §8.1.1", "the To header is missing";
    /// There is no Call-ID.
    MissingCallId, 400, "RFC 3261 §8.1.1", "the Call-ID header is missing";
    /// There is no CSeq.
    MissingCSeq, 400, "RFC 3261 §8.1.1", "the CSeq header is missing";
    /// A header that may stand once stands twice.
    Repeated, 400, "RFC 3261 §7.3.1", "a header that may stand only once is repeated";
    /// A Via cannot be read.
    Via, 400, "RFC 3261 §20.42", "a Via header is malformed";
    /// The From header cannot be read.
    From, 400, "RFC 3261 §20.20", "the From header is malformed";
    /// The To header cannot be read.
    To, 400, "RFC 3261 §20.39", "the To header is malformed";
    /// The Call-ID cannot be read.
    CallId, 400, "RFC 3261 §20.8", "the Call-ID header is malformed";
    /// The CSeq cannot be read or is too large.
    CSeq, 400, "RFC 3261 §20.16", "the CSeq header is malformed";
    /// The CSeq method is not the request's.
    CSeqMethod, 400, "RFC 3261 §8.1.1.5", "the CSeq method differs from the request's";
    /// Max-Forwards cannot be read or is above 255.
    MaxForwards, 400, "RFC 3261 §20.22", "Max-Forwards is not a number up to 255";
    /// A Contact cannot be read.
    Contact, 400, "RFC 3261 §20.10", "a Contact header is malformed";
    /// A Route or Record-Route cannot be read.
    Route, 400, "RFC 3261 §20.34", "a Route header is malformed";
    /// Expires is not a number.
    Expires, 400, "RFC 3261 §20.19", "Expires is not a number of seconds";
    /// A date is not in GMT.
    Date, 400, "RFC 3261 §20.17", "the Date is not in GMT";
    /// A quoted string does not end.
    Quote, 400, "RFC 3261 §25.1", "a quoted string does not end";
    /// A display name holds what only a quoted string may hold.
    DisplayName, 400, "RFC 3261 §25.1", "a display name must be quoted";
    /// A number exceeds its field.
    Number, 400, "RFC 3261 §25.1", "a number is out of range";
    /// A parameter cannot be read.
    Parameter, 400, "RFC 3261 §25.1", "a parameter is malformed";
    /// Control characters where none may stand.
    ControlCharacter, 400, "RFC 3261 §25.1", "a control character in a header";
    /// Any other header that cannot be read.
    Header, 400, "RFC 3261 §20", "a header is malformed";
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {} ({})", self.kind.text(), self.at, self.kind.section())
    }
}
