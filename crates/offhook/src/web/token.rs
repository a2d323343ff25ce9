//! The secret by which a program or person may use the API.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use proto::Rng;
use subtle::ConstantTimeEq;

use crate::store;

/// Hexadecimal digits of a generated token.
const DIGITS: usize = 40;
/// The fewest characters of a token that somebody chose.
const FEWEST: usize = 16;
/// The most.
const MOST: usize = 256;

/// A token. It shows nowhere but where [`Token::expose`] is called.
#[derive(Clone, Eq, PartialEq)]
pub struct Token(Box<str>);

impl Token {
    /// A new one by chance.
    pub fn generate(rng: &mut Rng) -> Self {
        Self(rng.hex(DIGITS).into())
    }

    /// The one in `file`, which is made with a new one, for its owner alone, where it does not exist.
    ///
    /// # Errors
    /// The file can be neither read nor made, or what it holds is no good token.
    pub fn kept_in(file: &Path, rng: &mut Rng) -> io::Result<Self> {
        match fs::read_to_string(file) {
            Ok(text) => Self::parse(text.trim()).map_err(|fault| explain(file, fault)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let token = Self::generate(rng);
                store::save(file, format!("{}\n", token.expose()).as_bytes())?;
                Ok(token)
            }
            Err(error) => Err(explain(file, &error.to_string())),
        }
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        match text.len() {
            ..FEWEST => Err("it holds fewer than 16 characters; remove it, and a good one is made"),
            FEWEST..=MOST if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Self(text.into())),
            _ => Err("a token is one word of ASCII letters, digits and signs; remove it, and one is made"),
        }
    }

    /// Whether somebody presents this token, in a time that tells nothing of it but its length.
    pub fn is(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }

    /// The token itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

fn explain(file: &Path, fault: &str) -> io::Error {
    io::Error::other(format!("the token file {} cannot be used: {fault}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_kept_private() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("web-token");
        let first = Token::kept_in(&file, &mut Rng::from_number(1)).unwrap();
        let second = Token::kept_in(&file, &mut Rng::from_number(2)).unwrap();
        assert_eq!(first, second);
        assert_eq!(first.expose().len(), DIGITS);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_bad_token_is_refused_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("web-token");
        for bad in ["swordfish", "", "two words of sixteen letters", "sechzehn Zeichen ä"] {
            fs::write(&file, bad).unwrap();
            let fault = Token::kept_in(&file, &mut Rng::from_number(1)).unwrap_err().to_string();
            assert!(fault.contains("web-token") && (bad.is_empty() || !fault.contains(bad)), "{fault}");
        }
    }

    #[test]
    fn only_the_token_is_the_token() {
        let token = Token::generate(&mut Rng::from_number(1));
        let text = token.expose().to_owned();
        assert!(token.is(&text));
        assert!(!token.is("") && !token.is(&text[1..]) && !token.is(&text.to_uppercase()));
        assert!(!format!("{token:?}").contains(&text));
    }
}
