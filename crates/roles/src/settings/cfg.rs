//! Configuration files: `name = value` lines in, assignments and faults with their lines out.
//!
//! The form is that of the vendor's templates: `#!version:1.0.0.1` in line 1, `#` begins a comment,
//! values are not quoted and may contain blanks and further `=` signs.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::explain::fault_of_key;
use super::key::Key;
use super::model::Model;
use super::secret::HIDDEN;
use super::store::Source;

/// Lines of a file that are read; the vendor's full template has fewer than 3,000.
pub(super) const MOST_LINES: usize = 20_000;
/// Faults that one file may have before the rest goes unsaid.
pub(super) const MOST_FAULTS: usize = 500;
/// Unknown names of one file for which the nearest known one is looked up.
const MOST_HINTS: usize = 50;
/// The first line of every file of the vendor's.
pub(super) const HEADER: &str = "#!version:";

/// One line of a file that says something about a parameter.
#[derive(Clone, Eq, PartialEq)]
pub struct Assignment {
    /// The parameter.
    pub key: Key,
    /// What it is given.
    pub given: Given,
    /// The file.
    pub source: Source,
    /// The line, from 1.
    pub line: u32,
}

/// What stands after the `=`. It has no `Debug`, for it may be a secret.
#[derive(Clone, Eq, PartialEq)]
pub enum Given {
    /// A value, checked and in its one spelling.
    Text(Box<str>),
    /// Nothing: the parameter stays as it is.
    Blank,
    /// `%NULL%` or `%EMPTY%`: explicitly empty.
    Null,
}

/// How bad a fault is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The line does what it says; something about it is odd.
    Info,
    /// The line is probably not what its writer meant.
    Warning,
    /// The line is not taken.
    Error,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// No parameter has this name.
    UnknownKey,
    /// The parameter has no such index.
    BadIndex,
    /// The model has fewer accounts or keys.
    BeyondModel,
    /// The parameter does not accept this value.
    BadValue,
    /// A parameter stands in two lines; the later one counts.
    Duplicate,
    /// A line without `=`.
    MissingEquals,
    /// The first line is not `#!version:…`.
    MissingHeader,
    /// The file begins with a byte order mark.
    ByteOrderMark,
    /// Typographic quotation marks or blanks, as word processors put them.
    SmartQuotes,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// A line of a boot file.
    BootLine,
    /// The file is too long or too faulty to be read to its end.
    TooMuch,
}

/// One thing that is wrong with a file, a name or a value. It never holds the value.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Fault {
    /// The line, from 1; none where it was not a file.
    pub line: Option<u32>,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub kind: FaultKind,
    /// The parameter, as it was written; none where it is not about one.
    pub key: Option<String>,
    /// The known name that is nearest to an unknown one.
    pub nearest: Option<String>,
    /// For people: what is wrong.
    pub message: String,
    /// For people: what to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

impl std::error::Error for Fault {}

impl Fault {
    pub(super) fn new(severity: Severity, kind: FaultKind, message: impl Into<String>) -> Self {
        let (line, key, nearest, hint) = Default::default();
        Self { line, severity, kind, key, nearest, message: message.into(), hint }
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn at_line(mut self, line: u32) -> Self {
        self.line = (line > 0).then_some(line);
        self
    }

    pub(super) fn about(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    pub(super) fn bad_value(key: Key, why: &str) -> Self {
        Self::new(Severity::Error, FaultKind::BadValue, format!("{key}: {why}")).about(key.to_string())
    }

    pub(super) fn beyond_model(key: Key, model: &Model) -> Self {
        let Model { name, accounts, line_keys } = model;
        Self::new(
            Severity::Warning,
            FaultKind::BeyondModel,
            format!("{key}: the {name} has {line_keys} line keys and {accounts} accounts"),
        )
        .about(key.to_string())
    }
}

impl fmt::Debug for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {} = ", self.line, self.key)?;
        match &self.given {
            Given::Text(_) if self.key.row().is_secret() => f.write_str(HIDDEN),
            Given::Text(text) => write!(f, "{text:?}"),
            Given::Blank => f.write_str("blank"),
            Given::Null => f.write_str("null"),
        }
    }
}

/// Reads a configuration file.
///
/// Every line that can be taken is; the faults name the others. The order is that of the file, and a
/// later line for the same parameter counts.
pub fn parse_cfg(text: &str, source: Source) -> (Vec<Assignment>, Vec<Fault>) {
    let mut reader = Reader::new(source);
    let text = reader.without_mark(text);
    reader.check_header(text);
    let mut lines = text.split('\n');
    for (at, line) in lines.by_ref().take(MOST_LINES).enumerate() {
        reader.line = u32::try_from(at).map_or(u32::MAX, |at| at.saturating_add(1));
        reader.read(line.trim_end_matches('\r').trim());
    }
    if lines.next().is_some() {
        reader.too_much(format!("only the first {MOST_LINES} lines are read"));
    }
    (reader.assignments, reader.faults)
}

struct Reader {
    source: Source,
    line: u32,
    hints: usize,
    assignments: Vec<Assignment>,
    faults: Vec<Fault>,
    lines_of_keys: BTreeMap<Key, u32>,
}

impl Reader {
    fn new(source: Source) -> Self {
        let (assignments, faults, lines_of_keys) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { source, line: 0, hints: 0, assignments, faults, lines_of_keys }
    }

    fn without_mark<'a>(&mut self, text: &'a str) -> &'a str {
        let Some(rest) = text.strip_prefix('\u{feff}') else { return text };
        self.line = 1;
        let message = "the file begins with a byte order mark, which a phone may read as part of line 1";
        self.warn(FaultKind::ByteOrderMark, message, "save it as UTF-8 without BOM");
        rest
    }

    fn check_header(&mut self, text: &str) {
        if text.starts_with(HEADER) {
            return;
        }
        self.line = 1;
        let message = "the first line is not the version line that phones expect";
        self.warn(FaultKind::MissingHeader, message, "put #!version:1.0.0.1 into line 1");
    }

    fn read(&mut self, line: &str) {
        if line.is_empty() || line.starts_with('#') {
            return;
        }
        self.check_signs(line);
        match line.split_once('=') {
            Some((name, value)) => self.assign(name.trim(), value.trim()),
            None if line.contains("include:config") => self.boot_line(),
            None => self.missing_equals(),
        }
    }

    fn assign(&mut self, name: &str, value: &str) {
        if name == "overwrite_mode" || name == "specific_model.excluded_mode" {
            return self.boot_line();
        }
        let key = match Key::parse(name) {
            Ok(key) => key,
            Err(bad) => return self.unknown(name, &bad),
        };
        let given = match value {
            "" => Given::Blank,
            _ if is_null(value) => Given::Null,
            _ => match key.row().kind.check(value) {
                Ok(text) => Given::Text(text.into()),
                Err(why) => return self.say(Fault::bad_value(key, &why)),
            },
        };
        self.note_duplicate(key);
        self.assignments.push(Assignment { key, given, source: self.source, line: self.line });
    }

    fn note_duplicate(&mut self, key: Key) {
        if let Some(before) = self.lines_of_keys.insert(key, self.line) {
            let message = format!("{key} stands in line {before} too, and this line counts");
            let fault = Fault::new(Severity::Warning, FaultKind::Duplicate, message);
            self.say(fault.with_hint("remove one of the two").about(key.to_string()));
        }
    }

    fn unknown(&mut self, name: &str, bad: &super::key::BadKey) {
        self.hints += 1;
        let fault = if self.hints <= MOST_HINTS {
            fault_of_key(name, bad)
        } else {
            Fault::new(Severity::Warning, FaultKind::UnknownKey, "no parameter has this name")
        };
        self.say(fault);
    }

    fn check_signs(&mut self, line: &str) {
        if line.contains(['\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}', '\u{a0}', '\u{200b}']) {
            let message = "the line has typographic quotation marks or blanks, which a phone takes literally";
            self.warn(FaultKind::SmartQuotes, message, "type them anew in a plain text editor");
        }
        if line.contains('\u{fffd}') {
            let message = "the line has bytes that are not UTF-8";
            self.warn(FaultKind::NotUtf8, message, "save the file as UTF-8");
        }
    }

    fn boot_line(&mut self) {
        let message = "this line belongs into a boot file and is ignored here";
        self.warn(FaultKind::BootLine, message, "move it to y000000000000.boot or <mac>.boot");
    }

    fn missing_equals(&mut self) {
        let fault = Fault::new(Severity::Error, FaultKind::MissingEquals, "the line has no = sign");
        self.say(fault.with_hint("write name = value, or # before a comment"));
    }

    fn warn(&mut self, kind: FaultKind, message: &str, hint: &str) {
        self.say(Fault::new(Severity::Warning, kind, message).with_hint(hint));
    }

    fn too_much(&mut self, message: String) {
        let fault = Fault::new(Severity::Error, FaultKind::TooMuch, message);
        self.faults.push(fault.at_line(self.line).with_hint("is this a configuration file?"));
    }

    fn say(&mut self, fault: Fault) {
        match self.faults.len() {
            count if count < MOST_FAULTS => self.faults.push(fault.at_line(self.line)),
            MOST_FAULTS => self.too_much(format!("only the first {MOST_FAULTS} faults are told")),
            _ => {}
        }
    }
}

/// Whether a value says that it is explicitly empty.
pub(super) fn is_null(value: &str) -> bool {
    matches!(value, "%NULL%" | "%EMPTY%")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, assigned: &[&str], faults: &[(u32, FaultKind)]) {
        let (found, told) = parse_cfg(&format!("#!version:1.0.0.1\n{text}"), Source::MacCfg);
        let found: Vec<String> = found.iter().map(|one| format!("{one:?}")).collect();
        assert_eq!(found, assigned);
        let told: Vec<_> = told.iter().map(|fault| (fault.line.unwrap_or(0), fault.kind)).collect();
        assert_eq!(told, faults);
    }

    #[test]
    fn lines_are_read_as_the_templates_write_them() {
        check("account.1.enable=1\r\n", &["line 2: account.1.enable = \"1\""], &[]);
        check(
            "# comment\n\n  static.network.qos.audiotos = 46 \naccount.1.dnd.enable=\n",
            &["line 4: network.qos.audiotos = \"46\"", "line 5: account.1.dnd.enable = blank"],
            &[],
        );
        check("account.1.label = a = b", &["line 2: account.1.label = \"a = b\""], &[]);
        check("account.1.label = %NULL%", &["line 2: account.1.label = null"], &[]);
        check("account.1.password = secret", &["line 2: account.1.password = (hidden)"], &[]);
    }

    #[test]
    fn faults_name_their_line() {
        use FaultKind::*;
        check("account.1.enabel = 1", &[], &[(2, UnknownKey)]);
        check("\naccount.1.ptime = 25", &[], &[(3, BadValue)]);
        check("account.99.enable = 1", &[], &[(2, BadIndex)]);
        check("account.X.enable = 1", &[], &[(2, BadIndex)]);
        check("account.1.enable 1", &[], &[(2, MissingEquals)]);
        check("include:config \"a.cfg\"", &[], &[(2, BootLine)]);
        check("overwrite_mode = 1", &[], &[(2, BootLine)]);
        let label = "line 2: account.1.label = \"\u{201c}A\u{201d}\"";
        check("account.1.label = \u{201c}A\u{201d}", &[label], &[(2, SmartQuotes)]);
        check(
            "account.1.label=A\naccount.1.label=B",
            &["line 2: account.1.label = \"A\"", "line 3: account.1.label = \"B\""],
            &[(3, Duplicate)],
        );
    }

    #[test]
    fn mark_and_header_are_told() {
        let (assignments, faults) = parse_cfg("\u{feff}account.1.enable=1", Source::MacCfg);
        assert_eq!(assignments.len(), 1);
        let kinds: Vec<FaultKind> = faults.iter().map(|fault| fault.kind).collect();
        assert_eq!(kinds, [FaultKind::ByteOrderMark, FaultKind::MissingHeader]);
    }

    #[test]
    fn the_nearest_name_is_given_with_its_index() {
        let (_, faults) = parse_cfg("#!version:1.0.0.1\nacount.2.pasword = x", Source::MacCfg);
        assert_eq!(
            faults[0].to_string(),
            "line 2: no parameter is called acount.2.pasword; did you mean account.2.password?"
        );
    }

    #[test]
    fn lines_and_faults_are_bounded() {
        let (_, faults) = parse_cfg(&"nonsense\n".repeat(MOST_LINES + 10), Source::MacCfg);
        assert_eq!(faults.len(), MOST_FAULTS + 2);
        assert_eq!(faults.last().map(|fault| fault.kind), Some(FaultKind::TooMuch));
    }

    #[test]
    fn no_fault_repeats_a_value() {
        let text =
            "acount.1.password=swordfish\naccount.1.ptime=swordfish\nswordfish\naccount.1.password=swordfish";
        let (assignments, faults) = parse_cfg(text, Source::MacCfg);
        assert!(!format!("{assignments:?} {faults:?}").contains("swordfish"));
    }

    proptest! {
        #[test]
        fn anything_is_read_without_harm(text in "\\PC*|([a-zX0-9.=_ #\r\n\u{201c}%-]{0,200})") {
            let lines = text.split('\n').count();
            let (assignments, faults) = parse_cfg(&text, Source::CommonCfg);
            prop_assert!(assignments.len() <= lines);
            prop_assert!(faults.iter().all(|fault| fault.line.is_some_and(|line| line as usize <= lines)));
        }

        #[test]
        fn each_written_parameter_comes_back(
            row in 0..super::super::TABLE.len(), first in 1..=2_u8, second in 1..=2_u8, value in "[0-9]{1,4}"
        ) {
            let row = &super::super::TABLE[row];
            let name = row.key.replace(".X", &format!(".{first}")).replace(".N", &format!(".{second}"));
            let (assignments, _) = parse_cfg(&format!("static.{name} = {value}\r\n"), Source::MacCfg);
            if row.kind.check(&value).is_ok() {
                prop_assert_eq!(assignments.len(), 1);
                prop_assert_eq!(assignments[0].key.to_string(), name);
            } else {
                prop_assert!(assignments.is_empty());
            }
        }
    }
}
