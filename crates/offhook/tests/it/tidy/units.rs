//! Numbers that measure something say in what: by the end of their name, or in their docstring.

use super::{relative, sources, text_of};

const NUMBERS: &[&str] =
    &["u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32", "f64"];

/// Ends of names that are units.
const UNITS: &[&str] = &[
    "s", "ms", "us", "min", "hz", "bytes", "bits", "kbps", "db", "dbm0", "dbfs", "percent", "ppm", "mb",
    "packets", "frames", "samples", "blocks", "lines",
];

/// Words by which a docstring names a unit.
const UNIT_WORDS: &[&str] = &[
    "second",
    "minute",
    "hour",
    "day",
    "byte",
    "bits",
    "hertz",
    "dbm0",
    "decibel",
    "percent",
    "thousandths",
    "millionths",
    "256ths",
    "units of",
    "packets",
    "blocks",
    "0 to ",
    "1 to ",
];

/// Parts of names that tell of a time, a size, a rate or a level.
const MEASURES: &[&str] = &[
    "age",
    "bandwidth",
    "delay",
    "duration",
    "expires",
    "expiry",
    "interval",
    "jitter",
    "latency",
    "length",
    "level",
    "offset",
    "period",
    "rate",
    "size",
    "timeout",
    "ttl",
    "wait",
];

/// Beginnings of docstrings that tell of a time, a size or a place.
const MEASURED: &[&str] = &["When ", "How long ", "How much ", "Since when ", "Until when ", "Byte position"];

#[test]
fn numbers_that_measure_name_their_unit() {
    let mut faults = Vec::new();
    for path in
        sources().map(|path| (relative(&path), text_of(&path))).filter(|(path, _)| path.contains("/src/"))
    {
        let (path, text) = path;
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        faults.extend(without_unit(code).into_iter().map(|field| format!("{path}: {field}")));
    }
    assert!(faults.is_empty(), "end the name with a unit, or say it in the docstring: {faults:#?}");
}

/// The public numeric fields of a text that measure something in nobody knows what.
fn without_unit(code: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut doc = String::new();
    for line in code.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            doc.push_str(text.trim_start());
            doc.push(' ');
        } else if !line.starts_with("#[") {
            fields.extend(number_field(line).filter(|name| lacks_unit(name, &doc)).map(str::to_owned));
            doc.clear();
        }
    }
    fields
}

/// The name of a public field that is a number, or none or one.
fn number_field(line: &str) -> Option<&str> {
    let (name, kind) = line.strip_prefix("pub ")?.strip_suffix(',')?.split_once(": ")?;
    let kind = kind.strip_prefix("Option<").and_then(|kind| kind.strip_suffix('>')).unwrap_or(kind);
    NUMBERS.contains(&kind).then_some(name)
}

fn lacks_unit(name: &str, doc: &str) -> bool {
    let measures = name.split('_').any(|part| MEASURES.contains(&part))
        || MEASURED.iter().any(|beginning| doc.starts_with(beginning));
    let named = name.rsplit('_').next().is_some_and(|last| name != last && UNITS.contains(&last));
    let doc = doc.to_ascii_lowercase();
    measures && !named && !UNIT_WORDS.iter().any(|word| doc.contains(word))
}

#[test]
fn a_number_without_unit_is_found() {
    let code =
        |field: &str| without_unit(&format!("struct A {{\n    /// When it came.\n    pub {field},\n}}"));
    assert_eq!(code("came: Option<u64>"), ["came"]);
    assert_eq!(code("came_ms: u64"), [""; 0]);
    assert_eq!(code("came: Time"), [""; 0]);
    assert_eq!(without_unit("/// The wait.\npub wait: u32,"), ["wait"]);
    assert_eq!(without_unit("/// The wait, in seconds.\n#[serde(default)]\npub wait: u32,"), [""; 0]);
    assert_eq!(without_unit("/// How many there are.\npub there: u32,"), [""; 0]);
}
