//! What Offhook's products do: the phone, the exchange and the lab. Pure, as `proto` is.
#![forbid(unsafe_code)]

pub mod dhcp_service;
pub mod doctor;
pub mod exchange;
pub mod lab;
pub mod mac;
pub mod object;
pub mod phone;
pub mod provision;
pub mod relay;
pub mod repeats;
pub mod role;
pub mod settings;
pub mod sound;
mod stamp;
pub mod trace;

pub use role::{Input, Output, Role};
