//! The exchange's wishes for its media relay, in the relay's own words.

use std::io;

use proto::rtp::srtp::{MasterKey, Suite};
use proto::sdp::offer_answer::AgreedSrtp;
use roles::relay::{RelayCommand, RelayEvent, RelayFigures, RelayId, Side};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::net::relay::{self, Expected, Relay, RelayConfig};

/// A relay that speaks as the exchange does.
pub(in crate::cli) struct Relaying {
    relay: Relay,
    events: mpsc::UnboundedReceiver<relay::RelayEvent>,
    /// What could not be done, to be told.
    failed: Vec<RelayEvent>,
}

impl Relaying {
    /// Starts the relay's thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(in crate::cli) fn start(clock: Clock) -> io::Result<Self> {
        // Bounded by its commands: each gives at most a handful of events.
        let (teller, events) = mpsc::unbounded_channel();
        let relay = Relay::start(RelayConfig::new(clock), teller)?;
        Ok(Self { relay, events, failed: Vec::new() })
    }

    pub(in crate::cli) fn command(&mut self, command: RelayCommand) {
        let (relay, done) = match command {
            RelayCommand::Open { relay, a, b } => (relay, self.relay.open_at(relay.into(), a, b)),
            RelayCommand::Point { relay, side, remote, srtp } => {
                let pointed = expected(remote, srtp.as_deref())
                    .and_then(|expected| self.relay.expect(relay.into(), own(side), expected));
                (relay, pointed)
            }
            RelayCommand::Close { relay } => (relay, self.relay.close(relay.into())),
        };
        if let Err(error) = done {
            self.failed.push(RelayEvent::Failed { relay, reason: error.to_string() });
        }
    }

    /// The next thing that the relay has to tell the exchange. Safe to cancel.
    pub(in crate::cli) async fn next(&mut self) -> RelayEvent {
        if let Some(failed) = self.failed.pop() {
            return failed;
        }
        loop {
            match self.events.recv().await {
                Some(relay::RelayEvent::Closed { id, figures: [a, b] }) => {
                    let relay = RelayId::try_from(id).unwrap_or_default();
                    return RelayEvent::Closed { relay, a: figures(&a), b: figures(&b) };
                }
                // The exchange needs neither learnt addresses nor questions.
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }
}

const fn own(side: Side) -> relay::Side {
    match side {
        Side::A => relay::Side::A,
        Side::B => relay::Side::B,
    }
}

fn expected(remote: Option<std::net::SocketAddr>, srtp: Option<&AgreedSrtp>) -> io::Result<Expected> {
    let Some(srtp) = srtp else { return Ok(Expected { rtp: remote, ..Expected::default() }) };
    let receive_key = Some(key(srtp, &srtp.remote_key)?);
    let send_key = Some(key(srtp, &srtp.local_key)?);
    Ok(Expected { rtp: remote, receive_key, send_key })
}

fn key(srtp: &AgreedSrtp, base64: &str) -> io::Result<MasterKey> {
    let name = srtp.suite.name();
    let fault = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let suite = Suite::from_name(name).ok_or_else(|| fault(format!("the encryption {name} is not known")))?;
    MasterKey::from_inline(suite, &format!("inline:{base64}"))
        .map_err(|flaw| fault(format!("a key for encrypted sound cannot be used: {flaw}")))
}

fn figures(of: &relay::Figures) -> RelayFigures {
    RelayFigures {
        packets: of.packets,
        bytes: of.bytes,
        lost: of.lost,
        jitter_ms: of.jitter_ms.map(f64::from),
        strangers: of.strangers,
    }
}
