//! A text: what kind it is, its lines as those of a log, and the whole as a configuration file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::Time;
use roles::doctor::follow::texts;
use roles::doctor::tracks::FileKind;
use roles::doctor::{Doctor, json};

fuzz_target!(|bytes: &[u8]| {
    let (text, _) = texts::decode(bytes);
    let _ = texts::kind_of("a.txt", &text);
    let mut doctor = Doctor::new(Time::from_secs(1_700_000_000));
    if let Some(log) = doctor.begin("a.log", FileKind::Log) {
        for (number, line) in (1..).zip(text.lines()) {
            doctor.line(log, number, line);
        }
    }
    if let Some(config) = doctor.begin("a.cfg", FileKind::Config) {
        doctor.config(config, &text);
    }
    let _ = json::report(&doctor.finish(), Vec::new());
});
