//! Sizes and rates in bytes: `64KiB`, `10MB`, `240B/s`.

use std::borrow::Cow;

use serde_json::Value;

use super::{Complaint, Kind, text};

/// Largest first. Where two divide evenly the first wins, so `1000KiB` is not written as `1024000B`.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

#[cfg(test)]
const PATTERN: &str = "[0-9]+ ?([kKmMgGtT][iI]?)?[bB]";
const HOW: &str = "the units are B, KB, MB, GB, TB (powers of 1000) and KiB, MiB, GiB, TiB (powers of 1024)";

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl Kind for Size {
    fn name() -> Cow<'static, str> {
        "size".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "type": "string", "pattern": format!("^{PATTERN}$") })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        if let Value::Number(number) = value {
            return Err(Complaint::new("is a size without a unit", format!("did you mean \"{number}B\"? {HOW}")));
        }
        parse(text(value, "a size", "64KiB")?).map(Self)
    }

    fn write(&self) -> Value {
        written(self.0).into()
    }
}

/// A number of bytes a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteRate(pub(crate) u64);

impl Kind for ByteRate {
    fn name() -> Cow<'static, str> {
        "byte rate".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "type": "string", "pattern": format!("^{PATTERN}/s$") })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        if let Value::Number(number) = value {
            return Err(Complaint::new(
                "is a rate without a unit",
                format!("did you mean \"{number}B/s\"? {HOW}, each /s"),
            ));
        }
        let text = text(value, "a rate", "240B/s")?;
        let size = text.trim().strip_suffix("/s");
        let size =
            size.ok_or_else(|| Complaint::new("is not a rate a second", "write it as \"240B/s\" or \"1KiB/s\""))?;
        parse(size).map(Self)
    }

    fn write(&self) -> Value {
        format!("{}/s", written(self.0)).into()
    }
}

fn parse(text: &str) -> Result<u64, Complaint> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let number: u64 = number.parse().map_err(|_| Complaint::new("is not a size", HOW))?;
    let unit = unit.trim_start();
    if unit.is_empty() {
        return Err(Complaint::new("is a size without a unit", format!("did you mean \"{number}B\"? {HOW}")));
    }
    let known = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
    let (_, factor) = known.ok_or_else(|| Complaint::new("is not a size", HOW))?;
    let bytes = number.checked_mul(*factor);
    bytes.ok_or_else(|| Complaint::new("is more than 64 bits can count", "write a smaller size"))
}

fn written(bytes: u64) -> String {
    let even = UNITS.iter().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    even.map_or_else(|| format!("{bytes}B"), |(unit, factor)| format!("{}{unit}", bytes / factor))
}
