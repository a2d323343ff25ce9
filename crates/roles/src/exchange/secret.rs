//! Which secrets of accounts are too easily guessed.

/// The fewest characters of a secret.
pub const FEWEST_CHARACTERS: usize = 12;
/// The fewest different characters.
const FEWEST_KINDS: usize = 5;
/// The least irregularity of what is left without known words.
const FEWEST_IRREGULAR: usize = 8;
/// Words that stand in the lists of those who guess, the longer ones first where one holds another.
const WORDS: [&str; 52] = [
    "administrator",
    "passphrase",
    "extension",
    "telephone",
    "voicemail",
    "asterisk",
    "freeswitch",
    "freepbx",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "superman",
    "passw0rd",
    "password",
    "passwort",
    "kamailio",
    "changeme",
    "letmein",
    "welcome",
    "default",
    "trustno",
    "opensips",
    "offhook",
    "manager",
    "support",
    "service",
    "office",
    "dragon",
    "monkey",
    "shadow",
    "master",
    "secret",
    "iloveyou",
    "qwertz",
    "qwerty",
    "azerty",
    "asdfgh",
    "zxcvbn",
    "yealink",
    "server",
    "phone",
    "admin",
    "login",
    "guest",
    "hello",
    "test",
    "user",
    "root",
    "pass",
    "demo",
    "voip",
];

/// Whether the secret of an account can be guessed: too short, made of the words and rows that are tried first,
/// or of the account's own number.
///
/// # Errors
/// It can; why and what helps, in words that do not show it.
pub fn check_secret(secret: &str, number: &str) -> Result<(), String> {
    let length = secret.chars().count();
    let advice = "take at least 12 characters drawn by chance, as `openssl rand -hex 12` makes";
    if length < FEWEST_CHARACTERS {
        return Err(format!("the password of extension {number} has {length} characters: {advice}"));
    }
    if number.len() > 1 && is_made_of(secret, number) {
        return Err(format!("the password of extension {number} is made of its number: {advice}"));
    }
    if is_plain(secret, number) {
        return Err(format!(
            "the password of extension {number} is one of those that are tried first: {advice}"
        ));
    }
    Ok(())
}

/// Whether nothing is left without the number.
fn is_made_of(secret: &str, number: &str) -> bool {
    let left = secret.to_lowercase().replace(&number.to_lowercase(), "");
    left.chars().filter(|letter| letter.is_alphanumeric()).count() < 3
}

/// Whether little is left without known words, the number, rows and repetitions.
fn is_plain(secret: &str, number: &str) -> bool {
    let letters: Vec<char> = secret.to_lowercase().chars().collect();
    let mut kinds = letters.clone();
    kinds.sort_unstable();
    kinds.dedup();
    let number: Vec<char> = number.to_lowercase().chars().collect();
    let words = WORDS.iter().map(|word| word.chars().collect::<Vec<char>>());
    let words: Vec<Vec<char>> = words.chain(Some(number).filter(|number| number.len() > 1)).collect();
    let left = without(&letters, &words, |letter| letter);
    let hidden = without(&letters, &words, plain_letter);
    kinds.len() < FEWEST_KINDS || irregular(&left).min(irregular(&hidden)) < FEWEST_IRREGULAR
}

/// What is left of a text without these words, its letters read by `read`.
fn without(text: &[char], words: &[Vec<char>], read: fn(char) -> char) -> Vec<char> {
    let mut left = text.to_vec();
    for word in words {
        let is_word = |part: &[char]| part.iter().zip(word).all(|(letter, own)| read(*letter) == *own);
        while let Some(at) = left.windows(word.len()).position(is_word) {
            left.drain(at..at + word.len());
        }
    }
    left
}

/// The letter that a digit or sign stands for in words that are hardly hidden.
const fn plain_letter(letter: char) -> char {
    match letter {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

/// How irregular a text is: letters count twice, digits once, and none that follows from the one before as the
/// same, its neighbour in the alphabet or the next digit.
fn irregular(text: &[char]) -> usize {
    let letters: Vec<char> = text.iter().copied().filter(|letter| letter.is_alphanumeric()).collect();
    let weight = |letter: char| if letter.is_ascii_digit() { 1 } else { 2 };
    let rest = letters.windows(2).map(|pair| match pair {
        [before, after] if (*before as u32).abs_diff(*after as u32) > 1 => weight(*after),
        _ => 0,
    });
    rest.sum::<usize>() + letters.first().map_or(0, |first| weight(*first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_that_are_tried_first_are_refused() {
        for weak in [
            "",
            "swordfish",
            "secret",
            "7001",
            "12345678",
            "elevenchars",
            "123456789012",
            "700170017001",
            "7001-7001-7001",
            "aaaaaaaaaaaa",
            "abababababab",
            "password1234",
            "P@ssw0rd2024",
            "qwerty123456",
            "adminadmin12",
            "secretsecret",
            "changeme7001",
            "asterisk1234",
            "abcdefghijkl",
            "extension7001",
            "letmein12345",
            "test12345678",
        ] {
            let told = check_secret(weak, "7001").expect_err(weak);
            assert!(
                told.contains("7001") && (weak.is_empty() || weak == "7001" || !told.contains(weak)),
                "{told}"
            );
        }
    }

    #[test]
    fn what_chance_or_a_sentence_makes_is_taken() {
        for good in [
            "a-long-secret",
            "a-long-secret-here",
            "another-long-secret",
            "the first secret",
            "sixteen letters!",
            "9f86d081884c",
            "kV3x-Pq81-zLm0",
            "correct horse battery staple",
            "secret-of-7001-xyz-kq",
        ] {
            assert_eq!(check_secret(good, "7001"), Ok(()), "{good}");
        }
    }
}
