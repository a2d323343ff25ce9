//! What the program `offhook` is made of: sockets, files, clock and threads around the pure roles.
//!
//! The binary is a thin shell around this library, so that tests and benchmarks can reach the rooms.
#![deny(unsafe_code)]

pub mod capture;
pub mod cli;
pub mod clock;
pub mod drive;
pub mod net;
pub mod sound;
pub mod store;
pub mod web;
