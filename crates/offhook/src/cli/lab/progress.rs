//! Shows a person at a terminal that a case is under way; in a pipe nothing.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often the line turns while something takes time.
const TURN: Duration = Duration::from_millis(200);

/// A line on standard error that is wiped at the end.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Begins to show; hidden where standard error is no terminal.
    pub(super) fn start(what: &str) -> Self {
        let bar = ProgressBar::new_spinner().with_prefix(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed}  {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TURN);
        Self(bar)
    }

    /// Says what is being done.
    pub(super) fn show(&self, text: &str) {
        self.0.set_message(text.to_owned());
    }

    /// Wipes the line.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
