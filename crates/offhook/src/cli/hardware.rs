//! How a model and a MAC address are written on the command line.

use roles::settings::{MODELS, Model};

/// Twelve hexadecimal digits, with or without `:` or `-` between the bytes.
pub(super) fn parse_mac(text: &str) -> Result<[u8; 6], String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-')).collect();
    let number = u64::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 12);
    let [_, _, mac @ ..] =
        number.ok_or_else(|| "write twelve hexadecimal digits, as in 0021f222b021".to_owned())?.to_be_bytes();
    Ok(mac)
}

/// A model by name.
pub(super) fn parse_model(name: &str) -> Result<&'static Model, String> {
    Model::named(name).ok_or_else(|| {
        let names: Vec<_> = MODELS.iter().map(|model| model.name).collect();
        format!("there are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses() {
        let mac = [0x00, 0x21, 0xf2, 0x22, 0xb0, 0x21];
        for text in ["0021f222b021", "00:21:F2:22:b0:21", "00-21-f2-22-b0-21"] {
            assert_eq!(parse_mac(text), Ok(mac), "{text}");
        }
        for text in ["", "0021f222b0", "0021f222b02g", "+021f222b021f"] {
            assert!(parse_mac(text).is_err(), "{text}");
        }
    }
}
