//! Statuses of HTTP: `200`, `"200-299"`, `"2xx"`.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::{Complaint, Kind};

/// One status, or those between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusRange(pub(crate) RangeInclusive<u16>);

impl Kind for StatusRange {
    fn name() -> Cow<'static, str> {
        "status".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "anyOf": [
            { "type": "integer", "minimum": 100, "maximum": 599 },
            { "type": "string", "pattern": "^([1-5][0-9][0-9](-[1-5][0-9][0-9])?|[1-5]xx)$" },
        ] })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        let status = |text: &str| text.trim().parse().ok().filter(|status| (100..=599).contains(status));
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let range = match (text.strip_suffix("xx"), text.split_once('-')) {
            (Some(class), _) => status(&format!("{class}00")).map(|first| first..=first + 99),
            (None, Some((first, last))) => status(first).zip(status(last)).map(|(first, last)| first..=last),
            (None, None) => status(&text).map(|status| status..=status),
        };
        let range = range.filter(|range| !range.is_empty());
        range.map(Self).ok_or_else(|| Complaint::new("is no status", "write 200, \"200-299\" or \"2xx\""))
    }

    fn write(&self) -> Value {
        let (first, last) = (*self.0.start(), *self.0.end());
        if first == last { first.into() } else { format!("{first}-{last}").into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_in_the_ways_people_write_them() {
        let read = |value: Value| StatusRange::read(&value).map(|range| range.0).ok();
        assert_eq!(read(serde_json::json!(204)), Some(204..=204));
        assert_eq!(read(serde_json::json!("2xx")), Some(200..=299));
        assert_eq!(read(serde_json::json!("200-206")), Some(200..=206));
        for wrong in [
            serde_json::json!(99),
            serde_json::json!("600"),
            serde_json::json!("299-200"),
            serde_json::json!("9xx"),
            serde_json::json!("ok"),
            serde_json::json!(2.5),
            serde_json::json!("é00"),
        ] {
            assert_eq!(read(wrong.clone()), None, "{wrong}");
        }
        for text in [serde_json::json!(200), serde_json::json!("200-299")] {
            assert_eq!(StatusRange::read(&text).map(|range| range.write()), Ok(text));
        }
    }
}
