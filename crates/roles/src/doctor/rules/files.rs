//! Provisioning: files that do not come, and files that are none.

use std::time::Duration;

use super::super::finding::{Finding, Severity};
use super::super::follow::devices::mac_in;
use super::super::tracks::{Provisioning, Scheme, Transfer, TransferResult, mac_text};
use super::case::{Case, Findings, SHORT};
use super::explain::Explanation;

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "prov.tftp-not-found",
        title: "The TFTP server has none of the files that the phone asks for",
        seen: "Every file that the phone reads is answered with error 1, or another that says so.",
        hurts: "The phone gets no configuration.",
        example: "RRQ 0021f222b021.cfg · ERROR 1 File not found",
        remedy: &[
            "Put the file with exactly that name (MAC in lower case) into the server's folder.",
            "`offhook serve --tftp IP:69 --device MAC` serves a file for the phone at once.",
        ],
        reference: "RFC 1350 §5; deck, Auto Provisioning-Troubleshooting",
    },
    Explanation {
        code: "prov.tftp-no-answer",
        title: "The TFTP server does not answer",
        seen: "A read request is sent again and again, and nothing comes back.",
        hurts: "The phone gets no configuration.",
        example: "RRQ 0021f222b021.cfg, again, again",
        remedy: &[
            "Check auto provisioning URL and network environment; look whether the TFTP service runs and whether a firewall drops UDP port 69.",
        ],
        reference: "RFC 1350 §4; deck, Auto Provisioning-Troubleshooting",
    },
    Explanation {
        code: "prov.tftp-stalled",
        title: "The TFTP transfer stops in the middle",
        seen: "Blocks come and are no longer acknowledged, or no further block comes.",
        hurts: "The phone gets half a file, which it does not take.",
        example: "DATA 1 · ACK 1 · DATA 2 · DATA 2 · DATA 2",
        remedy: &[
            "TFTP answers from a new port: let the firewall follow it (tftp helper), or use HTTP.",
            "Look for packets that are too large (blksize option) for the way.",
        ],
        reference: "RFC 1350 §4, RFC 2348",
    },
    Explanation {
        code: "prov.http-401",
        title: "The web server wants a password that the phone does not have",
        seen: "A file is answered with 401, and no later request for it succeeds.",
        hurts: "The phone gets no configuration.",
        example: "GET /0021f222b021.cfg · 401 Unauthorized",
        remedy: &[
            "Set user name and password of provisioning at the phone, or put them into the URL.",
            "Look whether the server offers a scheme that the phone knows (Basic, Digest).",
        ],
        reference: "RFC 9110 §15.5.2",
    },
    Explanation {
        code: "prov.http-403",
        title: "The web server refuses the file",
        seen: "A file is answered with 403.",
        hurts: "The phone gets no configuration.",
        example: "GET /0021f222b021.cfg · 403 Forbidden",
        remedy: &["Look at the rights of the file and at the server's rules for addresses and User-Agents."],
        reference: "RFC 9110 §15.5.4",
    },
    Explanation {
        code: "prov.http-404",
        title: "The web server has none of the files that the phone asks for",
        seen: "Every file is answered with 404 or 410.",
        hurts: "The phone gets no configuration.",
        example: "GET /0021f222b021.cfg · 404 Not Found",
        remedy: &[
            "Check the auto provisioning URL: path and name must be those of the server, capital letters included.",
            "`offhook serve --http IP:PORT --device MAC` serves a file for the phone at once.",
        ],
        reference: "RFC 9110 §15.5.5; deck, Auto Provisioning-Troubleshooting",
    },
    Explanation {
        code: "prov.http-5xx",
        title: "The web server fails",
        seen: "A file is answered with 500 to 599.",
        hurts: "The phone gets no configuration.",
        example: "GET /0021f222b021.cfg · 502 Bad Gateway",
        remedy: &["Look into the log of the web server, and of what stands behind it."],
        reference: "RFC 9110 §15.6",
    },
    Explanation {
        code: "prov.ftp-login",
        title: "The FTP server refuses the login",
        seen: "PASS or USER is answered with 530.",
        hurts: "The phone gets no configuration.",
        example: "USER phone · 331 · PASS … · 530 Login incorrect",
        remedy: &["Set user name and password of provisioning at the phone, or allow anonymous reading."],
        reference: "RFC 959 §5.4",
    },
    Explanation {
        code: "prov.ftp-not-found",
        title: "The FTP server has none of the files that the phone asks for",
        seen: "RETR is answered with 550.",
        hurts: "The phone gets no configuration.",
        example: "RETR 0021f222b021.cfg · 550 No such file",
        remedy: &["Put the file with exactly that name into the folder that the login leads to."],
        reference: "RFC 959 §5.4",
    },
    Explanation {
        code: "prov.not-a-config",
        title: "What came is no configuration",
        seen: "A configuration file is an HTML page, empty or binary.",
        hurts: "The phone does not take it, or worse, takes a part.",
        example: "GET /0021f222b021.cfg · 200 (text/html) <html><title>Login…",
        remedy: &[
            "Open the URL in a browser: a login page, a portal or an error page comes in its place.",
            "Check the file with `offhook config check FILE`.",
        ],
        reference: "deck, Auto Provisioning-Troubleshooting",
    },
    Explanation {
        code: "prov.pnp-no-answer",
        title: "Nobody answers the phone's search for its configuration (PnP)",
        seen: "SUBSCRIBE for ua-profile to the multicast address stays without NOTIFY; a warning only where no other source configured the phone in this capture, else info.",
        hurts: "A phone that has nothing else stays without configuration.",
        example: "SUBSCRIBE sip:MAC…@224.0.1.75, again, again",
        remedy: &[
            "Switch on PnP at the server (`offhook serve --pnp IP`), in the same network as the phone: multicast does not pass routers.",
            "Use DHCP option 66 where the server stands elsewhere.",
        ],
        reference: "RFC 6080; deck, PnP",
    },
    Explanation {
        code: "prov.pnp-conflict",
        title: "Two servers want to configure the phone",
        seen: "Two servers answer the same PnP SUBSCRIBE with different URLs.",
        hurts: "Chance decides which configuration the phone gets.",
        example: "NOTIFY tftp://192.168.50.165/ and NOTIFY http://192.168.50.20/",
        remedy: &[
            "Make sure that the phone is not provisioned by other servers: switch off PnP at all but one.",
        ],
        reference: "RFC 6080; deck, Auto Provisioning-Troubleshooting",
    },
    Explanation {
        code: "prov.wrong-server",
        title: "The phone is provisioned by another server than meant",
        seen: "DHCP names one server and the files come from another; or PnP leads a phone away from the server that it had its files from.",
        hurts: "The phone has a stranger's configuration.",
        example: "option 66 192.168.50.165, files from 192.168.50.20",
        remedy: &[
            "Make sure that the phone has not been provisioned by other servers before: look at its Profile Rule and RPS entry, and reset it.",
        ],
        reference: "deck, Auto Provisioning-Troubleshooting",
    },
    Explanation {
        code: "prov.reboot-loop",
        title: "The phone restarts again and again",
        seen: "Three or more starts of one phone, each with downloads.",
        hurts: "The phone cannot be used.",
        example: "boot, download, boot, download, boot",
        remedy: &[
            "Look which setting changes at each download: two sources that say different things make the phone restart for ever.",
            "Switch off auto provisioning and see whether it ends.",
        ],
        reference: "deck, Phone becomes Slow/Stuck or Reboot--Troubleshooting",
    },
];

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    reboot_loop(case, found);
    for run in &case.tracks.provisioning {
        plug_and_play(case, found, run);
        if is_phone(case, run) {
            missing(case, found, run);
            strange(case, found, run);
            wrong_server(case, found, run);
            led_away(case, found, run);
        }
    }
}

fn subject(case: &Case<'_>, run: &Provisioning) -> String {
    let by_device = case
        .tracks
        .devices
        .iter()
        .find(|device| device.addresses.contains(&run.address))
        .and_then(|device| device.mac);
    match &run.device {
        Some(device) => device.to_string(),
        None => by_device.map_or_else(|| run.address.to_string(), mac_text),
    }
}

/// Whether a phone asks, not a person with a browser.
fn is_phone(case: &Case<'_>, run: &Provisioning) -> bool {
    let speaks_sip = case.tracks.registrations.iter().any(|it| it.path.source.ip() == run.address);
    let asks = |transfer: &Transfer| names_a_config(transfer) || transfer.scheme == Scheme::Tftp;
    run.device.is_some() || run.source.is_some() || speaks_sip || transfers(case, run).any(asks)
}

fn names_a_config(transfer: &Transfer) -> bool {
    let name = transfer.name.split('?').next().unwrap_or_default().to_ascii_lowercase();
    [".cfg", ".boot", ".conf", ".cnf"].iter().any(|ending| name.ends_with(ending))
}

/// Whether a file is one that phones ask for. A softphone's machine fetches other things too.
fn is_for_a_phone(run: &Provisioning, transfer: &Transfer) -> bool {
    let is_known = run.device.is_some() || run.source.is_some() || transfer.scheme == Scheme::Tftp;
    let is_login = transfer.name.is_empty();
    is_known || is_login || names_a_config(transfer) || mac_in(&transfer.name).is_some()
}

fn transfers<'a>(case: &Case<'a>, run: &'a Provisioning) -> impl Iterator<Item = &'a Transfer> {
    let tracks = case.tracks;
    run.transfers
        .iter()
        .filter_map(move |&index| tracks.transfers.get(index as usize))
        .filter(|it| is_read(it))
}

fn is_read(transfer: &Transfer) -> bool {
    !matches!(&*transfer.verb, "PUT" | "POST" | "WRQ" | "STOR" | "HEAD" | "OPTIONS")
}

/// Whether the file is there. A login by FTP is a transfer of its own and brings none.
fn has_come(transfer: &Transfer) -> bool {
    transfer.result == TransferResult::Complete && &*transfer.verb != "USER" && !is_strange(transfer)
}

/// The code that a transfer proves, if it failed.
fn code_of(case: &Case<'_>, transfer: &Transfer) -> Option<&'static str> {
    let went_on = case.rest(transfer.last);
    Some(match (transfer.scheme, transfer.result, transfer.status) {
        (_, TransferResult::Complete, _) => return None,
        (Scheme::Tftp, TransferResult::Unanswered, _) if went_on >= SHORT && transfer.repeats > 0 => {
            "prov.tftp-no-answer"
        }
        (Scheme::Tftp, TransferResult::Unanswered, _) if went_on >= Duration::from_secs(10) => {
            "prov.tftp-no-answer"
        }
        (Scheme::Tftp, TransferResult::Stalled, _) if went_on >= SHORT => "prov.tftp-stalled",
        (Scheme::Tftp, TransferResult::NotFound | TransferResult::Refused, _) => "prov.tftp-not-found",
        (Scheme::Http, _, Some(401 | 407)) => "prov.http-401",
        (Scheme::Http, _, Some(403)) => "prov.http-403",
        (Scheme::Http, _, Some(404 | 410)) => "prov.http-404",
        (Scheme::Http, _, Some(500..600)) => "prov.http-5xx",
        (Scheme::Http | Scheme::Ftp, TransferResult::Unanswered, None)
            if went_on >= Duration::from_secs(10) =>
        {
            "prov.no-server"
        }
        (Scheme::Ftp, _, Some(530)) => "prov.ftp-login",
        (Scheme::Ftp, _, Some(550 | 450)) => "prov.ftp-not-found",
        _ => return None,
    })
}

/// Files that do not come. A phone tries several names in order; that some are not there is healthy.
fn missing(case: &Case<'_>, found: &mut Findings, run: &Provisioning) {
    let all: Vec<&Transfer> = transfers(case, run).collect();
    let any_complete = all.iter().any(|it| has_come(it));
    for transfer in all.iter().filter(|it| is_for_a_phone(run, it)) {
        let Some(code) = code_of(case, transfer) else { continue };
        let may_be_absent =
            matches!(code, "prov.tftp-not-found" | "prov.http-404" | "prov.ftp-not-found" | "prov.http-403");
        let comes_later = |it: &&&Transfer| it.name == transfer.name && it.asked.at > transfer.asked.at;
        let healed = all.iter().filter(comes_later).any(|it| it.result == TransferResult::Complete);
        if healed || (may_be_absent && any_complete) {
            continue;
        }
        let what = transfer.text.as_deref().map_or_else(String::new, |text| format!(" {text}"));
        let cause = match code {
            "prov.tftp-no-answer" | "prov.no-server" => {
                format!("Nothing comes back from {}.", transfer.server)
            }
            "prov.tftp-stalled" => format!("`{}` stops after {} bytes.", transfer.name, transfer.bytes),
            _ => format!(
                "{} says{}{what} to `{}`.",
                transfer.server.ip(),
                transfer.status.map_or_else(String::new, |status| format!(" {status}")),
                transfer.name
            ),
        };
        let finding = Finding::new(code, Severity::Error, subject(case, run)).cause(cause);
        let finding = finding.proof(Some(transfer.asked), format!("{} {}", transfer.verb, transfer.name));
        let answered = if code == "prov.tftp-stalled" { Some(transfer.last) } else { transfer.answered };
        found.add(
            finding.proof(
                answered,
                transfer
                    .status
                    .map_or_else(|| "the last packet".to_owned(), |status| format!("answer {status}{what}")),
            ),
        );
    }
}

/// Why what came is no configuration.
fn strange_why(transfer: &Transfer) -> Option<&'static str> {
    if transfer.result != TransferResult::Complete || !names_a_config(transfer) {
        return None;
    }
    let head = transfer.head.trim_ascii_start();
    let begins = |text: &[u8]| head.get(..text.len()).is_some_and(|head| head.eq_ignore_ascii_case(text));
    match () {
        () if transfer.bytes == 0 => Some("it is empty"),
        () if begins(b"<!doctype html") || begins(b"<html") => Some("it is an HTML page"),
        () if begins(b"Salted__") => None,
        () if head.contains(&0) || head.starts_with(&[0x1f, 0x8b]) || head.starts_with(b"PK\x03\x04") => {
            Some("it is binary")
        }
        () => None,
    }
}

fn is_strange(transfer: &Transfer) -> bool {
    strange_why(transfer).is_some()
}

fn strange(case: &Case<'_>, found: &mut Findings, run: &Provisioning) {
    for transfer in transfers(case, run) {
        let Some(why) = strange_why(transfer) else { continue };
        let cause = format!("`{}` from {} is no configuration: {why}.", transfer.name, transfer.server.ip());
        let finding = Finding::new("prov.not-a-config", Severity::Error, subject(case, run)).cause(cause);
        found.add(
            finding
                .proof(Some(transfer.asked), format!("{} {}", transfer.verb, transfer.name))
                .proof(transfer.answered, why)
                .proof(Some(transfer.last), "the end of it"),
        );
    }
}

fn plug_and_play(case: &Case<'_>, found: &mut Findings, run: &Provisioning) {
    let Some(pnp) = &run.pnp else { return };
    let name = pnp.mac.as_deref().map_or_else(|| subject(case, run), str::to_owned);
    let urls: Vec<_> = pnp.answers.iter().filter(|(_, url, _)| url.is_some()).collect();
    let other =
        urls.first().and_then(|first| urls.iter().find(|it| it.0.ip() != first.0.ip() && it.1 != first.1));
    if let (Some(first), Some(other)) = (urls.first(), other) {
        let cause = format!("{} and {} both answer, with different URLs.", first.0.ip(), other.0.ip());
        let finding = Finding::new("prov.pnp-conflict", Severity::Error, name).cause(cause);
        let said = |url: &Option<Box<str>>| format!("NOTIFY {}", url.as_deref().unwrap_or_default());
        return found.add(
            finding
                .proof(Some(pnp.asked), "SUBSCRIBE ua-profile")
                .proof(Some(first.2), said(&first.1))
                .proof(Some(other.2), said(&other.1)),
        );
    }
    if !pnp.answers.is_empty() || case.rest(pnp.asked) < SHORT {
        return;
    }
    let by_files = transfers(case, run).any(has_come);
    let others = case.tracks.provisioning.iter().filter(|other| other.address == run.address);
    let by_others = others.flat_map(|other| transfers(case, other)).any(has_come);
    let has_account = case.tracks.registrations.iter().any(|it| it.path.source.ip() == run.address);
    let severity = if by_files || by_others || has_account { Severity::Info } else { Severity::Warning };
    let cause = "No server in this network answers PnP.";
    found.add(
        Finding::new("prov.pnp-no-answer", severity, name)
            .cause(cause)
            .proof(Some(pnp.asked), "SUBSCRIBE ua-profile, no NOTIFY follows"),
    );
}

/// PnP leads a phone away from the server that it had its files from before, in the same case.
fn led_away(case: &Case<'_>, found: &mut Findings, run: &Provisioning) {
    let complete = |it: &&Transfer| has_come(it);
    let answer = run.pnp.as_ref().and_then(|pnp| pnp.answers.iter().find(|(_, url, _)| url.is_some()));
    let Some(((server, url, notify), now)) = answer.zip(transfers(case, run).find(complete)) else { return };
    let is_earlier = |other: &&Transfer| {
        other.client.ip() == run.address
            && other.last.at < notify.at
            && other.server.ip() != now.server.ip()
            && is_read(other)
            && complete(other)
    };
    let Some(before) = case.tracks.transfers.iter().rfind(is_earlier) else { return };
    let cause = format!(
        "Its files came from {} before; then {} answered PnP, and they come from {}.",
        before.server.ip(),
        server.ip(),
        now.server.ip()
    );
    let finding = Finding::new("prov.wrong-server", Severity::Warning, subject(case, run)).cause(cause);
    let said = url.as_deref().unwrap_or_default();
    let asked = |it: &Transfer| format!("{} {} at {}", it.verb, it.name, it.server.ip());
    found.add(
        finding
            .proof(Some(before.asked), asked(before))
            .proof(Some(*notify), format!("NOTIFY {said}"))
            .proof(Some(now.asked), asked(now)),
    );
}

fn wrong_server(case: &Case<'_>, found: &mut Findings, run: &Provisioning) {
    let told = case
        .tracks
        .leases
        .iter()
        .find(|lease| lease.address == Some(run.address))
        .and_then(|lease| Some((lease.option66.as_deref()?, lease)));
    let Some((url, lease)) = told else { return };
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    let Ok(meant) = host.parse::<std::net::IpAddr>() else { return };
    let all: Vec<&Transfer> = transfers(case, run).collect();
    let Some(other) = all.iter().find(|it| has_come(it) && it.server.ip() != meant) else {
        return;
    };
    if all.iter().any(|it| it.server.ip() == meant)
        || run.pnp.as_ref().is_some_and(|pnp| !pnp.answers.is_empty())
    {
        return;
    }
    let cause = format!("DHCP names {meant}, and the files come from {}.", other.server.ip());
    let ack = lease.messages.iter().rfind(|message| message.has_option66).map(|message| message.proof);
    let finding = Finding::new("prov.wrong-server", Severity::Warning, subject(case, run)).cause(cause);
    found.add(
        finding
            .proof(ack, format!("option 66 {url}"))
            .proof(Some(other.asked), format!("{} {} at {}", other.verb, other.name, other.server.ip())),
    );
}

fn reboot_loop(case: &Case<'_>, found: &mut Findings) {
    let mut addresses: Vec<_> = case.tracks.reboots.iter().filter_map(|it| it.address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    for address in addresses {
        let starts: Vec<_> = case.tracks.reboots.iter().filter(|it| it.address == Some(address)).collect();
        let runs: Vec<_> = case
            .tracks
            .provisioning
            .iter()
            .filter(|run| run.address == address)
            .filter(|run| transfers(case, run).any(has_come))
            .collect();
        let fetched = starts.iter().filter(|start| {
            runs.iter().flat_map(|run| transfers(case, run)).any(|it| {
                it.asked.at >= start.started.at
                    && it.asked.at.since(start.started.at) < Duration::from_secs(120)
            })
        });
        let fetched: Vec<_> = fetched.collect();
        let Some(run) = runs.first().filter(|_| fetched.len() >= 3) else { continue };
        let cause = format!(
            "It starts {} times, and fetches its configuration each time: something in it changes with every download.",
            fetched.len()
        );
        let mut finding = Finding::new("prov.reboot-loop", Severity::Error, subject(case, run)).cause(cause);
        for start in fetched.iter().take(6) {
            finding.prove(Some(start.started), format!("starts: {}", start.sign));
        }
        found.add(finding);
    }
}
