//! Follows the machine: the phone's own address is the one that the route to its server gives, also
//! after the machine has changed its network.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use roles::phone::Phone;
use tokio::sync::{mpsc, watch};

use crate::cli::place::route_from;

/// How often the kernel is asked for its route. Nothing is sent for that.
const EVERY: Duration = Duration::from_secs(2);

/// The server that the phone speaks to, and the address that it speaks from.
type Way = Option<(SocketAddr, IpAddr)>;

/// Tells the watch where the phone speaks.
pub(super) struct Compass(watch::Sender<Way>);

impl Compass {
    /// Takes the bearings of a phone after its turn.
    pub(super) fn look(&self, phone: &Phone) {
        let way = phone.way_out();
        self.0.send_if_modified(|told| std::mem::replace(told, way) != way);
    }
}

/// Starts to watch the route. The addresses that come are those to move to.
pub(super) fn start() -> (Compass, mpsc::Receiver<IpAddr>) {
    let (compass, way) = watch::channel(None);
    let (moves, addresses) = mpsc::channel(1);
    tokio::spawn(follow(way, moves));
    (Compass(compass), addresses)
}

async fn follow(way: watch::Receiver<Way>, moves: mpsc::Sender<IpAddr>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let bearings = *way.borrow();
        if let Some(ip) = moved(bearings, route_from)
            && moves.send(ip).await.is_err()
        {
            return;
        }
    }
}

/// Where the route now begins, if elsewhere. Without any route the phone stays where it is until there is
/// one again.
fn moved(way: Way, route: impl Fn(SocketAddr) -> std::io::Result<IpAddr>) -> Option<IpAddr> {
    let (server, own) = way?;
    route(server).ok().filter(|ip| *ip != own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_route_is_told_and_none_is_none() {
        let ip = |last: u8| IpAddr::from([192, 168, 80, last]);
        let way = Some((SocketAddr::from(([192, 168, 50, 19], 5060)), ip(1)));
        assert_eq!(moved(way, |_| Ok(ip(77))), Some(ip(77)));
        assert_eq!(moved(way, |_| Ok(ip(1))), None, "it has not moved");
        assert_eq!(moved(way, |_| Err(std::io::ErrorKind::NetworkUnreachable.into())), None);
        assert_eq!(moved(None, |_| Ok(ip(77))), None, "there is no server yet");
    }
}
