//! `--web`: where the HTTP API of a phone or an exchange stands, and who may use it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use clap::Args;
use proto::Rng;

use super::place::parse_at;
use crate::web::{Limits, Site, Token, bind, bind_usual};

/// The token's name in a data folder.
const FILE: &str = "web-token";

/// The HTTP API.
#[derive(Args, Debug)]
#[group(skip)]
pub(super) struct Arguments {
    /// HTTP API [default: the first free port from 8088, on this program's own address where that is a
    /// loopback address, else on 127.0.0.1; none with --stdio]
    #[arg(long, value_name = "IP:PORT", value_parser = parse_at)]
    web: Option<SocketAddr>,
    /// The file of the token that the HTTP API asks for; made where it does not exist [default:
    /// DIR/web-token; without --dir a new token at each start, shown on standard error]
    #[arg(long, value_name = "FILE")]
    web_token: Option<PathBuf>,
    /// A name by which the HTTP API is called, besides addresses and localhost; may be given several times
    #[arg(long = "web-name", value_name = "NAME")]
    web_names: Vec<String>,
}

/// A listener and who may use it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) listener: TcpListener,
    pub(super) site: Site,
    pub(super) told: Told,
}

/// What is told of a place.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// Where it is.
    pub(super) url: String,
    /// Where its token is kept.
    pub(super) token_file: Option<PathBuf>,
}

impl Arguments {
    /// Where the API is to stand. Where nobody asked for it, it stands near `own` if it can; with
    /// `unasked` false then nowhere.
    ///
    /// # Errors
    /// The place that was asked for cannot be had, or the token's file cannot be used.
    pub(super) fn open(
        &self,
        own: IpAddr,
        unasked: bool,
        dir: Option<&Path>,
        rng: &mut Rng,
    ) -> io::Result<Option<Place>> {
        let listener = match self.web {
            Some(at) => bind(at)?,
            None if !unasked => return Ok(None),
            None => match bind_usual(near(own)) {
                Ok(listener) => listener,
                Err(error) => {
                    complain!("offhook: warning: {error}; this program goes on without");
                    return Ok(None);
                }
            },
        };
        let at = listener.local_addr()?;
        let token_file = self.web_token.clone().or(dir.map(|dir| dir.join(FILE)));
        let token = match &token_file {
            Some(file) => Token::kept_in(file, rng)?,
            None => shown(Token::generate(rng)),
        };
        if !at.ip().is_loopback() {
            complain!(
                "offhook: warning: the HTTP API at {at} sends its token in clear; lead others there by TLS"
            );
        }
        let site = Site { token, names: self.web_names.clone(), limits: Limits::default() };
        Ok(Some(Place { listener, site, told: Told { url: format!("http://{at}/"), token_file } }))
    }
}

/// A service that nobody asked for is for this machine alone.
fn near(own: IpAddr) -> IpAddr {
    if own.is_loopback() { own } else { IpAddr::V4(Ipv4Addr::LOCALHOST) }
}

/// A token that is kept nowhere is shown once, to the person who started the program.
fn shown(token: Token) -> Token {
    complain!("HTTP API token, for this run alone: {}", token.expose());
    token
}

impl Told {
    /// In words.
    pub(super) fn words(&self) -> String {
        match &self.token_file {
            Some(file) => format!("HTTP API at {}, its token in {}", self.url, file.display()),
            None => format!("HTTP API at {}", self.url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> Arguments {
        Arguments { web: None, web_token: None, web_names: Vec::new() }
    }

    #[test]
    fn unasked_it_stands_on_this_machine_alone() {
        assert_eq!(near([127, 0, 50, 19].into()).to_string(), "127.0.50.19");
        assert_eq!(near([192, 168, 50, 19].into()).to_string(), "127.0.0.1");
        let none = arguments().open([127, 0, 73, 2].into(), false, None, &mut Rng::from_number(1)).unwrap();
        assert!(none.is_none());
    }

    #[test]
    fn the_token_is_kept_in_the_data_folder() {
        let dir = tempfile::tempdir().unwrap();
        let arguments = Arguments { web: Some(([127, 0, 73, 3], 0).into()), ..arguments() };
        let mut rng = Rng::from_number(1);
        let mut open = || arguments.open([127, 0, 0, 1].into(), false, Some(dir.path()), &mut rng).unwrap();
        let (first, second) = (open().unwrap(), open().unwrap());
        assert_eq!(first.site.token, second.site.token);
        assert!(first.told.words().contains("web-token") && first.told.url.starts_with("http://127.0.73.3:"));
        assert!(!format!("{first:?}").contains(first.site.token.expose()));
    }
}
