//! A whole configuration that is read at once.

use super::cfg::{Assignment, Given};
use super::fault::Fault;
use super::source::Source;
use super::store::Settings;

/// What reading a configuration did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Imported {
    /// The parameters that were set, with their values, secrets included.
    pub set: Vec<(String, super::Secret)>,
    /// What is not taken.
    pub faults: Vec<Fault>,
}

impl Settings {
    /// Sets, as a program would, whatever the assignments say otherwise than what is in force. A blank value
    /// changes nothing; `%NULL%` empties a text and takes back anything else.
    pub fn import(&mut self, assignments: &[Assignment]) -> Imported {
        let mut imported = Imported::default();
        for one in assignments {
            let text: &str = match &one.given {
                Given::Blank => continue,
                Given::Null => "",
                Given::Text(text) => text,
            };
            let name = one.key.to_string();
            if self.get(&name).is_ok_and(|value| value.expose() == text) {
                continue;
            }
            match self.set(&name, text, Source::Api) {
                Ok(true) => imported.set.push((name, super::Secret::new(text))),
                Ok(false) => {}
                Err(fault) => imported.faults.push(fault.at_line(one.line)),
            }
        }
        imported
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Secrets, diff, parse_cfg};

    #[test]
    fn what_was_exported_makes_the_same_phone_elsewhere() {
        let mut one = Settings::default();
        for (name, text, source) in [
            ("account.1.label", "Front # Desk", Source::MacCfg),
            ("account.1.password", "sword fish", Source::CommandLine),
            ("account.1.ptime", "30", Source::Web),
        ] {
            one.set(name, text, source).expect("an accepted value");
        }
        let (assignments, _) = parse_cfg(&one.to_cfg(Secrets::Written), Source::Api);
        let mut other = Settings::default();
        other.set("account.1.label", "Hall", Source::CommandLine).expect("an accepted value");
        other.set("account.2.label", "stays", Source::Web).expect("an accepted value");
        let imported = other.import(&assignments);
        assert_eq!((imported.set.len(), imported.faults.len()), (3, 0));
        other.set("account.2.label", "", Source::Web).expect("an accepted value");
        assert_eq!(diff(&one, &other), []);
        assert_eq!(other.import(&assignments), Imported::default(), "a second time nothing is new");
    }

    #[test]
    fn an_import_without_secrets_keeps_those_of_the_phone() {
        let mut phone = Settings::default();
        phone.set("account.1.password", "swordfish", Source::Api).expect("an accepted value");
        let (assignments, _) = parse_cfg(&phone.to_cfg(Secrets::LeftOut), Source::Api);
        phone.import(&assignments);
        assert_eq!(phone.get("account.1.password").expect("known").expose(), "swordfish");
        let beyond = "#!version:1.0.0.1\naccount.9.label = x\naccount.1.ptime = %NULL%\n";
        let faults = phone.import(&parse_cfg(beyond, Source::Api).0).faults;
        assert_eq!(faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [Some(2)], "{faults:?}");
    }
}
