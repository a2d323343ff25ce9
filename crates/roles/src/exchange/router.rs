//! What a Request-URI or a dialled number means: an extension, a parking place, a feature code, or nothing.

use proto::sip::uri::{Uri, unescape};

use super::Change;
use super::codes::Codes;
use super::directory::Directory;
use super::ids::ExtensionId;
use super::turn::Turn;

/// What a Request-URI asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Route {
    Extension(ExtensionId),
    Pickup(ExtensionId),
    GroupPickup,
    CallReturn,
    Forward(ForwardKind, Option<String>),
    DoNotDisturb,
    Intercom(ExtensionId),
    /// A parking place.
    Place(ExtensionId),
    /// To be parked, there or anywhere.
    Park(Option<ExtensionId>),
    Echo,
    TestTone,
    Nobody,
}

/// Which forwarding a code sets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ForwardKind {
    Always,
    Busy,
    NoAnswer,
}

/// Reads what is dialled, by the feature codes.
#[derive(Debug)]
pub(super) struct Router {
    codes: Codes,
}

impl Router {
    pub(super) const fn new(codes: Codes) -> Self {
        Self { codes }
    }

    pub(super) const fn codes(&self) -> &Codes {
        &self.codes
    }

    /// Sets the feature codes.
    ///
    /// # Errors
    /// Two of them are the same, or one is an extension's number; which, in words.
    pub(super) fn set_codes(
        &mut self,
        turn: &mut Turn,
        directory: &Directory,
        codes: Codes,
    ) -> Result<(), String> {
        let hidden = directory.iter().find_map(|(_, entry)| codes.hidden_by(&entry.extension.number));
        if let Some(text) = codes.clash().or(hidden) {
            return Err(text);
        }
        turn.keep(Change::Codes(Box::new(codes.clone())));
        self.codes = codes;
        Ok(())
    }

    /// Whom a URI means. Every host counts as ours: phones write domains, addresses and names of
    /// proxies there, and this exchange serves no other domain.
    pub(super) fn route(&self, directory: &Directory, uri: &str) -> Route {
        let Some(uri) = Uri::parse(uri) else { return Route::Nobody };
        self.route_number(directory, &unescape(uri.user))
    }

    /// Whom a number means.
    pub(super) fn route_number(&self, directory: &Directory, user: &str) -> Route {
        if let Some(id) = directory.find(user) {
            let is_place = directory.get(id).is_some_and(|entry| entry.is_place);
            return if is_place { Route::Place(id) } else { Route::Extension(id) };
        }
        let argument = |code: &str| user.strip_prefix(code).filter(|_| !code.is_empty());
        let person = |number: &str| directory.find_person(number);
        if let Some(id) = argument(&self.codes.pickup).and_then(person) {
            return Route::Pickup(id);
        }
        if let Some(id) = argument(&self.codes.park).and_then(|number| directory.find_place(number)) {
            return Route::Park(Some(id));
        }
        if let Some(id) = argument(&self.codes.intercom).and_then(person) {
            return Route::Intercom(id);
        }
        let forwards = [
            (&self.codes.forward_always, ForwardKind::Always),
            (&self.codes.forward_busy, ForwardKind::Busy),
            (&self.codes.forward_no_answer, ForwardKind::NoAnswer),
        ];
        for (code, kind) in forwards {
            if let Some(target) = argument(code) {
                return Route::Forward(kind, (!target.is_empty()).then(|| target.to_owned()));
            }
        }
        match user {
            _ if argument(&self.codes.group_pickup) == Some("") => Route::GroupPickup,
            _ if argument(&self.codes.call_return) == Some("") => Route::CallReturn,
            _ if argument(&self.codes.do_not_disturb) == Some("") => Route::DoNotDisturb,
            _ if argument(&self.codes.park) == Some("") => Route::Park(None),
            _ if argument(&self.codes.echo) == Some("") => Route::Echo,
            _ if argument(&self.codes.test_tone) == Some("") => Route::TestTone,
            _ => Route::Nobody,
        }
    }
}
