//! The table of devices: what is read is taken whole or not at all, and what is written is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roles::provision::{Layers, Provision, Renderer, Restored, Site, export_csv, parse_csv};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let Ok(rows) = parse_csv(&text) else { return };
    let renderer = Renderer::new(Vec::new(), Layers::default()).expect("sound templates");
    let site = Site { sip_host: "192.0.2.1".into(), sip_port: 5_060, sip_transport: 0 };
    let mut provision = Provision::new(renderer, site, None, Restored::default(), [7; 32]);
    let count = rows.len();
    if provision.import(rows).is_err() {
        assert_eq!(provision.devices().count(), 0);
        return;
    }
    assert_eq!(provision.devices().count(), count);
    let written = export_csv(provision.devices());
    let again = parse_csv(&written).expect("what was written can be read");
    assert_eq!(again.len(), count);
    provision.import(again).expect("and taken");
    assert_eq!(export_csv(provision.devices()), written);
});
