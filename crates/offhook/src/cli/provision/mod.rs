//! `offhook provision`: the inventory of phones, on the data folder of `serve` or on a running one.

mod change;
mod office;
mod show;
mod trial;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use roles::provision::Mac;

use super::{Failure, runtime};
use office::Office;

/// Phones that an exchange sets up: what is known of them, what they are served, telling them to fetch it.
///
/// With --dir it works on the data folder of an exchange that does not run; with --server on a running one.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    what: What,
}

const EXAMPLES: &str = "\
Examples:
  offhook provision list --server http://127.0.50.19:8088 --web-token /var/lib/offhook/web-token
  offhook provision adopt 00:21:f2:22:b0:21 --number 7001 --label Reception --dir /var/lib/offhook
  offhook provision try 0021f222b021 --dir /var/lib/offhook
  offhook provision push --all --reboot --per-minute 30 --server http://127.0.50.19:8088 --dir /var/lib/offhook";

/// Where the inventory is.
#[derive(Args, Debug)]
struct Place {
    /// Data folder of the exchange; with --server, where its token is
    #[arg(long, value_name = "DIR", global = true)]
    dir: Option<PathBuf>,
    /// A running exchange, by the address of its HTTP API
    #[arg(long, value_name = "URL", global = true)]
    server: Option<String>,
    /// The file of the token of that API [default: DIR/web-token]
    #[arg(long, value_name = "FILE", global = true)]
    web_token: Option<PathBuf>,
    /// Whom to believe besides the system's authorities where the API is served by HTTPS, a PEM file
    #[arg(long, value_name = "FILE", global = true)]
    ca: Vec<PathBuf>,
    /// JSON on standard output
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the phones, and those that asked and that nobody has approved
    List,
    /// Show all about a phone
    Show {
        /// Its MAC address
        #[arg(value_name = "MAC")]
        mac: Mac,
    },
    /// Print what a phone would be served now, without secrets
    Render {
        /// Its MAC address
        #[arg(value_name = "MAC")]
        mac: Mac,
        /// The file [default: MAC.cfg]
        #[arg(value_name = "FILE")]
        file: Option<String>,
    },
    /// Say what differs between what a phone was served last and what it would be served now
    Diff {
        /// Its MAC address
        #[arg(value_name = "MAC")]
        mac: Mac,
    },
    /// Boot a phone of that model on a simulated wire with what it would be served, and tell what it does;
    /// exit status 1 where it does not register
    Try {
        /// Its MAC address
        #[arg(value_name = "MAC")]
        mac: Mac,
    },
    /// Approve a phone, new or known, and set what is named
    Adopt(change::Adopt),
    /// Set the phones of a table: columns mac, model, number, account, label, template; `-` reads standard input
    Import {
        /// The table (CSV)
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print the phones as a table (CSV), without secrets
    Export,
    /// Tell phones to fetch their configuration, and what became of each; exit status 1 where one does not answer
    Push(change::Push),
    /// Give a phone a new account; the old one holds until the new one has registered, a day at most
    Rotate {
        /// Its MAC address
        #[arg(value_name = "MAC")]
        mac: Mac,
    },
    /// Remove a phone: its account and its registration end at once
    Remove {
        /// Its MAC address
        #[arg(value_name = "MAC")]
        mac: Mac,
    },
    /// Open the approval window for so many minutes, or close it: `off`
    Window {
        /// Minutes, or off
        #[arg(value_name = "MINUTES", default_value = "10", value_parser = change::parse_window)]
        minutes: u32,
    },
    /// List what was served, the newest first
    Transfers {
        /// How many
        #[arg(value_name = "COUNT", default_value_t = 20)]
        count: u16,
    },
}

/// Does it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    runtime()?.block_on(act(arguments))
}

async fn act(arguments: &Arguments) -> Result<(), Failure> {
    let office = Office::open(&arguments.place)?;
    let json = arguments.place.json;
    match &arguments.what {
        What::List => show::list(&office, json).await,
        What::Show { mac } => show::one(&office, *mac, json).await,
        What::Render { mac, file } => show::render(&office, *mac, file.as_deref()).await,
        What::Diff { mac } => show::diff(&office, *mac).await,
        What::Try { mac } => trial::play(&office, *mac, json).await,
        What::Adopt(adopt) => change::adopt(&office, adopt, json).await,
        What::Import { file } => change::import(&office, file, json).await,
        What::Export => show::export(&office).await,
        What::Push(push) => change::push(&office, push, json).await,
        What::Rotate { mac } => change::rotate(&office, *mac).await,
        What::Remove { mac } => change::remove(&office, *mac).await,
        What::Window { minutes } => change::window(&office, *minutes, json).await,
        What::Transfers { count } => show::transfers(&office, *count, json).await,
    }
}
