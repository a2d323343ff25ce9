//! Lamps: who watches whose calls (RFC 6665, RFC 4235).

mod body;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use proto::Time;
use proto::event::dialog_info::{self, DialogEntry};
use proto::event::mwi;
use proto::sip::dialog::{Dialog, Party};
use proto::sip::header::{Event as EventHeader, Termination};
use proto::sip::message::Name;
use proto::sip::uri::{escape, unescape};
use proto::sip::usage::notify::{Notifier, Standing, Told};
use proto::sip::{Flow, Message, Reply, Transport};

use super::abilities::EVENTS;
use super::binding::ways_to;
use super::calls::Calls;
use super::config::Config;
use super::directory::Directory;
use super::facts::{Package, Subscription};
use super::ids::{Alarm, Claim, ExtensionId, Owner, SubscriptionId};
use super::router::{Route, Router};
use super::turn::Turn;
use super::{Change, Output};

/// The most subscriptions in all, and of one extension's lamps.
const MAX_SUBSCRIPTIONS: usize = 200_000;
const MAX_WATCHERS: usize = 2_000;
/// The most subscriptions of one extension to one thing of another: two for each device that it may have by
/// default. The oldest makes room, since a device that has lost its memory subscribes anew.
const MAX_OF_ONE_TO_ONE: usize = 16;
/// The most subscriptions of one extension in all: eight consoles with 500 lamps each.
const MAX_OF_ONE: usize = 4_000;
/// The most bytes of the texts of one subscription.
const MAX_TEXTS_BYTES: usize = 2_048;
/// Seconds of a subscription: where none are asked for, the least, the most.
const DEFAULT_S: u32 = 3_600;
pub(super) const MIN_S: u32 = 60;
const MAX_S: u32 = 7_200;

#[derive(Debug)]
struct Lamp {
    kept: Arc<Subscription>,
    notifier: Notifier,
    watched: ExtensionId,
    alarm: Time,
    /// What its texts held when it was made, in bytes.
    counted_bytes: usize,
    /// The dialogs that were told last; `None` where everything is to be told.
    told: Option<Vec<DialogEntry>>,
}

/// All subscriptions.
#[derive(Debug, Default)]
pub(super) struct Lamps {
    last: u64,
    all: BTreeMap<SubscriptionId, Lamp>,
    tags: HashMap<String, SubscriptionId>,
    /// The subscriptions to each extension.
    by_watched: BTreeMap<ExtensionId, Vec<SubscriptionId>>,
    /// How many subscriptions each extension has.
    by_watcher: HashMap<String, usize>,
    /// What the texts of all hold, in bytes.
    held_bytes: usize,
}

impl Lamps {
    pub(super) fn find_by_tag(&self, tag: &str) -> Option<SubscriptionId> {
        self.tags.get(tag).copied()
    }

    /// The subscriptions to an extension.
    pub(super) fn watchers_of(&self, watched: ExtensionId) -> &[SubscriptionId] {
        self.by_watched.get(&watched).map(Vec::as_slice).unwrap_or_default()
    }

    /// What the texts of all hold, in bytes.
    #[cfg(test)]
    pub(super) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether a request belongs to the dialog of a subscription, and comes from where its watcher is.
    pub(super) fn is_in_dialog(&self, flow: Flow, message: &Message<'_>) -> bool {
        let lamp = self.find_by_tag(message.to_tag()).and_then(|id| self.all.get(&id));
        lamp.is_some_and(|lamp| lamp.kept.remote == flow.remote)
    }

    /// How far a request that bears the tag of a subscription has shown that it is the watcher's own. One of a
    /// watcher that is no extension any more counts for no subscription.
    pub(super) fn claim(
        &self,
        directory: &Directory,
        id: SubscriptionId,
        flow: Flow,
        message: &Message<'_>,
    ) -> Claim {
        let lamp = self.all.get(&id).filter(|lamp| lamp.notifier.dialog().owns_request(message));
        let Some(kept) = lamp.map(|lamp| &lamp.kept) else { return Claim::Foreign };
        let is_there = kept.remote.ip() == flow.remote.ip() && kept.transport == flow.transport.param_name();
        match directory.find(&kept.watcher) {
            _ if is_there => Claim::Own,
            Some(watcher) => Claim::Unproven(watcher),
            None => Claim::Foreign,
        }
    }

    /// Has all of them kept anew, as after the wall clock was set.
    pub(super) fn keep_all(&self, turn: &mut Turn) {
        for lamp in self.all.values() {
            turn.keep(Change::Subscription(Arc::clone(&lamp.kept)));
        }
    }

    /// What a number watches and who watches it; all where `None`.
    pub(super) fn list(&self, number: Option<&str>) -> impl Iterator<Item = &Subscription> {
        self.iter()
            .filter(move |kept| number.is_none_or(|number| kept.watcher == number || kept.watched == number))
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Subscription> {
        self.all.values().map(|lamp| &*lamp.kept)
    }
}

/// What a watcher of an extension was told, for the next one who is at the same version.
pub(super) struct LampBody {
    version: u32,
    host: SocketAddr,
    text: String,
}

/// The lamps at work: who watches whom, with what they are lent for a turn.
pub(super) struct LampBoard<'a> {
    pub(super) lamps: &'a mut Lamps,
    pub(super) turn: &'a mut Turn,
    pub(super) calls: &'a Calls,
    pub(super) directory: &'a Directory,
    pub(super) router: &'a Router,
    pub(super) config: &'a Config,
}

impl LampBoard<'_> {
    /// A SUBSCRIBE outside a dialog, of an extension whose password was right.
    pub(super) fn on_subscribe(&mut self, flow: Flow, message: &Message<'_>, id: ExtensionId) {
        let (package, watched, expires_s) = match self.admit_watcher(message, id) {
            Ok(admitted) => admitted,
            Err(reply) => return self.turn.answer(flow, message, reply),
        };
        let tag = self.turn.rng.hex(16);
        let Some(dialog) = Dialog::incoming(message, tag.clone()) else {
            return self.turn.answer(flow, message, Reply::new(400));
        };
        let event = message.text(Name::Event).and_then(EventHeader::parse);
        let kept = Subscription {
            watcher: self.directory.number(id),
            watched: self.directory.number(watched),
            package,
            expires_at_s: self.turn.now.as_secs() + u64::from(expires_s),
            version: 0,
            cseq: 0,
            remote_cseq: dialog.remote_cseq,
            event_id: event.and_then(|event| event.params.get("id").map(str::to_owned)),
            call_id: dialog.call_id.clone(),
            local_tag: tag.clone(),
            remote_tag: dialog.remote.tag.clone(),
            local_uri: dialog.local.uri.clone(),
            remote_uri: dialog.remote.uri.clone(),
            target: dialog.target.clone(),
            transport: flow.transport.param_name().to_owned(),
            local: flow.local,
            remote: flow.remote,
            routes: dialog.routes.clone(),
        };
        if kept.texts_bytes() > MAX_TEXTS_BYTES {
            return self.turn.answer(flow, message, Reply::new(513));
        }
        self.make_room_for_lamp(&kept, watched);
        let reply = accepted(flow, &kept.watched, expires_s).to_tag(tag);
        self.turn.answer(flow, message, reply);
        let lamp = self.add_lamp(kept, dialog, watched);
        self.notify(lamp, (expires_s == 0).then_some(Termination::Timeout));
    }

    /// Whom it watches and for how long, or why not.
    fn admit_watcher(
        &self,
        message: &Message<'_>,
        id: ExtensionId,
    ) -> Result<(Package, ExtensionId, u32), Reply> {
        let event = message.text(Name::Event).and_then(EventHeader::parse);
        let Some(package) = event.and_then(|event| Package::from_name(event.package)) else {
            return Err(Reply::new(489).header(Name::AllowEvents, EVENTS));
        };
        if !accepts(message, package) {
            return Err(Reply::new(406));
        }
        let (Route::Extension(watched) | Route::Place(watched)) =
            self.router.route(self.directory, message.request_uri())
        else {
            return Err(Reply::new(404));
        };
        let entry = self.directory.get(watched).ok_or_else(|| Reply::new(404))?;
        let may_watch = match package {
            Package::Dialog => entry.extension.may_be_watched_by(&self.directory.number(id)),
            Package::MessageSummary => watched == id,
        };
        if !may_watch {
            return Err(Reply::new(403));
        }
        let expires_s = asked_s(message)?;
        let own = self.lamps.by_watcher.get(&self.directory.number(id)).copied().unwrap_or_default();
        let is_full = self.lamps.watchers_of(watched).len() >= MAX_WATCHERS
            || self.lamps.all.len() >= MAX_SUBSCRIPTIONS
            || self.lamps.held_bytes >= self.config.limits.subscriptions_bytes
            || own >= MAX_OF_ONE;
        if is_full {
            return Err(Reply::new(503).header(Name::RetryAfter, 60));
        }
        Ok((package, watched, expires_s))
    }

    /// Ends the watcher's oldest subscription to one extension where it has as many as it may have.
    fn make_room_for_lamp(&mut self, new: &Subscription, watched: ExtensionId) {
        let is_like = |id: &&SubscriptionId| {
            let lamp = self.lamps.all.get(id);
            lamp.is_some_and(|lamp| lamp.kept.watcher == new.watcher && lamp.kept.package == new.package)
        };
        let alike: Vec<SubscriptionId> =
            self.lamps.watchers_of(watched).iter().filter(is_like).copied().collect();
        if let Some(oldest) = alike.first().filter(|_| alike.len() >= MAX_OF_ONE_TO_ONE) {
            self.on_subscription_over(*oldest, Termination::Rejected);
        }
    }

    fn add_lamp(&mut self, kept: Subscription, dialog: Dialog, watched: ExtensionId) -> SubscriptionId {
        self.lamps.last += 1;
        let id = SubscriptionId(self.lamps.last);
        let alarm = Time::from_secs(kept.expires_at_s);
        self.turn.alarms.insert((alarm, Alarm::Lamp(id)));
        self.lamps.tags.insert(kept.local_tag.clone(), id);
        let counted_bytes = kept.texts_bytes();
        self.lamps.held_bytes += counted_bytes;
        *self.lamps.by_watcher.entry(kept.watcher.clone()).or_default() += 1;
        self.lamps.by_watched.entry(watched).or_default().push(id);
        let lamp = Lamp {
            counted_bytes,
            kept: Arc::new(kept),
            notifier: Notifier::new(dialog),
            watched,
            alarm,
            told: None,
        };
        self.lamps.all.insert(id, lamp);
        id
    }

    /// Takes over a subscription from before the restart; its next NOTIFY goes on counting where the last one was.
    pub(super) fn restore_subscription(&mut self, kept: Subscription) {
        let watched =
            self.directory.find(&kept.watched).filter(|_| kept.expires_at_s > self.turn.now.as_secs());
        let Some(watched) = watched else { return };
        let dialog = Dialog {
            call_id: kept.call_id.clone(),
            local: Party::new("", &*kept.local_uri).with_tag(&*kept.local_tag),
            remote: Party::new("", &*kept.remote_uri).with_tag(&*kept.remote_tag),
            target: kept.target.clone(),
            routes: kept.routes.clone(),
            local_cseq: kept.cseq,
            remote_cseq: kept.remote_cseq,
        };
        let changed = match kept.package {
            Package::Dialog => &mut self.turn.changed_lamps,
            Package::MessageSummary => &mut self.turn.changed_messages,
        };
        changed.insert(watched);
        self.add_lamp(kept, dialog, watched);
    }

    /// A refresh or the end of a subscription (RFC 6665 §4.2.1.4); the request has shown that it
    /// is the watcher's.
    pub(super) fn on_resubscribe(&mut self, id: SubscriptionId, flow: Flow, message: &Message<'_>) {
        let expires_s = match asked_s(message) {
            Ok(expires_s) => expires_s,
            Err(reply) => return self.turn.answer(flow, message, reply),
        };
        let Some(lamp) = self.lamps.all.get_mut(&id) else { return };
        if lamp.notifier.refresh(message, MAX_TEXTS_BYTES).is_err() {
            return self.turn.answer(flow, message, Reply::new(500).reason("CSeq Out Of Order"));
        }
        let (kept, dialog) = (Arc::make_mut(&mut lamp.kept), lamp.notifier.dialog());
        kept.remote_cseq = dialog.remote_cseq;
        kept.target.clone_from(&dialog.target);
        (kept.local, kept.remote) = (flow.local, flow.remote);
        flow.transport.param_name().clone_into(&mut kept.transport);
        kept.expires_at_s = self.turn.now.as_secs() + u64::from(expires_s);
        lamp.told = None;
        let reply = accepted(flow, &kept.watched, expires_s);
        self.rearm_lamp(id);
        self.turn.answer(flow, message, reply);
        self.notify(id, (expires_s == 0).then_some(Termination::Timeout));
    }

    fn rearm_lamp(&mut self, id: SubscriptionId) {
        let Some(lamp) = self.lamps.all.get_mut(&id) else { return };
        self.turn.alarms.remove(&(lamp.alarm, Alarm::Lamp(id)));
        lamp.alarm = Time::from_secs(lamp.kept.expires_at_s);
        self.turn.alarms.insert((lamp.alarm, Alarm::Lamp(id)));
    }

    /// Ends a subscription that was not refreshed, or that may not go on (RFC 6665 §4.2.2), by a last NOTIFY.
    pub(super) fn on_subscription_over(&mut self, id: SubscriptionId, reason: Termination) {
        self.notify(id, Some(reason));
    }

    /// Ends what others watch of an extension and may watch no longer.
    pub(super) fn end_forbidden_lamps(&mut self, watched: ExtensionId) {
        let Some(entry) = self.directory.get(watched) else { return };
        let may_watch = |id: &SubscriptionId| {
            self.lamps.all.get(id).is_none_or(|lamp| entry.extension.may_be_watched_by(&lamp.kept.watcher))
        };
        let forbidden: Vec<SubscriptionId> =
            self.lamps.watchers_of(watched).iter().copied().filter(|id| !may_watch(id)).collect();
        for id in forbidden {
            self.on_subscription_over(id, Termination::Rejected);
        }
    }

    /// Ends all subscriptions of an extension that is gone or cut off.
    pub(super) fn end_lamps_of(&mut self, watcher: &str) {
        let own = self.lamps.all.iter().filter(|(_, lamp)| lamp.kept.watcher == watcher);
        let own: Vec<SubscriptionId> = own.map(|(id, _)| *id).collect();
        for id in own {
            self.on_subscription_over(id, Termination::Rejected);
        }
    }

    /// Sends a NOTIFY to the watchers of each extension that has changed in this turn.
    pub(super) fn tell_lamps(&mut self) {
        while let Some(extension) = self.turn.changed_lamps.pop_first() {
            self.tell_watchers(extension, Package::Dialog);
        }
        while let Some(extension) = self.turn.changed_messages.pop_first() {
            self.tell_watchers(extension, Package::MessageSummary);
        }
    }

    fn tell_watchers(&mut self, extension: ExtensionId, package: Package) {
        let watchers = self.lamps.watchers_of(extension).to_vec();
        let mut latest = None;
        for id in watchers {
            if self.lamps.all.get(&id).is_some_and(|lamp| lamp.kept.package == package) {
                self.notify_like(id, None, &mut latest);
            }
        }
    }

    /// Sends the state as it is, or notes that it changed while a NOTIFY waits for its answer; with `over`
    /// for the last time, and why.
    fn notify(&mut self, id: SubscriptionId, over: Option<Termination>) {
        self.notify_like(id, over, &mut None);
    }

    /// [`notify`](Self::notify) with the body that another watcher has just got, where it is the same.
    fn notify_like(&mut self, id: SubscriptionId, over: Option<Termination>, latest: &mut Option<LampBody>) {
        let Some(lamp) = self.lamps.all.get_mut(&id) else { return };
        if over.is_none() && !lamp.notifier.may_tell() {
            return;
        }
        let (media_type, body) = self.body(id, latest);
        let Some(lamp) = self.lamps.all.get_mut(&id) else { return };
        let left_s = lamp.kept.expires_at_s.saturating_sub(self.turn.now.as_secs());
        let expires_s = u32::try_from(left_s).unwrap_or(u32::MAX);
        let standing = over.map_or(Standing::Active { expires_s }, Standing::Over);
        let event_id = lamp.kept.event_id.as_ref().map(|id| format!(";id={id}")).unwrap_or_default();
        let event = format_args!("{}{event_id}", lamp.kept.package.name());
        let contact = format_args!("<sip:{}@{}>", lamp.kept.watched, lamp.kept.local);
        let request = lamp
            .notifier
            .tell(event, standing, contact)
            .header(Name::UserAgent, &self.config.user_agent)
            .body(media_type, body);
        let kept = Arc::make_mut(&mut lamp.kept);
        kept.version = kept.version.wrapping_add(1);
        kept.cseq = lamp.notifier.dialog().local_cseq;
        let transport = Transport::from_name(&lamp.kept.transport).unwrap_or_default();
        let flow = Flow { transport, local: lamp.kept.local, remote: lamp.kept.remote };
        let targets = ways_to(flow, &lamp.kept.target);
        let kept = Arc::clone(&lamp.kept);
        let sent = self.turn.endpoint.send(
            self.turn.now,
            &request,
            targets,
            kept.local,
            Owner::Lamp(id),
            &mut self.turn.wire,
        );
        if over.is_some() {
            self.remove_lamp(id);
        } else {
            self.turn.told.push(Output::Store(Change::Subscription(kept)));
            if sent.is_err() {
                self.on_notify_response(id, None);
            }
        }
    }

    /// The watcher has answered a NOTIFY, or has not.
    pub(super) fn on_notify_response(&mut self, id: SubscriptionId, status: Option<u16>) {
        let Some(lamp) = self.lamps.all.get_mut(&id) else { return };
        if !matches!(status, Some(..300)) {
            lamp.told = None;
        }
        match lamp.notifier.on_response(status) {
            Told::Gone => self.remove_lamp(id),
            Told::Again => self.notify(id, None),
            Told::Nothing => {}
        }
    }

    fn remove_lamp(&mut self, id: SubscriptionId) {
        let Some(lamp) = self.lamps.all.remove(&id) else { return };
        self.turn.alarms.remove(&(lamp.alarm, Alarm::Lamp(id)));
        self.lamps.tags.remove(&lamp.kept.local_tag);
        self.lamps.held_bytes = self.lamps.held_bytes.saturating_sub(lamp.counted_bytes);
        if let Some(count) = self.lamps.by_watcher.get_mut(&lamp.kept.watcher) {
            *count -= 1;
            if *count == 0 {
                self.lamps.by_watcher.remove(&lamp.kept.watcher);
            }
        }
        if let Some(watchers) = self.lamps.by_watched.get_mut(&lamp.watched) {
            watchers.retain(|other| *other != id);
            if watchers.is_empty() {
                self.lamps.by_watched.remove(&lamp.watched);
            }
        }
        let local_tag = lamp.kept.local_tag.clone();
        self.turn.told.push(Output::Store(Change::SubscriptionRemoved { local_tag }));
    }
}

/// Whether a watcher reads the bodies of a package (RFC 6665 §3.1.3).
fn accepts(message: &Message<'_>, package: Package) -> bool {
    let own = match package {
        Package::Dialog => dialog_info::MEDIA_TYPE,
        Package::MessageSummary => mwi::MEDIA_TYPE,
    };
    let mut read =
        message.values(Name::Accept).filter_map(|value| std::str::from_utf8(value).ok()).peekable();
    let is_read = |value: &str| {
        let kind = value.split(';').next().unwrap_or_default().trim();
        ["*/*", "application/*", own].iter().any(|known| kind.eq_ignore_ascii_case(known))
    };
    read.peek().is_none() || read.any(is_read)
}

/// The seconds asked for (RFC 6665 §4.2.1.1).
fn asked_s(message: &Message<'_>) -> Result<u32, Reply> {
    match message.number(Name::Expires).unwrap_or(DEFAULT_S) {
        0 => Ok(0),
        asked_s if asked_s < MIN_S => Err(Reply::new(423).header(Name::MinExpires, MIN_S)),
        asked_s => Ok(asked_s.min(MAX_S)),
    }
}

fn accepted(flow: Flow, watched: &str, expires_s: u32) -> Reply {
    Reply::new(200)
        .header(Name::Expires, expires_s)
        .header(Name::Contact, format_args!("<sip:{}@{}>", escape(&unescape(watched)), flow.local))
}
