//! Phones and exchange on the simulated wire.

mod cases;
mod lamps;
mod seeds;
