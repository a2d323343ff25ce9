//! The layers of the settings.

use serde::Serialize;

/// Who said that a parameter has its value: the layers, the lowest first. The highest that has a value
/// counts.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The table's default.
    Factory,
    /// The file that a factory reset goes back to (`custom_factory_configuration.url`).
    CustomFactory,
    /// The file for all phones, `y000000000000.cfg`.
    CommonCfg,
    /// The file for this phone, `<mac>.cfg`.
    MacCfg,
    /// A person on the phone's web page or at its keys.
    Web,
    /// A program.
    Api,
    /// The command line of this run.
    CommandLine,
}

impl Source {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Source::Factory => "factory",
            Source::CustomFactory => "custom factory",
            Source::CommonCfg => "common cfg",
            Source::MacCfg => "MAC cfg",
            Source::Web => "web page",
            Source::Api => "API",
            Source::CommandLine => "command line",
        }
    }

    /// Whether it is a downloaded file.
    pub fn is_file(self) -> bool {
        matches!(self, Source::CommonCfg | Source::MacCfg)
    }

    /// Whether a person or a program set it at the phone itself.
    pub(super) fn is_at_phone(self) -> bool {
        matches!(self, Source::Web | Source::Api)
    }
}
