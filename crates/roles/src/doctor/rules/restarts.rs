//! Why a phone started again.

use super::super::finding::{Finding, Severity};
use super::super::tracks::{Reboot, TransferResult, mac_text};
use super::case::{Case, Findings};
use super::explain::Explanation;

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "reboot.check-sync",
        title: "The phone restarts since the server asked it to",
        seen: "NOTIFY check-sync with reboot=true is answered, and the phone starts after it; info.",
        hurts: "Nothing, if it was meant.",
        example: "NOTIFY (Event: check-sync;reboot=true) · 200 · the phone starts",
        remedy: &[
            "If the phone just reboots automatically without being slow, check whether the phone has received Reboot information: look who sends it at the server.",
        ],
        reference: "deck, Phone becomes Slow/Stuck or Reboot--Troubleshooting",
    },
    Explanation {
        code: "reboot.provisioning",
        title: "The phone restarts to take a new configuration",
        seen: "Downloads, then a start; info.",
        hurts: "Nothing, if it was meant.",
        example: "RRQ 0021f222b021.cfg · … · the phone starts",
        remedy: &[
            "Check whether the phone has set up auto-provisioning, the phone will reboot when updating the configurations from the server.",
        ],
        reference: "deck, Phone becomes Slow/Stuck or Reboot--Troubleshooting",
    },
    Explanation {
        code: "reboot.power",
        title: "The phone lost its power",
        seen: "The phone's own line says so, or it starts after silence without any farewell.",
        hurts: "Calls are cut.",
        example: "log: system booting, reason power",
        remedy: &[
            "Check whether the phone has used correct power; if the customer uses PoE, try to test with the power adapter.",
            "Look at the PoE budget and the log of the switch.",
        ],
        reference: "deck, Phone becomes Slow/Stuck or Reboot--Troubleshooting",
    },
    Explanation {
        code: "reboot.crash",
        title: "The phone's software crashed",
        seen: "The phone's own line says crash or watchdog, or its exception log holds one.",
        hurts: "Calls are cut.",
        example: "log: system booting, reason watchdog",
        remedy: &[
            "Update the firmware; send the exception log and a bundle to the maker (`bundle FILE.zip`).",
            "Check whether there are any other models that work fine in the same scenario.",
        ],
        reference: "deck, Phone becomes Slow/Stuck or Reboot--Troubleshooting",
    },
];

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    by_log(case, found);
    for reboot in &case.tracks.reboots {
        by_packets(case, found, reboot);
    }
}

fn by_log(case: &Case<'_>, found: &mut Findings) {
    for line in &case.tracks.log {
        let text = line.text.to_lowercase();
        let reason = |word: &str| {
            text.contains(&format!("reason {word}"))
                || text.contains(&format!("reason={word}"))
                || text.contains(&format!("reason: {word}"))
        };
        let crash = reason("crash")
            || reason("watchdog")
            || reason("panic")
            || text.contains("segmentation fault")
            || text.contains("segfault")
            || text.contains("kernel panic");
        let code = match () {
            () if crash => "reboot.crash",
            () if reason("power") => "reboot.power",
            () => continue,
        };
        let severity = if code == "reboot.crash" { Severity::Error } else { Severity::Warning };
        let name = case.tracks.file_name(line.proof).rsplit('/').next().unwrap_or_default();
        let subject = line.host.as_deref().unwrap_or(name).to_owned();
        let cause = format!("The phone's own log says `{}`.", line.text);
        found.add(
            Finding::new(code, severity, subject).cause(cause).proof(Some(line.proof), line.text.to_string()),
        );
    }
}

fn subject(case: &Case<'_>, reboot: &Reboot) -> Option<String> {
    let address = reboot.address?;
    let device = case.tracks.devices.iter().find(|device| device.addresses.contains(&address));
    Some(device.and_then(|device| device.mac).map_or_else(|| address.to_string(), mac_text))
}

fn by_packets(case: &Case<'_>, found: &mut Findings, reboot: &Reboot) {
    let Some(subject) = subject(case, reboot) else { return };
    if found.about("prov.reboot-loop", &subject).is_some() {
        return;
    }
    if let Some((asked, true)) = reboot.check_sync {
        let finding =
            Finding::new("reboot.check-sync", Severity::Info, subject).cause("The server asked for it.");
        return found.add(
            finding
                .proof(Some(asked), "NOTIFY check-sync;reboot=true")
                .proof(Some(reboot.started), reboot.sign),
        );
    }
    let Some(before) = reboot.before else { return };
    let is_boot = matches!(reboot.sign, "plug and play" | "asks for an address");
    let fetched = case.tracks.transfers.iter().rfind(|it| {
        let own = Some(it.client.ip()) == reboot.address && it.result == TransferResult::Complete;
        own && it.last.at <= reboot.started.at && reboot.started.at.since(it.last.at).as_secs() < 60
    });
    if let Some(fetched) = fetched.filter(|_| is_boot || reboot.said_farewell) {
        let finding = Finding::new("reboot.provisioning", Severity::Info, subject)
            .cause("It had fetched a configuration before.");
        return found.add(
            finding
                .proof(Some(fetched.last), format!("{} has come", fetched.name))
                .proof(Some(reboot.started), reboot.sign),
        );
    }
    // Many programs take a new Call-ID for each REGISTER: that alone is no start.
    let registers_anew = case.tracks.reboots.iter().any(|it| it.address == reboot.address)
        && case
            .tracks
            .registrations
            .iter()
            .any(|it| Some(it.path.source.ip()) == reboot.address && it.to.at > reboot.started.at);
    let standing = case.tracks.legs.iter().any(|leg| {
        let own =
            Some(leg.path.source.ip()) == reboot.address || Some(leg.path.destination.ip()) == reboot.address;
        let stands = leg.answered.is_some_and(|it| it.at < reboot.started.at)
            && leg.ended.is_none_or(|it| it.at > reboot.started.at);
        own && stands
    });
    let silence = reboot.started.at.since(before.at).as_secs() >= 5;
    if !is_boot || reboot.said_farewell || !(registers_anew || standing) || !silence {
        return;
    }
    let cause = "It starts without any farewell: no registration was taken back and no call ended. Most likely it lost its power.";
    let finding = Finding::new("reboot.power", Severity::Warning, subject).cause(cause);
    found.add(finding.proof(Some(before), "the last sign of life").proof(Some(reboot.started), reboot.sign));
}
