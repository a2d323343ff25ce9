//! Messages out of WebSocket frames (RFC 6455 §5), for SIP over WebSocket (RFC 7118).

/// The longest message that is put together.
const MAX_MESSAGE_BYTES: usize = 65_535;

/// One direction after the upgrade.
#[derive(Debug, Default)]
pub struct Half {
    buffer: Vec<u8>,
    message: Vec<u8>,
    broken: bool,
}

impl Half {
    /// Takes the next bytes and gives each whole message.
    pub fn take(&mut self, bytes: &[u8], give: &mut dyn FnMut(&[u8])) {
        if self.broken {
            return;
        }
        self.buffer.extend_from_slice(bytes);
        while let Some((used, is_last, opcode, payload)) = frame(&self.buffer) {
            if self.message.len() + payload.len() > MAX_MESSAGE_BYTES {
                return self.gap();
            }
            self.buffer.drain(..used);
            // Control frames may stand between the frames of a message.
            if opcode >= 8 {
                continue;
            }
            self.message.extend_from_slice(&payload);
            if is_last {
                give(&self.message);
                self.message.clear();
            }
        }
        if self.buffer.len() > MAX_MESSAGE_BYTES + 14 {
            self.gap();
        }
    }

    /// Bytes that wait for others.
    pub fn held_bytes(&self) -> usize {
        self.buffer.len() + self.message.len()
    }

    /// Bytes are missing: frames can no longer be cut.
    pub fn gap(&mut self) {
        (self.broken, self.buffer, self.message) = (true, Vec::new(), Vec::new());
    }
}

/// One whole frame: its bytes, FIN, the opcode, the payload without its mask.
fn frame(bytes: &[u8]) -> Option<(usize, bool, u8, Vec<u8>)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (length, mut at) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?), 10),
        short => (u64::from(short), 2),
    };
    let mask: Option<[u8; 4]> = match second & 0x80 {
        0 => None,
        _ => {
            at += 4;
            Some(*bytes.get(at - 4..)?.first_chunk()?)
        }
    };
    let end = at.checked_add(usize::try_from(length).ok()?)?;
    let mut payload = bytes.get(at..end)?.to_vec();
    if let Some(mask) = mask {
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    }
    Some((end, first & 0x80 != 0, first & 0x0f, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masked_and_split_messages() {
        let mask = [1, 2, 3, 4];
        let hidden: Vec<u8> = b"OPTIONS".iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m).collect();
        let mut stream = [&[0x81, 0x87][..], &mask, &hidden].concat();
        stream.extend([0x01, 3]);
        stream.extend(b"abc");
        stream.extend([0x89, 0]);
        stream.extend([0x80, 126, 0, 2]);
        stream.extend(b"de");
        let (mut half, mut seen) = (Half::default(), Vec::new());
        for byte in stream {
            half.take(&[byte], &mut |message| seen.push(String::from_utf8_lossy(message).into_owned()));
        }
        assert_eq!(seen, ["OPTIONS", "abcde"]);
    }

    #[test]
    fn a_length_that_lies_is_bounded() {
        let mut half = Half::default();
        half.take(&[0x81, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], &mut |_| ());
        for _ in 0..100 {
            half.take(&[0; 4_096], &mut |_| ());
        }
        assert!(half.broken && half.buffer.is_empty());
    }
}
