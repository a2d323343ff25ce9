//! Room for calls: no caller has all of it, and calls that only ring make way for others.

use std::net::IpAddr;
use std::time::Duration;

use proto::Time;

use super::{CallNumber, Conversation, MAX_CALLS, Phase};
use crate::phone::Phone;
use proto::sip::Reply;

/// How many calls of strangers may ring at once, whatever addresses they come from.
const MAX_STRANGERS: usize = 2;
/// After this long a call that rings has had its chance, and makes way for another.
const FAIR_RINGING: Duration = Duration::from_secs(20);
/// How many calls others may have this phone make by REFER within [`REFER_PERIOD`].
const MAX_REFERS: usize = 6;
const REFER_PERIOD: Duration = Duration::from_secs(60);

/// Where a call comes from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in super::super) struct Origin {
    /// By way of the account's server. Only such calls answer by themselves, have this phone call others, and
    /// see its credentials.
    pub(in super::super) trusted: bool,
    /// The address that its first request came from; none of a call that was made here.
    pub(in super::super) ip: Option<IpAddr>,
}

/// Whose calls count together: a server says who calls, a stranger may say anything.
#[derive(Debug, Eq, PartialEq)]
enum Caller<'a> {
    Known(u8, &'a str),
    Stranger,
}

fn caller(call: &Conversation) -> Caller<'_> {
    match call.origin.trusted {
        true => Caller::Known(call.account, &call.peer.number),
        false => Caller::Stranger,
    }
}

impl Phone {
    /// Makes room for a call that has just come in, where it may have any. Whether it may ring.
    pub(super) fn make_room(&mut self, number: CallNumber) -> bool {
        let Some(call) = self.calls.table.get(&number) else { return false };
        let account = call.account;
        let most = self.most_calls(account);
        if self.ringing_like(number) >= most_of_one(call, most) {
            return false;
        }
        let others = |wanted: &dyn Fn(&Conversation) -> bool| {
            self.calls.live().filter(|(at, call)| *at != number && wanted(call)).count()
        };
        let full_account = others(&|call| call.account == account) >= most;
        let full_phone = others(&|_| true) >= MAX_CALLS;
        if !full_account && !full_phone {
            return true;
        }
        let Some(victim) = self.who_makes_way(number, full_account && !full_phone) else { return false };
        self.note_call(victim, &format!("Call {victim} makes way for call {number}"));
        self.turn_down(victim, Reply::new(486));
        true
    }

    /// The most calls that an account may have at once.
    pub(super) fn most_calls(&self, account: u8) -> usize {
        self.lines.line_ref(account).map_or(1, |line| usize::from(line.settings.calls_at_once.max(1)))
    }

    /// How many other calls of the same caller ring here.
    fn ringing_like(&self, number: CallNumber) -> usize {
        let Some(call) = self.calls.table.get(&number) else { return 0 };
        let others = self.ringing_but(number);
        others.filter(|(_, other)| caller(other) == caller(call)).count()
    }

    fn ringing_but(&self, number: CallNumber) -> impl Iterator<Item = (CallNumber, &Conversation)> {
        self.calls.live().filter(move |(at, call)| *at != number && call.phase == Phase::Ringing)
    }

    /// Which call that rings is turned away for a new one: a stranger's for one of the server's, one of the
    /// caller who has most, or one that nobody has answered for long; the oldest of those.
    fn who_makes_way(&self, number: CallNumber, same_account: bool) -> Option<CallNumber> {
        let new = self.calls.table.get(&number)?;
        let now = self.desk.now;
        let may = |at: CallNumber, call: &Conversation| {
            let stranger = new.origin.trusted && !call.origin.trusted;
            let greedy = self.ringing_like(at) > self.ringing_like(number);
            stranger || greedy || now.since(call.began_at) >= FAIR_RINGING
        };
        let candidates = self.ringing_but(number).filter(|(at, call)| {
            (!same_account || call.account == new.account)
                && (new.origin.trusted || !call.origin.trusted)
                && may(*at, call)
        });
        let order = |&(at, call): &(CallNumber, &Conversation)| {
            (call.origin.trusted, std::cmp::Reverse(self.ringing_like(at)), call.began_at)
        };
        candidates.min_by_key(order).map(|(at, _)| at)
    }

    /// Whether others may have this phone make one more call by REFER; counts it.
    pub(super) fn may_be_referred(&mut self) -> bool {
        let now = self.desk.now;
        self.calls.referred_at.retain(|at: &Time| now.since(*at) < REFER_PERIOD);
        let may = self.calls.referred_at.len() < MAX_REFERS;
        if may {
            self.calls.referred_at.push(now);
        }
        may
    }
}

/// How many calls of one caller may ring at once, where `most` may be had in all.
fn most_of_one(call: &Conversation, most: usize) -> usize {
    if call.origin.trusted { (most / 2).max(2) } else { MAX_STRANGERS }
}
