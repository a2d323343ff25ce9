//! What the exchange can do, as others ask for it: OPTIONS, Require.

use proto::Time;
use proto::sip::uri::Uri;
use proto::sip::{Flow, Message, Name, Reply};

use super::router::Route;
use super::{ALLOW, Exchange, SUPPORTED};

/// The packages that can be watched.
pub(super) const EVENTS: &str = "dialog, message-summary";

/// The refusal of a request that requires what nobody here knows (RFC 3261 §8.2.2.3).
pub(super) fn unsupported(message: &Message<'_>) -> Option<Reply> {
    message.header(Name::Require)?;
    let asked = message.values(Name::Require).filter_map(|value| std::str::from_utf8(value).ok());
    let known = |tag: &str| SUPPORTED.split(", ").any(|own| own.eq_ignore_ascii_case(tag));
    let foreign: Vec<&str> = asked.filter(|tag| !known(tag)).collect();
    (!foreign.is_empty()).then(|| Reply::new(420).header(Name::Unsupported, foreign.join(", ")))
}

impl Exchange {
    /// OPTIONS outside a dialog: what we can, or that nobody here is called so (RFC 3261 §11.2).
    pub(super) fn on_options(&mut self, now: Time, flow: Flow, message: &Message<'_>) {
        let uri = message.request_uri();
        let somebody = Uri::parse(uri).is_some_and(|uri| !uri.user.is_empty());
        let reply = if somebody && self.route(uri) == Route::Nobody {
            Reply::new(404)
        } else {
            Reply::new(200)
                .header(Name::Allow, ALLOW)
                .header(Name::Accept, "application/sdp")
                .header(Name::Supported, SUPPORTED)
                .header(Name::AllowEvents, EVENTS)
        };
        self.answer(now, flow, message, reply);
    }
}
