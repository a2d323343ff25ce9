//! What a phone would do with a configuration file: it is booted with it on the simulated wire.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use proto::Time;
use proto::sip::locate::{Answer, Query, QueryKind, Record};
use serde_json::Value;

use super::ears::Deaf;
use super::exchange_part::ExchangePart;
use super::file_server::FileServer;
use super::parts::Part;
use super::phone_part::PhonePart;
use super::wire::Link;
use super::world::{SeatId, World};
use crate::exchange::{Config, Extension};
use crate::phone::Place;
use crate::settings::{AccountSettings, Fault, Model, Settings, Source, parse_cfg};

/// Where the phone is; on the loopback it asks at once.
const PHONE_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 80, 1));
/// Where its files are.
const FILES_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 50, 80));
/// Where an exchange is that the file names by a name.
const NAMED: [u8; 3] = [127, 0, 81];
/// How long it is watched: longer than a phone takes to restart, and to give an account up.
const WATCHED: Duration = Duration::from_secs(45);

/// What came of it.
#[derive(Clone, Debug)]
pub struct Tried {
    /// What is wrong with lines of the file.
    pub faults: Vec<Fault>,
    /// What the phone told, in order: events of `phone --stdio`.
    pub events: Vec<Value>,
    /// The accounts that the file switches on, and whether each has registered.
    pub accounts: Vec<(u8, bool)>,
}

impl Tried {
    /// Whether the phone has applied the file and registered all of its accounts.
    pub fn is_good(&self) -> bool {
        let has_applied = self.events.iter().any(|event| event["event"] == "provisioned");
        has_applied && !self.accounts.is_empty() && self.accounts.iter().all(|(_, registered)| *registered)
    }
}

/// Boots a phone of that model and MAC address which is served `file`, beside the exchanges that the file
/// names: each has the accounts of the file, and listens wherever the file says. Nothing is sent anywhere.
pub fn try_out(model: &'static Model, mac: [u8; 6], file: &str, now: Time, seed: u64) -> Tried {
    let (assignments, faults) = parse_cfg(file, Source::MacCfg);
    let mut meant = Settings::new(model);
    meant.apply(&assignments);
    let accounts: Vec<AccountSettings> =
        AccountSettings::read_all(&meant).into_iter().filter(AccountSettings::can_register).collect();
    let mut world = World::new(seed, now, Link::DESK);
    let on = add_exchanges(&mut world, &accounts, now);
    let phone = add_phone(&mut world, model, mac, file, now);
    on.into_iter().for_each(|seat| world.switch_on(seat, Duration::ZERO));
    world.switch_on(phone, Duration::from_millis(10));
    // A phone that never rests has told so far what is told.
    let _ = world.run_for(WATCHED);
    let told = world.take_told().into_iter().filter(|told| told.who == phone);
    let events: Vec<Value> = told.map(|told| told.event).collect();
    let accounts = accounts.iter().map(|account| (account.number, is_registered(&events, account.number)));
    Tried { faults, accounts: accounts.collect(), events }
}

/// Whether the last word on an account is that it is registered.
fn is_registered(events: &[Value], account: u8) -> bool {
    let words = ["registered", "unregistered", "registration_failed"];
    let is_word = |event: &&Value| words.iter().any(|word| event["event"] == *word);
    let last = events.iter().rev().filter(is_word).find(|event| event["account"] == account);
    last.is_some_and(|event| event["event"] == "registered")
}

fn add_phone(world: &mut World<Part>, model: &'static Model, mac: [u8; 6], file: &str, now: Time) -> SeatId {
    let mut place = Place::new(PHONE_IP);
    place.mac = mac;
    let name = format!("{}.cfg", place.mac_text());
    let mut settings = Settings::new(model);
    // A folder or a file of this server: an address that phones take.
    let url = format!("http://{FILES_IP}/{name}");
    let _ = settings.set("auto_provision.server.url", &url, Source::CommonCfg);
    let phone = PhonePart::phone_at(place, settings, Box::new(Deaf), world.seed(), now);
    let files = BTreeMap::from([(name, bytes::Bytes::copy_from_slice(file.as_bytes()))]);
    let files = FileServer::with(FILES_IP, files, world.seed());
    let files = world.join("files", FILES_IP, Part::Other(Box::new(files)));
    world.switch_on(files, Duration::ZERO);
    world.join("phone", PHONE_IP, Part::Phone(Box::new(phone)))
}

/// One exchange for each server that the accounts name.
fn add_exchanges(world: &mut World<Part>, accounts: &[AccountSettings], now: Time) -> Vec<SeatId> {
    let mut by_host: BTreeMap<&str, Vec<&AccountSettings>> = BTreeMap::new();
    for account in accounts {
        for server in account.servers.iter().filter(|server| !server.server.host.is_empty()) {
            by_host.entry(&server.server.host).or_default().push(account);
        }
    }
    let mut seats: BTreeMap<IpAddr, SeatId> = BTreeMap::new();
    for (host, accounts) in by_host {
        let ip = host.trim_matches(['[', ']']).parse().unwrap_or_else(|_| {
            let ip = Ipv4Addr::new(NAMED[0], NAMED[1], NAMED[2], seats.len().min(250) as u8 + 1);
            let query = Query { kind: QueryKind::A, name: host.to_ascii_lowercase() };
            world.set_dns(query, Answer::Records(vec![(Record::A(ip), 3_600)]));
            IpAddr::V4(ip)
        });
        let mut config = Config::default();
        config.relay.address = ip;
        let extensions = accounts.iter().map(|account| extension(account, &config.realm)).collect();
        let exchange = ExchangePart::exchange_at(ip, config, extensions, world.seed(), now).at_all_ports();
        let seat = world.join(host, ip, Part::Exchange(Box::new(exchange)));
        seats.insert(ip, seat);
    }
    seats.into_values().collect()
}

fn extension(account: &AccountSettings, realm: &str) -> Extension {
    let secret = Extension::new(&account.auth_name, realm, account.password.expose()).secret;
    let extension = Extension::new(&account.user, realm, "");
    Extension { username: account.auth_name.clone(), secret, ..extension }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_700_000_000);
    const MAC: [u8; 6] = [0x00, 0x21, 0xf2, 0x22, 0xb0, 0x21];

    fn account(server: &str) -> String {
        format!(
            "#!version:1.0.0.1\naccount.1.enable = 1\naccount.1.user_name = 7001\naccount.1.auth_name = own\n\
             account.1.password = x\naccount.1.sip_server.1.address = {server}\n"
        )
    }

    #[test]
    fn a_file_whose_account_registers_is_good() {
        for server in ["192.168.50.19", "pbx.example.com"] {
            for more in ["", "account.1.sip_server.1.port = 5070\n"] {
                let tried = try_out(Model::usual(), MAC, &(account(server) + more), NOW, 1);
                assert!(tried.is_good() && tried.faults.is_empty(), "{server} {more} {tried:?}");
            }
        }
    }

    #[test]
    fn a_file_that_is_not_taken_or_has_no_account_is_not_good() {
        let page = "<!DOCTYPE html><html>";
        let tried = try_out(Model::usual(), MAC, page, NOW, 1);
        assert!(!tried.is_good() && tried.events.iter().any(|it| it["event"] == "provision_failed"));
        let tried = try_out(Model::usual(), MAC, "#!version:1.0.0.1\nfeatures.dnd.enable = 7\n", NOW, 1);
        assert!(!tried.is_good() && tried.faults.len() == 1 && tried.accounts.is_empty(), "{tried:?}");
    }
}
