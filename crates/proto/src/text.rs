//! Small helpers on text and bytes that more than one protocol needs.

/// The SHA-256 of bytes in hexadecimal digits (FIPS 180-4).
pub fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    hex(&Sha256::digest(bytes))
}

/// Bytes as hexadecimal digits in lower case: a MAC address as file names write it, `0021f222b021`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
