//! A configuration file: read, applied, written back and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roles::settings::{Model, Settings, Source, parse_cfg};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let (assignments, faults) = parse_cfg(&text, Source::MacCfg);
    faults.iter().for_each(|fault| drop(fault.to_string()));
    let mut settings = Settings::new(Model::usual());
    settings.apply(&assignments);
    // What a phone keeps of it says the same when it starts again.
    let kept = settings.layer_to_cfg(Source::MacCfg);
    let mut again = Settings::new(Model::usual());
    again.apply(&parse_cfg(&kept, Source::MacCfg).0);
    assert_eq!(again.layer_to_cfg(Source::MacCfg), kept);
    assert_eq!(settings.changed_since(&again), []);
});
