//! What the schema demands of values, without what it tells people: a tenth of the memory, and there only while a
//! configuration is read.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::schema;

/// What is allowed in one place.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rules<'t> {
    /// A value with a notation of its own, and which.
    #[serde(borrow, default, rename = "x-kind")]
    pub(crate) kind: Option<Cow<'t, str>>,
    #[serde(borrow, default, rename = "type")]
    pub(crate) shape: Option<&'t str>,
    /// Words, all described or none.
    #[serde(borrow, default, rename = "enum")]
    words: Box<[Cow<'t, str>]>,
    #[serde(borrow, default)]
    one_of: Box<[Rules<'t>]>,
    #[serde(borrow, default, rename = "const")]
    word: Option<Cow<'t, str>>,
    /// Of a list.
    #[serde(borrow, default)]
    pub(crate) items: Option<Box<Rules<'t>>>,
    /// Of a table: its known keys, in the order of the reference.
    #[serde(borrow, default)]
    pub(crate) properties: Option<Keys<'t>>,
    /// Of a table whose keys are free.
    #[serde(borrow, default)]
    additional_properties: Free<'t>,
    #[serde(borrow, default)]
    pub(crate) required: Box<[Cow<'t, str>]>,
    pub(crate) minimum: Option<u64>,
    pub(crate) maximum: Option<u64>,
    pub(crate) min_length: Option<u64>,
    /// Whether a change takes effect only after a restart.
    #[serde(default, rename = "x-restart")]
    pub(crate) restart: bool,
    #[serde(borrow, default)]
    examples: Box<[&'t RawValue]>,
}

/// Those of the whole file.
pub(crate) fn read() -> Rules<'static> {
    serde_json::from_str(schema::text()).expect("a test holds that the schema says what the tables say of themselves")
}

impl<'t> Rules<'t> {
    /// The only words that are allowed, where that is so.
    pub(crate) fn words(&self) -> Option<Vec<&str>> {
        if !self.words.is_empty() {
            return Some(self.words.iter().map(|word| &**word).collect());
        }
        let mut all = Vec::new();
        for choice in &self.one_of {
            match &choice.word {
                Some(word) => all.push(&**word),
                // Words without a description share one `enum`.
                None => all.extend(choice.words()?),
            }
        }
        (!all.is_empty()).then_some(all)
    }

    /// Those of a known key.
    pub(crate) fn known(&self, key: &str) -> Option<&Rules<'t>> {
        self.keys().find(|(known, _)| *known == key).map(|(_, rules)| rules)
    }

    /// Those of any key, where keys are free.
    pub(crate) fn free(&self) -> Option<&Rules<'t>> {
        self.additional_properties.0.as_deref()
    }

    /// Those of `key` in this table: a known key's own, or those of any.
    pub(crate) fn of_key(&self, key: &str) -> Option<&Rules<'t>> {
        self.known(key).or_else(|| self.free())
    }

    /// The known keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, &Rules<'t>)> {
        self.properties.iter().flat_map(|keys| &keys.0).map(|(key, rules)| (&**key, rules))
    }

    /// Whether it is a table, of known or of free keys; a kind that may be written as one is none.
    pub(crate) fn is_table(&self) -> bool {
        self.shape == Some("object") && self.kind.is_none()
    }

    /// The first example, which may show a secret's form but never a secret.
    pub(crate) fn example(&self) -> Value {
        self.examples.first().and_then(|text| serde_json::from_str(text.get()).ok()).unwrap_or_default()
    }
}

/// The known keys of a table.
#[derive(Debug)]
pub(crate) struct Keys<'t>(Box<[(Cow<'t, str>, Rules<'t>)]>);

impl<'de: 't, 't> Deserialize<'de> for Keys<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Keys<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the keys of a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut keys = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    keys.push(entry);
                }
                Ok(Keys(keys.into()))
            }
        }

        deserializer.deserialize_map(All)
    }
}

/// `additionalProperties`: `false`, or what any key must be.
#[derive(Debug, Default)]
struct Free<'t>(Option<Box<Rules<'t>>>);

impl<'de: 't, 't> Deserialize<'de> for Free<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Free<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("false, or a schema")
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Free(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
                Ok(Free(Some(Box::new(Rules::deserialize(MapAccessDeserializer::new(entries))?))))
            }
        }

        deserializer.deserialize_any(Either)
    }
}
