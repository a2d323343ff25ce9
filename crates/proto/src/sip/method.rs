//! Methods.

use std::fmt;

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident, $text:literal;)*) => {
        /// What a request asks for.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Method { $($(#[$doc])* $name,)*
            /// A method that we do not know; answered with 501 or 405.
            Other,
        }

        impl Method {
            /// The methods that we know.
            pub const KNOWN: &'static [Method] = &[$(Method::$name),*];

            /// As written on the wire; methods are case-sensitive (RFC 3261 §7.1).
            pub fn from_bytes(text: &[u8]) -> Self {
                $(if text == $text.as_bytes() { return Self::$name; })*
                Self::Other
            }

            /// As written on the wire; `OTHER` for one that we do not know.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* Self::Other => "OTHER" }
            }
        }
    };
}

methods! {
    /// RFC 3261 §13.
    Invite, "INVITE";
    /// RFC 3261 §13.2.2.4, §17.1.1.3.
    Ack, "ACK";
    /// RFC 3261 §15.
    Bye, "BYE";
    /// RFC 3261 §9.
    Cancel, "CANCEL";
    /// RFC 3261 §10.
    Register, "REGISTER";
    /// RFC 3261 §11.
    Options, "OPTIONS";
    /// RFC 6665.
    Subscribe, "SUBSCRIBE";
    /// RFC 6665.
    Notify, "NOTIFY";
    /// RFC 3515.
    Refer, "REFER";
    /// RFC 6086.
    Info, "INFO";
    /// RFC 3311.
    Update, "UPDATE";
    /// RFC 3262.
    Prack, "PRACK";
    /// RFC 3428.
    Message, "MESSAGE";
    /// RFC 3903.
    Publish, "PUBLISH";
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
