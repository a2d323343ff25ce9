//! A frame as a network socket gives it: Ethernet, ARP, LLDP, CDP, DHCP in UDP; the bare messages too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::ethernet::{self, Frame};
use proto::{Time, arp, cdp, dhcp, ipv4, lldp, sntp};

fuzz_target!(|bytes: &[u8]| {
    let Some(frame) = Frame::parse(bytes) else { return };
    let _ = (ethernet::untagged(bytes), ethernet::tagged(bytes, frame.tag));
    let _ = frame.cdp().map(cdp::Advert::parse);
    let _ = (lldp::Advert::parse(frame.payload), cdp::Advert::parse(frame.payload));
    if let Some(packet) = arp::Packet::parse(frame.payload) {
        assert_eq!(arp::Packet::parse(&packet.to_bytes()), Some(packet));
    }
    if let Some(datagram) = ipv4::Datagram::parse(frame.payload) {
        read_dhcp(datagram.bytes);
    }
    read_dhcp(frame.payload);
    let _ = sntp::answer(frame.payload, Time::ZERO);
    let _ = sntp::Question::new(0, Time::ZERO).answer(Time::ZERO, frame.payload);
});

fn read_dhcp(bytes: &[u8]) {
    let Some(message) = dhcp::Message::parse(bytes) else { return };
    for code in 1..255 {
        let whole = message.whole_option(code).unwrap_or_default();
        let servers = dhcp::sip_servers(&whole);
        assert!(servers.len() <= dhcp::MOST_SIP_SERVERS);
        let again = dhcp::sip_servers_value(&servers).map(|value| dhcp::sip_servers(&value));
        assert_eq!(again.unwrap_or_default(), servers);
        let _ = (dhcp::vlan_of(&whole), message.option_text(code), message.option_ips(code));
    }
    let answer = dhcp::Draft::reply(dhcp::Kind::Offer, &message).finish(0);
    assert_eq!(dhcp::Message::parse(&answer).map(|it| it.transaction()), Some(message.transaction()));
}
