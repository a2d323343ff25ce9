//! What all formats of capture files share: notes, faults, and one step of a reader.

use std::fmt;
use std::net::IpAddr;

use crate::Time;

/// The longest packet that is believed; also tcpdump's default snap length.
pub const MAX_PACKET_BYTES: usize = 262_144;

/// What a capture tells besides packets, and what is wrong with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Note {
    /// The snap length of an interface, in bytes; 0 is none.
    SnapLength(u32),
    /// Packets that the capturing machine dropped, counted since the one before.
    Drops(u64),
    /// A name that the capturing machine knew for an address.
    Name(IpAddr, String),
    /// The file ends within a record.
    Cut {
        /// Where the record begins.
        offset: u64,
        /// How many bytes of it are there.
        bytes: u64,
    },
    /// What cannot be. The rest of the file is not read, except where a block of pcapng can be skipped.
    Corrupt {
        /// Where.
        offset: u64,
        /// What.
        why: Corrupt,
    },
}

/// What is wrong with a capture file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Corrupt {
    /// It begins as none of the formats does.
    NotACapture,
    /// A record's length is beyond [`MAX_PACKET_BYTES`], or shorter than its head.
    RecordLength(u32),
    /// A block of pcapng has a length that cannot be.
    BlockLength(u32),
    /// A packet names an interface that was not described.
    NoSuchInterface(u32),
    /// More interfaces than are kept.
    TooManyInterfaces,
    /// A packet's block is too short for what it says.
    PacketLength(u32),
    /// A byte order that is none.
    ByteOrder,
}

impl Corrupt {
    /// Whether nothing behind it is read; other faults are passed over with their block.
    pub const fn ends_reading(self) -> bool {
        !matches!(self, Self::NoSuchInterface(_) | Self::TooManyInterfaces | Self::PacketLength(_))
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACapture => f.write_str("this is no pcap, pcapng or snoop file"),
            Self::RecordLength(length) => write!(f, "a record cannot be {length} bytes long"),
            Self::BlockLength(length) => write!(f, "a block cannot be {length} bytes long"),
            Self::NoSuchInterface(index) => write!(f, "the file does not describe interface {index}"),
            Self::TooManyInterfaces => f.write_str("more interfaces than are kept"),
            Self::PacketLength(length) => write!(f, "a packet of {length} bytes does not fit its block"),
            Self::ByteOrder => f.write_str("a section without a valid byte order"),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SnapLength(bytes) => write!(f, "snap length {bytes} bytes"),
            Self::Drops(count) => write!(f, "{count} packets were dropped while capturing"),
            Self::Name(address, name) => write!(f, "{address} is {name}"),
            Self::Cut { offset, bytes } => {
                write!(f, "the file ends within the record at byte {offset}, after {bytes} bytes of it")
            }
            Self::Corrupt { offset, why } => write!(f, "at byte {offset}: {why}"),
        }
    }
}

/// In which order the bytes of numbers stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// A number of 32 bits; `None` beyond the end.
    pub(super) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let word: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self == Self::Little { u32::from_le_bytes(word) } else { u32::from_be_bytes(word) })
    }

    /// A number of 16 bits; `None` beyond the end.
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let word: [u8; 2] = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self == Self::Little { u16::from_le_bytes(word) } else { u16::from_be_bytes(word) })
    }
}

/// What a format makes of the bytes that are there.
pub(super) enum Step {
    /// More bytes are needed.
    More,
    /// So many bytes tell nothing.
    Skip(usize),
    /// A packet: bytes of the record, where the packet's are in it.
    Packet { record: usize, at: Time, link: u16, from: usize, to: usize, wire_bytes: u32 },
    /// A note, after which so many bytes are done with.
    Note(usize, Note),
    /// The end of what can be read.
    Stop(Corrupt),
}
