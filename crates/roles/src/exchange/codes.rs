//! Feature codes: what is dialled instead of a number. Plain data.

use serde::{Deserialize, Serialize};

/// What is dialled for features.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Codes {
    /// Followed by an extension: answers a call that rings there.
    pub pickup: String,
    /// Answers any call that rings in one's own group.
    pub group_pickup: String,
    /// Calls the last caller back.
    pub call_return: String,
    /// Followed by an extension: turns forwarding of all calls on; alone: off.
    pub forward_always: String,
    /// Followed by an extension: turns forwarding while busy on; alone: off.
    pub forward_busy: String,
    /// Followed by an extension: turns forwarding without answer on; alone: off.
    pub forward_no_answer: String,
    /// Turns do-not-disturb on or off.
    pub do_not_disturb: String,
    /// Followed by an extension: its phone answers by itself.
    pub intercom: String,
    /// As target of a transfer: parks the call at the place whose number follows, or at the first free one.
    pub park: String,
    /// Everything that is said comes back.
    pub echo: String,
    /// A tone of 1,000 Hz.
    pub test_tone: String,
}

impl Default for Codes {
    fn default() -> Self {
        Self {
            pickup: "*04".into(),
            group_pickup: "*4".into(),
            call_return: "*69".into(),
            forward_always: "*72".into(),
            forward_busy: "*90".into(),
            forward_no_answer: "*92".into(),
            do_not_disturb: "*78".into(),
            intercom: "*80".into(),
            park: "*5".into(),
            echo: "*43".into(),
            test_tone: "*44".into(),
        }
    }
}

impl Codes {
    /// The codes and what they do, by the names of their fields.
    pub(super) fn all(&self) -> [(&'static str, &str); 11] {
        [
            ("pickup", &self.pickup),
            ("group_pickup", &self.group_pickup),
            ("call_return", &self.call_return),
            ("forward_always", &self.forward_always),
            ("forward_busy", &self.forward_busy),
            ("forward_no_answer", &self.forward_no_answer),
            ("do_not_disturb", &self.do_not_disturb),
            ("intercom", &self.intercom),
            ("park", &self.park),
            ("echo", &self.echo),
            ("test_tone", &self.test_tone),
        ]
    }

    /// Why these codes cannot be used together, in words.
    pub(super) fn clash(&self) -> Option<String> {
        let all = self.all();
        let odd = |code: &str| !code.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'#'));
        if let Some((name, code)) = all.into_iter().find(|(_, code)| odd(code)) {
            return Some(format!("the code '{code}' of {name} is not made of 0-9, * and #"));
        }
        all.into_iter().enumerate().find_map(|(at, (name, code))| {
            let other = all.into_iter().skip(at + 1).find(|(_, other)| *other == code && !code.is_empty())?;
            Some(format!("{name} and {} have the same code {code}", other.0))
        })
    }
}
