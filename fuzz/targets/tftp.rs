//! Datagrams at both ends of a TFTP transfer.
#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use proto::Time;
use proto::tftp::{Client, Download, Packet, Plan, Server, Terms, options};

fuzz_target!(|bytes: &[u8]| {
    let (server_at, client_at) = (SocketAddr::from(([192, 0, 2, 1], 69)), SocketAddr::from(([192, 0, 2, 2], 9)));
    let plan = Plan { server: server_at, file: "a.cfg".into(), terms: Terms::of_the_deck(), most_bytes: 5_000 };
    let mut out = Vec::new();
    let mut client = Client::start(Time::ZERO, plan, &mut out);
    let content = vec![7; 3_000].into();
    let asked = Terms { window_blocks: Some(4), ..Terms::of_the_deck() };
    let mut server = Server::start(Time::ZERO, client_at, b"octet", &asked, content, &mut out);
    // Each piece of the input is a datagram; its first byte says its length.
    let mut rest = bytes;
    while let Some((&length, tail)) = rest.split_first() {
        let (datagram, tail) = tail.split_at(usize::from(length).min(tail.len()));
        rest = tail;
        if let Some(packet) = Packet::parse(datagram) {
            assert_eq!(Packet::parse(&packet.to_bytes()), Some(packet), "what was read can be written");
            if let Packet::Read { options: all, .. } = packet {
                let _ = (Terms::read(all).to_options(), options(all).count());
            }
        }
        if let Download::Whole(whole) = client.receive(Time::ZERO, server_at, datagram, &mut out) {
            assert!(whole.len() <= 5_000);
        }
        server.receive(Time::ZERO, client_at, datagram, &mut out);
        out.clear();
    }
    for _ in 0..20 {
        client.next_deadline().map(|(at, _)| client.handle_timeout(at, &mut out));
        server.next_deadline().map(|(at, _)| server.handle_timeout(at, &mut out));
    }
    assert!(client.next_deadline().is_none() && server.next_deadline().is_none());
});
