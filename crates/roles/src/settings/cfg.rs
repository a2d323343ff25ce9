//! Configuration files: `name = value` lines in, assignments and faults with their lines out.
//!
//! The form is that of the vendor's templates: `#!version:1.0.0.1` in line 1, `#` begins a comment,
//! values are not quoted and may contain blanks and further `=` signs. What people and their generators
//! write beside it is taken where it leaves no doubt, and told.

use std::collections::BTreeMap;
use std::fmt;

use super::fault::{Fault, FaultKind, Severity};
use super::generations::{self, CodecSlots, Elsewhere};
use super::key::Key;
use super::name::fault_of_key;
use super::secret::HIDDEN;
use super::source::Source;
use super::written::{self, HEADER, Written};

/// Lines of a file that are read; the vendor's full template has fewer than 3,000.
pub(super) const MOST_LINES: usize = 20_000;
/// Faults that one file may have before the rest goes unsaid.
pub(super) const MOST_FAULTS: usize = 500;
/// Unknown names of one file for which the nearest known one is looked up.
const MOST_HINTS: usize = 50;

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
    if let Some(fault) = written::no_file(text) {
        return (Vec::new(), vec![fault]);
    }
    reader.check_header(text);
    let mut lines = text.split('\n');
    for (at, line) in lines.by_ref().take(MOST_LINES).enumerate() {
        reader.line = u32::try_from(at).map_or(u32::MAX, |at| at.saturating_add(1));
        reader.read(line.trim_end_matches('\r').trim());
    }
    if lines.next().is_some() {
        reader.too_much(format!("only the first {MOST_LINES} lines are read"));
    }
    reader.take_codec_slots();
    (reader.assignments, reader.faults)
}

struct Reader {
    source: Source,
    line: u32,
    hints: usize,
    assignments: Vec<Assignment>,
    faults: Vec<Fault>,
    lines_of_keys: BTreeMap<Key, u32>,
    codec_slots: CodecSlots,
}

impl Reader {
    fn new(source: Source) -> Self {
        let (assignments, faults, lines_of_keys, codec_slots) = Default::default();
        Self { source, line: 0, hints: 0, assignments, faults, lines_of_keys, codec_slots }
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
        if line.contains("include:config") {
            return self.boot_line();
        }
        match line.split_once('=') {
            Some((name, value)) => self.assign(name.trim(), value.trim()),
            None if line.starts_with('[') && line.ends_with(']') => self.section(),
            None => self.missing_equals(),
        }
    }

    fn assign(&mut self, name: &str, value: &str) {
        if name == "overwrite_mode" || name == "specific_model.excluded_mode" {
            return self.boot_line();
        }
        match Key::parse(name) {
            Ok(key) => self.assign_key(key, value),
            Err(bad) => match generations::elsewhere(name) {
                Some(Elsewhere::Key(key)) => {
                    let message = format!("{name} is the name of another generation; here it is {key}");
                    self.other_generation(Severity::Info, message, name);
                    self.assign_key(key, value);
                }
                Some(Elsewhere::CodecSlot { account, slot, field }) => {
                    self.codec_slots.take(account, slot, field, value, self.line);
                }
                Some(Elsewhere::Nowhere(why)) => {
                    self.other_generation(Severity::Warning, why.to_owned(), name);
                }
                None => self.unknown(name, &bad),
            },
        }
    }

    fn assign_key(&mut self, key: Key, value: &str) {
        let given = match value {
            "" => Given::Blank,
            _ if is_null(value) => Given::Null,
            _ => match written::read(key.row().kind, value) {
                Written::Plain(text) => Given::Text(text.into()),
                Written::Odd { text, severity, kind, message } => {
                    self.say(Fault::new(severity, kind, message).about(key.to_string()));
                    Given::Text(text.into())
                }
                Written::Bad(why) => return self.say(Fault::bad_value(key, &why)),
            },
        };
        self.give(key, given);
    }

    fn give(&mut self, key: Key, given: Given) {
        self.note_duplicate(key);
        self.assignments.push(Assignment { key, given, source: self.source, line: self.line });
    }

    /// Codecs that were named by slots: what each slot says, once all lines are read.
    fn take_codec_slots(&mut self) {
        for slot in std::mem::take(&mut self.codec_slots).finish() {
            self.line = slot.line;
            match slot.codec() {
                Ok(assignments) => {
                    let message = "codecs by slots are of another generation; they are taken by their names";
                    self.other_generation(Severity::Info, message.to_owned(), &slot.name());
                    for (key, value) in assignments {
                        self.assign_key(key, &value);
                    }
                }
                Err(why) => self.other_generation(Severity::Warning, why, &slot.name()),
            }
        }
    }

    fn other_generation(&mut self, severity: Severity, message: String, name: &str) {
        let name: String = name.chars().filter(|letter| !letter.is_control()).take(100).collect();
        self.say(Fault::new(severity, FaultKind::OtherGeneration, message).about(name));
    }

    fn section(&mut self) {
        let message = "a section line says nothing to a phone and is passed over";
        self.say(Fault::new(Severity::Info, FaultKind::Section, message));
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
    fn files_are_read_as_people_write_them() {
        use FaultKind::*;
        let transport = "line 2: account.1.sip_server.1.transport_type = \"0\"";
        let named = "account.1.sip_server.1.transport_type = 0   ## 0=UDP";
        check(named, &[transport], &[(2, TrailingComment)]);
        let encrypted = "account.1.srtp_encryption = 1   ; forces";
        check(encrypted, &["line 2: account.1.srtp_encryption = \"1\""], &[(2, TrailingComment)]);
        let label = "line 2: account.1.label = \"Room # 3\"";
        check("account.1.label = Room # 3", &[label], &[(2, Literal)]);
        check("account.1.label = Room #3", &["line 2: account.1.label = \"Room #3\""], &[(2, Literal)]);
        check("account.1.label = C#1", &["line 2: account.1.label = \"C#1\""], &[]);
        check("account.1.ptime = \"30\"", &["line 2: account.1.ptime = \"30\""], &[(2, Literal)]);
        let quoted = "line 2: account.1.label = \"\\\"Jack\\\"\"";
        check("account.1.label = \"Jack\"", &[quoted], &[(2, Literal)]);
        check("account.1.label = \u{524d}\u{53f0}", &["line 2: account.1.label = \"\u{524d}\u{53f0}\""], &[]);
        check("[CERTIFICATE]\naccount.1.enable=1", &["line 3: account.1.enable = \"1\""], &[(2, Section)]);
        check("security.user_password = admin:x y", &["line 2: security.user_password = (hidden)"], &[]);
    }

    #[test]
    fn names_of_other_generations_are_taken_or_named() {
        use FaultKind::OtherGeneration;
        let host = "line 2: account.1.sip_server.1.address = \"pbx\"";
        check("account.1.sip_server_host = pbx", &[host], &[(2, OtherGeneration)]);
        let key = "line 2: programablekey.2.type = \"5\"";
        check("programmablekey.2.type = 5", &[key], &[(2, OtherGeneration)]);
        for name in ["memorykey.1.type", "expansion_module.1.key.3.type", "security.user_name.user"] {
            check(&format!("{name} = 1"), &[], &[(2, OtherGeneration)]);
        }
        let slots = "account.1.codec.1.enable = 1\naccount.1.codec.1.payload_type = G722\naccount.1.codec.1.priority = 1";
        let taken =
            ["line 2: account.1.codec.g722.enable = \"1\"", "line 2: account.1.codec.g722.priority = \"1\""];
        check(slots, &taken, &[(2, OtherGeneration)]);
        check("account.1.codec.1.payload_type = SPEEX", &[], &[(2, OtherGeneration)]);
    }

    #[test]
    fn what_is_no_file_is_one_fault() {
        use FaultKind::*;
        let page = "<!DOCTYPE html>\n<html><body>Login\n</body></html>";
        let all = [(page, WebPage), ("", Empty), (" \r\n", Empty), ("PK\u{3}\u{4}\0\0\0", Binary)];
        for (text, kind) in all {
            let (assignments, faults) = parse_cfg(text, Source::MacCfg);
            let kinds: Vec<FaultKind> = faults.iter().map(|fault| fault.kind).collect();
            assert_eq!((assignments.len(), kinds), (0, vec![kind]), "{text:?}");
            assert_eq!(faults[0].severity, Severity::Error);
        }
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
            prop_assert!(faults.iter().all(|fault| fault.line.is_none_or(|line| line as usize <= lines)));
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
