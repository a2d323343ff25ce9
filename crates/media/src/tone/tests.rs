use super::*;
use crate::detect::{dominant_frequency_hz, level_of_frequency_db};
use crate::level::{peak, rms_dbfs};
use proptest::prelude::*;

#[test]
fn the_grammar_reads_what_it_writes() {
    for text in ["425/0", "350+440/0", "440+480/2000,0/4000", "!200+300+400+7000/30000,0/1,250/250"] {
        assert_eq!(text.parse::<Tone>().map(|tone| tone.to_string()), Ok(text.to_owned()));
    }
    let busy: Tone = "480+620/500,0/500".parse().unwrap();
    assert_eq!(busy, Country::UnitedStates.busy());
    assert_eq!(" ! 425 / 10 , 0 / 5 ".parse::<Tone>().map(|tone| tone.to_string()), Ok("!425/10,0/5".into()));
}

#[test]
fn a_faulty_tone_is_told_where() {
    check_fault("425", ToneError::NotASegment { segment: 1 });
    check_fault("425/100,", ToneError::NotASegment { segment: 2 });
    check_fault("425/100,+/5", ToneError::NotASegment { segment: 2 });
    check_fault("425/-1", ToneError::NotASegment { segment: 1 });
    check_fault("199/100", ToneError::Frequency { segment: 1 });
    check_fault("0/1,7001/100", ToneError::Frequency { segment: 2 });
    check_fault("99999999999/100", ToneError::Frequency { segment: 1 });
    check_fault("425/30001", ToneError::Duration { segment: 1 });
    check_fault("300+300+300+300+300/1", ToneError::TooManyFrequencies { segment: 1 });
    check_fault("0/1,0/1,0/1,0/1,0/1,0/1,0/1,0/1,0/1", ToneError::TooManySegments);
    let said = ToneError::Frequency { segment: 2 }.to_string();
    assert!(said.contains("segment 2") && said.contains("200 to 7000 Hz"), "{said}");
}

#[test]
fn a_sine_has_its_level_and_frequency() {
    let pcm = play(Tone::sine(440), 8_000, 8_000);
    assert!((rms_dbfs(&pcm) - DEFAULT_LEVEL_DBFS).abs() < 0.05);
    assert!((dominant_frequency_hz(&pcm, 8_000).unwrap() - 440.0).abs() < 1.0);
    assert_eq!(pcm[0], 0);
}

#[test]
fn four_frequencies_do_not_clip() {
    let pcm = play("400+500+600+700/0".parse().unwrap(), 8_000, 16_000);
    assert!(peak(&pcm) < 32_767, "the peak is {}", peak(&pcm));
}

#[test]
fn a_sine_is_as_loud_after_an_hour() {
    let mut generator = Generator::new(Tone::sine(425), 8_000, DEFAULT_LEVEL_DBFS);
    let mut frame = [0; 800];
    for _ in 0..36_000 {
        generator.fill(&mut frame);
    }
    assert!((rms_dbfs(&frame) - DEFAULT_LEVEL_DBFS).abs() < 0.05);
    assert!(level_of_frequency_db(&frame, 8_000, 425.0) > -0.1);
}

#[test]
fn a_cadence_sounds_and_pauses_across_frames() {
    let mut generator = Generator::new(Country::International.busy(), 8_000, DEFAULT_LEVEL_DBFS);
    let mut heard = Vec::new();
    // Frames that do not divide the cadence.
    for _ in 0..50 {
        let mut frame = [0; 320];
        assert!(generator.fill(&mut frame));
        heard.extend(frame);
    }
    for (second, sound) in heard.chunks(8_000).enumerate() {
        assert!(rms_dbfs(&sound[..4_000]) > -17.0, "second {second} begins with the tone");
        assert_eq!(peak(&sound[4_000..]), 0, "second {second} ends in a pause");
    }
}

#[test]
fn a_tone_played_once_ends_in_silence() {
    let mut generator = Generator::new(Tone::dtmf('#', 50, 50).unwrap(), 8_000, DEFAULT_LEVEL_DBFS);
    let mut frame = [1; 799];
    assert!(generator.fill(&mut frame));
    let mut last = [1; 2];
    assert!(!generator.fill(&mut last));
    assert_eq!(last, [0, 0]);
    assert!(generator.is_finished());
    assert!(peak(&frame[..400]) > 1000);
    assert_eq!(peak(&frame[400..]), 0);
}

#[test]
fn what_the_rate_cannot_carry_is_silent() {
    assert_eq!(peak(&play(Tone::sine(7_000), 8_000, 800)), 0);
    assert!(peak(&play(Tone::sine(7_000), 16_000, 800)) > 1000);
    assert_eq!(peak(&play(Tone::SILENCE, 8_000, 80)), 0);
}

#[test]
fn only_sixteen_keys_have_a_sound() {
    assert_eq!(Tone::dtmf('d', 40, 0), Tone::dtmf('D', 40, 0));
    assert!(Tone::dtmf('E', 40, 40).is_none());
    let frequencies: Vec<u16> = Tone::dtmf('5', 40, 0).unwrap().segments()[0].frequencies_hz().collect();
    assert_eq!(frequencies, [770, 1336]);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[!0-9+/, .a-]{0,40}") {
        if let Ok(tone) = text.parse::<Tone>() {
            prop_assert_eq!(tone.to_string().parse::<Tone>().map(|again| again.to_string()), Ok(tone.to_string()));
            play(tone, 8_000, 500);
        }
    }
}

#[track_caller]
fn check_fault(text: &str, expected: ToneError) {
    assert_eq!(text.parse::<Tone>(), Err(expected), "{text}");
}

fn play(tone: Tone, sample_rate_hz: u32, samples: usize) -> Vec<i16> {
    let mut pcm = vec![0; samples];
    Generator::new(tone, sample_rate_hz, DEFAULT_LEVEL_DBFS).fill(&mut pcm);
    pcm
}
