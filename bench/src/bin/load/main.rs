//! Load for a SIP server, and what each operation costs it.
//!
//! ```text
//! load register --server 127.0.0.1:5060 --pid 4711 --users 1000 --window 256 --seconds 5
//! load call     --server 127.0.0.1:5060 --pid 4711 --users 1000 --rate 6400 --seconds 10
//! ```
//!
//! With `--window` so many operations are always under way, which finds the most that the server can
//! do; with `--rate` so many begin each second whatever becomes of them. One line of JSON is printed.

mod calling;
mod drive;
mod options;
mod registering;
mod sounding;
mod watching;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use bench::wire::Wire;

use calling::Calling;
use drive::{Pace, drive};
use options::Options;
use registering::Registering;
use watching::{Lamps, Subscribing};

/// Sockets of the phones, each at an address of its own.
const SOURCES: u8 = 8;

fn main() -> ExitCode {
    match Options::read(std::env::args().skip(1)).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("load: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), String> {
    let mut wire = Wire::bind(&addresses(&options), options.server).map_err(|error| error.to_string())?;
    let mut registering = Registering::new(&options, &wire);
    match options.operation.as_str() {
        "register" => {
            if options.reuse_nonces {
                // Every phone has its nonce before the clock runs.
                once_each(&options, &mut registering, &mut wire)?;
            }
            registering.reuse_nonces(options.reuse_nonces);
            drive(&options, &mut registering, &mut wire, options.pace)?.print("register", &options);
        }
        "bind" => once_each(&options, &mut registering, &mut wire)?.print("bind", &options),
        "call" => {
            once_each(&options, &mut registering, &mut wire)?;
            let mut calling = Calling::new(&options, &wire);
            drive(&options, &mut calling, &mut wire, options.pace)?.print("call", &options);
        }
        "sound" if options.relay.is_some() => sounding::sound(&options, &given(&options)?)?,
        "sound" => {
            once_each(&options, &mut registering, &mut wire)?;
            let mut calling = Calling::new(&Options { offer: true, ..options.clone() }, &wire).hold();
            let held = drive(&options, &mut calling, &mut wire, Pace::Window(8))?;
            let ends = calling.sound_addresses();
            if held.failed > 0 || ends.len() < options.users {
                return Err(format!("only {} ends have sound", ends.len()));
            }
            sounding::sound(&options, ends)?;
        }
        "lamps" => {
            once_each(&options, &mut registering, &mut wire)?;
            let mut subscribing = Subscribing::new(&options, &wire);
            let subscribed = drive(&options, &mut subscribing, &mut wire, Pace::Window(64))?;
            if subscribed.failed > 0 || subscribed.done < (options.watched() * options.watchers) as u64 {
                return Err(format!("only {} subscriptions were accepted", subscribed.done));
            }
            let mut lamps = Lamps::new(&options, &wire);
            drive(&options, &mut lamps, &mut wire, Pace::Window(1))?;
            lamps.print();
        }
        other => {
            return Err(format!("there is no operation {other}: write register, bind, call, lamps or sound"));
        }
    }
    Ok(())
}

/// The addresses of a relay, one a line.
fn given(options: &Options) -> Result<Vec<SocketAddr>, String> {
    let path = options.relay.as_deref().unwrap_or_else(|| std::path::Path::new(""));
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    text.lines().map(|line| line.parse().map_err(|_| format!("{line} is no address"))).collect()
}

/// Registers every phone once.
fn once_each(
    options: &Options,
    registering: &mut Registering,
    wire: &mut Wire,
) -> Result<drive::Outcome, String> {
    registering.limit(options.phones());
    let outcome = drive(options, registering, wire, Pace::Window(64))?;
    registering.limit(usize::MAX);
    if outcome.failed > 0 {
        return Err(format!("{} phones could not register", outcome.failed));
    }
    Ok(outcome)
}

fn addresses(options: &Options) -> Vec<SocketAddr> {
    let address = |number| SocketAddr::from((Ipv4Addr::new(127, 0, 1, number), options.port));
    (1..=SOURCES).map(address).collect()
}
