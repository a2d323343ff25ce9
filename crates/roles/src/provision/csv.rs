//! The inventory as a table: one device a line, `mac,model,number,account,label`.

use std::collections::BTreeSet;
use std::fmt;

use super::{DeviceView, Edit};
use crate::mac::Mac;

/// The columns, in the order in which they are written.
const COLUMNS: [&str; 6] = ["mac", "model", "number", "account", "label", "template"];
/// The most lines that are read.
const MOST_LINES: usize = 200_000;

/// What is wrong with a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CsvFault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, in words.
    pub message: String,
}

impl fmt::Display for CsvFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for CsvFault {}

/// Reads a table (RFC 4180), whose first line names the columns in any order; `mac` must be among them.
/// What is read is approved: who writes a list of phones means them.
///
/// # Errors
/// The first line that cannot be taken; then none is.
pub fn parse_csv(text: &str) -> Result<Vec<(Mac, Edit)>, CsvFault> {
    let mut rows = Rows { text: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let head = rows.next_row()?.ok_or_else(|| fault(1, "the table is empty"))?;
    let columns: Vec<String> = head.1.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
    if let Some(unknown) = columns.iter().find(|name| !COLUMNS.contains(&name.as_str())) {
        let unknown: String = unknown.chars().take(40).collect();
        return Err(fault(1, &format!("no column is called {unknown}; there are {}", COLUMNS.join(", "))));
    }
    if !columns.iter().any(|name| name == "mac") {
        return Err(fault(1, "a column mac is needed"));
    }
    let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
    while let Some((line, fields)) = rows.next_row()? {
        if fields.len() == 1 && fields[0].trim().is_empty() {
            continue;
        }
        if fields.len() != columns.len() {
            return Err(fault(line, &format!("{} fields in {} columns", fields.len(), columns.len())));
        }
        if all.len() >= MOST_LINES {
            return Err(fault(line, &format!("more than {MOST_LINES} devices")));
        }
        let (mac, edit) = device(line, &columns, &fields)?;
        if !seen.insert(mac) {
            return Err(fault(line, &format!("{mac} stands in an earlier line too")));
        }
        all.push((mac, edit));
    }
    Ok(all)
}

fn device(line: usize, columns: &[String], fields: &[String]) -> Result<(Mac, Edit), CsvFault> {
    let mut edit = Edit { approved: Some(true), ..Edit::default() };
    let mut mac = None;
    for (column, field) in columns.iter().zip(fields) {
        let text = field.trim();
        let filled = Some(text.to_owned()).filter(|text| !text.is_empty());
        match column.as_str() {
            "mac" => mac = Mac::parse(text).filter(|mac| !mac.is_nobodys()),
            "model" => edit.model = filled,
            "number" => edit.number = Some(filled),
            "account" if text.is_empty() => {}
            "account" => {
                let account = text.parse().ok().filter(|account| (1..=16).contains(account));
                edit.account = Some(account.ok_or_else(|| fault(line, "accounts go from 1 to 16"))?);
            }
            "label" => edit.label = Some(text.to_owned()),
            _ => edit.template = Some(filled),
        }
    }
    let mac = mac.ok_or_else(|| fault(line, "write a MAC address as twelve hexadecimal digits"))?;
    Ok((mac, edit))
}

/// Writes a table that [`parse_csv`] reads; secrets are not in it.
pub fn export_csv<'a>(devices: impl Iterator<Item = DeviceView<'a>>) -> String {
    let mut text = COLUMNS.join(",") + "\r\n";
    for device in devices {
        let account = device.account.to_string();
        let (number, template) = (device.number.unwrap_or_default(), device.template.unwrap_or_default());
        let mac = device.mac.to_string();
        let fields = [&mac, device.model, number, &account, device.label, template].map(quoted);
        text.push_str(&(fields.join(",") + "\r\n"));
    }
    text
}

/// A field, in quotes where it needs them.
fn quoted(field: &str) -> String {
    let is_plain = !field.contains([',', ';', '"', '\r', '\n']) && field.trim() == field;
    if is_plain { field.to_owned() } else { format!("\"{}\"", field.replace('"', "\"\"")) }
}

struct Rows<'a> {
    text: &'a str,
    line: usize,
}

impl Rows<'_> {
    /// The next row with the line on which it begins.
    fn next_row(&mut self) -> Result<Option<(usize, Vec<String>)>, CsvFault> {
        if self.text.is_empty() {
            return Ok(None);
        }
        let first_line = self.line;
        let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
        let mut signs = self.text.char_indices().peekable();
        let mut end = self.text.len();
        while let Some((at, sign)) = signs.next() {
            match sign {
                '"' if quoted && signs.peek().is_some_and(|(_, next)| *next == '"') => {
                    signs.next();
                    field.push('"');
                }
                '"' if quoted || field.trim().is_empty() => {
                    quoted = !quoted;
                    if quoted {
                        field.clear();
                    }
                }
                ',' | ';' if !quoted => fields.push(std::mem::take(&mut field)),
                '\n' => {
                    self.line += 1;
                    if !quoted {
                        end = at + 1;
                        break;
                    }
                    field.push(sign);
                }
                '\r' if !quoted => {}
                _ => field.push(sign),
            }
        }
        if quoted && end == self.text.len() {
            return Err(fault(first_line, "a quoted field does not end"));
        }
        fields.push(field);
        self.text = self.text.get(end..).unwrap_or_default();
        Ok(Some((first_line, fields)))
    }
}

fn fault(line: usize, message: &str) -> CsvFault {
    CsvFault { line, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proto::Rng;

    use super::super::device::Device;
    use super::*;

    /// Whether a device is as a line of the table says.
    fn is_as(device: &Device, mac: Mac, edit: &Edit) -> bool {
        device.mac == mac
            && Some(&device.label) == edit.label.as_ref()
            && Some(&device.number) == edit.number.as_ref()
    }

    #[test]
    fn columns_stand_in_any_order_and_faults_name_their_line() {
        let text = "number;MAC;label\r\n7001;00:21:F2:22:B0:21;\"Desk; left\"\r\n\r\n7002;0021f222b022;\r\n";
        let read = parse_csv(text).expect("a table");
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].1.label.as_deref(), Some("Desk; left"));
        assert_eq!(read[1].1.number, Some(Some("7002".to_owned())));
        let told = |text: &str| parse_csv(text).expect_err("a fault").to_string();
        assert!(told("").contains("line 1: the table is empty"));
        assert!(told("mac,colour\n").contains("no column is called colour"));
        assert!(told("number\n7001\n").contains("a column mac is needed"));
        assert!(told("mac\n0021f222b021\nx\n").contains("line 3: write a MAC"));
        assert!(told("mac\n0021f222b021\n00-21-f2-22-b0-21\n").contains("line 3: 0021f222b021 stands"));
        assert!(told("mac,label\n0021f222b021\n").contains("line 2: 1 fields in 2 columns"));
        assert!(told("mac,label\n0021f222b021,\"x\n").contains("line 2: a quoted field does not end"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_the_same(label in "[ -~]{0,30}", number in "[0-9]{1,6}") {
            let mac = Mac::parse("0021f222b021").expect("a MAC address");
            let device = Device::new(mac, "FIP14G", &mut Rng::from_number(1));
            let device = Device { label: label.trim().to_owned(), number: Some(number), ..device };
            let text = export_csv([DeviceView::of(&device)].into_iter());
            let read = parse_csv(&text).expect("a table");
            prop_assert!(is_as(&device, read[0].0, &read[0].1), "{text}");
        }

        #[test]
        fn anything_is_read_without_harm(text in "\\PC*|(mac[,;\"\na-f0-9:]{0,80})") {
            let _ = parse_csv(&text);
        }
    }
}
