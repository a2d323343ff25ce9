//! Real sockets on the loopback, real files, the program as a person runs it.

mod cli;
mod config;
mod conformance;
mod contract;
#[cfg(target_os = "linux")]
mod crowded;
mod dns;
mod doctor;
mod drive;
#[cfg(target_os = "linux")]
mod ending;
mod fetch;
mod ftp;
mod help;
#[cfg(target_os = "linux")]
mod killed;
#[cfg(target_os = "linux")]
mod lab;
mod net;
mod net_tls;
mod picture;
mod program;
mod provisioning;
#[cfg(target_os = "linux")]
mod relay;
mod security;
#[cfg(target_os = "linux")]
mod sound;
mod store;
mod tidy;
#[cfg(target_os = "linux")]
mod torture;
mod web;
