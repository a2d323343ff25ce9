//! Phones and exchange on the simulated wire.

mod cases;
mod seeds;
