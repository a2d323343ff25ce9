//! Where a phone stands on the network: its own address, its ports.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::str::FromStr;

use crate::net::{Config, Net};

/// Ports that are tried from the usual one on.
const PORTS_TRIED: u16 = 100;

/// `--listen IP[:PORT]`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Listen {
    pub(super) ip: IpAddr,
    /// None takes the usual port or the next free one.
    pub(super) port: Option<u16>,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(ip) = text.trim_matches(['[', ']']).parse() {
            return Ok(Self { ip, port: None });
        }
        let at: SocketAddr = text.parse().map_err(|_| {
            "write an address of this machine with or without a port, as in 127.0.50.1 or 10.0.0.5:5060"
                .to_owned()
        })?;
        Ok(Self { ip: at.ip(), port: Some(at.port()) })
    }
}

/// Where a service is to listen: `IP:PORT`.
pub(super) fn parse_at(text: &str) -> Result<SocketAddr, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let whole = text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let ip = match (whole, host) {
        (Some(ip), _) => ip,
        (_, "localhost") => IpAddr::V4(Ipv4Addr::LOCALHOST),
        _ => host.trim_matches(['[', ']']).parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
    };
    let port = port.parse().ok().filter(|_| whole.is_none()).unwrap_or(5_060);
    Err(format!("write an address of this machine and a port, as in {}", SocketAddr::new(ip, port)))
}

/// The address of this machine from which packets to the first of `hosts` that is known leave.
///
/// Without hosts, the loopback. Nothing is sent: the kernel is asked for its route.
///
/// # Errors
/// No route, or a name that nobody knows; the text names the host and the way round.
pub(super) fn address_towards(hosts: &[(String, u16)]) -> io::Result<IpAddr> {
    let mut fault = None;
    for (host, port) in hosts {
        match route_to(host, *port) {
            Ok(ip) => return Ok(ip),
            Err(error) => {
                let text = format!(
                    "the way to {host} is not known ({error}); give this phone's own address by --listen"
                );
                fault.get_or_insert(io::Error::new(error.kind(), text));
            }
        }
    }
    fault.map_or(Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)), Err)
}

/// The address of this machine from which packets to the rest of the world leave.
///
/// # Errors
/// There is no way out.
pub(super) fn outward(by_version_4: bool) -> io::Result<IpAddr> {
    // Documentation addresses (RFC 5737, RFC 3849): the route is asked for, nothing is sent.
    let far = if by_version_4 { "192.0.2.1:9" } else { "[2001:db8::1]:9" };
    route_from(far.parse().map_err(io::Error::other)?)
}

fn route_to(host: &str, port: u16) -> io::Result<IpAddr> {
    let mut fault = io::Error::new(io::ErrorKind::NotFound, "it has no address");
    for remote in (host, port).to_socket_addrs()? {
        match route_from(remote) {
            Ok(ip) => return Ok(ip),
            Err(error) => fault = error,
        }
    }
    Err(fault)
}

/// The address of this machine from which packets to `remote` leave. Nothing is sent.
///
/// # Errors
/// There is no route.
pub(super) fn route_from(remote: SocketAddr) -> io::Result<IpAddr> {
    let any = match remote {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(remote)?;
    Ok(socket.local_addr()?.ip())
}

/// Binds UDP and TCP at the same port of `listen`: the one that is asked for, or the first free one
/// from `usual_port` on.
///
/// # Errors
/// The port asked for is in use, or all that were tried, or the address is none of this machine's.
pub(super) fn bind(
    listen: Listen,
    usual_port: u16,
    config: impl Fn(SocketAddr) -> Config,
) -> io::Result<(Net, u16)> {
    let at = |port| SocketAddr::new(listen.ip, port);
    if let Some(port) = listen.port.filter(|port| *port > 0) {
        return Net::bind(config(at(port))).map(|net| (net, port));
    }
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for port in usual_port..=usual_port.saturating_add(PORTS_TRIED) {
        match Net::bind(config(at(port))) {
            Ok(net) => return Ok((net, port)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_and_without_port() {
        let check = |text: &str, ip: &str, port| {
            assert_eq!(text.parse(), Ok(Listen { ip: ip.parse().unwrap(), port }), "{text}");
        };
        check("127.0.50.1", "127.0.50.1", None);
        check("127.0.50.1:5070", "127.0.50.1", Some(5070));
        check("::1", "::1", None);
        check("[::1]", "::1", None);
        check("[::1]:5070", "::1", Some(5070));
        assert!("pbx".parse::<Listen>().unwrap_err().contains("as in"));
    }

    #[test]
    fn a_wrong_place_is_told_with_a_right_one() {
        assert_eq!(parse_at("127.0.50.1:5070"), Ok(SocketAddr::from(([127, 0, 50, 1], 5_070))));
        let check = |text: &str, right: &str| {
            let told = parse_at(text).unwrap_err();
            assert!(told.ends_with(&format!("as in {right}")) && parse_at(right).is_ok(), "{text}: {told}");
        };
        check("localhost:5070", "127.0.0.1:5070");
        check("192.168.1.10", "192.168.1.10:5060");
        check("::1", "[::1]:5060");
        check("::1:5060x", "[::1]:5060");
        check("pbx.example.com:5061", "127.0.0.1:5061");
        check("127.0.0.1:99999", "127.0.0.1:5060");
        check("", "127.0.0.1:5060");
    }

    #[test]
    fn the_route_to_the_server_gives_the_address() {
        let towards = |host: &str| address_towards(&[(host.to_owned(), 5060)]).unwrap();
        assert_eq!(towards("127.0.0.1").to_string(), "127.0.0.1");
        assert_eq!(towards("::1").to_string(), "::1");
        assert_eq!(address_towards(&[]).unwrap().to_string(), "127.0.0.1");
    }
}
