//! One direction of an HTTP/1 connection (RFC 9112), as far as provisioning needs it.

use memchr::memmem;

/// The longest head that is read.
const MAX_HEAD_BYTES: usize = 16 * 1_024;
/// The longest line that says the size of a chunk.
const MAX_SIZE_BYTES: usize = 64;

/// What a direction carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part<'a> {
    /// The head of a request or answer, without its empty line.
    Head(&'a [u8]),
    /// Content bytes.
    Body(&'a [u8]),
    /// The message is whole.
    End,
}

/// Cuts one direction into messages.
#[derive(Debug, Default)]
pub struct Half {
    buffer: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    #[default]
    Head,
    /// So many bytes of content are to come.
    Body(u64),
    /// A line with the size of the next chunk is to come.
    ChunkSize,
    /// So many bytes of this chunk, its line break among them, are to come.
    Chunk(u64),
    /// The empty line after the last chunk is to come.
    Trailer,
    /// All until the connection ends.
    UntilClose,
    /// Not HTTP, or lost.
    Broken,
}

impl Half {
    /// Takes the next bytes. `has_no_body` answers whether the message with this head has none (an answer to HEAD).
    pub fn take(&mut self, bytes: &[u8], has_no_body: bool, give: &mut dyn FnMut(Part<'_>)) {
        if self.state == State::Broken {
            self.buffer = Vec::new();
            return;
        }
        self.buffer.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(used) = self.step(at, has_no_body, give) {
            at += used;
        }
        self.buffer.drain(..at.min(self.buffer.len()));
    }

    /// Bytes that wait for others.
    pub fn held_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes are missing: what follows cannot be cut, unless they are content.
    pub fn gap(&mut self, count: u64) {
        self.state = match self.state {
            State::Body(left) if left >= count => State::Body(left - count),
            State::UntilClose => State::UntilClose,
            _ => State::Broken,
        };
    }

    /// The connection is over.
    pub fn finish(&mut self, give: &mut dyn FnMut(Part<'_>)) {
        if self.state == State::UntilClose {
            self.state = State::Head;
            give(Part::End);
        }
    }

    /// Does one step with what is buffered from `at` on; `None` where more is needed.
    fn step(&mut self, at: usize, has_no_body: bool, give: &mut dyn FnMut(Part<'_>)) -> Option<usize> {
        let rest = self.buffer.get(at..).filter(|rest| !rest.is_empty());
        match self.state {
            State::Head => {
                let rest = rest?;
                let Some((end, used)) = end_of_head(rest) else {
                    if rest.len() > MAX_HEAD_BYTES {
                        self.state = State::Broken;
                    }
                    return None;
                };
                let head = &rest[..end];
                give(Part::Head(head));
                self.state = body_of(head, has_no_body);
                if self.state == State::Head {
                    give(Part::End);
                }
                Some(used)
            }
            State::Body(0) => {
                self.state = State::Head;
                give(Part::End);
                Some(0)
            }
            State::Body(left) => {
                let rest = rest?;
                let count = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                give(Part::Body(&rest[..count]));
                self.state = State::Body(left - count as u64);
                Some(count)
            }
            State::ChunkSize => {
                let (used, state) = chunk_of(rest?)?;
                self.state = state;
                Some(used)
            }
            State::Chunk(0) => {
                self.state = State::ChunkSize;
                Some(0)
            }
            State::Chunk(left) => {
                let rest = rest?;
                let count = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let content = count.min(usize::try_from(left.saturating_sub(2)).unwrap_or(usize::MAX));
                if content > 0 {
                    give(Part::Body(&rest[..content]));
                }
                self.state = State::Chunk(left - count as u64);
                Some(count)
            }
            State::Trailer => {
                let end = memmem::find(rest?, b"\n")?;
                if end <= 1 {
                    self.state = State::Head;
                    give(Part::End);
                }
                Some(end + 1)
            }
            State::UntilClose => {
                let rest = rest?;
                give(Part::Body(rest));
                Some(rest.len())
            }
            State::Broken => None,
        }
    }
}

/// The chunk whose size the first line says (RFC 9112 §7.1), and how long that line is.
fn chunk_of(rest: &[u8]) -> Option<(usize, State)> {
    let Some(end) = memmem::find(rest, b"\n") else {
        return (rest.len() > MAX_SIZE_BYTES).then_some((0, State::Broken));
    };
    let digits = rest[..end].split(|b| matches!(b, b';' | b'\r')).next().unwrap_or_default();
    let size = std::str::from_utf8(digits).ok().and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    let state = match size {
        Some(0) => State::Trailer,
        Some(size) => State::Chunk(size.saturating_add(2)),
        None => State::Broken,
    };
    Some((end + 1, state))
}

/// Where the head ends, and where the body begins.
fn end_of_head(bytes: &[u8]) -> Option<(usize, usize)> {
    let crlf = memmem::find(bytes, b"\r\n\r\n").map(|at| (at, at + 4));
    crlf.or_else(|| memmem::find(bytes, b"\n\n").map(|at| (at, at + 2)))
}

/// How long the content is, RFC 9112 §6.3.
fn body_of(head: &[u8], has_no_body: bool) -> State {
    let is_answer = head.starts_with(b"HTTP/");
    let status = head.get(9..12).filter(|_| is_answer);
    if has_no_body || status.is_some_and(|s| s == b"204" || s == b"304" || s[0] == b'1') {
        return State::Head;
    }
    let chunked =
        header(head, "Transfer-Encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked"));
    if chunked {
        return State::ChunkSize;
    }
    match header(head, "Content-Length").and_then(|value| value.parse().ok()) {
        Some(length) => State::Body(length),
        None if is_answer => State::UntilClose,
        None => State::Head,
    }
}

/// A header's value, trimmed.
pub fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    head.split(|&byte| byte == b'\n').skip(1).find_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let (field, value) = (line.get(..colon)?, line.get(colon + 1..)?);
        let wanted = field.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        wanted.then(|| std::str::from_utf8(value.trim_ascii()).ok()).flatten()
    })
}

/// Whether bytes begin as a request or an answer does.
pub fn is_http(bytes: &[u8]) -> bool {
    const VERBS: [&[u8]; 8] =
        [b"GET ", b"PUT ", b"POST ", b"HEAD ", b"HTTP/1.", b"OPTIONS /", b"DELETE ", b"OPTIONS http"];
    VERBS.iter().any(|verb| bytes.starts_with(verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: &[&str]) {
        for piece in [1, 5, input.len()] {
            let (mut half, mut seen) = (Half::default(), Vec::<String>::new());
            let mut give = |part: Part<'_>| {
                match part {
                    Part::Head(head) => seen.push(format!("head {}", head.len())),
                    Part::Body(body) => {
                        let body = String::from_utf8_lossy(body);
                        match seen.last_mut().filter(|last| last.starts_with("body")) {
                            Some(last) => last.push_str(&body),
                            None => seen.push(format!("body {body}")),
                        }
                    }
                    Part::End => seen.push("end".to_owned()),
                };
            };
            for bytes in input.chunks(piece) {
                half.take(bytes, false, &mut give);
            }
            half.finish(&mut give);
            assert_eq!(seen, expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn each_way_to_tell_the_length() {
        check(
            b"GET /mac.cfg HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
            &["head 30", "end", "head 15", "end"],
        );
        check(
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 304 x\r\n\r\n",
            &["head 34", "body abc", "end", "head 14", "end"],
        );
        check(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
            &["head 43", "body abcde", "end"],
        );
        check(b"HTTP/1.0 200 OK\r\n\r\nabc", &["head 15", "body abc", "end"]);
        check(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", &["head 41", "end"]);
    }

    #[test]
    fn a_gap_in_the_content_is_stood() {
        let mut half = Half::default();
        let mut ends = 0;
        let mut give = |part: Part<'_>| ends += u32::from(part == Part::End);
        half.take(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab", false, &mut give);
        half.gap(6);
        half.take(b"ij", false, &mut give);
        assert_eq!(ends, 1);
        half.gap(1);
        half.take(b"HTTP/1.1 200 OK\r\n\r\n", false, &mut |part| panic!("{part:?}"));
    }

    #[test]
    fn a_head_without_end_is_given_up() {
        let mut half = Half::default();
        for _ in 0..100 {
            half.take(&[b'x'; 1_000], false, &mut |_| ());
        }
        assert!(half.state == State::Broken && half.buffer.len() < 2 * MAX_HEAD_BYTES);
    }
}
