//! Boot files: which configuration files a phone takes, in their order (deck, Auto Provisioning).
//!
//! A boot file has the version line of a configuration, comments, `include:config` lines and a few
//! switches. Whatever its name, a file with an `include:config` line is one.

use super::cfg::{MOST_FAULTS, MOST_LINES};
use super::fault::{Fault, FaultKind, Severity};
use super::model::Model;
use super::written::{self, HEADER};

/// The most files that one boot file may lead to, others in between included.
const MOST_FILES: usize = 64;
/// How deep boot files may include boot files.
const MOST_DEPTH: usize = 4;
/// The longest name or address of a file, in bytes.
const LONGEST_TARGET_BYTES: usize = 511;
/// What an include line says.
const INCLUDE: &str = "include:config";

/// What a boot file says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Boot {
    /// The files, in their order; a later one's word counts.
    pub includes: Vec<Include>,
    /// `overwrite_mode`: a value that is gone from the files goes back to the layer below. Not said: no.
    pub overwrite: bool,
    /// `specific_model.excluded_mode`: includes for a model exclude those for all.
    pub excludes: bool,
}

/// One include line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Include {
    /// As written: a name beside the boot file, a path with `../`, or a whole address.
    pub target: String,
    /// The models that it is for; none: all.
    pub models: Vec<String>,
    /// Its line, from 1.
    pub line: u32,
}

/// Whether a file is a boot file: one of its lines is an include.
pub fn is_boot(text: &str) -> bool {
    text.lines().take(MOST_LINES).any(|line| {
        let line = line.trim_start();
        !line.starts_with('#') && after_models(line).1.trim_start().starts_with(INCLUDE)
    })
}

/// Reads a boot file. What can be taken is; the faults name the other lines.
pub fn parse_boot(text: &str) -> (Boot, Vec<Fault>) {
    let (mut boot, mut faults) = (Boot::default(), Vec::new());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(fault) = written::no_file(text) {
        return (boot, vec![fault]);
    }
    if !text.starts_with(HEADER) {
        let fault = Fault::new(
            Severity::Warning,
            FaultKind::MissingHeader,
            "the first line is not the version line that phones expect",
        );
        faults.push(fault.with_hint("put #!version:1.0.0.1 into line 1").at_line(1));
    }
    for (line, at) in text.lines().take(MOST_LINES).zip(1_u32..) {
        if let Err(fault) = boot.read(line.trim(), at)
            && faults.len() < MOST_FAULTS
        {
            faults.push(fault.at_line(at));
        }
    }
    (boot, faults)
}

impl Boot {
    /// The files that a model takes.
    pub fn for_model(&self, model: &Model) -> impl Iterator<Item = &Include> {
        let is_for =
            |include: &&Include| include.models.iter().any(|name| name.eq_ignore_ascii_case(model.name));
        let has_own = self.includes.iter().any(|include| is_for(&include));
        let excludes = self.excludes && has_own;
        let includes = self.includes.iter();
        includes.filter(move |include| is_for(include) || include.models.is_empty() && !excludes)
    }

    fn read(&mut self, line: &str, at: u32) -> Result<(), Fault> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (models, rest) = after_models(line);
        if let Some(target) = rest.trim_start().strip_prefix(INCLUDE) {
            let target = target_of(target)?;
            if self.includes.len() >= MOST_FILES {
                return Err(bad(format!("more than {MOST_FILES} files are included; this one is left out")));
            }
            self.includes.push(Include { target, models, line: at });
            return Ok(());
        }
        let (name, value) = line.split_once('=').ok_or_else(|| {
            let fault = Fault::new(Severity::Error, FaultKind::MissingEquals, "the line says nothing");
            fault.with_hint("write include:config \"name.cfg\", or # before a comment")
        })?;
        let switch = match name.trim() {
            "overwrite_mode" => &mut self.overwrite,
            "specific_model.excluded_mode" => &mut self.excludes,
            _ => {
                let message = "a parameter does nothing in a boot file";
                let fault = Fault::new(Severity::Warning, FaultKind::UnknownKey, message);
                return Err(fault.with_hint("put it into an included .cfg file"));
            }
        };
        *switch = match value.trim() {
            "1" => true,
            "0" => false,
            _ => return Err(Fault::new(Severity::Error, FaultKind::BadValue, "the value is 0 or 1")),
        };
        Ok(())
    }
}

/// `[T46S,T23G]rest` as models and rest.
fn after_models(line: &str) -> (Vec<String>, &str) {
    let split = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let Some((models, rest)) = split else { return (Vec::new(), line) };
    let models = models.split(',').map(str::trim).filter(|name| !name.is_empty());
    (models.map(str::to_owned).collect(), rest)
}

/// The file of `<time.cfg>`, `"time.cfg"` or `time.cfg`; a comment may stand behind the first two.
fn target_of(written: &str) -> Result<String, Fault> {
    let written = written.trim();
    let within = |open: char, close: char| {
        let rest = written.strip_prefix(open)?;
        Some(rest.split_once(close).map(|(target, _)| target.trim()))
    };
    let target = match within('<', '>').or_else(|| within('"', '"')) {
        Some(Some(target)) => target,
        Some(None) => return Err(bad("the name of the file does not end".to_owned())),
        None => written,
    };
    if target.is_empty() {
        return Err(bad("no file is named".to_owned()));
    }
    if target.len() > LONGEST_TARGET_BYTES {
        return Err(bad(format!("the name of the file has more than {LONGEST_TARGET_BYTES} bytes")));
    }
    if target.contains(|sign: char| sign.is_control() || sign == '\\') {
        return Err(bad("the name of the file has signs that no file has".to_owned()));
    }
    Ok(target.to_owned())
}

fn bad(message: String) -> Fault {
    let fault = Fault::new(Severity::Error, FaultKind::BadInclude, message);
    fault.with_hint("write include:config \"name.cfg\"")
}

/// The walk through boot files: which file comes next, with loops, depth and number bounded.
#[derive(Clone, Debug)]
pub struct Unfolding {
    /// What is still to be fetched, the next one last.
    waiting: Vec<Step>,
    /// How many were handed out.
    handed_out: usize,
    /// The file that was handed out last.
    current: Option<Step>,
}

#[derive(Clone, Debug)]
struct Step {
    address: String,
    /// The boot files that led here, the first one first.
    by: Vec<String>,
}

impl Unfolding {
    /// Begins with one file, by its whole address.
    pub fn new(address: impl Into<String>) -> Self {
        let first = Step { address: address.into(), by: Vec::new() };
        Self { waiting: vec![first], handed_out: 0, current: None }
    }

    /// The next file to fetch, by its whole address.
    pub fn next_file(&mut self) -> Option<String> {
        self.current = self.waiting.pop();
        let step = self.current.as_ref()?;
        self.handed_out += 1;
        Some(step.address.clone())
    }

    /// Takes the boot file that was handed out last: its files come next, in their order. `join` makes a
    /// whole address of what stands in the file of the first.
    pub fn enter(
        &mut self,
        boot: &Boot,
        model: &Model,
        join: impl Fn(&str, &str) -> Option<String>,
    ) -> Vec<Fault> {
        let Some(step) = self.current.take() else { return Vec::new() };
        let (mut faults, mut found) = (Vec::new(), Vec::new());
        let mut by = step.by;
        by.push(step.address);
        let folder = by.last().cloned().unwrap_or_default();
        for include in boot.for_model(model) {
            let refuse = |message: String| bad(message).at_line(include.line);
            match join(&folder, &include.target) {
                None => faults.push(refuse(format!("{} is no address of a file", include.target))),
                Some(address) if by.contains(&address) => {
                    faults.push(refuse(format!("{} includes itself", include.target)));
                }
                Some(_) if by.len() > MOST_DEPTH => {
                    faults.push(refuse(format!("boot files include one another {MOST_DEPTH} deep at most")));
                }
                Some(_) if self.handed_out + self.waiting.len() + found.len() >= MOST_FILES => {
                    faults.push(refuse(format!("more than {MOST_FILES} files; this one is left out")));
                }
                Some(address) => found.push(Step { address, by: by.clone() }),
            }
        }
        self.waiting.extend(found.into_iter().rev());
        faults
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, targets: &[&str], faults: &[(u32, FaultKind)]) {
        let (boot, told) = parse_boot(&format!("#!version:1.0.0.1\n{text}"));
        let found: Vec<_> = boot.includes.iter().map(|include| include.target.as_str()).collect();
        assert_eq!(found, targets, "{text}");
        let told: Vec<_> = told.iter().map(|fault| (fault.line.unwrap_or(0), fault.kind)).collect();
        assert_eq!(told, faults, "{text}");
    }

    #[test]
    fn includes_are_read_in_all_their_forms() {
        check("# x\n\ninclude:config <time.cfg>\r\n", &["time.cfg"], &[]);
        check("include:config \"y000000000000.cfg\"  # all", &["y000000000000.cfg"], &[]);
        check("  include:config time.cfg", &["time.cfg"], &[]);
        check("include:config <../site/a.cfg>", &["../site/a.cfg"], &[]);
        check("include:config <http://192.0.2.1/a.cfg>", &["http://192.0.2.1/a.cfg"], &[]);
        let two = "include:config <a.cfg>\ninclude:config <b.cfg>";
        check(two, &["a.cfg", "b.cfg"], &[]);
    }

    #[test]
    fn faults_name_their_line() {
        use FaultKind::*;
        check("include:config <a.cfg", &[], &[(2, BadInclude)]);
        check("include:config", &[], &[(2, BadInclude)]);
        check("include:config <a\\b.cfg>", &[], &[(2, BadInclude)]);
        check("account.1.enable = 1", &[], &[(2, UnknownKey)]);
        check("overwrite_mode = 2", &[], &[(2, BadValue)]);
        check("nonsense", &[], &[(2, MissingEquals)]);
        check(&format!("include:config <{}>", "a".repeat(600)), &[], &[(2, BadInclude)]);
        let (_, faults) = parse_boot("include:config <a.cfg>");
        assert_eq!(faults.first().map(|fault| fault.kind), Some(MissingHeader), "the deck's own has none");
        let (_, faults) = parse_boot("<html>include:config");
        assert_eq!(faults.first().map(|fault| fault.kind), Some(WebPage));
    }

    #[test]
    fn an_include_line_makes_a_boot_file_whatever_its_name() {
        assert!(is_boot("#!version:1.0.0.1\n[FIP14G]include:config <a.cfg>"));
        assert!(!is_boot("#!version:1.0.0.1\n# include:config <a.cfg>\naccount.1.enable = 1"));
        assert!(!is_boot("account.1.label = include:config"));
    }

    #[test]
    fn a_line_for_a_model_is_for_it_alone() {
        let text = "[T46S, fip14g]include:config <own.cfg>\ninclude:config <all.cfg>\n[T23G]include:config <other.cfg>";
        let files = |text: &str, model: &str| {
            let (boot, _) = parse_boot(text);
            let model = Model::named(model).expect("a model");
            boot.for_model(model).map(|include| include.target.clone()).collect::<Vec<_>>()
        };
        assert_eq!(files(text, "FIP14G"), ["own.cfg", "all.cfg"]);
        assert_eq!(files(text, "FIP10"), ["all.cfg"]);
        let exclusive = format!("{text}\nspecific_model.excluded_mode = 1");
        assert_eq!(files(&exclusive, "FIP14G"), ["own.cfg"]);
        assert_eq!(files(&exclusive, "FIP10"), ["all.cfg"]);
        assert!(parse_boot("overwrite_mode = 1").0.overwrite);
    }

    fn beside(of: &str, target: &str) -> Option<String> {
        Some(format!("{}/{target}", of.rsplit_once('/')?.0))
    }

    fn boot(targets: &[&str]) -> Boot {
        parse_boot(&targets.iter().map(|it| format!("include:config <{it}>\n")).collect::<String>()).0
    }

    #[test]
    fn files_come_in_the_order_of_their_lines() {
        let mut walk = Unfolding::new("tftp://s/a.boot");
        let mut order = Vec::new();
        while let Some(address) = walk.next_file() {
            let faults = match address.as_str() {
                "tftp://s/a.boot" => walk.enter(&boot(&["1.cfg", "b.boot", "3.cfg"]), Model::usual(), beside),
                "tftp://s/b.boot" => walk.enter(&boot(&["2.cfg", "1.cfg"]), Model::usual(), beside),
                _ => Vec::new(),
            };
            assert_eq!(faults, []);
            order.push(address.trim_start_matches("tftp://s/").to_owned());
        }
        assert_eq!(order, ["a.boot", "1.cfg", "b.boot", "2.cfg", "1.cfg", "3.cfg"]);
    }

    #[test]
    fn loops_depth_and_number_are_refused_with_their_line() {
        let mut walk = Unfolding::new("tftp://s/a.boot");
        walk.next_file();
        let faults = walk.enter(&boot(&["x.cfg", "a.boot"]), Model::usual(), beside);
        assert_eq!(faults.first().and_then(|fault| fault.line), Some(2));
        assert!(faults[0].message.contains("includes itself"), "{faults:?}");

        let (mut walk, mut deep, mut files) = (Unfolding::new("tftp://s/0.boot"), Vec::new(), 0);
        while walk.next_file().is_some() {
            files += 1;
            deep = walk.enter(&boot(&[&format!("{files}.boot")]), Model::usual(), beside);
        }
        assert_eq!((files, deep.len()), (MOST_DEPTH + 1, 1));

        let (mut walk, mut files) = (Unfolding::new("tftp://s/0.boot"), 0);
        while walk.next_file().is_some() {
            files += 1;
            let names: Vec<_> = (0..40).map(|at| format!("{files}-{at}.boot")).collect();
            walk.enter(&boot(&names.iter().map(String::as_str).collect::<Vec<_>>()), Model::usual(), beside);
        }
        assert_eq!(files, MOST_FILES);
    }

    proptest! {
        #[test]
        fn anything_is_read_without_harm(text in "\\PC*|([a-z<>\"\\[\\],:=#. \n]{0,200})|(include:config [<\"][a-z/.]{0,9}[>\"]\n){0,90}") {
            let (boot, faults) = parse_boot(&text);
            prop_assert!(boot.includes.len() <= MOST_FILES);
            prop_assert!(faults.len() <= text.lines().count() + 1);
            is_boot(&text);
        }
    }
}
