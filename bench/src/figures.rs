//! Figures as one line of JSON, which `bench/run` puts beside those of others.

use std::fmt::Write as _;

/// A line of JSON in the making.
#[derive(Debug, Default)]
pub struct Figures(String);

impl Figures {
    /// Adds a text; it must need no escapes.
    pub fn text(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        let _ = write!(self.0, "\"{value}\"");
        self
    }

    /// Adds a number.
    pub fn number(mut self, name: &str, value: f64) -> Self {
        self.name(name);
        let _ = write!(self.0, "{value:.3}");
        self
    }

    /// Prints the line.
    pub fn print(&self) {
        println!("{{{}}}", self.0);
    }

    // Writing to a `String` cannot fail.
    fn name(&mut self, name: &str) {
        let comma = if self.0.is_empty() { "" } else { ", " };
        let _ = write!(self.0, "{comma}\"{name}\": ");
    }
}

/// The value below which `share` of the sorted values lie; 0 of none.
pub fn quantile(sorted: &[u64], share: f64) -> u64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}
