//! Sound: pure arithmetic on 16-bit samples.
//!
//! Nothing here reads a clock, opens a file or takes a lock, and the functions called once for each frame fill
//! the caller's slices without allocating, so a media thread, a simulator in virtual time and a test share them.
//!
//! Where to look: [`codec`] names what travels on the wire (with [`g711`] and [`g722`] below it), [`tone`] makes
//! the sounds a phone makes, [`detect`] recognises them, [`mix`] joins people, [`resample`] joins rates, [`plc`]
//! covers lost packets, [`level`] measures, [`wav`] reads and writes files held in memory.
#![forbid(unsafe_code)]

pub mod codec;
pub mod detect;
pub mod g711;
pub mod g722;
pub mod level;
pub mod mix;
pub mod plc;
pub mod resample;
pub mod tone;
pub mod wav;

pub use codec::{Codec, Decoder, Encoder};

/// Samples per second of narrowband telephony: the rate of G.711 and the default everywhere.
pub const NARROWBAND_HZ: u32 = 8_000;

/// Samples per second of wideband telephony: the rate of G.722.
pub const WIDEBAND_HZ: u32 = 16_000;
