//! Ports for sound that no other program gets by chance.

use std::fs;

/// Where Linux tells which ports it gives to sockets that ask for none.
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// The first port for sound: those below are usual for media of other programs (10,000 to 20,000 at baresip and Asterisk).
const FIRST: u16 = 20_000;
/// Fewer ports than these are not worth keeping apart: then the others are used all the same.
const FEWEST: u16 = 1_000;

/// The first port for relayed sound and how many follow, outside those that the system gives to sockets that ask
/// for none: such a socket of any program on the machine, bound to all addresses, would take the place of a call.
pub fn for_sound() -> (u16, u16) {
    apart_from(fs::read_to_string(EPHEMERAL).ok().and_then(|text| parse(&text)))
}

fn parse(text: &str) -> Option<(u16, u16)> {
    let mut words = text.split_ascii_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// The larger part of what lies below and above the ephemeral ports.
fn apart_from(ephemeral: Option<(u16, u16)>) -> (u16, u16) {
    let Some((first, last)) = ephemeral else { return (FIRST, u16::MAX - FIRST) };
    let below = first.saturating_sub(FIRST);
    let begin_above = last.saturating_add(1).max(FIRST).checked_next_multiple_of(2).unwrap_or(u16::MAX);
    let above = u16::MAX - begin_above;
    match below.max(above) {
        ..FEWEST => (FIRST, u16::MAX - FIRST),
        _ if below >= above => (FIRST, below),
        _ => (begin_above, above),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_keeps_apart_from_ports_that_the_system_gives_away() {
        assert_eq!(parse("32768\t60999\n"), Some((32_768, 60_999)));
        assert_eq!(apart_from(parse("32768\t60999\n")), (20_000, 12_768));
        assert_eq!(apart_from(Some((1_024, 40_000))), (40_002, 25_533));
        assert_eq!(apart_from(Some((1_024, 65_535))), (20_000, 45_535), "there are no others");
        assert_eq!(apart_from(Some((20_500, 65_000))), (20_000, 45_535), "too few others");
        assert_eq!(apart_from(parse("")), (20_000, 45_535));
    }
}
