//! What a packet of sound is, as offer and answer agreed it.

/// A payload type and the clock of its timestamps (8,000 for G.722 too, RFC 3551 §4.5.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Format {
    /// 0 to 127.
    pub payload_type: u8,
    /// Units of the timestamp in a second.
    pub clock_rate_hz: u32,
}
