//! What Offhook's products do: the phone, the exchange and the lab. Pure, as `proto` is.
#![forbid(unsafe_code)]

pub mod settings;
