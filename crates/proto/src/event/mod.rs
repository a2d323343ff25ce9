//! Bodies of event packages: whose telephone rings, how many messages wait, how a transfer goes.

pub mod dialog_info;
pub mod mwi;
pub mod sipfrag;
