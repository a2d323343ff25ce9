//! Packets of the link type that the first byte names, one after the other as two bytes of length and the bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::Time;
use roles::doctor::tracks::FileKind;
use roles::doctor::{Captured, Doctor, json};

const LINKS: [u16; 8] = [1, 0, 101, 108, 113, 276, 228, 229];

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, mut rest)) = bytes.split_first() else { return };
    let link = LINKS[usize::from(first) % LINKS.len()];
    let mut doctor = Doctor::new(Time::from_secs(1_700_000_000));
    let Some(file) = doctor.begin("a.pcap", FileKind::Capture) else { return };
    let mut number = 0;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length) & 0x0fff).min(after.len());
        let (packet, after) = after.split_at(length);
        number += 1;
        let at = Time::from_millis(u64::from(number) * 20);
        let wire_bytes = length as u32 + u32::from(first >> 4);
        doctor.handle(&Captured { file, number, offset: 0, at, link, bytes: packet, wire_bytes });
        rest = after;
    }
    let _ = json::report(&doctor.finish(), Vec::new());
});
