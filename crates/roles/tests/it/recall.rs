//! How many faults the doctor finds, and what it says of what is none: every case of the lab, in captures that vary.
//!
//! A case is played once and then told otherwise: as another vendor writes SIP, at other addresses, over other links, by
//! another transport. None of this changes what is wrong, so the verdict must be the case's, with the same packets as
//! proof. A capture that misses its beginning, its end or some packets may show less and must show nothing else.
//! `cargo test -p roles --test it recall -- --nocapture` prints the table of `bench/README.md`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use proto::Time;
use roles::doctor::{Finding, Severity, diagnose, read_capture};
use roles::lab::ears::ToneEars;
use roles::lab::script::{Desk, Stage, play};
use roles::lab::{Case, Link, Passed, Simulated, capture_file, captured_at, cases};

/// What is found, and the numbers of the packets that prove it.
type Verdict = Vec<(String, String, Vec<u32>)>;

/// One way of telling a case otherwise that leaves each packet where it is.
struct Retold {
    name: &'static str,
    text: fn(&str) -> Cow<'_, str>,
    address: fn(IpAddr) -> IpAddr,
    file: fn(Vec<u8>) -> Vec<u8>,
}

const AS_IT_IS: Retold = Retold { name: "", text: |text| text.into(), address: |ip| ip, file: |file| file };

/// The ways; each is tried alone, and all that touch different things together.
const RETOLD: &[Retold] = &[
    Retold { name: "compact header names", text: compact, ..AS_IT_IS },
    Retold { name: "header names in capitals, no blank", text: shouted, ..AS_IT_IS },
    Retold { name: "headers in another order", text: turned, ..AS_IT_IS },
    Retold { name: "phrases of another vendor", text: rephrased, ..AS_IT_IS },
    Retold { name: "headers of another vendor", text: decorated, ..AS_IT_IS },
    Retold { name: "private addresses", text: moved_text, address: moved, ..AS_IT_IS },
    Retold { name: "VLAN tags", file: tagged, ..AS_IT_IS },
    Retold { name: "no link layer", file: raw, ..AS_IT_IS },
    Retold { name: "Linux cooked", file: cooked, ..AS_IT_IS },
    Retold {
        name: "capitals, moved, tagged",
        text: |text| moved_text(&shouted(text)).into_owned().into(),
        address: moved,
        file: tagged,
    },
    Retold {
        name: "compact, turned, raw",
        text: |text| turned(&compact(text)).into_owned().into(),
        file: raw,
        ..AS_IT_IS
    },
];

const COMPACT: &[(&str, &str)] = &[
    ("Via", "v"),
    ("From", "f"),
    ("To", "t"),
    ("Call-ID", "i"),
    ("Contact", "m"),
    ("Content-Length", "l"),
    ("Content-Type", "c"),
    ("Supported", "k"),
    ("Event", "o"),
    ("Refer-To", "r"),
    ("Referred-By", "b"),
    ("Allow-Events", "u"),
    ("Subject", "s"),
    ("Session-Expires", "x"),
    ("Content-Encoding", "e"),
];

/// The head of a SIP message and its body; `None` for anything else.
fn parts(text: &str) -> Option<(Vec<&str>, &str)> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let lines: Vec<&str> = head.split("\r\n").collect();
    lines.first().filter(|first| first.contains("SIP/2.0")).is_some().then_some((lines, body))
}

fn joined(lines: &[Cow<'_, str>], body: &str) -> String {
    format!("{}\r\n\r\n{body}", lines.join("\r\n"))
}

/// Each header line by this.
fn headers(text: &str, change: impl Fn(&str, &str) -> String) -> Cow<'_, str> {
    let Some((lines, body)) = parts(text) else { return text.into() };
    let header = |line: &str| match line.split_once(':') {
        Some((name, value)) => change(name.trim(), value.trim()).into(),
        None => line.to_owned().into(),
    };
    let first = std::iter::once(lines[0].to_owned().into());
    joined(&first.chain(lines[1..].iter().map(|line| header(line))).collect::<Vec<_>>(), body).into()
}

fn compact(text: &str) -> Cow<'_, str> {
    headers(text, |name, value| {
        let short =
            COMPACT.iter().find(|(long, _)| long.eq_ignore_ascii_case(name)).map_or(name, |(_, short)| short);
        format!("{short}: {value}")
    })
}

fn shouted(text: &str) -> Cow<'_, str> {
    headers(text, |name, value| format!("{}:{value}", name.to_uppercase()))
}

/// Vias and routes keep their order among themselves.
fn turned(text: &str) -> Cow<'_, str> {
    let Some((lines, body)) = parts(text) else { return text.into() };
    let is_via = |line: &&&str| line.to_ascii_lowercase().starts_with("via") || line.starts_with("v:");
    let vias = lines[1..].iter().filter(is_via);
    let others = lines[1..].iter().filter(|line| !is_via(line)).rev();
    let routes: Vec<_> =
        lines[1..].iter().filter(|line| line.to_ascii_lowercase().contains("route:")).collect();
    let others = others.filter(|line| !routes.contains(line));
    let all = std::iter::once(&lines[0]).chain(vias).chain(routes.iter().copied()).chain(others);
    joined(&all.map(|line| Cow::Borrowed(*line)).collect::<Vec<_>>(), body).into()
}

/// Status lines keep their number alone; who has made a device is another.
fn rephrased(text: &str) -> Cow<'_, str> {
    let Some((mut lines, body)) = parts(text) else { return text.into() };
    let first = lines.remove(0);
    let status = first.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3));
    let first = status.map_or_else(|| first.to_owned(), |status| format!("SIP/2.0 {status} Nein"));
    let is_product = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        ["user-agent", "server"].iter().any(|it| name.eq_ignore_ascii_case(it))
    };
    let kept = lines.into_iter().filter(|line| !is_product(line)).map(Cow::Borrowed);
    let product = Cow::Borrowed("User-Agent: Quartz 7 (build 12)");
    joined(&std::iter::once(first.into()).chain(kept).chain([product]).collect::<Vec<_>>(), body).into()
}

fn decorated(text: &str) -> Cow<'_, str> {
    let Some((lines, body)) = parts(text) else { return text.into() };
    let more = [
        "X-Quartz-Trace: 8;a=\"b, c\"",
        "P-Charging-Vector: icid-value=1",
        "Date: Fri, 31 Dec 2021 13:58:38 GMT",
    ];
    joined(&lines.into_iter().chain(more).map(Cow::Borrowed).collect::<Vec<_>>(), body).into()
}

const OLD: &str = "127.0.";
const NEW: &str = "10.20.";

fn moved(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_loopback() => {
            let [_, _, c, d] = ip.octets();
            Ipv4Addr::new(10, 20, c, d).into()
        }
        ip => ip,
    }
}

/// Addresses in text too, and the length of the body as it is then.
fn moved_text(text: &str) -> Cow<'_, str> {
    if !text.contains(OLD) {
        return text.into();
    }
    let text = text.replace(OLD, NEW);
    let Some((lines, body)) = parts(&text) else { return text.into() };
    let length = |line: &str| match line.split_once(':') {
        Some((name, _)) if ["content-length", "l"].iter().any(|it| name.trim().eq_ignore_ascii_case(it)) => {
            format!("{name}: {}", body.len()).into()
        }
        _ => line.to_owned().into(),
    };
    joined(&lines.iter().map(|line| length(line)).collect::<Vec<Cow<'_, str>>>(), body).into()
}

/// Each record of a capture of Ethernet frames, changed, under another link type.
fn relinked(file: &[u8], link: u32, change: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let mut out = file[..20].to_vec();
    out.extend_from_slice(&link.to_le_bytes());
    let mut rest = &file[24..];
    while let Some((head, behind)) = rest.split_at_checked(16) {
        let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
        let (frame, behind) = behind.split_at(length);
        rest = behind;
        // A frame that is no IP packet has no place in such a capture; its number goes to an empty one.
        let frame = change(frame).unwrap_or_default();
        out.extend_from_slice(&head[..8]);
        (0..2).for_each(|_| out.extend_from_slice(&(frame.len() as u32).to_le_bytes()));
        out.extend_from_slice(&frame);
    }
    out
}

fn tagged(file: Vec<u8>) -> Vec<u8> {
    relinked(&file, 1, |frame| Some([&frame[..12], &[0x81, 0, 0xa0, 50], &frame[12..]].concat()))
}

fn raw(file: Vec<u8>) -> Vec<u8> {
    relinked(&file, 101, |frame| matches!(frame[12..14], [8, 0] | [0x86, 0xdd]).then(|| frame[14..].to_vec()))
}

fn cooked(file: Vec<u8>) -> Vec<u8> {
    relinked(&file, 113, |frame| {
        let head = [0, 0, 0, 1, 0, 6, frame[6], frame[7], frame[8], frame[9], frame[10], frame[11], 0, 0];
        Some([&head, &frame[12..]].concat())
    })
}

fn played(case: &Case, seed: u64, link: Link) -> (Vec<Passed>, IpAddr) {
    let ears = |desk: &Desk, seed| Box::new(ToneEars::new(desk.tone_hz, seed)) as _;
    let mut stage = Simulated::new(case, link, seed, ears).expect("settings that a phone takes");
    play(case, &mut stage);
    (stage.passed().to_vec(), stage.ip(case.capture_at))
}

/// The same case over TCP: every phone is set so.
fn by_tcp(case: &Case) -> Case {
    const TCP: (&str, &str) = ("account.1.sip_server.1.transport_type", "1");
    let with = |desk: &Desk| {
        let settings: Vec<_> = desk.settings.iter().copied().chain([TCP]).collect();
        Desk { settings: settings.leak(), ..*desk }
    };
    Case { desks: case.desks.iter().map(with).collect::<Vec<_>>().leak(), ..*case }
}

fn retell(packets: &[Passed], way: &Retold) -> Vec<u8> {
    let place = |at: SocketAddr| SocketAddr::new((way.address)(at.ip()), at.port());
    let packet = |packet: &Passed| {
        let text = std::str::from_utf8(&packet.bytes).ok();
        let bytes = text
            .map_or_else(|| packet.bytes.clone(), |text| Bytes::copy_from_slice((way.text)(text).as_bytes()));
        let got = packet.got.iter().map(|&(at, by)| (at, place(by))).collect();
        Passed {
            from: place(packet.from),
            to: place(packet.to),
            sent_by: packet.sent_by.map(place),
            bytes,
            got,
            ..packet.clone()
        }
    };
    (way.file)(capture_file(&packets.iter().map(packet).collect::<Vec<_>>()))
}

fn judge(file: &[u8]) -> Verdict {
    let tracks = read_capture("case.pcap", file, Time::from_secs(1_700_000_000));
    let told = |finding: &Finding| {
        let proofs = finding.evidence.iter().map(|one| one.proof.number).collect();
        (finding.code.clone(), finding.subject.replace(NEW, OLD), proofs)
    };
    let mut all: Verdict =
        diagnose(&tracks).iter().filter(|finding| finding.severity > Severity::Info).map(told).collect();
    all.sort_unstable();
    all
}

/// Where the telling takes away what the verdict rests on, and why.
const TAKEN_AWAY: &[(&str, &str, &str)] = &[
    ("srtp-required", "phrases", "a 488 without a phrase or Warning does not say what is missed"),
    ("scanner", "phrases", "the name of the tool is the proof"),
    ("vlan-", "raw", "frames of LLDP and CDP are no IP packets"),
    ("vlan-", "no link layer", "the same"),
    ("lldp-", "raw", "the same"),
    ("lldp-", "no link layer", "the same"),
    ("cdp-", "raw", "the same"),
    ("cdp-", "no link layer", "the same"),
    ("reg-nat-no-rport", "by TCP", "answers come back by the connection"),
    ("reg-no-answer", "by TCP", "nothing is heard of a connection that is not answered"),
    ("reg-port-closed", "by TCP", "a refused connection is another finding"),
    ("not-registered-call", "by TCP", "no connection, no SIP"),
    ("failover", "by TCP", "a refused connection is another finding"),
    ("provision-rollback", "by TCP", "the same"),
    ("session-timer", "by TCP", "the case drops datagrams"),
    ("conference", "far away", "the relay drops sound until the far answer comes: packets are lost"),
];

/// What else a capture may show of which a part is missing: what is lost there, and what comes before its end.
const ALSO_SHOWN: &[(&str, &str, &str)] = &[
    ("", "missing", "quality.loss"),
    ("forward-loop", "missing", "call.482"),
    ("provision-", "ended early", "prov.tftp-not-found"),
    ("provision-", "missing", "prov.tftp-not-found"),
    ("provision-dns", "begun late", "dns.nxdomain"),
    ("blf-423", "ended early", "blf.423"),
];

fn is_taken_away(what: &str) -> bool {
    TAKEN_AWAY.iter().any(|(case, way, _)| what.starts_with(case) && what.contains(way))
}

/// What came of all captures of one code.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    meant: usize,
    found: usize,
    /// Of the found, those that the same packets prove.
    proven: usize,
    false_alarms: usize,
}

#[derive(Default)]
struct Table {
    whole: BTreeMap<String, Score>,
    damaged: BTreeMap<String, Score>,
    captures: usize,
    healthy: usize,
    wrong: Vec<String>,
}

impl Table {
    fn add(
        &mut self,
        what: &str,
        meant: &[(&str, &str)],
        base: Option<&Verdict>,
        found: &Verdict,
        is_whole: bool,
    ) {
        if is_taken_away(what) {
            return;
        }
        self.captures += 1;
        self.healthy += usize::from(meant.is_empty());
        let scores = if is_whole { &mut self.whole } else { &mut self.damaged };
        for (code, subject) in meant {
            let score = scores.entry((*code).to_owned()).or_default();
            score.meant += 1;
            let hit = found.iter().find(|(found, by, _)| (found.as_str(), by.as_str()) == (*code, *subject));
            let Some((_, _, proofs)) = hit else {
                if is_whole {
                    self.wrong.push(format!("{what}: {code} {subject} is not found"));
                }
                continue;
            };
            score.found += 1;
            let same = base.and_then(|base| {
                base.iter().find(|(of, by, _)| (of.as_str(), by.as_str()) == (*code, *subject))
            });
            let is_proven = same.is_none_or(|(_, _, meant)| meant == proofs);
            score.proven += usize::from(is_proven);
            if !is_proven {
                self.wrong.push(format!("{what}: {code} is proven by {proofs:?} instead of {same:?}"));
            }
        }
        for (code, subject, _) in found {
            // A part of a capture may not show whose fault it is.
            let is_meant = meant.iter().any(|(of, by)| of == code && (!is_whole || by == subject));
            let is_part = |(case, way, also): &(&str, &str, &str)| {
                !is_whole && what.starts_with(case) && what.contains(way) && also == code
            };
            if !is_meant && !ALSO_SHOWN.iter().any(is_part) {
                scores.entry(code.clone()).or_default().false_alarms += 1;
                self.wrong.push(format!("{what}: false alarm {code} {subject}"));
            }
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} captures, {} of them healthy\n\n| code | meant | found | by the same packets | false alarms | damaged: found | false alarms |\n| --- | --- | --- | --- | --- | --- | --- |\n",
            self.captures, self.healthy
        );
        let mut all = (Score::default(), Score::default());
        let codes: std::collections::BTreeSet<_> = self.whole.keys().chain(self.damaged.keys()).collect();
        for code in codes {
            let of = |scores: &BTreeMap<String, Score>| scores.get(code).copied().unwrap_or_default();
            let (whole, damaged) = (of(&self.whole), of(&self.damaged));
            row(&mut text, code, whole, damaged);
            for (sum, one) in [(&mut all.0, whole), (&mut all.1, damaged)] {
                sum.meant += one.meant;
                sum.found += one.found;
                sum.proven += one.proven;
                sum.false_alarms += one.false_alarms;
            }
        }
        row(&mut text, "all", all.0, all.1);
        text
    }
}

fn row(text: &mut String, code: &str, whole: Score, damaged: Score) {
    let _ = writeln!(
        text,
        "| {code} | {} | {} | {} | {} | {} of {} | {} |",
        whole.meant,
        whole.found,
        whole.proven,
        whole.false_alarms,
        damaged.found,
        damaged.meant,
        damaged.false_alarms
    );
}

#[test]
fn recall() {
    let mut table = Table::default();
    for case in cases() {
        let meant = case.verdict;
        let (passed, at) = played(case, 1, Link::DESK);
        let seen = captured_at(&passed, at);
        let base = judge(&capture_file(&seen));
        for way in RETOLD {
            table.add(
                &format!("{}, {}", case.slug, way.name),
                meant,
                Some(&base),
                &judge(&retell(&seen, way)),
                true,
            );
        }
        let far = Link { latency_us: 40_000, jitter_us: 15_000, ..Link::DESK };
        for (what, case, link) in [("far away", *case, far), ("by TCP", by_tcp(case), Link::DESK)] {
            let (passed, at) = played(&case, 7, link);
            table.add(
                &format!("{}, {what}", case.slug),
                meant,
                None,
                &judge(&capture_file(&captured_at(&passed, at))),
                true,
            );
        }
        let (third, count) = (seen.len() / 3, seen.len());
        let thinned: Vec<_> =
            seen.iter().enumerate().filter(|(at, _)| at % 7 != 3).map(|(_, it)| it.clone()).collect();
        for (what, packets) in [
            ("begun late", &seen[third..]),
            ("ended early", &seen[..count - third]),
            ("every seventh packet missing", &thinned),
        ] {
            table.add(&format!("{}, {what}", case.slug), meant, None, &judge(&capture_file(packets)), false);
        }
    }
    let text = table.text();
    println!("{text}");
    assert!(table.wrong.is_empty(), "{}\n{text}", table.wrong.join("\n"));
    assert!(table.captures > 1_000 && table.healthy * 3 > table.captures, "{text}");
}
