//! Settings as a configuration file.

use super::source::Source;
use super::store::{Settings, Value};
use super::written::HEADER;

/// Whether secrets stand in a file that is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Secrets {
    /// They do: the file is for a phone.
    Written,
    /// Their lines are comments: the file is for a person.
    LeftOut,
}

impl Settings {
    /// Everything that somebody set, as a file that [`super::parse_cfg`] reads; grouped by source in
    /// comments.
    pub fn to_cfg(&self, secrets: Secrets) -> String {
        let mut text = format!("{HEADER}1.0.0.1\n");
        let mut source = Source::Factory;
        let mut entries: Vec<_> = self.entries().collect();
        entries.sort_by_key(|value| value.source());
        for value in entries {
            if value.source() != source {
                source = value.source();
                text.push_str(&format!("\n## {}\n", source.words()));
            }
            let key = value.key();
            if key.row().is_secret() && secrets == Secrets::LeftOut {
                text.push_str(&format!("# {key} is a secret\n"));
            } else {
                text.push_str(&line(value));
            }
        }
        text
    }

    /// What one layer says, secrets included, as a file that [`super::parse_cfg`] reads: so a downloaded
    /// file outlives the program.
    pub fn layer_to_cfg(&self, source: Source) -> String {
        let lines: String = self.layer(source).map(line).collect();
        format!("{HEADER}1.0.0.1\n{lines}")
    }
}

fn line(value: Value<'_>) -> String {
    let written = if value.expose().is_empty() { "%NULL%" } else { value.expose() };
    format!("{} = {written}\n", value.key())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::settings::{Severity, diff, parse_cfg};

    fn phone(label: &str) -> Settings {
        let mut settings = Settings::default();
        for (name, text) in [("account.1.label", label), ("account.1.password", "swordfish")] {
            settings.set(name, text, Source::MacCfg).expect("an accepted value");
        }
        settings.set("account.1.ptime", "30", Source::Web).expect("an accepted value");
        settings
    }

    #[test]
    fn a_file_for_people_has_no_secret() {
        let text = phone("Front Desk").to_cfg(Secrets::LeftOut);
        let expected = "#!version:1.0.0.1\n\n## MAC cfg\naccount.1.label = Front Desk\n# account.1.password is a secret\n\n## web page\naccount.1.ptime = 30\n";
        assert_eq!(text, expected);
    }

    proptest! {
        #[test]
        fn a_file_for_a_phone_makes_the_same_phone(label in "[ -~]{0,40}") {
            let phone = phone(&label);
            let (assignments, faults) = parse_cfg(&phone.to_cfg(Secrets::Written), Source::MacCfg);
            // A value that looks like a quoted one is taken as it is, with a note.
            prop_assert!(faults.iter().all(|fault| fault.severity == Severity::Info), "{faults:?}");
            let mut other = Settings::default();
            other.apply(&assignments);
            prop_assert_eq!(diff(&phone, &other), []);
        }
    }
}
