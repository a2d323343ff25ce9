//! What people and their generators write in the place of a plain value, or of a file.

use super::fault::{Fault, FaultKind, Severity};
use super::kind::Kind;

/// The first line of every file of the vendor's.
pub(super) const HEADER: &str = "#!version:";

/// How a value stands in its line.
pub(super) enum Written {
    /// As it should.
    Plain(String),
    /// With something beside it; the value that is taken, and what is told.
    Odd {
        /// The value.
        text: String,
        severity: Severity,
        kind: FaultKind,
        message: &'static str,
    },
    /// As nothing that the parameter takes.
    Bad(String),
}

/// Reads a value. A comment or quotes are taken off where the kind leaves no doubt; in a text or a
/// password they may be meant, so they stay and are told.
pub(super) fn read(kind: Kind, value: &str) -> Written {
    let odd = |text, severity, fault, message| Written::Odd { text, severity, kind: fault, message };
    let is_free = matches!(kind, Kind::Text | Kind::Secret);
    let checked = kind.check(value);
    if is_free {
        return match checked {
            Ok(text) if unquoted(value).is_some() => {
                let message = "the quotes are part of the value; a phone takes none off";
                odd(text, Severity::Info, FaultKind::Literal, message)
            }
            Ok(text) if without_comment(value).is_some() => {
                let message = "what looks like a comment is part of the value; put it into a line of its own if it is none of it";
                odd(text, Severity::Info, FaultKind::Literal, message)
            }
            Ok(text) => Written::Plain(text),
            Err(why) => Written::Bad(why),
        };
    }
    let why = match checked {
        Ok(text) => return Written::Plain(text),
        Err(why) => why,
    };
    if let Some(Ok(text)) = without_comment(value).map(|value| kind.check(unquoted(value).unwrap_or(value))) {
        let message = "the comment behind the value is left out; put it into a line of its own";
        return odd(text, Severity::Warning, FaultKind::TrailingComment, message);
    }
    if let Some(Ok(text)) = unquoted(value).map(|value| kind.check(value)) {
        let message = "the quotes around the value are left out; write it without";
        return odd(text, Severity::Warning, FaultKind::Literal, message);
    }
    Written::Bad(why)
}

/// The value before a blank and a sign that begins a comment somewhere: `#`, `;`, `//`.
fn without_comment(value: &str) -> Option<&str> {
    let blanks = value.char_indices().filter(|(_, sign)| sign.is_whitespace());
    let begins = |rest: &str| rest.starts_with(['#', ';']) || rest.starts_with("//");
    let mut ends = blanks.filter(|(at, sign)| value.get(at + sign.len_utf8()..).is_some_and(begins));
    let (end, _) = ends.next()?;
    value.get(..end).map(str::trim_end).filter(|value| !value.is_empty())
}

fn unquoted(value: &str) -> Option<&str> {
    let within = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\''))
}

/// The one fault of what came in the place of a configuration file.
pub(super) fn no_file(text: &str) -> Option<Fault> {
    let begin: String = text.trim_start().chars().take(200).collect::<String>().to_ascii_lowercase();
    let fault =
        |kind, message: &str, hint: &str| Some(Fault::new(Severity::Error, kind, message).with_hint(hint));
    if begin.is_empty() {
        return fault(FaultKind::Empty, "the file is empty", "does the server know this phone?");
    }
    if ["<!doctype", "<html", "<?xml", "<head", "<body"].iter().any(|page| begin.starts_with(page)) {
        let message = "this is a page, not a configuration";
        return fault(
            FaultKind::WebPage,
            message,
            "the server answers with a login or an error in place of the file",
        );
    }
    if is_binary(text) {
        let message = "this is no text: packed, encrypted, or in UTF-16";
        return fault(FaultKind::Binary, message, "save it as plain text in UTF-8");
    }
    None
}

/// Zeros, or many bytes that no text has, near its beginning; the version line says that a file is a text,
/// whatever its letters are written in.
fn is_binary(text: &str) -> bool {
    let (mut all, mut odd) = (0, 0);
    for sign in text.chars().take(2_000) {
        if sign == '\0' {
            return true;
        }
        all += 1;
        let is_odd = sign == '\u{fffd}' || sign.is_control() && !sign.is_whitespace();
        odd += usize::from(is_odd);
    }
    odd * 5 > all && !text.starts_with(HEADER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_line_says_that_a_file_is_a_text() {
        let value = "\u{fffd}".repeat(100);
        let fault = |text: &str| no_file(text).map(|fault| fault.kind);
        assert_eq!(fault(&format!("#!version:1.0.0.1\naccount.1.label = {value}\n")), None);
        assert!(fault(&format!("account.1.label = {value}\n")).is_some());
        assert!(fault("#!version:1.0.0.1\n\0").is_some());
    }

    #[test]
    fn a_comment_begins_behind_a_blank() {
        assert_eq!(without_comment("0   ## 0=UDP"), Some("0"));
        assert_eq!(without_comment("1\t; forces"), Some("1"));
        assert_eq!(without_comment("a // b"), Some("a"));
        assert_eq!(without_comment("http://x/#a;b"), None);
        assert_eq!(without_comment("# only"), None);
    }

    #[test]
    fn a_text_with_few_foreign_bytes_is_still_a_text() {
        assert!(no_file("#!version:1.0.0.1\naccount.1.label = M\u{fffd}ller\n").is_none());
        assert!(no_file("\u{fffd}\u{fffd}#\0!\0v\0").is_some_and(|fault| fault.kind == FaultKind::Binary));
        assert!(no_file("\u{1f}\u{8b}\u{8}\u{fffd}\u{fffd}\u{2}").is_some());
    }
}
