//! The values that the configuration is written in: one kind a file.
//!
//! A [`Kind`] says once how it is written, read and described; the schema, the reader, `config show` and the error
//! messages all come from it. [`As`] carries a kind through serde and schemars, so that a raw table can derive both.

mod address;
mod cidr;
mod collector;
mod command;
mod destination;
pub(crate) mod duration;
mod port;
mod public;
mod secret;
mod sharing;
mod signal;
mod size;
mod status;
mod target;
#[cfg(test)]
mod tests;
mod text;
mod user;

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;

#[cfg(test)]
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub(crate) use self::address::{Address, Bind, socket_path};
pub(crate) use self::cidr::Cidr;
pub(crate) use self::collector::{CollectorUrl, Ratio};
pub(crate) use self::command::{Argv, HookCommand};
pub(crate) use self::destination::Destination;
pub(crate) use self::port::AppPort;
pub(crate) use self::public::PublicProbes;
#[cfg(test)]
pub(crate) use self::secret::MASK;
pub(crate) use self::secret::{Secret, SecretSource};
pub(crate) use self::sharing::Origin;
pub(crate) use self::signal::Signal;
pub(crate) use self::size::{ByteRate, Size};
pub(crate) use self::status::StatusRange;
pub(crate) use self::target::{Host, Target};
pub(crate) use self::text::{FilePath, UrlPath};
pub(crate) use self::user::{Account, User};

/// Why a value was refused. It never quotes the value: that is done where it is known not to be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) message: String,
    /// What to write instead.
    pub(crate) hint: Option<String>,
}

impl Complaint {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

/// A value with a notation of its own.
pub(crate) trait Kind: Sized {
    /// What the schema calls it, under `x-kind`.
    fn name() -> Cow<'static, str>;

    /// What JSON Schema can say about it.
    #[cfg(test)]
    fn schema() -> Value;

    fn read(value: &Value) -> Result<Self, Complaint>;

    /// As it would be written in the file; what is secret is masked.
    fn write(&self) -> Value;
}

/// A [`Kind`] as serde and schemars see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct As<T>(pub(crate) T);

impl<T: Kind> Serialize for As<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write().serialize(serializer)
    }
}

impl<'de, T: Kind> Deserialize<'de> for As<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        T::read(&value).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
impl<T: Kind> JsonSchema for As<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::name()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = Schema::try_from(T::schema()).expect("every kind describes itself with an object");
        schema.insert("x-kind".into(), T::name().into());
        schema
    }
}

/// Something that can be switched off with the word `off`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OrOff<T> {
    Off,
    On(T),
}

impl<T> OrOff<T> {
    pub(crate) fn on(self) -> Option<T> {
        match self {
            Self::Off => None,
            Self::On(value) => Some(value),
        }
    }
}

impl<T: Kind> Kind for OrOff<T> {
    fn name() -> Cow<'static, str> {
        format!("{} or \"off\"", T::name()).into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "anyOf": [{ "const": "off" }, T::schema()] })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        if value.as_str() == Some("off") || *value == Value::Bool(false) {
            return Ok(Self::Off);
        }
        T::read(value).map(Self::On)
    }

    fn write(&self) -> Value {
        match self {
            Self::Off => "off".into(),
            Self::On(value) => value.write(),
        }
    }
}

impl Kind for NonZeroU32 {
    fn name() -> Cow<'static, str> {
        "count".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok()).and_then(Self::new);
        number.ok_or_else(|| Complaint::new("is not a count", "write a whole number from 1"))
    }

    fn write(&self) -> Value {
        self.get().into()
    }
}

/// The text of `value`, or a complaint that says what it should have been.
fn text<'v>(value: &'v Value, what: &str, example: &str) -> Result<&'v str, Complaint> {
    value.as_str().ok_or_else(|| Complaint::new(format!("is not {what}"), format!("write it in quotes: \"{example}\"")))
}
