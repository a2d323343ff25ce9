//! The provisioning client: finds the server, downloads its files, hands them to the phone whole.
//!
//! [`Discover`] owns when it is done, whom it asks and what has come so far. It changes no setting: the
//! phone applies what [`Outcome`] brings, all or nothing (deck, Auto Provisioning).

mod files;
mod macros;
mod named;
mod pnp;
mod proof;
mod upgrade;
mod walk;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use proto::Time;
use proto::url::Url;

use super::desk::{Desk, Place};
use super::event::EventKind;
use super::facts::AskedFile;
use super::kept::{Downloads, Firmware, NamedFiles};
use super::log::Tag;
use super::why::Why;
use crate::role::{Fetched, Found, Output, SocketEvent, SocketId, SocketPlan, SocketRequest};
use crate::settings::{Assignment, Model, ProvisionSettings};

use files::Load;
use macros::Macros;
use named::{Came, Named};
use pnp::{Answer, Asker, Pnp, Wire};
use upgrade::{Upgrade, Upgraded};

pub(super) use files::{Download, configuration};
pub(super) use proof::Proof;

/// Vendor in the PnP question.
const VENDOR: &str = "Offhook";
/// Why a resync begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// The phone was switched on.
    Start,
    /// It is time again, or the last one failed.
    Periodic,
    /// A command.
    Command,
    /// A setting of the page Provision was set.
    Page,
    /// NOTIFY check-sync.
    CheckSync,
    /// The phone starts for the first time with new firmware.
    Upgrade,
}

impl Reason {
    /// Its word in the event `resync`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Periodic => "periodic",
            Self::Command => "command",
            Self::Page => "page",
            Self::CheckSync => "check-sync",
            Self::Upgrade => "upgrade",
        }
    }

    /// The macro `PRVST`.
    const fn number(self) -> &'static str {
        match self {
            Self::Start | Self::Upgrade => "0",
            Self::Periodic => "1",
            Self::Command | Self::Page | Self::CheckSync => "-1",
        }
    }
}

/// Who named the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Source {
    Pnp,
    Option66,
    Profile,
    Redirect,
}

impl Source {
    const fn word(self) -> &'static str {
        match self {
            Self::Pnp => "pnp",
            Self::Option66 => "option66",
            Self::Profile => "profile",
            Self::Redirect => "rps",
        }
    }
}

/// What the phone is to do.
#[derive(Debug)]
pub(super) enum Outcome {
    /// All files are here.
    Apply(Box<Download>),
    /// With the configuration of the last download nobody registered: the one before is to come back.
    TakeBack(Box<Downloads>),
    /// A whole configuration is here.
    Whole(AskedFile, Vec<Assignment>),
    /// There is something new to keep of files that settings name.
    KeepNamed,
    /// The phone is to start again, and why.
    Restart(&'static str),
}

/// The provisioning client of one phone.
#[derive(Debug)]
pub(super) struct Discover {
    model: &'static Model,
    rules: ProvisionSettings,
    stage: Stage,
    reason: Reason,
    /// Sources that are still to be asked in this resync.
    sources: VecDeque<Source>,
    /// Who named the server last; it is asked again without another search.
    found: Option<(Source, String)>,
    /// When the next resync is due.
    due: Option<(Time, Reason)>,
    /// A resync that waits for the end of calls, and since when.
    waiting: Option<(Reason, Time)>,
    /// A restart that waits for the end of calls, and since when.
    restart_since: Option<Time>,
    /// New firmware is why.
    is_upgraded: bool,
    upgrade: Upgrade,
    named: Named,
    pnp: Option<(SocketId, Option<Pnp>)>,
    sockets: u32,
    fetches: u64,
    files: files::Memory,
    /// Whether anybody registered with what was downloaded.
    pub(super) proof: Proof,
    has_begun: bool,
}

#[derive(Debug)]
enum Stage {
    Idle,
    /// The PnP question is out.
    Asking,
    /// The redirection service is asked.
    Redirecting(crate::role::FetchId),
    Loading(Box<Load>),
}

impl Discover {
    pub(super) fn new(rules: ProvisionSettings, model: &'static Model) -> Self {
        Self {
            model,
            rules,
            stage: Stage::Idle,
            reason: Reason::Start,
            sources: VecDeque::new(),
            found: None,
            due: None,
            waiting: None,
            restart_since: None,
            is_upgraded: false,
            upgrade: Upgrade::default(),
            named: Named::default(),
            pnp: None,
            sockets: 0,
            fetches: 0,
            files: files::Memory::default(),
            proof: Proof::default(),
            has_begun: false,
        }
    }

    /// The phone is switched on: the first resync follows, after a random delay that spreads many phones
    /// over time. On the loopback nobody waits.
    pub(super) fn start(&mut self, desk: &mut Desk) {
        self.proof.start(desk.now, &self.rules);
        let is_upgraded = self.upgrade.start(desk);
        let begins = if is_upgraded { self.rules.after_upgrade } else { self.rules.at_start };
        if !begins || self.candidates(&desk.place).is_empty() {
            return self.again_after(desk.now, self.rules.repeat_s);
        }
        let most_ms = u64::from(self.rules.random_delay_s) * 1_000;
        let wait_ms = if desk.place.ip().is_loopback() { 0 } else { desk.rng.below(most_ms + 1) };
        let reason = if is_upgraded { Reason::Upgrade } else { Reason::Start };
        self.due = Some((desk.now + Duration::from_millis(wait_ms), reason));
    }

    /// Other settings hold: a timer that they change begins anew.
    pub(super) fn take_rules(&mut self, now: Time, rules: ProvisionSettings) {
        let repeats_anew = rules.repeat_s != self.rules.repeat_s && self.has_begun;
        self.rules = rules;
        if repeats_anew {
            self.again_after(now, self.rules.repeat_s);
        }
    }

    /// Somebody wants a resync. It begins at once, or when the calls are over.
    pub(super) fn ask(&mut self, now: Time, reason: Reason) {
        self.waiting.get_or_insert((reason, now)).0 = reason;
    }

    /// What the phone runs, where it was ever upgraded.
    pub(super) fn firmware(&self) -> Option<&Firmware> {
        self.upgrade.installed.as_ref()
    }

    /// Puts back what the phone runs.
    pub(super) fn restore_firmware(&mut self, firmware: Firmware) {
        self.upgrade.installed = Some(firmware);
    }

    /// A person wants this firmware.
    pub(super) fn want_firmware(&mut self, url: &str) {
        self.upgrade.want(url);
    }

    /// Asks for new firmware, where some is wanted and nothing else goes on.
    fn advance_upgrade(&mut self, desk: &mut Desk) {
        let id = crate::role::FetchId(self.fetches + 1);
        let url = match self.rules.firmware.as_str() {
            "" => String::new(),
            url => self.macros(&desk.place).expand(url),
        };
        if let Some(fetch) = self.upgrade.next_fetch(desk, id, &url, self.model, &self.rules) {
            self.fetches += 1;
            desk.out.push(Output::Fetch(Box::new(fetch)));
        }
    }

    /// What is kept of files that settings name.
    pub(super) fn named_files(&self) -> &NamedFiles {
        &self.named.kept
    }

    /// Puts back what is kept of such files.
    pub(super) fn restore_named(&mut self, kept: &NamedFiles) {
        self.named.kept = kept.clone();
    }

    /// A factory reset; `custom` goes back to the file that settings named.
    pub(super) fn reset_named(&mut self, custom: bool) {
        self.named.reset(custom);
    }

    /// Asks for files that settings name, where nothing else goes on.
    fn advance_named(&mut self, desk: &mut Desk) {
        if self.rules.whole.is_empty() && self.rules.factory_file.is_empty() {
            return;
        }
        let macros = self.macros(&desk.place);
        let id = crate::role::FetchId(self.fetches + 1);
        let expand = |text: &str| macros.expand(text);
        if let Some(fetch) = self.named.next_fetch(desk, id, expand, self.model, &self.rules) {
            self.fetches += 1;
            desk.out.push(Output::Fetch(Box::new(fetch)));
        }
    }

    fn on_named(&mut self, desk: &mut Desk, fetched: Fetched) -> Option<Outcome> {
        match self.named.take(desk, self.model, fetched.result) {
            Ok(Came::Whole(file, assignments)) => Some(Outcome::Whole(file, assignments)),
            Ok(Came::Factory { is_news }) => is_news.then_some(Outcome::KeepNamed),
            Err(files::Failure { url, reason }) => {
                desk.warn_as(Tag::Provision, &reason);
                desk.tell(EventKind::ProvisionFailed { url: Some(shown(&url)), reason });
                None
            }
        }
    }

    fn on_firmware(&mut self, desk: &mut Desk, fetched: Fetched) {
        match self.upgrade.take(desk, fetched.result) {
            Upgraded::Restart => {
                self.is_upgraded = true;
                self.restart_when_idle(desk.now);
            }
            Upgraded::Same => {}
            Upgraded::Failed(url, reason) => {
                desk.warn_as(Tag::Provision, &reason);
                desk.tell(EventKind::ProvisionFailed { url: Some(shown(&url)), reason });
            }
        }
    }

    /// The phone is to start again once nobody talks.
    pub(super) fn restart_when_idle(&mut self, now: Time) {
        self.restart_since.get_or_insert(now);
    }

    /// Nothing that was downloaded counts any more.
    pub(super) fn forget(&mut self) {
        (self.proof, self.found) = (Proof::default(), None);
    }

    /// Whether there is anything to ask.
    pub(super) fn has_sources(&self, place: &Place) -> bool {
        !self.candidates(place).is_empty()
    }

    /// When [`Self::advance`] wants to be called. What waits for the end of calls waits at most so long.
    pub(super) fn next_deadline(&self) -> Option<(Time, Why)> {
        let forced = Duration::from_secs(u64::from(self.rules.forced_delay_s));
        let due = self.due.map(|(at, _)| (at, Why::Resync));
        let waiting =
            self.waiting.filter(|_| self.is_idle()).map(|(_, since)| (since + forced, Why::ForcedResync));
        let restart = self.restart_since.map(|since| (since + forced, Why::ForcedResync));
        let asking = self.pnp.as_ref().and_then(|(_, pnp)| pnp.as_ref());
        let asking = asking.map(|pnp| (pnp.next_deadline(), Why::Pnp));
        let proof = self.proof.next_deadline().map(|at| (at, Why::Rollback));
        [due, waiting, restart, asking, proof].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Does what is due; `is_busy` while somebody talks.
    pub(super) fn advance(&mut self, desk: &mut Desk, is_busy: bool) -> Option<Outcome> {
        let now = desk.now;
        if let Some((_, reason)) = self.due.take_if(|(at, _)| *at <= now) {
            self.ask(now, reason);
        }
        self.advance_pnp(desk);
        let forced = Duration::from_secs(u64::from(self.rules.forced_delay_s));
        let may = |since: Time| !is_busy || since + forced <= now;
        if self.restart_since.take_if(|since| may(*since)).is_some() {
            return Some(Outcome::Restart(if self.is_upgraded { "upgrade" } else { "provisioning" }));
        }
        if let Some(before) = self.proof.take_back(now) {
            return Some(Outcome::TakeBack(Box::new(before)));
        }
        if self.is_idle()
            && let Some((reason, _)) = self.waiting.take_if(|(_, since)| may(*since))
        {
            self.begin(desk, reason);
        }
        let starts = self.due.is_some_and(|(_, reason)| matches!(reason, Reason::Start | Reason::Upgrade));
        if self.is_idle() && !is_busy && !starts {
            self.advance_upgrade(desk);
            self.advance_named(desk);
        }
        None
    }

    pub(super) fn on_socket(&mut self, desk: &mut Desk, socket: SocketId, event: SocketEvent) {
        let Some((own, pnp)) = &mut self.pnp else { return };
        if *own != socket {
            return;
        }
        match event {
            SocketEvent::Opened(local) => {
                let place = &desk.place;
                let mac = place.mac_text();
                let version = place.version.clone();
                let asker = Asker { mac: &mac, vendor: VENDOR, model: self.model.name, version: &version };
                let mut wire = Wire::new();
                *pnp = Some(Pnp::ask(desk.now, local, &asker, &mut desk.rng, &mut wire));
                send(desk, socket, wire);
            }
            // A group that nobody has joined is as silent as one whose members do not know this phone.
            SocketEvent::Unreachable(_) => {}
            SocketEvent::Failed(reason) => {
                desk.warn_as(Tag::Provision, &format!("PnP is not asked: {reason}"));
                self.pnp = None;
                if matches!(self.stage, Stage::Asking) {
                    self.next_source(desk);
                }
            }
        }
    }

    pub(super) fn on_datagram(&mut self, desk: &mut Desk, socket: SocketId, from: SocketAddr, bytes: &[u8]) {
        let Some((own, Some(pnp))) = &mut self.pnp else { return };
        if *own != socket {
            return;
        }
        let (is_first, mut wire) = (!pnp.is_answered(), Wire::new());
        let named = pnp.receive((desk.now, desk.wall.at(desk.now)), from, bytes, &mut wire);
        send(desk, socket, wire);
        let Some(named) = named else { return };
        desk.note_as(Tag::Provision, "SIPPNP_RECV_MSG");
        let url = match named {
            Answer::Address(url) => url,
            Answer::Expired { at } => {
                let until = at.rfc3339();
                let why =
                    format!("the address that the PnP server {from} names was good until {until} alone");
                return desk.warn_as(Tag::Provision, &why);
            }
        };
        if is_first && matches!(self.stage, Stage::Asking) {
            return self.use_source(desk, Source::Pnp, &url);
        }
        let shown = Url::parse(&url).map_or_else(|_| "no address".to_owned(), |url| url.to_string());
        desk.warn_as(
            Tag::Provision,
            &format!("another PnP server, {from}, names {shown}: the first is used"),
        );
    }

    pub(super) fn on_fetched(&mut self, desk: &mut Desk, fetched: Fetched) -> Option<Outcome> {
        if self.upgrade.awaits(fetched.id) {
            self.on_firmware(desk, fetched);
            return None;
        }
        if self.named.awaits(fetched.id) {
            return self.on_named(desk, fetched);
        }
        match &mut self.stage {
            Stage::Redirecting(id) if *id == fetched.id => {
                self.on_redirected(desk, fetched);
                None
            }
            Stage::Loading(load) if load.awaits(fetched.id) => {
                let taken = load.take(desk, self.model, &mut self.files, fetched.result);
                self.go_on(desk, taken)
            }
            // An answer to a question of an earlier life.
            _ => None,
        }
    }

    /// The phone has applied the files.
    pub(super) fn applied(&mut self, now: Time) {
        self.again_after(now, self.rules.repeat_s);
    }

    /// The files could not be applied.
    pub(super) fn failed(&mut self, desk: &mut Desk, url: Option<&str>, reason: &str) {
        self.stage = Stage::Idle;
        desk.note_as(Tag::Provision, "File does not exist or server is unreachable...");
        desk.warn_as(Tag::Provision, reason);
        let url = url.map(shown);
        desk.tell(EventKind::ProvisionFailed { url, reason: reason.to_owned() });
        self.again_after(desk.now, Some(self.rules.retry_s).filter(|wait_s| *wait_s > 0));
    }

    fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Idle)
    }

    fn again_after(&mut self, now: Time, wait_s: Option<u32>) {
        let at = |wait_s: u32| (now + Duration::from_secs(u64::from(wait_s)), Reason::Periodic);
        self.due = wait_s.filter(|_| self.rules.enabled).map(at);
    }

    fn begin(&mut self, desk: &mut Desk, reason: Reason) {
        self.reason = reason;
        if !self.rules.enabled {
            let reason = "provisioning is switched off (auto_provision.advanced.enable)";
            return desk.tell(EventKind::ProvisionFailed { url: None, reason: reason.to_owned() });
        }
        self.due = None;
        self.upgrade.forget_failure();
        self.named.forget_asked();
        desk.note_as(Tag::Provision, "provision v1.2 start");
        desk.note_as(Tag::Provision, "adapter_yphone_enable = 0");
        self.has_begun = true;
        desk.tell(EventKind::Resync { why: reason.word().to_owned() });
        self.sources = self.candidates(&desk.place);
        // Whoever was found by PnP is asked again; the question is for the start.
        if !matches!(reason, Reason::Start | Reason::Upgrade)
            && let Some((Source::Pnp, url)) = self.found.clone()
        {
            return self.use_source(desk, Source::Pnp, &url);
        }
        self.next_source(desk);
    }

    /// Whom to ask, in the decided order; of the sources that this phone has.
    fn candidates(&self, place: &Place) -> VecDeque<Source> {
        let (rules, allowed, network) = (&self.rules, place.sources, &place.network);
        let has_option = network.option_66.is_some() || rules.option_67 && network.option_67.is_some();
        let all = [
            (Source::Pnp, allowed.pnp && rules.pnp),
            (Source::Option66, allowed.dhcp && rules.option_66 && has_option),
            (Source::Profile, !rules.rule.is_empty()),
            (Source::Redirect, allowed.redirect && !rules.redirect.is_empty()),
        ];
        all.into_iter().filter(|(_, has)| *has).map(|(source, _)| source).collect()
    }

    fn next_source(&mut self, desk: &mut Desk) {
        match self.sources.pop_front() {
            Some(Source::Pnp) => {
                self.sockets += 1;
                let socket = SocketId(self.sockets);
                self.close_pnp(desk);
                self.pnp = Some((socket, None));
                self.stage = Stage::Asking;
                let request = SocketRequest::Open(SocketPlan::ephemeral(desk.place.ip()));
                desk.out.push(Output::Socket { socket, request });
            }
            Some(Source::Option66) => {
                let url = option_url(&desk.place, self.rules.option_67);
                self.use_source(desk, Source::Option66, &url);
            }
            Some(Source::Profile) => {
                let rule = self.rules.rule.clone();
                self.use_source(desk, Source::Profile, &rule);
            }
            Some(Source::Redirect) => {
                let url = self.macros(&desk.place).expand(&self.rules.redirect);
                let id = self.next_fetch();
                self.stage = Stage::Redirecting(id);
                let mut fetch = files::fetch(id, &url, self.model, &desk.place, &self.rules);
                fetch.most_redirects = 0;
                desk.out.push(Output::Fetch(Box::new(fetch)));
            }
            None => {
                let reason = "no provisioning server is known: set auto_provision.server.url, or start the phone \
                              with --pnp, --option66 or --profile";
                self.failed(desk, None, reason);
            }
        }
    }

    fn on_redirected(&mut self, desk: &mut Desk, fetched: Fetched) {
        let named = match fetched.result {
            Ok(Found::Elsewhere(url)) => Some(url),
            Ok(Found::File { bytes, .. }) => files::server_in(&String::from_utf8_lossy(&bytes)),
            Ok(Found::Unchanged) => None,
            Err(fault) => {
                desk.warn_as(Tag::Provision, &format!("the redirection service names nobody: {fault}"));
                None
            }
        };
        match named {
            Some(url) => self.use_source(desk, Source::Redirect, &url),
            None => self.next_source(desk),
        }
    }

    /// An address was found: its files are asked for.
    fn use_source(&mut self, desk: &mut Desk, source: Source, text: &str) {
        let expanded = self.macros(&desk.place).expand(text);
        let url = match Url::parse(&expanded) {
            Ok(url) => url,
            Err(flaw) => {
                let reason = format!("{} names no address of files: {flaw}", source.word());
                return self.failed(desk, None, &reason);
            }
        };
        self.found = Some((source, text.to_owned()));
        desk.tell(EventKind::ProvisionSource { source: source.word(), url: url.to_string() });
        let macros = with_parts(self.macros(&desk.place), &url);
        let bare = (source == Source::Option66).then(|| macros.expand(&self.rules.file_name));
        let bare = bare.filter(|name| !name.is_empty());
        let walk = walk::Walk::new(&url, &desk.place.mac_text(), bare.as_deref());
        let load = Box::new(Load::new(url.to_string(), walk));
        self.stage = Stage::Loading(load);
        self.go_on(desk, Ok(()));
    }

    /// The next file, or the end of all.
    fn go_on(&mut self, desk: &mut Desk, taken: Result<(), files::Failure>) -> Option<Outcome> {
        if let Err(files::Failure { url, reason }) = taken {
            self.failed(desk, Some(&url), &reason);
            return None;
        }
        let id = self.next_fetch();
        let Stage::Loading(load) = &mut self.stage else { return None };
        if let Some(fetch) = load.next_fetch(desk, id, self.model, &self.rules, &self.files) {
            desk.out.push(Output::Fetch(Box::new(fetch)));
            return None;
        }
        let Stage::Loading(load) = std::mem::replace(&mut self.stage, Stage::Idle) else { return None };
        match load.finish() {
            Ok(download) => Some(Outcome::Apply(Box::new(download))),
            Err(files::Failure { url, reason }) => {
                self.failed(desk, Some(&url), &reason);
                None
            }
        }
    }

    fn next_fetch(&mut self) -> crate::role::FetchId {
        self.fetches += 1;
        crate::role::FetchId(self.fetches)
    }

    fn advance_pnp(&mut self, desk: &mut Desk) {
        let Some((socket, Some(pnp))) = &mut self.pnp else { return };
        let (socket, mut wire) = (*socket, Wire::new());
        let is_over = pnp.advance(desk.now, &mut wire);
        let is_answered = pnp.is_answered();
        send(desk, socket, wire);
        if !is_over {
            return;
        }
        self.close_pnp(desk);
        if !is_answered && matches!(self.stage, Stage::Asking) {
            self.next_source(desk);
        }
    }

    fn close_pnp(&mut self, desk: &mut Desk) {
        if let Some((socket, _)) = self.pnp.take() {
            desk.out.push(Output::Socket { socket, request: SocketRequest::Close });
        }
    }

    fn macros(&self, place: &Place) -> Macros {
        Macros::of(self.model, place, self.reason.number())
    }
}

/// The parts of the server's address, for names of files.
fn with_parts(macros: Macros, url: &Url) -> Macros {
    macros
        .with("SCHEME", url.scheme.clone())
        .with("SERV", url.host.clone())
        .with("SERVIP", url.host.clone())
        .with("PORT", url.port().to_string())
        .with("PATH", url.without_query())
}

/// What DHCP names: option 66 is a host or an address, by TFTP where it names no scheme; option 67, where it
/// counts, is a file there or a whole address.
fn option_url(place: &Place, with_67: bool) -> String {
    let file = place.network.option_67.as_deref().filter(|_| with_67).map(str::trim);
    let server = place.network.option_66.as_deref().unwrap_or_default().trim();
    let whole = |text: &str| text.contains("://");
    match file {
        Some(file) if whole(file) || server.is_empty() => file.to_owned(),
        _ => {
            let base = if whole(server) { server.to_owned() } else { format!("tftp://{server}") };
            let folder = base.trim_end_matches('/');
            format!("{folder}/{}", file.unwrap_or_default().trim_start_matches('/'))
        }
    }
}

fn send(desk: &mut Desk, socket: SocketId, wire: Wire) {
    desk.out.extend(wire.into_iter().map(|(to, bytes)| Output::SendDatagram { socket, to, bytes }));
}

/// An address without user and password.
fn shown(text: &str) -> String {
    Url::parse(text).map_or_else(|_| "(no address)".to_owned(), |url| url.to_string())
}
