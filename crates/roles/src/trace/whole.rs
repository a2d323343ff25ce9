//! A whole ladder held against the one that a case has written down: no message too few, none too many.

/// The first line in which a ladder, times apart, is not the one that is written; `None` where it is.
pub fn first_difference(written: &str, seen: &str) -> Option<String> {
    let (mut written, mut seen) = (written.lines().map(untimed), seen.lines().map(untimed));
    for number in 1.. {
        match (written.next(), seen.next()) {
            (None, None) => break,
            (wanted, came) if wanted == came => {}
            (wanted, came) => {
                let [wanted, came] = [wanted, came].map(|line| line.unwrap_or("the end"));
                return Some(format!("message {number} of the ladder is `{came}` instead of `{wanted}`"));
            }
        }
    }
    None
}

/// A line of a ladder without its time.
fn untimed(line: &str) -> &str {
    line.trim_start().split_once("  ").map_or(line, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "0.000  a → b  INVITE\n0.001  b → a  180\n 9.000  b → a  180\n";

    #[track_caller]
    fn check(seen: &str, expected: Option<&str>) {
        assert_eq!(first_difference(WRITTEN, seen).as_deref(), expected);
    }

    #[test]
    fn times_do_not_matter_and_every_message_and_its_place_do() {
        check("0.700  a → b  INVITE\n10.701  b → a  180\n10.702  b → a  180\n", None);
        check(
            "0.000  a → b  INVITE\n0.001  b → a  180\n",
            Some("message 3 of the ladder is `the end` instead of `b → a  180`"),
        );
        check(
            &format!("{WRITTEN}9.500  b → a  BYE\n"),
            Some("message 4 of the ladder is `b → a  BYE` instead of `the end`"),
        );
        check(
            "0.000  b → a  180\n0.001  a → b  INVITE\n9.000  b → a  180\n",
            Some("message 1 of the ladder is `b → a  180` instead of `a → b  INVITE`"),
        );
    }
}
