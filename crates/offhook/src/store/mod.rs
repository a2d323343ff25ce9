//! What outlives the program.

mod files;

pub use files::{make_dir, save};
