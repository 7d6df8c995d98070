//! Where telemetry goes, and how much of it.

use std::borrow::Cow;

use seaworthy::otlp::{Protocol, Settings};
use serde_json::Value;

use super::{Complaint, Kind, text};

/// The address of a collector: `http://127.0.0.1:4318`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CollectorUrl(pub(crate) String);

impl Kind for CollectorUrl {
    fn name() -> Cow<'static, str> {
        "collector URL".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "type": "string", "pattern": "^https?://[!-~]+$" })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        const EXAMPLE: &str = "http://127.0.0.1:4318";
        let text = text(value, "a URL", EXAMPLE)?.trim();
        if text.contains('@') {
            return Err(Complaint::new("holds a user or a password", "send keys in trace.headers"));
        }
        Settings::new(text, Protocol::Http, "")
            .map_err(|_| Complaint::new("is not the URL of a collector", format!("write one as in \"{EXAMPLE}\"")))?;
        Ok(Self(text.to_owned()))
    }

    fn write(&self) -> Value {
        self.0.clone().into()
    }
}

/// A part of a whole: 0 is nothing, 1 is all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ratio(pub(crate) f64);

/// What is read is a number.
impl Eq for Ratio {}

impl Kind for Ratio {
    fn name() -> Cow<'static, str> {
        "ratio".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "type": "number", "minimum": 0, "maximum": 1 })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        let ratio = value.as_f64().filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.map(Self).ok_or_else(|| Complaint::new("is not a ratio", "write a number from 0 to 1, as in 0.1"))
    }

    fn write(&self) -> Value {
        self.0.into()
    }
}
