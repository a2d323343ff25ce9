use super::*;
use proptest::prelude::*;

const FIXED: Delay = Delay::Fixed { delay_ms: 40 };
const ADAPTIVE: Delay = Delay::Adaptive { min_ms: 20, max_ms: 300 };

fn packet(ssrc: u32, sequence: u16, payload: &[u8]) -> Packet<'_> {
    Packet {
        payload_type: 8,
        ssrc,
        sequence,
        timestamp: u32::from(sequence) * 160,
        payload,
        ..Packet::default()
    }
}

fn push(buffer: &mut JitterBuffer, at_ms: u64, sequence: u16) -> Pushed {
    let payload = sequence.to_be_bytes();
    buffer.push(Time::from_millis(at_ms), &packet(1, sequence, &payload))
}

/// The sequence number that is played, `x` for a concealed frame, `-` for silence.
fn pull(buffer: &mut JitterBuffer, at_ms: u64) -> String {
    match buffer.pull(Time::from_millis(at_ms)) {
        Pull::Frame(frame) => u16::from_be_bytes([frame.payload[0], frame.payload[1]]).to_string(),
        Pull::Missing => "x".to_owned(),
        Pull::Empty => "-".to_owned(),
    }
}

/// Packets as (ms, sequence), a pull each 20 ms from 0 on; what is played.
fn check(delay: Delay, packets: &[(u64, u16)], played: &str) -> JitterStats {
    let mut buffer = JitterBuffer::new(delay, 8_000, 20);
    let mut rest = packets.iter().peekable();
    let mut words = Vec::new();
    for at_ms in (0..).step_by(20).take(played.split(' ').count()) {
        while let Some((when, sequence)) = rest.next_if(|(when, _)| *when <= at_ms) {
            push(&mut buffer, *when, *sequence);
        }
        words.push(pull(&mut buffer, at_ms));
    }
    assert_eq!(words.join(" "), played, "{packets:?}");
    buffer.stats()
}

#[test]
fn in_order_with_a_fixed_delay() {
    check(FIXED, &[(0, 1), (20, 2), (40, 3), (60, 4)], "- - 1 2 3 4 x x x x x - -");
}

#[test]
fn reordered_lost_and_twice() {
    let stats =
        check(FIXED, &[(0, 1), (20, 3), (30, 2), (40, 4), (45, 4), (60, 6), (80, 7)], "- - 1 2 3 4 x 6 7");
    assert_eq!((stats.played, stats.missing, stats.duplicates), (6, 1, 1));
    check(FIXED, &[(0, 2), (20, 1), (40, 3)], "- - 1 2 3");
    check(FIXED, &[(0, 65_535), (20, 0), (40, 1)], "- - 65535 0 1");
}

#[test]
fn what_is_too_late_is_counted() {
    let stats = check(FIXED, &[(0, 1), (20, 3), (40, 4), (90, 2)], "- - 1 x 3 4");
    assert_eq!((stats.late, stats.missing), (1, 1));
}

#[test]
fn an_underrun_is_concealed_and_the_delay_grows() {
    check(ADAPTIVE, &[(0, 1), (20, 2), (80, 3), (80, 4), (80, 5)], "- 1 2 x 3 4 5");
}

#[test]
fn frames_lost_in_an_underrun_do_not_grow_the_delay() {
    check(ADAPTIVE, &[(0, 1), (20, 2), (80, 4), (100, 5)], "- 1 2 x 4 5");
}

#[test]
fn a_pause_in_speech_ends_in_silence_and_begins_anew() {
    let packets = [(0, 1), (20, 2), (300, 3), (320, 4)];
    check(FIXED, &packets, "- - 1 2 x x x x x - - - - - - - - 3 4");
}

#[test]
fn a_new_source_or_count_restarts() {
    let mut buffer = JitterBuffer::new(FIXED, 8_000, 20);
    assert_eq!(push(&mut buffer, 0, 1), Pushed::Stored);
    assert_eq!(buffer.push(Time::from_millis(5), &packet(2, 900, &[3, 132])), Pushed::Restarted);
    assert_eq!(pull(&mut buffer, 45), "900");
    assert_eq!(buffer.push(Time::from_millis(50), &packet(2, 30_000, b"ab")), Pushed::Stray);
    assert_eq!(buffer.push(Time::from_millis(70), &packet(2, 30_001, b"cd")), Pushed::Restarted);
    assert_eq!(buffer.stats().restarts, 2);
}

#[test]
fn the_packet_time_is_learnt() {
    let mut buffer = JitterBuffer::new(FIXED, 8_000, 20);
    for step in 0..4u16 {
        let packet =
            Packet { sequence: step, timestamp: u32::from(step) * 320, payload: b"x", ..Packet::default() };
        buffer.push(Time::from_millis(u64::from(step) * 40), &packet);
    }
    assert_eq!(buffer.frame_ms(), 40);
}

#[test]
fn the_delay_follows_the_jitter_up_and_down() {
    let mut buffer = JitterBuffer::new(ADAPTIVE, 8_000, 20);
    let mut longest = Duration::ZERO;
    for step in 0..3_000u64 {
        let late_ms = if step < 500 && step % 10 == 0 { 90 } else { 0 };
        push(&mut buffer, step * 20 + late_ms, step as u16);
        pull(&mut buffer, step * 20 + late_ms);
        longest = longest.max(buffer.target());
    }
    assert!(longest >= Duration::from_millis(100), "{longest:?}");
    assert!(buffer.target() <= Duration::from_millis(30), "{:?}", buffer.target());
    assert!(buffer.waiting() <= Duration::from_millis(60), "{:?}", buffer.waiting());
}

#[test]
fn a_burst_is_cut_at_once() {
    let mut buffer = JitterBuffer::new(FIXED, 8_000, 20);
    for sequence in 0..60 {
        push(&mut buffer, 0, sequence);
    }
    assert_eq!(pull(&mut buffer, 40), "58");
    assert_eq!(buffer.stats().dropped, 58);
}

#[test]
fn the_buffer_is_bounded_and_allocates_once() {
    let mut buffer = JitterBuffer::new(FIXED, 8_000, 20);
    assert_eq!(buffer.push(Time::ZERO, &packet(1, 0, &[0; FRAME_LIMIT_BYTES + 1])), Pushed::TooLong);
    let places: Vec<_> = buffer.slots.iter().map(|slot| slot.payload.as_ptr()).collect();
    for step in 0..5_000u64 {
        buffer.push(Time::from_millis(step * 20), &packet(1, step as u16, &[0; 160]));
        pull(&mut buffer, step * 20);
    }
    for step in 0..1_000 {
        push(&mut buffer, 100_000, 5_000 + step);
    }
    assert!(usize::from(buffer.waiting) <= SLOTS);
    assert_eq!(buffer.slots.iter().map(|slot| slot.payload.as_ptr()).collect::<Vec<_>>(), places);
}

proptest! {
    #[test]
    fn any_order_keeps_the_counts(
        steps in proptest::collection::vec((0u64..200, 0u32..2, any::<u16>(), 0u16..200, any::<bool>()), 0..400),
        adaptive: bool,
    ) {
        let mut buffer = JitterBuffer::new(if adaptive { ADAPTIVE } else { FIXED }, 8_000, 20);
        let mut now_ms = 0;
        let mut base = 0u16;
        for (wait_ms, ssrc, jump, offset, pulls) in steps {
            now_ms += wait_ms;
            // Mostly near each other, now and then far away.
            base = if jump < 2_000 { jump } else { base.wrapping_add(1) };
            let payload = [0; 160];
            buffer.push(Time::from_millis(now_ms), &packet(u32::from(ssrc == 1 && jump < 200), base.wrapping_add(offset / 10), &payload));
            if pulls {
                buffer.pull(Time::from_millis(now_ms));
            }
            let filled = buffer.slots.iter().filter(|slot| slot.filled).count();
            prop_assert_eq!(filled, usize::from(buffer.waiting));
            prop_assert!(buffer.span >= buffer.waiting && usize::from(buffer.span) <= SLOTS);
        }
    }
}
