//! Both ends with a wire between them that loses, repeats and delays; and each end by itself.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{Rng, Time};

const CLIENT: &str = "192.168.50.54:40001";
const ASKED: &str = "192.168.50.165:69";
const SERVER: &str = "192.168.50.165:64901";
const MOST: usize = 40_000_000;

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn plan(terms: Terms) -> Plan {
    Plan { server: at(ASKED), file: "0021f222b021.cfg".into(), terms, most_bytes: MOST }
}

/// A wire between a client and a server.
struct Wire {
    rng: Rng,
    /// Of a hundred datagrams: lost, repeated.
    lost: u64,
    repeated: u64,
    now: Time,
    /// What is on its way, by arrival: to the client or to the server.
    flying: Vec<(Time, bool, Vec<u8>)>,
    data_sent: u64,
}

impl Wire {
    fn new(seed: u64, lost: u64, repeated: u64) -> Self {
        let flying = Vec::new();
        Self { rng: Rng::from_number(seed), lost, repeated, now: Time::from_secs(1), flying, data_sent: 0 }
    }

    fn put(&mut self, to_client: bool, sent: Vec<Datagram>) {
        for datagram in sent {
            self.data_sent += u64::from(datagram.bytes.starts_with(&[0, 3]));
            let times = match self.rng.below(100) {
                chance if chance < self.lost => 0,
                chance if chance < self.lost + self.repeated => 2,
                _ => 1,
            };
            for _ in 0..times {
                let delay = Duration::from_micros(100 + self.rng.below(2_000));
                self.flying.push((self.now + delay, to_client, datagram.bytes.clone()));
            }
        }
    }

    /// Downloads `content`; the client's last word and the server's end.
    fn run(&mut self, terms: Terms, content: &Bytes) -> (Download, Option<Ended>) {
        let mut out = Vec::new();
        let mut client = Client::start(self.now, plan(terms), &mut out);
        self.put(false, out);
        let (mut server, mut result) = (None::<Server>, Download::Goes);
        loop {
            self.flying.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
            let arrival = self.flying.last().map(|(at, ..)| *at);
            let deadlines = [client.next_deadline(), server.as_ref().and_then(Server::next_deadline)];
            let deadline = deadlines.into_iter().flatten().map(|(at, _)| at).min();
            let Some(now) = arrival.into_iter().chain(deadline).min() else { break };
            self.now = now;
            let mut out = Vec::new();
            let said = if arrival == Some(now) {
                let (_, to_client, bytes) = self.flying.pop().expect("a datagram");
                if to_client {
                    let said = client.receive(now, at(SERVER), &bytes, &mut out);
                    self.put(false, std::mem::take(&mut out));
                    said
                } else {
                    serve(&mut server, now, &bytes, content, &mut out);
                    self.put(true, std::mem::take(&mut out));
                    Download::Goes
                }
            } else {
                let said = client.handle_timeout(now, &mut out);
                self.put(false, std::mem::take(&mut out));
                if let Some(server) = &mut server {
                    server.handle_timeout(now, &mut out);
                }
                self.put(true, out);
                said
            };
            if said != Download::Goes {
                result = said;
            }
        }
        (result, server.and_then(|server| server.ended().cloned()))
    }
}

/// The server's socket: the first request makes the machine.
fn serve(server: &mut Option<Server>, now: Time, bytes: &[u8], content: &Bytes, out: &mut Vec<Datagram>) {
    match (Packet::parse(bytes), server.as_mut()) {
        (Some(Packet::Read { mode, options, .. }), None) => {
            let asked = Terms::read(options);
            *server = Some(Server::start(now, at(CLIENT), mode, &asked, content.clone(), out));
        }
        (_, Some(server)) => server.receive(now, at(CLIENT), bytes, out),
        _ => {}
    }
}

fn content(bytes: usize) -> Bytes {
    (0..bytes).map(|at| (at % 251) as u8).collect()
}

/// Deck, PnP trace: OACK, ACK 0, five blocks of which the last is short, each acknowledged.
#[test]
fn the_deck_s_download_goes_as_in_its_trace() {
    let mut out = Vec::new();
    let mut client = Client::start(Time::ZERO, plan(Terms::of_the_deck()), &mut out);
    let request = out.remove(0);
    assert_eq!((request.to, 42 + request.bytes.len()), (at(ASKED), 97));
    let Some(Packet::Read { mode, options, .. }) = Packet::parse(&request.bytes) else { panic!() };
    let asked = Terms::read(options);
    let mut server = Server::start(Time::ZERO, at(CLIENT), mode, &asked, content(2_536), &mut out);
    let (mut sizes, mut whole) = (Vec::new(), None);
    while let Some(datagram) = out.pop() {
        sizes.push(42 + datagram.bytes.len());
        if datagram.to == at(CLIENT) {
            if let Download::Whole(bytes) = client.receive(Time::ZERO, at(SERVER), &datagram.bytes, &mut out)
            {
                whole = Some(bytes);
            }
        } else {
            server.receive(Time::ZERO, at(CLIENT), &datagram.bytes, &mut out);
        }
    }
    // Acknowledgements of 46 bytes are padded to 60 on Ethernet; our OACK names the time-out too.
    assert_eq!(sizes, [77, 46, 558, 46, 558, 46, 558, 46, 558, 46, 534, 46]);
    assert_eq!(whole.as_deref(), Some(&content(2_536)[..]));
    assert_eq!(server.ended(), Some(&Ended::Served));
}

#[test]
fn block_numbers_wrap_after_65535() {
    let terms = Terms { block_bytes: Some(512), window_blocks: Some(16), ..Terms::default() };
    let file = content(512 * 70_000 + 7);
    let (whole, ended) = Wire::new(1, 0, 0).run(terms, &file);
    assert!(whole == Download::Whole(file.to_vec()), "70,001 blocks");
    assert_eq!(ended, Some(Ended::Served));
}

/// RFC 1123 §4.2.3.1, the Sorcerer's Apprentice: a repeated acknowledgement repeats nothing.
#[test]
fn a_wire_that_repeats_everything_doubles_nothing() {
    let file = content(512 * 100);
    let mut wire = Wire::new(3, 0, 100);
    let (whole, _) = wire.run(Terms::default(), &file);
    assert_eq!(whole, Download::Whole(file.to_vec()));
    assert_eq!(wire.data_sent, 101, "each block once, the last one empty");
}

#[test]
fn a_request_is_sent_again_and_then_given_up() {
    let mut out = Vec::new();
    let mut client = Client::start(Time::ZERO, plan(Terms::of_the_deck()), &mut out);
    let mut last = Download::Goes;
    while let Some((at, _)) = client.next_deadline() {
        last = client.handle_timeout(at, &mut out);
    }
    assert_eq!(last, Download::Failed(Failure::Unanswered));
    assert_eq!(out.len(), 5);
    assert!(out.iter().all(|datagram| datagram == &out[0]));
}

#[test]
fn a_server_that_goes_silent_and_a_client_that_does() {
    let mut out = Vec::new();
    let mut client = Client::start(Time::ZERO, plan(Terms::default()), &mut out);
    let block = Packet::Data { block: 1, bytes: &[7; 512] }.to_bytes();
    client.receive(Time::ZERO, at(SERVER), &block, &mut out);
    let mut last = Download::Goes;
    while let Some((at, _)) = client.next_deadline() {
        last = client.handle_timeout(at, &mut out);
    }
    assert_eq!(last, Download::Failed(Failure::Stalled { bytes: 512 }));

    let mut server = Server::start(Time::ZERO, at(CLIENT), b"octet", &Terms::default(), content(9), &mut out);
    while let Some((at, _)) = server.next_deadline() {
        server.handle_timeout(at, &mut out);
    }
    assert_eq!(server.ended(), Some(&Ended::Stalled));
}

#[test]
fn refusals_and_large_files_end_the_download() {
    let fail = |bytes: Vec<u8>, terms: Terms| {
        let mut out = Vec::new();
        let plan = Plan { most_bytes: 1_000, ..plan(terms) };
        let mut client = Client::start(Time::ZERO, plan, &mut out);
        out.clear();
        (client.receive(Time::ZERO, at(SERVER), &bytes, &mut out), out.len())
    };
    let missing = error(Code::NotFound, "File not found");
    let refused = Failure::Refused { code: 1, message: "File not found".into() };
    assert_eq!(fail(missing, Terms::default()), (Download::Failed(refused), 0), "errors are not answered");
    let large = Packet::OptionAck { options: b"tsize\x001001\x00" }.to_bytes();
    let too_large = Download::Failed(Failure::TooLarge { most_bytes: 1_000 });
    assert_eq!(fail(large, Terms::of_the_deck()), (too_large, 1));
    let liar = Packet::OptionAck { options: b"blksize\x001024\x00" }.to_bytes();
    assert!(matches!(fail(liar, Terms::of_the_deck()), (Download::Failed(Failure::Broken(_)), 1)));
    let fat = Packet::Data { block: 1, bytes: &[0; 513] }.to_bytes();
    assert!(matches!(fail(fat, Terms::default()), (Download::Failed(Failure::Broken(_)), 1)));
}

/// A server that lies about the size, or names none, fills no more than is taken.
#[test]
fn an_endless_file_is_given_up_at_the_limit() {
    let mut out = Vec::new();
    let mut client =
        Client::start(Time::ZERO, Plan { most_bytes: 5_000, ..plan(Terms::default()) }, &mut out);
    let mut blocks = 0_u16;
    let last = loop {
        blocks += 1;
        let block = Packet::Data { block: blocks, bytes: &[1; 512] }.to_bytes();
        let said = client.receive(Time::ZERO, at(SERVER), &block, &mut out);
        if said != Download::Goes {
            break said;
        }
    };
    assert_eq!((last, blocks), (Download::Failed(Failure::TooLarge { most_bytes: 5_000 }), 10));
}

/// RFC 2347: a server that refuses options is asked without.
#[test]
fn an_old_server_is_asked_without_options() {
    let mut out = Vec::new();
    let mut client = Client::start(Time::ZERO, plan(Terms::of_the_deck()), &mut out);
    out.clear();
    client.receive(Time::ZERO, at(SERVER), &error(Code::BadOption, "no options"), &mut out);
    let expected = Packet::Read { file: b"0021f222b021.cfg", mode: b"octet", options: b"" };
    assert_eq!(Packet::parse(&out[0].bytes), Some(expected));
    let block = Packet::Data { block: 1, bytes: b"x" }.to_bytes();
    let said = client.receive(Time::ZERO, at("192.168.50.165:7"), &block, &mut out);
    assert_eq!(said, Download::Whole(b"x".to_vec()), "another port answers");
}

/// RFC 1350 §4: a stranger is told so and disturbs nothing; not without end.
#[test]
fn stray_ports_are_told_so_a_few_times() {
    let mut out = Vec::new();
    let mut client = Client::start(Time::ZERO, plan(Terms::default()), &mut out);
    client.receive(Time::ZERO, at(SERVER), &Packet::Data { block: 1, bytes: &[0; 512] }.to_bytes(), &mut out);
    out.clear();
    let bad = Packet::Data { block: 2, bytes: b"evil" }.to_bytes();
    for port in 1..100 {
        let stranger = SocketAddr::new(at(SERVER).ip(), port);
        assert_eq!(client.receive(Time::ZERO, stranger, &bad, &mut out), Download::Goes);
        client.receive(Time::ZERO, stranger, &error(Code::NotFound, "x"), &mut out);
        client.receive(Time::ZERO, stranger, b"no TFTP", &mut out);
    }
    assert_eq!(out.len(), usize::from(MOST_STRAYS));
    assert!(out.iter().all(|it| it.to != at(SERVER) && it.bytes.starts_with(&[0, 5, 0, 5])));
    let end = Packet::Data { block: 2, bytes: b"good" }.to_bytes();
    let Download::Whole(whole) = client.receive(Time::ZERO, at(SERVER), &end, &mut out) else { panic!() };
    assert!(whole.ends_with(b"good"));

    let mut server = Server::start(Time::ZERO, at(CLIENT), b"octet", &Terms::default(), content(9), &mut out);
    out.clear();
    for port in 1..100 {
        let stranger = SocketAddr::new(at(CLIENT).ip(), port);
        server.receive(Time::ZERO, stranger, &Packet::Ack { block: 1 }.to_bytes(), &mut out);
    }
    assert_eq!((out.len(), server.ended()), (usize::from(MOST_STRAYS), None));
}

/// RFC 1350 §6: the last acknowledgement may be lost; the client dallies.
#[test]
fn the_last_block_is_acknowledged_again_a_few_times() {
    let mut out = Vec::new();
    let mut client = Client::start(Time::ZERO, plan(Terms::default()), &mut out);
    let block = Packet::Data { block: 1, bytes: b"all" }.to_bytes();
    client.receive(Time::ZERO, at(SERVER), &block, &mut out);
    out.clear();
    for _ in 0..100 {
        assert_eq!(client.receive(Time::ZERO, at(SERVER), &block, &mut out), Download::Goes);
    }
    assert_eq!(out.len(), 8);
    let (end, _) = client.next_deadline().expect("it lingers");
    client.handle_timeout(end, &mut out);
    assert_eq!(client.next_deadline(), None);
}

#[test]
fn a_text_mode_has_the_line_ends_of_a_terminal() {
    let mut out = Vec::new();
    Server::start(
        Time::ZERO,
        at(CLIENT),
        b"NetASCII",
        &Terms::default(),
        Bytes::from_static(b"a\nb\r"),
        &mut out,
    );
    assert_eq!(out[0].bytes, b"\0\x03\0\x01a\r\nb\r\0");
}

proptest! {
    #[test]
    fn a_file_arrives_whole_over_a_bad_wire(
        seed in any::<u64>(), size in 0..6_000_usize, block in prop::option::of(8..=1_600_u16),
        window in prop::option::of(1..=40_u16), lost in 0..15_u64, repeated in 0..15_u64
    ) {
        let terms = Terms { size_bytes: Some(0), block_bytes: block, timeout_s: Some(1), window_blocks: window };
        let file = content(size);
        let mut wire = Wire::new(seed, lost, repeated);
        let (result, _) = wire.run(terms, &file);
        // A wire that loses may lose the same datagram five times over; then it is told, and nothing false.
        match result {
            Download::Whole(bytes) => prop_assert!(bytes == file[..]),
            Download::Failed(Failure::Unanswered | Failure::Stalled { .. } | Failure::Refused { code: 0, .. }) => {
                prop_assert!(lost > 0);
            }
            other => prop_assert!(false, "{other:?}"),
        }
        let blocks = (size / usize::from(block.unwrap_or(512).min(1_468)) + 1) as u64;
        prop_assert!(wire.data_sent <= blocks * 40, "{} for {blocks}", wire.data_sent);
    }

    #[test]
    fn whatever_comes_each_end_comes_to_rest(packets in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..40), 1..7_u8), 0..60)) {
        let mut out = Vec::new();
        let mut client = Client::start(Time::ZERO, Plan { most_bytes: 2_000, ..plan(Terms::of_the_deck()) }, &mut out);
        let mut server = Server::start(Time::ZERO, at(CLIENT), b"octet", &Terms::of_the_deck(), content(3_000), &mut out);
        for (known, bytes, kind) in packets {
            let bytes = [&[0, kind][..], &bytes].concat();
            let port = if known { SERVER } else { "192.168.50.165:9" };
            client.receive(Time::ZERO, at(port), &bytes, &mut out);
            server.receive(Time::ZERO, at(if known { CLIENT } else { "192.0.2.1:9" }), &bytes, &mut out);
        }
        for _ in 0..20 {
            if let Some((at, _)) = client.next_deadline() {
                client.handle_timeout(at, &mut out);
            }
            if let Some((at, _)) = server.next_deadline() {
                server.handle_timeout(at, &mut out);
            }
        }
        prop_assert_eq!((client.next_deadline(), server.next_deadline()), (None, None));
    }
}
