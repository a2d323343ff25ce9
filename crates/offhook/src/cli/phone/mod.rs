//! `offhook phone`: one desk phone.

mod bundle;
pub(super) mod hands;
mod journal;
pub(super) mod pace;
mod packets;
mod roam;
mod settings;
mod whole;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use proto::Rng;
use roles::phone::command::{COMMANDS, MAX_LINE_BYTES};
use roles::phone::{Command, CommandKind, Phone, Place, Sources};
use roles::settings::{AccountSettings, CodecName, PhoneSettings, RtpSettings, Settings};
use tokio::sync::mpsc;

use super::lines::read_stdin;
use super::place::{Listen, address_towards, bind, outward};
use super::prompt::{self, Prompt};
use super::{Failure, Interruption, memory, runtime, unwritten, web};
use crate::capture::{Capture, USUAL_SIZE_MB};
use crate::clock::{self, Clock};
use crate::drive::{COMMANDS_WAITING, Driver, Means};
use crate::net::dns::Dns;
use crate::net::fetch::Fetcher;
use crate::net::tls::Trust;
use crate::net::{Config, Limits, Net};
use crate::sound;
use crate::sound::argument::Audio;
use crate::sound::thread::probe_ports;
use crate::store::{self, Store};
use crate::web::phone::{Desk, Ear, serve as serve_web};
use hands::{End, Hands, Manner, Papers, Sound, Teller};
use journal::Journal;
use pace::Pace;
use packets::Packets;

/// Where a phone listens where nothing else is said.
const USUAL_PORT: u16 = 5_060;
/// How long the sockets may take to send the last messages.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How long a phone that was told to end may take to do so.
const LONGEST_GOODBYE: Duration = Duration::from_secs(5);

/// What somebody is told who has given no account.
const NO_ACCOUNT: &str = "this phone has no account: give one by --account 'NUMBER:SECRET@HOST' or --config FILE; \
    without one it calls addresses alone (`set features.direct_ip_call_enable 1`, `dial 192.168.1.20`)";

/// As many calls as a phone has at a time, and some that have just ended.
const MEDIA_SESSIONS: u16 = 20;

/// One desk phone: what a phone does on a desk, done by a process.
///
/// At a terminal it takes commands with a prompt and history: `dial 7007`, `answer`, `hangup`, `help`, `quit`.
///
/// With --stdio it is driven by lines on standard input and tells events as JSON lines on standard
/// output: `dial 7007`, `answer`, `hangup`, `hold`, `resume`, `dtmf 12#`, `transfer 7001`, `status`, …;
/// --help lists them all, and a line that is no command is answered with those that are. At the end of the
/// input the phone ends when its dials and calls are over; at `quit` it hangs up, unregisters and ends
/// within 2 s.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, after_long_help = manual())]
pub(crate) struct Arguments {
    /// Data folder: settings made at the phone, its MAC address and its calls outlive the program
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A configuration file to apply, as provisioning would send it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// MAC address [default: the data folder's, or made by chance]
    #[arg(long, value_name = "MAC", value_parser = crate::cli::hardware::parse_mac)]
    mac: Option<[u8; 6]>,
    /// Model: bounds accounts and line keys
    #[arg(long, value_name = "MODEL", default_value = "FIP14G", value_parser = crate::cli::hardware::parse_model)]
    model: &'static roles::settings::Model,
    /// An account; may be given several times. SECRET may be @FILE: what stands in the first line of a file
    #[arg(
        long = "account",
        value_name = "NUMBER:SECRET@HOST[:PORT][;transport=udp|tcp|tls][;auth=USER][;name=DISPLAY]"
    )]
    accounts: Vec<String>,
    /// The server of this phone's settings, a folder or a file; nobody else is asked
    #[arg(long, value_name = "URL", value_parser = settings::parse_profile, conflicts_with = "pnp")]
    profile: Option<String>,
    /// Ask by multicast who serves this phone's settings (PnP), by the interface of its own address
    #[arg(long)]
    pnp: bool,
    /// Serial number, as provisioning servers may ask for it: $(SN) in addresses
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    serial: String,
    /// DHCP option 66 as this machine was told it: the server of the settings
    #[arg(long, value_name = "VALUE")]
    option66: Option<String>,
    /// DHCP option 67 as this machine was told it: the file to ask for
    #[arg(long, value_name = "VALUE")]
    option67: Option<String>,
    /// This phone's own address [default: the one that the route to its server gives, port 5060 or the
    /// next free one]
    #[arg(long, value_name = "IP[:PORT]")]
    listen: Option<Listen>,
    /// Certificates to trust besides the system's, for TLS; may be given several times
    #[arg(long = "ca", value_name = "FILE")]
    ca: Vec<PathBuf>,
    /// What is said, and where what is heard is recorded: silent, tone:HZ or file:IN.wav, each with
    /// ,OUT.wav if wanted
    #[arg(long, value_name = "SOUND", default_value = "silent")]
    audio: Audio,
    /// Capture of all that is sent and received, for Wireshark
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// After so many millions of bytes a capture goes on in a new file; the one before is kept beside it
    #[arg(long, value_name = "MB", default_value_t = USUAL_SIZE_MB, value_parser = clap::value_parser!(u32).range(1..))]
    pcap_size: u32,
    /// A file of secrets, one NUMBER:SECRET a line; an account is then given as NUMBER@HOST
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    #[command(flatten)]
    web: web::Arguments,
    /// Commands as lines on standard input, events as JSON lines on standard output
    #[arg(long)]
    stdio: bool,
    /// Events as JSON lines on standard output
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  offhook phone --account '7001:a-long-secret-here@127.0.50.19'
  echo 'dial 7007' | offhook phone --stdio --account '7001:a-long-secret-here@pbx.example.com'
  offhook phone --config 0021f222b021.cfg --dir /tmp/phone --pcap phone.pcap
  offhook phone --mac 00:21:f2:22:b0:21 --dir /tmp/phone --profile http://127.0.50.19:8069/
  offhook phone --stdio --account '7001:a-long-secret-here@pbx;transport=tls' --ca ca.pem --audio tone:440,heard.wav";

/// What stands below the options: every command, and examples.
fn manual() -> String {
    let mut text = "Commands of --stdio (begun with `@ID ` they are answered with that id):\n".to_owned();
    for (usage, does) in COMMANDS {
        text.push_str(&format!("  {usage}\n          {does}\n"));
    }
    text.push('\n');
    text + EXAMPLES
}

/// Runs until `quit`, Ctrl-C, or for ever.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    runtime()?.block_on(live(arguments))
}

/// The sound that the settings ask for, wideband where an account can use it.
fn sound_config(settings: &Settings, general: &PhoneSettings) -> sound::Config {
    let accounts = AccountSettings::read_all(settings);
    let wideband = accounts.iter().any(|account| account.codecs.contains(&CodecName::G722));
    sound::Config::of(&general.sound, &general.rtp, wideband)
}

async fn live(arguments: Arguments) -> Result<(), Failure> {
    let clock = Clock::start();
    let mut rng = Rng::new(clock::seed()?);
    let mut store = store::open(arguments.dir.as_deref())?;
    let mut settings = settings::gather(&arguments, &mut *store)?;
    let general = PhoneSettings::read(&settings);
    let capture =
        arguments.pcap.as_deref().map(|path| Capture::create(path, arguments.pcap_size)).transpose()?;
    let (mut net, mut place) = stand(&arguments, &settings, &general, clock, &mut *store, &mut rng)?;
    // An address that was asked for is kept; else the phone goes where the machine goes.
    let is_free = arguments.listen.is_none_or(|listen| listen.ip.is_unspecified());
    let compass = is_free.then(|| {
        let (compass, addresses) = roam::start();
        net.follow(addresses);
        compass
    });
    let packets = Packets::default();
    net.set_tap(packets.tap(capture.as_ref().map(Capture::tap)));
    let journal = Journal::start(arguments.dir.as_deref(), place.ip())?;
    let media_tap = packets.media_tap(capture.map(|capture| capture.media_tap()));
    let papers = Papers { journal, packets, before: settings.clone(), restarts: 0 };
    let (commander, commands) = mpsc::channel(COMMANDS_WAITING);
    let web = arguments.web.open(place.ip(), !arguments.stdio, arguments.dir.as_deref(), &mut rng)?;
    let desk = web.as_ref().map(|_| Desk::new(commander.clone(), clock));
    let pace = Pace::default();
    let is_person = !arguments.stdio && !arguments.json && prompt::is_person();
    let prompt = is_person.then(|| ask_person(commander.clone())).transpose()?;
    let teller = Teller::new(manner(&arguments, prompt.as_ref()), desk.clone().map(Ear::new))?;
    let ready_at = SocketAddr::new(place.ip(), place.udp_port);
    let (own, dscp) = (sound_config(&settings, &general), general.rtp.audio_dscp);
    let (source, sink) = arguments.audio.open(own.rate_hz)?;
    let engine = sound::Engine::new(own, source, sink, rng.fork());
    let sound = Sound::start(engine, dscp, clock, Some(media_tap))?;
    let (rows, history) = memory::Rows::recall(&*store)?;
    let hands = Hands::new(teller, sound, rows, papers, compass, clock, pace.clone());
    let phone = Phone::new(settings.clone(), place.clone(), rng.fork(), clock.now());
    let phone = phone.restored(memory::restored(&*store, history)?);
    let dns = Dns::system();
    let fetcher = Fetcher::new(&dns, trust(&arguments));
    let means = Means { net, dns, fetcher, store, clock, commands, hands };
    let asks = phone.asks_for_settings();
    let mut driver = Driver::new(phone, means);
    let told = web.as_ref().map(|web| web.told.clone());
    let _web = web.zip(desk).map(|(web, desk)| serve_web(web.listener, web.site, desk)).transpose()?;
    let mut interruption = Interruption::expect()?;
    driver.hands().teller.ready(ready_at, told.as_ref(), clock.date());
    if settings::servers(&settings).is_empty() && !asks {
        driver.hands().teller.note(NO_ACCOUNT);
    }
    if arguments.stdio {
        listen_to_stdin(commander.clone(), pace.clone())?;
    }
    loop {
        let interrupted = drive(&mut driver, &commander, &mut interruption).await?;
        if interrupted || driver.hands().end != Some(End::Restart) {
            break;
        }
        let before = std::mem::replace(&mut settings, driver.role().settings().clone());
        driver.hands().restarted(&before);
        place.network = driver.role().network().clone();
        let phone = Phone::new(settings.clone(), place.clone(), rng.fork(), clock.now());
        let phone = phone.restored(driver.role().to_restore());
        driver.replace(phone);
        if pace.is_input_over() {
            // A phone that has started again knows nothing of it. Nobody waits for the answer.
            let _ = commander.try_send(end_of_input());
        }
    }
    finish(driver, prompt).await
}

fn manner(arguments: &Arguments, prompt: Option<&Prompt>) -> Manner {
    match prompt {
        Some(prompt) => Manner::Person(prompt.lines.mouth()),
        None if arguments.stdio || arguments.json => Manner::Program,
        None => Manner::Log,
    }
}

/// Closes store, terminal and sockets.
///
/// # Errors
/// The events were not read to the end, or not everything could be kept.
async fn finish(mut driver: Driver<Phone, Hands>, prompt: Option<Prompt>) -> Result<(), Failure> {
    let is_all_kept = driver.settle();
    let unread = driver.hands().teller.is_unread();
    driver.hands().teller.finish();
    if let Some(prompt) = prompt {
        prompt.finish();
    }
    driver.finish(LAST_WORDS).await;
    if unread {
        return Err(Failure::Failed("nobody reads the events any more".to_owned()));
    }
    if is_all_kept { Ok(()) } else { Err(unwritten()) }
}

/// Drives the phone until it is over; true after Ctrl-C, which says goodbye once and ends at once when
/// repeated.
async fn drive(
    driver: &mut Driver<Phone, Hands>,
    commander: &mpsc::Sender<Command>,
    interruption: &mut Interruption,
) -> io::Result<bool> {
    let goodbye = async {
        interruption.comes().await?;
        // Nobody waits for the answer, and a phone that has ended needs no goodbye.
        let _ = commander.send(quit()).await;
        // A phone whose disk is full can say no goodbye.
        tokio::select! {
            ended = interruption.comes() => ended,
            () = tokio::time::sleep(LONGEST_GOODBYE) => Ok(()),
        }
    };
    let mut asked = std::pin::pin!(goodbye);
    let mut run = std::pin::pin!(driver.run());
    tokio::select! {
        () = &mut run => Ok(false),
        ended = &mut asked => ended.map(|()| true),
    }
}

fn quit() -> Command {
    Command { id: None, what: CommandKind::Quit }
}

fn end_of_input() -> Command {
    Command { id: None, what: CommandKind::EndOfInput }
}

/// Whose certificates the phone believes.
fn trust(arguments: &Arguments) -> Trust {
    Trust { system: true, ca_files: arguments.ca.clone() }
}

/// Whom the phone will talk to, those of its accounts first.
fn servers(arguments: &Arguments, settings: &Settings) -> Vec<(String, u16)> {
    let option = arguments.option66.as_deref().and_then(settings::place_of);
    settings::servers(settings).into_iter().chain(option).collect()
}

/// Who may name the server of the settings. With a profile nobody else is asked; without --pnp only a phone
/// on the loopback that has nothing yet asks by PnP.
fn sources(arguments: &Arguments, settings: &Settings, ip: IpAddr) -> Sources {
    if arguments.profile.is_some() {
        return Sources { pnp: false, dhcp: false, redirect: false };
    }
    let has_account = AccountSettings::read_all(settings).iter().any(AccountSettings::can_register);
    let is_blank = !has_account && arguments.config.is_none() && arguments.option66.is_none();
    let has_rule = !PhoneSettings::read(settings).provision.rule.is_empty();
    Sources { pnp: arguments.pnp || ip.is_loopback() && is_blank && !has_rule, ..Sources::default() }
}

/// Opens the phone's sockets and says where it stands.
fn stand(
    arguments: &Arguments,
    settings: &Settings,
    general: &PhoneSettings,
    clock: Clock,
    store: &mut dyn Store,
    rng: &mut Rng,
) -> Result<(Net, Place), Failure> {
    let listen = listen(arguments.listen, &servers(arguments, settings))?;
    let signal_ports = settings::signal_ports(settings);
    let places = |at: SocketAddr| {
        let own = signal_ports.iter().filter(move |port| **port != at.port());
        std::iter::once(at).chain(own.map(move |port| SocketAddr::new(at.ip(), *port))).collect::<Vec<_>>()
    };
    let config = |at: SocketAddr| Config {
        udp: places(at),
        tcp: places(at),
        trust: trust(arguments),
        dscp: general.rtp.signal_dscp,
        // A server or a peer that calls directly proves nothing to a phone.
        limits: Limits { stranger: Limits::default().idle, ..Limits::default() },
        ..Config::new(clock)
    };
    let (net, port) = bind(listen, USUAL_PORT, config)?;
    let memory::Own { mac, secret } = memory::own(arguments.mac, arguments.dir.is_some(), store, rng)?;
    let rtp_ports = media_ports(listen.ip, port, &general.rtp)?;
    let mut place = Place {
        udp_port: port,
        tcp_port: port,
        rtp_ports,
        mac,
        secret,
        signal_ports,
        ..Place::new(listen.ip)
    };
    place.serial = arguments.serial.as_str().into();
    place.network.option_66 = arguments.option66.clone();
    place.network.option_67 = arguments.option67.clone();
    place.sources = sources(arguments, settings, listen.ip);
    Ok((net, place))
}

/// The phone's own address: the one that was asked for, else the one that the route to its server gives.
/// Others must be able to reach it, so it is never all addresses.
fn listen(asked: Option<Listen>, servers: &[(String, u16)]) -> Result<Listen, Failure> {
    match asked {
        Some(listen) if !listen.ip.is_unspecified() => Ok(listen),
        Some(listen) if servers.is_empty() => Err(Failure::usage(format!(
            "--listen {}: without an account it is not known which address of this machine others reach; \
             give that one, as in --listen 192.168.1.20",
            listen.ip
        ))),
        asked => {
            let ip = address_towards(servers).or_else(|error| {
                complain!("offhook: warning: {error}; it is tried again");
                outward(true).or(Ok::<_, io::Error>(IpAddr::V4(Ipv4Addr::LOCALHOST)))
            })?;
            Ok(Listen { ip, port: asked.and_then(|listen| listen.port) })
        }
    }
}

/// Free ports for sound within the settings' bounds. Phones that start together at one address must not
/// find the same ones free, so each begins to look at a place that follows from its own SIP port: a phone
/// at the usual port with the lowest.
fn media_ports(ip: IpAddr, sip_port: u16, rules: &RtpSettings) -> io::Result<RangeInclusive<u16>> {
    let (span, bounds) = (MEDIA_SESSIONS * 2, rules.min_port..=rules.max_port);
    let stretches = (rules.max_port.saturating_sub(rules.min_port) / span).max(1);
    let first = rules.min_port + sip_port.wrapping_sub(USUAL_PORT) % stretches * span;
    let inside = |range: &RangeInclusive<u16>| bounds.contains(range.end());
    let own = probe_ports(ip, first, MEDIA_SESSIONS).ok().filter(inside);
    let free = own.map_or_else(|| probe_ports(ip, rules.min_port, MEDIA_SESSIONS), Ok)?;
    Ok(*free.start()..=*free.end().min(bounds.end()))
}

/// Lets a person at the terminal type commands. Ctrl-C and Ctrl-D are `quit`.
fn ask_person(commander: mpsc::Sender<Command>) -> io::Result<Prompt> {
    let first_words = COMMANDS.iter().map(|(usage, _)| usage.split([' ', '[']).next().unwrap_or_default());
    let mut commands: Vec<String> = first_words.map(str::to_owned).collect();
    commands.dedup();
    Prompt::open("offhook> ", commands, move |line| {
        let command = match line.as_deref().map(str::trim) {
            None => quit(),
            Some("") => return true,
            Some(line) => whole::with_file(Command::read(line)),
        };
        let goes_on = command.what != CommandKind::Quit;
        commander.blocking_send(command).is_ok() && goes_on
    })
}

/// Turns lines into commands, until one is `quit`. A line that is none is a command too, so that the
/// answers come in the order of the lines.
fn listen_to_stdin(commander: mpsc::Sender<Command>, pace: Pace) -> io::Result<()> {
    let mut sent = 0;
    read_stdin(MAX_LINE_BYTES, move |line| match line {
        None => {
            pace.end_input();
            commander.blocking_send(end_of_input()).is_ok()
        }
        Some(line) if line.trim().is_empty() => true,
        Some(line) => {
            let command = whole::with_file(Command::read(&line));
            let goes_on = command.what != CommandKind::Quit;
            let may_wait = matches!(command.what, CommandKind::Wait { .. } | CommandKind::Dial { .. });
            let is_taken = commander.blocking_send(command).is_ok();
            sent += 1;
            if is_taken && may_wait {
                pace.pause(sent);
            }
            is_taken && goes_on
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_stands_at_an_address_that_others_reach() {
        let servers = [("127.0.0.1".to_owned(), 5060)];
        let asked = |text: &str| Some(text.parse::<Listen>().unwrap());
        let at =
            |asked, servers: &[(String, u16)]| listen(asked, servers).map(|it| (it.ip.to_string(), it.port));
        assert_eq!(at(None, &servers).unwrap(), ("127.0.0.1".to_owned(), None));
        assert_eq!(at(asked("127.0.50.1:5070"), &servers).unwrap(), ("127.0.50.1".to_owned(), Some(5_070)));
        assert_eq!(at(asked("0.0.0.0:5070"), &servers).unwrap(), ("127.0.0.1".to_owned(), Some(5_070)));
        let told = at(asked("0.0.0.0"), &[]).unwrap_err().to_string();
        assert!(told.contains("--listen 0.0.0.0") && told.contains("as in"), "{told}");
    }

    #[test]
    fn a_server_whose_name_is_not_known_yet_is_no_reason_to_end() {
        let servers = [("no-such-host.invalid".to_owned(), 5060)];
        let stands = listen(None, &servers).unwrap();
        assert!(!stands.ip.is_unspecified());
    }
}
