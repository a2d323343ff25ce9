//! Who is on the telephone: `application/dialog-info+xml` (RFC 4235).
//!
//! [`DialogInfo`] is one body. [`Watch`] is what a watcher makes of a row of them: it applies the rule of
//! versions and reduces the dialogs to the state of one lamp. Bodies are read from poor ones (an id and a
//! state, as the deck's Yeastar writes) to rich ones that allow a call to be picked up.

mod parse;
mod watch;
mod write;

pub use parse::{DialogInfoError, DialogInfoFault};
pub use watch::{Applied, Caller, LampState, Pickup, Watch};
pub use write::minimal;

/// The media type of these bodies.
pub const MEDIA_TYPE: &str = "application/dialog-info+xml";
/// The namespace of RFC 4235.
pub const NAMESPACE: &str = "urn:ietf:params:xml:ns:dialog-info";
/// Our own additions: whether the extension is registered, and whether a call is parked. RFC 4235 lets
/// elements of other namespaces stand here, and those who do not know them pass over them.
pub const OWN_NAMESPACE: &str = "urn:x-offhook:dialog-info";

/// The largest body taken, in bytes.
pub const MAX_BYTES: usize = 65_535;
/// The most dialogs taken in one body or kept by one watch.
pub const MAX_DIALOGS: usize = 128;
/// The deepest nesting taken.
pub const MAX_DEPTH: usize = 32;
/// The longest value taken, in bytes.
pub const MAX_VALUE_BYTES: usize = 1_024;

/// One body.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DialogInfo {
    /// The watched party, `sip:7007@192.168.50.19:5060`.
    pub entity: String,
    /// Counts the bodies of one subscription.
    pub version: u32,
    /// Whether this is everything; otherwise only what changed.
    pub full: bool,
    /// The dialogs, none if the party is idle.
    pub dialogs: Vec<DialogEntry>,
    /// Whether the party is registered, where the sender is one of ours and says so.
    pub registered: Option<bool>,
}

/// One dialog of the watched party.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DialogEntry {
    /// Names the dialog within the subscription.
    pub id: String,
    /// The Call-ID, needed to pick up.
    pub call_id: Option<String>,
    /// The watched party's tag.
    pub local_tag: Option<String>,
    /// The tag of whom it talks to.
    pub remote_tag: Option<String>,
    /// Whether the watched party called or was called.
    pub direction: Option<CallDirection>,
    /// How far the call is.
    pub state: DialogState,
    /// Why it changed: `cancelled`, `rejected`, `replaced`, `local-bye`, `remote-bye`, `error`, `timeout`.
    pub event: Option<String>,
    /// The SIP status that came with it.
    pub code: Option<u16>,
    /// The watched party's side.
    pub local: Party,
    /// The other side.
    pub remote: Party,
    /// Whether the call is parked, where the sender is one of ours and says so.
    pub parked: bool,
}

/// One side of a dialog.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Party {
    /// Its URI.
    pub identity: Option<String>,
    /// Its name.
    pub display: Option<String>,
    /// Where its device is reached.
    pub target: Option<String>,
    /// The `+sip.rendering` parameter of the target: false while it holds the call.
    pub rendering: Option<bool>,
}

/// Who began a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallDirection {
    /// The watched party called.
    Initiator,
    /// The watched party was called.
    Recipient,
}

impl CallDirection {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Initiator => "initiator",
            Self::Recipient => "recipient",
        }
    }
}

/// How far a call is (RFC 4235 §3.7.1).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DialogState {
    /// The INVITE is out.
    Trying,
    /// A provisional response without a tag came.
    Proceeding,
    /// It rings.
    Early,
    /// They talk.
    Confirmed,
    /// It is over; in poor bodies: the party is available (deck, BLF).
    #[default]
    Terminated,
}

impl DialogState {
    const ALL: [DialogState; 5] =
        [Self::Trying, Self::Proceeding, Self::Early, Self::Confirmed, Self::Terminated];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trying => "trying",
            Self::Proceeding => "proceeding",
            Self::Early => "early",
            Self::Confirmed => "confirmed",
            Self::Terminated => "terminated",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name().eq_ignore_ascii_case(name))
    }
}
