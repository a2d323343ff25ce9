//! SRTP and SRTCP, RFC 3711, keyed by SDES, RFC 4568: AES-CM with HMAC-SHA1, in place.

use super::packet::{Header, read_u32};
use crate::Rng;
use aes::Aes128;
use aes::cipher::{InnerIvInit, KeyInit, StreamCipherCore};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use std::fmt;
use subtle::ConstantTimeEq;

const KEY_BYTES: usize = 16;
const SALT_BYTES: usize = 14;
const AUTH_KEY_BYTES: usize = 20;
const RTCP_TAG_BYTES: usize = 10;
const RTCP_HEADER_BYTES: usize = 8;
const RTCP_INDEX_BYTES: usize = 4;
/// Behind the highest index, how many are still told apart (RFC 3711 §3.3.2 asks for at least 64).
const WINDOW: u64 = 64;
/// A key lives for 2^48 RTP and 2^31 RTCP packets, RFC 3711 §9.2.
const RTP_INDEX_END: u64 = 1 << 48;
const RTCP_INDEX_END: u32 = 1 << 31;
/// Sources that one key may have at a time; the one unheard for longest gives way.
pub const SOURCES_LIMIT: usize = 8;

/// A crypto suite of RFC 4568 §6.2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80`: tags of ten bytes.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`: tags of four bytes on RTP, of ten on RTCP.
    AesCm128HmacSha1_32,
}

impl Suite {
    /// As `a=crypto` writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Suite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// From what `a=crypto` says; `None` for a suite that is not spoken here.
    pub fn from_name(name: &str) -> Option<Self> {
        [Suite::AesCm128HmacSha1_80, Suite::AesCm128HmacSha1_32]
            .into_iter()
            .find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    const fn rtp_tag_bytes(self) -> usize {
        match self {
            Suite::AesCm128HmacSha1_80 => 10,
            Suite::AesCm128HmacSha1_32 => 4,
        }
    }
}

/// A master key with its salt. Never printed.
#[derive(Clone, Eq, PartialEq)]
pub struct MasterKey {
    suite: Suite,
    bytes: [u8; KEY_BYTES + SALT_BYTES],
}

/// Why the key parameter of an `a=crypto` line cannot be used. The far end's SDP is at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyFlaw {
    /// It does not begin with `inline:`.
    NotInline,
    /// It is not the base64 of 30 bytes.
    Base64,
    /// The lifetime is neither a number nor `2^n`.
    Lifetime,
    /// It asks for a master key identifier in each packet, which is not spoken here.
    KeyIdentifier,
}

impl fmt::Display for KeyFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyFlaw::NotInline => "the far end's a=crypto key does not begin with inline:",
            KeyFlaw::Base64 => "the far end's a=crypto key is not the base64 of 30 bytes",
            KeyFlaw::Lifetime => "the far end's a=crypto lifetime is neither a number nor 2^n",
            KeyFlaw::KeyIdentifier => {
                "the far end's a=crypto asks for a master key identifier; switch MKI off there"
            }
        })
    }
}

impl std::error::Error for KeyFlaw {}

impl MasterKey {
    /// A new one by chance.
    pub fn generate(suite: Suite, rng: &mut Rng) -> Self {
        let mut bytes = [0; KEY_BYTES + SALT_BYTES];
        rng.fill(&mut bytes);
        Self { suite, bytes }
    }

    /// From key and salt in one piece.
    pub const fn from_bytes(suite: Suite, bytes: [u8; KEY_BYTES + SALT_BYTES]) -> Self {
        Self { suite, bytes }
    }

    /// From `inline:BASE64[|lifetime]`, RFC 4568 §6.1.
    ///
    /// # Errors
    /// A [`KeyFlaw`]; the line is then to be skipped and the next one tried.
    pub fn from_inline(suite: Suite, text: &str) -> Result<Self, KeyFlaw> {
        let head = text.get(..7).ok_or(KeyFlaw::NotInline)?;
        if !head.eq_ignore_ascii_case("inline:") {
            return Err(KeyFlaw::NotInline);
        }
        let mut parts = text.get(7..).unwrap_or_default().split('|');
        let bytes = decode_key(parts.next().unwrap_or_default()).ok_or(KeyFlaw::Base64)?;
        for part in parts {
            if part.contains(':') {
                return Err(KeyFlaw::KeyIdentifier);
            }
            let digits = part.strip_prefix("2^").unwrap_or(part);
            digits.parse::<u64>().map_err(|_| KeyFlaw::Lifetime)?;
        }
        Ok(Self { suite, bytes })
    }

    /// As `inline:BASE64`.
    pub fn inline(&self) -> String {
        let mut text = String::from("inline:");
        for group in self.bytes.chunks_exact(3) {
            let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
            for shift in [18, 12, 6, 0] {
                text.push(char::from(BASE64[(bits >> shift & 63) as usize]));
            }
        }
        text
    }

    /// The suite it is for.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    fn salt(&self) -> [u8; SALT_BYTES] {
        let mut salt = [0; SALT_BYTES];
        salt.copy_from_slice(&self.bytes[KEY_BYTES..]);
        salt
    }

    /// Fills `out` with the session key of `label`, RFC 3711 §4.3.1 with a derivation rate of 0.
    fn derive(&self, label: u8, out: &mut [u8]) {
        let mut iv = [0; 16];
        iv[..SALT_BYTES].copy_from_slice(&self.salt());
        iv[7] ^= label;
        let mut key = [0; KEY_BYTES];
        key.copy_from_slice(&self.bytes[..KEY_BYTES]);
        out.fill(0);
        keystream(&Aes128::new(&key.into()), iv, out);
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.suite.name())
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// 30 bytes are 40 characters of base64, without padding.
fn decode_key(text: &str) -> Option<[u8; KEY_BYTES + SALT_BYTES]> {
    let mut bytes = [0; KEY_BYTES + SALT_BYTES];
    if text.len() != 40 {
        return None;
    }
    for (group, out) in text.as_bytes().chunks_exact(4).zip(bytes.chunks_exact_mut(3)) {
        let mut bits = 0u32;
        for letter in group {
            bits = bits << 6 | BASE64.iter().position(|known| known == letter)? as u32;
        }
        out.copy_from_slice(&bits.to_be_bytes()[1..]);
    }
    Some(bytes)
}

/// Why a packet did not pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SrtpFlaw {
    /// No room for a header and a tag, or no RTP: it is not protected by the far end.
    NotSrtp,
    /// The tag does not fit: another key, a damaged packet, or an attack.
    Tag,
    /// It was here before, or is too old to tell.
    Replayed,
    /// The key has protected as many packets as it may; agree on a new one by re-INVITE.
    KeyExhausted,
}

impl fmt::Display for SrtpFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SrtpFlaw::NotSrtp => "the far end's packet is no SRTP; it may be sending plain RTP",
            SrtpFlaw::Tag => "the far end's packet does not fit the agreed key",
            SrtpFlaw::Replayed => "the packet was received before",
            SrtpFlaw::KeyExhausted => "our SRTP key is used up; renew it by a re-INVITE",
        })
    }
}

impl std::error::Error for SrtpFlaw {}

/// Protects what is sent with one key.
pub struct Protector {
    rtp: SessionKeys,
    rtcp: SessionKeys,
    sources: Sources,
}

/// Opens what is received with one key.
pub struct Opener {
    rtp: SessionKeys,
    rtcp: SessionKeys,
    sources: Sources,
}

impl Protector {
    /// For our key.
    pub fn new(master: &MasterKey) -> Self {
        let (rtp, rtcp) = SessionKeys::pair(master);
        Self { rtp, rtcp, sources: Sources::default() }
    }

    /// Encrypts one whole RTP packet and appends its tag.
    ///
    /// # Errors
    /// [`SrtpFlaw::NotSrtp`] where `packet` is no RTP, [`SrtpFlaw::KeyExhausted`] at a key's end.
    pub fn protect_rtp(&mut self, packet: &mut Vec<u8>) -> Result<(), SrtpFlaw> {
        let header = Header::parse(packet).map_err(|_| SrtpFlaw::NotSrtp)?;
        let source = self.sources.get(header.ssrc);
        let index = source.rtp.guess(header.sequence);
        if index >= RTP_INDEX_END {
            return Err(SrtpFlaw::KeyExhausted);
        }
        source.rtp.accept(index);
        let body = packet.get_mut(header.bytes..).ok_or(SrtpFlaw::NotSrtp)?;
        self.rtp.crypt(header.ssrc, index, body);
        let tag = self.rtp.tag(packet, &rollover_bytes(index));
        packet.extend_from_slice(tag.get(..self.rtp.tag_bytes).unwrap_or_default());
        Ok(())
    }

    /// Encrypts one whole RTCP compound and appends index and tag, RFC 3711 §3.4.
    ///
    /// # Errors
    /// As [`Protector::protect_rtp`].
    pub fn protect_rtcp(&mut self, packet: &mut Vec<u8>) -> Result<(), SrtpFlaw> {
        if packet.len() < RTCP_HEADER_BYTES {
            return Err(SrtpFlaw::NotSrtp);
        }
        let ssrc = read_u32(packet, 4);
        let source = self.sources.get(ssrc);
        let index = source.rtcp_sent;
        if index >= RTCP_INDEX_END {
            return Err(SrtpFlaw::KeyExhausted);
        }
        source.rtcp_sent += 1;
        let body = packet.get_mut(RTCP_HEADER_BYTES..).ok_or(SrtpFlaw::NotSrtp)?;
        self.rtcp.crypt(ssrc, index.into(), body);
        packet.extend_from_slice(&(index | ENCRYPTED).to_be_bytes());
        let tag = self.rtcp.tag(packet, &[]);
        packet.extend_from_slice(tag.get(..RTCP_TAG_BYTES).unwrap_or_default());
        Ok(())
    }
}

/// The bit before the SRTCP index: the packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;

impl Opener {
    /// For the far end's key.
    pub fn new(master: &MasterKey) -> Self {
        let (rtp, rtcp) = SessionKeys::pair(master);
        Self { rtp, rtcp, sources: Sources::default() }
    }

    /// Checks and decrypts one packet in place; the length of the plain packet at its front.
    /// A refused packet is left as it came and changes nothing.
    ///
    /// # Errors
    /// A [`SrtpFlaw`].
    pub fn open_rtp(&mut self, bytes: &mut [u8]) -> Result<usize, SrtpFlaw> {
        let length = bytes.len().checked_sub(self.rtp.tag_bytes).ok_or(SrtpFlaw::NotSrtp)?;
        let (packet, tag) = bytes.split_at_mut(length);
        let header = Header::parse(packet).map_err(|_| SrtpFlaw::NotSrtp)?;
        let known = self.sources.find(header.ssrc);
        let index = known.map_or(header.sequence.into(), |source| source.rtp.guess(header.sequence));
        if known.is_some_and(|source| source.rtp.has(index)) {
            return Err(SrtpFlaw::Replayed);
        }
        if !equal(tag, &self.rtp.tag(packet, &rollover_bytes(index))) {
            return Err(SrtpFlaw::Tag);
        }
        self.sources.get(header.ssrc).rtp.accept(index);
        self.rtp.crypt(header.ssrc, index, packet.get_mut(header.bytes..).unwrap_or_default());
        Ok(length)
    }

    /// Checks and decrypts one RTCP compound in place; the length of the plain one at its front.
    ///
    /// # Errors
    /// A [`SrtpFlaw`].
    pub fn open_rtcp(&mut self, bytes: &mut [u8]) -> Result<usize, SrtpFlaw> {
        let signed = bytes.len().checked_sub(RTCP_TAG_BYTES).ok_or(SrtpFlaw::NotSrtp)?;
        let length = signed.checked_sub(RTCP_INDEX_BYTES).ok_or(SrtpFlaw::NotSrtp)?;
        if length < RTCP_HEADER_BYTES || bytes[0] >> 6 != 2 {
            return Err(SrtpFlaw::NotSrtp);
        }
        let (packet, tag) = bytes.split_at_mut(signed);
        let word = read_u32(packet, length);
        let index = u64::from(word & !ENCRYPTED);
        let ssrc = read_u32(packet, 4);
        if self.sources.find(ssrc).is_some_and(|source| source.rtcp.has(index)) {
            return Err(SrtpFlaw::Replayed);
        }
        if !equal(tag, &self.rtcp.tag(packet, &[])) {
            return Err(SrtpFlaw::Tag);
        }
        self.sources.get(ssrc).rtcp.accept(index);
        if word & ENCRYPTED != 0 {
            let body = packet.get_mut(RTCP_HEADER_BYTES..length).unwrap_or_default();
            self.rtcp.crypt(ssrc, index, body);
        }
        Ok(length)
    }
}

impl fmt::Debug for Protector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protector")
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")
    }
}

/// The first bytes of a computed tag against a received one, in constant time.
fn equal(received: &[u8], computed: &[u8; 20]) -> bool {
    computed.get(..received.len()).is_some_and(|computed| computed.ct_eq(received).into())
}

fn rollover_bytes(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

/// XORs the AES counter stream that begins at `iv` into `data`.
fn keystream(cipher: &Aes128, iv: [u8; 16], data: &mut [u8]) {
    let stream = ctr::CtrCore::<&Aes128, ctr::flavors::Ctr128BE>::inner_iv_init(cipher, &iv.into());
    stream.apply_keystream_partial(data.into());
}

/// The keys of one direction of RTP or RTCP, expanded once.
struct SessionKeys {
    cipher: Aes128,
    salt: [u8; SALT_BYTES],
    mac: Hmac<Sha1>,
    tag_bytes: usize,
}

impl SessionKeys {
    fn pair(master: &MasterKey) -> (Self, Self) {
        (Self::new(master, 0, master.suite.rtp_tag_bytes()), Self::new(master, 3, RTCP_TAG_BYTES))
    }

    /// Labels come in threes: cipher, authentication, salt (RFC 3711 §4.3.1).
    fn new(master: &MasterKey, label: u8, tag_bytes: usize) -> Self {
        let (mut key, mut auth, mut salt) = ([0; KEY_BYTES], [0; AUTH_KEY_BYTES], [0; SALT_BYTES]);
        master.derive(label, &mut key);
        master.derive(label + 1, &mut auth);
        master.derive(label + 2, &mut salt);
        // HMAC pads a key shorter than its 64-byte block with zeros.
        let mut block = [0; 64];
        block[..AUTH_KEY_BYTES].copy_from_slice(&auth);
        Self { cipher: Aes128::new(&key.into()), salt, mac: Hmac::new(&block.into()), tag_bytes }
    }

    /// RFC 3711 §4.1.1; the same call encrypts and decrypts.
    fn crypt(&self, ssrc: u32, index: u64, data: &mut [u8]) {
        let mut iv = [0; 16];
        iv[..SALT_BYTES].copy_from_slice(&self.salt);
        let counter = u128::from(ssrc) << 64 | u128::from(index) << 16;
        keystream(&self.cipher, (u128::from_be_bytes(iv) ^ counter).to_be_bytes(), data);
    }

    fn tag(&self, packet: &[u8], suffix: &[u8]) -> [u8; 20] {
        let mut mac = self.mac.clone();
        mac.update(packet);
        mac.update(suffix);
        mac.finalize().into_bytes().into()
    }
}

/// The indices seen of one stream: the highest, and which of the 64 up to it.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    highest: Option<u64>,
    seen: u64,
}

impl Window {
    /// The 48-bit index of a 16-bit sequence number, RFC 3711 §3.3.1 and appendix A.
    fn guess(&self, sequence: u16) -> u64 {
        let Some(highest) = self.highest else { return sequence.into() };
        let ahead = i64::from(sequence.wrapping_sub(highest as u16) as i16);
        highest.checked_add_signed(ahead).unwrap_or(sequence.into())
    }

    fn has(&self, index: u64) -> bool {
        match self.highest.and_then(|highest| highest.checked_sub(index)) {
            Some(behind) => behind >= WINDOW || self.seen >> behind & 1 == 1,
            None => false,
        }
    }

    fn accept(&mut self, index: u64) {
        let Some(highest) = self.highest else {
            (self.highest, self.seen) = (Some(index), 1);
            return;
        };
        if let Some(behind) = highest.checked_sub(index) {
            self.seen |= 1u64.checked_shl(behind.min(WINDOW) as u32).unwrap_or(0);
        } else {
            let ahead = (index - highest).min(WINDOW) as u32;
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = Some(index);
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Source {
    ssrc: u32,
    rtp: Window,
    rtcp: Window,
    rtcp_sent: u32,
    used: u64,
}

/// The sources of one key, at most [`SOURCES_LIMIT`].
///
/// Only authenticated packets enter, so it is the key's owner alone who can push one out.
#[derive(Debug, Default)]
struct Sources {
    slots: [Source; SOURCES_LIMIT],
    uses: u64,
}

impl Sources {
    fn find(&self, ssrc: u32) -> Option<&Source> {
        self.slots.iter().find(|source| source.used > 0 && source.ssrc == ssrc)
    }

    fn get(&mut self, ssrc: u32) -> &mut Source {
        self.uses += 1;
        let known = self.slots.iter().position(|source| source.used > 0 && source.ssrc == ssrc);
        let place = known.unwrap_or_else(|| self.least_used());
        // `place` comes from a search in this very array.
        let source = &mut self.slots[place];
        if known.is_none() {
            *source = Source { ssrc, ..Source::default() };
        }
        source.used = self.uses;
        source
    }

    fn least_used(&self) -> usize {
        self.slots.iter().enumerate().min_by_key(|(_, source)| source.used).map_or(0, |(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::Packet;
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
        digits.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
    }

    /// The master key and salt of RFC 3711 B.3, which libsrtp's own validation uses too.
    fn master(suite: Suite) -> MasterKey {
        let bytes = hex("e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6");
        MasterKey::from_bytes(suite, bytes.try_into().unwrap())
    }

    fn rtp(sequence: u16, ssrc: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        Packet { sequence, ssrc, payload: b"sound", ..Packet::default() }.write(&mut bytes);
        bytes
    }

    #[test]
    fn keys_of_rfc_3711_b_3() {
        let check = |label: u8, expected: &str| {
            let expected = hex(expected);
            let mut key = vec![0; expected.len()];
            master(Suite::AesCm128HmacSha1_80).derive(label, &mut key);
            assert_eq!(key, expected);
        };
        check(0, "C61E7A93744F39EE10734AFE3FF7A087");
        check(2, "30CBBC08863D8C85D49DB34A9AE1");
        check(
            1,
            "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4 8F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF72270986371C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E47403576",
        );
    }

    #[test]
    fn the_rtp_packet_of_libsrtps_validation() {
        let plain = hex("800f1234decafbadcafebabe abababababababababababababababab");
        let sealed = hex("800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb");
        let mut packet = plain.clone();
        Protector::new(&master(Suite::AesCm128HmacSha1_80)).protect_rtp(&mut packet).unwrap();
        assert_eq!(packet, sealed);
        let length = Opener::new(&master(Suite::AesCm128HmacSha1_80)).open_rtp(&mut packet).unwrap();
        assert_eq!(packet[..length], plain);
    }

    #[test]
    fn the_rtcp_packet_of_libsrtps_validation() {
        let plain = hex("81c8000bcafebabe abababababababababababababababab");
        let sealed = hex("81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798");
        for suite in [Suite::AesCm128HmacSha1_80, Suite::AesCm128HmacSha1_32] {
            let mut packet = sealed.clone();
            let mut opener = Opener::new(&master(suite));
            let length = opener.open_rtcp(&mut packet).unwrap();
            assert_eq!(packet[..length], plain);
            assert_eq!(opener.open_rtcp(&mut sealed.clone()), Err(SrtpFlaw::Replayed));
            let mut protector = Protector::new(&master(suite));
            protector.protect_rtcp(&mut plain.clone()).unwrap();
            let mut second = plain.clone();
            protector.protect_rtcp(&mut second).unwrap();
            assert_eq!(second, sealed);
        }
    }

    #[test]
    fn the_short_tag_is_the_front_of_the_long_one() {
        let (mut long, mut short) = (rtp(1, 7), rtp(1, 7));
        Protector::new(&master(Suite::AesCm128HmacSha1_80)).protect_rtp(&mut long).unwrap();
        Protector::new(&master(Suite::AesCm128HmacSha1_32)).protect_rtp(&mut short).unwrap();
        assert_eq!(long[..long.len() - 6], short);
    }

    #[test]
    fn the_rollover_counter_follows_the_sequence() {
        let master = master(Suite::AesCm128HmacSha1_80);
        let (mut protector, mut opener) = (Protector::new(&master), Opener::new(&master));
        let mut late = Vec::new();
        for step in 0..200_000u32 {
            let mut packet = rtp(65_000u16.wrapping_add(step as u16), 9);
            protector.protect_rtp(&mut packet).unwrap();
            if step == 530 {
                late = packet;
            } else if step % 7 != 3 {
                opener.open_rtp(&mut packet).unwrap();
            }
            if step == 540 {
                // From before the wrap (step 536), after it.
                opener.open_rtp(&mut late).unwrap();
            }
        }
        assert_eq!(opener.sources.find(9).unwrap().rtp.highest.unwrap() >> 16, 4);
    }

    #[test]
    fn a_replayed_forged_or_plain_packet_is_refused_and_changes_nothing() {
        let master = master(Suite::AesCm128HmacSha1_80);
        let (mut protector, mut opener) = (Protector::new(&master), Opener::new(&master));
        let mut packet = rtp(40_000, 9);
        protector.protect_rtp(&mut packet).unwrap();
        let mut forged = packet.clone();
        forged[14] ^= 1;
        assert_eq!(opener.open_rtp(&mut forged), Err(SrtpFlaw::Tag));
        assert_eq!(opener.open_rtp(&mut rtp(1, 9)), Err(SrtpFlaw::NotSrtp));
        assert!(opener.sources.find(9).is_none());
        opener.open_rtp(&mut packet.clone()).unwrap();
        assert_eq!(opener.open_rtp(&mut packet.clone()), Err(SrtpFlaw::Replayed));
        for ahead in 1..=70 {
            let mut next = rtp(40_000 + ahead, 9);
            protector.protect_rtp(&mut next).unwrap();
            opener.open_rtp(&mut next).unwrap();
        }
        assert_eq!(opener.open_rtp(&mut packet), Err(SrtpFlaw::Replayed));
    }

    #[test]
    fn the_table_of_sources_is_bounded() {
        let master = master(Suite::AesCm128HmacSha1_80);
        let (mut protector, mut opener) = (Protector::new(&master), Opener::new(&master));
        for ssrc in 0..100 {
            let mut packet = rtp(1, ssrc);
            protector.protect_rtp(&mut packet).unwrap();
            opener.open_rtp(&mut packet).unwrap();
        }
        assert!(opener.sources.find(91).is_none());
        assert!((92..100).all(|ssrc| opener.sources.find(ssrc).is_some()));
    }

    #[test]
    fn a_key_ends() {
        let mut protector = Protector::new(&master(Suite::AesCm128HmacSha1_80));
        protector.sources.get(9).rtp.accept(RTP_INDEX_END - 1);
        protector.sources.get(9).rtcp_sent = RTCP_INDEX_END;
        assert_eq!(protector.protect_rtp(&mut rtp(0, 9)), Err(SrtpFlaw::KeyExhausted));
        let mut report = hex("80c90001 00000009");
        assert_eq!(protector.protect_rtcp(&mut report), Err(SrtpFlaw::KeyExhausted));
    }

    #[test]
    fn keys_in_sdp() {
        let suite = Suite::AesCm128HmacSha1_80;
        // RFC 4568 §9.1's example.
        let text = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20";
        let key = MasterKey::from_inline(suite, text).unwrap();
        assert_eq!(key.inline(), text.strip_suffix("|2^20").unwrap());
        assert!(!format!("{key:?}").contains("WVN"));
        let check = |text: &str, flaw| assert_eq!(MasterKey::from_inline(suite, text), Err(flaw), "{text}");
        check("WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz", KeyFlaw::NotInline);
        check("inline:WVNfX19z", KeyFlaw::Base64);
        check("inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGV-", KeyFlaw::Base64);
        check("inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|soon", KeyFlaw::Lifetime);
        check("inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4", KeyFlaw::KeyIdentifier);
        let made = MasterKey::generate(suite, &mut crate::Rng::from_number(3));
        assert_eq!(MasterKey::from_inline(suite, &made.inline()), Ok(made));
        assert_eq!(Suite::from_name(Suite::AesCm128HmacSha1_32.name()), Some(Suite::AesCm128HmacSha1_32));
        assert_eq!(Suite::from_name("AEAD_AES_256_GCM"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_panic(mut bytes in vec(any::<u8>(), 0..100), rtcp: bool) {
            if let Some(first) = bytes.first_mut() {
                *first |= 0x80;
            }
            let before = bytes.clone();
            let mut opener = Opener::new(&master(Suite::AesCm128HmacSha1_32));
            let opened = if rtcp { opener.open_rtcp(&mut bytes) } else { opener.open_rtp(&mut bytes) };
            prop_assert!(opened.is_err());
            prop_assert_eq!(bytes, before);
        }

        #[test]
        fn any_inline_text_is_read_without_panic(text in "\\PC{0,60}") {
            let _ = MasterKey::from_inline(Suite::AesCm128HmacSha1_80, &text);
            let _ = MasterKey::from_inline(Suite::AesCm128HmacSha1_80, &format!("inline:{text}"));
        }

        #[test]
        fn what_is_sealed_opens(payload in vec(any::<u8>(), 0..300), sequence: u16, ssrc: u32, short: bool) {
            let suite = if short { Suite::AesCm128HmacSha1_32 } else { Suite::AesCm128HmacSha1_80 };
            let mut plain = Vec::new();
            Packet { sequence, ssrc, payload: &payload, csrc: &[1, 2, 3, 4], padding_bytes: 3, ..Packet::default() }
                .write(&mut plain);
            let mut packet = plain.clone();
            Protector::new(&master(suite)).protect_rtp(&mut packet).unwrap();
            let length = Opener::new(&master(suite)).open_rtp(&mut packet).unwrap();
            prop_assert_eq!(&packet[..length], &plain[..]);
        }
    }
}
