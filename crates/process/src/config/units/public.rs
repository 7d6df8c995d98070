//! Which probes the public listener answers: `true`, `false`, or a list of paths.

use std::borrow::Cow;

use serde_json::Value;

use super::{Complaint, Kind, UrlPath};

/// Which probes the public listener answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicProbes {
    Off,
    All,
    /// Only these paths, each of which answers a verdict.
    Paths(Vec<String>),
}

impl Kind for PublicProbes {
    fn name() -> Cow<'static, str> {
        "true, false or paths".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "anyOf": [{ "type": "boolean" }, { "type": "array", "items": UrlPath::schema() }] })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        match value {
            Value::Bool(false) => Ok(Self::Off),
            Value::Bool(true) => Ok(Self::All),
            Value::Array(paths) => {
                let paths: Result<Vec<_>, _> =
                    paths.iter().map(|path| UrlPath::read(path).map(|path| path.0)).collect();
                paths.map(Self::Paths)
            }
            _ => Err(Complaint::new("is neither true, false nor a list", "write true, false or [\"/health/ready\"]")),
        }
    }

    fn write(&self) -> Value {
        match self {
            Self::Off => false.into(),
            Self::All => true.into(),
            Self::Paths(paths) => paths.clone().into(),
        }
    }
}
