//! Who pays for the requests that are kept: bytes in all, by source and by account.
//!
//! A request that is answered stays for copies of it (RFC 3261 §17.2), with as many bytes of headers as its
//! sender liked to write. So each is charged to its source, and to the account that the owner names. Where
//! one of them holds too much, the oldest of its own answers are forgotten; what others hold stays.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use super::Config;
use crate::sip::transaction::slab::SlotId;

/// What each transaction takes besides its texts, in bytes.
const OVERHEAD_BYTES: usize = 320;

/// Who pays.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Payer {
    Source(IpAddr),
    Account(u32),
}

/// What one payer holds.
#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    count: usize,
    /// Its answers that may be forgotten, the oldest first; names of the gone among them.
    settled: VecDeque<SlotId>,
}

/// Who pays for one transaction, and how many bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    source: IpAddr,
    account: Option<u32>,
    bytes: u32,
}

impl Charge {
    fn payers(&self) -> impl Iterator<Item = Payer> + use<> {
        [Some(Payer::Source(self.source)), self.account.map(Payer::Account)].into_iter().flatten()
    }
}

/// What all hold.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    bytes: usize,
    /// Never longer than there are transactions.
    payers: HashMap<Payer, Held>,
}

impl Ledger {
    /// A transaction is new; `texts_bytes` is what it holds of its request.
    pub(super) fn open(&mut self, source: IpAddr, account: Option<u32>, texts_bytes: usize) -> Charge {
        let bytes = texts_bytes + OVERHEAD_BYTES;
        let charge = Charge { source: source.to_canonical(), account, bytes: bytes as u32 };
        self.bytes += bytes;
        for payer in charge.payers() {
            let held = self.payers.entry(payer).or_default();
            held.bytes += bytes;
            held.count += 1;
        }
        charge
    }

    /// A transaction holds so much now.
    pub(super) fn change(&mut self, charge: &mut Charge, texts_bytes: usize) {
        let (before, now) = (charge.bytes as usize, texts_bytes + OVERHEAD_BYTES);
        if before == now {
            return;
        }
        charge.bytes = now as u32;
        self.bytes = self.bytes + now - before;
        for payer in charge.payers() {
            if let Some(held) = self.payers.get_mut(&payer) {
                held.bytes = held.bytes + now - before;
            }
        }
    }

    /// A transaction may be forgotten where its payers need room.
    pub(super) fn settle(&mut self, charge: &Charge, id: SlotId) {
        for payer in charge.payers() {
            if let Some(held) = self.payers.get_mut(&payer) {
                held.settled.push_back(id);
            }
        }
    }

    /// A transaction is gone.
    pub(super) fn close(&mut self, charge: &Charge, exists: impl Fn(SlotId) -> bool) {
        let bytes = charge.bytes as usize;
        self.bytes = self.bytes.saturating_sub(bytes);
        for payer in charge.payers() {
            let Some(held) = self.payers.get_mut(&payer) else { continue };
            held.bytes = held.bytes.saturating_sub(bytes);
            held.count -= 1;
            while held.settled.front().is_some_and(|id| !exists(*id)) {
                held.settled.pop_front();
            }
            // Names of the gone behind one that stays.
            if held.settled.len() > 2 * held.count + 64 {
                held.settled.retain(|id| exists(*id));
            }
            if held.count == 0 {
                self.payers.remove(&payer);
            }
        }
    }

    /// An answer to be forgotten, since a payer of this one holds more than it may.
    pub(super) fn excess(&mut self, charge: &Charge, config: &Config) -> Option<SlotId> {
        charge.payers().find_map(|payer| {
            let held = self.payers.get_mut(&payer).filter(|held| held.bytes > payer.most_bytes(config))?;
            held.settled.pop_front()
        })
    }

    /// Whether all hold more than they may.
    pub(super) fn is_full(&self, config: &Config) -> bool {
        self.bytes > config.max_server_bytes
    }

    /// Whether a source holds more than it may, and nothing of it can be forgotten.
    pub(super) fn is_source_full(&self, source: IpAddr, config: &Config) -> bool {
        self.is_payer_full(Payer::Source(source.to_canonical()), config)
    }

    /// Whether an account does.
    pub(super) fn is_account_full(&self, account: u32, config: &Config) -> bool {
        self.is_payer_full(Payer::Account(account), config)
    }

    fn is_payer_full(&self, payer: Payer, config: &Config) -> bool {
        self.payers.get(&payer).is_some_and(|held| held.bytes > payer.most_bytes(config))
    }

    /// How many bytes all hold.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives back what only transactions need.
    pub(super) fn rest(&mut self) {
        self.payers = HashMap::new();
    }
}

impl Payer {
    const fn most_bytes(self, config: &Config) -> usize {
        match self {
            Self::Source(_) => config.max_source_bytes,
            Self::Account(_) => config.max_account_bytes,
        }
    }
}
