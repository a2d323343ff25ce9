//! Bodies of strangers: who is on the telephone, waiting messages, how a transfer goes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::event::dialog_info::{DialogInfo, Watch};
use proto::event::mwi::MessageSummary;
use proto::sip::sipfrag::Sipfrag;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(info) = DialogInfo::parse(bytes) {
        let mut watch = Watch::new("7007", None);
        let _ = watch.apply(&info);
        let _ = (watch.lamp(), watch.registered(), watch.dialogs().count());
        let again = DialogInfo::parse(info.to_xml().as_bytes());
        assert_eq!(
            again.map(|again| again.dialogs.len()),
            Ok(info.dialogs.len()),
            "what was read can be written"
        );
    }
    if let Ok(summary) = MessageSummary::parse(bytes) {
        let again = MessageSummary::parse(summary.to_string().as_bytes());
        assert_eq!(again.map(|again| again.voice()), Ok(summary.voice()), "what was read can be written");
    }
    if let Ok(fragment) = Sipfrag::parse(bytes) {
        let again = Sipfrag::parse(fragment.to_string().as_bytes());
        assert_eq!(again.map(|again| again.status), Ok(fragment.status), "what was read can be written");
    }
});
