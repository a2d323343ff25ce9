//! TFTP (RFC 1350).

pub mod packet;
