//! Where the program listens: a port, or `false`.

use std::borrow::Cow;
use std::num::NonZeroU16;

use serde_json::Value;

use super::{Complaint, Kind};

/// Where the program listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AppPort {
    /// A free one that we pick and hand over as `PORT`.
    Pick,
    Fixed(NonZeroU16),
    /// Nowhere: a worker without HTTP.
    None,
}

impl Kind for AppPort {
    fn name() -> Cow<'static, str> {
        "port or false".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "anyOf": [{ "type": "integer", "minimum": 1, "maximum": 65535 }, { "const": false }] })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        let malformed = || {
            Complaint::new(
                "is not a port",
                "write 1 to 65535, false for a program without HTTP, or leave it out to have one picked",
            )
        };
        match value {
            Value::Bool(false) => Ok(Self::None),
            Value::Number(number) => {
                let port = number.as_u64().and_then(|port| u16::try_from(port).ok()).and_then(NonZeroU16::new);
                port.map(Self::Fixed).ok_or_else(malformed)
            }
            _ => Err(malformed()),
        }
    }

    fn write(&self) -> Value {
        match self {
            Self::Pick => Value::Null,
            Self::Fixed(port) => port.get().into(),
            Self::None => false.into(),
        }
    }
}
