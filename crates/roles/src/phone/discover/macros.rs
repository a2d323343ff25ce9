//! Macros in addresses and names of files: `$(MA)` is the phone's MAC address.
//!
//! Both ways of writing are known, `$NAME` and `$(NAME)`; `$$` is a dollar sign, a name that is not known
//! stays as it is, and `$(NAME:P:Q)` takes the signs P to Q, counted from 0 and without Q.

use crate::phone::desk::Place;
use crate::settings::Model;

/// The hardware version that macros tell.
const HARDWARE: &str = "V1.0";

/// What the macros stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Macros(Vec<(&'static str, String)>);

/// Texts are no longer than this after all macros, in bytes.
const MOST_BYTES: usize = 2_048;

impl Macros {
    /// Those of a phone; `reason` is why it asks (`PRVST`).
    pub(super) fn of(model: &Model, place: &Place, reason: &'static str) -> Self {
        let mac = place.mac_text();
        let colons: Vec<&str> = (0..6).filter_map(|at| mac.get(at * 2..at * 2 + 2)).collect();
        let ip = place.ip().to_string();
        Self::default()
            .with("MA", mac.clone())
            .with("MAU", mac.to_ascii_uppercase())
            .with("MAC", colons.join(":"))
            .with("PN", model.name)
            .with("PSN", model.name.trim_start_matches(|c: char| !c.is_ascii_digit()))
            .with("SN", &*place.serial)
            .with("IP", ip.clone())
            .with("EXTIP", ip)
            .with("SWVER", &*place.version)
            .with("HWVER", HARDWARE)
            .with("PRVST", reason)
            .with("CCERT", "Not Installed")
    }

    /// A name and what stands in its place.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// The text with everything in its place.
    pub(super) fn expand(&self, text: &str) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            rest = match self.one(after) {
                Some((value, left)) => {
                    out.push_str(&value);
                    left
                }
                None => {
                    out.push('$');
                    after
                }
            };
            if out.len() > MOST_BYTES {
                break;
            }
        }
        out.push_str(rest);
        out
    }

    /// What the text behind a `$` stands for, and what is left behind it.
    fn one<'a>(&self, after: &'a str) -> Option<(String, &'a str)> {
        if let Some(left) = after.strip_prefix('$') {
            return Some(("$".to_owned(), left));
        }
        if let Some((inner, left)) = after.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            let mut parts = inner.split(':');
            let value = self.value(parts.next()?)?;
            let mut place = || parts.next().and_then(|part| part.trim().parse::<usize>().ok());
            let (from, to) = (place(), place());
            let count = to.unwrap_or(usize::MAX).saturating_sub(from.unwrap_or(0));
            let piece = value.chars().skip(from.unwrap_or(0)).take(count).collect();
            return Some((piece, left));
        }
        let end = after.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(after.len());
        // The longest known name: `$MAU` is not `$MA` and a U.
        (1..=end).rev().find_map(|end| Some((self.value(&after[..end])?.to_owned(), &after[end..])))
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_expanded_in_both_forms() {
        let macros =
            Macros::default().with("MA", "0021f222b021").with("MAU", "0021F222B021").with("PN", "FIP14G");
        for (text, expected) in [
            ("$(MA)", "0021f222b021"),
            ("tftp://h/$MA.cfg", "tftp://h/0021f222b021.cfg"),
            ("$MAU/$PN/", "0021F222B021/FIP14G/"),
            ("$(MA:6:12)", "22b021"),
            ("$(MA:8)", "b021"),
            ("$(MA:99:1)", ""),
            ("$$MA $(XY) $XY $", "$MA $(XY) $XY $"),
            ("$(MA", "$(MA"),
            ("plain", "plain"),
        ] {
            assert_eq!(macros.expand(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_that_grows_is_cut_short() {
        let macros = Macros::default().with("MA", "x".repeat(1_000));
        assert!(macros.expand(&"$(MA)".repeat(1_000)).len() < 10_000);
    }
}
