//! From a row of bodies to the state of one lamp.

use std::collections::BTreeMap;

use crate::sip::uri::unescape;

use super::{CallDirection, DialogEntry, DialogInfo, DialogState, MAX_DIALOGS};

/// What a lamp shows of a watched party.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum LampState {
    /// Nothing is known yet, or no longer.
    #[default]
    Unknown,
    /// No call.
    Idle,
    /// It is being called.
    Ringing {
        /// Who calls, where the server says so.
        caller: Option<Caller>,
        /// How to take the call by Replaces, where the server says so; otherwise a pickup code is dialled.
        pickup: Option<Pickup>,
    },
    /// It is on a call or dials.
    Busy,
    /// It holds all its calls.
    Held,
    /// A call is parked there.
    Parked,
}

/// Who calls a watched party.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// The name to show.
    pub display: Option<String>,
    /// The URI.
    pub identity: Option<String>,
}

/// The ids of a ringing dialog for a Replaces header (RFC 3891).
///
/// Addressed to the caller, whose own tag is `remote_tag`: `call_id;to-tag=remote_tag;from-tag=local_tag`
/// (RFC 5359 §2.16); an exchange that owns both halves of a call takes either orientation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pickup {
    /// The Call-ID.
    pub call_id: String,
    /// The watched party's tag.
    pub local_tag: String,
    /// The caller's tag.
    pub remote_tag: String,
    /// Where the caller's device is reached.
    pub remote_target: Option<String>,
}

/// What became of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Applied {
    /// It counts.
    Taken,
    /// It is older than what is known and changes nothing.
    Old,
    /// A partial body is missing in between: subscribe again to get a full one. Nothing has changed.
    NeedRefresh,
    /// It is about somebody else and changes nothing.
    Foreign,
}

/// A watcher's knowledge of one party, for the life of one subscription.
#[derive(Clone, Debug)]
pub struct Watch {
    user: String,
    host: Option<String>,
    version: Option<u32>,
    dialogs: BTreeMap<String, DialogEntry>,
    registered: Option<bool>,
}

impl Watch {
    /// Watches a user. Servers write hosts and ports of their own into `entity`, so it is compared with
    /// `match_host` only if there is one.
    pub fn new(user: &str, match_host: Option<&str>) -> Self {
        Self {
            user: user.to_owned(),
            host: match_host.map(str::to_owned),
            version: None,
            dialogs: BTreeMap::new(),
            registered: None,
        }
    }

    /// Forgets all: the subscription ended, failed or begins anew with versions of its own.
    pub fn reset(&mut self) {
        self.version = None;
        self.dialogs.clear();
        self.registered = None;
    }

    /// Takes a body by the rule of versions (RFC 4235 §4.3).
    ///
    /// Two courtesies: a full body that repeats the version counts, because some servers never raise it
    /// and the order is already guarded by CSeq; and a first body may be partial, because some phones
    /// that are watched directly never send a full one.
    pub fn apply(&mut self, info: &DialogInfo) -> Applied {
        if !self.is_about(&info.entity) {
            return Applied::Foreign;
        }
        match self.version {
            Some(known) if info.version < known => return Applied::Old,
            Some(known) if info.version == known && !info.full => return Applied::Old,
            Some(known) if !info.full && info.version.checked_sub(1) != Some(known) => {
                return Applied::NeedRefresh;
            }
            _ => {}
        }
        self.version = Some(info.version);
        if info.full {
            self.dialogs.clear();
            self.registered = info.registered;
        }
        self.registered = info.registered.or(self.registered);
        info.dialogs.iter().for_each(|dialog| self.apply_dialog(dialog));
        Applied::Taken
    }

    /// What the lamp shows.
    ///
    /// Parked wins over all; any confirmed call means busy, or held if all of them are; a call that rings
    /// here, or of which nobody says which way it goes, means ringing; a call under way means busy.
    pub fn lamp(&self) -> LampState {
        let dialogs = || self.dialogs.values();
        let mut confirmed = dialogs().filter(|dialog| dialog.state == DialogState::Confirmed).peekable();
        if self.version.is_none() {
            LampState::Unknown
        } else if dialogs().any(|dialog| dialog.parked) {
            LampState::Parked
        } else if confirmed.peek().is_some() {
            let held = confirmed.all(|dialog| dialog.local.rendering == Some(false));
            if held { LampState::Held } else { LampState::Busy }
        } else if let Some(dialog) = dialogs().find(|dialog| rings(dialog)) {
            LampState::Ringing { caller: caller(dialog), pickup: pickup(dialog) }
        } else if dialogs().any(|dialog| dialog.direction == Some(CallDirection::Initiator)) {
            LampState::Busy
        } else {
            LampState::Idle
        }
    }

    /// Whether the party is registered, where the exchange is one of ours and says so.
    pub fn registered(&self) -> Option<bool> {
        self.registered
    }

    /// The calls that are going on.
    pub fn dialogs(&self) -> impl Iterator<Item = &DialogEntry> {
        self.dialogs.values()
    }

    fn apply_dialog(&mut self, dialog: &DialogEntry) {
        if dialog.state == DialogState::Terminated {
            self.dialogs.remove(&dialog.id);
        } else if self.dialogs.len() < MAX_DIALOGS || self.dialogs.contains_key(&dialog.id) {
            self.dialogs.insert(dialog.id.clone(), dialog.clone());
        }
    }

    fn is_about(&self, entity: &str) -> bool {
        let (user, host) = split_entity(entity);
        let host_fits = self.host.as_deref().is_none_or(|expected| expected.eq_ignore_ascii_case(host));
        unescape(user) == unescape(&self.user) && host_fits
    }
}

fn rings(dialog: &DialogEntry) -> bool {
    dialog.state == DialogState::Early && dialog.direction != Some(CallDirection::Initiator)
}

fn caller(dialog: &DialogEntry) -> Option<Caller> {
    let party = &dialog.remote;
    let known = party.display.is_some() || party.identity.is_some();
    known.then(|| Caller { display: party.display.clone(), identity: party.identity.clone() })
}

fn pickup(dialog: &DialogEntry) -> Option<Pickup> {
    Some(Pickup {
        call_id: dialog.call_id.clone()?,
        local_tag: dialog.local_tag.clone()?,
        remote_tag: dialog.remote_tag.clone()?,
        remote_target: dialog.remote.target.clone(),
    })
}

/// User and host of `sip:7007@192.168.50.19:5060;x=y`, without port and parameters.
fn split_entity(entity: &str) -> (&str, &str) {
    let rest = entity.trim();
    let scheme = ["sips:", "sip:", "tel:"]
        .into_iter()
        .find(|scheme| rest.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let rest = rest.get(scheme.map_or(0, str::len)..).unwrap_or_default();
    let (user, host) = rest.split_once('@').unwrap_or((rest, ""));
    let user = user.split([';', ':']).next().unwrap_or_default();
    let host = host.split([';', '?']).next().unwrap_or_default();
    let end = match host.strip_prefix('[') {
        Some(inner) => inner.find(']').map(|place| place + 2),
        None => host.find(':'),
    };
    (user, end.and_then(|end| host.get(..end)).unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::super::Party;
    use super::*;
    use proptest::prelude::*;

    fn dialog(id: &str, state: DialogState, direction: Option<CallDirection>) -> DialogEntry {
        DialogEntry { id: id.to_owned(), state, direction, ..DialogEntry::default() }
    }

    fn info(version: u32, full: bool, dialogs: Vec<DialogEntry>) -> DialogInfo {
        DialogInfo { entity: "sip:7007@h:5060".to_owned(), version, full, dialogs, registered: None }
    }

    fn early(id: &str) -> DialogEntry {
        dialog(id, DialogState::Early, Some(CallDirection::Recipient))
    }

    fn ringing() -> LampState {
        LampState::Ringing { caller: None, pickup: None }
    }

    #[test]
    fn the_reduction() {
        use CallDirection::{Initiator, Recipient};
        use DialogState::{Confirmed, Early, Proceeding, Terminated, Trying};
        let check = |dialogs: &[(DialogState, Option<CallDirection>, bool)], expected: LampState| {
            let entry = |(index, (state, direction, held)): (usize, &(DialogState, _, bool))| DialogEntry {
                local: Party { rendering: held.then_some(false), ..Party::default() },
                ..dialog(&index.to_string(), *state, *direction)
            };
            let mut watch = Watch::new("7007", None);
            watch.apply(&info(0, true, dialogs.iter().enumerate().map(entry).collect()));
            assert_eq!(watch.lamp(), expected, "{dialogs:?}");
        };
        check(&[], LampState::Idle);
        check(&[(Terminated, None, false)], LampState::Idle);
        check(&[(Early, None, false)], ringing());
        check(&[(Early, Some(Recipient), false)], ringing());
        check(&[(Early, Some(Initiator), false)], LampState::Busy);
        check(&[(Trying, Some(Initiator), false)], LampState::Busy);
        check(&[(Proceeding, Some(Initiator), false)], LampState::Busy);
        check(&[(Trying, None, false)], LampState::Idle);
        check(&[(Early, Some(Recipient), false), (Confirmed, None, false)], LampState::Busy);
        check(&[(Early, Some(Recipient), false), (Trying, Some(Initiator), false)], ringing());
        check(&[(Confirmed, None, true)], LampState::Held);
        check(&[(Confirmed, None, true), (Confirmed, None, false)], LampState::Busy);
        check(&[(Confirmed, None, true), (Early, None, false)], LampState::Held);
    }

    #[test]
    fn versions_in_order_and_out_of_it() {
        let mut watch = Watch::new("7007", None);
        assert_eq!(watch.lamp(), LampState::Unknown);
        assert_eq!(watch.apply(&info(4, true, vec![])), Applied::Taken);
        assert_eq!(watch.apply(&info(5, false, vec![early("a")])), Applied::Taken);
        assert_eq!(watch.lamp(), ringing());
        assert_eq!(watch.apply(&info(7, false, vec![])), Applied::NeedRefresh);
        assert_eq!(watch.apply(&info(5, false, vec![])), Applied::Old);
        assert_eq!(watch.apply(&info(4, true, vec![])), Applied::Old);
        assert_eq!(watch.lamp(), ringing(), "nothing of that counts");
        assert_eq!(
            watch.apply(&info(6, false, vec![dialog("a", DialogState::Terminated, None)])),
            Applied::Taken
        );
        assert_eq!(watch.lamp(), LampState::Idle);
        assert_eq!(watch.apply(&info(20, true, vec![early("b")])), Applied::Taken);
        assert_eq!(watch.apply(&info(20, true, vec![])), Applied::Taken, "a server that never counts");
        assert_eq!(watch.lamp(), LampState::Idle);
        watch.reset();
        assert_eq!(watch.lamp(), LampState::Unknown);
        assert_eq!(watch.apply(&info(0, false, vec![early("c")])), Applied::Taken);
        assert_eq!(watch.lamp(), ringing());
    }

    #[test]
    fn a_ringing_call_can_be_shown_and_taken() {
        let mut call = early("a");
        call.remote.display = Some("Ann".to_owned());
        call.remote.target = Some("sip:7001@1.2.3.4".to_owned());
        (call.call_id, call.local_tag) = (Some("c".to_owned()), Some("l".to_owned()));
        let lamp = |call: &DialogEntry| {
            let mut watch = Watch::new("7007", None);
            watch.apply(&info(0, true, vec![call.clone()]));
            watch.lamp()
        };
        let caller = Some(Caller { display: Some("Ann".to_owned()), identity: None });
        assert_eq!(lamp(&call), LampState::Ringing { caller: caller.clone(), pickup: None });
        call.remote_tag = Some("r".to_owned());
        let pickup = Some(Pickup {
            call_id: "c".to_owned(),
            local_tag: "l".to_owned(),
            remote_tag: "r".to_owned(),
            remote_target: Some("sip:7001@1.2.3.4".to_owned()),
        });
        assert_eq!(lamp(&call), LampState::Ringing { caller, pickup });
        call.parked = true;
        assert_eq!(lamp(&call), LampState::Parked);
    }

    /// RFC 3261 §19.1.4: an escaped character is the character.
    #[test]
    fn an_escaped_user_is_the_same_user() {
        let check = |watched: &str, entity: &str| {
            let mut watch = Watch::new(watched, None);
            let body = DialogInfo { entity: entity.to_owned(), ..info(0, true, vec![]) };
            assert_eq!(watch.apply(&body), Applied::Taken, "{watched} {entity}");
        };
        check("*21#", "sip:*21%23@host");
        check("*21#", "sip:%2A21%23@host");
        check("%2A7002", "sip:*7002@host");
    }

    #[test]
    fn whom_a_body_is_about() {
        let check = |entity: &str, host: Option<&str>, expected: Applied| {
            let mut watch = Watch::new("7007", host);
            let body = DialogInfo { entity: entity.to_owned(), ..info(0, true, vec![]) };
            assert_eq!(watch.apply(&body), expected, "{entity}");
        };
        check("sip:7007@192.168.50.19:5060", None, Applied::Taken);
        check("sips:7007@[2001:db8::1]:5061;a=b", Some("[2001:DB8::1]"), Applied::Taken);
        check("SIP:7007@h?x", Some("h"), Applied::Taken);
        check("7007", None, Applied::Taken);
        check("sip:%37007@h", None, Applied::Taken);
        check("sip:7007@other:5060", Some("h"), Applied::Foreign);
        check("sip:70070@h", None, Applied::Foreign);
        check("sip:h", None, Applied::Foreign);
    }

    #[test]
    fn registration_is_told_apart_from_rest() {
        let mut watch = Watch::new("7007", None);
        watch.apply(&DialogInfo { registered: Some(false), ..info(0, true, vec![]) });
        assert_eq!((watch.registered(), watch.lamp()), (Some(false), LampState::Idle));
        watch.apply(&info(1, false, vec![]));
        assert_eq!(watch.registered(), Some(false), "a partial body says only what changed");
        watch.apply(&info(2, true, vec![]));
        assert_eq!(watch.registered(), None);
    }

    #[test]
    fn the_dialogs_are_limited() {
        let mut watch = Watch::new("7007", None);
        for version in 0..u32::try_from(MAX_DIALOGS).expect("small") + 10 {
            watch.apply(&info(version, false, vec![early(&version.to_string())]));
        }
        assert_eq!(watch.dialogs().count(), MAX_DIALOGS);
    }

    proptest! {
        #[test]
        fn any_entity_is_split(entity in ".{0,40}") {
            let (user, host) = split_entity(&entity);
            prop_assert!(entity.contains(user) && entity.contains(host));
        }
    }
}
