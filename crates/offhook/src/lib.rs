//! What the program `offhook` is made of: sockets, files, clock and threads around the pure roles.
//!
//! The binary is a thin shell around this library, so that tests and benchmarks can reach the rooms.
#![deny(unsafe_code)]

/// Writes a line to standard error. `eprintln!` would panic where nobody reads it any more.
macro_rules! complain {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

pub mod capture;
pub mod cli;
pub mod clock;
mod crowd;
pub mod drive;
pub mod net;
mod places;
pub mod provision;
pub mod sound;
pub mod store;
pub mod web;
