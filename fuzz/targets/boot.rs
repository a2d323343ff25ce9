//! A boot file that includes whatever it says, itself among it: the files that it leads to come to an end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::url::Url;
use roles::settings::{Model, Unfolding, is_boot, parse_boot};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = is_boot(&text);
    let (boot, faults) = parse_boot(&text);
    faults.iter().for_each(|fault| drop(fault.to_string()));
    let mut unfolding = Unfolding::new("http://192.0.2.1/a/b/phone.boot");
    let mut files = 0;
    while let Some(file) = unfolding.next_file() {
        files += 1;
        assert!(files <= 1_000, "a boot file without end: {file}");
        if files % 2 == 1 {
            let faults = unfolding.enter(&boot, Model::usual(), |of, target| {
                Some(Url::parse(of).ok()?.join(target).ok()?.to_string())
            });
            faults.iter().for_each(|fault| drop(fault.to_string()));
        }
    }
});
