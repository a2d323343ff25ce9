//! TFTP packets, read (RFC 1350, options RFC 2347).

/// One packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Packet<'a> {
    /// A file is asked for.
    Read {
        /// The file.
        file: &'a [u8],
        /// `octet`, `netascii`.
        mode: &'a [u8],
        /// Names and values, each ended by a zero: see [`options`].
        options: &'a [u8],
    },
    /// A file is offered.
    Write {
        /// The file.
        file: &'a [u8],
        /// `octet`, `netascii`.
        mode: &'a [u8],
        /// Names and values, each ended by a zero: see [`options`].
        options: &'a [u8],
    },
    /// A block of the file.
    Data {
        /// Its number, from 1; it wraps.
        block: u16,
        /// What it holds.
        bytes: &'a [u8],
    },
    /// A block has come, or options are taken (block 0).
    Ack {
        /// Its number.
        block: u16,
    },
    /// It cannot be done.
    Error {
        /// Why: 1 is "file not found".
        code: u16,
        /// Why, in words.
        message: &'a [u8],
    },
    /// The options that the server takes.
    OptionAck {
        /// Names and values, each ended by a zero.
        options: &'a [u8],
    },
}

impl<'a> Packet<'a> {
    /// Reads a datagram's payload; `None` where it is no TFTP.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (operation, rest) = number(bytes)?;
        Some(match operation {
            1 => asked(rest).map(|(file, mode, options)| Self::Read { file, mode, options })?,
            2 => asked(rest).map(|(file, mode, options)| Self::Write { file, mode, options })?,
            3 => number(rest).map(|(block, bytes)| Self::Data { block, bytes })?,
            4 => number(rest).filter(|(_, rest)| rest.is_empty()).map(|(block, _)| Self::Ack { block })?,
            5 => {
                let (code, rest) = number(rest)?;
                let message = text(rest).map_or(rest, |(message, _)| message);
                Self::Error { code, message }
            }
            6 => Self::OptionAck { options: rest },
            _ => return None,
        })
    }
}

/// The names and values of an options field.
pub fn options(mut bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let (name, rest) = text(bytes)?;
        let (value, rest) = text(rest)?;
        bytes = rest;
        Some((name, value))
    })
}

fn number(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*number), rest))
}

/// File, mode and options of a request.
fn asked(rest: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (file, rest) = text(rest)?;
    let (mode, options) = text(rest)?;
    let is_mode =
        ["octet", "netascii", "mail"].iter().any(|known| mode.eq_ignore_ascii_case(known.as_bytes()));
    (is_mode && !file.is_empty()).then_some((file, mode, options))
}

fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(0, bytes)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_read() {
        let taken = b"blksize\x001428\x00";
        let asked = Packet::Read { file: b"0021f222b021.cfg", mode: b"octet", options: taken };
        let bytes = b"\x00\x010021f222b021.cfg\x00octet\x00blksize\x001428\x00";
        assert_eq!(Packet::parse(bytes), Some(asked));
        assert_eq!(options(taken).collect::<Vec<_>>(), [(&b"blksize"[..], &b"1428"[..])]);
        assert_eq!(Packet::parse(b"\0\x03\0\x01abc"), Some(Packet::Data { block: 1, bytes: b"abc" }));
        assert_eq!(Packet::parse(b"\0\x04\0\x07"), Some(Packet::Ack { block: 7 }));
        let missing = Packet::Error { code: 1, message: b"File not found" };
        assert_eq!(Packet::parse(b"\0\x05\0\x01File not found\0"), Some(missing));
    }

    #[test]
    fn what_is_cut_or_foreign_is_none() {
        for bytes in [
            &b""[..],
            b"\0",
            b"\0\x01",
            b"\0\x01a",
            b"\0\x01a\0",
            b"\0\x01a\0b\0",
            b"\0\x09",
            b"\x80\x08\0\0",
        ] {
            assert_eq!(Packet::parse(bytes), None, "{bytes:?}");
        }
    }
}
