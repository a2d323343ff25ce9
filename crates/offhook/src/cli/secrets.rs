//! Secrets that persons choose.

/// Shorter ones are taken with a warning.
const GOOD_LENGTH: usize = 16;

/// Warns on standard error where a secret is short enough to be guessed. It never shows the secret.
pub(super) fn warn_if_short(whose: &str, secret: &str) {
    if let Some(warning) = warning(whose, secret) {
        complain!("offhook: warning: {warning}");
    }
}

fn warning(whose: &str, secret: &str) -> Option<String> {
    let length = secret.chars().count();
    (length < GOOD_LENGTH).then(|| {
        format!(
            "the secret of {whose} has {length} characters; whoever sees one message can guess it; \
             take at least {GOOD_LENGTH}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_secrets_are_named_but_not_shown() {
        let warned = warning("7001", "swordfish").unwrap();
        assert!(warned.contains("7001") && warned.contains('9') && !warned.contains("swordfish"));
        assert_eq!(warning("7001", "sixteen letters!"), None);
    }
}
