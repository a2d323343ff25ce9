//! Addresses, switches and VLANs.

use super::{Sample, above_info};
use crate::doctor::tape::{PHONE, SERVER, Tape, frame_of, talk};

pub(super) const SAMPLES: &[Sample] = &[
    Sample { code: "dhcp.no-offer", faulty: || discovers(&[0, 4_000, 12_000]), healthy: || discovers(&[0]) },
    Sample { code: "dhcp.nak", faulty: || refused(false), healthy: leased },
    Sample { code: "dhcp.duplicate-ip", faulty: || claimed(MAC, SWITCH), healthy: || claimed(MAC, MAC) },
    Sample { code: "dhcp.no-option66", faulty: leased_without, healthy: leased },
    Sample {
        code: "vlan.mismatch",
        faulty: || vlans(Some(50), Some(10), None),
        healthy: || vlans(Some(50), Some(50), None),
    },
    Sample {
        code: "vlan.no-policy",
        faulty: || vlans(None, None, None),
        healthy: || vlans(Some(50), Some(50), None),
    },
    Sample {
        code: "vlan.conflict",
        faulty: || vlans(Some(50), Some(50), Some(60)),
        healthy: || vlans(Some(50), Some(50), Some(50)),
    },
];

pub(super) const MAC: [u8; 6] = [0, 0x21, 0xf2, 0x22, 0xb0, 0x21];
pub(super) const SWITCH: [u8; 6] = [0, 0x0c, 0x29, 0x11, 0x22, 0x33];
const ALL: &str = "255.255.255.255:67";
const NOBODY: &str = "0.0.0.0:68";
const DHCP: &str = "192.168.80.1:67";
const CLIENT: &str = "192.168.80.23:68";

/// A DHCP message: 1 asks, 2 answers; `options` after that of its kind.
pub(super) fn dhcp(direction: u8, kind: u8, given: [u8; 4], options: &[u8]) -> Vec<u8> {
    let mut bytes = vec![direction, 1, 6, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend(given);
    bytes.extend([0; 8]);
    bytes.extend(MAC);
    bytes.extend([0; 10 + 192]);
    bytes.extend([0x63, 0x82, 0x53, 0x63, 53, 1, kind]);
    bytes.extend(options);
    bytes.push(255);
    bytes
}

pub(super) const GIVEN: [u8; 4] = [192, 168, 80, 23];
const BY: [u8; 6] = [54, 4, 192, 168, 80, 1];

fn ask(tape: Tape, ms: u64, kind: u8, options: &[u8]) -> Tape {
    tape.udp_of(ms, MAC, None, (NOBODY, ALL), &dhcp(1, kind, [0; 4], options))
}

fn tell(tape: Tape, ms: u64, kind: u8, options: &[u8]) -> Tape {
    tape.udp_of(ms, SWITCH, None, (DHCP, CLIENT), &dhcp(2, kind, GIVEN, &[&BY[..], options].concat()))
}

fn discovers(times: &[u64]) -> Tape {
    let tape = times.iter().fold(Tape::default(), |tape, ms| ask(tape, *ms, 1, &[]));
    tape.udp(60_000, PHONE, SERVER, "\r\n\r\n")
}

/// Asks for option 66 and gets an address; `more` are the server's options.
pub(super) fn lease(tape: Tape, more: &[u8]) -> Tape {
    let wants = [55, 2, 3, 66];
    let tape = tell(ask(tape, 0, 1, &wants), 10, 2, more);
    let asked = [&[50, 4, 192, 168, 80, 23][..], &BY, &wants].concat();
    tell(ask(tape, 20, 3, &asked), 30, 5, &[&[51, 4, 0, 0, 14, 16][..], more].concat())
}

fn leased() -> Tape {
    lease(Tape::default(), b"\x42\x13tftp://192.168.50.7")
}

fn leased_without() -> Tape {
    lease(Tape::default(), b"")
}

fn refused(healed: bool) -> Tape {
    let tape = ask(Tape::default(), 0, 3, &[50, 4, 192, 168, 1, 20]);
    let tape = tell(tape, 10, 6, b"");
    if healed { lease(tape, b"") } else { tape }
}

fn claimed(first: [u8; 6], second: [u8; 6]) -> Tape {
    let arp = |mac: [u8; 6]| {
        let mut bytes = vec![0, 1, 8, 0, 6, 4, 0, 2];
        bytes.extend(mac);
        bytes.extend([192, 168, 80, 54]);
        bytes.extend([0; 10]);
        frame_of(mac, 0x0806, &bytes)
    };
    Tape::default().frame(0, arp(first)).frame(900, arp(second)).udp(
        1_000,
        PHONE,
        SERVER,
        talk("o", "7001", "7001").ask("OPTIONS", 1, ""),
    )
}

/// LLDP: chassis, port and time, what kind of device it is, and its policy for voice, 0 where it asks for one.
fn lldp(mac: [u8; 6], class: u8, capability: u8, policy: Option<u16>) -> Vec<u8> {
    let mut bytes = vec![2, 7, 4];
    bytes.extend(mac);
    bytes.extend(b"\x04\x03\x07p1\x06\x02\x00\xb4\x0e\x04\x00");
    bytes.extend([capability, 0, capability]);
    if class > 0 {
        bytes.extend([0xfe, 7, 0, 0x12, 0xbb, 1, 0, 0x33, class]);
    }
    if let Some(vlan) = policy {
        let number = (vlan << 1).to_be_bytes();
        bytes.extend([0xfe, 8, 0, 0x12, 0xbb, 2, 1, 0x40 | number[0], number[1], 0x6e]);
    }
    bytes.extend([0, 0]);
    frame_of(mac, 0x88cc, &bytes)
}

fn cdp(vlan: u16) -> Vec<u8> {
    let mut bytes = b"\xaa\xaa\x03\x00\x00\x0c\x20\x00".to_vec();
    bytes.extend(b"\x02\xb4\0\0\0\x01\0\x07sw1\0\x03\0\x08Fa0/\0\x0e\0\x07\x01");
    bytes.extend(vlan.to_be_bytes());
    frame_of(SWITCH, bytes.len() as u16, &bytes)
}

/// What the switch says by LLDP, what the phone uses, what the switch says by CDP.
fn vlans(told: Option<u16>, used: Option<u16>, by_cdp: Option<u16>) -> Tape {
    let mut tape = Tape::default().frame(0, lldp(MAC, 3, 0x20, None)).frame(100, lldp(SWITCH, 4, 4, told));
    if let Some(vlan) = by_cdp {
        tape = tape.frame(150, cdp(vlan));
    }
    if used.is_some() {
        tape = tape.frame(200, lldp(MAC, 3, 0x20, used));
    }
    tape.udp(9_000, PHONE, SERVER, talk("o", "7001", "7001").ask("OPTIONS", 1, ""))
}

/// A relay, or a capture at two ports, shows one DISCOVER twice at once: nobody has asked again.
#[test]
fn a_discover_that_is_seen_twice_is_asked_once() {
    assert!(above_info(discovers(&[0, 1, 3])).is_empty());
    assert_eq!(above_info(discovers(&[0, 1_000, 3_000])), ["dhcp.no-offer"]);
}

/// Captures that were put one after the other: the time between them is no silence.
#[test]
fn what_follows_in_another_stretch_of_time_is_no_silence() {
    let day_ms = 86_400_000;
    let tape = ask(ask(Tape::default(), 0, 1, &[]), 600, 1, &[]);
    assert!(above_info(tape.udp(2 * day_ms, PHONE, SERVER, "\r\n\r\n")).is_empty());
    let tape = ask(ask(Tape::default(), day_ms, 1, &[]), day_ms + 600, 1, &[]);
    assert!(above_info(tape.udp(0, PHONE, SERVER, "\r\n\r\n")).is_empty());
}

#[test]
fn an_address_that_is_refused_and_replaced_is_no_fault() {
    assert!(above_info(refused(true)).is_empty());
}
