//! The directory as one text file: a line of JSON for each extension, `#` begins a comment.
//!
//! What is written holds the hashes of the passwords, which are as good as those; so the file is its
//! owner's alone. A line written by hand may bear a `password` instead:
//! `{"number":"7001","password":"a-long-secret-here","display":"Jack"}`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use roles::exchange::{Edit, Extension, Password, check_secret};
use serde_json::Value;

use super::REALM;
use crate::cli::secrets;
use crate::store;

/// A line that can be read.
const EXAMPLE: &str = r#"{"number":"7001","password":"a-long-secret-here"}"#;

/// Writes all extensions, the lowest number first.
///
/// # Errors
/// The file cannot be written; the text names it.
pub(super) fn export(path: &Path, extensions: &[Extension]) -> io::Result<()> {
    let mut sorted: Vec<&Extension> = extensions.iter().collect();
    sorted.sort_by(|one, other| one.number.cmp(&other.number));
    let mut text =
        String::from("# Extensions of an Offhook exchange. Keep this file: it holds their secrets.\n");
    for extension in sorted {
        text.push_str(&serde_json::to_string(extension)?);
        text.push('\n');
    }
    store::save(path, text.as_bytes())
}

/// Reads what [`export`] or a person has written.
///
/// # Errors
/// The file cannot be read, or a line cannot be understood: then nothing of it counts. The text names
/// file and line.
pub(super) fn import(path: &Path) -> io::Result<Vec<Extension>> {
    let named =
        |why: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let mut seen = BTreeMap::new();
    let read = |(at, line)| {
        let read = extension(line).and_then(|new| first(&mut seen, at, new));
        read.map_err(|why| named(format!("line {at}: {why}")))
    };
    lines.map(read).collect()
}

/// No number and no account stands in two lines.
fn first(
    seen: &mut BTreeMap<(&'static str, String), usize>,
    at: usize,
    new: Extension,
) -> Result<Extension, String> {
    new.check()?;
    for (what, name) in [("extension", &new.number), ("account", &new.username)] {
        if let Some(before) = seen.insert((what, name.clone()), at) {
            return Err(format!("the {what} {name} is in line {before} already"));
        }
    }
    Ok(new)
}

fn extension(line: &str) -> Result<Extension, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| format!("{error}; write {EXAMPLE}"))?;
    if value.get("secret").is_some() {
        return serde_json::from_value(value).map_err(|error| error.to_string());
    }
    let Value::Object(mut fields) = value else { return Err(format!("write {EXAMPLE}")) };
    let Some(Value::String(number)) = fields.remove("number") else {
        return Err(format!("no number; write {EXAMPLE}"));
    };
    let Some(Value::String(password)) = fields.remove("password").filter(|p| p != "") else {
        return Err(format!("extension {number} has neither password nor secret"));
    };
    check_secret(&password, &number)?;
    secrets::warn_if_short(&format!("extension {number}"), &password);
    let edit: Edit = serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())?;
    let mut extension = Extension::new(&number, REALM, "");
    Edit { password: Some(Password::from(password)), ..edit }.apply(&mut extension, REALM);
    Ok(extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("directory.txt");
        let mut jack = Extension::new("7002", REALM, "secret-of-7002");
        jack.forward.busy = Some("7001".to_owned());
        let all = [jack.clone(), Extension::new("7001", REALM, "secret-of-7001")];
        export(&path, &all).unwrap();
        assert_eq!(import(&path).unwrap(), [all[1].clone(), jack]);
        assert!(!std::fs::read_to_string(&path).unwrap().contains("secret-of"));
    }

    #[test]
    fn what_the_manual_shows_is_read() {
        let manual = include_str!("../../../../../docs/extensions.md");
        let shown = manual.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("directory.txt");
        std::fs::write(&path, shown).unwrap();
        let all = import(&path).unwrap();
        let numbers: Vec<_> = all.iter().map(|extension| extension.number.as_str()).collect();
        assert_eq!(numbers, ["7001", "7002"]);
        assert!(extension(EXAMPLE).is_ok());
        let edit = serde_json::to_value(&all[1]).unwrap();
        for name in edit.as_object().unwrap().keys().filter(|name| *name != "number") {
            assert!(manual.contains(&format!("`{name}`")), "{name} is not described");
        }
    }

    #[test]
    fn lines_by_hand_bear_a_password() {
        let line = r#"{"number":"7001","password":"a-long-secret","display":"Jack"}"#;
        let jack = extension(line).unwrap();
        let mut expected = Extension::new("7001", REALM, "a-long-secret");
        expected.display = "Jack".to_owned();
        assert_eq!(jack, expected);
    }

    #[test]
    fn a_number_stands_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("directory.txt");
        let line = |number| format!("{{\"number\":\"{number}\",\"password\":\"a-long-secret-here\"}}\n");
        std::fs::write(&path, ["7001", "7002", "7001"].map(line).concat()).unwrap();
        let told = import(&path).unwrap_err().to_string();
        assert!(told.contains("line 3: the extension 7001 is in line 1 already"), "{told}");
    }

    #[test]
    fn a_fault_names_its_line_and_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("directory.txt");
        for (line, why) in [
            (r#"{"number":"7001"}"#, "neither password nor secret"),
            (r#"{"password":"swordfish"}"#, "no number"),
            (r#"{"number":"7001","password":"swordfish"}"#, "9 characters"),
            (r#"{"number":"7001","password":"700170017001"}"#, "its number"),
            (r#"{"number":"7001","password":"a swordfish's tale","dispaly":"x"}"#, "dispaly"),
            ("7001 swordfish", "trailing"),
            (r#"{"number":"70 01","password":"a swordfish's tale"}"#, "letters, digits"),
            (r#"{"number":"7001","password":"a swordfish's tale","display":"a\r\nVia: b"}"#, "control"),
        ] {
            std::fs::write(&path, format!("# by hand\n\n{line}\n")).unwrap();
            let told = import(&path).unwrap_err().to_string();
            assert!(told.contains("line 3") && told.contains(why) && !told.contains("swordfish"), "{told}");
        }
    }
}
