#![allow(
    clippy::disallowed_methods,
    reason = "a test reads captures beside the project, where there are any"
)]
//! No false alarm: every rule over every healthy capture there is, and foreign captures with what they show.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use proto::Time;
use roles::doctor::{Severity, diagnose, read_capture};
use roles::lab::ears::ToneEars;
use roles::lab::script::{Stage, play};
use roles::lab::{Link, Passed, Simulated, capture_file, captured_at, cases};

fn above_info(name: &str, file: &[u8]) -> Vec<String> {
    let tracks = read_capture(name, file, Time::from_secs(1_700_000_000));
    let mut codes: Vec<String> = diagnose(&tracks)
        .into_iter()
        .filter(|finding| finding.severity > Severity::Info)
        .map(|finding| finding.code)
        .collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// The machines that have sent something.
fn machines(passed: &[Passed]) -> BTreeSet<IpAddr> {
    passed.iter().map(|packet| packet.from.ip()).collect()
}

/// Every healthy case of the lab, captured at each of its machines: whole, begun late, ended early. A capture begins
/// and ends wherever somebody pressed the button.
#[test]
fn healthy_cases_are_healthy_from_wherever_they_are_seen() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in cases().iter().filter(|case| case.verdict.is_empty()) {
        let ears = |desk: &roles::lab::Desk, seed| Box::new(ToneEars::new(desk.tone_hz, seed)) as _;
        let mut stage = Simulated::new(case, Link::DESK, 3, ears).expect("settings that a phone takes");
        play(case, &mut stage);
        for ip in machines(stage.passed()) {
            let seen = captured_at(stage.passed(), ip);
            let third = seen.len() / 3;
            let cuts =
                [("whole", &seen[..]), ("begun late", &seen[third..]), ("ended early", &seen[..2 * third])];
            for (cut, packets) in cuts.into_iter().filter(|(_, packets)| packets.len() > 2) {
                count += 1;
                let mut codes = above_info("case.pcap", &capture_file(packets));
                // A capture that ends between two files shows that the first is missing, and no other.
                codes.retain(|code| {
                    code != "capture.no-sip" && (cut != "ended early" || code != "prov.tftp-not-found")
                });
                if !codes.is_empty() {
                    wrong.push(format!("{} at {ip}, {cut}: {codes:?}", case.slug));
                }
            }
        }
    }
    assert!(count > 100, "{count} captures");
    assert!(wrong.is_empty(), "{} of {count}\n{}", wrong.len(), wrong.join("\n"));
}

/// What captures of others show, by people who have read their packets. All others among them are healthy, or hold
/// nothing of telephones.
const FOREIGN: &[(&str, &[&str])] = &[
    ("CESNET_ipfixprobe/sip.pcap", &["sec.scanner"]),
    ("OISF_suricata-verify/sip-body-large__sip-body-large.pcap", &["sip.malformed"]),
    ("OISF_suricata-verify/sip-compact-form__sip_compact_form.pcap", &["sip.malformed"]),
    ("OISF_suricata-verify/sip-header-multi-value__sip_header_multi_val.pcap", &["sip.malformed"]),
    ("OISF_suricata-verify/sip-method__sip.pcap", &["call.403", "call.408", "reg.401-loop", "reg.403"]),
    ("OISF_suricata-verify/sip-sdp__sdp.pcap", &["sip.malformed"]),
    ("seladb_PcapPlusPlus/sip_reqs.pcap", &["sip.malformed"]),
    ("seladb_PcapPlusPlus/sip_resp.pcap", &["reg.503"]),
    ("zeek_zeek/dhcp.pcap", &["dhcp.duplicate-ip"]),
    ("zeek_zeek/invalid-content-length.pcap", &["sip.malformed"]),
    ("zeek_zeek/wireshark.pcap", &["call.403", "call.408", "reg.401-loop", "reg.403"]),
];

#[test]
fn captures_of_others_show_what_people_have_seen_in_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures");
    let Ok(folders) = std::fs::read_dir(&root) else {
        eprintln!("skipped: {} is not there", root.display());
        return;
    };
    let mut wrong = Vec::new();
    let mut count = 0;
    for folder in folders.flatten().filter(|folder| folder.path().is_dir()) {
        for file in std::fs::read_dir(folder.path()).expect("a folder").flatten() {
            let name =
                format!("{}/{}", folder.file_name().to_string_lossy(), file.file_name().to_string_lossy());
            let meant = FOREIGN.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, codes)| codes);
            let mut codes = above_info(&name, &std::fs::read(file.path()).expect("a file"));
            codes.retain(|code| code != "capture.no-sip");
            count += 1;
            if codes != meant {
                wrong.push(format!("{name}: {codes:?} instead of {meant:?}"));
            }
        }
    }
    assert!(count > FOREIGN.len(), "{count} captures");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
