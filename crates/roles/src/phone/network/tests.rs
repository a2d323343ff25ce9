//! Timelines of the network agent: a switch and a server of the test's own at the other end of the cable.

use std::net::SocketAddrV4;

use proptest::prelude::*;
use proto::dhcp::{Draft, Kind, Message};
use proto::ethernet::BROADCAST;
use proto::lldp::{Advert, Policy, VOICE};
use proto::{cdp, syslog};

use super::*;
use crate::settings::FixedAddress;

const PHONE: Mac = [0x00, 0x21, 0xf2, 0x22, 0xb0, 0x21];
const SWITCH: Mac = [0x00, 0x13, 0x21, 0x57, 0xca, 0x7f];
const SERVER: Mac = [0x00, 0x0c, 0x29, 0, 0, 2];
const SERVER_IP: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 2);
const IP: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 54);

struct Bench {
    agent: Agent,
    now: Time,
    frames: Vec<(Time, Bytes)>,
    notes: Vec<String>,
    places: Vec<Option<Box<Network>>>,
    kept: Option<KeptLease>,
}

fn usual() -> NetworkSettings {
    NetworkSettings {
        lldp: true,
        lldp_interval_s: 60,
        cdp: true,
        cdp_interval_s: 60,
        dhcp_vlan: true,
        vlan_options: vec![132],
        ..NetworkSettings::default()
    }
}

/// Without LLDP and CDP DHCP begins at once.
fn silent() -> NetworkSettings {
    NetworkSettings { lldp: false, cdp: false, ..usual() }
}

fn by_hand(id: u16) -> Option<ManualVlan> {
    Some(ManualVlan { id, priority: 5 })
}

impl Bench {
    fn new(settings: NetworkSettings) -> Self {
        Self::with_lease(settings, None)
    }

    fn with_lease(settings: NetworkSettings, kept: Option<KeptLease>) -> Self {
        let who = Identity {
            interface: "eth0".into(),
            mac: PHONE,
            mac_text: "0021f222b021".into(),
            model: "FIP14G".into(),
            version: "1.0".into(),
            serial: "".into(),
            host_name: "FIP14G-0021f222b021".into(),
            decawatts: 50,
            dscp: Dscp { signal: 26, sound: 46 },
        };
        let agent = Agent::new(settings, who, kept, [7; 32]);
        let (frames, notes, places) = (Vec::new(), Vec::new(), Vec::new());
        let mut bench = Self { agent, now: Time::ZERO, frames, notes, places, kept: None };
        bench.agent.on_link(Time::ZERO, true);
        bench.collect();
        bench
    }

    fn collect(&mut self) {
        for told in self.agent.take_told() {
            match told {
                Told::Frame(frame) => self.frames.push((self.now, frame)),
                Told::Note(note) => self.notes.push(note.text),
                Told::Place(place) => self.places.push(place),
                Told::Lease(lease) => self.kept = Some(lease),
            }
        }
    }

    fn run_to(&mut self, end_s: u64) {
        let end = Time::from_secs(end_s);
        for _ in 0..10_000 {
            let Some((due, _)) = self.agent.next_deadline().filter(|(due, _)| *due <= end) else {
                self.now = end;
                return;
            };
            self.now = due.max(self.now);
            self.agent.advance(self.now);
            self.collect();
        }
        panic!("the agent never comes to rest: {:?}", self.agent.next_deadline());
    }

    fn hear(&mut self, frame: &[u8]) {
        self.agent.on_frame(self.now, frame);
        self.collect();
    }

    fn hear_lldp(&mut self, vlan: u16) {
        let policy = Policy { application: VOICE, unknown: false, tagged: true, vlan, priority: 6, dscp: 46 };
        let draft =
            lldp::Draft::of_switch(SWITCH, "1", 120).text(5, "sw1").med_capabilities(0xf, 4).policy(&policy);
        self.hear(&ethernet::frame(lldp::GROUP, SWITCH, None, ethernet::LLDP, &draft.finish()));
    }

    fn hear_cdp(&mut self, vlan: u16) {
        let packet = cdp::Draft::new("sw1", 180).capabilities(8).voice_vlan(vlan).finish();
        self.hear(&ethernet::cdp_frame(cdp::GROUP, SWITCH, &packet));
    }

    /// The DHCP messages that the phone has sent, each with its second, kind and VLAN.
    fn sent(&self) -> Vec<(u64, Kind, Option<u16>)> {
        let all = self.frames.iter().filter_map(|(at, bytes)| {
            let frame = Frame::parse(bytes)?;
            let datagram = ipv4::Datagram::parse(frame.payload).filter(|_| frame.kind == ethernet::IPV4)?;
            Some((at.as_secs(), Message::parse(datagram.bytes)?.kind, frame.vlan()))
        });
        all.collect()
    }

    fn last_message(&self) -> Option<(Frame<'_>, ipv4::Datagram<'_>)> {
        self.frames.iter().rev().find_map(|(_, bytes)| {
            let frame = Frame::parse(bytes).filter(|frame| frame.kind == ethernet::IPV4)?;
            Some((frame, ipv4::Datagram::parse(frame.payload)?))
        })
    }

    /// The server answers what the phone has sent last.
    fn answer(&mut self, kind: Kind, options: &[(u8, &[u8])]) {
        let (frame, datagram) = self.last_message().expect("a message of the phone");
        let asked = Message::parse(datagram.bytes).expect("a message of the phone");
        let mut draft = Draft::reply(kind, &asked).option(54, &SERVER_IP.octets());
        if kind != Kind::Nak {
            draft = draft.your_ip(IP).option(1, &[255, 255, 255, 0]).option(51, &3_600_u32.to_be_bytes());
        }
        let message =
            options.iter().fold(draft, |draft, (code, value)| draft.option(*code, value)).finish(300);
        let (from, to) = (SocketAddrV4::new(SERVER_IP, 67), SocketAddrV4::new(Ipv4Addr::BROADCAST, 68));
        let packet = ipv4::datagram(from, to, &message).expect("a datagram");
        let answer = ethernet::frame(BROADCAST, SERVER, frame.tag, ethernet::IPV4, &packet);
        self.hear(&answer);
    }

    /// OFFER, ACK, and a second in which nobody has the address.
    fn give(&mut self, options: &[(u8, &[u8])]) {
        self.answer(Kind::Offer, options);
        self.answer(Kind::Ack, options);
        self.run_to(self.now.as_secs() + 2);
    }

    fn somebody_has(&mut self, ip: Ipv4Addr) {
        let packet = arp::Packet::probe(PHONE, ip).answer(SWITCH);
        let tag = self.agent.vlan.map(|vlan| Tag { vlan: vlan.id, priority: 0 });
        self.hear(&ethernet::frame(PHONE, SWITCH, tag, ethernet::ARP, &packet.to_bytes()));
    }

    fn place(&self) -> Option<&Network> {
        self.places.last()?.as_deref()
    }

    #[track_caller]
    fn has_noted(&self, text: &str) {
        assert!(self.notes.iter().any(|note| note.contains(text)), "{text}: {:#?}", self.notes);
    }
}

use Kind::{Decline, Discover, Release, Request};

#[test]
fn the_vlan_of_lldp_is_used_at_once() {
    let mut bench = Bench::new(usual());
    assert!(bench.sent().is_empty(), "it listens first");
    bench.hear_lldp(50);
    assert_eq!(bench.sent(), [(0, Discover, Some(50))]);
    bench.give(&[(66, b"192.168.50.92")]);
    let place = bench.place().expect("a place");
    assert_eq!(place.vlan, Some(Vlan { id: 50, priority: 6, source: VlanSource::Lldp }));
    assert_eq!((place.ip, place.option_66.as_deref()), (IpAddr::V4(IP), Some("192.168.50.92")));
    assert_eq!(place.dscp, Some(Dscp { signal: 46, sound: 46 }));
    bench.has_noted("VLAN 50, priority 6, named by LLDP");
    bench.has_noted("DHCP: 192.168.50.54 from 192.168.50.2 for 3600 s");
}

/// Deck, Network: LLDP, manual VLAN, DHCP option; CDP beside LLDP.
#[test]
fn the_order_of_those_who_name_a_vlan() {
    for (lldp, cdp, manual, option, expected) in [
        (Some(50), Some(60), Some(70), Some(80), Some(50)),
        (None, Some(60), Some(70), Some(80), Some(60)),
        (None, None, Some(70), Some(80), Some(70)),
        (None, None, None, Some(80), Some(80)),
        (None, None, None, None, None),
    ] {
        let mut bench = Bench::new(NetworkSettings { manual_vlan: manual.and_then(by_hand), ..usual() });
        cdp.into_iter().for_each(|vlan| bench.hear_cdp(vlan));
        lldp.into_iter().for_each(|vlan| bench.hear_lldp(vlan));
        bench.run_to(4);
        let digits = option.map(|vlan: u16| vlan.to_string()).unwrap_or_default();
        bench.give(&[(132, digits.as_bytes())]);
        if expected == Some(80) {
            bench.give(&[(132, digits.as_bytes())]);
        }
        let place = bench.place().expect("a place");
        assert_eq!(place.vlan.map(|vlan| vlan.id), expected, "{:#?}", bench.notes);
    }
}

/// Yealink and others: DISCOVER without a tag, option 132, RELEASE, DISCOVER in the VLAN.
#[test]
fn the_vlan_of_an_option_is_asked_for_untagged_first() {
    let mut bench = Bench::new(silent());
    bench.give(&[(132, b"\x64")]);
    let sent = bench.sent();
    assert_eq!(sent, [(0, Discover, None), (0, Request, None), (0, Release, None), (0, Discover, Some(100))]);
    bench.has_noted("DHCP: option 132 names VLAN 100");
    let mut forbidden = Bench::new(NetworkSettings { dhcp_vlan: false, ..silent() });
    forbidden.give(&[(132, b"\x64")]);
    assert_eq!(forbidden.place().map(|place| place.vlan), Some(None));
}

#[test]
fn no_vlan_0_and_no_4095() {
    for vlan in [0, 4_095] {
        let mut bench = Bench::new(usual());
        bench.hear_lldp(vlan);
        bench.hear_lldp(vlan);
        bench.hear_cdp(vlan);
        bench.run_to(4);
        bench.give(&[(132, &vlan.to_be_bytes())]);
        assert_eq!(bench.place().map(|place| place.vlan), Some(None));
        let told = bench.notes.iter().filter(|note| note.contains("is none that frames can have")).count();
        // Once for the switch, once for DHCP.
        assert_eq!(told, 2, "{:#?}", bench.notes);
    }
}

#[test]
fn a_vlan_without_a_server_is_left_where_the_settings_allow_it() {
    let settings = NetworkSettings { manual_vlan: by_hand(70), vlan_change: true, ..silent() };
    let mut bench = Bench::new(settings.clone());
    bench.run_to(35);
    bench.has_noted("DHCP: no server answers in VLAN 70");
    assert_eq!(bench.sent().last().map(|it| it.2), Some(None), "{:?}", bench.sent());
    // Nowhere is a server: the VLAN is tried again.
    bench.run_to(70);
    assert!(bench.sent().iter().filter(|it| it.0 > 40).any(|it| it.2 == Some(70)), "{:?}", bench.sent());
    let mut stays = Bench::new(NetworkSettings { vlan_change: false, ..settings });
    stays.run_to(300);
    assert!(stays.sent().iter().all(|it| *it == (it.0, Discover, Some(70))));
}

#[test]
fn another_policy_moves_the_phone() {
    let mut bench = Bench::new(usual());
    bench.hear_lldp(50);
    bench.give(&[]);
    bench.run_to(100);
    bench.hear_lldp(60);
    let sent = bench.sent();
    assert_eq!(sent[2..], [(100, Release, Some(50)), (100, Discover, Some(60))]);
    assert_eq!(bench.places.last(), Some(&None), "the address is no more");
    bench.give(&[]);
    assert_eq!(bench.place().and_then(|place| place.vlan).map(|vlan| vlan.id), Some(60));
}

/// RFC 2131 §4.1: after 4, 8, 16, 32, 64 s, each a second more or less.
#[test]
fn discover_is_repeated_more_and_more_slowly() {
    let mut bench = Bench::new(silent());
    bench.run_to(240);
    let at: Vec<u64> = bench.sent().iter().map(|it| it.0).collect();
    let waits: Vec<u64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits.len(), 6, "{waits:?}");
    for (wait, expected) in waits.iter().zip([4_u64, 8, 16, 32, 64, 64]) {
        assert!(wait.abs_diff(expected) <= 2, "{waits:?}");
    }
}

/// RFC 2131 §4.4.5: T1 to the server alone, T2 to all, then the end.
#[test]
fn a_lease_is_renewed_rebound_and_lost() {
    let mut bench = Bench::new(silent());
    bench.give(&[]);
    bench.run_to(1_799);
    assert_eq!(bench.sent().len(), 2);
    bench.run_to(1_801);
    let (frame, datagram) = bench.last_message().expect("a message");
    assert_eq!((frame.destination, datagram.from.ip(), datagram.to.ip()), (SERVER, &IP, &SERVER_IP));
    let asked = Message::parse(datagram.bytes).expect("a message");
    assert_eq!(
        (asked.kind, asked.client_ip(), asked.option(50), asked.option(54)),
        (Request, Some(IP), None, None)
    );
    bench.answer(Kind::Ack, &[]);
    bench.has_noted("DHCP: 192.168.50.2 keeps 192.168.50.54 for 3600 s");
    assert_eq!(bench.places.len(), 1, "nothing has changed");
    // T2 is seven eighths of the hour.
    bench.run_to(1_800 + 3_155);
    let (frame, datagram) = bench.last_message().expect("a message");
    assert_eq!((frame.destination, datagram.to.ip()), (BROADCAST, &Ipv4Addr::BROADCAST));
    bench.run_to(1_800 + 3_605);
    bench.has_noted("DHCP: the lease is over");
    assert_eq!((bench.places.last(), bench.sent().last().map(|it| it.1)), (Some(&None), Some(Discover)));
}

#[test]
fn a_renewal_that_brings_other_facts_is_told() {
    let mut bench = Bench::new(silent());
    bench.give(&[]);
    bench.run_to(1_801);
    bench.answer(Kind::Ack, &[(66, b"other")]);
    assert_eq!(bench.place().and_then(|place| place.option_66.as_deref()), Some("other"));
}

/// RFC 2131 §3.2, and §4.3.2 for the NAK.
#[test]
fn the_address_before_is_asked_for_first() {
    let kept = Some(KeptLease { ip: IP, vlan: None });
    let mut bench = Bench::with_lease(silent(), kept);
    let (_, datagram) = bench.last_message().expect("a message");
    let asked = Message::parse(datagram.bytes).expect("a message");
    assert_eq!((asked.kind, asked.option_ip(50), asked.option(54)), (Request, Some(IP), None));
    bench.answer(Kind::Nak, &[(56, b"wrong network")]);
    bench.has_noted("192.168.50.2 refuses the address (NAK): wrong network");
    bench.run_to(2);
    assert_eq!(bench.sent(), [(0, Request, None), (1, Discover, None)]);
    let mut taken = Bench::with_lease(silent(), kept);
    taken.answer(Kind::Ack, &[]);
    taken.run_to(2);
    assert_eq!(taken.place().map(|place| place.ip), Some(IpAddr::V4(IP)));
    let mut elsewhere = Bench::with_lease(NetworkSettings { manual_vlan: by_hand(70), ..silent() }, kept);
    assert_eq!(elsewhere.sent(), [(0, Discover, Some(70))], "the address belongs to another VLAN");
    elsewhere.give(&[]);
    assert_eq!(elsewhere.kept, Some(KeptLease { ip: IP, vlan: Some(70) }));
}

#[test]
fn naks_without_end_are_answered_more_and_more_slowly() {
    let mut bench = Bench::new(silent());
    for _ in 0..8 {
        bench.answer(Kind::Offer, &[]);
        bench.answer(Kind::Nak, &[]);
        let due = bench.agent.next_deadline().expect("a deadline").0;
        bench.run_to(due.as_secs() + 1);
    }
    assert!(bench.now.as_secs() >= 127, "{}", bench.now.as_secs());
}

/// RFC 2131 §4.4.1: DECLINE, ten seconds, DISCOVER.
#[test]
fn an_address_that_somebody_has_is_declined() {
    let mut bench = Bench::new(silent());
    bench.answer(Kind::Offer, &[]);
    bench.answer(Kind::Ack, &[]);
    bench.somebody_has(IP);
    bench.has_noted("IP address conflict: 00132157ca7f has 192.168.50.54");
    bench.run_to(11);
    assert_eq!(bench.sent()[2..], [(0, Decline, None), (10, Discover, None)]);
    assert!(bench.places.is_empty());
}

#[test]
fn an_address_that_is_used_is_defended_now_and_then() {
    let mut bench = Bench::new(silent());
    bench.give(&[]);
    for _ in 0..100 {
        bench.somebody_has(IP);
    }
    assert_eq!(bench.notes.iter().filter(|note| note.contains("has 192.168.50.54 too")).count(), 1);
    assert!(bench.place().is_some());
}

#[test]
fn a_phone_that_is_switched_off_gives_its_address_back() {
    let mut bench = Bench::new(usual());
    bench.hear_lldp(50);
    bench.give(&[]);
    bench.agent.stop(bench.now);
    bench.collect();
    let (frame, datagram) = bench.last_message().expect("a message");
    let told = Message::parse(datagram.bytes).expect("a message");
    assert_eq!(
        (told.kind, told.client_ip(), frame.vlan(), frame.destination),
        (Release, Some(IP), Some(50), SERVER)
    );
    assert!(bench.frames.iter().any(|(_, frame)| is_shutdown(frame)), "the neighbours know");
    assert_eq!((bench.places.last(), bench.agent.next_deadline()), (Some(&None), None));
}

fn is_shutdown(frame: &[u8]) -> bool {
    let frame = Frame::parse(frame).filter(|frame| frame.kind == ethernet::LLDP);
    frame.and_then(|frame| Advert::parse(frame.payload)).is_some_and(|advert| advert.ttl_s == 0)
}

/// Deck, Auto Provisioning: `lldpd[1243]: MSAP has changed for port eth0.1, sending a shutdown LLDPDU`.
#[test]
fn a_new_address_is_another_msap() {
    let mut bench = Bench::new(usual());
    bench.run_to(3);
    bench.give(&[]);
    assert!(
        bench.notes.iter().any(|note| note == "MSAP has changed for port eth0.1, sending a shutdown LLDPDU")
    );
    let adverts: Vec<Advert> = bench
        .frames
        .iter()
        .filter_map(|(_, bytes)| Frame::parse(bytes).filter(|frame| frame.kind == ethernet::LLDP))
        .filter_map(|frame| Advert::parse(frame.payload))
        .collect();
    let told: Vec<(&str, u16)> = adverts.iter().map(|it| (it.chassis.as_str(), it.ttl_s)).collect();
    let (mac, ip) = ("0021f222b021", "192.168.50.54");
    assert_eq!(told[..6], [(mac, 240), (mac, 240), (mac, 240), (mac, 0), (ip, 240), (ip, 240)]);
    assert!(adverts[0].policies[0].unknown && adverts[0].is_phone());
}

#[test]
fn cdp_asks_for_the_voice_vlan() {
    let bench = Bench::new(usual());
    let asked = bench.frames.iter().find_map(|(_, bytes)| cdp::Advert::parse(Frame::parse(bytes)?.cdp()?));
    let asked = asked.expect("a packet");
    assert!(asked.is_phone() && asked.voice_vlan_asked.is_some());
    assert_eq!(asked.device.as_deref(), Some("SEP0021F222B021"));
}

/// An end point tells the policy that it was told itself, and hostile ones what they like.
#[test]
fn no_policy_is_taken_of_another_phone() {
    let mut bench = Bench::new(usual());
    let policy = Policy { application: VOICE, unknown: false, tagged: true, vlan: 66, priority: 0, dscp: 0 };
    let other =
        lldp::Draft::new(lldp::Chassis::Mac(SWITCH), SWITCH, 120).med_capabilities(0x33, 3).policy(&policy);
    bench.hear(&ethernet::frame(lldp::GROUP, SWITCH, None, ethernet::LLDP, &other.finish()));
    bench.run_to(4);
    assert_eq!(bench.sent(), [(3, Discover, None)]);
}

#[test]
fn an_address_that_is_set_is_probed_and_used() {
    let fixed = FixedAddress { ip: IP, prefix_bits: 24, gateway: Some(Ipv4Addr::new(192, 168, 50, 1)) };
    let settings = NetworkSettings { fixed: Some(fixed), static_dns: vec![[9, 9, 9, 9].into()], ..silent() };
    let mut bench = Bench::new(settings.clone());
    bench.run_to(2);
    let place = bench.place().expect("a place");
    assert_eq!((place.ip, place.prefix_bits, place.dns.len()), (IpAddr::V4(IP), Some(24), 1));
    assert!(bench.sent().is_empty());
    let mut clash = Bench::new(settings);
    clash.somebody_has(IP);
    clash.run_to(5);
    assert!(clash.places.is_empty());
    clash.run_to(12);
    assert!(clash.place().is_some(), "the other is gone");
}

#[test]
fn a_short_break_of_the_cable_keeps_the_address() {
    let mut bench = Bench::new(silent());
    bench.give(&[]);
    bench.agent.on_link(bench.now, false);
    bench.run_to(20);
    bench.agent.on_link(bench.now, true);
    bench.collect();
    assert_eq!(bench.sent().last(), Some(&(20, Request, None)), "INIT-REBOOT");
    bench.answer(Kind::Ack, &[]);
    bench.run_to(22);
    assert_eq!(bench.places.len(), 1, "nothing has changed: {:?}", bench.places);
}

#[test]
fn what_a_rogue_server_offers_is_told_and_not_taken() {
    let mut bench = Bench::new(silent());
    let (_, datagram) = bench.last_message().expect("a message");
    let asked = Message::parse(datagram.bytes).expect("a message");
    let offer =
        Draft::reply(Kind::Offer, &asked).your_ip([224, 0, 1, 75].into()).option(54, &SERVER_IP.octets());
    let (from, to) = (SocketAddrV4::new(SERVER_IP, 67), SocketAddrV4::new(Ipv4Addr::BROADCAST, 68));
    let packet = ipv4::datagram(from, to, &offer.finish(300)).expect("a datagram");
    bench.hear(&ethernet::frame(BROADCAST, SERVER, None, ethernet::IPV4, &packet));
    bench.has_noted("DHCP: OFFER is not taken: 224.0.1.75 is no address of a machine");
    assert_eq!(bench.sent().len(), 1);
    let mut other = Bench::new(silent());
    other.give(&[(3, &[10, 0, 0, 1])]);
    other.has_noted("the router 10.0.0.1 is not in the net of 192.168.50.54");
    assert_eq!(other.place().map(|place| place.gateway), Some(None));
}

#[test]
fn lines_have_the_deck_s_tags() {
    let mut log = log::Log::new(1_241, 10);
    let text = "MSAP has changed for port eth0.1, sending a shutdown LLDPDU";
    let at = Time::from_utc(2022, 2, 15, 17, 54, 18).expect("a time");
    let line = log.write(at, log::Tag::Lldp, syslog::Severity::Informational, text);
    let expected =
        "<Tue Feb 15 17:54:18 2022> lldpd[1243]: MSAP has changed for port eth0.1, sending a shutdown LLDPDU";
    assert_eq!(line.as_deref(), Some(expected));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Hostile switches and servers: no panic, and the agent comes to rest.
    #[test]
    fn any_frames_are_survived(frames in proptest::collection::vec((0_u8..5, proptest::collection::vec(any::<u8>(), 0..120)), 0..12)) {
        let mut bench = Bench::new(usual());
        for (kind, bytes) in frames {
            match kind {
                0 => bench.hear(&bytes),
                1 => bench.hear(&ethernet::frame(lldp::GROUP, SWITCH, None, ethernet::LLDP, &bytes)),
                2 => bench.hear(&ethernet::cdp_frame(cdp::GROUP, SWITCH, &[&b"\x02\xb4\0\0"[..], &bytes].concat())),
                3 if bench.last_message().is_some() => {
                    bench.answer(Kind::Offer, &[(120, &bytes), (43, &bytes), (132, &bytes)]);
                    bench.answer(Kind::Ack, &[(120, &bytes), (3, &bytes), (132, &bytes), (1, &bytes)]);
                }
                _ => bench.hear(&ethernet::frame(PHONE, SWITCH, None, ethernet::ARP, &bytes)),
            }
            bench.run_to(bench.now.as_secs() + 3);
        }
        bench.run_to(bench.now.as_secs() + 500);
        prop_assert!(bench.frames.len() < 1_000);
    }
}
