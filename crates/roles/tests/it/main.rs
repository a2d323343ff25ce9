#![allow(clippy::disallowed_methods, reason = "a person names a seed in the environment")]
//! Phones and exchange on the simulated wire.

mod cases;
mod healthy;
mod lamps;
mod recall;
mod seeds;
mod verdicts;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Plays seeds from 0, or the one that `SEED` names; the first that fails names the line that plays it again.
fn each_seed(count: u64, test: &str, play: impl Fn(u64) -> Result<(), String>) {
    let named = std::env::var("SEED").ok().map(|text| text.parse::<u64>().expect("SEED is a number"));
    for seed in named.map_or(0..count, |seed| seed..seed + 1) {
        let played = catch_unwind(AssertUnwindSafe(|| play(seed)));
        if let Err(fault) = played.unwrap_or_else(|_| Err("panicked, as told above".to_owned())) {
            panic!(
                "seed {seed}: {fault}\nto play it again: SEED={seed} cargo test -p roles --test it {test}"
            );
        }
    }
}

#[test]
fn a_seed_that_fails_names_the_line_that_plays_it_again() {
    if std::env::var_os("SEED").is_some() {
        return;
    }
    for fails in [|| Err("it rains".to_owned()), || panic!("it pours")] {
        let failed = catch_unwind(|| {
            each_seed(1_000, "a_test", |seed| if seed < 417 { Ok(()) } else { fails() });
        });
        let text = *failed.expect_err("a failure").downcast::<String>().expect("a text");
        assert!(text.starts_with("seed 417: "), "{text}");
        assert!(text.ends_with("SEED=417 cargo test -p roles --test it a_test"), "{text}");
    }
}
