//! Registrations (RFC 3261 §10.3): which devices an extension has, and until when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proto::Time;
use proto::sip::header::Address;
use proto::sip::{Flow, Message, Name, Reply, Uri};

use super::binding::Binding;
use super::blocks::Block;
use super::directory::Directory;
use super::extension::Devices;
use super::ids::{Alarm, ExtensionId};
use super::turn::Turn;
use super::{Change, Event, Output};

/// The longest Contact, Call-ID and User-Agent that are kept, in bytes.
const MAX_URI_BYTES: usize = 256;
const MAX_CALL_ID_BYTES: usize = 128;
const MAX_AGENT_BYTES: usize = 64;
/// The most proxies between a device and us.
const MAX_PATH: usize = 8;
/// The most Contacts read of one REGISTER.
const MAX_CONTACTS: usize = 16;

/// How long registrations last, and who may not register.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Where a phone asks for no time, in seconds.
    pub default_s: u32,
    /// Less than this is answered with 423 (RFC 3261 §10.3 step 7).
    pub min_s: u32,
    /// More than this is cut.
    pub max_s: u32,
    /// Devices that match get 403.
    pub blocks: Vec<Block>,
}

impl Default for Terms {
    fn default() -> Self {
        Self { default_s: 3_600, min_s: 60, max_s: 7_200, blocks: Vec::new() }
    }
}

/// What a REGISTER does to one contact.
struct Wish<'a> {
    address: Address<'a>,
    expires_s: u32,
}

/// A REGISTER whose password was right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a, 'm> {
    /// Where it came from.
    pub(super) flow: Flow,
    /// The request.
    pub(super) message: &'a Message<'m>,
    /// The user of the device's own account; none where it was the extension's account.
    pub(super) user: Option<&'a str>,
}

/// Which devices are registered, and until when.
#[derive(Debug)]
pub(super) struct Registrar {
    terms: Terms,
    /// The extensions for which a wake-up is under way.
    wakes: BTreeMap<ExtensionId, Time>,
}

impl Registrar {
    pub(super) const fn new(terms: Terms) -> Self {
        Self { terms, wakes: BTreeMap::new() }
    }

    /// A REGISTER of an extension whose password was right. Whether it has brought a device that is new.
    pub(super) fn on_register(
        &mut self,
        turn: &mut Turn,
        directory: &mut Directory,
        asked: Asked<'_, '_>,
        id: ExtensionId,
    ) -> bool {
        let Asked { flow, message, .. } = asked;
        let (now, mut is_new) = (turn.now, false);
        let reply = match self.register(turn, directory, asked, id, &mut is_new) {
            // The device learns which way its calls come (RFC 3327 §5.3).
            Ok(()) => message
                .values(Name::Path)
                .filter_map(|value| std::str::from_utf8(value).ok())
                .fold(registered(turn, directory, id), |reply, value| reply.header(Name::Path, value)),
            Err(reply) => reply,
        };
        let server = turn.accept(flow, message);
        // The transaction was opened a line above and has no answer yet.
        let _ = turn.endpoint.reply(now, server, &reply, &mut turn.wire);
        is_new
    }

    fn register(
        &mut self,
        turn: &mut Turn,
        directory: &mut Directory,
        asked: Asked<'_, '_>,
        id: ExtensionId,
        is_new: &mut bool,
    ) -> Result<(), Reply> {
        let Asked { flow, message, .. } = asked;
        if message.header(Name::Contact).is_some_and(|value| value == b"*") {
            return unregister_all(turn, directory, message, id);
        }
        let wishes = self.wishes(message)?;
        let path = path(message)?;
        check_order(directory, message, id)?;
        check_room(turn.now, directory, flow, &wishes, id)?;
        for wish in &wishes {
            *is_new |= self.bind(turn, directory, asked, id, wish, &path)?;
        }
        Ok(())
    }

    fn wishes<'a>(&self, message: &Message<'a>) -> Result<Vec<Wish<'a>>, Reply> {
        let terms = &self.terms;
        let header_s = message.number(Name::Expires);
        let mut wishes = Vec::with_capacity(1);
        for value in message.values(Name::Contact).take(MAX_CONTACTS) {
            let address = Address::parse(value).filter(|a| a.uri.len() <= MAX_URI_BYTES);
            let Some(address) = address else { return Err(Reply::new(400).reason("Bad Contact")) };
            let asked_s = address.params.number("expires").or(header_s).unwrap_or(terms.default_s);
            if asked_s > 0 && asked_s < terms.min_s {
                return Err(Reply::new(423).header(Name::MinExpires, terms.min_s));
            }
            wishes.push(Wish { address, expires_s: asked_s.min(terms.max_s) });
        }
        Ok(wishes)
    }

    /// Does what one Contact wishes. Whether the device is new.
    fn bind(
        &mut self,
        turn: &mut Turn,
        directory: &mut Directory,
        asked: Asked<'_, '_>,
        id: ExtensionId,
        wish: &Wish<'_>,
        path: &[String],
    ) -> Result<bool, Reply> {
        let (now, mut is_new) = (turn.now, false);
        let Some(entry) = directory.get_mut(id) else { return Err(Reply::new(403)) };
        let known =
            entry.bindings.iter().position(|binding| is_same_contact(&binding.contact, wish.address.uri));
        if wish.expires_s == 0 {
            if let Some(at) = known {
                let binding = entry.bindings.remove(at);
                unbound(turn, id, &binding, "removed");
            }
            return Ok(false);
        }
        let expires_at = now + Duration::from_secs(u64::from(wish.expires_s));
        let binding = match known.and_then(|at| entry.bindings.get_mut(at)) {
            Some(binding) => {
                let was_reachable = binding.reachable;
                refresh(Arc::make_mut(binding), now, asked, wish, path);
                let binding = Arc::clone(binding);
                if !was_reachable {
                    let (number, contact) = (binding.number.clone(), binding.contact.clone());
                    turn.told.push(Output::Event(Event::Reachable { number, contact, reachable: true }));
                    turn.changed_lamps.insert(id);
                }
                binding
            }
            None => {
                let binding = Arc::new(binding(now, asked, &entry.extension.number, wish, path));
                make_room(turn, directory, id, asked.flow)?;
                let Some(entry) = directory.get_mut(id) else { return Err(Reply::new(403)) };
                entry.bindings.push(Arc::clone(&binding));
                let number = binding.number.clone();
                let (contact, source) = (binding.contact.clone(), binding.remote);
                turn.told.push(Output::Event(Event::Registered { number, contact, source }));
                turn.changed_lamps.insert(id);
                is_new = true;
                binding
            }
        };
        if let Some(user) = binding.user.clone() {
            let (number, contact) = (binding.number.clone(), binding.contact.clone());
            let call_id = binding.call_id.clone();
            turn.tell(Event::DeviceRegistered { number, user, contact, call_id });
        }
        turn.told.push(Output::Store(Change::Binding(binding)));
        self.expire_at(turn, id, expires_at);
        Ok(is_new)
    }

    /// The wake-up for the devices of an extension.
    pub(super) fn on_expiry(&mut self, turn: &mut Turn, directory: &mut Directory, id: ExtensionId) {
        self.wakes.remove(&id);
        remove_expired(turn, directory, id);
        let bindings = directory.get(id).map(|entry| &*entry.bindings).unwrap_or_default();
        if let Some(next_s) = bindings.iter().map(|binding| binding.expires_at_s).min() {
            self.expire_at(turn, id, Time::from_secs(next_s));
        }
    }

    /// Wakes up for an expiry, unless an earlier wake-up is under way: that one sets the next.
    pub(super) fn expire_at(&mut self, turn: &mut Turn, id: ExtensionId, at: Time) {
        if self.wakes.get(&id).is_none_or(|set| *set > at) {
            self.wakes.insert(id, at);
            turn.wake_at(at, Alarm::Expiry(id));
        }
    }

    /// An extension is gone.
    pub(super) fn forget(&mut self, turn: &mut Turn, id: ExtensionId) {
        if self.wakes.remove(&id).is_some() {
            turn.alarms.retain(|(_, alarm)| *alarm != Alarm::Expiry(id));
        }
    }
}

/// A REGISTER that comes after a later one of the same Call-ID changes nothing (RFC 3261 §10.3).
fn check_order(directory: &Directory, message: &Message<'_>, id: ExtensionId) -> Result<(), Reply> {
    let (call_id, cseq) = (message.call_id(), cseq(message));
    if call_id.len() > MAX_CALL_ID_BYTES {
        return Err(Reply::new(400).reason("Call-ID Too Long"));
    }
    let bindings = directory.get(id).map(|entry| &*entry.bindings).unwrap_or_default();
    let old = bindings.iter().any(|binding| binding.call_id == call_id && binding.cseq >= cseq);
    if old { Err(Reply::new(500).reason("CSeq Out Of Order")) } else { Ok(()) }
}

/// All of a REGISTER is done or nothing (RFC 3261 §10.3): whether there is room for what it brings,
/// where no device makes room for another.
fn check_room(
    now: Time,
    directory: &Directory,
    flow: Flow,
    wishes: &[Wish<'_>],
    id: ExtensionId,
) -> Result<(), Reply> {
    let Some(entry) = directory.get(id).filter(|_| wishes.len() > 1) else { return Ok(()) };
    let Devices { most, replace_oldest } = entry.extension.devices;
    let named =
        |binding: &Binding| wishes.iter().any(|wish| is_same_contact(&binding.contact, wish.address.uri));
    let stays = |binding: &Binding| binding.is_live(now) && binding.flow() != flow && !named(binding);
    let others = entry.bindings.iter().filter(|binding| stays(binding)).count();
    let wanted = others + wishes.iter().filter(|wish| wish.expires_s > 0).count();
    let fits = wanted <= usize::from(most) || (replace_oldest && most > 0);
    if fits { Ok(()) } else { Err(Reply::new(403).reason("Too Many Devices")) }
}

/// Frees a place for one more device, or refuses it.
fn make_room(turn: &mut Turn, directory: &mut Directory, id: ExtensionId, flow: Flow) -> Result<(), Reply> {
    remove_expired(turn, directory, id);
    let Some(entry) = directory.get_mut(id) else { return Err(Reply::new(403)) };
    let Devices { most, replace_oldest } = entry.extension.devices;
    if entry.bindings.len() < usize::from(most) {
        return Ok(());
    }
    // A device that comes again from where it was has lost its memory, not gained a twin.
    let same = entry.bindings.iter().position(|binding| binding.flow() == flow && binding.path.is_empty());
    let Some(at) = same.or((replace_oldest && most > 0).then_some(0)) else {
        return Err(Reply::new(403).reason("Too Many Devices"));
    };
    let binding = entry.bindings.remove(at);
    unbound(turn, id, &binding, "replaced by another device");
    Ok(())
}

/// `Contact: *` removes all, and only with `Expires: 0` (RFC 3261 §10.2.2).
fn unregister_all(
    turn: &mut Turn,
    directory: &mut Directory,
    message: &Message<'_>,
    id: ExtensionId,
) -> Result<(), Reply> {
    if message.number(Name::Expires) != Some(0) || message.values(Name::Contact).count() != 1 {
        return Err(Reply::new(400).reason("Bad Contact"));
    }
    check_order(directory, message, id)?;
    unbind_all(turn, directory, id, "removed");
    Ok(())
}

/// Removes all devices of an extension.
pub(super) fn unbind_all(turn: &mut Turn, directory: &mut Directory, id: ExtensionId, reason: &'static str) {
    let bindings = directory.get_mut(id).map(|entry| std::mem::take(&mut entry.bindings));
    for binding in bindings.unwrap_or_default() {
        unbound(turn, id, &binding, reason);
    }
}

fn registered(turn: &Turn, directory: &Directory, id: ExtensionId) -> Reply {
    let now = turn.now;
    let mut reply = Reply::new(200);
    let bindings = directory.get(id).map(|entry| &*entry.bindings).unwrap_or_default();
    for binding in bindings.iter().filter(|binding| binding.is_live(now)) {
        let left_s = binding.expires_at_s - now.as_secs();
        reply = reply.header(Name::Contact, format_args!("<{}>;expires={left_s}", binding.contact));
    }
    if let Some(newest) = bindings.iter().map(|binding| binding.expires_at_s).max() {
        reply = reply.header(Name::Expires, newest.saturating_sub(now.as_secs()));
    }
    reply.header(Name::Server, &turn.product)
}

/// Removes the devices whose time has passed.
fn remove_expired(turn: &mut Turn, directory: &mut Directory, id: ExtensionId) {
    let now = turn.now;
    let Some(entry) = directory.get_mut(id) else { return };
    let (live, over) = std::mem::take(&mut entry.bindings).into_iter().partition(|b| b.is_live(now));
    entry.bindings = live;
    let over: Vec<Arc<Binding>> = over;
    for binding in over {
        unbound(turn, id, &binding, "expired");
    }
}

pub(super) fn unbound(turn: &mut Turn, id: ExtensionId, binding: &Binding, reason: &'static str) {
    let (number, contact) = (binding.number.clone(), binding.contact.clone());
    let gone = Change::BindingRemoved { number: number.clone(), contact: contact.clone() };
    turn.told.push(Output::Store(gone));
    turn.told.push(Output::Event(Event::Unregistered { number, contact, reason }));
    turn.changed_lamps.insert(id);
}

/// Whether two Contacts are one (RFC 3261 §10.3 step 7): user compared unescaped, host whatever its letters,
/// ports as they are; parameters of the transport and of the account must be the same (§19.1.4).
fn is_same_contact(known: &str, new: &str) -> bool {
    if known == new {
        return true;
    }
    let (Some(known), Some(new)) = (Uri::parse(known), Uri::parse(new)) else { return false };
    let param = |uri: &Uri<'_>, name: &str| uri.params.get(name).map(str::to_ascii_lowercase);
    known.is_sip() == new.is_sip()
        && known.is_sips() == new.is_sips()
        && known.plain_user() == new.plain_user()
        && known.is_same_host(&new)
        && known.port == new.port
        && ["transport", "line", "maddr", "gr"].iter().all(|name| param(&known, name) == param(&new, name))
}

/// The proxies between (RFC 3327 §5.3).
fn path(message: &Message<'_>) -> Result<Vec<String>, Reply> {
    if message.header(Name::Path).is_none() {
        return Ok(Vec::new());
    }
    let route =
        |value| Address::parse(value).filter(|a| a.uri.len() <= MAX_URI_BYTES && a.parsed_uri().is_some());
    let routes: Option<Vec<String>> = message
        .values(Name::Path)
        .take(MAX_PATH + 1)
        .map(|value| Some(format!("<{}>", route(value)?.uri)))
        .collect();
    routes.filter(|routes| routes.len() <= MAX_PATH).ok_or_else(|| Reply::new(400).reason("Bad Path"))
}

fn binding(now: Time, asked: Asked<'_, '_>, number: &str, wish: &Wish<'_>, path: &[String]) -> Binding {
    let flow = asked.flow;
    let mut binding = Binding {
        number: number.to_owned(),
        contact: wish.address.uri.to_owned(),
        transport: String::new(),
        local: flow.local,
        remote: flow.remote,
        path: Vec::new(),
        expires_at_s: 0,
        call_id: String::new(),
        cseq: 0,
        q: 0,
        user_agent: String::new(),
        user: None,
        reachable: true,
    };
    refresh(&mut binding, now, asked, wish, path);
    binding
}

/// Everything but number and contact as this REGISTER has it; texts keep their memory.
fn refresh(binding: &mut Binding, now: Time, asked: Asked<'_, '_>, wish: &Wish<'_>, path: &[String]) {
    let Asked { flow, message, user } = asked;
    binding.user = user.map(str::to_owned);
    binding.path = path.to_vec();
    flow.transport.param_name().clone_into(&mut binding.transport);
    (binding.local, binding.remote) = (flow.local, flow.remote);
    binding.expires_at_s = now.as_secs() + u64::from(wish.expires_s);
    message.call_id().clone_into(&mut binding.call_id);
    binding.cseq = cseq(message);
    binding.q = wish.address.params.get("q").and_then(thousandths).unwrap_or(1_000);
    let user_agent = cut(message.text(Name::UserAgent).unwrap_or_default(), MAX_AGENT_BYTES);
    user_agent.clone_into(&mut binding.user_agent);
    binding.reachable = true;
}

fn cseq(message: &Message<'_>) -> u32 {
    message.cseq().map_or(0, |cseq| cseq.number)
}

/// A `qvalue` such as `0.7` in thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let value: f32 = text.parse().ok()?;
    (0.0..=1.0).contains(&value).then_some((value * 1_000.0) as u16)
}

fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_known_however_it_is_written() {
        let known = "sip:*21%23@Phone.example:5062;transport=tcp;line=a1";
        assert!(is_same_contact(known, "sip:%2A21%23@phone.EXAMPLE:5062;line=a1;transport=TCP"));
        for other in [
            "sip:*21@phone.example:5062;transport=tcp;line=a1",
            "sip:*21%23@phone.example;transport=tcp;line=a1",
            "sip:*21%23@phone.example:5062;line=a1",
            "sip:*21%23@phone.example:5062;transport=tcp;line=b2",
            "sips:*21%23@phone.example:5062;transport=tcp;line=a1",
            "tel:21",
        ] {
            assert!(!is_same_contact(known, other), "{other}");
        }
    }

    #[test]
    fn text_is_cut_at_a_letter() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(thousandths("0.7"), Some(700));
        assert_eq!(thousandths("7"), None);
    }
}
