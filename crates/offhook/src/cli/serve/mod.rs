//! `offhook serve`: the exchange.

mod hands;
pub(super) mod keep;
mod listeners;
mod music;
pub(super) mod provisioning;
mod relaying;
mod text;
mod words;

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use proto::Rng;
use roles::exchange::{
    Area, Block, Command, Config as ExchangeConfig, Exchange, Extension, Parking, Restored, Terms, What,
    check_number, check_numbers, check_secret,
};
use tokio::sync::mpsc;

use super::place::parse_at;
use super::{Failure, Interruption, if_read, runtime, secrets, unwritten, web};
use crate::capture::{Capture, USUAL_SIZE_MB};
use crate::clock::{self, Clock};
use crate::drive::{COMMANDS_WAITING, Driver, Means};
use crate::net::dns::Dns;
use crate::net::fetch::Fetcher;
use crate::net::{self, Net, tls};
use crate::store::{self, Shared, Store};
use crate::web::exchange::serve as serve_web;
pub(super) use hands::{Hands, Teller};
pub(super) use listeners::Listeners;
pub(super) use relaying::{Relaying, relay_ports};

/// The realm of the accounts; their kept secrets are bound to it.
pub(in crate::cli) const REALM: &str = "offhook";
/// How long the sockets may take to send the last messages.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long the parties of calls may take to answer the BYE with which an exchange ends.
const GOODBYE: Duration = Duration::from_secs(1);

/// The exchange that phones register to: registrar, calls, transfer, pickup, lamps, media relay.
///
/// Without --dir it forgets everything at its end. With it, extensions, registrations, subscriptions,
/// bans and call records are in one file there, and what a phone was told is kept before it was told.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// TOML file whose keys are these options, as in `sip = "192.0.2.1:5060"`; the command line counts
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data folder [default: none; all is forgotten at the end]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// SIP over UDP and TCP
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:5060", value_parser = parse_at)]
    sip: SocketAddr,
    /// SIP over TLS; needs --dir, where the certificate is made: give phones DIR/ca.pem
    #[arg(long, value_name = "IP:PORT", requires = "dir", value_parser = parse_at)]
    sips: Option<SocketAddr>,
    /// An extension and its secret, where it does not exist yet; may be given several times
    #[arg(long = "extension", value_name = "NUMBER:SECRET", value_parser = parse_extension)]
    extensions: Vec<Account>,
    /// A file of extensions, one NUMBER:SECRET a line, as --extension gives them: `ps` shows none of it
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Give extensions that exist already the secrets of --extension and --secret-file; else they keep their own
    #[arg(long)]
    extension_wins: bool,
    /// Take extensions from a text file, as --export writes it, in the place of those that exist
    #[arg(long, value_name = "FILE")]
    import: Option<PathBuf>,
    /// Write all extensions into a text file, with the hashes of their secrets, and end
    #[arg(long, value_name = "FILE", requires = "dir")]
    export: Option<PathBuf>,
    /// Also offer SHA-256 to phones (RFC 8760); baresip 1.0 and SIPp then no longer register
    #[arg(long)]
    sha256: bool,
    /// Every how many seconds phones over UDP are asked whether they answer; 0 for never
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=86_400))]
    qualify: u32,
    /// How many seconds a phone rings; an extension may have a time of its own
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=600))]
    ring: u16,
    /// Calls without a sign of life for so many seconds end (RFC 4028, at least 90); 0 for never
    #[arg(long, value_name = "SECONDS", default_value_t = 1_800, value_parser = parse_session)]
    session: u32,
    /// Refuse phones whose User-Agent has these words; may be given several times
    #[arg(long, value_name = "WORDS")]
    block_agent: Vec<String>,
    /// Refuse phones from this network, as in 10.1.0.0/16; may be given several times
    #[arg(long, value_name = "NETWORK", value_parser = Block::network)]
    block_network: Vec<Block>,
    /// Refuse phones from an area: a file with one network a line; may be given several times
    #[arg(long, value_name = "FILE")]
    block_area: Vec<PathBuf>,
    /// The numbers where calls are parked
    #[arg(long, value_name = "FIRST-LAST", default_value = "800-809", value_parser = parse_places)]
    parking: Places,
    /// After how many seconds whoever parked a call is called
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(10..=86_400))]
    recall: u32,
    /// Folder of WAV files: what those hear who are held or parked
    #[arg(long, value_name = "DIR")]
    music: Option<PathBuf>,
    #[command(flatten)]
    provisioning: provisioning::Arguments,
    #[command(flatten)]
    web: web::Arguments,
    /// Capture of all SIP that is sent and received, for Wireshark
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// After so many millions of bytes a capture goes on in a new file; the one before is kept beside it
    #[arg(long, value_name = "MB", default_value_t = USUAL_SIZE_MB, value_parser = clap::value_parser!(u32).range(1..))]
    pcap_size: u32,
    /// Events as JSON lines on standard output
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  offhook serve --extension 7001:a-long-secret-here --extension 7007:another-long-secret
  offhook serve --dir /var/lib/offhook --sip 192.168.50.19:5060 --sips 192.168.50.19:5061 --json";

/// `NUMBER:SECRET`.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) number: String,
    pub(super) secret: String,
}

/// Secrets stay out of logs.
impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:…", self.number)
    }
}

fn parse_extension(text: &str) -> Result<Account, String> {
    match text.split_once(':') {
        Some((number, secret)) if !number.is_empty() && !secret.is_empty() => {
            check_number(number)?;
            Ok(Account { number: number.to_owned(), secret: secret.to_owned() })
        }
        _ => Err("write NUMBER:SECRET, as in 7001:a-long-secret-here".to_owned()),
    }
}

/// A secret on the command line that can be guessed is taken with a warning; a number is given once.
fn warn_of_secrets(accounts: &[Account]) -> Result<(), Failure> {
    for (at, Account { number, secret }) in accounts.iter().enumerate() {
        if accounts.iter().take(at).any(|other| other.number == *number) {
            return Err(Failure::Usage(format!("--extension {number} is given twice; leave one")));
        }
        match check_secret(secret, number) {
            Err(fault) => complain!("offhook: warning: {fault}"),
            Ok(()) => secrets::warn_if_short(&format!("extension {number}"), secret),
        }
    }
    Ok(())
}

/// Less is refused by peers (RFC 4028 §5), more no phone waits for.
fn parse_session(text: &str) -> Result<u32, String> {
    let seconds = text.parse().ok().filter(|seconds| matches!(seconds, 0 | 90..=86_400));
    seconds.ok_or_else(|| "write 0 for never, or 90 to 86400 seconds".to_owned())
}

/// Numbers in a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Places {
    first: u32,
    count: u16,
}

/// The most parking places: a person finds a call again among so many.
const MAX_PLACES: u16 = 1_000;

fn parse_places(text: &str) -> Result<Places, String> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| number.to_string() == text);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let places = number(first).zip(number(last)).and_then(|(first, last)| {
        // The number behind the last one must be a number too: they are counted up to it.
        let count = u16::try_from(last.checked_add(1)?.checked_sub(first)?).ok()?;
        (1..=MAX_PLACES).contains(&count).then_some(Places { first, count })
    });
    places.ok_or_else(|| format!("write FIRST-LAST, as in 800-809, at most {MAX_PLACES} numbers"))
}

/// Runs until Ctrl-C.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    runtime()?.block_on(live(arguments))
}

impl Arguments {
    fn parking(&self) -> Parking {
        Parking { first: self.parking.first, count: self.parking.count, recall_s: self.recall }
    }
}

/// A call takes four sockets, a connection one: as many files are asked for as the system gives a program
/// of this user. Where it gives no more, calls beyond are refused with 503, as always when sockets end.
fn take_all_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

async fn live(arguments: Arguments) -> Result<(), Failure> {
    let clock = Clock::start();
    take_all_files();
    let accounts = accounts(&arguments)?;
    warn_of_secrets(&accounts)?;
    if arguments.export.is_some() && !arguments.dir.as_deref().is_some_and(store::exists) {
        let dir = arguments.dir.unwrap_or_default();
        return Err(Failure::Failed(format!(
            "--export: {} holds no database; give the folder of the exchange by --dir",
            dir.display()
        )));
    }
    let mut store = store::open(arguments.dir.as_deref())?;
    let imported = arguments.import.as_deref().map(text::import).transpose()?.unwrap_or_default();
    let wins = arguments.extension_wins;
    let restored = restore(&mut *store, imported, &accounts, wins, arguments.parking())?;
    if let Some(path) = &arguments.export {
        return Ok(text::export(path, &restored.extensions)?);
    }
    let store = Shared::new(store);
    let net = stand(&arguments, clock)?;
    let teller = Teller::new(arguments.json, clock)?;
    let at = net.local(proto::sip::Transport::Udp).unwrap_or(arguments.sip);
    let music = arguments.music.as_deref().map(music::load).transpose()?.unwrap_or_default();
    let config = ExchangeConfig {
        offers_sha256: arguments.sha256,
        qualify_s: Some(arguments.qualify).filter(|seconds| *seconds > 0),
        ring_s: arguments.ring,
        session_s: Some(arguments.session).filter(|seconds| *seconds > 0),
        parking: arguments.parking(),
        terms: Terms { blocks: blocks(&arguments)?, ..Terms::default() },
        ..ExchangeConfig::default()
    };
    let numbers =
        restored.bindings.iter().filter(|it| it.user.is_some()).map(|it| it.number.clone()).collect();
    let place = provisioning::Exchange { sip: at, sips: net.local(proto::sip::Transport::Tls) };
    let provisioning =
        arguments.provisioning.open(place, arguments.dir.as_deref(), &store, clock, numbers)?;
    if let Some(text) = provisioning.dhcp() {
        return Ok(if_read(io::stdout().lock().write_all(text.as_bytes()))?);
    }
    let mut driver = exchange(config, net, Box::new(store), restored, teller, clock, music)?;
    let mut rng = Rng::new(clock::seed()?);
    let web = arguments.web.open(at.ip(), true, arguments.dir.as_deref(), &mut rng)?;
    let told = web.as_ref().map(|web| web.told.clone());
    let desk = driver.hands().open_desk(clock.now());
    let places = provisioning.told();
    let service = provisioning.service.clone();
    driver.hands().tell_devices_to(service.clone());
    let (listeners, accounts) = provisioning.start(driver.hands().commander())?;
    let notes = service.clone();
    tokio::spawn(accounts);
    let _web = web.map(|web| serve_web(web.listener, web.site, desk, Some(service))).transpose()?;
    let mut interruption = Interruption::expect()?;
    driver.hands().ready(at, told.as_ref(), &places);
    tokio::select! {
        // An exchange has no last word of its own.
        () = driver.run() => {}
        interrupted = interruption.comes() => interrupted?,
    }
    hang_up(&mut driver, &mut interruption).await?;
    drop(listeners);
    notes.keep_notes();
    let is_all_kept = driver.settle();
    driver.hands().finish();
    driver.finish(LAST_WORDS).await;
    if is_all_kept { Ok(()) } else { Err(unwritten()) }
}

/// Ends all calls, and waits a moment until both parties of each have answered their BYE. A second signal ends the wait.
async fn hang_up(driver: &mut Driver<Exchange, Hands>, interruption: &mut Interruption) -> io::Result<()> {
    if driver.role().has_no_calls() {
        return Ok(());
    }
    driver.command(Command { id: 0, what: What::HangUpAll });
    tokio::select! {
        () = driver.run_until(Exchange::has_no_calls) => Ok(()),
        () = tokio::time::sleep(GOODBYE) => Ok(()),
        interrupted = interruption.comes() => interrupted,
    }
}

/// The extensions of the command line and of its file.
fn accounts(arguments: &Arguments) -> Result<Vec<Account>, Failure> {
    let mut accounts = Vec::new();
    for Account { number, secret } in &arguments.extensions {
        accounts.push(Account { number: number.clone(), secret: secrets::expose("--extension", secret)? });
    }
    if let Some(path) = &arguments.secret_file {
        for (number, secret) in secrets::read_file(path)? {
            check_number(&number).map_err(|why| Failure::usage(format!("{}: {why}", path.display())))?;
            accounts.push(Account { number, secret });
        }
    }
    Ok(accounts)
}

/// An exchange with its relay, on sockets that stand already.
///
/// # Errors
/// The system gives no thread or entropy.
pub(super) fn exchange(
    config: ExchangeConfig,
    net: Net,
    store: Box<dyn Store>,
    restored: Restored,
    teller: Teller,
    clock: Clock,
    music: Vec<Arc<[i16]>>,
) -> io::Result<Driver<Exchange, Hands>> {
    let own = net.local(proto::sip::Transport::Udp).map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |at| at.ip());
    let config = ExchangeConfig {
        realm: REALM.to_owned(),
        user_agent: format!("Offhook {}", env!("CARGO_PKG_VERSION")),
        relay: relay_ports(reachable(own)?),
        music: !music.is_empty(),
        ..config
    };
    let exchange = Exchange::new(config, restored, clock::seed()?, clock.now());
    let (commander, commands) = mpsc::channel(COMMANDS_WAITING);
    let hands = Hands::new(teller, Relaying::start(clock, music)?, store.outlives_program(), commander);
    let dns = Dns::system();
    let fetcher = Fetcher::new(&dns, tls::Trust::default());
    let means = Means { net, dns, fetcher, store, clock, commands, hands };
    Ok(Driver::new(exchange, means))
}

/// The address that phones can send media to: where all addresses are listened to, the one by which
/// this machine would reach others.
fn reachable(ip: IpAddr) -> io::Result<IpAddr> {
    if !ip.is_unspecified() {
        return Ok(ip);
    }
    super::place::outward(ip.is_ipv4()).map_err(|error| {
        let text = format!(
            "--sip {ip}: this machine has no way out ({error}), so it is not known at which of its addresses \
             phones reach it; give that one, as in --sip 192.168.1.10:5060"
        );
        io::Error::new(error.kind(), text)
    })
}

/// What the exchange finds again, with the extensions of a file and of the command line. The file takes the
/// place of what is kept; the command line does where it `wins`.
fn restore(
    store: &mut dyn Store,
    imported: Vec<Extension>,
    accounts: &[Account],
    wins: bool,
    parking: Parking,
) -> io::Result<Restored> {
    let mut restored = keep::restore(&*store.reader())?;
    let mut changes = Vec::new();
    let given = accounts.iter().map(|account| Extension::new(&account.number, REALM, &account.secret));
    for (new, is_imported) in imported.into_iter().map(|new| (new, true)).chain(given.map(|new| (new, false)))
    {
        let new = match restored.extensions.iter().position(|kept| kept.number == new.number) {
            None => new,
            Some(at) if is_imported => {
                restored.extensions.swap_remove(at);
                new
            }
            Some(at) => match differs(&restored.extensions[at], &new) {
                None => continue,
                Some(_) if wins => {
                    let kept = restored.extensions.swap_remove(at);
                    Extension { secret: new.secret, enabled: true, ..kept }
                }
                Some(how) => {
                    complain!(
                        "offhook: extension {} {how}: it stays as it is kept; --extension-wins changes it",
                        new.number
                    );
                    continue;
                }
            },
        };
        changes.push(keep::extension(&new));
        restored.extensions.push(new);
    }
    let codes = restored.codes.clone().unwrap_or_default();
    check_numbers(&restored.extensions, parking, &codes)
        .map_err(|fault| io::Error::new(io::ErrorKind::InvalidInput, fault))?;
    if !changes.is_empty() {
        store.commit(changes);
    }
    Ok(restored)
}

/// How an extension that is kept differs from what the command line gives.
fn differs(kept: &Extension, given: &Extension) -> Option<&'static str> {
    if kept.secret != given.secret {
        Some("has another secret than --extension gives")
    } else if !kept.enabled {
        Some("is switched off")
    } else {
        None
    }
}

/// The rules against phones.
fn blocks(arguments: &Arguments) -> io::Result<Vec<Block>> {
    let agents = arguments.block_agent.iter().cloned().map(Block::UserAgent);
    let mut blocks: Vec<Block> = agents.chain(arguments.block_network.iter().cloned()).collect();
    for path in &arguments.block_area {
        let named =
            |why: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        blocks.push(Block::Area(Area::parse(&name, &text).map_err(named)?));
    }
    Ok(blocks)
}

fn stand(arguments: &Arguments, clock: Clock) -> Result<Net, Failure> {
    let mut config = net::Config {
        udp: vec![arguments.sip],
        tcp: vec![arguments.sip],
        tls: arguments.sips.into_iter().collect(),
        ..net::Config::new(clock)
    };
    if let (Some(at), Some(dir)) = (arguments.sips, &arguments.dir) {
        config.server = Some(certificate(at, dir, clock, &[])?);
    }
    let mut net = Net::bind(config)?;
    if let Some(path) = &arguments.pcap {
        net.set_tap(Capture::create(path, arguments.pcap_size)?.tap());
    }
    Ok(net)
}

fn certificate(
    at: SocketAddr,
    dir: &std::path::Path,
    clock: Clock,
    client_cas: &[PathBuf],
) -> io::Result<Arc<rustls::ServerConfig>> {
    let names = ["localhost".to_owned(), reachable(at.ip())?.to_string()];
    tls::server_for_phones(dir, &names, clock.now(), client_cas)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Memory;

    #[test]
    fn extensions_are_read() {
        let account = parse_extension("7001:a:b").unwrap();
        assert_eq!((account.number.as_str(), account.secret.as_str()), ("7001", "a:b"));
        assert_eq!(format!("{account:?}"), "7001:…");
        assert!(parse_extension("70 01:secret").unwrap_err().contains("letters"));
        for text in ["7001", ":secret", "7001:", ""] {
            assert!(parse_extension(text).unwrap_err().contains("as in"), "{text}");
        }
    }

    #[test]
    fn a_number_that_means_two_things_is_refused() {
        let account =
            |number: &str| Account { number: number.to_owned(), secret: "a-long-secret-here".to_owned() };
        assert!(warn_of_secrets(&[account("7001"), account("7002")]).is_ok());
        assert!(warn_of_secrets(&[account("7001"), account("7002"), account("7001")]).is_err());
        for (number, why) in [("800", "--parking"), ("*43", "echo")] {
            let mut store = Memory::default();
            let told =
                restore(&mut store, Vec::new(), &[account(number)], false, Parking::default()).unwrap_err();
            assert!(told.to_string().contains(why), "{told}");
            assert!(keep::restore(&*store.reader()).unwrap().extensions.is_empty(), "nothing is kept of it");
        }
    }

    #[test]
    fn the_time_of_a_session_is_one_that_peers_take() {
        assert_eq!([parse_session("0"), parse_session("90")], [Ok(0), Ok(90)]);
        for text in ["30", "89", "-1", "86401", "x", ""] {
            assert!(parse_session(text).is_err_and(|told| told.contains("90")), "{text}");
        }
    }

    #[test]
    fn parking_places_are_read() {
        assert_eq!(parse_places("800-809"), Ok(Places { first: 800, count: 10 }));
        assert_eq!(parse_places("7900"), Ok(Places { first: 7_900, count: 1 }));
        for text in
            ["", "-", "9-8", "1-2-3", "+1-2", "007-009", "1-1001", "0-4294967295", "4294967295", "a-b"]
        {
            assert!(parse_places(text).unwrap_err().contains("as in"), "{text}");
        }
    }

    #[test]
    fn extensions_given_once_are_there_at_the_next_start() {
        let mut store = Memory::default();
        let first =
            restore(&mut store, Vec::new(), &account("the first secret"), false, Parking::default()).unwrap();
        let again = restore(&mut store, Vec::new(), &[], false, Parking::default()).unwrap();
        assert_eq!((first.extensions.len(), first.extensions), (1, again.extensions));
    }

    fn account(secret: &str) -> [Account; 1] {
        [Account { number: "7001".to_owned(), secret: secret.to_owned() }]
    }

    #[test]
    fn what_is_kept_of_an_extension_outlasts_the_command_line() {
        let mut store = Memory::default();
        let mut kept = Extension::new("7001", REALM, "set by the API");
        kept.enabled = false;
        kept.display = "Jack".to_owned();
        store.commit(vec![keep::extension(&kept)]);
        let mut start = |wins| {
            restore(&mut store, Vec::new(), &account("of the flag"), wins, Parking::default())
                .unwrap()
                .extensions
        };
        assert_eq!(start(false), [kept.clone()]);
        let flagged = Extension::new("7001", REALM, "of the flag");
        let won = Extension { display: "Jack".to_owned(), ..flagged.clone() };
        assert_eq!(start(true), std::slice::from_ref(&won), "its other settings stay");
        assert_eq!(start(false), std::slice::from_ref(&won), "it is kept");
        assert_eq!(differs(&won, &flagged), None);
        assert!(differs(&kept, &flagged).unwrap().contains("another secret"));
        let off = Extension { enabled: false, ..flagged.clone() };
        assert!(differs(&off, &flagged).unwrap().contains("switched off"));
    }

    #[test]
    fn an_import_takes_the_place_of_what_is_kept() {
        let mut store = Memory::default();
        restore(&mut store, Vec::new(), &account("the first secret"), false, Parking::default()).unwrap();
        let imported = Extension::new("7001", REALM, "of the file");
        let restored =
            restore(&mut store, vec![imported.clone()], &account("of the flag"), false, Parking::default())
                .unwrap();
        assert_eq!(restored.extensions, [imported]);
    }
}
