//! A datagram: read in every strictness, every typed header, and written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::sip::grammar::members;
use proto::sip::header::{
    Address, Diversion, Event, RAck, Reason, Replaces, SessionExpires, SubscriptionState, Via,
};
use proto::sip::{Message, Strictness};

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = Message::parse(bytes) else { return };
    let _ = (message.method_text(), message.request_uri(), message.reason(), message.content_type());
    let _ = (message.via(), message.from_tag(), message.to_tag(), message.call_id(), message.cseq());
    for (name, _, value) in message.all() {
        let at = usize::from(message.position(value));
        assert!(value.is_empty() || bytes.get(at..at + value.len()) == Some(value));
        let _ = (message.number(name), RAck::parse(value), Diversion::parse(value));
        for member in members(value) {
            let _ = Via::parse(member).map(|via| (via.rport(), via.has_magic_cookie()));
            let _ = Address::parse(member).map(|a| (a.display().len(), a.tag(), a.parsed_uri()));
        }
        if let Ok(text) = std::str::from_utf8(value) {
            let _ = (Event::parse(text), Reason::parse(text), Replaces::parse(text));
            let _ = (SessionExpires::parse(text), SubscriptionState::parse(text));
        }
    }
    for strictness in [Strictness::Index, Strictness::Lenient, Strictness::Strict] {
        let faults = message.faults(strictness);
        assert_eq!(message.check(strictness).is_ok(), faults.is_empty());
        assert!(faults.iter().all(|fault| usize::from(fault.at) <= bytes.len()));
    }
    let mut copy = Vec::new();
    message.write(&mut copy);
    if let Ok(again) = Message::parse(&copy) {
        assert!(again.all().map(|(_, name, value)| (name, value)).eq(message.all().map(|(_, n, v)| (n, v))));
    }
});
