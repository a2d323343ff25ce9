//! DHCP, switches and VLANs.

use std::time::Duration;

use proto::Time;

use super::super::finding::{Finding, Severity};
use super::super::tracks::{DhcpMessage, Discovery, Lease, Neighbour, mac_text};
use super::case::{Case, Findings, SHORT};
use super::explain::Explanation;

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "dhcp.no-offer",
        title: "No DHCP server offers an address",
        seen: "DISCOVER is sent again and again, and no OFFER comes.",
        hurts: "The phone has no address.",
        example: "DISCOVER, again after 4 s, 8 s, 16 s",
        remedy: &[
            "Disable LLDP and CDP and check whether the phone can get an IP address; check whether the phone set up the correct VLAN.",
            "Connect this network cable to other phones, check whether they work.",
            "Look whether the DHCP server has free addresses, and whether a relay stands in this VLAN.",
        ],
        reference: "RFC 2131 §4.4.1; deck, Network - Troubleshooting",
    },
    Explanation {
        code: "dhcp.nak",
        title: "The DHCP server refuses the address",
        seen: "REQUEST is answered with NAK; info where the client then gets another.",
        hurts: "The phone has no address, or loses it.",
        example: "REQUEST 192.168.1.20 · NAK",
        remedy: &[
            "Look for two DHCP servers that know nothing of each other.",
            "Look whether the phone was moved from another network or VLAN; restart it.",
        ],
        reference: "RFC 2131 §4.3.2",
    },
    Explanation {
        code: "dhcp.duplicate-ip",
        title: "Two devices have the same IP address",
        seen: "Two hardware addresses claim one IP address, or a client declines what it was given.",
        hurts: "Both lose packets: calls drop, registrations fail now and then.",
        example: "ARP: 192.168.50.54 is at 00:21:f2:22:b0:21, and at 00:0c:29:11:22:33",
        remedy: &["Find the device with a fixed address inside the DHCP pool, and give it another."],
        reference: "RFC 5227, RFC 2131 §3.1",
    },
    Explanation {
        code: "dhcp.no-option66",
        title: "DHCP does not name a provisioning server",
        seen: "The phone asks for option 66, and the ACK does not hold it; info.",
        hurts: "Nothing, where the phone is configured in another way.",
        example: "REQUEST (asks for 66) · ACK without it",
        remedy: &["Set option 66 at the DHCP server; `offhook serve --print-dhcp dnsmasq` prints the lines."],
        reference: "RFC 2132 §9.4; deck, Auto Provisioning",
    },
    Explanation {
        code: "vlan.mismatch",
        title: "The phone is in another VLAN than the switch says",
        seen: "LLDP-MED or CDP name a voice VLAN, and the phone uses another.",
        hurts: "The phone gets no address, or one of the wrong network.",
        example: "LLDP-MED: voice VLAN 50; frames of the phone with tag 10",
        remedy: &[
            "Get a packet trace with Wireshark. Check whether the LLDP packet has included the VLAN information.",
            "The order is LLDP, manual, DHCP option: take back the manual VLAN, or switch off LLDP/CDP at the phone.",
            "If there is no VLAN in the environment, disable LLDP/CDP.",
        ],
        reference: "ANSI/TIA-1057 §10.2.3; deck, VLAN",
    },
    Explanation {
        code: "vlan.no-policy",
        title: "The switch speaks LLDP and names no voice VLAN",
        seen: "An LLDP-MED phone speaks, and the switch answers without a network policy.",
        hurts: "The phone stays in the untagged network.",
        example: "the phone asks for a policy; the switch's LLDP has none",
        remedy: &[
            "If there is no VLAN information, check the setting of the switch: a voice VLAN, and LLDP-MED at this port.",
            "Disable LLDP/CDP, set up the VLAN on the phone manually and check whether it works.",
        ],
        reference: "ANSI/TIA-1057 §10.2.3; deck, VLAN",
    },
    Explanation {
        code: "vlan.conflict",
        title: "Two sources name different voice VLANs",
        seen: "LLDP, CDP or the DHCP option name different VLANs.",
        hurts: "Which one counts depends on the phone and on chance.",
        example: "LLDP-MED: 50, CDP: 60",
        remedy: &[
            "Let all sources of this port say the same, or switch off all but one. The phone's order is LLDP, manual, DHCP option.",
        ],
        reference: "ANSI/TIA-1057 §10.2.3; deck, VLAN",
    },
];

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    vlans(case, found);
    offers(case, found);
    for lease in &case.tracks.leases {
        judge_lease(case, found, lease);
    }
    for conflict in &case.tracks.conflicts {
        let cause = format!(
            "{} and {} both claim {}.",
            mac_text(conflict.first.0),
            mac_text(conflict.second.0),
            conflict.address
        );
        let finding =
            Finding::new("dhcp.duplicate-ip", Severity::Error, conflict.address.to_string()).cause(cause);
        found.add(
            finding
                .proof(Some(conflict.first.1), format!("{} has it", mac_text(conflict.first.0)))
                .proof(Some(conflict.second.1), format!("{} claims it too", mac_text(conflict.second.0))),
        );
    }
}

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const DECLINE: u8 = 4;
const ACK: u8 = 5;
const NAK: u8 = 6;

/// No client repeats a DISCOVER sooner (RFC 2131 §4.1: 4 s, less a second of chance; some begin with 1 s).
const REPEATED: Duration = Duration::from_millis(500);
/// So many clients without an offer are the server's trouble, or an attack.
const MANY: usize = 4;

fn offers(case: &Case<'_>, found: &mut Findings) {
    let silent = case.tracks.leases.iter().filter(|lease| {
        let discovers: Vec<_> = discovers(lease).collect();
        // Who asks for an address of a certain server was offered it, even where the capture lacks that.
        let answered = lease
            .messages
            .iter()
            .any(|it| matches!(it.kind, OFFER | ACK) || (it.kind == REQUEST && it.server.is_some()));
        let (Some(first), Some(last)) = (discovers.first(), discovers.last()) else { return false };
        let waited = case.rest(last.proof).max(last.proof.at.since(first.proof.at));
        !answered && (asks_again(lease) && waited >= Duration::from_secs(1) || waited >= SHORT * 2)
    });
    let silent: Vec<&Lease> = silent.collect();
    if silent.len() >= MANY {
        let cause = format!(
            "{} clients ask for an address, and none gets an offer: the server is away or exhausted, or somebody floods it.",
            silent.len()
        );
        let mut finding =
            Finding::new("dhcp.no-offer", Severity::Error, format!("{} clients", silent.len())).cause(cause);
        for lease in silent.iter().take(6) {
            finding.prove(
                lease.messages.first().map(|it| it.proof),
                format!("DISCOVER of {}", mac_text(lease.mac)),
            );
        }
        return found.add(finding);
    }
    // A client that asks once and never again has got its address elsewhere, or is gone.
    for lease in silent.into_iter().filter(|lease| asks_again(lease)) {
        let mac = mac_text(lease.mac);
        if let Some(finding) = found.about("vlan.mismatch", &mac) {
            finding.prove(lease.messages.first().map(|it| it.proof), "DISCOVER, no OFFER");
            continue;
        }
        let mut finding = Finding::new("dhcp.no-offer", Severity::Error, mac)
            .cause("No DHCP server hears it: it is away, exhausted, or in another VLAN.");
        for message in lease.messages.iter().filter(|it| it.kind == DISCOVER).take(4) {
            finding.prove(Some(message.proof), "DISCOVER, no OFFER");
        }
        found.add(finding);
    }
}

fn discovers(lease: &Lease) -> impl Iterator<Item = &DhcpMessage> {
    lease.messages.iter().filter(|it| it.kind == DISCOVER)
}

/// Whether a client has repeated its DISCOVER. A relay, or a capture at two ports, shows one twice at once.
fn asks_again(lease: &Lease) -> bool {
    let times: Vec<Time> = discovers(lease).map(|it| it.proof.at).collect();
    times.windows(2).any(|pair| matches!(pair, [first, second] if second.since(*first) >= REPEATED))
}

fn judge_lease(case: &Case<'_>, found: &mut Findings, lease: &Lease) {
    let mac = mac_text(lease.mac);
    let last = |kind: u8| lease.messages.iter().rfind(|it| it.kind == kind);
    if let Some(nak) = last(NAK) {
        let healed = last(ACK).is_some_and(|ack| ack.proof > nak.proof);
        let asked = lease.messages.iter().rfind(|it| it.kind == REQUEST && it.proof < nak.proof);
        let text = nak.text.as_deref().map_or_else(String::new, |text| format!(" It says `{text}`."));
        let severity = if healed { Severity::Info } else { Severity::Error };
        let healed = if healed { " Then it gets another address." } else { "" };
        let cause = format!(
            "The server does not give the address that was asked for: it belongs to another network or client.{text}{healed}"
        );
        let finding = Finding::new("dhcp.nak", severity, mac.clone()).cause(cause);
        found.add(finding.proof(asked.map(|it| it.proof), "REQUEST").proof(Some(nak.proof), "NAK"));
    }
    if let Some(decline) = last(DECLINE) {
        let address = decline.address.map_or_else(|| mac.clone(), |address| address.to_string());
        let cause = format!("{mac} has found that somebody uses the address already.");
        let given = lease.messages.iter().rfind(|it| it.kind == ACK && it.proof < decline.proof);
        let finding = Finding::new("dhcp.duplicate-ip", Severity::Error, address).cause(cause);
        found.add(finding.proof(given.map(|it| it.proof), "ACK").proof(Some(decline.proof), "DECLINE"));
    }
    let wants = lease.messages.iter().any(|it| it.wanted.contains(&66));
    let ack = last(ACK).filter(|ack| wants && !ack.has_option66 && lease.option66.is_none());
    if let Some(ack) = ack {
        let cause = "The DHCP server has no option 66 for this network.";
        found.add(
            Finding::new("dhcp.no-option66", Severity::Info, mac)
                .cause(cause)
                .proof(Some(ack.proof), "ACK without option 66"),
        );
    }
    let _ = case;
}

fn vlans(case: &Case<'_>, found: &mut Findings) {
    let switches: Vec<&Neighbour> = case.tracks.neighbours.iter().filter(|it| !it.is_endpoint).collect();
    let phones: Vec<&Neighbour> = case.tracks.neighbours.iter().filter(|it| it.is_endpoint).collect();
    let by =
        |protocol: Discovery| switches.iter().find(|it| it.protocol == protocol && it.voice_vlan.is_some());
    let (lldp, cdp) = (by(Discovery::Lldp), by(Discovery::Cdp));
    if let (Some(lldp), Some(cdp)) = (lldp, cdp)
        && lldp.voice_vlan != cdp.voice_vlan
    {
        let cause = format!("LLDP says {}, CDP says {}.", vlan(lldp), vlan(cdp));
        let finding = Finding::new("vlan.conflict", Severity::Warning, lldp.name.to_string()).cause(cause);
        found.add(
            finding
                .proof(Some(lldp.first), format!("LLDP: voice {}", vlan(lldp)))
                .proof(Some(cdp.first), format!("CDP: voice {}", vlan(cdp))),
        );
    }
    let told = lldp.or(cdp).copied();
    for phone in &phones {
        let Some(told) = told else {
            no_policy(found, phone, &switches);
            continue;
        };
        if let (Some(used), Some(meant)) = (phone.voice_vlan, told.voice_vlan)
            && used != meant
        {
            mismatch(
                found,
                mac_text(phone.mac),
                (used, Some(phone.last), "the phone's own LLDP or CDP"),
                told,
            );
        }
    }
    let Some(told) = told else { return };
    for lease in &case.tracks.leases {
        if let (Some(by_dhcp), Some(meant)) = (lease.vlan, told.voice_vlan)
            && by_dhcp != meant
        {
            let cause = format!("The switch says {}, the DHCP option says VLAN {by_dhcp}.", vlan(told));
            let ack = lease.messages.iter().rfind(|it| it.kind == ACK).map(|it| it.proof);
            let finding = Finding::new("vlan.conflict", Severity::Warning, mac_text(lease.mac)).cause(cause);
            found.add(
                finding
                    .proof(Some(told.first), format!("voice {}", vlan(told)))
                    .proof(ack, format!("DHCP: VLAN {by_dhcp}")),
            );
        }
        // After the switch has spoken: the phone's first words may be untagged.
        let mut after = lease.messages.iter().filter(|it| it.kind == DISCOVER && it.proof.at > told.first.at);
        if let Some((message, used)) = after
            .next_back()
            .and_then(|message| Some((message, message.vlan?)))
            .filter(|(_, used)| Some(*used) != told.voice_vlan)
        {
            let is_phone = phones.iter().any(|phone| phone.mac == lease.mac) || lease.vendor.is_some();
            if is_phone && told.voice_vlan.is_some_and(|meant| meant != 0) {
                mismatch(
                    found,
                    mac_text(lease.mac),
                    (used, Some(message.proof), "a frame of the phone"),
                    told,
                );
            }
        }
    }
}

fn vlan(neighbour: &Neighbour) -> String {
    match neighbour.voice_vlan {
        Some(0) => "untagged".to_owned(),
        Some(vlan) => format!("VLAN {vlan}"),
        None => "nothing".to_owned(),
    }
}

fn mismatch(
    found: &mut Findings,
    mac: String,
    (used, proof, what): (u16, Option<super::super::proof::Proof>, &str),
    told: &Neighbour,
) {
    let cause = format!(
        "The switch {} says {} for voice, the phone uses VLAN {used}: most likely it was set by hand.",
        told.name,
        vlan(told)
    );
    let finding = Finding::new("vlan.mismatch", Severity::Error, mac).cause(cause);
    found.add(
        finding
            .proof(Some(told.first), format!("the switch: voice {}", vlan(told)))
            .proof(proof, format!("{what}: VLAN {used}")),
    );
}

fn no_policy(found: &mut Findings, phone: &Neighbour, switches: &[&Neighbour]) {
    let switch = switches.iter().find(|it| it.protocol == Discovery::Lldp && it.last.at >= phone.first.at);
    if let Some(switch) = switch.filter(|_| phone.speaks_med && phone.protocol == Discovery::Lldp) {
        let cause =
            format!("The switch {} speaks LLDP at this port, and names no VLAN for voice.", switch.name);
        let finding = Finding::new("vlan.no-policy", Severity::Warning, mac_text(phone.mac)).cause(cause);
        found.add(
            finding
                .proof(Some(phone.first), "the phone speaks LLDP-MED")
                .proof(Some(switch.last), "the switch, without a policy"),
        );
    }
}
