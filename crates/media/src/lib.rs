//! Sound: pure arithmetic on 16-bit samples.
#![forbid(unsafe_code)]
