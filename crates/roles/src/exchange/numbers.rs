//! Numbers that mean one thing each: extensions, parking places, feature codes.

use std::collections::BTreeMap;

use super::{Codes, Extension, Parking};

/// Why extensions, parking places and feature codes cannot be used together.
///
/// # Errors
/// One number means two things; which, in words.
pub fn check_numbers(extensions: &[Extension], parking: Parking, codes: &Codes) -> Result<(), String> {
    let mut seen = BTreeMap::new();
    for extension in extensions {
        let number = &*extension.number;
        if parking.has(number) {
            return Err(format!(
                "{number} is an extension and a parking place: move the places by --parking FIRST-LAST"
            ));
        }
        if let Some(fault) = codes.hidden_by(number) {
            return Err(fault);
        }
        for (what, name) in [("extension", number), ("account", &*extension.username)] {
            if seen.insert((what, name), ()).is_some() {
                return Err(format!("the {what} {name} is there twice"));
            }
        }
    }
    let places = (parking.first..).take(usize::from(parking.count)).map(|place| place.to_string());
    match places.into_iter().find_map(|place| codes.hidden_by(&place)) {
        Some(fault) => Err(fault),
        None => codes.clash().map_or(Ok(()), Err),
    }
}

impl Parking {
    /// Whether a number is one of the places.
    pub(super) fn has(&self, number: &str) -> bool {
        let place = number.parse::<u32>().ok().filter(|place| place.to_string() == number);
        place.and_then(|place| place.checked_sub(self.first)).is_some_and(|at| at < self.count.into())
    }
}

impl Codes {
    /// Why a number cannot be one, in words: it is a code, or begins with one behind which a number is dialled.
    pub(super) fn hidden_by(&self, number: &str) -> Option<String> {
        let all = self.all().into_iter().filter(|(_, code)| !code.is_empty());
        let taken = |(name, code): &(&str, &str)| {
            let takes_number =
                !matches!(*name, "group_pickup" | "call_return" | "do_not_disturb" | "echo" | "test_tone");
            number == *code || takes_number && number.starts_with(code)
        };
        let (name, code) = all.into_iter().find(taken)?;
        Some(format!("{number} cannot be a number: {code} is the feature code of {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_means_one_thing() {
        let codes = Codes::default();
        let check = |numbers: &[&str]| {
            let extensions: Vec<Extension> =
                numbers.iter().map(|number| Extension::new(number, "offhook", "x")).collect();
            check_numbers(&extensions, Parking::default(), &codes)
        };
        assert_eq!(check(&["7001", "7002", "*4711", "810", "0800"]), Ok(()));
        for (numbers, why) in [
            (&["7001", "7002", "7001"][..], "7001 is there twice"),
            (&["800"], "parking place"),
            (&["809"], "parking place"),
            (&["*43"], "echo"),
            (&["*047001"], "pickup"),
        ] {
            assert!(check(numbers).is_err_and(|told| told.contains(why)), "{numbers:?}");
        }
        let mut twins = [Extension::new("7001", "offhook", "x"), Extension::new("7002", "offhook", "x")];
        twins[1].username = "7001".into();
        assert!(
            check_numbers(&twins, Parking::default(), &codes).is_err_and(|told| told.contains("account"))
        );
        let codes = Codes { echo: "*78".into(), ..Codes::default() };
        assert!(check_numbers(&[], Parking::default(), &codes).is_err());
        let codes = Codes { echo: "805".into(), ..Codes::default() };
        assert!(check_numbers(&[], Parking::default(), &codes).is_err());
    }
}
