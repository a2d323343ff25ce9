//! DNS messages, read (RFC 1035): what was asked and how it was answered.

use std::net::{Ipv4Addr, Ipv6Addr};

const HEADER_BYTES: usize = 12;
/// Labels of one name (RFC 1035 §3.1: 255 bytes in all).
const MOST_LABELS: usize = 128;
/// Pointers of one name that are followed.
const MOST_POINTERS: usize = 16;
/// Answers of one message that are read.
const MOST_ANSWERS: usize = 64;

/// The record of EDNS (RFC 6891).
const OPT: u16 = 41;

/// Flags of a query: recursion desired.
const WANTS_RECURSION: u16 = 0x0100;
/// Flags of an answer of a server that recurses: no such name.
const NO_SUCH_NAME: u16 = 0x8183;

/// A query or an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// The number that ties both together.
    pub id: u16,
    /// Whether it is an answer.
    pub is_response: bool,
    /// 0 well, 2 server failure, 3 no such name; with the upper bits of EDNS: 16 bad version (RFC 6891 §6.1.3).
    pub code: u16,
    /// Whether the answer did not fit: it is asked for again over TCP.
    pub is_truncated: bool,
    /// The name that is asked for, in lower case, without the last dot.
    pub name: String,
    /// What is asked for: 1 A, 28 AAAA, 33 SRV, 35 NAPTR.
    pub kind: u16,
    /// The addresses and names that were answered.
    pub answers: Vec<Answer>,
}

/// One record of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// A.
    V4(Ipv4Addr),
    /// AAAA.
    V6(Ipv6Addr),
    /// CNAME, PTR.
    Name(String),
    /// SRV: port and target.
    Server(u16, String),
    /// Any other, by its number.
    Other(u16),
}

impl Message {
    /// Reads a datagram's payload; `None` where it asks for nothing or is no DNS.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| bytes.get(at..at + 2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        let (id, flags, questions, count) = (word(0)?, word(2)?, word(4)?, word(6)?);
        let others = [word(8)?, word(10)?].map(usize::from);
        let is_query = flags >> 11 & 0xf == 0 && flags & 0x40 == 0;
        if !is_query || questions != 1 {
            return None;
        }
        let (name, at) = name(bytes, HEADER_BYTES)?;
        let (kind, class) = (word(at)?, word(at + 2)?);
        // The top bit of the class is mDNS's wish for a unicast answer (RFC 6762 §5.4).
        if !matches!(class & 0x7fff, 1 | 255) {
            return None;
        }
        let (answers, after) = answers(bytes, at + 4, usize::from(count));
        let is_response = flags >> 15 == 1;
        let code = flags & 0xf | extended_code(bytes, after, others) << 4;
        let is_truncated = is_response && flags & 0x200 != 0;
        Some(Self { id, is_response, code, is_truncated, name, kind, answers })
    }

    /// The name of what is asked for, `A`, `SRV`, or its number.
    pub fn kind_name(&self) -> String {
        match self.kind {
            1 => "A".to_owned(),
            5 => "CNAME".to_owned(),
            12 => "PTR".to_owned(),
            28 => "AAAA".to_owned(),
            33 => "SRV".to_owned(),
            35 => "NAPTR".to_owned(),
            other => format!("TYPE{other}"),
        }
    }
}

/// A query for records of that kind (RFC 1035 §4.1); none for a name that cannot be asked for.
pub fn query(id: u16, name: &str, kind: u16) -> Option<Vec<u8>> {
    let mut bytes = [id, WANTS_RECURSION, 1, 0, 0, 0].map(u16::to_be_bytes).concat();
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        bytes.push(length);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend_from_slice(&[kind, 1].map(u16::to_be_bytes).concat());
    (bytes.len() <= HEADER_BYTES + 255 + 4).then_some(bytes)
}

/// The answer to a query that says that there is no such name.
pub fn no_such_name(query: &[u8]) -> Vec<u8> {
    let mut bytes = query.to_vec();
    if let Some(flags) = bytes.get_mut(2..4) {
        flags.copy_from_slice(&NO_SUCH_NAME.to_be_bytes());
    }
    bytes
}

/// The answers, and where what follows them begins.
fn answers(bytes: &[u8], mut at: usize, count: usize) -> (Vec<Answer>, usize) {
    let mut answers = Vec::new();
    for _ in 0..count.min(MOST_ANSWERS) {
        let Some((answer, next)) = answer(bytes, at) else { break };
        answers.push(answer);
        at = next;
    }
    (answers, at)
}

/// The upper eight bits of the response code, which the OPT record among the additional ones holds
/// (RFC 6891 §6.1.3); 0 without one.
fn extended_code(bytes: &[u8], mut at: usize, [authority, additional]: [usize; 2]) -> u16 {
    for number in 0..(authority + additional).min(MOST_ANSWERS) {
        let Some((_, fields)) = name(bytes, at) else { return 0 };
        let word = |at: usize| bytes.get(at..at + 2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        let (Some(kind), Some(length)) = (word(fields), word(fields + 8)) else { return 0 };
        if kind == OPT && number >= authority {
            return bytes.get(fields + 4).copied().map_or(0, u16::from);
        }
        at = fields + 10 + usize::from(length);
    }
    0
}

fn answer(bytes: &[u8], at: usize) -> Option<(Answer, usize)> {
    let (_, at) = name(bytes, at)?;
    let word = |at: usize| bytes.get(at..at + 2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let (kind, length) = (word(at)?, usize::from(word(at + 8)?));
    let start = at + 10;
    let value = bytes.get(start..start + length)?;
    let answer = match kind {
        1 => Answer::V4(Ipv4Addr::from(*value.first_chunk::<4>()?)),
        28 => Answer::V6(Ipv6Addr::from(*value.first_chunk::<16>()?)),
        5 | 12 => Answer::Name(name(bytes, start)?.0),
        33 => Answer::Server(word(start + 4)?, name(bytes, start + 6)?.0),
        other => Answer::Other(other),
    };
    Some((answer, start + length))
}

/// A name, and where what follows it begins.
fn name(bytes: &[u8], mut at: usize) -> Option<(String, usize)> {
    let (mut name, mut after, mut pointers) = (String::new(), None, 0);
    for _ in 0..MOST_LABELS {
        let &length = bytes.get(at)?;
        match length {
            0 => return Some((name, after.unwrap_or(at + 1))),
            1..=63 => {
                let label = bytes.get(at + 1..at + 1 + usize::from(length))?;
                if !name.is_empty() {
                    name.push('.');
                }
                let label = String::from_utf8_lossy(label).to_lowercase();
                name.extend(label.chars().filter(|c| !c.is_control()));
                at += 1 + usize::from(length);
            }
            192.. if pointers < MOST_POINTERS => {
                let low = usize::from(*bytes.get(at + 1)?);
                after = after.or(Some(at + 2));
                at = usize::from(length & 0x3f) << 8 | low;
                pointers += 1;
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_and_its_refusal_are_read_again() {
        let asked = query(7, "Files.Lab.exmaple.", 1).expect("a name");
        let read = Message::parse(&asked).expect("a query");
        assert_eq!((read.id, &*read.name, read.kind, read.is_response), (7, "files.lab.exmaple", 1, false));
        let answer = Message::parse(&no_such_name(&asked)).expect("an answer");
        assert_eq!((answer.id, answer.code, answer.is_response, answer.answers), (7, 3, true, vec![]));
        for name in ["", "a..b", &"x".repeat(64), &"x.".repeat(200)] {
            assert_eq!(query(7, name, 1), None, "{name}");
        }
    }

    #[test]
    fn a_question_and_its_answer() {
        let question = b"\x03pbx\x07example\x00\x00\x01\x00\x01";
        let asked = [&b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"[..], question].concat();
        let message = Message::parse(&asked).expect("a query");
        assert_eq!(
            (message.name.as_str(), message.kind_name().as_str(), message.is_response),
            ("pbx.example", "A", false)
        );
        let told = [
            &b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"[..],
            question,
            b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\xa8\x32\x13",
        ];
        let message = Message::parse(&told.concat()).expect("an answer");
        assert_eq!(message.answers, [Answer::V4(Ipv4Addr::new(192, 168, 50, 19))]);
        let missing = [&b"\x12\x34\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00"[..], question].concat();
        assert_eq!(Message::parse(&missing).map(|message| message.code), Some(3));
    }

    #[test]
    fn the_response_code_has_its_upper_bits_in_the_opt_record() {
        let question = b"\x03pbx\x07example\x00\x00\x01\x00\x01";
        let head = |flags: [u8; 2]| [&b"\x12\x34"[..], &flags, b"\x00\x01\x00\x00\x00\x00\x00\x01"].concat();
        let opt = b"\x00\x00\x29\x10\x00\x01\x00\x00\x00\x00\x00";
        let bad_version = [&head([0x85, 0x80])[..], question, opt].concat();
        assert_eq!(Message::parse(&bad_version).map(|message| message.code), Some(16));
        let truncated = [&head([0x83, 0x80])[..], question, b"\x00\x00\x29"].concat();
        let read = Message::parse(&truncated).expect("an answer");
        assert_eq!((read.code, read.is_truncated), (0, true));
    }

    #[test]
    fn pointers_in_a_circle_and_cut_names_are_none() {
        let head = b"\0\0\0\0\0\x01\0\0\0\0\0\0";
        for rest in [&b"\xc0\x0c"[..], b"\x05ab", b"", b"\x40a", b"\x01a\0\0"] {
            assert_eq!(Message::parse(&[&head[..], rest].concat()), None, "{rest:?}");
        }
    }
}
