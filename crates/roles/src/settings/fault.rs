//! What is wrong with a file, a name or a value.

use std::fmt;

use serde::Serialize;

use super::key::Key;
use super::model::Model;

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
    /// An `include:config` that cannot be followed.
    BadInclude,
    /// A comment behind a value.
    TrailingComment,
    /// Quotes around a value, or what may have been meant as a comment in a text.
    Literal,
    /// A line `[NAME]`.
    Section,
    /// A name of another generation of phones; its meaning is taken where it has one here.
    OtherGeneration,
    /// A web page in the place of a file.
    WebPage,
    /// A file without content.
    Empty,
    /// A file that is no text.
    Binary,
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

    /// An included file that cannot be read; why, in words.
    pub fn of_file(why: String) -> Self {
        Self::new(Severity::Error, FaultKind::BadInclude, why).with_hint("put it beside the boot file")
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
        let Model { name, accounts, line_keys, .. } = model;
        Self::new(
            Severity::Warning,
            FaultKind::BeyondModel,
            format!("{key}: the {name} has {line_keys} line keys and {accounts} accounts"),
        )
        .about(key.to_string())
    }
}
