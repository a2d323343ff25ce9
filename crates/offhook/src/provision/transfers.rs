//! The transfers by TFTP that are under way: a bounded number, of which those make room that nobody acknowledges.
//!
//! Anybody can ask in the name of another address. Only whoever really is there acknowledges what it gets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use proto::Time;
use tokio::task::AbortHandle;

/// After so long without an acknowledgement a transfer makes room too.
const STALLED: Duration = Duration::from_secs(5);

/// How many transfers there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// In all.
    pub(super) at_a_time: usize,
    /// To one IP address.
    pub(super) of_one_client: usize,
}

/// All transfers.
#[derive(Debug)]
pub(super) struct Transfers {
    limits: Limits,
    last: u64,
    all: BTreeMap<SocketAddr, Transfer>,
}

#[derive(Debug)]
struct Transfer {
    number: u64,
    /// When the client last acknowledged something.
    heard: Option<Time>,
    task: Option<AbortHandle>,
}

impl Transfers {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, last: 0, all: BTreeMap::new() }
    }

    /// Begins a transfer to a client; the oldest that was never acknowledged, else the longest stalled, makes
    /// room. None where it is under way already, or where nothing can make room.
    pub(super) fn begin(&mut self, now: Time, client: SocketAddr) -> Option<u64> {
        if self.all.contains_key(&client) {
            return None;
        }
        let (first, last) = (SocketAddr::new(client.ip(), 0), SocketAddr::new(client.ip(), u16::MAX));
        if self.all.range(first..=last).count() >= self.limits.of_one_client {
            let stalled = first_to_go(now, self.all.range(first..=last))?;
            self.stop(stalled);
        }
        if self.all.len() >= self.limits.at_a_time {
            let stalled = first_to_go(now, self.all.iter())?;
            self.stop(stalled);
        }
        self.last += 1;
        self.all.insert(client, Transfer { number: self.last, heard: None, task: None });
        Some(self.last)
    }

    /// By which task a transfer is served.
    pub(super) fn is_served_by(&mut self, client: SocketAddr, task: AbortHandle) {
        if let Some(transfer) = self.all.get_mut(&client) {
            transfer.task = Some(task);
        }
    }

    /// The client has acknowledged something.
    pub(super) fn is_heard(&mut self, now: Time, client: SocketAddr, number: u64) {
        let transfer = self.all.get_mut(&client).filter(|transfer| transfer.number == number);
        if let Some(transfer) = transfer {
            transfer.heard = Some(now);
        }
    }

    /// A transfer is over.
    pub(super) fn end(&mut self, client: SocketAddr, number: u64) {
        if self.all.get(&client).is_some_and(|transfer| transfer.number == number) {
            self.all.remove(&client);
        }
    }

    fn stop(&mut self, client: SocketAddr) {
        if let Some(task) = self.all.remove(&client).and_then(|transfer| transfer.task) {
            task.abort();
        }
    }
}

/// The transfer that makes room: the oldest that was never acknowledged, else the longest stalled.
fn first_to_go<'a>(
    now: Time,
    all: impl Iterator<Item = (&'a SocketAddr, &'a Transfer)>,
) -> Option<SocketAddr> {
    let makes_room = |transfer: &Transfer| transfer.heard.is_none_or(|heard| now.since(heard) >= STALLED);
    let stalled = all.filter(|(_, transfer)| makes_room(transfer));
    stalled.min_by_key(|(_, transfer)| (transfer.heard, transfer.number)).map(|(client, _)| *client)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], port))
    }

    #[test]
    fn transfers_that_nobody_acknowledges_make_room_oldest_first() {
        let mut transfers = Transfers::new(Limits { at_a_time: 3, of_one_client: 2 });
        let now = Time::from_secs(1);
        let begin = |transfers: &mut Transfers, at: u64, last, port| {
            transfers.begin(Time::from_secs(at), client(last, port))
        };
        assert_eq!(begin(&mut transfers, 1, 1, 10), Some(1));
        assert_eq!(begin(&mut transfers, 1, 1, 10), None, "the request came again");
        transfers.is_heard(now, client(1, 10), 1);
        for (number, last) in [(2, 2), (3, 3), (4, 4)] {
            assert_eq!(begin(&mut transfers, 1, last, 10), Some(number));
        }
        let standing = |transfers: &Transfers| {
            transfers.all.values().map(|transfer| transfer.number).collect::<Vec<_>>()
        };
        assert_eq!(standing(&transfers), [1, 3, 4], "2 was the oldest that was never acknowledged");
        transfers.is_heard(now, client(3, 10), 3);
        transfers.is_heard(now, client(4, 10), 4);
        assert_eq!(begin(&mut transfers, 2, 5, 10), None, "all are alive");
        assert_eq!(begin(&mut transfers, 6, 5, 10), Some(5), "the longest stalled makes room");
        assert_eq!(standing(&transfers).len(), 3);
        // What was stopped no longer says anything of its successor.
        assert!(begin(&mut transfers, 6, 1, 10).is_some());
        transfers.end(client(1, 10), 1);
        assert_eq!(transfers.all.len(), 3);
    }

    #[test]
    fn one_client_has_so_many_transfers() {
        let mut transfers = Transfers::new(Limits { at_a_time: 9, of_one_client: 2 });
        for port in 1..=3 {
            assert!(transfers.begin(Time::ZERO, client(1, port)).is_some());
        }
        assert_eq!(transfers.all.len(), 2, "the oldest made room");
    }
}
