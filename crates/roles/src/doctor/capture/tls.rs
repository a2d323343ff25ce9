//! What a TLS connection shows without its keys: names, versions, certificates, alerts (RFC 8446, RFC 5246).

use crate::doctor::Proof;
use crate::doctor::tracks::Tls;

const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const CHANGE_CIPHER: u8 = 20;
const APPLICATION: u8 = 23;
/// The longest record, RFC 8446 §5.2.
const MAX_RECORD_BYTES: usize = 16_384 + 256;
/// The most of a handshake that is kept: a chain of certificates.
const MAX_HANDSHAKE_BYTES: usize = 64 * 1_024;
/// The longest certificate that is kept.
const MAX_CERTIFICATE_BYTES: usize = 16 * 1_024;
const ALERTS_LIMIT: usize = 8;

/// One direction.
#[derive(Debug, Default)]
pub struct Half {
    buffer: Vec<u8>,
    handshake: Vec<u8>,
    /// After ChangeCipherSpec everything is encrypted.
    encrypted: bool,
    sent_data: bool,
    broken: bool,
}

/// Whether bytes begin as a TLS record with a handshake does.
pub fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [HANDSHAKE, 3, 0..=4, _, _, 1 | 2, ..])
}

impl Half {
    /// Takes the next bytes of this direction and notes what they show.
    pub fn take(&mut self, bytes: &[u8], from_client: bool, proof: Proof, tls: &mut Tls) {
        if self.broken {
            return;
        }
        self.buffer.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(&[kind, major, _, high, low]) =
            self.buffer.get(at..at + 5).and_then(|b| b.first_chunk())
        {
            let length = usize::from(u16::from_be_bytes([high, low]));
            if !(CHANGE_CIPHER..=APPLICATION + 1).contains(&kind) || major != 3 || length > MAX_RECORD_BYTES {
                return self.gap();
            }
            let Some(record) = self.buffer.get(at + 5..at + 5 + length) else { break };
            match kind {
                CHANGE_CIPHER => self.encrypted = true,
                ALERT => note_alert(record, self.encrypted, from_client, proof, tls),
                HANDSHAKE if !self.encrypted => {
                    let room = MAX_HANDSHAKE_BYTES.saturating_sub(self.handshake.len());
                    self.handshake
                        .extend_from_slice(record.get(..room.min(record.len())).unwrap_or_default());
                    read_handshake(&mut self.handshake, from_client, proof, tls);
                }
                APPLICATION => self.sent_data = true,
                _ => {}
            }
            at += 5 + length;
        }
        self.buffer.drain(..at);
    }

    /// Bytes that wait for others.
    pub fn held_bytes(&self) -> usize {
        self.buffer.len() + self.handshake.len()
    }

    /// Bytes are missing: records can no longer be cut.
    pub fn gap(&mut self) {
        (self.broken, self.buffer, self.handshake) = (true, Vec::new(), Vec::new());
    }

    /// Whether application data came this way.
    pub fn sent_data(&self) -> bool {
        self.sent_data
    }
}

fn note_alert(record: &[u8], encrypted: bool, from_client: bool, proof: Proof, tls: &mut Tls) {
    if let ([level, description], false) = (record, encrypted)
        && tls.alerts.len() < ALERTS_LIMIT
    {
        tls.alerts.push((*level, *description, from_client, proof));
    }
}

/// Takes whole handshake messages off the front.
fn read_handshake(buffer: &mut Vec<u8>, from_client: bool, proof: Proof, tls: &mut Tls) {
    let mut at = 0;
    while let Some(&[kind, a, b, c]) = buffer.get(at..at + 4).and_then(|head| head.first_chunk()) {
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let Some(body) = buffer.get(at + 4..at + 4 + length) else { break };
        match kind {
            1 if from_client => {
                tls.client_hello.get_or_insert(proof);
                let _ = client_hello(body, tls);
            }
            2 => {
                tls.server_hello.get_or_insert(proof);
                let _ = server_hello(body, tls);
            }
            11 if !from_client && tls.certificate.is_none() => {
                tls.certificate = certificate(body).map(|der| (der, proof))
            }
            _ => {}
        }
        at += 4 + length;
    }
    buffer.drain(..at);
}

/// A value with its length before it, of `size` bytes.
fn counted<'a>(bytes: &mut &'a [u8], size: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(size)?;
    let length = head.iter().fold(0usize, |sum, &byte| sum << 8 | usize::from(byte));
    let (value, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(value)
}

fn extensions<'a>(bytes: &mut &'a [u8]) -> Vec<(u16, &'a [u8])> {
    let mut all = counted(bytes, 2).unwrap_or_default();
    let mut found = Vec::new();
    while let Some((kind, mut rest)) = all.split_first_chunk::<2>() {
        let Some(value) = counted(&mut rest, 2) else { break };
        found.push((u16::from_be_bytes(*kind), value));
        all = rest;
    }
    found
}

fn client_hello(body: &[u8], tls: &mut Tls) -> Option<()> {
    let (version, mut rest) = body.split_first_chunk::<2>()?;
    let mut highest = u16::from_be_bytes(*version);
    rest = rest.get(32..)?;
    counted(&mut rest, 1)?;
    counted(&mut rest, 2)?;
    counted(&mut rest, 1)?;
    for (kind, mut value) in extensions(&mut rest) {
        match kind {
            0 => {
                let mut names = counted(&mut value, 2)?;
                names = names.strip_prefix(&[0])?;
                let name = counted(&mut names, 2)?;
                tls.server_name = Some(String::from_utf8_lossy(name).into());
            }
            43 => {
                let offered =
                    counted(&mut value, 1)?.chunks_exact(2).map(|v| u16::from_be_bytes([v[0], v[1]]));
                // 0x?a?a are the values that keep others tolerant (RFC 8701).
                highest = offered.filter(|version| version >> 8 == 3).max().unwrap_or(highest);
            }
            _ => {}
        }
    }
    tls.offered_version = Some(highest);
    Some(())
}

fn server_hello(body: &[u8], tls: &mut Tls) -> Option<()> {
    let (version, mut rest) = body.split_first_chunk::<2>()?;
    tls.version = Some(u16::from_be_bytes(*version));
    rest = rest.get(32..)?;
    counted(&mut rest, 1)?;
    rest = rest.get(3..)?;
    let chosen = extensions(&mut rest).into_iter().find(|(kind, _)| *kind == 43);
    if let Some((_, [high, low])) = chosen {
        tls.version = Some(u16::from_be_bytes([*high, *low]));
    }
    Some(())
}

/// The first certificate of the chain, RFC 5246 §7.4.2.
fn certificate(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut chain = counted(&mut body, 3)?;
    let first = counted(&mut chain, 3)?;
    (first.len() <= MAX_CERTIFICATE_BYTES).then(|| first.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::Time;

    const PROOF: Proof = Proof { at: Time::ZERO, file: 0, number: 1, offset: 0 };

    fn with_length(size: usize, bytes: &[u8]) -> Vec<u8> {
        let length = (bytes.len() as u32).to_be_bytes();
        [&length[4 - size..], bytes].concat()
    }

    fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[HANDSHAKE, 3, 1][..], &with_length(2, &[&[kind][..], &with_length(3, body)].concat())].concat()
    }

    fn hello(extensions: &[u8]) -> Vec<u8> {
        let head = [&[3, 3][..], &[7; 32], &[0], &with_length(2, &[0x13, 1]), &with_length(1, &[0])].concat();
        [&head[..], &with_length(2, extensions)].concat()
    }

    fn take(pieces: &[(bool, Vec<u8>)]) -> Tls {
        let (mut tls, mut halves) = (Tls::default(), [Half::default(), Half::default()]);
        for (from_client, bytes) in pieces {
            for piece in bytes.chunks(3) {
                halves[usize::from(!from_client)].take(piece, *from_client, PROOF, &mut tls);
            }
        }
        tls
    }

    #[test]
    fn a_handshake_shows_name_versions_and_certificate() {
        let name = with_length(2, &[&[0][..], &with_length(2, b"pbx.example")].concat());
        let versions = with_length(1, &[0x0a, 0x0a, 3, 4, 3, 3]);
        let extensions = [&[0, 0][..], &with_length(2, &name), &[0, 43], &with_length(2, &versions)].concat();
        let server = [&[3, 3][..], &[7; 32], &[0, 0x13, 1, 0], &with_length(2, &[])].concat();
        let chain = with_length(3, &[with_length(3, b"DER"), with_length(3, b"CA")].concat());
        let tls = take(&[
            (true, handshake(1, &hello(&extensions))),
            (false, handshake(2, &server)),
            (false, handshake(11, &chain)),
            (true, vec![ALERT, 3, 3, 0, 2, 2, 48]),
        ]);
        assert_eq!(tls.server_name.as_deref(), Some("pbx.example"));
        assert_eq!((tls.offered_version, tls.version), (Some(0x0304), Some(0x0303)));
        assert_eq!(tls.certificate.map(|(der, _)| der), Some(b"DER".to_vec()));
        assert_eq!(tls.alerts, [(2, 48, true, PROOF)]);
    }

    #[test]
    fn an_encrypted_alert_tells_nothing() {
        let tls = take(&[(true, vec![CHANGE_CIPHER, 3, 3, 0, 1, 1, ALERT, 3, 3, 0, 2, 2, 48])]);
        assert_eq!(tls.alerts, []);
    }

    #[test]
    fn lengths_that_lie_do_no_harm() {
        let mut bad = handshake(1, &hello(&[]));
        let length = bad.len();
        bad[length - 1] = 200;
        assert_eq!(take(&[(true, bad)]).offered_version, Some(0x0303));
        let mut half = Half::default();
        for _ in 0..1_000 {
            half.take(&handshake(1, &[0; 9_000])[..4_000], true, PROOF, &mut Tls::default());
            assert!(half.buffer.len() <= 2 * MAX_RECORD_BYTES && half.handshake.len() <= MAX_HANDSHAKE_BYTES);
        }
    }
}
