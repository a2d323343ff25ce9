//! What machines put on the wire, and what the wire makes of it.

use proto::ethernet::{self, Frame};
use proto::ipv4;

use super::*;

impl<P: Party> World<P> {
    pub(super) fn perform(&mut self, at: usize, does: Does) {
        match does {
            Does::Send { flow, bytes } if flow.transport == Transport::Udp => {
                self.send_udp(at, flow, bytes);
            }
            Does::Send { flow, bytes } => self.send_piece(at, flow, bytes),
            Does::Close(flow) => self.close(at, &flow),
            Does::Frame(bytes) => self.send_frame(at, bytes),
            // Whoever has no address is known by the one that it had.
            Does::Move(ip) if ip.is_unspecified() => {}
            Does::Move(ip) => self.seats[at].ip = ip,
            Does::Ask(query) => {
                self.note_question(at, &query);
                self.arrive(self.now + DNS_WAIT, Coming::Resolved { to: at, query });
            }
            Does::Tell(event) => self.told.push(Told { at: self.now, who: SeatId(at), event }),
        }
    }

    fn send_udp(&mut self, at: usize, flow: Flow, bytes: Bytes) {
        if is_for_many(flow.remote.ip()) {
            return self.send_to_group(at, flow, bytes);
        }
        let from = match self.seats[at].nat {
            Some(nat) => self.nats[nat].outbound(self.now, flow.local, flow.remote),
            None => flow.local,
        };
        let fate = self.send_datagram(from, flow.remote, bytes, Some(flow.local));
        if fate == Fate::Undeliverable && self.refuses(flow.remote) {
            let reason = format!(
                "nothing listens at {} (port unreachable): check the server's address and port",
                flow.remote
            );
            let back = self.now + 2 * Duration::from_micros(self.link.latency_us);
            self.arrive(back, Coming::Failed { to: at, flow, reason });
        }
    }

    /// Ends a connection; the other end learns it after what was sent.
    fn close(&mut self, at: usize, flow: &Flow) {
        let Some(way) = self.streams.find(at, flow) else { return };
        let soon = self.now + self.latency();
        let gone = self.streams.in_order(way.connection, at, soon);
        for end in self.streams.end(way.connection) {
            let when = if end.party == at { self.now } else { gone };
            let reason = "the connection was closed".to_owned();
            self.arrive(when, Coming::Failed { to: end.party, flow: end.flow, reason });
        }
    }

    /// A datagram to a group or to all reaches whoever listens for it and is not behind a router; each way
    /// has chances of its own.
    fn send_to_group(&mut self, at: usize, flow: Flow, bytes: Bytes) {
        let (from, to) = (flow.local, flow.remote);
        let listens =
            |seat: &Seat<P>| seat.is_on && seat.nat.is_none() && seat.party.listens(Transport::Udp, to);
        let hearers = (0..self.seats.len()).filter(|seat| *seat != at && listens(&self.seats[*seat]));
        let hearers: Vec<usize> = hearers.collect();
        let mut arrivals = Vec::new();
        for hearer in &hearers {
            let way = self.link_of(from.ip(), self.seats[*hearer].ip);
            arrivals.extend(way.arrivals(self.now, &mut self.rng).into_iter().map(|when| (*hearer, when)));
        }
        let fate = match (hearers.is_empty(), arrivals.is_empty()) {
            (true, _) => Fate::Undeliverable,
            (_, true) => Fate::Lost,
            _ => Fate::Arrived,
        };
        let (transport, sent_by, got) = (Transport::Udp, Some(from), Vec::new());
        let passed = Passed {
            at: self.now,
            from,
            to,
            transport,
            bytes: bytes.clone(),
            fate,
            sent_by,
            frame: None,
            got,
        };
        let kept = self.keep(passed);
        for (to_seat, when) in arrivals {
            let flow = Flow { transport, local: to, remote: from };
            self.arrive(when, Coming::Group { to: to_seat, flow, bytes: bytes.clone(), kept });
        }
    }

    /// A frame reaches everybody else on the wire that is not behind a router.
    fn send_frame(&mut self, at: usize, bytes: Bytes) {
        let when = self.now + self.latency();
        let hears = |seat: &usize| *seat != at && self.seats[*seat].nat.is_none();
        let others: Vec<usize> = (0..self.seats.len()).filter(hears).collect();
        let kept = self.keep_frame(at, &bytes);
        for to in others {
            self.arrive(when, Coming::Frame { to, bytes: bytes.clone(), kept });
        }
    }

    /// Keeps a frame among what passed, from its sender to whom its IP packet is for, where it holds one.
    fn keep_frame(&mut self, at: usize, bytes: &Bytes) -> Option<usize> {
        let frame = Frame::parse(bytes)?;
        let datagram = ipv4::Datagram::parse(frame.payload).filter(|_| frame.kind == ethernet::IPV4);
        let nobody = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let to = datagram.map_or(nobody, |datagram| SocketAddr::V4(datagram.to));
        let from = SocketAddr::new(self.seats[at].ip, datagram.map_or(0, |datagram| datagram.from.port()));
        self.keep(Passed {
            at: self.now,
            from,
            to,
            transport: Transport::Udp,
            bytes: bytes.clone(),
            fate: Fate::Arrived,
            sent_by: Some(from),
            frame: Some(frame.destination),
            got: Vec::new(),
        })
    }

    fn latency(&self) -> Duration {
        Duration::from_micros(self.link.latency_us)
    }

    /// Whether somebody is there who says that the port is closed; an empty address says nothing.
    fn refuses(&self, remote: SocketAddr) -> bool {
        self.seats.iter().any(|seat| seat.ip == remote.ip() && seat.is_on && seat.nat.is_none())
    }

    pub(super) fn send_datagram(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        bytes: Bytes,
        sent_by: Option<SocketAddr>,
    ) -> Fate {
        let walled =
            to.port() != Transport::Udp.default_port() && self.firewalls.contains(&(from.ip(), to.ip()));
        let arrivals = match walled || !self.can_arrive(to) {
            true => Vec::new(),
            false => self.link_of(from.ip(), to.ip()).arrivals(self.now, &mut self.rng),
        };
        let fate = match arrivals.len() {
            _ if !walled && !self.can_arrive(to) => Fate::Undeliverable,
            0 => Fate::Lost,
            1 => Fate::Arrived,
            _ => Fate::Doubled,
        };
        let (at, transport, bytes_sent, got) = (self.now, Transport::Udp, bytes.clone(), Vec::new());
        let kept =
            self.keep(Passed { at, from, to, transport, bytes: bytes_sent, fate, sent_by, frame: None, got });
        for at in arrivals {
            self.arrive(at, Coming::Datagram { from, to, bytes: bytes.clone(), kept });
        }
        // Whoever is there gets what it refuses, too.
        if fate == Fate::Undeliverable && self.refuses(to) {
            let at = self.now + Duration::from_micros(self.link.latency_us);
            self.arrive(at, Coming::Datagram { from, to, bytes, kept });
        }
        fate
    }

    fn can_arrive(&self, to: SocketAddr) -> bool {
        let listens = |seat: &Seat<P>| seat.is_on && seat.party.listens(Transport::Udp, to);
        self.seats.iter().any(|seat| seat.ip == to.ip() && seat.nat.is_none() && listens(seat))
            || self.nats.iter().any(|nat| nat.outer() == to.ip())
    }

    fn send_piece(&mut self, at: usize, flow: Flow, bytes: Bytes) {
        let Some(way) = self.way_of(at, flow) else {
            let reason = format!(
                "{} refused the connection ({}): check the server's address, port and transport",
                flow.remote, flow.transport
            );
            let back = self.now + 2 * Duration::from_micros(self.link.latency_us);
            self.note_refusal(&flow, back);
            return self.arrive(back, Coming::Failed { to: at, flow, reason });
        };
        let (from, to) = (way.seen_from, flow.remote);
        let delay = self.link_of(from.ip(), to.ip()).delay(&mut self.rng);
        let arrives = self.streams.in_order(way.connection, at, self.now + delay);
        let (transport, fate, got) = (flow.transport, Fate::Arrived, Vec::new());
        let sent_by = Some(SocketAddr::new(flow.local.ip(), from.port()));
        let passed = Passed {
            at: self.now,
            from,
            to,
            transport,
            bytes: bytes.clone(),
            fate,
            sent_by,
            frame: None,
            got,
        };
        let kept = self.keep(passed);
        let (to, flow, connection) = (way.to, way.flow, way.connection);
        self.arrive(arrives, Coming::Piece { to, flow, connection, bytes, kept });
    }

    /// A connection that came to nothing has no bytes, and stands in captures all the same.
    fn note_refusal(&mut self, flow: &Flow, back: Time) {
        let is_refused = self.refuses(flow.remote);
        let from = SocketAddr::new(flow.local.ip(), self.streams.next_port());
        self.keep(Passed {
            at: self.now,
            from,
            to: flow.remote,
            transport: flow.transport,
            bytes: Bytes::new(),
            fate: if is_refused { Fate::Refused } else { Fate::Undeliverable },
            sent_by: Some(from),
            frame: None,
            got: if is_refused { vec![(back, flow.remote)] } else { Vec::new() },
        });
    }

    /// A question to the DNS, and that it knows no such name, where that is so.
    fn note_question(&mut self, at: usize, query: &Query) {
        let kind = match query.kind {
            QueryKind::A => 1,
            QueryKind::Aaaa => 28,
            QueryKind::Srv => 33,
            QueryKind::Naptr => 35,
        };
        let is_known = self.dns.contains_key(query);
        let asked = proto::dns::query(self.questions, &query.name, kind).filter(|_| !is_known);
        let Some(asked) = asked else { return };
        self.questions = self.questions.wrapping_add(1);
        let own = SocketAddr::new(self.seats[at].ip, FIRST_QUESTION_PORT + self.questions % 10_000);
        let answer = proto::dns::no_such_name(&asked);
        let server = SocketAddr::new(Subnet::of(own.ip()).ip(DNS_SERVER.ip()), DNS_SERVER.port());
        let (now, then) = (self.now, self.now + DNS_WAIT);
        for (at, from, to, bytes) in [(now, own, server, asked), (then, server, own, answer)] {
            let (transport, fate) = (Transport::Udp, Fate::Arrived);
            let (sent_by, got) = (Some(from), vec![(at, to)]);
            self.keep(Passed {
                at,
                from,
                to,
                transport,
                bytes: bytes.into(),
                fate,
                sent_by,
                frame: None,
                got,
            });
        }
    }

    /// The connection that `flow` means; opened where none stands and somebody listens.
    fn way_of(&mut self, at: usize, flow: Flow) -> Option<streams::Way> {
        if let Some(way) = self.streams.find(at, &flow) {
            return Some(way);
        }
        let listens = |seat: &Seat<P>| {
            seat.ip == flow.remote.ip()
                && seat.is_on
                && seat.nat.is_none()
                && seat.party.listens(flow.transport, flow.remote)
        };
        let to = self.seats.iter().position(listens)?;
        let outer = self.outer_of(&self.seats[at]).unwrap_or(flow.local.ip());
        self.streams.open(at, &flow, outer, to);
        self.streams.find(at, &flow)
    }

    pub(super) fn outer_of(&self, seat: &Seat<P>) -> Option<IpAddr> {
        seat.nat.map(|nat| self.nats[nat].outer())
    }

    fn link_of(&self, from: IpAddr, to: IpAddr) -> Link {
        self.links.get(&(from, to)).copied().unwrap_or(self.link)
    }
}
