//! Whom a Request-URI means: an extension, a feature code, or nobody.

use proto::sip::uri::{Uri, unescape};

use super::Exchange;
use super::directory::ExtensionId;

/// What is dialled for features.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Codes {
    /// Followed by an extension: answers a call that rings there.
    pub pickup: String,
    /// Answers any call that rings in one's own group.
    pub group_pickup: String,
    /// Calls back whoever called last.
    pub call_return: String,
    /// Followed by an extension: turns forwarding of all calls on; alone: off.
    pub forward_always: String,
    /// Followed by an extension: turns forwarding while busy on; alone: off.
    pub forward_busy: String,
    /// Followed by an extension: turns forwarding without answer on; alone: off.
    pub forward_no_answer: String,
    /// Turns do-not-disturb on or off.
    pub do_not_disturb: String,
}

impl Default for Codes {
    fn default() -> Self {
        Self {
            pickup: "*04".into(),
            group_pickup: "*4".into(),
            call_return: "*69".into(),
            forward_always: "*72".into(),
            forward_busy: "*90".into(),
            forward_no_answer: "*92".into(),
            do_not_disturb: "*78".into(),
        }
    }
}

/// What a Request-URI asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Route {
    Extension(ExtensionId),
    Pickup(ExtensionId),
    GroupPickup,
    CallReturn,
    Forward(ForwardKind, Option<String>),
    DoNotDisturb,
    Nobody,
}

/// Which forwarding a code sets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ForwardKind {
    Always,
    Busy,
    NoAnswer,
}

impl Exchange {
    /// Whom a URI means. Every host counts as ours: phones write domains, addresses and names of
    /// proxies there, and this exchange serves no other domain.
    pub(super) fn route(&self, uri: &str) -> Route {
        let Some(uri) = Uri::parse(uri) else { return Route::Nobody };
        self.route_user(&unescape(uri.user))
    }

    pub(super) fn route_user(&self, user: &str) -> Route {
        if let Some(id) = self.directory.find(user) {
            return Route::Extension(id);
        }
        let codes = &self.config.codes;
        let argument = |code: &str| user.strip_prefix(code).filter(|_| !code.is_empty());
        if let Some(id) = argument(&codes.pickup).and_then(|number| self.directory.find(number)) {
            return Route::Pickup(id);
        }
        let forwards = [
            (&codes.forward_always, ForwardKind::Always),
            (&codes.forward_busy, ForwardKind::Busy),
            (&codes.forward_no_answer, ForwardKind::NoAnswer),
        ];
        for (code, kind) in forwards {
            if let Some(target) = argument(code) {
                return Route::Forward(kind, (!target.is_empty()).then(|| target.to_owned()));
            }
        }
        match user {
            _ if argument(&codes.group_pickup) == Some("") => Route::GroupPickup,
            _ if argument(&codes.call_return) == Some("") => Route::CallReturn,
            _ if argument(&codes.do_not_disturb) == Some("") => Route::DoNotDisturb,
            _ => Route::Nobody,
        }
    }
}
