//! What both ends agree on: block size, window, time-out, size (RFC 2348, 2349, 7440).

use std::time::Duration;

use super::packet::options;
use super::write::write_option;

/// The block size without the option (RFC 1350).
pub(super) const USUAL_BLOCK_BYTES: u16 = 512;

/// What a request asks for, or what its answer grants. Nothing: as without the option.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Terms {
    /// `tsize`: the file's size, 0 where it is asked for.
    pub size_bytes: Option<u64>,
    /// `blksize`: bytes in a block, from 8 to 65,464.
    pub block_bytes: Option<u16>,
    /// `timeout`: seconds until something is sent again, from 1 to 255.
    pub timeout_s: Option<u8>,
    /// `windowsize`: blocks that are sent before an acknowledgement is waited for.
    pub window_blocks: Option<u16>,
}

impl Terms {
    /// What the deck's phone asks for, in its order: `tsize=0`, `blksize=512` and a time-out of one digit.
    pub fn of_the_deck() -> Self {
        Self {
            size_bytes: Some(0),
            block_bytes: Some(USUAL_BLOCK_BYTES),
            timeout_s: Some(4),
            window_blocks: None,
        }
    }

    /// Reads the options of a packet. Those that are not known, or whose value cannot be, are left out
    /// (RFC 2347: they count as not there).
    pub fn read(bytes: &[u8]) -> Self {
        let mut terms = Self::default();
        for (name, value) in options(bytes) {
            let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<u64>().ok());
            let Some(number) = number else { continue };
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            if is("tsize") {
                terms.size_bytes = Some(number);
            } else if is("blksize") {
                terms.block_bytes = u16::try_from(number).ok().filter(|size| (8..=65_464).contains(size));
            } else if is("timeout") {
                terms.timeout_s = u8::try_from(number).ok().filter(|seconds| *seconds > 0);
            } else if is("windowsize") {
                terms.window_blocks = u16::try_from(number).ok().filter(|blocks| *blocks > 0);
            }
        }
        terms
    }

    /// The options as they stand in a packet, in the deck's order.
    pub fn to_options(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let all = [
            ("tsize", self.size_bytes),
            ("blksize", self.block_bytes.map(u64::from)),
            ("timeout", self.timeout_s.map(u64::from)),
            ("windowsize", self.window_blocks.map(u64::from)),
        ];
        for (name, value) in all {
            if let Some(value) = value {
                write_option(name, value, &mut out);
            }
        }
        out
    }

    /// Whether nothing is agreed beyond RFC 1350.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a server may answer `asked` with this (RFC 2347: nothing that was not asked for, RFC 2348
    /// and 7440: nothing larger; RFC 2349: the same time-out).
    pub(super) fn answers(&self, asked: &Terms) -> bool {
        fn within<T: PartialOrd>(granted: Option<T>, asked: Option<T>) -> bool {
            granted.is_none_or(|granted| asked.is_some_and(|asked| granted <= asked))
        }
        within(self.block_bytes, asked.block_bytes)
            && within(self.window_blocks, asked.window_blocks)
            && (self.timeout_s.is_none() || self.timeout_s == asked.timeout_s)
            && (self.size_bytes.is_none() || asked.size_bytes.is_some())
    }

    pub(super) fn block_len(&self) -> usize {
        usize::from(self.block_bytes.unwrap_or(USUAL_BLOCK_BYTES))
    }

    pub(super) fn window(&self) -> u64 {
        u64::from(self.window_blocks.unwrap_or(1))
    }

    pub(super) fn timeout(&self, usual: Duration) -> Duration {
        self.timeout_s.map_or(usual, |seconds| Duration::from_secs(u64::from(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read_and_written_in_the_deck_s_order() {
        let options = b"tsize\x000\x00blksize\x00512\x00timeout\x004\x00";
        assert_eq!(Terms::of_the_deck().to_options(), options);
        assert_eq!(Terms::read(options), Terms::of_the_deck());
        let odd = b"BLKSIZE\x001428\x00unknown\x001\x00timeout\x000\x00windowsize\x0099999\x00tsize\x00x\x00";
        assert_eq!(Terms::read(odd), Terms { block_bytes: Some(1_428), ..Terms::default() });
    }

    #[test]
    fn an_answer_grants_no_more_than_was_asked() {
        let asked = Terms::of_the_deck();
        let answer = |change: fn(&mut Terms)| {
            let mut terms = Terms::default();
            change(&mut terms);
            terms.answers(&asked)
        };
        assert!(answer(|_| ()));
        assert!(answer(|terms| terms.size_bytes = Some(2_536)));
        assert!(answer(|terms| terms.block_bytes = Some(256)));
        assert!(!answer(|terms| terms.block_bytes = Some(513)));
        assert!(!answer(|terms| terms.timeout_s = Some(5)));
        assert!(!answer(|terms| terms.window_blocks = Some(1)));
    }
}
