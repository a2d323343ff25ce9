//! How many messages wait: `application/simple-message-summary` (RFC 3842).

use std::fmt;

use crate::sip::grammar::is_token;

/// The media type of these bodies.
pub const MEDIA_TYPE: &str = "application/simple-message-summary";
/// The largest body taken, in bytes.
pub const MAX_BYTES: usize = 16_384;
/// The most lines with counts taken.
pub const MAX_CLASSES: usize = 16;

/// One body.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MessageSummary {
    /// Whether the lamp is to be lit.
    pub waiting: bool,
    /// The mailbox to call.
    pub account: Option<String>,
    /// The counts by class in order: `Voice-Message`, `Fax-Message`, …
    pub classes: Vec<(String, MessageCounts)>,
}

/// The messages of one class.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct MessageCounts {
    /// Not heard yet.
    pub new: u32,
    /// Heard and kept.
    pub old: u32,
    /// The urgent ones among the new.
    pub new_urgent: u32,
    /// The urgent ones among the old.
    pub old_urgent: u32,
}

impl MessageSummary {
    /// A mailbox with voice messages only.
    pub fn of_voice(account: Option<&str>, counts: MessageCounts) -> Self {
        Self {
            waiting: counts.new > 0,
            account: account.map(str::to_owned),
            classes: vec![("Voice-Message".to_owned(), counts)],
        }
    }

    /// The counts of voice messages, where they are told.
    pub fn voice(&self) -> Option<MessageCounts> {
        let is_voice = |(name, _): &&(String, MessageCounts)| name.eq_ignore_ascii_case("Voice-Message");
        self.classes.iter().find(is_voice).map(|(_, counts)| *counts)
    }

    /// Reads a body. Lines may end with LF, unknown ones are passed over, and so are classes that no token
    /// names (RFC 3842 §5.2); where `Messages-Waiting` is
    /// missing, new messages speak for it.
    ///
    /// # Errors
    /// The body is too large, or tells neither.
    pub fn parse(bytes: &[u8]) -> Result<Self, MwiError> {
        if bytes.len() > MAX_BYTES {
            return Err(MwiError::TooLong);
        }
        let text = String::from_utf8_lossy(bytes);
        let mut summary = Self::default();
        let mut waiting = None;
        for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
            let (name, value) = (name.trim(), value.trim());
            if name.eq_ignore_ascii_case("Messages-Waiting") {
                waiting = Some(value.eq_ignore_ascii_case("yes"));
            } else if name.eq_ignore_ascii_case("Message-Account") {
                summary.account = Some(value.to_owned());
            } else if let Some(counts) =
                counts_of(name, value).filter(|_| summary.classes.len() < MAX_CLASSES)
            {
                summary.classes.push((name.to_owned(), counts));
            }
        }
        if waiting.is_none() && summary.classes.is_empty() {
            return Err(MwiError::NoStatus);
        }
        summary.waiting = waiting.unwrap_or_else(|| summary.classes.iter().any(|(_, counts)| counts.new > 0));
        Ok(summary)
    }
}

fn counts_of(name: &str, value: &str) -> Option<MessageCounts> {
    let ends = name.len().checked_sub("-Message".len()).and_then(|start| name.get(start..))?;
    if !ends.eq_ignore_ascii_case("-Message") || !name.bytes().all(is_token) {
        return None;
    }
    let (all, urgent) = value.split_once('(').unwrap_or((value, ""));
    let (new, old) = pair(all)?;
    let (new_urgent, old_urgent) = pair(urgent.trim_end_matches(')')).unwrap_or_default();
    Some(MessageCounts { new, old, new_urgent, old_urgent })
}

fn pair(text: &str) -> Option<(u32, u32)> {
    let (new, old) = text.split_once('/')?;
    Some((new.trim().parse().ok()?, old.trim().parse().ok()?))
}

/// The body, its lines ended by CR LF.
impl fmt::Display for MessageSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Messages-Waiting: {}\r\n", if self.waiting { "yes" } else { "no" })?;
        if let Some(account) = &self.account {
            write!(f, "Message-Account: {}\r\n", one_line(account))?;
        }
        for (name, counts) in &self.classes {
            let MessageCounts { new, old, new_urgent, old_urgent } = counts;
            write!(f, "{}: {new}/{old} ({new_urgent}/{old_urgent})\r\n", one_line(name))?;
        }
        Ok(())
    }
}

fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MwiError {
    /// Larger than [`MAX_BYTES`].
    TooLong,
    /// Neither `Messages-Waiting` nor a count.
    NoStatus,
}

impl fmt::Display for MwiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the server's message summary is larger than {MAX_BYTES} bytes"),
            Self::NoStatus => f.write_str(
                "the server's message summary has no 'Messages-Waiting: yes' or 'no' and no counts",
            ),
        }
    }
}

impl std::error::Error for MwiError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bodies_of_all_kinds() {
        let check = |text: &str, waiting: bool, voice: Option<(u32, u32, u32, u32)>| {
            let summary = MessageSummary::parse(text.as_bytes()).expect("a summary");
            let counts = voice.map(|(new, old, new_urgent, old_urgent)| MessageCounts {
                new,
                old,
                new_urgent,
                old_urgent,
            });
            assert_eq!((summary.waiting, summary.voice()), (waiting, counts), "{text:?}");
        };
        check("Messages-Waiting: yes\r\nVoice-Message: 4/8 (1/2)\r\n", true, Some((4, 8, 1, 2)));
        check("messages-waiting:no\nvoice-message:0/8", false, Some((0, 8, 0, 0)));
        check("Messages-Waiting: yes\r\n", true, None);
        check("Fax-Message: 1/0\r\nX: y\r\n", true, None);
        check("Messages-Waiting: no\r\nVoice-Message: many\r\n", false, None);
        check("Messages-Waiting: no\r\nVoice\u{f}-Message: 2/8\r\n", false, None);
    }

    #[test]
    fn what_is_not_one_and_what_is_too_much() {
        assert_eq!(MessageSummary::parse(b"hello"), Err(MwiError::NoStatus));
        assert_eq!(MessageSummary::parse(&[b' '; MAX_BYTES + 1]), Err(MwiError::TooLong));
        let many = "X-Message: 1/1\n".repeat(MAX_CLASSES + 5);
        let summary = MessageSummary::parse(many.as_bytes()).expect("a summary");
        assert_eq!(summary.classes.len(), MAX_CLASSES);
    }

    #[test]
    fn the_written_form() {
        let counts = MessageCounts { new: 2, old: 8, new_urgent: 0, old_urgent: 2 };
        let summary = MessageSummary::of_voice(Some("sip:*97@pbx\r\nX: y"), counts);
        assert_eq!(
            summary.to_string(),
            "Messages-Waiting: yes\r\nMessage-Account: sip:*97@pbxX: y\r\nVoice-Message: 2/8 (0/2)\r\n"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = MessageSummary::parse(&bytes);
        }

        #[test]
        fn what_is_written_is_read_again(new in any::<u32>(), old in any::<u32>(), urgent in any::<u32>()) {
            let counts = MessageCounts { new, old, new_urgent: urgent, old_urgent: urgent };
            let summary = MessageSummary::of_voice(Some("sip:9@h"), counts);
            prop_assert_eq!(MessageSummary::parse(summary.to_string().as_bytes()), Ok(summary));
        }
    }
}
