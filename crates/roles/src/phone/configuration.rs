//! The whole configuration at once: written, read, and taken back to the factory's values.

use super::desk::Change;
use super::discover::configuration;
use super::event::EventKind;
use super::facts::AskedFile;
use super::kept::NamedFiles;
use super::{Phone, Refused};
use crate::settings::{Assignment, Fault, Imported, Secret, Secrets, Source};

/// The largest configuration that is read at once, in bytes.
const MOST_BYTES: usize = 1 << 20;
/// The most faults that one answer names.
const MOST_FAULTS: usize = 100;

impl Phone {
    /// Puts back what is kept of files that settings name.
    pub(super) fn restore_named_files(&mut self, kept: &NamedFiles) {
        self.discover.restore_named(kept);
    }

    /// What is kept of files that settings name.
    pub(super) fn named_files(&self) -> &NamedFiles {
        self.discover.named_files()
    }

    /// Tells the whole configuration, without secrets.
    pub(super) fn export(&mut self) {
        let text = self.settings.to_cfg(Secrets::LeftOut);
        self.desk.tell(EventKind::Configuration { text });
    }

    /// Takes a whole configuration as if each of its parameters were set. What it does not name stays.
    pub(super) fn import(&mut self, text: &Secret) -> Result<(), Refused> {
        const USAGE: [&str; 1] = ["import FILE.cfg"];
        let text = text.expose();
        if text.len() > MOST_BYTES {
            return Err(Refused::new(format!("a configuration has at most {MOST_BYTES} bytes"), &USAGE));
        }
        let (assignments, mut faults) =
            configuration(text, Source::Api).map_err(|why| Refused::new(why, &USAGE))?;
        let (changed, refused) = self.lay(&assignments);
        faults.extend(refused);
        faults.sort_by_key(|fault| fault.line);
        faults.truncate(MOST_FAULTS);
        let reboot = self.waits_for_restart().next().is_some();
        self.desk.tell(EventKind::Imported { changed, faults, reboot });
        Ok(())
    }

    /// Takes the whole configuration that `configuration.url` named.
    pub(super) fn take_whole(&mut self, file: AskedFile, assignments: &[Assignment]) {
        let (changed, _) = self.lay(assignments);
        self.keep_named();
        let reboot = self.waits_for_restart().next().is_some();
        self.desk.tell(EventKind::Provisioned { files: vec![file], changed, reboot });
        if reboot {
            self.discover.restart_when_idle(self.desk.now);
        }
    }

    pub(super) fn keep_named(&mut self) {
        let kept = self.discover.named_files().clone();
        self.desk.keep(Change::NamedFiles(Box::new(kept)));
    }

    /// Forgets what files and people set. What the command line says is said anew at each start, so it
    /// stays. The values that count then are those of the custom factory file, where one was fetched.
    pub(super) fn factory_reset(&mut self) {
        let mut settings = self.settings.clone();
        for source in [Source::Api, Source::Web] {
            for value in self.settings.layer(source) {
                self.desk.keep(Change::SettingForgotten { key: value.key().to_string() });
            }
        }
        self.desk.keep(Change::FilesForgotten);
        self.desk.keep(Change::Downloaded(Box::default()));
        self.discover.forget();
        // A phone that was reset before has forgotten the switch and keeps the file.
        let is_off = self.settings.get("features.custom_factory_config.enable");
        let is_off = is_off.is_ok_and(|it| it.expose() == "0" && it.source() != Source::Factory);
        self.discover.reset_named(!is_off);
        self.keep_named();
        for source in [Source::CommonCfg, Source::MacCfg, Source::Web, Source::Api] {
            settings.forget(source);
        }
        self.discover.named_files().restore(&mut settings);
        self.take_settings(settings);
        self.restart("factory reset");
    }

    /// Sets what differs from what is in force: how many parameters have another value now, and what is not
    /// taken.
    fn lay(&mut self, assignments: &[Assignment]) -> (usize, Vec<Fault>) {
        let mut settings = self.settings.clone();
        let Imported { set, faults } = settings.import(assignments);
        let changed = settings.changed_since(&self.settings).len();
        if !set.is_empty() {
            let set: Vec<_> = set.into_iter().map(|(key, value)| (key, value.expose().to_owned())).collect();
            self.hold(settings, &set, Source::Api);
        }
        (changed, faults)
    }
}
