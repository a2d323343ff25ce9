//! G.711: A-law (PCMA) and µ-law (PCMU), one byte for each sample (ITU-T G.711; RFC 3551 §4.5.14).
//!
//! Both laws code the sign, a segment (the position of the highest bit) and four bits below it. Negative samples
//! are folded by one's complement, as in the reference code of ITU-T G.191.

/// The A-law byte of digital silence.
pub const ALAW_SILENCE: u8 = 0xD5;

/// The µ-law byte of digital silence.
pub const ULAW_SILENCE: u8 = 0xFF;

/// Codes one sample in A-law.
#[must_use]
pub const fn alaw_from_linear(sample: i16) -> u8 {
    let magnitude = fold(sample) >> 4;
    let code = if magnitude < 32 {
        magnitude as u8
    } else {
        let segment = 12 - magnitude.leading_zeros() as u16;
        ((segment << 4) | ((magnitude >> (segment - 1)) & 0x0F)) as u8
    };
    let sign = if sample < 0 { 0 } else { 0x80 };
    (sign | code) ^ ALAW_EVEN_BITS
}

/// The sample that an A-law byte stands for.
#[must_use]
pub const fn linear_from_alaw(byte: u8) -> i16 {
    ALAW_TO_LINEAR[byte as usize]
}

/// Codes one sample in µ-law.
#[must_use]
pub const fn ulaw_from_linear(sample: i16) -> u8 {
    let biased = (fold(sample) >> 2) + ULAW_BIAS;
    let magnitude = if biased > ULAW_LARGEST { ULAW_LARGEST } else { biased };
    let segment = 10 - magnitude.leading_zeros() as u16;
    let code = ((segment << 4) | ((magnitude >> (segment + 1)) & 0x0F)) as u8;
    let sign = if sample < 0 { 0 } else { 0x80 };
    sign | (!code & 0x7F)
}

/// The sample that a µ-law byte stands for.
#[must_use]
pub const fn linear_from_ulaw(byte: u8) -> i16 {
    ULAW_TO_LINEAR[byte as usize]
}

/// Codes samples in A-law until either slice ends; answers the number coded.
pub fn encode_alaw(pcm: &[i16], out: &mut [u8]) -> usize {
    out.iter_mut().zip(pcm).map(|(byte, sample)| *byte = alaw_from_linear(*sample)).count()
}

/// Decodes A-law bytes until either slice ends; answers the number decoded.
pub fn decode_alaw(payload: &[u8], out: &mut [i16]) -> usize {
    out.iter_mut().zip(payload).map(|(sample, byte)| *sample = linear_from_alaw(*byte)).count()
}

/// Codes samples in µ-law until either slice ends; answers the number coded.
pub fn encode_ulaw(pcm: &[i16], out: &mut [u8]) -> usize {
    out.iter_mut().zip(pcm).map(|(byte, sample)| *byte = ulaw_from_linear(*sample)).count()
}

/// Decodes µ-law bytes until either slice ends; answers the number decoded.
pub fn decode_ulaw(payload: &[u8], out: &mut [i16]) -> usize {
    out.iter_mut().zip(payload).map(|(sample, byte)| *sample = linear_from_ulaw(*byte)).count()
}

/// A-law inverts every other bit, so that silence is not a run of equal bits on the line.
const ALAW_EVEN_BITS: u8 = 0x55;

/// µ-law adds this to a 14-bit magnitude so that every segment is found by its highest bit alone.
const ULAW_BIAS: u16 = 33;

/// The largest biased magnitude of µ-law: thirteen ones.
const ULAW_LARGEST: u16 = 0x1FFF;

static ALAW_TO_LINEAR: [i16; 256] = alaw_table();
static ULAW_TO_LINEAR: [i16; 256] = ulaw_table();

/// The magnitude of a sample, with -1 falling together with 0.
const fn fold(sample: i16) -> u16 {
    if sample < 0 { !sample as u16 } else { sample as u16 }
}

const fn alaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = expand_alaw(byte as u8);
        byte += 1;
    }
    table
}

const fn ulaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = expand_ulaw(byte as u8);
        byte += 1;
    }
    table
}

const fn expand_alaw(byte: u8) -> i16 {
    let code = (byte ^ ALAW_EVEN_BITS) as i16;
    let (segment, step) = ((code >> 4) & 7, code & 0x0F);
    let magnitude = if segment == 0 { (step << 4) + 8 } else { ((step << 4) + 264) << (segment - 1) };
    if code & 0x80 == 0 { -magnitude } else { magnitude }
}

const fn expand_ulaw(byte: u8) -> i16 {
    let code = !byte as i16;
    let (segment, step) = ((code >> 4) & 7, code & 0x0F);
    let magnitude = (((step << 3) + 132) << segment) - 132;
    if byte & 0x80 == 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alaw_matches_the_tables_of_the_recommendation() {
        for (sample, byte, back) in [
            (0, 0xD5, 8),
            (-1, 0x55, -8),
            (16, 0xD4, 24),
            (1000, 0xFA, 1008),
            (-1000, 0x7A, -1008),
            (32767, 0xAA, 32256),
            (-32768, 0x2A, -32256),
        ] {
            assert_eq!(alaw_from_linear(sample), byte, "coding {sample}");
            assert_eq!(linear_from_alaw(byte), back, "decoding {byte:#04x}");
        }
    }

    #[test]
    fn ulaw_matches_the_tables_of_the_recommendation() {
        for (sample, byte, back) in [
            (0, 0xFF, 0),
            (-1, 0x7F, 0),
            (8, 0xFE, 8),
            (1000, 0xCE, 988),
            (-1000, 0x4E, -988),
            (32767, 0x80, 32124),
            (-32768, 0x00, -32124),
        ] {
            assert_eq!(ulaw_from_linear(sample), byte, "coding {sample}");
            assert_eq!(linear_from_ulaw(byte), back, "decoding {byte:#04x}");
        }
    }

    #[test]
    fn every_byte_survives_a_transcoding() {
        for byte in 0..=u8::MAX {
            assert_eq!(alaw_from_linear(linear_from_alaw(byte)), byte);
            // µ-law has two zeros; a linear sample has one.
            let expected = if byte == 0x7F { 0xFF } else { byte };
            assert_eq!(ulaw_from_linear(linear_from_ulaw(byte)), expected);
        }
    }

    /// The error of a companding law is at most half a step, and a step is at most 1/16 of its segment.
    #[test]
    fn every_sample_comes_back_within_half_a_step() {
        for sample in i16::MIN..=i16::MAX {
            let allowed = (i32::from(sample).abs() / 32 + 8).max(8);
            let alaw = i32::from(linear_from_alaw(alaw_from_linear(sample))) - i32::from(sample);
            assert!(alaw.abs() <= allowed, "A-law is {alaw} away from {sample}");
            let ulaw = i32::from(linear_from_ulaw(ulaw_from_linear(sample))) - i32::from(sample);
            assert!(ulaw.abs() <= allowed + 4, "µ-law is {ulaw} away from {sample}");
        }
    }

    #[test]
    fn slices_of_different_lengths_stop_at_the_shorter() {
        let mut bytes = [0; 2];
        assert_eq!(encode_alaw(&[0, 0, 0], &mut bytes), 2);
        let mut samples = [7; 4];
        assert_eq!(decode_ulaw(&[0xFF; 3], &mut samples), 3);
        assert_eq!(samples, [0, 0, 0, 7]);
    }
}
