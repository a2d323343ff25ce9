//! Vectors agree bit for bit with an independent implementation of the Recommendation.

use super::*;
use proptest::prelude::*;

#[test]
fn loud_noise_matches_the_known_vector() {
    let payload = encode(&noise(16_000));
    let first =
        [0x92, 0x20, 0x84, 0x20, 0x84, 0x20, 0x87, 0x0A, 0xAD, 0x04, 0x31, 0xB5, 0x12, 0xB1, 0x93, 0x09];
    assert_eq!(payload[..16], first);
    assert_eq!(fingerprint(&payload), 0xDCF6_135B_B285_593E);
    let sound = decode(&payload);
    assert_eq!(sound[..16], [-1, 0, 0, -1, -1, 1, 0, -6, -2, 19, -1, -71, -7, 205, 3, -484]);
    assert_eq!(fingerprint_of_samples(&sound), 0x439E_0099_3906_4071);
}

#[test]
fn quiet_noise_matches_the_known_vector() {
    let pcm: Vec<i16> = noise(16_000).iter().map(|sample| sample >> 6).collect();
    let payload = encode(&pcm);
    assert_eq!(fingerprint(&payload), 0x58A7_29DA_F69C_ED67);
    assert_eq!(fingerprint_of_samples(&decode(&payload)), 0x9C32_53A5_78C7_7BB9);
}

#[test]
fn bytes_that_no_encoder_sends_match_the_known_vector() {
    let payload: Vec<u8> = noise(8_000).iter().map(|sample| (sample >> 3) as u8).collect();
    assert_eq!(fingerprint_of_samples(&decode(&payload)), 0xAB92_F579_5F5F_5462);
}

#[test]
fn tones_come_back_clearly_in_both_bands() {
    for (frequency_hz, least_db) in [(300.0, 30.0), (1000.0, 30.0), (3000.0, 25.0), (6000.0, 10.0)] {
        let sent = sine(frequency_hz, 10_000.0, 16_000);
        let heard = decode(&encode(&sent));
        let ratio_db = signal_to_noise_db(&sent, &heard);
        assert!(ratio_db > least_db, "{frequency_hz} Hz came back with {ratio_db:.1} dB");
    }
}

#[test]
fn frames_of_any_even_length_make_the_same_stream() {
    let pcm = noise(960);
    let mut encoder = Encoder::default();
    let mut framed = Vec::new();
    for frame in pcm.chunks(160) {
        let mut payload = [0; 80];
        assert_eq!(encoder.encode(frame, &mut payload), 80);
        framed.extend(payload);
    }
    assert_eq!(framed, encode(&pcm));
}

#[test]
fn short_slices_are_not_overrun() {
    let mut payload = [0; 1];
    assert_eq!(Encoder::default().encode(&[1, 2, 3, 4, 5], &mut payload), 1);
    let mut sound = [0; 3];
    assert_eq!(Decoder::default().decode(&[1, 2, 3], &mut sound), 2);
}

proptest! {
    #[test]
    fn any_bytes_decode_without_overflow(payload in prop::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert_eq!(decode(&payload).len(), payload.len() * 2);
    }

    #[test]
    fn any_samples_encode_without_overflow(pcm in prop::collection::vec(any::<i16>(), 0..2_000)) {
        prop_assert_eq!(encode(&pcm).len(), pcm.len() / 2);
    }
}

fn encode(pcm: &[i16]) -> Vec<u8> {
    let mut payload = vec![0; pcm.len() / 2];
    assert_eq!(Encoder::default().encode(pcm, &mut payload), payload.len());
    payload
}

fn decode(payload: &[u8]) -> Vec<i16> {
    let mut pcm = vec![0; payload.len() * 2];
    assert_eq!(Decoder::default().decode(payload, &mut pcm), pcm.len());
    pcm
}

fn noise(samples: usize) -> Vec<i16> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16
    };
    (0..samples).map(|_| next()).collect()
}

fn sine(frequency_hz: f64, amplitude: f64, samples: usize) -> Vec<i16> {
    let step = std::f64::consts::TAU * frequency_hz / 16_000.0;
    (0..samples).map(|index| (amplitude * (step * index as f64).sin()) as i16).collect()
}

/// Both filters together delay by 22 samples.
fn signal_to_noise_db(sent: &[i16], heard: &[i16]) -> f64 {
    const DELAY: usize = 22;
    // The first tenth of a second goes to adapting.
    let pairs = sent.iter().zip(&heard[DELAY..]).skip(1600);
    let (mut signal, mut noise) = (0.0, 0.0);
    for (sent, heard) in pairs {
        signal += f64::from(*sent).powi(2);
        noise += (f64::from(*sent) - f64::from(*heard)).powi(2);
    }
    10.0 * (signal / noise).log10()
}

/// FNV-1a.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

fn fingerprint_of_samples(pcm: &[i16]) -> u64 {
    let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    fingerprint(&bytes)
}
