//! A network by its prefix, as in `10.1.0.0/16`.

use std::net::IpAddr;
use std::str::FromStr;

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network {
    bits: u128,
    length: u32,
}

/// Addresses as 128 bits; those of IPv4 as they stand within IPv6 (RFC 4291 §2.5.5.2).
fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

impl Network {
    /// Whether an address is in it.
    pub fn has(&self, ip: IpAddr) -> bool {
        self.length == 0 || (bits(ip) ^ self.bits) >> (128 - self.length) == 0
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is no network; write one as in 192.168.50.0/24");
        let (ip, length) = text.split_once('/').map_or((text, None), |(ip, length)| (ip, Some(length)));
        let ip: IpAddr = ip.trim().parse().map_err(|_| bad())?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let length: u32 = length.map_or(Ok(most), |length| length.trim().parse()).map_err(|_| bad())?;
        if length > most {
            return Err(bad());
        }
        Ok(Self { bits: bits(ip), length: length + 128 - most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_of_its_prefix() {
        let network = |text: &str| text.parse::<Network>().expect(text);
        let ip = |text: &str| text.parse::<IpAddr>().expect(text);
        assert!(network("192.168.50.0/24").has(ip("192.168.50.19")));
        assert!(network("192.168.50.0/24").has(ip("::ffff:192.168.50.19")));
        assert!(!network("192.168.50.0/24").has(ip("192.168.51.1")));
        assert!(network("0.0.0.0/0").has(ip("10.0.0.1")) && !network("0.0.0.0/0").has(ip("2001:db8::1")));
        assert!(network("2001:db8::/32").has(ip("2001:db8:7::1")) && network("::/0").has(ip("10.0.0.1")));
        assert!(network("10.0.0.1").has(ip("10.0.0.1")) && !network("10.0.0.1").has(ip("10.0.0.2")));
        for text in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/x", "2001:db8::/129"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
