//! A desk phone as a machine of the simulated wire.

use std::net::SocketAddr;

use proto::Time;
use proto::sip::flow::Transport;
use serde_json::{Value, json};

use super::ears::Ears;
use super::host::{Effect, Granted, Host, Side};
use crate::phone::{Change, Command, MOST_CALLS, Phone, Place, Restored, Wish};
use crate::role::Network;
use crate::settings::Settings;
use crate::sound::{SoundCommand, SoundEvent};

/// A phone with its ears.
pub type PhonePart = Host<Phone, PhoneSide>;

/// What a phone has beside the wire: its sound, its place, the calls that it remembers.
pub struct PhoneSide {
    place: Place,
    ears: Box<dyn Ears>,
    kept: Restored,
}

impl PhonePart {
    /// A phone that is switched off.
    pub fn phone_at(
        place: Place,
        settings: Settings,
        ears: Box<dyn Ears>,
        seed: [u8; 32],
        now: Time,
    ) -> Self {
        let mut rng = proto::Rng::new(seed);
        let ip = place.ip();
        let phone = Phone::new(settings, place.clone(), rng.fork(), now);
        Self::new(phone, PhoneSide { place, ears, kept: Restored::default() }, ip, rng.fork())
    }

    /// The phone.
    pub fn phone(&self) -> &Phone {
        self.role()
    }

    /// Its ears.
    pub fn ears(&mut self) -> &mut dyn Ears {
        &mut *self.side().ears
    }
}

impl Side<Phone> for PhoneSide {
    fn listens_for_sip(&self, transport: Transport, local: SocketAddr) -> bool {
        let own = self.place.signal_ports.iter().map(|port| SocketAddr::new(self.place.ip(), *port));
        local == self.place.listen(transport)
            || transport != Transport::Tls && own.into_iter().any(|at| at == local)
    }

    fn read(&self, line: &str) -> Result<Command, Value> {
        Command::parse(line).map_err(|error| {
            json!({ "event": "error", "id": error.id, "message": error.message, "possible": error.possible })
        })
    }

    fn media(&mut self, now: Time, command: SoundCommand, out: &mut Vec<Effect<SoundEvent>>) {
        self.ears.command(now, command, out);
    }

    fn receive(
        &mut self,
        now: Time,
        local: SocketAddr,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<Effect<SoundEvent>>,
    ) {
        self.ears.receive(now, local, from, bytes, out);
    }

    fn tick(&mut self, now: Time, out: &mut Vec<Effect<SoundEvent>>) {
        self.ears.tick(now, out);
    }

    fn next_deadline(&self) -> Option<Time> {
        self.ears.next_deadline()
    }

    fn listens(&self, local: SocketAddr) -> bool {
        self.ears.listens(local)
    }

    fn keep(&mut self, change: Change) {
        // Settings live in the phone itself and come along when it is restarted.
        match change {
            Change::Call(entry) => {
                self.kept.history.insert(0, entry);
                self.kept.history.truncate(MOST_CALLS);
            }
            Change::Downloaded(downloads) => self.kept.downloads = *downloads,
            Change::NamedFiles(files) => self.kept.named_files = *files,
            Change::Firmware(firmware) => self.kept.firmware = Some(*firmware),
            Change::Lease(lease) => self.kept.lease = Some(lease),
            Change::Setting { .. } | Change::SettingForgotten { .. } | Change::FilesForgotten => {}
        }
    }

    fn grant(&mut self, wish: Wish) -> Granted {
        match wish {
            Wish::Restart => Granted::Restart,
            Wish::SwitchOff => Granted::Off,
            Wish::Place(network) => Granted::Moved(network.unwrap_or_else(|| Box::new(Network::nowhere()))),
            Wish::Bundle { id, .. } | Wish::Export { id, .. } => {
                let message = "a phone of the lab writes no file; start one by `offhook phone`";
                Granted::Told(json!({ "event": "error", "id": id, "message": message, "possible": [] }))
            }
        }
    }

    fn moved(&mut self, network: &Network) {
        self.place.network = network.clone();
    }

    fn again(&mut self, ended: &Phone, seed: [u8; 32], now: Time) -> Phone {
        self.ears.hang_up(now);
        let phone = Phone::new(ended.settings().clone(), self.place.clone(), seed, now);
        phone.restored(self.kept.clone())
    }
}
