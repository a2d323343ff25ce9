//! Plug and play at both ends: the whole SUBSCRIBE at the responder, and the answer's headers and body at the
//! phone, whose Call-ID it knows.
#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use proto::Time;
use roles::phone::{Phone, Place};
use roles::provision::PnpDialog;
use roles::role::{Input, Output, Role, SocketEvent};
use roles::settings::{Model, Settings};

const NOW: Time = Time::from_secs(1_700_000_000);

fuzz_target!(|bytes: &[u8]| {
    let (own, far) = (SocketAddr::from(([127, 0, 0, 9], 5_060)), SocketAddr::from(([127, 0, 80, 20], 5_060)));
    responder(own, far, bytes);
    phone(own, far, bytes);
});

fn responder(own: SocketAddr, far: SocketAddr, bytes: &[u8]) {
    let mut dialog = PnpDialog::new("Offhook", [7; 32]);
    let mut out = Vec::new();
    let url = |_: &roles::provision::PnpAsked| Some("http://127.0.0.9/p/x/".to_owned());
    dialog.receive(NOW, own, far, bytes, url, &mut out);
    assert!(out.len() <= 2, "one answer and one NOTIFY");
    for _ in 0..100 {
        match dialog.next_deadline() {
            Some(at) => dialog.handle_timeout(at, &mut out),
            None => return,
        }
    }
    panic!("a responder that never comes to rest");
}

fn phone(own: SocketAddr, far: SocketAddr, bytes: &[u8]) {
    let mut place = Place::new(far.ip());
    place.sources.pnp = true;
    let mut phone = Phone::new(Settings::new(Model::usual()), place, [7; 32], NOW);
    let mut out = Vec::new();
    phone.handle(NOW, Input::Start, &mut out);
    phone.handle(NOW, Input::Wake, &mut out);
    let opened = out.iter().find_map(|output| match output {
        Output::Socket { socket, .. } => Some(*socket),
        _ => None,
    });
    let Some(socket) = opened else { return };
    out.clear();
    phone.handle(NOW, Input::Socket { socket, event: SocketEvent::Opened(far) }, &mut out);
    let asked = out.iter().find_map(|output| match output {
        Output::SendDatagram { bytes, .. } => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    });
    let of = |name: &str| asked.iter().flat_map(|text| text.lines()).find_map(|line| line.strip_prefix(name));
    let (Some(call_id), Some(from)) = (of("Call-ID: "), of("From: ")) else { return };
    let head = format!(
        "NOTIFY sip:{far} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK7\r\nFrom: <sip:x@y>;tag=7\r\nTo: {from}\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 NOTIFY\r\nMax-Forwards: 70\r\nContact: <sip:{own}>\r\nEvent: ua-profile\r\n\
         Subscription-State: terminated\r\n"
    );
    // The first byte says whether the input is the body alone or headers too.
    let message = match bytes.split_first() {
        Some((first, body)) if first % 2 == 0 => {
            let rest = format!("Content-Type: application/url\r\nContent-Length: {}\r\n\r\n", body.len());
            [head.as_bytes(), rest.as_bytes(), body].concat()
        }
        _ => [head.as_bytes(), bytes].concat(),
    };
    phone.handle(NOW, Input::Datagram { socket, from: own, bytes: &message }, &mut out);
    for output in out {
        if let Output::Fetch(fetch) = output {
            assert!(!fetch.url.contains(|sign: char| sign.is_control() || sign == ' '), "{}", fetch.url);
        }
    }
}
