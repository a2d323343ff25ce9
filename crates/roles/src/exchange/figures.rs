//! How much goes on at an exchange, in numbers.

use serde::Serialize;

/// How many there are of everything.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Figures {
    /// Extensions of the directory.
    pub extensions: usize,
    /// Devices that are registered.
    pub devices: usize,
    /// Those of them that answer.
    pub reachable: usize,
    /// Calls under way.
    pub calls: usize,
    /// Those of them in which both sides talk.
    pub answered: usize,
    /// Those of them that are parked.
    pub parked: usize,
    /// Legs of all calls.
    pub legs: usize,
    /// Who watches whom.
    pub subscriptions: usize,
    /// Records of calls that are over.
    pub records: usize,
    /// Bans in force.
    pub bans: usize,
    /// Requests that were too many, and were answered by 503.
    pub shed: u64,
    /// Transactions of our own requests.
    pub client_transactions: usize,
    /// Transactions of others' requests.
    pub server_transactions: usize,
}

#[cfg(test)]
mod tests {
    use proto::Time;

    use super::*;
    use crate::exchange::{Config, Exchange, Extension, Restored};

    #[test]
    fn an_exchange_at_rest_has_its_extensions() {
        let extensions = ["7001", "7002"].map(|number| Extension::new(number, "offhook", "secret")).to_vec();
        let restored = Restored { extensions, ..Restored::default() };
        let mut exchange = Exchange::new(Config::default(), restored, [7; 32], Time::ZERO);
        exchange.gate.ban(&mut exchange.turn, [192, 0, 2, 9].into(), None, "x");
        let figures = exchange.figures(Time::ZERO);
        assert_eq!(figures, Figures { extensions: 2, bans: 1, ..Figures::default() });
        assert_eq!(exchange.figures(Time::from_secs(100_000)).bans, 0);
    }
}
