//! `serve --config FILE`: a TOML file whose keys are the long options.
//!
//! The options are the one table of what an exchange can be told: the file has no words of its own. What it
//! says is put behind the command line as if typed there, but for the options that are typed: the command
//! line counts.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, Command};
use roles::settings::distance;
use toml::{Table, Value};

/// The largest file that is read, in bytes.
const MOST_BYTES: u64 = 1 << 20;
/// The sub-command that takes such a file, and the option that names it.
const SERVE: &str = "serve";
const OPTION: &str = "config";
/// A word with so many letters wrong is still taken for the option that was meant.
const MOST_WRONG_LETTERS: usize = 3;

/// The arguments of the program with what the file says that they name, if they name one.
///
/// # Errors
/// The file cannot be read, or something in it is no option: where, in words.
pub(super) fn expand(command: &Command, arguments: Vec<OsString>) -> Result<Vec<OsString>, String> {
    let Ok(typed) = command.clone().try_get_matches_from(&arguments) else { return Ok(arguments) };
    let Some((SERVE, typed)) = typed.subcommand() else { return Ok(arguments) };
    let Some(file) = typed.get_one::<PathBuf>(OPTION) else { return Ok(arguments) };
    let Some(serve) = command.find_subcommand(SERVE) else { return Ok(arguments) };
    let said = read(file).map_err(|why| format!("--config {}: {why}", file.display()))?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut arguments = arguments;
    for (key, value) in said {
        let named = |why: String| format!("--config {}: {key}: {why}", file.display());
        let option = option(serve, &key).map_err(named)?;
        if typed.value_source(option.get_id().as_str()) != Some(ValueSource::CommandLine) {
            let more = words(option, &key, &value, folder);
            arguments.extend(more.map_err(|why| format!("--config {}: {key}: {why}", file.display()))?);
        }
    }
    Ok(arguments)
}

fn read(file: &Path) -> Result<Table, String> {
    let about = fs::metadata(file).map_err(|error| error.to_string())?;
    if about.len() > MOST_BYTES {
        return Err(format!("it has more than {MOST_BYTES} bytes"));
    }
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    text.parse().map_err(|error: toml::de::Error| {
        let line =
            error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        format!("line {line}: {}", error.message())
    })
}

fn option<'a>(serve: &'a Command, key: &str) -> Result<&'a Arg, String> {
    let all: Vec<&Arg> = serve.get_arguments().filter(|option| option.get_long().is_some()).collect();
    if key == OPTION {
        return Err("a file names no other file".to_owned());
    }
    if let Some(option) = all.iter().find(|option| option.get_long() == Some(key)) {
        return Ok(option);
    }
    let wrong = |name: &str| distance(name.as_bytes(), key.as_bytes());
    let names = all.iter().filter_map(|option| option.get_long());
    let near = names.min_by_key(|name| wrong(name)).filter(|name| wrong(name) <= MOST_WRONG_LETTERS);
    Err(match near {
        Some(near) => format!("no option is called so; did you mean {near}?"),
        None => "no option is called so; `offhook serve --help` lists them".to_owned(),
    })
}

/// An option with its value, as a person would type it.
fn words(option: &Arg, key: &str, value: &Value, folder: &Path) -> Result<Vec<OsString>, String> {
    let takes_value = option.get_action().takes_values();
    let flag = OsString::from(format!("--{key}"));
    match value {
        Value::Boolean(on) if !takes_value => Ok(if *on { vec![flag] } else { Vec::new() }),
        _ if !takes_value => Err("write true or false".to_owned()),
        Value::Array(all) if matches!(option.get_action(), clap::ArgAction::Append) => {
            let each = all.iter().map(|one| words(option, key, one, folder));
            Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
        }
        Value::Array(_) => Err("this option is said once; write no list".to_owned()),
        _ => {
            let text = text(value, folder)?;
            let mut word = flag;
            word.push("=");
            word.push(text);
            Ok(vec![word])
        }
    }
}

fn text(value: &Value, folder: &Path) -> Result<OsString, String> {
    Ok(match value {
        Value::String(text) => text.into(),
        Value::Integer(number) => number.to_string().into(),
        Value::Float(number) => number.to_string().into(),
        Value::Table(table) => of_file(table, folder)?,
        _ => return Err("write a text or a number".to_owned()),
    })
}

/// `{ file = "secret" }`: what the file holds, so that a secret need not stand in this one. `{ file = …,
/// before = "7001:" }` puts a text before it.
fn of_file(table: &Table, folder: &Path) -> Result<OsString, String> {
    const FORM: &str = "write { file = \"NAME\" }, with before = \"TEXT\" where a text is to stand before it";
    let known = ["file", "before"];
    let Some(Value::String(name)) = table.get("file") else { return Err(FORM.to_owned()) };
    if table.keys().any(|key| !known.contains(&key.as_str())) {
        return Err(FORM.to_owned());
    }
    let path = folder.join(name);
    let held = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let before = match table.get("before") {
        Some(Value::String(before)) => before.as_str(),
        None => "",
        Some(_) => return Err(FORM.to_owned()),
    };
    Ok(format!("{before}{}", held.trim_end_matches(['\r', '\n'])).into())
}

#[cfg(test)]
mod tests {
    use clap::{ArgAction, value_parser};

    use super::*;

    fn command() -> Command {
        let serve = Command::new("serve")
            .arg(Arg::new("config").long("config").value_parser(value_parser!(PathBuf)))
            .arg(Arg::new("sip").long("sip").default_value("127.0.0.1:5060"))
            .arg(Arg::new("ring").long("ring"))
            .arg(Arg::new("extensions").long("extension").action(ArgAction::Append))
            .arg(Arg::new("json").long("json").action(ArgAction::SetTrue));
        Command::new("offhook").subcommand(serve).subcommand(Command::new("lab"))
    }

    fn expanded(toml: &str, typed: &[&str]) -> Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("secret"), "long-secret\n").unwrap();
        let file = dir.path().join("serve.toml");
        fs::write(&file, toml).unwrap();
        let file = file.to_string_lossy().into_owned();
        let arguments = ["offhook", "serve", "--config", &file].into_iter().chain(typed.iter().copied());
        let all = expand(&command(), arguments.map(OsString::from).collect())?;
        Ok(all.into_iter().skip(4 + typed.len()).map(|it| it.to_string_lossy().into_owned()).collect())
    }

    #[test]
    fn keys_are_options_and_the_command_line_counts() {
        let toml = "sip = \"192.0.2.1:5060\"\nring = 30\njson = true\nextension = [\"7001:a\", { file = \"secret\", before = \"7002:\" }]\n";
        let all = expanded(toml, &[]).unwrap();
        let expected = [
            "--sip=192.0.2.1:5060",
            "--ring=30",
            "--json",
            "--extension=7001:a",
            "--extension=7002:long-secret",
        ];
        let (mut all, mut expected) = (all, expected.map(str::to_owned).to_vec());
        all.sort();
        expected.sort();
        assert_eq!(all, expected);
        let all = expanded(toml, &["--ring", "40", "--extension", "7009:x"]).unwrap();
        assert!(!all.iter().any(|it| it.contains("ring") || it.contains("7001")), "{all:?}");
        assert!(all.contains(&"--sip=192.0.2.1:5060".to_owned()), "a default is not typed");
        assert_eq!(expanded("json = false", &[]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_is_named_with_its_place() {
        let told = |toml: &str| expanded(toml, &[]).unwrap_err();
        assert!(told("rng = 3").contains("rng: no option is called so; did you mean ring?"));
        assert!(told("a = 1\nb = ").contains("line 2: "), "{}", told("a = 1\nb = "));
        assert!(told("json = 1").contains("write true or false"));
        assert!(told("ring = [1]").contains("write no list"));
        assert!(told("config = \"x\"").contains("names no other file"));
        assert!(told("extension = [{ file = \"nowhere\" }]").contains("nowhere"));
        assert!(told("extension = [{ path = \"x\" }]").contains("write { file"));
        let typed = ["offhook", "lab"].map(OsString::from).to_vec();
        assert_eq!(expand(&command(), typed.clone()), Ok(typed));
    }
}
