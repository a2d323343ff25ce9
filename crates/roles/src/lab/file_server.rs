//! A server of configuration files as a machine of a case: PnP, TFTP and HTTP.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use proto::sip::flow::{Flow, Transport};
use proto::{Time, tftp};

use super::host::{Machine, Port};
use super::party::{Does, Happens, Party};
use super::subnet::Subnet;
use crate::provision::PnpDialog;

/// Where PnP questions are heard.
const GROUP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(224, 0, 1, 75));
const PNP_PORT: u16 = 5_060;
const HTTP_PORT: u16 = 80;
/// The first port of its TFTP transfers.
const FIRST_PORT: u16 = 20_000;
/// Transfers at a time; the oldest makes room.
const MOST_TRANSFERS: usize = 4_096;

/// What a server of a case serves.
#[derive(Clone, Copy, Debug)]
pub struct Files {
    /// Names and contents.
    pub files: &'static [(&'static str, &'static str)],
    /// What it answers to PnP; none: it does not answer.
    pub pnp: Option<&'static str>,
    /// Names that HTTP leads elsewhere, and where to.
    pub moved: &'static [(&'static str, &'static str)],
}

impl Files {
    /// Nothing.
    pub const NONE: Self = Self { files: &[], pnp: None, moved: &[] };
}

/// The server.
#[derive(Debug)]
pub struct FileServer {
    ip: IpAddr,
    /// Names and contents.
    files: BTreeMap<String, Bytes>,
    /// What it answers to PnP.
    url: Option<String>,
    moved: &'static [(&'static str, &'static str)],
    pnp: PnpDialog,
    transfers: Vec<(u16, tftp::Server)>,
    next_port: u16,
}

impl FileServer {
    /// A server at `ip` that is switched off.
    pub fn new(ip: IpAddr, files: Files, seed: [u8; 32]) -> Self {
        let subnet = Subnet::of(ip);
        let content =
            |(name, text): &(&str, &str)| ((*name).to_owned(), Bytes::from(subnet.text(text).into_owned()));
        let server = Self::with(ip, files.files.iter().map(content).collect(), seed);
        Self { url: files.pnp.map(|url| subnet.text(url).into_owned()), moved: files.moved, ..server }
    }

    /// A server of these files, by name, that does not answer PnP.
    pub fn with(ip: IpAddr, files: BTreeMap<String, Bytes>, seed: [u8; 32]) -> Self {
        let pnp = PnpDialog::new("Offhook", seed);
        Self { ip, files, url: None, moved: &[], pnp, transfers: Vec::new(), next_port: FIRST_PORT }
    }

    /// It answers every phone's PnP with this address.
    #[must_use]
    pub fn answering_pnp(mut self, url: String) -> Self {
        self.url = Some(url);
        self
    }

    fn file(&self, name: &str) -> Option<&Bytes> {
        self.files.get(name.trim_start_matches('/'))
    }

    fn on_http(&self, flow: Flow, bytes: &[u8], out: &mut Vec<Does>) {
        let text = String::from_utf8_lossy(bytes);
        let path = text.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
        if let Some((_, to)) = self.moved.iter().find(|(name, _)| path.trim_start_matches('/') == *name) {
            let to = Subnet::of(self.ip).text(to);
            let answer = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
            return out.push(Does::Send { flow, bytes: answer.into() });
        }
        let mut answer = Vec::new();
        match self.file(path) {
            Some(body) => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                answer.extend_from_slice(head.as_bytes());
                answer.extend_from_slice(body);
            }
            None => answer.extend_from_slice(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        }
        out.push(Does::Send { flow, bytes: answer.into() });
    }

    fn on_tftp(&mut self, now: Time, flow: Flow, bytes: &[u8], out: &mut Vec<Does>) {
        let Some(tftp::Packet::Read { file, mode, options }) = tftp::Packet::parse(bytes) else { return };
        let port = self.next_port;
        self.next_port = if port == u16::MAX { FIRST_PORT } else { port + 1 };
        let Some(content) = self.file(&String::from_utf8_lossy(file)) else {
            let bytes = tftp::error(tftp::Code::NotFound, "File not found");
            return out.push(self.datagram(port, flow.remote, bytes));
        };
        let (terms, mut sent) = (tftp::Terms::read(options), Vec::new());
        let content = content.clone();
        let server = tftp::Server::start(now, flow.remote, mode, &terms, content, &mut sent);
        if self.transfers.len() >= MOST_TRANSFERS {
            self.transfers.remove(0);
        }
        self.transfers.push((port, server));
        out.extend(sent.into_iter().map(|it| self.datagram(port, it.to, it.bytes)));
    }

    fn on_pnp(&mut self, now: Time, flow: Flow, bytes: &[u8], out: &mut Vec<Does>) {
        let (local, url) = (SocketAddr::new(self.ip, PNP_PORT), self.url.clone());
        let mut sent = Vec::new();
        self.pnp.receive(now, local, flow.remote, bytes, |_| url, &mut sent);
        out.extend(sent.into_iter().map(|it| Does::Send { flow: it.flow, bytes: it.bytes }));
    }

    fn on_packet(&mut self, now: Time, flow: Flow, bytes: &[u8], out: &mut Vec<Does>) {
        match (flow.transport, flow.local.port()) {
            (Transport::Tcp, HTTP_PORT) => self.on_http(flow, bytes, out),
            (Transport::Udp, tftp::PORT) => self.on_tftp(now, flow, bytes, out),
            (Transport::Udp, PNP_PORT) => self.on_pnp(now, flow, bytes, out),
            (_, port) => {
                let mut sent = Vec::new();
                if let Some((_, server)) = self.transfers.iter_mut().find(|(own, _)| *own == port) {
                    server.receive(now, flow.remote, bytes, &mut sent);
                }
                out.extend(sent.into_iter().map(|it| self.datagram(port, it.to, it.bytes)));
            }
        }
    }

    fn wake(&mut self, now: Time, out: &mut Vec<Does>) {
        let mut sent = Vec::new();
        self.pnp.handle_timeout(now, &mut sent);
        out.extend(sent.into_iter().map(|it| Does::Send { flow: it.flow, bytes: it.bytes }));
        let mut datagrams = Vec::new();
        for (port, server) in &mut self.transfers {
            let mut sent = Vec::new();
            server.handle_timeout(now, &mut sent);
            datagrams.extend(sent.into_iter().map(|it| (*port, it)));
        }
        out.extend(datagrams.into_iter().map(|(port, it)| self.datagram(port, it.to, it.bytes)));
        self.transfers.retain(|(_, server)| server.ended().is_none());
    }

    fn datagram(&self, port: u16, to: SocketAddr, bytes: Vec<u8>) -> Does {
        let flow = Flow { transport: Transport::Udp, local: SocketAddr::new(self.ip, port), remote: to };
        Does::Send { flow, bytes: bytes.into() }
    }
}

impl Party for FileServer {
    fn handle(&mut self, now: Time, happens: Happens<'_>, out: &mut Vec<Does>) {
        match happens {
            Happens::Packet { flow, bytes } => self.on_packet(now, flow, bytes, out),
            Happens::Wake => self.wake(now, out),
            _ => {}
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        let transfers = self.transfers.iter().filter_map(|(_, server)| server.next_deadline());
        transfers.map(|(at, _)| at).chain(self.pnp.next_deadline()).min()
    }

    fn listens(&self, transport: Transport, local: SocketAddr) -> bool {
        let is_here = local.ip() == self.ip;
        match (transport, local.port()) {
            (Transport::Tcp, HTTP_PORT) | (Transport::Udp, tftp::PORT) => is_here,
            (Transport::Udp, PNP_PORT) => self.url.is_some() && (is_here || local.ip() == GROUP),
            (Transport::Udp, port) => is_here && self.transfers.iter().any(|(own, _)| *own == port),
            _ => false,
        }
    }
}

impl Machine for FileServer {
    fn ports(&self) -> Vec<Port> {
        let files = [Port::new(Transport::Tcp, HTTP_PORT), Port::new(Transport::Udp, tftp::PORT)];
        let pnp =
            self.url.as_ref().map(|_| Port { group: Some(GROUP), ..Port::new(Transport::Udp, PNP_PORT) });
        files.into_iter().chain(pnp).collect()
    }

    fn restart(&mut self, seed: [u8; 32], _: Time) {
        let fresh = Self::with(self.ip, std::mem::take(&mut self.files), seed);
        *self = Self { url: self.url.take(), moved: self.moved, ..fresh };
    }
}
