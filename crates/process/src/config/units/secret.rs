//! Secrets: `{ env = "NAME" }`, `{ file = "/run/secrets/name" }`, or a literal.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

use super::{Complaint, Kind};

/// What is shown in place of a secret.
pub(crate) const MASK: &str = "***";

/// A value that nothing prints. `==` takes no care to run in constant time: compare what strangers send elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself. Hand it to whoever needs it, and never to a log, an error or a page.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Where a secret is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretSource {
    Env(String),
    File(PathBuf),
    Literal(Secret),
}

const HOW: &str = "write { env = \"NAME\" }, { file = \"/run/secrets/name\" } or text";

impl Kind for SecretSource {
    fn name() -> Cow<'static, str> {
        "secret".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        let source = |key: &str| {
            serde_json::json!({
                "type": "object",
                "properties": { key: { "type": "string", "minLength": 1 } },
                "required": [key],
                "additionalProperties": false,
            })
        };
        serde_json::json!({ "anyOf": [{ "type": "string" }, source("env"), source("file")] })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        let malformed = || Complaint::new("is not a secret", HOW);
        let table = match value {
            Value::String(literal) if literal.contains('\0') => {
                return Err(Complaint::new("holds a NUL byte", "no environment variable can carry one"));
            }
            Value::String(literal) => return Ok(Self::Literal(Secret::new(literal.clone()))),
            Value::Object(table) => table,
            _ => return Err(malformed()),
        };
        let mut entries = table.iter();
        match (entries.next(), entries.next()) {
            (Some((key, Value::String(name))), None) if !name.is_empty() => match key.as_str() {
                "env" => Ok(Self::Env(name.clone())),
                "file" => Ok(Self::File(PathBuf::from(name))),
                _ => Err(malformed()),
            },
            _ => Err(malformed()),
        }
    }

    /// What is in force is shown masked, wherever it came from.
    fn write(&self) -> Value {
        MASK.into()
    }
}
