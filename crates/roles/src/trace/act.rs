//! What people do while packets pass: keys, restarts, power cuts.

use std::net::IpAddr;

use proto::Time;

use super::{Kind, Sight};

/// One thing that somebody did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Act {
    /// When.
    pub at: Time,
    /// At whose machine.
    pub ip: IpAddr,
    /// How many packets had passed by then; `None` where only the time is known.
    pub after: Option<usize>,
    /// What: `dial 7002`, `restart`, `power cut`.
    pub text: String,
}

impl Act {
    fn sight(&self) -> Sight<'_> {
        let end = std::net::SocketAddr::new(self.ip, 0).into();
        Sight { at: self.at, from: end, to: end, kind: Kind::Act, place: None, bytes: self.text.as_bytes() }
    }
}

/// Packets and acts in the order in which they happened.
pub fn merged<'a>(sights: impl IntoIterator<Item = Sight<'a>>, acts: &'a [Act]) -> Vec<Sight<'a>> {
    let mut all = Vec::new();
    let mut acts = acts.iter().peekable();
    for (number, sight) in sights.into_iter().enumerate() {
        let due = |act: &&Act| act.after.map_or(act.at <= sight.at, |after| after <= number);
        while let Some(act) = acts.next_if(due) {
            all.push(act.sight());
        }
        all.push(sight);
    }
    all.extend(acts.map(Act::sight));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_stand_where_they_were_done() {
        let ip: IpAddr = [10, 0, 0, 1].into();
        let sight = |ms: u64| Sight {
            at: Time::from_millis(ms),
            from: std::net::SocketAddr::new(ip, 1).into(),
            to: std::net::SocketAddr::new(ip, 2).into(),
            kind: Kind::Other,
            place: None,
            bytes: b"",
        };
        let act = |ms: u64, after| Act { at: Time::from_millis(ms), ip, after, text: ms.to_string() };
        let order = |acts: &[Act]| -> String {
            let merged = merged([sight(5), sight(5), sight(9)], acts);
            merged.iter().map(|sight| if sight.kind == Kind::Act { 'a' } else { '.' }).collect()
        };
        assert_eq!(order(&[act(5, Some(1)), act(5, Some(2))]), ".a.a.");
        assert_eq!(order(&[act(4, None), act(6, None), act(10, None)]), "a..a.a");
    }
}
