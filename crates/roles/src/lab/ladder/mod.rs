//! Message ladders: printed as a person reads them, and held against those of the deck.

mod expected;
mod info;
mod matching;
mod whole;

use std::net::{IpAddr, SocketAddr};

use proto::Time;
use proto::sip::message::Message;

pub use expected::{Actor, Expected, What, deck};
pub use info::info;
pub use matching::{Difference, check};
pub use whole::first_difference;

use super::wire::Passed;

/// One message on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// When it left.
    pub at: Time,
    /// Who sent it.
    pub from: SocketAddr,
    /// Who was to get it.
    pub to: SocketAddr,
    /// The message.
    pub bytes: &'a [u8],
}

impl<'a> From<&'a Passed> for Sight<'a> {
    fn from(passed: &'a Passed) -> Self {
        Self { at: passed.at, from: passed.from, to: passed.to, bytes: &passed.bytes }
    }
}

/// The SIP messages as aligned lines: seconds since `start`, who to whom, what.
pub fn print<'a>(
    sights: impl IntoIterator<Item = Sight<'a>>,
    start: Time,
    name: impl Fn(IpAddr) -> String,
) -> String {
    let lines: Vec<[String; 4]> = sights.into_iter().filter_map(|sight| line(&sight, start, &name)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let (time, from, to) = (width(0), width(1), width(2));
    let text = |[at, sender, receiver, info]: &[String; 4]| {
        format!("{at:>time$}  {sender:<from$} → {receiver:<to$}  {info}\n")
    };
    lines.iter().map(text).collect()
}

fn line(sight: &Sight<'_>, start: Time, name: &impl Fn(IpAddr) -> String) -> Option<[String; 4]> {
    let message = Message::parse(sight.bytes).ok()?;
    let since = sight.at.since(start).as_millis();
    let at = format!("{}.{:03}", since / 1_000, since % 1_000);
    // What came from the wire may not steer the terminal.
    let info = info(&message).chars().filter(|c| !c.is_control()).collect();
    Some([at, name(sight.from.ip()), name(sight.to.ip()), info])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_aligned_and_sound_is_left_out() {
        let bytes: &[&[u8]] = &[
            b"OPTIONS sip:7001@10.0.0.1 SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n",
            b"\x80\x08",
            b"SIP/2.0 200 OK\r\nCSeq: 1 OPTIONS\r\n\r\n",
        ];
        let ends = ["10.0.0.9:5060", "10.0.0.1:5060"].map(|text| text.parse().expect("an address"));
        let sight = |(n, &bytes): (usize, &&'static [u8])| Sight {
            at: Time::from_millis(9_999 + n as u64),
            from: ends[n / 2],
            to: ends[1 - n / 2],
            bytes,
        };
        let name = |ip: IpAddr| if ip == ends[0].ip() { "exchange".to_owned() } else { "7001".to_owned() };
        let text = print(bytes.iter().enumerate().map(sight), Time::ZERO, name);
        let expected = " 9.999  exchange → 7001      Request: OPTIONS sip:7001@10.0.0.1\n\
                        10.001  7001     → exchange  Status: 200 OK (OPTIONS)\n";
        assert_eq!(text, expected);
    }
}
