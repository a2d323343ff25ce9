//! A capture file of any kind in pieces, and the doctor behind it: nothing in a file may stop it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::Time;
use proto::pcap::{Item, Reader};
use roles::doctor::tracks::FileKind;
use roles::doctor::{Captured, Doctor, json};

fuzz_target!(|bytes: &[u8]| {
    let mut doctor = Doctor::new(Time::from_secs(1_700_000_000));
    let Some(file) = doctor.begin("a.pcap", FileKind::Capture) else { return };
    let mut reader = Reader::new();
    for piece in bytes.chunks(97) {
        reader.push(piece);
        while let Some(item) = reader.next() {
            take(&mut doctor, file, item);
        }
    }
    reader.filled(0);
    while let Some(item) = reader.next() {
        take(&mut doctor, file, item);
    }
    assert!(reader.is_over());
    let _ = json::report(&doctor.finish(), Vec::new());
});

fn take(doctor: &mut Doctor, file: u16, item: Item<'_>) {
    match item {
        Item::Packet(p) => doctor.handle(&Captured {
            file,
            number: p.number,
            offset: p.offset,
            at: p.at,
            link: p.link,
            bytes: p.bytes,
            wire_bytes: p.wire_bytes,
        }),
        Item::Note(note) => doctor.note(file, &note),
    }
}
