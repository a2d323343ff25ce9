//! Runs of provisioning and starts of phones, put together at the end out of what each layer showed.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use proto::sip::Method;

use super::devices::mac_in;
use super::said::{event_parameter, package};
use crate::doctor::Proof;
use crate::doctor::tracks::{Lease, PnP, Provisioning, Reboot, Tracks, mac_text};

/// Runs of one case.
pub const LIMIT: usize = 10_000;
/// Starts of phones of one case.
pub const REBOOTS_LIMIT: usize = 10_000;
const ANSWERS_LIMIT: usize = 8;
/// Transfers of one phone with less than this between them are one run.
const RUN: Duration = Duration::from_secs(120);
/// A check-sync explains a start within this time.
const REACTION: Duration = Duration::from_secs(300);

/// Builds runs and starts.
pub fn finish(tracks: &mut Tracks) {
    let mut runs = transfers_in_runs(tracks);
    for (address, pnp) in plug_and_play(tracks) {
        let found = runs.iter().position(|run| {
            run.address == address && run.pnp.is_none() && starts_after(tracks, run, pnp.asked)
        });
        let source = pnp.answers.first().map(|_| "pnp");
        let url = pnp.answers.iter().find_map(|(_, url, _)| url.clone());
        if let Some(run) = found.and_then(|found| runs.get_mut(found)) {
            (run.source, run.url) = (source.or(run.source), url.or(run.url.take()));
            run.device = run.device.take().or_else(|| pnp.mac.clone());
            run.pnp = Some(pnp);
        } else if runs.len() < LIMIT {
            let device = pnp.mac.clone();
            runs.push(Provisioning { device, address, source, url, transfers: Vec::new(), pnp: Some(pnp) });
        }
    }
    tracks.provisioning = runs;
    tracks.reboots = starts(tracks);
}

fn transfers_in_runs(tracks: &Tracks) -> Vec<Provisioning> {
    let mut runs: Vec<Provisioning> = Vec::new();
    let mut latest: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for (index, transfer) in tracks.transfers.iter().enumerate() {
        let address = transfer.client.ip();
        let known = latest.get(&address).copied().filter(|&run| {
            let last = runs[run].transfers.last().and_then(|&t| tracks.transfers.get(t as usize));
            last.is_some_and(|last| transfer.asked.at.since(last.last.at) < RUN)
        });
        let run = match known {
            Some(run) => run,
            None if runs.len() >= LIMIT => return runs,
            None => {
                runs.push(new_run(tracks, address, transfer.asked));
                runs.len() - 1
            }
        };
        latest.insert(address, run);
        let run = &mut runs[run];
        run.transfers.push(index as u32);
        let told = transfer.user_agent.as_deref().and_then(mac_in).or_else(|| mac_in(&transfer.name));
        run.device = run.device.take().or(told);
        if run.url.is_none() {
            let host =
                transfer.host.as_deref().map_or_else(|| transfer.server.ip().to_string(), str::to_owned);
            run.url = Some(format!("{}://{host}", transfer.scheme.name()).into());
        }
    }
    runs
}

/// A run with what DHCP had told the phone before.
fn new_run(tracks: &Tracks, address: IpAddr, asked: Proof) -> Provisioning {
    let is_told = |lease: &&Lease| {
        lease.address == Some(address)
            && lease.messages.first().is_some_and(|first| first.proof.at <= asked.at)
    };
    let lease = tracks.leases.iter().find(is_told);
    let option66 = lease.and_then(|lease| lease.option66.clone());
    Provisioning {
        device: lease.map(|lease| mac_text(lease.mac).into()),
        address,
        source: option66.as_ref().map(|_| "option66"),
        url: option66,
        transfers: Vec::new(),
        pnp: None,
    }
}

fn starts_after(tracks: &Tracks, run: &Provisioning, asked: Proof) -> bool {
    let first = run.transfers.first().and_then(|&index| tracks.transfers.get(index as usize));
    first.is_some_and(|first| first.asked.at >= asked.at && first.asked.at.since(asked.at) < RUN)
}

/// SUBSCRIBEs for `ua-profile` with the NOTIFYs that answer them.
fn plug_and_play(tracks: &Tracks) -> Vec<(IpAddr, PnP)> {
    let mut found: Vec<(IpAddr, PnP)> = Vec::new();
    let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
    for &id in &tracks.others {
        let Some(transaction) = tracks.transaction(id) else { continue };
        let (Some(request), Some(first)) = (&transaction.request, transaction.copies.first()) else {
            continue;
        };
        if package(request.event.as_deref()) != "ua-profile" {
            continue;
        }
        let event = request.event.clone().unwrap_or_default();
        match transaction.method {
            Method::Subscribe => {
                let copies = transaction.copies.len() as u32;
                asked.insert(&transaction.call_id, found.len());
                let mac = mac_in(&request.uri).or_else(|| mac_in(&request.from.user));
                found.push((
                    transaction.path.source.ip(),
                    PnP { asked: *first, copies, answers: Vec::new(), mac, event },
                ));
            }
            Method::Notify => {
                let by_dialog = asked.get(&*transaction.call_id).copied();
                // Some servers answer with a Call-ID of their own.
                let index = by_dialog
                    .or_else(|| found.iter().rposition(|(ip, _)| *ip == transaction.path.destination.ip()));
                let Some((_, pnp)) = index.and_then(|index| found.get_mut(index)) else { continue };
                if pnp.answers.len() < ANSWERS_LIMIT {
                    pnp.answers.push((transaction.path.source, request.body.url.clone(), *first));
                }
            }
            _ => {}
        }
    }
    found
}

/// The vendor, model and version of a PnP SUBSCRIBE's Event.
pub fn profile(event: &str) -> [Option<&str>; 3] {
    ["vendor", "model", "version"]
        .map(|name| event_parameter(event, name).map(|value| value.trim_matches('"')))
}

/// Starts: a registration under a new Call-ID, PnP, DHCP from the beginning, and the phone's own log.
fn starts(tracks: &Tracks) -> Vec<Reboot> {
    let mut all = Vec::new();
    for run in &tracks.provisioning {
        if let Some(pnp) = &run.pnp {
            all.push(start(Some(run.address), pnp.asked, "plug and play"));
        }
    }
    for registration in &tracks.registrations {
        let mut last: Option<&str> = None;
        for &id in &registration.transactions {
            let Some(transaction) = tracks.transaction(id) else { continue };
            let Some(first) = transaction.first() else { continue };
            if last.is_some_and(|last| *last != *transaction.call_id) {
                all.push(start(Some(registration.path.source.ip()), first, "registers under a new Call-ID"));
            }
            last = Some(&transaction.call_id);
        }
    }
    for lease in &tracks.leases {
        let discovers = lease.messages.iter().filter(|message| message.kind == 1);
        let mut xid = None;
        for discover in discovers.filter(|discover| xid.replace(discover.xid) != Some(discover.xid)) {
            all.push(start(lease.address, discover.proof, "asks for an address"));
        }
    }
    for line in &tracks.log {
        if line.text.contains("system booting") {
            let mut reboot = start(None, line.proof, "the log says that the system boots");
            reboot.file = Some(line.proof.file);
            all.push(reboot);
        }
    }
    all.sort_by_key(|reboot| reboot.started);
    all.truncate(REBOOTS_LIMIT);
    merge(tracks, all)
}

fn start(address: Option<IpAddr>, started: Proof, sign: &'static str) -> Reboot {
    Reboot { address, file: None, started, sign, check_sync: None, before: None, said_farewell: false }
}

/// Signs of one phone within a minute are one start; what came before it is looked up.
fn merge(tracks: &Tracks, all: Vec<Reboot>) -> Vec<Reboot> {
    let orders = check_syncs(tracks);
    let mut kept: Vec<Reboot> = Vec::new();
    for mut reboot in all {
        let is_known = kept.iter().rev().take(64).any(|known| {
            known.address == reboot.address
                && known.file == reboot.file
                && reboot.started.at.since(known.started.at) < Duration::from_secs(60)
        });
        if is_known {
            continue;
        }
        reboot.check_sync = orders.iter().rev().find_map(|&(address, proof, restart)| {
            let fits = Some(address) == reboot.address
                && proof.at <= reboot.started.at
                && reboot.started.at.since(proof.at) < REACTION;
            fits.then_some((proof, restart))
        });
        note_before(tracks, &mut reboot);
        kept.push(reboot);
    }
    kept
}

/// The last sign of life, and whether it was a farewell.
fn note_before(tracks: &Tracks, reboot: &mut Reboot) {
    let Some(address) = reboot.address else { return };
    let own = tracks.registrations.iter().filter(|registration| registration.path.source.ip() == address);
    let earlier = own.flat_map(|registration| &registration.transactions).filter_map(|&id| {
        let transaction = tracks.transaction(id)?;
        let last = transaction.last().filter(|last| last.at < reboot.started.at)?;
        Some((last, transaction.request.as_ref().is_some_and(|request| request.expires_s == Some(0))))
    });
    if let Some((last, farewell)) = earlier.max_by_key(|(last, _)| *last) {
        (reboot.before, reboot.said_farewell) = (Some(last), farewell);
    }
}

/// NOTIFYs `check-sync`: to whom, where, and whether they ask for a restart.
fn check_syncs(tracks: &Tracks) -> Vec<(IpAddr, Proof, bool)> {
    let notifies = tracks.others.iter().filter_map(|&id| tracks.transaction(id));
    let orders =
        notifies.filter(|transaction| transaction.method == Method::Notify).filter_map(|transaction| {
            let event = transaction.request.as_ref()?.event.as_deref()?;
            let restart = event_parameter(event, "reboot")
                .is_some_and(|value| value.trim_matches('"').eq_ignore_ascii_case("true"));
            let is_order = package(Some(event)) == "check-sync";
            is_order
                .then(|| Some((transaction.path.destination.ip(), *transaction.copies.first()?, restart)))?
        });
    orders.collect()
}
