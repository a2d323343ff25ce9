//! What stands at the cable of a phone that owns its network socket: a switch, a DHCP server, another's machine.

mod dhcp_server;
mod squatter;
mod switch;

use std::net::{Ipv4Addr, SocketAddrV4};

use proto::dhcp::{CLIENT_PORT, SERVER_PORT};
use proto::ethernet::{self, BROADCAST, Mac, Tag};
use proto::ipv4;

pub use dhcp_server::{DhcpServer, Gives};
pub use squatter::Squatter;
pub use switch::{Neighbourhood, Says, Switch};

use crate::dhcp_service::To;

/// A server's message to a client, as a frame.
fn to_client(from: (Mac, Ipv4Addr), tag: Option<Tag>, to: To, bytes: &[u8]) -> Option<Vec<u8>> {
    let (mac, ip) = match to {
        To::Client(mac, ip) => (mac, ip),
        To::Everybody | To::Relay(_) => (BROADCAST, Ipv4Addr::BROADCAST),
    };
    let from_socket = SocketAddrV4::new(from.1, SERVER_PORT);
    let packet = ipv4::datagram(from_socket, SocketAddrV4::new(ip, CLIENT_PORT), bytes)?;
    Some(ethernet::frame(mac, from.0, tag, ethernet::IPV4, &packet))
}

/// A client's message to a server, where a frame holds one.
fn from_client<'a>(frame: &ethernet::Frame<'a>) -> Option<&'a [u8]> {
    let datagram = ipv4::Datagram::parse(frame.payload).filter(|_| frame.kind == ethernet::IPV4)?;
    (datagram.to.port() == SERVER_PORT).then_some(datagram.bytes)
}

/// A hardware address that tells machines of a case apart by their address, whatever the lab's network.
fn mac_of(ip: Ipv4Addr) -> Mac {
    let [_, _, high, low] = ip.octets();
    [0x02, 0x00, 0x00, 0x00, high, low]
}
