//! A URI: taken apart, escaped and unescaped, and made the target of a search.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::Rng;
use proto::sip::Uri;
use proto::sip::locate::{Answer, Locate, Record};
use proto::sip::uri::{escape, host_port, unescape};

fuzz_target!(|text: &str| {
    assert_eq!(unescape(&escape(text)), text);
    let _ = host_port(text);
    let Some(uri) = Uri::parse(text) else { return };
    let _ = (uri.plain_user(), uri.header("Replaces"), uri.transport(), uri.address_of_record());
    assert_eq!(uri.params.iter().count() == 0, uri.params.iter().next().is_none());
    let mut locate = Locate::uri(&uri, &mut Rng::from_number(1));
    while let Some(query) = locate.next_query() {
        let record = Record::Srv { priority: 1, weight: 2, port: 5060, target: query.name.clone() };
        locate.answer(&query, &Answer::Records(vec![(record, 60), (Record::A([192, 0, 2, 1].into()), 60)]));
    }
    assert!(locate.is_done());
    let _ = locate.finish();
});
