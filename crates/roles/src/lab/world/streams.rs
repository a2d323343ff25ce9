//! Connections of the simulated wire: reliable pipes in order that can break.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use proto::Time;
use proto::sip::flow::Flow;

/// The first port that an initiator's end gets.
const FIRST_PORT: u16 = 40_000;

/// All connections that stand.
#[derive(Debug, Default)]
pub(super) struct Streams {
    connections: BTreeMap<u64, Connection>,
    opened: u64,
}

/// A connection, seen from both ends.
#[derive(Debug)]
struct Connection {
    initiator: End,
    acceptor: End,
    /// When the last piece to the initiator and to the acceptor arrives.
    last: [Time; 2],
}

/// One end: whose it is and how it names the connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) party: usize,
    pub(super) flow: Flow,
}

/// How a piece gets to the other end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) connection: u64,
    pub(super) to: usize,
    /// The flow as the receiver names it.
    pub(super) flow: Flow,
    /// The sender's address as the receiver sees it.
    pub(super) seen_from: SocketAddr,
}

impl Streams {
    pub(super) fn stands(&self, connection: u64) -> bool {
        self.connections.contains_key(&connection)
    }

    /// The connection that `party` names by `flow`.
    pub(super) fn find(&self, party: usize, flow: &Flow) -> Option<Way> {
        self.connections.iter().find_map(|(&id, connection)| {
            let mine = |end: &End| {
                end.party == party
                    && end.flow.transport == flow.transport
                    && end.flow.remote == flow.remote
                    && end.flow.local.ip() == flow.local.ip()
            };
            let other = match (mine(&connection.initiator), mine(&connection.acceptor)) {
                (true, _) => connection.acceptor,
                (_, true) => connection.initiator,
                _ => return None,
            };
            let seen_from = other.flow.remote;
            Some(Way { connection: id, to: other.party, flow: other.flow, seen_from })
        })
    }

    /// The port from which the next connection is tried.
    pub(super) fn next_port(&mut self) -> u16 {
        self.opened += 1;
        FIRST_PORT + (self.opened % 20_000) as u16
    }

    /// Opens a connection from `party` to `to`, which sees the address `outer`.
    pub(super) fn open(&mut self, party: usize, flow: &Flow, outer: IpAddr, to: usize) {
        let port = self.next_port();
        let seen = Flow { transport: flow.transport, local: flow.remote, remote: (outer, port).into() };
        let connection = Connection {
            initiator: End { party, flow: *flow },
            acceptor: End { party: to, flow: seen },
            last: [Time::ZERO; 2],
        };
        self.connections.insert(self.opened, connection);
    }

    /// When a piece from `party` arrives, not before the one sent before it.
    pub(super) fn in_order(&mut self, connection: u64, party: usize, at: Time) -> Time {
        let Some(connection) = self.connections.get_mut(&connection) else { return at };
        let last = &mut connection.last[usize::from(connection.initiator.party == party)];
        *last = at.max(*last);
        *last
    }

    /// Ends one connection and gives both its ends.
    pub(super) fn end(&mut self, connection: u64) -> Vec<End> {
        let ended = self.connections.remove(&connection);
        ended.map_or_else(Vec::new, |ended| vec![ended.initiator, ended.acceptor])
    }

    /// Ends all connections of `party` and gives the other ends.
    pub(super) fn end_all_of(&mut self, party: usize) -> Vec<End> {
        let mut others = Vec::new();
        self.connections.retain(|_, connection| {
            let ends = [connection.initiator, connection.acceptor];
            let is_his = ends.iter().any(|end| end.party == party);
            if is_his {
                others.extend(ends);
            }
            !is_his
        });
        others
    }
}
