use super::*;
use crate::detect::dominant_frequency_hz;
use crate::tone::{DEFAULT_LEVEL_DBFS, Generator, Tone};
use proptest::prelude::*;

#[test]
fn what_is_written_is_read() {
    let wav = Wav { sample_rate_hz: 16_000, channels: 2, samples: vec![1, -2, i16::MAX, i16::MIN] };
    let bytes = wav.to_bytes();
    assert_eq!(bytes.len(), HEADER_BYTES + 8);
    assert_eq!(bytes[4..8], 44u32.to_le_bytes());
    assert_eq!(Wav::parse(&bytes), Ok(wav));
}

#[test]
fn a_recording_is_read_while_it_grows_and_after_it_was_cut_off() {
    let mut file = header(8_000, 1, None).to_vec();
    check_samples(&file, &[]);
    let mut bytes = [0; 4];
    assert_eq!(samples_to_bytes(&[5, -6, 7], &mut bytes), 4);
    file.extend(bytes);
    check_samples(&file, &[5, -6]);
    file.push(9);
    check_samples(&file, &[5, -6]);
    file[..HEADER_BYTES].copy_from_slice(&header(8_000, 1, Some(2)));
    check_samples(&file, &[5]);
}

#[test]
fn both_laws_are_read() {
    check_samples(&file(6, 1, 8_000, 8, &[0xD5, 0xAA]), &[8, 32_256]);
    check_samples(&file(7, 1, 8_000, 8, &[0xFF, 0x80]), &[0, 32_124]);
}

#[test]
fn an_extensible_format_and_unknown_chunks_are_understood() {
    let mut bytes = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0".to_vec();
    bytes.extend(b"fmt \x28\0\0\0\xFE\xFF\x01\0\x40\x1F\0\0\x80\x3E\0\0\x02\0\x10\0\x16\0\x10\0\x04\0\0\0");
    bytes.extend(b"\x01\0\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71data\x02\0\0\0\x07\0");
    check_samples(&bytes, &[7]);
}

#[test]
fn a_file_that_cannot_be_played_is_told_why_and_where() {
    check_fault(b"", WavError::NotWav);
    check_fault(b"RIFF\0\0\0\0AVI ", WavError::NotWav);
    check_fault(b"RIFF\0\0\0\0WAVE", WavError::NoSound { place: 12 });
    check_fault(b"RIFF\0\0\0\0WAVEdata\0\0\0\0", WavError::NoFormat { place: 12 });
    check_fault(b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0\x01\0", WavError::ShortFormat { place: 20 });
    check_fault(&file(1, 1, 8_000, 24, &[]), WavError::Coding { place: 20, coding: 1, bits: 24 });
    check_fault(&file(85, 1, 8_000, 0, &[]), WavError::Coding { place: 20, coding: 85, bits: 0 });
    check_fault(&file(1, 6, 8_000, 16, &[]), WavError::Channels { place: 20, channels: 6 });
    check_fault(&file(1, 0, 8_000, 16, &[]), WavError::Channels { place: 20, channels: 0 });
    check_fault(&file(1, 1, 0, 16, &[]), WavError::Rate { place: 20 });
    let said = WavError::Coding { place: 20, coding: 3, bits: 32 }.to_string();
    assert!(said.contains("coding 3 with 32 bits (byte 20)") && said.contains("sox "), "{said}");
}

#[test]
fn a_stereo_file_of_a_music_rate_becomes_a_voice() {
    let mut tone = vec![0; 22_050];
    Generator::new(Tone::sine(1000), 44_100, DEFAULT_LEVEL_DBFS).fill(&mut tone);
    let samples = tone.iter().flat_map(|sample| [*sample, *sample]).collect();
    let voice = Wav { sample_rate_hz: 44_100, channels: 2, samples }.to_mono(8_000).unwrap();
    assert_eq!(voice.len(), 4_000);
    assert!((dominant_frequency_hz(&voice, 8_000).unwrap() - 1000.0).abs() < 2.0);
}

#[test]
fn two_channels_meet_in_the_middle() {
    let wav = Wav { sample_rate_hz: 8_000, channels: 2, samples: vec![10, 20, i16::MIN, i16::MIN] };
    assert_eq!(wav.to_mono(8_000), Ok(vec![15, i16::MIN]));
    assert_eq!(wav.to_mono(1), Err(RateError { rate_hz: 1 }));
}

proptest! {
    #[test]
    fn any_sound_survives(samples in prop::collection::vec(any::<i16>(), 0..200), rate in 1u32..) {
        let wav = Wav { sample_rate_hz: rate, channels: 1, samples };
        prop_assert_eq!(Wav::parse(&wav.to_bytes()), Ok(wav));
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        mut file in prop::collection::vec(any::<u8>(), 0..200),
        places in prop::collection::vec((0usize..120, any::<u8>()), 0..6),
        keep in 0usize..200,
    ) {
        let _ = Wav::parse(&file);
        // And bytes that begin well, with a few of them changed and the end cut off.
        let mut likely = header(8_000, 2, None).to_vec();
        likely.append(&mut file);
        for (place, byte) in places {
            if let Some(slot) = likely.get_mut(place) {
                *slot = byte;
            }
        }
        likely.truncate(keep);
        if let Ok(wav) = Wav::parse(&likely) {
            prop_assert!(wav.samples.len() <= likely.len());
        }
    }
}

#[track_caller]
fn check_samples(bytes: &[u8], expected: &[i16]) {
    let wav = Wav::parse(bytes).unwrap();
    assert_eq!((wav.sample_rate_hz, wav.channels, wav.samples.as_slice()), (8_000, 1, expected));
}

#[track_caller]
fn check_fault(bytes: &[u8], expected: WavError) {
    assert_eq!(Wav::parse(bytes), Err(expected));
}

fn file(coding: u16, channels: u16, sample_rate_hz: u32, bits: u16, sound: &[u8]) -> Vec<u8> {
    let mut bytes = header(sample_rate_hz, channels, Some(sound.len() as u32)).to_vec();
    bytes[20..22].copy_from_slice(&coding.to_le_bytes());
    bytes[34..36].copy_from_slice(&bits.to_le_bytes());
    bytes.extend(sound);
    bytes
}
