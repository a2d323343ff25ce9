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
/// Sources that the far end's key may have at a time; the one unheard for longest gives way.
pub const SOURCES_LIMIT: usize = 8;
/// Sources that our key may ever protect. None gives way: begun anew it would repeat its key stream.
pub const SOURCES_SENT_LIMIT: usize = 256;

/// A crypto suite of RFC 4568 §6.2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80`: tags of ten bytes.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`: tags of four bytes on RTP, of ten on RTCP.
    AesCm128HmacSha1_32,
}

impl Suite {
    /// All of them, the stronger first.
    pub const ALL: [Suite; 2] = [Suite::AesCm128HmacSha1_80, Suite::AesCm128HmacSha1_32];

    /// As `a=crypto` writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Suite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// From what `a=crypto` says; `None` for a suite that is not spoken here.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    const fn rtp_tag_bytes(self) -> usize {
        match self {
            Suite::AesCm128HmacSha1_80 => 10,
            Suite::AesCm128HmacSha1_32 => 4,
        }
    }
}

/// A master key with its salt, for one suite; two suites want two keys. Never printed.
#[derive(Clone, Eq, PartialEq)]
pub struct MasterKey {
    suite: Suite,
    bytes: [u8; KEY_BYTES + SALT_BYTES],
}

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

    /// From the base64 of key and salt, as in `inline:BASE64` (RFC 4568 §6.1); `None` unless it is the base64 of
    /// 30 bytes.
    pub fn from_base64(suite: Suite, text: &str) -> Option<Self> {
        decode_key(text).map(|bytes| Self { suite, bytes })
    }

    /// Key and salt as base64: 40 characters, no padding.
    pub fn base64(&self) -> String {
        let mut text = String::with_capacity(40);
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
    /// The key has protected as many packets or sources as it may; agree on a new one by re-INVITE.
    KeyExhausted,
    /// The key has protected a packet of this number, or of a much later one: to protect another would
    /// give both away (RFC 3711 §9.1).
    Repeated,
}

impl fmt::Display for SrtpFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SrtpFlaw::NotSrtp => "the far end's packet is no SRTP; it may be sending plain RTP",
            SrtpFlaw::Tag => "the far end's packet does not fit the agreed key",
            SrtpFlaw::Replayed => "the packet was received before",
            SrtpFlaw::Repeated => {
                "a packet of this number has been sent before, so this one cannot be encrypted"
            }
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
    /// [`SrtpFlaw::NotSrtp`] where `packet` is no RTP, [`SrtpFlaw::KeyExhausted`] at a key's end,
    /// [`SrtpFlaw::Repeated`] where its number was used.
    pub fn protect_rtp(&mut self, packet: &mut Vec<u8>) -> Result<(), SrtpFlaw> {
        let header = Header::parse(packet).map_err(|_| SrtpFlaw::NotSrtp)?;
        let source = self.sources.keep(header.ssrc).ok_or(SrtpFlaw::KeyExhausted)?;
        let index = source.rtp.guess(header.sequence);
        if index >= RTP_INDEX_END {
            return Err(SrtpFlaw::KeyExhausted);
        }
        if source.rtp.has(index) {
            return Err(SrtpFlaw::Repeated);
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
        let source = self.sources.keep(ssrc).ok_or(SrtpFlaw::KeyExhausted)?;
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

/// The sources of one key: at most [`SOURCES_LIMIT`] that are heard, [`SOURCES_SENT_LIMIT`] that are sent.
///
/// Only authenticated packets enter, so it is the key's owner alone who can push one out.
#[derive(Debug, Default)]
struct Sources {
    slots: Vec<Source>,
    uses: u64,
}

impl Sources {
    fn find(&self, ssrc: u32) -> Option<&Source> {
        self.slots.iter().find(|source| source.ssrc == ssrc)
    }

    /// A source that is heard; a new one takes the place of the one unheard for longest.
    fn get(&mut self, ssrc: u32) -> &mut Source {
        self.uses += 1;
        let place = self.place(ssrc, SOURCES_LIMIT).unwrap_or_else(|| self.least_used());
        // `place` comes from a search in this very list, which has one by now.
        let source = &mut self.slots[place];
        if source.ssrc != ssrc {
            *source = Source::new(ssrc);
        }
        source.used = self.uses;
        source
    }

    /// A source that is sent; none where there are too many.
    fn keep(&mut self, ssrc: u32) -> Option<&mut Source> {
        let place = self.place(ssrc, SOURCES_SENT_LIMIT)?;
        self.slots.get_mut(place)
    }

    /// Where a source is, or is from now on; none where it is new and there are `limit` already.
    fn place(&mut self, ssrc: u32, limit: usize) -> Option<usize> {
        let known = self.slots.iter().position(|source| source.ssrc == ssrc);
        if known.is_none() && self.slots.len() < limit {
            self.slots.push(Source::new(ssrc));
            return Some(self.slots.len() - 1);
        }
        known
    }

    fn least_used(&self) -> usize {
        self.slots.iter().enumerate().min_by_key(|(_, source)| source.used).map_or(0, |(place, _)| place)
    }
}

impl Source {
    fn new(ssrc: u32) -> Self {
        Self { ssrc, ..Self::default() }
    }
}

#[cfg(test)]
mod tests;
