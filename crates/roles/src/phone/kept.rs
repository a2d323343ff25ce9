//! What provisioning lets a phone keep, and who may name its server.

use serde::{Deserialize, Serialize};

use crate::settings::{Secret, Settings, Source, parse_cfg};

/// Who may name the server of this phone; told by whoever drives it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sources {
    /// PnP: asked by multicast.
    pub pnp: bool,
    /// DHCP options 66 and 67.
    pub dhcp: bool,
    /// The redirection service.
    pub redirect: bool,
}

impl Default for Sources {
    fn default() -> Self {
        Self { pnp: false, dhcp: true, redirect: true }
    }
}

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

/// What is kept of files that settings name: a whole configuration, a factory file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NamedFiles {
    /// Where the last whole configuration came from: it is not taken again.
    pub whole: Option<String>,
    /// What the next factory reset goes back to; empty: the factory's values.
    pub reset: Secret,
    /// What the last factory reset went back to.
    pub factory: Secret,
}

impl NamedFiles {
    /// Puts the layer back that the last factory reset went back to.
    pub fn restore(&self, settings: &mut Settings) {
        settings.forget(Source::CustomFactory);
        settings.apply(&parse_cfg(self.factory.expose(), Source::CustomFactory).0);
    }
}

/// Firmware that was downloaded.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Firmware {
    /// Where it came from.
    pub url: String,
    /// Its version, as its name says it.
    pub version: String,
    /// The SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// The phone has not started with it yet.
    pub is_new: bool,
}
