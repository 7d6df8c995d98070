//! Times: `250ms`, `5s`, `1m30s`, `12h`, `30d`.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::{Complaint, Kind};

/// Largest first, which is also the order in which the parts are written.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A longer one is a mistake, and adding it to a clock could overflow.
const LONGEST: Duration = Duration::from_hours(366 * 24);

const HOW: &str = "write whole numbers with the units ms, s, m, h and d: \"250ms\", \"5s\", \"1m30s\"";

impl Kind for Duration {
    fn name() -> Cow<'static, str> {
        "duration".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "type": "string", "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$", "minLength": 2 })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        match value {
            Value::Number(number) => {
                Err(Complaint::new("is a time without a unit", format!("did you mean \"{number}s\"? {HOW}")))
            }
            Value::String(text) => parse(text),
            _ => Err(Complaint::new("is not a time", HOW)),
        }
    }

    fn write(&self) -> Value {
        written(*self).into()
    }
}

fn parse(text: &str) -> Result<Duration, Complaint> {
    let malformed = || Complaint::new("is not a time", HOW);
    let (mut rest, mut millis, mut units) = (text.trim(), 0_u64, UNITS.iter());
    if rest.is_empty() {
        return Err(malformed());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        if unit.is_empty() && tail.is_empty() && !number.is_empty() {
            return Err(Complaint::new("is a time without a unit", format!("did you mean \"{text}s\"? {HOW}")));
        }
        // The iterator goes on where the last part left it: parts must come largest first, each once.
        let (_, factor) = units.find(|(name, _)| *name == unit).ok_or_else(malformed)?;
        let number: u64 = number.parse().map_err(|_| malformed())?;
        millis = number.checked_mul(*factor).and_then(|part| part.checked_add(millis)).ok_or_else(too_long)?;
        rest = tail;
    }
    let duration = Duration::from_millis(millis);
    if duration > LONGEST { Err(too_long()) } else { Ok(duration) }
}

fn too_long() -> Complaint {
    Complaint::new("is longer than a year", "write at most \"366d\"")
}

/// The shortest notation of `duration`, to the millisecond.
pub(crate) fn written(duration: Duration) -> String {
    let mut left = duration.as_millis();
    if left == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, factor) in UNITS {
        let number = left / u128::from(factor);
        if number > 0 {
            // Writing to a string cannot fail.
            let _ = write!(text, "{number}{unit}");
            left %= u128::from(factor);
        }
    }
    text
}
