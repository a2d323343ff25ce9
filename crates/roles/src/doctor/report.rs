//! What the doctor says, for people and for build servers.

use std::fmt::Write as _;

use super::finding::{Finding, Severity};
use super::rules::explain;
use super::tracks::{FileKind, Tracks};

/// Files that cannot be read to their end and are named in the verdict.
const NAMED_LIMIT: usize = 3;

/// The verdict in one sentence, and in another what could not be read.
pub fn verdict(tracks: &Tracks, findings: &[Finding]) -> String {
    if tracks.is_unread() {
        return unread(tracks);
    }
    judged(findings) + &ends_early(tracks)
}

/// `Nothing could be read: a.bin: this is neither a capture nor a log.`
fn unread(tracks: &Tracks) -> String {
    let reasons =
        tracks.files.iter().filter_map(|file| Some((short(&file.name), &file.ends_early.as_ref()?.why)));
    let reasons: Vec<String> =
        reasons.take(NAMED_LIMIT).map(|(name, why)| format!("{name}: {why}")).collect();
    let more = match tracks.files.len().saturating_sub(reasons.len()) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("Nothing could be read. {}{more}.", reasons.join("; "))
}

/// ` a.pcap could be read up to byte 4955 only.`
fn ends_early(tracks: &Tracks) -> String {
    let captures = tracks.files.iter().filter(|file| file.kind == FileKind::Capture);
    let cut: Vec<_> = captures.filter_map(|file| Some((file, file.ends_early.as_ref()?.offset))).collect();
    let told = cut.iter().take(NAMED_LIMIT).map(|(file, offset)| match file.is_unread() {
        true => format!(" {} could not be read.", short(&file.name)),
        false => format!(" {} could be read up to byte {offset} only.", short(&file.name)),
    });
    let more = cut.len().saturating_sub(NAMED_LIMIT);
    let more = if more > 0 { format!(" {more} more end early.") } else { String::new() };
    told.collect::<String>() + &more
}

fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn judged(findings: &[Finding]) -> String {
    let of = |severity: Severity| findings.iter().filter(move |finding| finding.severity == severity);
    let first = of(Severity::Error).next().or_else(|| of(Severity::Warning).next());
    let Some(first) = first else {
        return match findings.len() {
            0 => "Nothing is wrong in what was read.".to_owned(),
            _ => "Nothing is wrong in what was read; some things are worth knowing.".to_owned(),
        };
    };
    let others = of(Severity::Error).count() + of(Severity::Warning).count() - 1;
    let more = match others {
        0 => String::new(),
        1 => ", and one thing more".to_owned(),
        count => format!(", and {count} things more"),
    };
    format!("{}: {}{more}.", first.subject, lower_first(&first.title))
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let second_is_upper = text.chars().nth(1).is_some_and(char::is_uppercase);
    match chars.next() {
        Some(first) if !second_is_upper => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

/// The whole report: verdict, then each finding with cause, proof and remedy. `paint` colours the word of a
/// severity.
pub fn report_text(tracks: &Tracks, findings: &[Finding], paint: fn(Severity, &str) -> String) -> String {
    let mut text = format!("{}\n", shown(&verdict(tracks, findings)));
    for finding in findings {
        let word = paint(finding.severity, finding.severity.word());
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "\n{word} {}  {}: {}",
            finding.code,
            shown(&finding.subject),
            shown(&finding.title)
        );
        let _ = writeln!(text, "  cause   {}", shown(&finding.cause));
        for one in &finding.evidence {
            let kind = if one.is_packet(tracks) { "packet" } else { "line" };
            let file = shown(tracks.file_name(one.proof));
            let at =
                if one.proof.at == proto::Time::ZERO { String::new() } else { format!("  {}", one.proof.at) };
            let _ = writeln!(text, "  proof   {file} {kind} {}{at}  {}", one.proof.number, shown(&one.what));
        }
        if finding.severity > Severity::Info {
            for (step, number) in finding.remedy.iter().zip(1..) {
                let _ = writeln!(text, "  remedy  {number}. {step}");
            }
        }
        if !finding.reference.is_empty() {
            let _ = writeln!(text, "  see     {}", finding.reference);
        }
    }
    text + &wanted(tracks, findings)
}

/// What came from outside may not steer the terminal.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// What a case lacks (deck: "provide the details below").
fn wanted(tracks: &Tracks, findings: &[Finding]) -> String {
    if findings.iter().all(|finding| finding.severity == Severity::Info) {
        return String::new();
    }
    let has = |kind: FileKind| tracks.files.iter().any(|file| file.kind == kind);
    let lacks = [
        (
            !has(FileKind::Capture),
            "the phone's packet trace (it must hold effective information: filter sip and look)",
        ),
        (!has(FileKind::Log), "the phone's system log"),
        (!has(FileKind::Config), "the phone's configuration file"),
        (
            true,
            "topology, models and firmware of both ends, since when and how often; a video where it is hard to describe",
        ),
    ];
    let mut text = "\nTo be sent along, where this does not solve it:\n".to_owned();
    for (_, what) in lacks.iter().filter(|(lacks, _)| *lacks) {
        let _ = writeln!(text, "  - {what}");
    }
    text
}

/// What a code means, as `doctor --explain` prints it.
pub fn explain_text(code: &str) -> Option<String> {
    explain(code).map(super::rules::Explanation::text)
}

/// Findings without those that a file accepts. A line is a code and, after it, a subject; without a subject
/// every finding of that code is accepted. `#` begins a comment.
pub fn accepted(file: &str, findings: Vec<Finding>) -> Vec<Finding> {
    let lines: Vec<(&str, Option<&str>)> = file
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .map(|line| {
            line.split_once(char::is_whitespace)
                .map_or((line, None), |(code, subject)| (code, Some(subject.trim())))
        })
        .collect();
    let is_known = |finding: &Finding| {
        lines.iter().any(|(code, subject)| {
            *code == finding.code && subject.is_none_or(|subject| subject == finding.subject)
        })
    };
    findings.into_iter().filter(|finding| !is_known(finding)).collect()
}

/// JUnit XML: one test case a finding, those above `info` as failures.
pub fn junit(findings: &[Finding]) -> String {
    let failed = findings.iter().filter(|finding| finding.severity > Severity::Info).count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"offhook doctor\" tests=\"{}\" failures=\"{failed}\">\n",
        findings.len().max(1)
    );
    if findings.is_empty() {
        text += "  <testcase classname=\"doctor\" name=\"nothing is wrong\"/>\n";
    }
    for finding in findings {
        let name = xml(&format!("{} {}", finding.code, finding.subject));
        let said = xml(&format!("{}: {}", finding.title, finding.cause));
        let _ = match finding.severity {
            Severity::Info => writeln!(
                text,
                "  <testcase classname=\"doctor\" name=\"{name}\"><system-out>{said}</system-out></testcase>"
            ),
            severity => writeln!(
                text,
                "  <testcase classname=\"doctor\" name=\"{name}\"><failure type=\"{}\" message=\"{said}\"/></testcase>",
                severity.word()
            ),
        };
    }
    text + "</testsuite>\n"
}

fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tracks::{EndsEarly, FileTrack};
    use super::*;

    fn findings() -> Vec<Finding> {
        let mut refused = Finding::new("reg.403", Severity::Error, "7005").cause("a <b> & \u{1b}[2J");
        refused.title = "The server refuses the registration".to_owned();
        vec![refused, Finding::new("capture.sip-only", Severity::Info, "a.pcap")]
    }

    #[test]
    fn the_verdict_is_a_sentence() {
        let tracks = Tracks::default();
        assert_eq!(verdict(&tracks, &findings()), "7005: the server refuses the registration.");
        assert_eq!(verdict(&tracks, &[]), "Nothing is wrong in what was read.");
    }

    #[test]
    fn the_verdict_says_what_could_not_be_read() {
        let file = |name: &str, packets, offset| FileTrack {
            name: name.to_owned(),
            packets: Some(packets),
            ends_early: Some(EndsEarly { offset, why: "this is no capture".to_owned(), after: None }),
            ..FileTrack::default()
        };
        let case = |files| Tracks { files, ..Tracks::default() };
        assert_eq!(
            verdict(&case(vec![file("case/a.bin", 0, 0)]), &[]),
            "Nothing could be read. a.bin: this is no capture."
        );
        assert_eq!(
            verdict(&case(vec![file("a.bin", 0, 0), file("case/b.pcap", 9, 4_955)]), &findings()),
            "7005: the server refuses the registration. a.bin could not be read. b.pcap could be read up to byte 4955 only."
        );
    }

    #[test]
    fn what_is_accepted_is_left_out() {
        let codes = |file: &str| accepted(file, findings()).into_iter().map(|it| it.code).collect::<Vec<_>>();
        assert_eq!(codes("# known\nreg.403 7005 # since May\n"), ["capture.sip-only"]);
        assert_eq!(codes("reg.403 7006\ncapture.sip-only\n"), ["reg.403"]);
    }

    #[test]
    fn hostile_text_is_escaped() {
        let xml = junit(&findings());
        assert!(
            xml.contains("tests=\"2\" failures=\"1\"") && xml.contains("a &lt;b&gt; &amp; \u{fffd}[2J"),
            "{xml}"
        );
        let text = report_text(&Tracks::default(), &findings(), |_, word| word.to_owned());
        assert!(!text.contains('\u{1b}') && text.starts_with("7005: the server refuses"), "{text}");
        assert!(text.contains("the phone's system log"));
    }
}
