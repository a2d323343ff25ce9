//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::drive::Pace;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Options {
    /// `register`, `bind` (each phone once), `call`, `lamps` or `sound`.
    pub operation: String,
    /// Where to.
    pub server: SocketAddr,
    /// The process whose time is measured.
    pub pid: u32,
    /// Extensions, from 10000 on.
    pub users: usize,
    /// Phones of each extension.
    pub devices: usize,
    /// Watchers of each called extension.
    pub watchers: usize,
    /// A file with the addresses of a relay that was set up otherwise.
    pub relay: Option<PathBuf>,
    /// The password of all.
    pub password: String,
    /// The realm.
    pub realm: String,
    /// Whether REGISTERs present the nonce of the last time.
    pub reuse_nonces: bool,
    /// Whether calls offer sound.
    pub offer: bool,
    /// How operations follow one another.
    pub pace: Pace,
    /// How long the measurement takes.
    pub seconds: f64,
    /// The port of the phones.
    pub port: u16,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// One that is not known or cannot be read.
    pub fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let operation = arguments.next().ok_or("name an operation: register, bind, call, lamps or sound")?;
        let mut options = Self { operation, ..Self::default() };
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--reuse-nonces" => options.reuse_nonces = true,
                "--offer" => options.offer = true,
                _ => {
                    let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
                    options.set(&name, &value)?;
                }
            }
        }
        Ok(options)
    }

    /// How many phones there are.
    pub fn phones(&self) -> usize {
        self.users * self.devices
    }

    /// How many extensions are called, and watched.
    pub fn watched(&self) -> usize {
        self.users / 2
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "--server" => self.server = parse(name, value)?,
            "--pid" => self.pid = parse(name, value)?,
            "--users" => self.users = parse(name, value)?,
            "--devices" => self.devices = parse(name, value)?,
            "--watchers" => self.watchers = parse(name, value)?,
            "--relay" => self.relay = Some(value.into()),
            "--password" => value.clone_into(&mut self.password),
            "--realm" => value.clone_into(&mut self.realm),
            "--window" => self.pace = Pace::Window(parse(name, value)?),
            "--rate" => self.pace = Pace::Rate(parse(name, value)?),
            "--seconds" => self.seconds = parse(name, value)?,
            "--port" => self.port = parse(name, value)?,
            _ => return Err(format!("{name} is not known")),
        }
        Ok(())
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            operation: String::new(),
            server: SocketAddr::from(([127, 0, 0, 1], 5060)),
            pid: 0,
            users: 1_000,
            devices: 1,
            watchers: 20,
            relay: None,
            password: "a-secret-for-benchmarks".to_owned(),
            realm: "offhook".to_owned(),
            reuse_nonces: false,
            offer: false,
            pace: Pace::Window(256),
            seconds: 5.0,
            port: 5060,
        }
    }
}

fn parse<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{value} is no value of {name}"))
}
