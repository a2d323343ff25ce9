//! Which methods and extensions of SIP the exchange supports: the answer to OPTIONS, the check of Require.

use proto::sip::uri::Uri;
use proto::sip::{Flow, Message, Name, Reply};

use super::directory::Directory;
use super::router::{Route, Router};
use super::turn::Turn;

/// What an exchange does with others' requests.
pub(super) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, REFER, INFO, UPDATE, PRACK";
/// The extensions of SIP that both legs understand.
pub(super) const SUPPORTED: &str = "replaces, timer, 100rel, path";
/// The packages that can be watched.
pub(super) const EVENTS: &str = "dialog, message-summary";

/// The refusal of a request that requires an extension of SIP that is unknown here (RFC 3261 §8.2.2.3).
pub(super) fn unsupported(message: &Message<'_>) -> Option<Reply> {
    message.header(Name::Require)?;
    let asked = message.values(Name::Require).filter_map(|value| std::str::from_utf8(value).ok());
    let known = |tag: &str| SUPPORTED.split(", ").any(|own| own.eq_ignore_ascii_case(tag));
    let foreign: Vec<&str> = asked.filter(|tag| !known(tag)).collect();
    (!foreign.is_empty()).then(|| Reply::new(420).header(Name::Unsupported, foreign.join(", ")))
}

/// Answers OPTIONS outside a dialog: what we can do, or 404 where the Request-URI names nobody here
/// (RFC 3261 §11.2).
pub(super) fn on_options(
    turn: &mut Turn,
    directory: &Directory,
    router: &Router,
    flow: Flow,
    message: &Message<'_>,
) {
    let uri = message.request_uri();
    let names_somebody = Uri::parse(uri).is_some_and(|uri| !uri.user.is_empty());
    let reply = if names_somebody && router.route(directory, uri) == Route::Nobody {
        Reply::new(404)
    } else {
        Reply::new(200)
            .header(Name::Allow, ALLOW)
            .header(Name::Accept, "application/sdp")
            .header(Name::Supported, SUPPORTED)
            .header(Name::AllowEvents, EVENTS)
    };
    turn.answer(flow, message, reply);
}
