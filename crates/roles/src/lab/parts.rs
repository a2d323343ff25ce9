//! The machines of a case: phones and exchanges of ours, and whoever else takes part.

use std::net::SocketAddr;

use proto::Time;
use proto::sip::flow::Transport;

use super::exchange_part::ExchangePart;
use super::host::Machine;
use super::party::{Does, Happens, Party};
use super::phone_part::PhonePart;

/// A machine of a case.
pub enum Part {
    /// A desk phone.
    Phone(Box<PhonePart>),
    /// An exchange.
    Exchange(Box<ExchangePart>),
    /// Another: a server, a switch, somebody else's phone.
    Other(Box<dyn Machine>),
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Phone(_) => "Phone",
            Self::Exchange(_) => "Exchange",
            Self::Other(_) => "Other",
        })
    }
}

impl Part {
    /// The phone, if it is one.
    pub fn phone(&mut self) -> Option<&mut PhonePart> {
        match self {
            Self::Phone(part) => Some(part),
            _ => None,
        }
    }

    /// The exchange, if it is one.
    pub fn exchange(&mut self) -> Option<&mut ExchangePart> {
        match self {
            Self::Exchange(part) => Some(part),
            _ => None,
        }
    }

    fn machine(&self) -> &dyn Machine {
        match self {
            Self::Phone(part) => &**part,
            Self::Exchange(part) => &**part,
            Self::Other(machine) => &**machine,
        }
    }

    fn machine_mut(&mut self) -> &mut dyn Machine {
        match self {
            Self::Phone(part) => &mut **part,
            Self::Exchange(part) => &mut **part,
            Self::Other(machine) => &mut **machine,
        }
    }
}

impl Party for Part {
    fn handle(&mut self, now: Time, happens: Happens<'_>, out: &mut Vec<Does>) {
        self.machine_mut().handle(now, happens, out);
    }

    fn next_deadline(&self) -> Option<Time> {
        self.machine().next_deadline()
    }

    fn why(&self) -> String {
        self.machine().why()
    }

    fn listens(&self, transport: Transport, local: SocketAddr) -> bool {
        self.machine().listens(transport, local)
    }
}

impl Machine for Part {
    fn restart(&mut self, seed: [u8; 32], now: Time) {
        self.machine_mut().restart(seed, now);
    }

    fn forget(&mut self, seed: [u8; 32], now: Time) -> bool {
        self.machine_mut().forget(seed, now)
    }
}
