//! A DHCP server as a machine of a case: on the link itself, and for relays.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proto::Time;
use proto::dhcp::{Draft, Kind, Message, SERVER_PORT};
use proto::ethernet::Frame;
use proto::sip::flow::{Flow, Transport};

use super::{from_client, mac_of, to_client};
use crate::dhcp_service::{Answer, Class, Config, Pool, Service, To};
use crate::lab::host::Machine;
use crate::lab::party::{Does, Happens, Party};
use crate::lab::subnet::Subnet;

/// What a server of a case gives, addresses as the cases write them.
#[derive(Clone, Copy, Debug)]
pub struct Gives {
    /// The addresses.
    pub pool: (Ipv4Addr, Ipv4Addr),
    /// Options and their values as text.
    pub options: &'static [(u8, &'static str)],
    /// Whether clients on the link are answered; else those behind relays alone.
    pub is_on_link: bool,
    /// Whether every REQUEST is refused, as by a second server that knows nothing of the first.
    pub refuses: bool,
}

/// The server.
#[derive(Debug)]
pub struct DhcpServer {
    ip: Ipv4Addr,
    service: Service,
    gives: Gives,
}

impl DhcpServer {
    /// A server at `ip` that is switched off.
    pub fn new(ip: IpAddr, gives: Gives) -> Self {
        let subnet = Subnet::of(ip);
        let here = |ip: Ipv4Addr| match subnet.ip(IpAddr::V4(ip)) {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(_) => Ipv4Addr::LOCALHOST,
        };
        let server = match ip {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(_) => Ipv4Addr::LOCALHOST,
        };
        let value = |(code, text): &(u8, &str)| (*code, subnet.text(text).into_owned().into_bytes());
        let options = gives.options.iter().map(value).collect();
        let gateway = here(Ipv4Addr::new(127, 0, 50, 1));
        let pool = Pool {
            first: here(gives.pool.0),
            last: here(gives.pool.1),
            prefix_bits: 16,
            gateway: Some(gateway),
            dns: vec![here(Ipv4Addr::new(127, 0, 50, 53))],
            own_options: Vec::new(),
        };
        let classes = vec![Class { vendor: String::new(), options }];
        let config =
            Config { server, pools: vec![pool], reservations: BTreeMap::new(), lease_s: 86_400, classes };
        Self { ip: server, service: Service::new(config), gives }
    }

    fn answer(&mut self, now: Time, bytes: &[u8]) -> Option<Answer> {
        let is_request = Message::parse(bytes).is_some_and(|asked| asked.kind == Kind::Request);
        if is_request && self.gives.refuses {
            let asked = Message::parse(bytes)?;
            let draft = Draft::reply(Kind::Nak, &asked).option(54, &self.ip.octets());
            let to = asked.relay_ip().map_or(To::Everybody, To::Relay);
            return Some(Answer { to, bytes: draft.option(56, b"wrong network").finish(0) });
        }
        self.service.receive(now, bytes)
    }
}

impl Party for DhcpServer {
    fn handle(&mut self, now: Time, happens: Happens<'_>, out: &mut Vec<Does>) {
        match happens {
            Happens::Packet { flow, bytes } if flow.local.port() == SERVER_PORT => {
                if let Some(Answer { to: To::Relay(relay), bytes }) = self.answer(now, bytes) {
                    let remote = SocketAddr::new(IpAddr::V4(relay), SERVER_PORT);
                    let flow = Flow { transport: Transport::Udp, local: flow.local, remote };
                    out.push(Does::Send { flow, bytes: bytes.into() });
                }
            }
            Happens::Frame(bytes) if self.gives.is_on_link => {
                let frame = Frame::parse(bytes).filter(|frame| frame.vlan().is_none());
                let Some(message) = frame.as_ref().and_then(from_client) else { return };
                let Some(Answer { to, bytes }) = self.answer(now, message) else { return };
                let frame = to_client((mac_of(self.ip), self.ip), None, to, &bytes);
                out.extend(frame.map(|frame| Does::Frame(frame.into())));
            }
            _ => {}
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        None
    }

    fn listens(&self, transport: Transport, local: SocketAddr) -> bool {
        transport == Transport::Udp && local == SocketAddr::new(IpAddr::V4(self.ip), SERVER_PORT)
    }
}

impl Machine for DhcpServer {
    fn restart(&mut self, _seed: [u8; 32], _now: Time) {}
}
