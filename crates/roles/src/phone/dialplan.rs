//! Dial rules: numbers that are rewritten, completed, dialled without waiting, or not dialled at all.
//!
//! A pattern is made of digits, `x` (any digit), `.` (any digits, at least one), `[1-3,5]` (one of) and
//! `(…)` (a group, `$1` in the replacement).

use super::{Phone, Refused};
use crate::settings::DialRule;

/// The longest number that is dialled, in characters.
const MAX_NUMBER_CHARS: usize = 128;
/// The longest pattern that is tried, in characters.
const MAX_PATTERN_CHARS: usize = 64;

/// One step of a pattern.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Step {
    One(char),
    Digit,
    Digits,
    OneOf(Vec<(char, char)>),
    Open,
    Close,
}

impl Phone {
    /// A number as typed made into the one to call, by the filter and the rules of the dial plan.
    ///
    /// # Errors
    /// Where nothing is left of it, or the rules forbid it.
    pub(super) fn dialled(&self, typed: &str, account: Option<u8>) -> Result<String, Refused> {
        let rules = &self.general.dialling;
        if typed.chars().count() > MAX_NUMBER_CHARS {
            return Err(Refused::new(
                format!("a number of more than {MAX_NUMBER_CHARS} signs"),
                &["dial NUMBER"],
            ));
        }
        if typed.contains(':') || typed.contains('@') {
            return Ok(typed.to_owned());
        }
        let kept = typed.chars().filter(|c| !rules.filtered.contains(*c) && !c.is_whitespace());
        let number: String = kept.collect();
        if number.is_empty() {
            return Err(Refused::new("there is no digit in the number", &["dial NUMBER"]));
        }
        let account = account.unwrap_or_else(|| self.default_account());
        let plan = &self.general.dial_plan;
        if plan
            .block_out
            .iter()
            .any(|rule| applies(rule, account) && matches(&rule.pattern, &number).is_some())
        {
            return Err(Refused::new(
                format!("{number} may not be dialled from this phone"),
                &["dial NUMBER"],
            ));
        }
        let mut number =
            plan.replace.iter().find_map(|rule| rewrite(rule, account, &number)).unwrap_or(number);
        let area = &plan.area_code;
        let length = number.chars().count();
        let in_reach = usize::from(area.min_digits)..=usize::from(area.max_digits);
        let ours = area.accounts.is_empty() || area.accounts.contains(&account);
        if !area.code.is_empty()
            && ours
            && in_reach.contains(&length)
            && number.bytes().all(|b| b.is_ascii_digit())
        {
            number.insert_str(0, &area.code);
        }
        if self.general.sip.plus_for_00 && number.starts_with("00") {
            number.replace_range(..2, "+");
        }
        Ok(number)
    }

    /// Whether a number that is being typed is complete by a rule, so that nobody has to wait.
    pub fn is_complete(&self, typed: &str) -> bool {
        let account = self.default_account();
        let rules = &self.general.dial_plan.dial_now;
        rules.iter().any(|rule| applies(rule, account) && matches(&rule.pattern, typed).is_some())
    }
}

fn applies(rule: &DialRule, account: u8) -> bool {
    rule.accounts.is_empty() || rule.accounts.contains(&account)
}

fn rewrite(rule: &DialRule, account: u8, number: &str) -> Option<String> {
    let groups = matches(&rule.pattern, number).filter(|_| applies(rule, account))?;
    let mut text = String::new();
    let mut signs = rule.replacement.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '$' => {
                let digit = signs.next().and_then(|c| c.to_digit(10)).unwrap_or_default() as usize;
                text.push_str(digit.checked_sub(1).and_then(|at| groups.get(at)).map_or("", String::as_str));
            }
            _ => text.push(sign),
        }
    }
    (!text.is_empty()).then_some(text)
}

/// The groups of a number that matches; `None` where it does not.
fn matches(pattern: &str, number: &str) -> Option<Vec<String>> {
    if pattern.is_empty() || pattern.chars().count() > MAX_PATTERN_CHARS {
        return None;
    }
    let steps = steps(pattern)?;
    let signs: Vec<char> = number.chars().take(MAX_NUMBER_CHARS).collect();
    let lengths = fit(&steps, &signs)?;
    Some(groups(&steps, &signs, &lengths))
}

fn steps(pattern: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut signs = pattern.chars();
    while let Some(sign) = signs.next() {
        steps.push(match sign {
            'x' | 'X' => Step::Digit,
            '.' => Step::Digits,
            '(' => Step::Open,
            ')' => Step::Close,
            '[' => {
                let inner: String = signs.by_ref().take_while(|c| *c != ']').collect();
                Step::OneOf(ranges(&inner)?)
            }
            other => Step::One(other),
        });
    }
    Some(steps)
}

fn ranges(inner: &str) -> Option<Vec<(char, char)>> {
    let range = |part: &str| {
        let mut signs = part.trim().chars();
        match (signs.next(), signs.next(), signs.next(), signs.next()) {
            (Some(one), None, None, None) => Some((one, one)),
            (Some(first), Some('-'), Some(last), None) => Some((first, last)),
            _ => None,
        }
    };
    inner.split(',').map(range).collect()
}

/// How many signs each step takes, `.` as many as it can. Fills a table of what fits from each place
/// on, so that the work is bounded by pattern times number.
fn fit(steps: &[Step], signs: &[char]) -> Option<Vec<usize>> {
    let width = signs.len() + 1;
    let mut fits = vec![false; (steps.len() + 1) * width];
    fits[steps.len() * width + signs.len()] = true;
    for step_at in (0..steps.len()).rev() {
        for at in (0..width).rev() {
            fits[step_at * width + at] =
                takes(&steps[step_at], signs, at).any(|taken| fits[(step_at + 1) * width + at + taken]);
        }
    }
    let mut at = 0;
    let mut lengths = Vec::new();
    for (step_at, step) in steps.iter().enumerate() {
        let taken = takes(step, signs, at).filter(|taken| fits[(step_at + 1) * width + at + taken]).max()?;
        lengths.push(taken);
        at += taken;
    }
    (at == signs.len()).then_some(lengths)
}

/// The numbers of signs that a step may take at a place.
fn takes<'a>(step: &Step, signs: &'a [char], at: usize) -> Box<dyn Iterator<Item = usize> + 'a> {
    let here = signs.get(at).copied();
    let one =
        |fits: bool| -> Box<dyn Iterator<Item = usize> + 'a> { Box::new(fits.then_some(1).into_iter()) };
    match step {
        Step::Open | Step::Close => Box::new(std::iter::once(0)),
        Step::One(sign) => one(here == Some(*sign)),
        Step::Digit => one(here.is_some_and(|c| c.is_ascii_digit())),
        Step::OneOf(ranges) => {
            one(here.is_some_and(|c| ranges.iter().any(|(first, last)| (*first..=*last).contains(&c))))
        }
        Step::Digits => {
            let rest = signs.get(at..).unwrap_or_default();
            let digits = rest.iter().take_while(|c| c.is_ascii_digit() || "*#+".contains(**c)).count();
            Box::new(1..=digits)
        }
    }
}

fn groups(steps: &[Step], signs: &[char], lengths: &[usize]) -> Vec<String> {
    let (mut groups, mut at, mut open) = (Vec::new(), 0, None);
    for (step, taken) in steps.iter().zip(lengths) {
        match step {
            Step::Open => open = Some(at),
            Step::Close => {
                let text = open.take().and_then(|from: usize| signs.get(from..at));
                groups.extend(text.map(|text| text.iter().collect::<String>()));
            }
            _ => {}
        }
        at += taken;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, replacement: &str, number: &str, dialled: Option<&str>) {
        let rule =
            DialRule { pattern: pattern.into(), replacement: replacement.into(), accounts: Vec::new() };
        assert_eq!(rewrite(&rule, 1, number).as_deref(), dialled, "{pattern} {number}");
    }

    #[test]
    fn numbers_are_rewritten() {
        check("0(.)", "+49$1", "0301234", Some("+49301234"));
        check("9xxx", "100", "9123", Some("100"));
        check("9xxx", "100", "91234", None);
        check("([1-3,7])x(.)", "$2-$1", "2555", Some("55-2"));
        check("(xx)(xx)", "$2$1", "1234", Some("3412"));
        check(".", "", "1", None);
        check("[1-", "9", "1", None);
        check("0.", "$9x", "01", Some("x"));
    }

    #[test]
    fn a_rule_may_be_for_one_account() {
        let rule = DialRule { pattern: "9".into(), replacement: "0".into(), accounts: vec![2] };
        assert_eq!((rewrite(&rule, 1, "9"), rewrite(&rule, 2, "9").as_deref()), (None, Some("0")));
    }

    proptest::proptest! {
        #[test]
        fn any_pattern_and_number_come_to_an_end(pattern in "[x.()\\[\\]0-9,-]{0,70}", number in "[0-9*#]{0,140}") {
            let _ = matches(&pattern, &number);
        }
    }
}
