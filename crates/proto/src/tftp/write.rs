//! TFTP packets, written.

use super::packet::Packet;

/// Why a transfer ends (RFC 1350 §5, RFC 2347).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Code {
    /// The words say why.
    Other,
    /// There is no such file.
    NotFound,
    /// It may not be had, or not be written.
    Refused,
    /// It has no room.
    Full,
    /// A packet that does not belong here.
    Illegal,
    /// A packet from a port that has no part in this transfer.
    UnknownPort,
    /// An option that cannot be.
    BadOption,
}

impl Code {
    /// The number on the wire.
    pub const fn number(self) -> u16 {
        match self {
            Code::Other => 0,
            Code::NotFound => 1,
            Code::Refused => 2,
            Code::Full => 3,
            Code::Illegal => 4,
            Code::UnknownPort => 5,
            Code::BadOption => 8,
        }
    }
}

impl Packet<'_> {
    /// Appends the packet as it goes over the wire. Names, modes and messages hold no zero; what
    /// follows one would not be read.
    pub fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Packet::Read { file, mode, options } => write_asked(1, [file, mode], options, out),
            Packet::Write { file, mode, options } => write_asked(2, [file, mode], options, out),
            Packet::Data { block, bytes } => {
                out.extend_from_slice(&head(3, block));
                out.extend_from_slice(bytes);
            }
            Packet::Ack { block } => out.extend_from_slice(&head(4, block)),
            Packet::Error { code, message } => {
                out.extend_from_slice(&head(5, code));
                write_text(message, out);
            }
            Packet::OptionAck { options } => {
                out.extend_from_slice(&[0, 6]);
                out.extend_from_slice(options);
            }
        }
    }

    /// The packet as it goes over the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

/// An error packet.
pub fn error(code: Code, message: &str) -> Vec<u8> {
    Packet::Error { code: code.number(), message: message.as_bytes() }.to_bytes()
}

/// Appends an option's name and value (RFC 2347).
pub(super) fn write_option(name: &str, value: u64, out: &mut Vec<u8>) {
    write_text(name.as_bytes(), out);
    write_text(value.to_string().as_bytes(), out);
}

fn head(operation: u16, number: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (operation.to_be_bytes(), number.to_be_bytes());
    [a, b, c, d]
}

fn write_asked(operation: u8, texts: [&[u8]; 2], options: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, operation]);
    texts.into_iter().for_each(|text| write_text(text, out));
    out.extend_from_slice(options);
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(text);
    out.push(0);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Deck, DHCP option 66: frames of 93, 98, 99 and 98 bytes, 42 of them Ethernet, IPv4 and UDP.
    #[test]
    fn the_deck_s_requests_have_the_deck_s_lengths() {
        let frame = |file: &str| {
            let options = b"tsize\x000\x00blksize\x00512\x00timeout\x006\x00";
            let packet = Packet::Read { file: file.as_bytes(), mode: b"octet", options };
            42 + packet.to_bytes().len()
        };
        let files = ["0021f222b01d", "0021f222b01d.boot", "y000000000000.boot", "y000000000000.cfg"];
        assert_eq!(files.map(frame), [93, 98, 99, 98]);
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..64), kind in 1..7_u8) {
            let whole = [&[0, kind][..], &bytes].concat();
            if let Some(packet) = Packet::parse(&whole) {
                let written = packet.to_bytes();
                prop_assert_eq!(Packet::parse(&written), Some(packet));
            }
        }
    }
}
