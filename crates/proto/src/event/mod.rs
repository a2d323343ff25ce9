//! Bodies of event packages: whose telephone rings, how many messages wait.

pub mod dialog_info;
pub mod mwi;
