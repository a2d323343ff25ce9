//! Sound: what a phone says and hears, from the codec down to the sockets.
//!
//! [`engine`] is pure and does everything that can be heard; [`thread`] gives it sockets and time, the
//! simulator gives it a wire and virtual time, and tests give it both by hand. [`argument`] reads
//! `--audio` and makes a [`Source`] (the microphone) and a [`Sink`] (the earpiece) of it.

pub mod argument;
mod config;
pub mod engine;
mod file;
mod leg;
mod speech;
pub mod tap;
#[cfg(target_os = "linux")]
pub mod thread;
mod tone;
mod voice;

#[cfg(test)]
mod tests;

pub use config::{Config, Key};
pub use engine::{Engine, Outlet};
pub use file::{Recorder, Recording};
pub use tone::{Samples, Silence, Sine};

/// Milliseconds of sound that are made at a time.
pub const FRAME_MS: u32 = 10;

/// What a phone hears instead of a person: its microphone.
pub trait Source: Send {
    /// Fills a frame of [`FRAME_MS`] at the rate of the engine.
    fn fill(&mut self, frame: &mut [i16]);

    /// Begins anew: a conversation starts.
    fn rewind(&mut self) {}
}

/// Where a phone's earpiece leads to.
pub trait Sink: Send {
    /// Takes a frame of [`FRAME_MS`] at the rate of the engine.
    fn hear(&mut self, frame: &[i16]);
}
