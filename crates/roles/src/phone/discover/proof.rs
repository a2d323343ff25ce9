//! Whether anybody registered with what was downloaded; where nobody does, the files before come back.

use std::time::Duration;

use proto::Time;

use crate::settings::{ProvisionSettings, Secret, Settings, Source, parse_cfg};

/// What the downloaded files say, by layer, as a phone keeps it; with it a phone boots whose server is away.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Downloads {
    /// The common file.
    pub common: Secret,
    /// The phone's own files.
    pub own: Secret,
    /// What held when somebody was last registered, where that is not this.
    pub before: Option<Box<(Secret, Secret)>>,
}

impl Downloads {
    /// What the layers of files hold now.
    pub fn of(settings: &Settings) -> Self {
        let layer = |source| Secret::new(&settings.layer_to_cfg(source));
        Self { common: layer(Source::CommonCfg), own: layer(Source::MacCfg), before: None }
    }

    /// Puts the layers of files back as they were.
    pub fn restore(&self, settings: &mut Settings) {
        for (text, source) in [(&self.common, Source::CommonCfg), (&self.own, Source::MacCfg)] {
            settings.forget(source);
            settings.apply(&parse_cfg(text.expose(), source).0);
        }
    }
}

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
