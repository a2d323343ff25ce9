//! The service against the messages of RFC 2131, and the deck's frames.

use proptest::prelude::*;
use proto::dhcp::LEAST_REQUEST_BYTES;

use super::*;

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 92);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 1);
const ASKS: &[u8] = &[1, 3, 6, 42, 43, 66, 67, 120, 132];

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 50, last)
}

fn mac(last: u8) -> Mac {
    [0x00, 0x21, 0xf2, 0x22, 0xb0, last]
}

fn service(first: u8, last: u8) -> Service {
    let mut pool = Pool::new(ip(first), ip(last), 24).expect("a pool");
    (pool.gateway, pool.dns) = (Some(GATEWAY), vec![GATEWAY]);
    let class =
        |vendor: &str, value: &[u8]| Class { vendor: vendor.into(), options: vec![(66, value.to_vec())] };
    Service::new(Config {
        server: SERVER,
        pools: vec![pool],
        reservations: BTreeMap::from([(mac(9), ip(9))]),
        lease_s: 3_600,
        classes: vec![class("Offhook", b"192.168.50.92"), class("", b"10.0.0.1")],
    })
}

fn draft(kind: Kind, last: u8) -> Draft {
    Draft::request(kind, 0xf844_8829, mac(last)).broadcast().option(60, b"Offhook FIP14G").option(55, ASKS)
}

fn ask(service: &mut Service, now_s: u64, draft: Draft) -> Option<Answer> {
    service.receive(Time::from_secs(now_s), &draft.finish(LEAST_REQUEST_BYTES))
}

fn told(answer: &Option<Answer>) -> Option<(Kind, Option<Ipv4Addr>)> {
    let message = Message::parse(&answer.as_ref()?.bytes)?;
    Some((message.kind, message.your_ip()))
}

/// Takes an address, as a phone does.
fn take(service: &mut Service, now_s: u64, last: u8) -> Option<Ipv4Addr> {
    let offer = ask(service, now_s, draft(Kind::Discover, last))?;
    let offered = Message::parse(&offer.bytes)?.your_ip()?;
    let request = draft(Kind::Request, last).option(50, &offered.octets()).option(54, &SERVER.octets());
    let (kind, ip) = told(&ask(service, now_s, request))?;
    (kind == Kind::Ack && ip == Some(offered)).then_some(offered)
}

/// Deck, DHCP Option66: the order of the options, and 343 bytes on the wire with Ethernet, IPv4 and UDP.
#[test]
fn an_acknowledgement_is_the_deck_s() {
    let mut service = service(4, 20);
    assert_eq!(take(&mut service, 0, 1), Some(ip(4)));
    let request = draft(Kind::Request, 1).option(50, &ip(4).octets()).option(54, &SERVER.octets());
    let answer = ask(&mut service, 1, request).expect("an answer");
    let ack = Message::parse(&answer.bytes).expect("a message");
    assert_eq!((ack.kind, answer.to, answer.bytes.len() + 42), (Kind::Ack, To::Everybody, 343));
    let codes: Vec<u8> = ack.options().map(|(code, _)| code).collect();
    assert_eq!(codes, [53, 54, 1, 3, 6, 51, 58, 59, 66]);
    assert_eq!(ack.option_text(66).as_deref(), Some("192.168.50.92"), "the class of the client comes first");
}

#[test]
fn each_client_keeps_its_address() {
    let mut service = service(4, 6);
    assert_eq!([1, 2, 1].map(|last| take(&mut service, 0, last)), [Some(ip(4)), Some(ip(5)), Some(ip(4))]);
    assert_eq!(take(&mut service, 10, 9), Some(ip(9)), "a reservation");
    assert_eq!(take(&mut service, 10, 3), Some(ip(6)));
    assert_eq!(take(&mut service, 20, 4), None, "the pool is exhausted");
    assert_eq!(take(&mut service, 4_000, 4), Some(ip(4)), "a lease that is over is free");
    assert_eq!(service.leases(Time::from_secs(4_000)).count(), 1);
}

#[test]
fn an_address_of_another_network_or_client_is_refused() {
    let mut service = service(4, 20);
    take(&mut service, 0, 1);
    let reboot = |address: [u8; 4]| draft(Kind::Request, 2).option(50, &address);
    let refused = ask(&mut service, 1, reboot([10, 0, 0, 7])).expect("an answer");
    let nak = Message::parse(&refused.bytes).expect("a message");
    assert_eq!((nak.kind, refused.to), (Kind::Nak, To::Everybody));
    assert_eq!(nak.option_text(56).as_deref(), Some("the address is not of this network"));
    assert_eq!(told(&ask(&mut service, 1, reboot(ip(4).octets()))), Some((Kind::Nak, None)));
    assert_eq!(told(&ask(&mut service, 1, reboot(ip(7).octets()))), Some((Kind::Ack, Some(ip(7)))));
}

#[test]
fn what_is_declined_is_left_alone_and_what_is_released_is_free() {
    let mut service = service(4, 20);
    take(&mut service, 0, 1);
    let decline =
        |last: u8| draft(Kind::Decline, last).option(50, &ip(4).octets()).option(54, &SERVER.octets());
    ask(&mut service, 1, decline(2));
    assert_eq!(take(&mut service, 1, 1), Some(ip(4)), "another's decline takes nothing away");
    ask(&mut service, 1, decline(1));
    assert_eq!(take(&mut service, 2, 1), Some(ip(5)));
    ask(&mut service, 3, draft(Kind::Release, 1).client_ip(ip(5)).option(54, &SERVER.octets()));
    assert_eq!(take(&mut service, 4, 2), Some(ip(5)));
}

#[test]
fn a_relay_gets_the_answer_of_its_network() {
    let mut service = service(4, 20);
    let second = Pool::new([10, 0, 0, 10].into(), [10, 0, 0, 20].into(), 24).expect("a pool");
    service.config.pools.push(second);
    let behind = |relay: [u8; 4]| {
        let mut bytes = draft(Kind::Discover, 1).finish(0);
        bytes[24..28].copy_from_slice(&relay);
        bytes
    };
    let answer = service.receive(Time::ZERO, &behind([10, 0, 0, 1])).expect("an answer");
    assert_eq!(answer.to, To::Relay([10, 0, 0, 1].into()));
    assert_eq!(told(&Some(answer)), Some((Kind::Offer, Some([10, 0, 0, 10].into()))));
    assert!(service.receive(Time::ZERO, &behind([172, 16, 0, 1])).is_none(), "a network without a pool");
}

#[test]
fn a_renewal_is_answered_to_the_client_and_another_server_s_client_is_forgotten() {
    let mut service = service(4, 20);
    take(&mut service, 0, 1);
    let renewal = ask(&mut service, 1_800, draft(Kind::Request, 1).client_ip(ip(4))).expect("an answer");
    assert_eq!(renewal.to, To::Client(mac(1), ip(4)));
    ask(&mut service, 1_800, draft(Kind::Discover, 2));
    ask(&mut service, 1_800, draft(Kind::Request, 2).option(50, &[1; 4]).option(54, &[192, 168, 50, 2]));
    assert_eq!(service.leases(Time::from_secs(1_800)).count(), 1);
}

/// A flood of clients takes no more than the pool has.
#[test]
fn leases_are_bounded_by_the_pools() {
    let mut service = service(4, 20);
    for number in 0..10_000_u32 {
        let [a, b, c, d] = number.to_be_bytes();
        let flood = Draft::request(Kind::Discover, number, [2, 0, a, b, c, d]).finish(0);
        service.receive(Time::ZERO, &flood);
    }
    assert_eq!(service.leases.len(), 16, "17 addresses, one of them reserved");
    assert!(take(&mut service, 61, 1).is_some(), "offers that nobody takes are over after a minute");
}

#[test]
fn pools_that_are_none() {
    let pool = |first: [u8; 4], last: [u8; 4], bits: u8| Pool::new(first.into(), last.into(), bits).err();
    assert_eq!(pool([10, 0, 0, 9], [10, 0, 0, 1], 24), Some(Fault::Backwards));
    assert_eq!(pool([10, 0, 0, 9], [10, 0, 1, 9], 24), Some(Fault::TwoNetworks));
    assert_eq!(pool([10, 0, 0, 0], [10, 255, 0, 0], 8), Some(Fault::TooLarge));
    let whole = Pool::new([10, 0, 0, 0].into(), [10, 0, 0, 255].into(), 24).expect("a pool");
    assert_eq!(whole.addresses().count(), 254, "neither the net nor all of its machines");
}

proptest! {
    #[test]
    fn any_bytes_are_survived(messages in proptest::collection::vec((0_usize..300, any::<u8>(), 0_u8..9), 0..40)) {
        let mut service = service(4, 20);
        for (at, value, kind) in messages {
            let mut bytes = draft(Kind::Request, value).option(53, &[kind]).finish(300);
            let at = at.min(bytes.len() - 1);
            bytes[at] = value;
            service.receive(Time::from_secs(u64::from(value)), &bytes);
        }
        prop_assert!(service.leases.len() <= 18);
    }
}
