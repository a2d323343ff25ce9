//! Whether anybody registered with what was downloaded; where nobody does, the files before come back.

use std::time::Duration;

use proto::Time;

use crate::phone::kept::Downloads;
use crate::settings::{ProvisionSettings, Settings};

/// Waits for a registration after each download.
#[derive(Debug, Default)]
pub(in crate::phone) struct Proof {
    /// Somebody registered with the files that hold now.
    is_proven: bool,
    /// The files that are to come back, and when.
    before: Option<(Downloads, Time)>,
}

impl Proof {
    /// What was kept says which files were never proven.
    pub(in crate::phone) fn restore(&mut self, kept: &Downloads) {
        let before = kept.before.as_deref().cloned();
        let files = before.map(|(common, own)| Downloads { common, own, before: None });
        self.before = files.map(|files| (files, Time::NEVER));
    }

    /// The wait begins anew when the phone starts.
    pub(super) fn start(&mut self, now: Time, rules: &ProvisionSettings) {
        if let Some((_, until)) = &mut self.before {
            *until = limit(now, rules);
        }
    }

    /// Other files hold; `before` held until now. What is to be kept.
    pub(in crate::phone) fn changed(
        &mut self,
        now: Time,
        before: Downloads,
        after: &Settings,
        rules: &ProvisionSettings,
    ) -> Downloads {
        if std::mem::take(&mut self.is_proven) {
            self.before = Some((before, limit(now, rules)));
        }
        self.kept(after)
    }

    /// Somebody is registered; what is to be kept, where that is news.
    pub(in crate::phone) fn registered(&mut self, settings: &Settings) -> Option<Downloads> {
        self.is_proven = true;
        self.before.take().map(|_| self.kept(settings))
    }

    /// The files that are to come back now.
    pub(super) fn take_back(&mut self, now: Time) -> Option<Downloads> {
        self.before.take_if(|(_, until)| *until <= now).map(|(files, _)| files)
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.before.as_ref().map(|(_, until)| *until).filter(|until| *until != Time::NEVER)
    }

    /// What is to be kept of these settings.
    pub(in crate::phone) fn kept(&self, settings: &Settings) -> Downloads {
        let before =
            self.before.as_ref().map(|(files, _)| Box::new((files.common.clone(), files.own.clone())));
        Downloads { before, ..Downloads::of(settings) }
    }
}

fn limit(now: Time, rules: &ProvisionSettings) -> Time {
    rules.rollback_s.map_or(Time::NEVER, |wait_s| now + Duration::from_secs(u64::from(wait_s)))
}
