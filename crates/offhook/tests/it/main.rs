//! Real sockets on the loopback, real files, the program as a person runs it.

mod cli;
mod dns;
mod drive;
mod net;
mod net_tls;
#[cfg(target_os = "linux")]
mod relay;
#[cfg(target_os = "linux")]
mod sound;
mod store;
mod tidy;
