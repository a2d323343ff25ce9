//! What a download means for the phone: settings in force, a restart, the way back.

use super::Phone;
use super::desk::Change;
use super::discover::{Download, Outcome};
use super::event::EventKind;
use super::facts::AccountState;
use super::kept::{Downloads, Firmware};
use super::log::Tag;
use crate::role::Fetched;
use crate::settings::{Settings, Source};

/// The layers that files speak for, the lower one first.
const LAYERS: [Source; 2] = [Source::CommonCfg, Source::MacCfg];
/// How often the deck's log says that the store was written before the other settings.
const WRITTEN: usize = 3;
/// What the store says.
const STORED: &str = "[config_manager.sh]Update the configuration file successfully!";

impl Phone {
    /// Puts back what was downloaded and not yet proven when the phone was switched off.
    pub(super) fn restore_downloads(&mut self, kept: &Downloads) {
        self.discover.proof.restore(kept);
    }

    /// What the phone runs, where it was ever upgraded: told from the next start on.
    pub fn firmware(&self) -> Option<&Firmware> {
        self.discover.firmware()
    }

    /// The phone runs this firmware: it tells its version.
    pub(super) fn restore_firmware(&mut self, firmware: Firmware) {
        self.desk.place.version = firmware.version.as_str().into();
        self.discover.restore_firmware(firmware);
    }

    /// Whether it knows anybody to ask for its settings.
    pub fn asks_for_settings(&self) -> bool {
        self.discover.has_sources(&self.desk.place)
    }

    /// What was downloaded, as it is kept.
    pub(super) fn downloads(&self) -> Downloads {
        self.discover.proof.kept(&self.settings)
    }

    pub(super) fn on_fetched(&mut self, fetched: Fetched) {
        let outcome = self.discover.on_fetched(&mut self.desk, fetched);
        self.follow(outcome);
    }

    pub(super) fn advance_provisioning(&mut self) {
        let is_busy = self.calls.live().next().is_some();
        let outcome = self.discover.advance(&mut self.desk, is_busy);
        self.follow(outcome);
    }

    /// Once somebody is registered, what was downloaded is good.
    pub(super) fn settle_provisioning(&mut self) {
        let is_registered = self
            .lines
            .accounts
            .iter()
            .any(|account| matches!(account.state, AccountState::Registered { .. }));
        let kept = if is_registered { self.discover.proof.registered(&self.settings) } else { None };
        if let Some(kept) = kept {
            self.desk.keep(Change::Downloaded(Box::new(kept)));
        }
    }

    fn follow(&mut self, outcome: Option<Outcome>) {
        match outcome {
            Some(Outcome::Apply(download)) => self.apply_download(*download),
            Some(Outcome::TakeBack(before)) => self.take_back(&before),
            Some(Outcome::Whole(file, assignments)) => self.take_whole(file, &assignments),
            Some(Outcome::KeepNamed) => self.keep_named(),
            Some(Outcome::Restart(why)) => self.restart(why),
            None => {}
        }
    }

    /// All files at once: what they say holds together or not at all.
    fn apply_download(&mut self, download: Download) {
        let before = self.settings.clone();
        let (settings, dropped) = self.laid_over(&before, &download);
        let changed = settings.changed_since(&before).len();
        self.desk.note_as(Tag::Provision, &format!("Profile Rule [{}]...", download.url));
        let (was, is) = (Downloads::of(&before), Downloads::of(&settings));
        if was != is {
            self.keep_download(was, &settings, &dropped);
            self.note_stored();
            self.take_settings(settings);
        }
        let reboot = self.waits_for_restart().next().is_some();
        self.desk.tell(EventKind::Provisioned { files: download.asked, changed, reboot });
        if reboot {
            self.discover.restart_when_idle(self.desk.now);
        }
        self.discover.applied(self.desk.now);
    }

    /// The settings with the files in their layers, and what was set at the phone and makes room.
    fn laid_over(&mut self, before: &Settings, download: &Download) -> (Settings, Vec<String>) {
        let (mut settings, mut dropped) = (before.clone(), Vec::new());
        for layer in LAYERS {
            let said: Vec<_> =
                download.assignments.iter().filter(|one| one.source == layer).cloned().collect();
            let applied = match download.overwrite {
                true => settings.replace(layer, &said),
                false => settings.apply(&said),
            };
            for fault in &applied.faults {
                self.desk.warn_as(Tag::Provision, &fault.to_string());
            }
            dropped.extend(applied.dropped.iter().map(ToString::to_string));
        }
        (settings, dropped)
    }

    fn keep_download(&mut self, was: Downloads, settings: &Settings, dropped: &[String]) {
        let rules = &self.general.provision;
        let kept = self.discover.proof.changed(self.desk.now, was, settings, rules);
        self.desk.keep(Change::Downloaded(Box::new(kept)));
        for key in dropped {
            self.desk.keep(Change::SettingForgotten { key: key.clone() });
        }
    }

    fn note_stored(&mut self) {
        for _ in 0..WRITTEN {
            self.desk.note_as(Tag::Admin, STORED);
        }
        self.desk.note_as(Tag::Provision, "Update other configuration...");
        self.desk.note_as(Tag::Admin, STORED);
        self.desk.note_as(Tag::Provision, "Update the configuration file successfully....");
    }

    /// Nobody registered with the new configuration: the one before comes back.
    fn take_back(&mut self, before: &Downloads) {
        let mut settings = self.settings.clone();
        before.restore(&mut settings);
        let wait_s = self.general.provision.rollback_s.unwrap_or_default();
        let reason = format!(
            "no account registered within {wait_s} s with the new configuration: the one before is back; \
             check the accounts in the files"
        );
        self.desk.warn_as(Tag::Provision, &reason);
        self.desk.keep(Change::Downloaded(Box::new(Downloads::of(&settings))));
        self.take_settings(settings);
        self.desk.tell(EventKind::ProvisionFailed { url: None, reason });
        if self.waits_for_restart().next().is_some() {
            self.discover.restart_when_idle(self.desk.now);
        }
    }
}
