//! Files that settings name beside those of a resync: a whole configuration, which is taken once, and the
//! file that a factory reset goes back to.

use super::files::{Failure, configuration, fetch, log};
use super::{Desk, ProvisionSettings, Tag, shown};
use crate::phone::facts::AskedFile;
use crate::phone::kept::NamedFiles;
use crate::role::{Fetch, FetchFault, FetchId, Found};
use crate::settings::{Assignment, Model, Secret, Settings, Source};

/// What came of such a file.
pub(super) enum Came {
    /// A whole configuration.
    Whole(AskedFile, Vec<Assignment>),
    /// The file that a factory reset goes back to; whether it says something new.
    Factory {
        /// It is not the one that is kept.
        is_news: bool,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Whole,
    Factory,
}

/// Such files: what is kept, and what is being asked for.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) kept: NamedFiles,
    /// What was asked for since the last resync; it is not asked for again before the next one.
    asked_whole: Option<String>,
    asked_factory: Option<String>,
    current: Option<(FetchId, Kind, String)>,
}

impl Named {
    /// A resync begins: what was not there may be there now, or say something else.
    pub(super) fn forget_asked(&mut self) {
        (self.asked_whole, self.asked_factory) = (None, None);
    }

    pub(super) fn awaits(&self, id: FetchId) -> bool {
        self.current.as_ref().is_some_and(|(own, ..)| *own == id)
    }

    /// Asks for the next file that the settings name. `expand` puts values in place of macros.
    pub(super) fn next_fetch(
        &mut self,
        desk: &mut Desk,
        id: FetchId,
        expand: impl Fn(&str) -> String,
        model: &Model,
        rules: &ProvisionSettings,
    ) -> Option<Fetch> {
        if self.current.is_some() || !rules.enabled {
            return None;
        }
        let (whole, factory) = (expand(&rules.whole), expand(&rules.factory_file));
        let is_new = |url: &String, asked: &Option<String>| !url.is_empty() && asked.as_ref() != Some(url);
        let (kind, url) = if is_new(&whole, &self.asked_whole) && self.kept.whole.as_ref() != Some(&whole) {
            self.asked_whole = Some(whole.clone());
            (Kind::Whole, whole)
        } else if is_new(&factory, &self.asked_factory) {
            self.asked_factory = Some(factory.clone());
            (Kind::Factory, factory)
        } else {
            return None;
        };
        let word = match kind {
            Kind::Whole => "Configuration File",
            Kind::Factory => "Custom Factory Configuration",
        };
        desk.note_as(Tag::Provision, &format!("{word} [{}]", shown(&url)));
        let fetch = fetch(id, &url, model, &desk.place, rules);
        self.current = Some((id, kind, url));
        Some(fetch)
    }

    /// Takes what came.
    ///
    /// # Errors
    /// The file did not come, or it is no configuration.
    pub(super) fn take(
        &mut self,
        desk: &mut Desk,
        model: &'static Model,
        result: Result<Found, FetchFault>,
    ) -> Result<Came, Failure> {
        let Some((_, kind, url)) = self.current.take() else { return Ok(Came::Factory { is_news: false }) };
        let failed = |reason: &str| Failure { url: url.clone(), reason: reason.to_owned() };
        let bytes = match result {
            Ok(Found::File { bytes, .. }) => bytes,
            Ok(_) => return Err(failed("the server sends no file")),
            Err(fault) => return Err(failed(&fault.text)),
        };
        let text = String::from_utf8_lossy(&bytes);
        let layer = if kind == Kind::Whole { Source::Api } else { Source::CustomFactory };
        let (mut assignments, faults) = configuration(&text, layer).map_err(|fault| failed(&fault))?;
        log(desk, &url, &faults);
        if kind == Kind::Factory {
            let mut settings = Settings::new(model);
            settings.apply(&assignments);
            let reset = Secret::new(&settings.layer_to_cfg(layer));
            let is_news = reset != self.kept.reset;
            self.kept.reset = reset;
            return Ok(Came::Factory { is_news });
        }
        // A file does not name its successor: two such files could name each other for ever.
        assignments.retain(|one| one.key.row().key != "configuration.url");
        let file = AskedFile { url: shown(&url), status: Some(200), bytes: bytes.len() };
        self.kept.whole = Some(url);
        Ok(Came::Whole(file, assignments))
    }

    /// The phone goes back to the factory's values, or, where `custom`, to those of the file.
    pub(super) fn reset(&mut self, custom: bool) {
        self.forget_asked();
        let NamedFiles { reset, .. } = std::mem::take(&mut self.kept);
        if custom {
            self.kept = NamedFiles { whole: None, factory: reset.clone(), reset };
        }
    }
}
