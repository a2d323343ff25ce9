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
    tokio::spawn(follow(way, moves, route_from));
    (Compass(compass), addresses)
}

async fn follow(
    way: watch::Receiver<Way>,
    moves: mpsc::Sender<IpAddr>,
    route: impl Fn(SocketAddr) -> std::io::Result<IpAddr>,
) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let bearings = *way.borrow();
        let Some((server, own)) = bearings else { continue };
        // Without any route the phone stays where it is until there is one again.
        let Ok(ip) = route(server) else { continue };
        if ip != own && moves.send(ip).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_another_route_is_told_and_none_is_none() {
        let network = std::sync::Arc::new(AtomicU8::new(1));
        let (compass, way) = watch::channel(None);
        let (moves, mut addresses) = mpsc::channel(1);
        let at = network.clone();
        let ip = |last: u8| IpAddr::from([192, 168, 80, last]);
        tokio::spawn(follow(way, moves, move |_| match at.load(Ordering::Relaxed) {
            0 => Err(std::io::ErrorKind::NetworkUnreachable.into()),
            last => Ok(IpAddr::from([192, 168, 80, last])),
        }));
        let server = SocketAddr::from(([192, 168, 50, 19], 5060));
        compass.send_replace(Some((server, ip(1))));
        for here in [1, 0, 1] {
            network.store(here, Ordering::Relaxed);
            tokio::time::sleep(3 * EVERY).await;
            assert!(addresses.try_recv().is_err(), "it has not moved");
        }
        network.store(77, Ordering::Relaxed);
        assert_eq!(addresses.recv().await, Some(ip(77)));
    }
}
