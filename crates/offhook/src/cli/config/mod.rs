//! `config`: configuration files checked, explained, compared and converted; whole phones taken along.

mod whole;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use roles::settings::{
    About, Fault, Model, Secrets, Settings, Severity, Source, TABLE, Unfolding, diff, explain, is_boot,
    parse_boot, parse_cfg,
};
use serde::Serialize;
use serde_json::json;

use super::hardware::parse_model;
use super::{Failure, if_read};

/// Configuration files: what a phone makes of them, what a parameter means, what differs.
///
/// Nothing is sent anywhere; `import` alone changes something.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

const EXAMPLES: &str = "\
Examples:
  offhook config check 0021f222b021.cfg
  offhook config explain account.X.sip_server.N.expires
  offhook config list --page 'Phone > Dial Rule'
  offhook config diff working.cfg failing.cfg
  offhook config convert 0021f222b021.cfg --to json
  offhook config export --dir phone > phone.cfg
  offhook config import phone.cfg --dir other-phone";

#[derive(Debug, Subcommand)]
enum What {
    /// Say what a phone would make of files; exit status 1 where a line of them is not taken
    Check {
        /// The files
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// The model, which bounds accounts and line keys
        #[arg(long, value_name = "MODEL", default_value = "FIP14G", value_parser = parse_model)]
        model: &'static Model,
        /// One JSON document on standard output
        #[arg(long)]
        json: bool,
    },
    /// Say all about a parameter, by its name with an index or with X in its place
    Explain {
        /// The parameter
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// List the parameters
    List {
        /// Those of one web page
        #[arg(long, value_name = "PAGE")]
        page: Option<String>,
        /// Those that do something here
        #[arg(long, conflicts_with = "kept")]
        acts: bool,
        /// Those that are kept and do nothing, and why
        #[arg(long)]
        kept: bool,
        /// One JSON document on standard output
        #[arg(long)]
        json: bool,
    },
    /// Say what differs between two files, for the phone that reads them; secrets are named, not shown
    Diff {
        /// The first file
        #[arg(value_name = "A")]
        before: PathBuf,
        /// The second file
        #[arg(value_name = "B")]
        after: PathBuf,
        /// The model, which bounds accounts and line keys
        #[arg(long, value_name = "MODEL", default_value = "FIP14G", value_parser = parse_model)]
        model: &'static Model,
        /// One JSON document on standard output
        #[arg(long)]
        json: bool,
    },
    /// Write all that a phone keeps in its data folder on standard output, secrets included; the phone does not run
    Export {
        /// The data folder of the phone
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The model, which bounds accounts and line keys
        #[arg(long, value_name = "MODEL", default_value = "FIP14G", value_parser = parse_model)]
        model: &'static Model,
    },
    /// Put a whole configuration into the data folder of a phone that does not run; what it does not name stays
    Import {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The data folder of the phone
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The model, which bounds accounts and line keys
        #[arg(long, value_name = "MODEL", default_value = "FIP14G", value_parser = parse_model)]
        model: &'static Model,
    },
    /// Write a file in another form on standard output, secrets included
    Convert {
        /// The file, in either form
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The form
        #[arg(long, value_name = "FORM")]
        to: Form,
        /// The model, which bounds accounts and line keys
        #[arg(long, value_name = "MODEL", default_value = "FIP14G", value_parser = parse_model)]
        model: &'static Model,
    },
}

/// A form of configuration file.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// Lines `name = value`, as phones take them
    Cfg,
    /// One JSON object of names and values
    Json,
}

/// Does what the arguments say.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.what {
        What::Check { files, model, json } => check(files, model, *json),
        What::Explain { key } => {
            let text = explain(key).map_err(|fault| Failure::Failed(fault.to_string()))?;
            print(&text)
        }
        What::List { page, acts, kept, json } => list(page.as_deref(), *acts, *kept, *json),
        What::Diff { before, after, model, json } => compare(before, after, model, *json),
        What::Export { dir, model } => whole::export(dir, model),
        What::Import { file, dir, model } => whole::import(file, dir, model),
        What::Convert { file, to, model } => convert(file, *to, model),
    }
}

/// One fault with the file that it is in.
#[derive(Serialize)]
struct Told<'a> {
    file: String,
    line: Option<u32>,
    severity: Severity,
    key: Option<&'a str>,
    message: String,
    nearest: Option<&'a str>,
}

fn check(files: &[PathBuf], model: &'static Model, as_json: bool) -> Result<(), Failure> {
    let mut all = Vec::new();
    for path in files {
        let Read { mut faults, .. } = read(path, model)?;
        faults.sort_by_key(|(_, fault)| fault.line);
        all.extend(faults);
    }
    let errors = all.iter().filter(|(_, fault)| fault.severity == Severity::Error).count();
    let text = if as_json {
        let told: Vec<_> = all.iter().map(|(path, fault)| told(path, fault)).collect();
        format!("{}\n", json!({ "faults": told }))
    } else if all.is_empty() {
        format!("no fault in {} file{}\n", files.len(), if files.len() == 1 { "" } else { "s" })
    } else {
        all.iter().map(|(path, fault)| line(path, fault) + "\n").collect()
    };
    print(&text)?;
    match errors {
        0 => Ok(()),
        1 => Err(Failure::Failed("1 line is not taken".into())),
        errors => Err(Failure::Failed(format!("{errors} lines are not taken"))),
    }
}

fn told<'a>(path: &Path, fault: &'a Fault) -> Told<'a> {
    Told {
        file: path.display().to_string(),
        line: fault.line,
        severity: fault.severity,
        key: fault.key.as_deref(),
        message: Fault { line: None, ..fault.clone() }.to_string(),
        nearest: fault.nearest.as_deref(),
    }
}

fn line(path: &Path, fault: &Fault) -> String {
    let severity = match fault.severity {
        Severity::Info => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    format!("{}: {severity}: {fault}", path.display())
}

/// Tells the faults of several files on standard error.
fn tell_all(faults: &[(PathBuf, Fault)]) {
    faults.iter().for_each(|(path, fault)| complain!("{}", line(path, fault)));
}

/// Tells a file's faults on standard error, in the order of its lines.
pub(super) fn tell(path: &Path, faults: &mut [Fault]) {
    faults.sort_by_key(|fault| fault.line);
    for fault in faults {
        complain!("{}", line(path, fault));
    }
}

fn list(page: Option<&str>, acts: bool, kept: bool, as_json: bool) -> Result<(), Failure> {
    let on_page = |of: &str| page.is_none_or(|page| page.eq_ignore_ascii_case(of));
    let wanted = TABLE.iter().filter(|row| on_page(row.page));
    if let Some(page) = page.filter(|_| wanted.clone().next().is_none()) {
        let pages: std::collections::BTreeSet<_> = TABLE.iter().map(|row| row.page).collect();
        let pages: Vec<_> = pages.into_iter().collect();
        return Err(Failure::usage(format!("no page is called {page}; there are: {}", pages.join(", "))));
    }
    let rows = wanted.filter(|row| if acts { row.acts() } else { !kept || !row.acts() });
    let mut text = String::new();
    let mut all = Vec::new();
    for row in rows {
        let about = About::of(row);
        if as_json {
            let mut value = serde_json::to_value(&about).unwrap_or_default();
            if let Some(object) = value.as_object_mut() {
                object.remove("layers");
                object.insert("key".into(), row.key.into());
                object.insert("acts".into(), row.acts().into());
            }
            all.push(value);
            continue;
        }
        let why = about.kept.map(|why| format!(" Kept only: {why}")).unwrap_or_default();
        text.push_str(&format!("{}\n    {}{why}\n", row.key, row.help));
    }
    if as_json {
        text = format!("{}\n", json!(all));
    }
    print(&text)
}

fn compare(before: &Path, after: &Path, model: &'static Model, as_json: bool) -> Result<(), Failure> {
    let phone = |path: &Path| -> Result<Settings, Failure> {
        let Read { settings, faults } = read(path, model)?;
        tell_all(&faults);
        Ok(settings)
    };
    let found = diff(&phone(before)?, &phone(after)?);
    if as_json {
        return print(&format!("{}\n", json!({ "differences": found })));
    }
    let shown = |text: &str| if text.is_empty() { "(empty)".to_owned() } else { text.to_owned() };
    let lines = found.iter().map(|it| format!("{}: {} -> {}\n", it.key, shown(&it.before), shown(&it.after)));
    print(&lines.collect::<String>())
}

fn convert(path: &Path, to: Form, model: &'static Model) -> Result<(), Failure> {
    let Read { settings, faults } = read(path, model)?;
    tell_all(&faults);
    let text = match to {
        Form::Cfg => settings.to_cfg(Secrets::Written),
        Form::Json => {
            let values: BTreeMap<String, &str> =
                settings.entries().map(|value| (value.key().to_string(), value.expose())).collect();
            format!("{:#}\n", json!(values))
        }
    };
    print(&text)?;
    let lost = faults.iter().filter(|(_, fault)| fault.severity == Severity::Error).count();
    match lost {
        0 => Ok(()),
        _ => Err(Failure::Failed(format!("{lost} lines are not in what was written"))),
    }
}

/// What a file, with those that it includes, makes of a phone from the factory.
struct Read {
    settings: Settings,
    /// With the file that each is in.
    faults: Vec<(PathBuf, Fault)>,
}

/// Reads a file in either form: JSON begins with a brace. A boot file's includes are read where they lie
/// beside it; what would be fetched is not.
fn read(path: &Path, model: &'static Model) -> Result<Read, Failure> {
    let (mut settings, mut faults) = (Settings::new(model), Vec::new());
    let mut walk = Unfolding::new(path.to_string_lossy());
    let mut is_first = true;
    while let Some(file) = walk.next_file() {
        let file = PathBuf::from(file);
        let text = match text_of(&file) {
            Ok(text) => text,
            Err(why) if is_first => return Err(Failure::Failed(why)),
            Err(why) => {
                faults.push((path.to_owned(), Fault::of_file(why)));
                continue;
            }
        };
        is_first = false;
        let found = if is_boot(&text) {
            let (boot, mut found) = parse_boot(&text);
            found.extend(walk.enter(&boot, model, beside));
            found
        } else if text.trim_start().starts_with('{') {
            apply_json(&mut settings, &text)
                .map_err(|why| Failure::Failed(format!("{}: {why}", file.display())))?
        } else {
            let (assignments, mut found) = parse_cfg(&text, Source::MacCfg);
            found.extend(settings.apply(&assignments).faults);
            found
        };
        faults.extend(found.into_iter().map(|fault| (file.clone(), fault)));
    }
    Ok(Read { settings, faults })
}

fn text_of(file: &Path) -> Result<String, String> {
    let name = file.display();
    if name.to_string().contains("://") {
        return Err(format!("{name} is not fetched here"));
    }
    let bytes = fs::read(file).map_err(|error| format!("{name} cannot be read: {error}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What a boot file means by a name.
fn beside(boot: &str, target: &str) -> Option<String> {
    let folder = Path::new(boot).parent()?;
    let is_whole = target.contains("://");
    Some(if is_whole { target.to_owned() } else { folder.join(target).to_string_lossy().into_owned() })
}

fn apply_json(settings: &mut Settings, text: &str) -> Result<Vec<Fault>, String> {
    let object: BTreeMap<String, serde_json::Value> = serde_json::from_str(text)
        .map_err(|error| format!("{error}; write one object, as in {{\"account.1.label\": \"Jack\"}}"))?;
    let mut faults = Vec::new();
    for (name, value) in object {
        let text = match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Bool(on) => u8::from(on).to_string(),
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Null => continue,
            _ => return Err(format!("{name} has neither text nor number")),
        };
        faults.extend(settings.set(&name, &text, Source::MacCfg).err());
    }
    Ok(faults)
}

/// Writes the answer; a reader that has seen enough is no fault.
fn print(text: &str) -> Result<(), Failure> {
    if_read(io::stdout().lock().write_all(text.as_bytes())).map_err(Failure::from)
}
