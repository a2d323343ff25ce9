//! Many phones that are switched on at once: out of their box, on a wire that loses datagrams.
//!
//! They ask by PnP, fetch their files by TFTP and register by UDP, so that everything can be lost.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use proto::Time;

use super::ears::Deaf;
use super::exchange_part::ExchangePart;
use super::file_server::FileServer;
use super::parts::Part;
use super::phone_part::PhonePart;
use super::wire::Link;
use super::world::{SeatId, World};
use crate::exchange::{Config, Extension};
use crate::phone::{Place, Sources};
use crate::settings::{Model, OUI, Settings};

const FILES_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 50, 80));
const EXCHANGE_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 50, 19));
/// The first of the phones' addresses; on the loopback no phone waits at random.
const FIRST_IP: u32 = u32::from_be_bytes([127, 0, 100, 1]);
/// How often it is looked who is ready.
const LOOK: Duration = Duration::from_millis(500);
/// How long at most: a phone whose download fails tries again after an hour.
const LONGEST: Duration = Duration::from_secs(2 * 3_600);

/// What became of the phones.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Crowd {
    /// Phones that have applied their files.
    pub provisioned: usize,
    /// Phones that have registered.
    pub registered: usize,
    /// Downloads that failed and were tried again.
    pub failed_downloads: usize,
    /// When a tenth, half, nine tenths and all were registered, in milliseconds.
    pub ready_ms: [u64; 4],
}

/// Switches so many phones on at once, beside one server and one exchange, on a wire that loses `loss_percent`
/// of a hundred datagrams, and waits until all have registered.
pub fn boot_crowd(count: u16, loss_percent: u8, now: Time, seed: u64) -> Crowd {
    let mut world = World::new(seed, now, Link { loss_percent, ..Link::DESK });
    world.keep_packets(false);
    let numbers: Vec<String> = (0..count).map(|at| (10_000 + u32::from(at)).to_string()).collect();
    let mut config = Config::default();
    config.relay.address = EXCHANGE_IP;
    let extensions = numbers.iter().map(|number| Extension::new(number, &config.realm, &secret(number)));
    let exchange =
        ExchangePart::exchange_at(EXCHANGE_IP, config.clone(), extensions.collect(), world.seed(), now);
    let files = numbers.iter().zip(0..).map(|(number, at)| (file_name(at), file(number))).collect();
    let files = FileServer::with(FILES_IP, files, world.seed()).answering_pnp(format!("tftp://{FILES_IP}/"));
    let exchange = world.join("exchange", EXCHANGE_IP, Part::Exchange(Box::new(exchange)));
    let files = world.join("files", FILES_IP, Part::Other(Box::new(files)));
    world.switch_on(exchange, Duration::ZERO);
    world.switch_on(files, Duration::ZERO);
    for at in 0..count {
        let phone = add_phone(&mut world, at, now);
        world.switch_on(phone, Duration::from_millis(10));
    }
    watch(&mut world, usize::from(count), now)
}

/// Lets time pass until all phones have registered.
fn watch(world: &mut World<Part>, count: usize, begun: Time) -> Crowd {
    let (mut crowd, mut ready, mut applied) = (Crowd::default(), BTreeSet::new(), BTreeSet::new());
    let marks = [count.div_ceil(10), count.div_ceil(2), (count * 9).div_ceil(10), count];
    while ready.len() < count && world.now() < begun + LONGEST && world.run_for(LOOK).is_ok() {
        for told in world.take_told() {
            match told.event["event"].as_str().unwrap_or_default() {
                "registered" if told.event["account"].is_u64() => drop(ready.insert(told.who)),
                "provisioned" => drop(applied.insert(told.who)),
                "provision_failed" => crowd.failed_downloads += 1,
                _ => {}
            }
        }
        let passed_ms = world.now().as_millis().saturating_sub(begun.as_millis());
        for (mark, at_ms) in marks.iter().zip(&mut crowd.ready_ms) {
            if *at_ms == 0 && ready.len() >= *mark {
                *at_ms = passed_ms;
            }
        }
    }
    Crowd { provisioned: applied.len(), registered: ready.len(), ..crowd }
}

fn add_phone(world: &mut World<Part>, at: u16, now: Time) -> SeatId {
    let ip = IpAddr::V4(Ipv4Addr::from(FIRST_IP + u32::from(at)));
    let mut place = Place::new(ip);
    place.mac = mac(at);
    place.sources = Sources { pnp: true, ..Sources::default() };
    let phone = PhonePart::phone_at(place, Settings::new(Model::usual()), Box::new(Deaf), world.seed(), now);
    world.join("phone", ip, Part::Phone(Box::new(phone)))
}

fn mac(at: u16) -> [u8; 6] {
    let ([a, b, c], [high, low]) = (OUI, at.to_be_bytes());
    [a, b, c, 1, high, low]
}

fn file_name(at: u16) -> String {
    format!("{}.cfg", crate::provision::Mac(mac(at)))
}

fn file(number: &str) -> Bytes {
    format!(
        "#!version:1.0.0.1\naccount.1.enable = 1\naccount.1.user_name = {number}\naccount.1.password = {}\n\
         account.1.sip_server.1.address = {EXCHANGE_IP}\n",
        secret(number)
    )
    .into()
}

fn secret(number: &str) -> String {
    format!("a-long-secret-of-{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_700_000_000);

    fn check(crowd: &Crowd, count: usize, within_ms: u64) {
        let [.., all_ms] = crowd.ready_ms;
        assert_eq!((crowd.provisioned, crowd.registered), (count, count), "{crowd:?}");
        assert!(all_ms <= within_ms, "{crowd:?}");
    }

    #[test]
    fn a_crowd_of_phones_is_set_up_at_once() {
        let crowd = boot_crowd(100, 0, NOW, 1);
        check(&crowd, 100, 1_000);
        assert_eq!(crowd.failed_downloads, 0);
    }

    #[test]
    fn a_wire_that_loses_a_twentieth_loses_no_phone() {
        let crowd = boot_crowd(100, 5, NOW, 2);
        check(&crowd, 100, 60_000);
        assert_eq!(crowd, boot_crowd(100, 5, NOW, 2), "the same seed is the same boot");
    }
}
