//! Text that must never reach a screen, a log or a file of ours by accident.

use std::fmt;

/// A password. Its `Debug` and `Display` say only whether it is set.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Secret(Box<str>);

/// What stands in for a secret wherever a person or a log might see it.
pub(super) const HIDDEN: &str = "(hidden)";

impl Secret {
    /// Wraps `text`.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The secret itself, for computing a digest and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether no secret is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "" } else { HIDDEN })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_only_that_it_is_set() {
        let secret = Secret::new("swordfish");
        assert_eq!(format!("{secret} {secret:?}"), "(hidden) Secret((hidden))");
        assert_eq!(format!("{:?}", Secret::default()), "Secret()");
        assert_eq!(secret.expose(), "swordfish");
    }
}
