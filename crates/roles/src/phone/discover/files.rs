//! The files of one resync: asked for one by one, checked, and handed over whole.

use std::collections::BTreeMap;

use super::walk::{Taken, Walk};
use super::{Desk, ProvisionSettings, Tag, shown};
use crate::mac::Mac;
use crate::phone::desk::Place;
use crate::phone::facts::AskedFile;
use crate::role::{Fetch, FetchFault, FetchFaultKind, FetchId, Found, Known, Login, TlsRules};
use crate::settings::{Assignment, Fault, FaultKind, Given, Model, Severity, Source, parse_cfg};

/// The largest file that is taken: the vendor's whole template has about 150 KB.
const MOST_BYTES: usize = 1 << 20;
/// How long one file may take.
const PATIENCE_MS: u32 = 60_000;
/// Redirects that are followed.
const MOST_REDIRECTS: u8 = 5;
/// Files that are remembered, so that a server need not send them again.
const MOST_REMEMBERED: usize = 64;
/// Faults of one file that are logged.
const MOST_LOGGED: usize = 20;

/// What was downloaded.
#[derive(Clone, Debug)]
pub(in crate::phone) struct Download {
    /// The address that was found.
    pub url: String,
    /// What each file says, in order.
    pub assignments: Vec<Assignment>,
    /// A value that is gone from the files goes back to the layer below.
    pub overwrite: bool,
    /// What was asked for, and what came.
    pub asked: Vec<AskedFile>,
}

/// What ends a resync.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Failure {
    pub(super) url: String,
    pub(super) reason: String,
}

/// Files of earlier downloads.
#[derive(Debug, Default)]
pub(super) struct Memory(BTreeMap<String, (Known, String)>);

impl Memory {
    fn keep(&mut self, url: &str, known: Known, text: &str) {
        if known == Known::default() {
            self.0.remove(url);
            return;
        }
        if self.0.len() >= MOST_REMEMBERED {
            self.0.pop_first();
        }
        self.0.insert(url.to_owned(), (known, text.to_owned()));
    }
}

/// The files that are being asked for.
#[derive(Debug)]
pub(super) struct Load {
    /// The address that was found, for people.
    place: String,
    walk: Walk,
    /// The file that is out, by its whole address.
    current: Option<(FetchId, String)>,
    assignments: Vec<Assignment>,
    has_configuration: bool,
    asked: Vec<AskedFile>,
}

impl Load {
    pub(super) fn new(place: String, walk: Walk) -> Self {
        let (assignments, asked) = Default::default();
        Self { place, walk, current: None, assignments, has_configuration: false, asked }
    }

    pub(super) fn awaits(&self, id: FetchId) -> bool {
        self.current.as_ref().is_some_and(|(own, _)| *own == id)
    }

    /// Asks for the next file; none once all have come.
    pub(super) fn next_fetch(
        &mut self,
        desk: &mut Desk,
        id: FetchId,
        model: &Model,
        rules: &ProvisionSettings,
        memory: &Memory,
    ) -> Option<Fetch> {
        let url = self.walk.next_file()?;
        desk.note_as(Tag::Provision, &format!("Profile Rule [{}]", shown(&url)));
        let mut fetch = fetch(id, &url, model, &desk.place, rules);
        fetch.known = memory.0.get(&url).map(|(known, _)| known.clone());
        self.current = Some((id, url));
        Some(fetch)
    }

    /// Takes what came of the file that was out.
    ///
    /// # Errors
    /// It is needed and not there, or it is no configuration: the whole resync fails.
    pub(super) fn take(
        &mut self,
        desk: &mut Desk,
        model: &'static Model,
        memory: &mut Memory,
        result: Result<Found, FetchFault>,
    ) -> Result<(), Failure> {
        let Some((_, url)) = self.current.take() else { return Ok(()) };
        let (text, status) = match result {
            Ok(Found::File { bytes, known, .. }) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                memory.keep(&url, known, &text);
                (text, 200)
            }
            Ok(Found::Unchanged) => match memory.0.get(&url) {
                Some((_, text)) => (text.clone(), 304),
                None => {
                    return Err(failure(
                        &url,
                        "the server says that the file is unchanged, but it is not known",
                    ));
                }
            },
            Ok(Found::Elsewhere(to)) => {
                return Err(failure(&url, &format!("the server leads to {}", shown(&to))));
            }
            Err(fault) => return self.is_missing(desk, &url, &fault),
        };
        self.asked.push(AskedFile { url: shown(&url), status: Some(status), bytes: text.len() });
        match self.walk.found(&text, model) {
            Taken::Boot(faults) => log(desk, &url, &faults),
            Taken::Configuration(layer) => self.read(desk, &url, &text, layer)?,
        }
        Ok(())
    }

    /// All that came.
    ///
    /// # Errors
    /// Nothing came at all.
    pub(super) fn finish(self) -> Result<Download, Failure> {
        if !self.has_configuration {
            let asked: Vec<&str> = self.asked.iter().filter_map(|file| file.url.rsplit('/').next()).collect();
            let reason = format!("the server has none of {}", asked.join(", "));
            return Err(failure(&self.place, &reason));
        }
        let Self { place, walk, assignments, asked, .. } = self;
        Ok(Download { url: place, assignments, overwrite: walk.overwrite, asked })
    }

    fn is_missing(&mut self, desk: &mut Desk, url: &str, fault: &FetchFault) -> Result<(), Failure> {
        let is_missing = fault.kind == FetchFaultKind::NotFound;
        // One number for it, whatever the transport says.
        let status = if is_missing { Some(404) } else { fault.status };
        self.asked.push(AskedFile { url: shown(url), status, bytes: 0 });
        if is_missing && self.walk.may_be_missing() {
            desk.note_as(Tag::Provision, "File does not exist or server is unreachable...");
            return Ok(());
        }
        Err(failure(url, &fault.text))
    }

    fn read(&mut self, desk: &mut Desk, url: &str, text: &str, layer: Source) -> Result<(), Failure> {
        let (assignments, faults) = configuration(text, layer).map_err(|why| failure(url, &why))?;
        log(desk, url, &faults);
        self.assignments.extend(assignments);
        self.has_configuration = true;
        Ok(())
    }
}

/// What a file says, and its faults.
///
/// # Errors
/// It is no configuration at all: a page, nothing, or no text.
pub(in crate::phone) fn configuration(
    text: &str,
    layer: Source,
) -> Result<(Vec<Assignment>, Vec<Fault>), String> {
    let (assignments, faults) = parse_cfg(text, layer);
    let is_no_file = |fault: &&Fault| {
        fault.severity == Severity::Error
            && matches!(fault.kind, FaultKind::WebPage | FaultKind::Empty | FaultKind::Binary)
    };
    match faults.iter().find(is_no_file) {
        Some(fault) => Err(fault.to_string()),
        None => Ok((assignments, faults)),
    }
}

/// How a file is asked for.
pub(super) fn fetch(
    id: FetchId,
    url: &str,
    model: &Model,
    place: &Place,
    rules: &ProvisionSettings,
) -> Fetch {
    let own = || format!("Offhook {} {} {}", model.name, place.version, Mac(place.mac).with_colons());
    let login = (!rules.user.is_empty()).then(|| Login {
        user: rules.user.clone(),
        password: rules.password.clone(),
        allows_basic: rules.allows_basic,
    });
    Fetch {
        id,
        url: url.to_owned(),
        from: place.ip(),
        user_agent: rules.user_agent.clone().unwrap_or_else(own),
        login,
        known: None,
        most_redirects: MOST_REDIRECTS,
        most_bytes: MOST_BYTES,
        patience_ms: PATIENCE_MS,
        tls: TlsRules { trusted_only: rules.trusted_only, checks_name: rules.checks_name },
    }
}

/// The server that a redirection service's file names.
pub(super) fn server_in(text: &str) -> Option<String> {
    let (assignments, _) = parse_cfg(text, Source::MacCfg);
    assignments.iter().rev().find_map(|one| match &one.given {
        Given::Text(text) if one.key.row().key == "auto_provision.server.url" => Some(text.to_string()),
        _ => None,
    })
}

fn failure(url: &str, reason: &str) -> Failure {
    Failure { url: url.to_owned(), reason: reason.to_owned() }
}

/// Writes the faults of a file into the log.
pub(super) fn log(desk: &mut Desk, url: &str, faults: &[Fault]) {
    let name = shown(url);
    let name = name.rsplit('/').next().unwrap_or_default();
    for fault in faults.iter().filter(|fault| fault.severity > Severity::Info).take(MOST_LOGGED) {
        desk.warn_as(Tag::Provision, &format!("{name}: {fault}"));
    }
    if faults.len() > MOST_LOGGED {
        desk.warn_as(Tag::Provision, &format!("{name}: {} faults in all", faults.len()));
    }
}
