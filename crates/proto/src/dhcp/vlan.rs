//! The VLAN in a DHCP option: 132, or another that the settings name.

/// Reads a VLAN as servers write it: one, two or four bytes of a number, digits (`100`), or the vendors' form
/// `VLAN-A=100;`. The number is not judged: 0 and 4095 are no VLANs, and whoever asks says so.
///
/// A single byte is a number: `dhcp-option=132,50` of dnsmasq is the byte 50, which is the digit 2.
pub fn vlan_of(value: &[u8]) -> Option<u16> {
    if let &[number] = value {
        return Some(u16::from(number));
    }
    text_of(value).and_then(by_text).or_else(|| by_number(value))
}

/// The text before the first zero.
fn text_of(value: &[u8]) -> Option<&str> {
    let text = value.split(|&byte| byte == 0).next().filter(|text| !text.is_empty())?;
    std::str::from_utf8(text).ok().map(str::trim)
}

fn by_text(text: &str) -> Option<u16> {
    let digits = match text.split_once(['=', ':']) {
        Some((name, rest)) if name.trim().to_ascii_uppercase().starts_with("VLAN") => {
            rest.split([';', '.', ',']).next()?.trim()
        }
        Some(_) => return None,
        None => text,
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // A number beyond 16 bits is no VLAN either, and is told as the highest that is none.
    is_number.then(|| digits.parse().unwrap_or(u16::MAX))
}

fn by_number(value: &[u8]) -> Option<u16> {
    match *value {
        [high, low] => Some(u16::from_be_bytes([high, low])),
        [a, b, c, d] => Some(u16::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(u16::MAX)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &[u8], expected: Option<u16>) {
        assert_eq!(vlan_of(value), expected, "{value:?}");
    }

    #[test]
    fn a_vlan_in_each_form_that_servers_send() {
        check(b"\x64", Some(100));
        check(b"\x32", Some(50));
        check(b"\0\x64", Some(100));
        check(b"\x01\0", Some(256));
        check(b"\0\0\0\x64", Some(100));
        check(b"100", Some(100));
        check(b"50", Some(50));
        check(b"100\0", Some(100));
        check(b"1000", Some(1_000));
        check(b"VLAN-A=100;", Some(100));
        check(b"VLAN-A:100.", Some(100));
    }

    #[test]
    fn what_is_no_vlan() {
        check(b"", None);
        check(b"voice", None);
        check(b"L2Q=1,L2QVLAN=5", None);
        check(b"0", Some(48));
        check(b"000", Some(0));
        check(b"4095", Some(4_095));
        check(b"99999999", Some(u16::MAX));
        check(b"\xff\xff\xff\xff", Some(u16::MAX));
    }
}
