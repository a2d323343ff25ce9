//! The checksum of IPv4, UDP and TCP headers.

/// The Internet checksum, RFC 1071.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Checksum(u64);

impl Checksum {
    /// Adds bytes as 16-bit words; an odd last one counts as if a zero followed, so only the last
    /// part may be odd.
    pub(crate) fn add(self, bytes: &[u8]) -> Self {
        let words = bytes.chunks(2).map(|word| {
            let low = word.get(1).copied().unwrap_or(0);
            u64::from(u16::from_be_bytes([word.first().copied().unwrap_or(0), low]))
        });
        Self(self.0 + words.sum::<u64>())
    }

    /// The checksum of what was added, as it stands in a header.
    pub(crate) fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }
}
