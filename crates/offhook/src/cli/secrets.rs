//! Secrets that persons choose, and the files that keep them from `ps`.

use std::fs;
use std::path::Path;

use super::Failure;

/// Shorter ones are taken with a warning.
const GOOD_LENGTH: usize = 16;

/// Whatever has one of these in its name is a secret.
const SECRET_NAMES: &[&str] = &["password", "passwd", "secret", "token", "pwd"];

/// Warns on standard error where a secret is short enough to be guessed. It never shows the secret.
pub(super) fn warn_if_short(whose: &str, secret: &str) {
    if let Some(warning) = warning(whose, secret) {
        complain!("offhook: warning: {warning}");
    }
}

/// The secret itself, or what stands in the first line of a file where `@FILE` is given; `option` gave it.
///
/// # Errors
/// The file cannot be read or is empty; the text names it.
pub(super) fn expose(option: &str, given: &str) -> Result<String, Failure> {
    let Some(file) = given.strip_prefix('@') else { return Ok(given.to_owned()) };
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::Failed(format!("{option}: the file {file} of a secret: {error}")))?;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        return Err(Failure::Failed(format!("{option}: {file} holds no secret in its first line")));
    }
    Ok(line.to_owned())
}

/// The numbers of a file with their secrets: `NUMBER:SECRET` a line; `#` begins a comment.
///
/// # Errors
/// The file cannot be read, or a line is no such thing. The text names file and line, and no secret.
pub(super) fn read_file(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    let named = |why: String| Failure::Failed(format!("--secret-file: {}: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    let lines = text.lines().zip(1..).map(|(line, at)| (line.trim(), at));
    let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(line, at)| match line.split_once(':') {
            Some((number, secret)) if !number.is_empty() && !secret.is_empty() => {
                Ok((number.to_owned(), secret.to_owned()))
            }
            _ => Err(named(format!("line {at}: write NUMBER:SECRET"))),
        })
        .collect()
}

/// What a usage error says, without the secrets that stand in the arguments: what follows the colon of
/// `--extension` and `--account`, and of any other word of that form; the password in any URL; the value of
/// whatever is called a password, secret, token or key.
pub(super) fn redact(text: &str, arguments: &[String]) -> String {
    let mut redacted = text.to_owned();
    for argument in arguments {
        let masked = mask_named(&mask_urls(argument));
        if masked != *argument {
            // An option stands apart from its value in what is said.
            let value =
                |text: &str| text.split_once('=').map_or_else(String::new, |(_, value)| value.to_owned());
            redacted = redacted.replace(argument.as_str(), &masked);
            if argument.starts_with("--") {
                redacted = redacted.replace(&value(argument), &value(&masked));
            }
        }
    }
    // What says of itself that it is a secret is one wherever it stands, as in a message about a part of a value.
    redacted = mask_named(&mask_urls(&redacted));
    let mut option = "";
    for argument in arguments {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, value),
            _ => (option, argument.as_str()),
        };
        option = argument;
        let Some((number, secret)) = value.split_once(':') else { continue };
        let is_account = matches!(name, "--extension" | "--account");
        let is_place = secret.parse::<u16>().is_ok() || value.contains("://") || value.starts_with('[');
        if is_account || !is_place {
            redacted = redacted.replace(value, &format!("{number}:…"));
        }
    }
    redacted
}

/// URLs without the passwords before their hosts. What follows `//` up to the last `@` of a word is one, be the rest
/// a URL or not.
fn mask_urls(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        masked.push_str(before);
        masked.push_str("://");
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let (word, behind) = after.split_at(end);
        rest = behind;
        match word.rsplit_once('@').and_then(|(userinfo, host)| Some((userinfo.split_once(':')?.0, host))) {
            Some((user, host)) => masked.push_str(&format!("{user}:…@{host}")),
            None => masked.push_str(word),
        }
    }
    masked.push_str(rest);
    masked
}

/// Text without the values of `password=`, `account.1.auth.secret =` and the like.
fn mask_named(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('=') {
        let (name, value) = rest.split_at(at + 1);
        masked.push_str(name);
        let name = name.trim_end_matches('=').trim_end();
        let begin = name.rfind(|sign: char| !(sign.is_alphanumeric() || "._-".contains(sign)));
        let name = begin.map_or(name, |begin| &name[begin..]).to_ascii_lowercase();
        let end = value.find(['\n', ';', '&', '\'']).unwrap_or(value.len());
        let (value, behind) = value.split_at(end);
        let is_secret = SECRET_NAMES.iter().any(|word| name.contains(word)) && !name.ends_with("file");
        masked.push_str(if is_secret && !value.is_empty() { "…" } else { "" });
        rest = behind;
        if !is_secret {
            // Another name may follow in what is no secret.
            rest = &text[text.len() - value.len() - behind.len()..];
        }
    }
    masked.push_str(rest);
    masked
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
    fn usage_errors_show_no_secret() {
        let check = |arguments: &[&str], shown: &str| {
            let arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
            let value = arguments.last().map(|it| it.rsplit('=').next().unwrap_or(it)).unwrap_or_default();
            let told = redact(&format!("invalid value '{value}' for an option"), &arguments);
            assert_eq!(told, format!("invalid value '{shown}' for an option"), "{arguments:?}");
        };
        check(&["serve", "--extension", "70 01:swordfish"], "70 01:…");
        check(&["serve", "--extension=70 01:swordfish"], "70 01:…");
        check(&["serve", "--extension", "70 01:12345"], "70 01:…");
        check(&["phone", "--account", "7001:sword:fish@pbx"], "7001:…");
        check(&["serve", "7001:swordfish"], "7001:…");
        check(&["serve", "--extnsion", "7001:swordfish"], "7001:…");
        check(&["serve", "--sip", "localhost:5060"], "localhost:5060");
        check(&["serve", "--sip", "[::1]:x"], "[::1]:x");
        check(&["phone", "--model", "FIP99"], "FIP99");
    }

    #[test]
    fn usage_errors_show_no_secret_of_a_url_or_a_name() {
        for (value, shown) in [
            ("http://u:SECRET@h:bad/", "http://u:…@h:bad/"),
            ("http://u:SE@CR:ET@h:bad/x", "http://u:…@h:bad/x"),
            ("http://u:SE/CRET@h", "http://u:…@h"),
            ("http://h:bad/cfg?mac=1&token=SECRET&x=1", "http://h:bad/cfg?mac=1&token=…&x=1"),
            ("0021f2aabbcc;password=SECRET", "0021f2aabbcc;password=…"),
            ("0021f2aabbcc;auth_Secret = SEC RET;label=x", "0021f2aabbcc;auth_Secret =…;label=x"),
            ("http://pbx:8080/a?b=c", "http://pbx:8080/a?b=c"),
            ("sips:7001@h;transport=tls", "sips:…"),
        ] {
            for arguments in [vec![format!("--any={value}")], vec!["--any".to_owned(), value.to_owned()]] {
                let told =
                    redact(&format!("error: invalid value '{value}' for '--any <X>': no\n"), &arguments);
                assert!(!told.contains("SECRET") && !told.contains("RET@"), "{told}");
                assert_eq!(
                    told,
                    format!("error: invalid value '{shown}' for '--any <X>': no\n"),
                    "{arguments:?}"
                );
            }
        }
        assert_eq!(redact("--secret-file=x: no such file", &[]), "--secret-file=x: no such file");
    }

    #[test]
    fn secrets_come_from_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secrets");
        fs::write(&file, "# of the office\n\n7001:a:b\n 7002:second \n").unwrap();
        let pair = |number: &str, secret: &str| (number.to_owned(), secret.to_owned());
        assert_eq!(read_file(&file).unwrap(), [pair("7001", "a:b"), pair("7002", "second")]);
        fs::write(&file, "7001:a\nswordfish\n").unwrap();
        let told = read_file(&file).unwrap_err().to_string();
        assert!(told.contains("line 2") && told.contains("secrets") && !told.contains("swordfish"), "{told}");
        let at = |file: &Path| format!("@{}", file.display());
        fs::write(&file, "swordfish\n").unwrap();
        assert_eq!(expose("--extension", &at(&file)).unwrap(), "swordfish");
        assert_eq!(expose("--extension", "plain").unwrap(), "plain");
        fs::write(&file, "\n").unwrap();
        assert!(expose("--extension", &at(&file)).unwrap_err().to_string().contains("no secret"));
        let missing = expose("--extension", &at(&dir.path().join("none"))).unwrap_err().to_string();
        assert!(missing.contains("none"), "{missing}");
    }

    #[test]
    fn short_secrets_are_named_but_not_shown() {
        let warned = warning("7001", "swordfish").unwrap();
        assert!(warned.contains("7001") && warned.contains('9') && !warned.contains("swordfish"));
        assert_eq!(warning("7001", "sixteen letters!"), None);
    }
}
