//! One line of a trail.
//!
//! ```text
//! {"seq":7,"time":"…","service":"orders","event":"paused","message":"…","by":"uid 0 pid 123","details":{…},"prev":"…","hash":"…"}
//! ```
//!
//! `hash` seals every byte of the line before it, and `prev` is the `hash` of the line before.

use std::time::SystemTime;

use seaworthy_core::redact::Redactor;
use serde_json::{Map, Value as Json, json};

use super::seal::{Hash, Seal};

/// Something that happened, and who did it.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "it is in the trail when it was recorded"]
pub struct Entry {
    pub(super) event: String,
    pub(super) message: String,
    pub(super) by: Option<String>,
    pub(super) details: Map<String, Json>,
    pub(super) time: SystemTime,
}

impl Entry {
    /// An entry of now. `event` is the stable name by which it is searched for.
    ///
    /// ```
    /// use seaworthy::audit::Entry;
    ///
    /// let entry = Entry::new("orders_exported", "all orders were exported").by("user 7").detail("rows", 1042);
    /// ```
    pub fn new(event: impl Into<String>, message: impl Into<String>) -> Self {
        let (event, message) = (event.into(), message.into());
        Self { event, message, by: None, details: Map::new(), time: SystemTime::now() }
    }

    /// Who did it.
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.by = Some(who.into());
        self
    }

    /// What else is known. Values of secret names are redacted.
    pub fn detail(mut self, name: impl Into<String>, value: impl Into<Json>) -> Self {
        self.details.insert(name.into(), value.into());
        self
    }
}

/// Where an entry stands: its number, from 1, and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// From 1, without a gap.
    pub number: u64,
    /// Of the whole line before it.
    pub hash: Hash,
}

impl Link {
    /// Before the first entry.
    pub(super) const START: Self = Self { number: 0, hash: Hash::NONE };
}

/// Between what is sealed and the hash.
const BEFORE_HASH: &[u8] = b",\"hash\":\"";
const AFTER_HASH: &[u8] = b"\"}";

/// Appends the entry that follows `last`, and says where it stands.
pub(super) fn write(
    out: &mut Vec<u8>,
    entry: &Entry,
    service: &str,
    redactor: &Redactor,
    last: Link,
    seal: &Seal,
) -> Link {
    let number = last.number + 1;
    let time = jiff::Timestamp::try_from(entry.time).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let mut details = Json::Object(entry.details.clone());
    redact(redactor, "", &mut details);
    let mut fields = json!({
        "seq": number,
        "time": format!("{time:.3}"),
        "service": service,
        "event": entry.event,
        "message": redactor.text(&entry.message),
    });
    if let Some(by) = &entry.by {
        fields["by"] = by.as_str().into();
    }
    if details.as_object().is_some_and(|details| !details.is_empty()) {
        fields["details"] = details;
    }
    fields["prev"] = last.hash.as_str().into();
    let begin = out.len();
    // JSON of serde has no raw newline in it: control characters are escaped.
    out.extend_from_slice(fields.to_string().as_bytes());
    // The brace comes after the hash.
    out.pop();
    let hash = seal.hash(&out[begin..]);
    out.extend_from_slice(BEFORE_HASH);
    out.extend_from_slice(hash.as_str().as_bytes());
    out.extend_from_slice(AFTER_HASH);
    out.push(b'\n');
    Link { number, hash }
}

fn redact(redactor: &Redactor, name: &str, value: &mut Json) {
    match value {
        Json::String(text) => *text = redactor.value(name, text).into_owned(),
        Json::Array(items) => items.iter_mut().for_each(|item| redact(redactor, name, item)),
        Json::Object(table) => table.iter_mut().for_each(|(name, value)| redact(redactor, name, value)),
        leaf if redactor.is_secret(name) => *leaf = seaworthy_core::redact::REDACTED.into(),
        _ => {}
    }
}

/// A line, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) link: Link,
    pub(super) prev: Hash,
    /// Whether the hash is that of what stands before it.
    pub(super) sealed: bool,
    pub(super) time: String,
}

/// Takes a line apart; `None` if it is no entry.
pub(super) fn read(line: &[u8], seal: &Seal) -> Option<Read> {
    let rest = line.strip_suffix(AFTER_HASH)?;
    let (rest, hash) = rest.split_at_checked(rest.len().checked_sub(Hash::LENGTH)?)?;
    let (content, hash) = (rest.strip_suffix(BEFORE_HASH)?, Hash::read(hash)?);
    let fields: Json = serde_json::from_slice(line).ok()?;
    Some(Read {
        link: Link { number: fields["seq"].as_u64()?, hash },
        prev: Hash::read(fields["prev"].as_str()?.as_bytes())?,
        sealed: seal.hash(content) == hash,
        time: fields["time"].as_str().unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_sealed_with_the_one_before_and_holds_no_secret() {
        let (seal, mut out) = (Seal::plain(), Vec::new());
        let entry = Entry::new("x", "see http://me:abracadabra@a/").by("uid 0").detail("api_key", "abracadabra");
        let first = write(&mut out, &entry, "orders", &Redactor::default(), Link::START, &seal);
        let length = out.len();
        let second = write(&mut out, &Entry::new("y", "a\nb"), "orders", &Redactor::default(), first, &seal);
        let text = String::from_utf8(out.clone()).unwrap();
        assert!(!text.contains("abracadabra") && text.lines().count() == 2, "{text}");
        let of = |line: &[u8]| read(line, &seal).unwrap();
        assert_eq!(of(&out[..length - 1]).link, first);
        let read_second = of(&out[length..out.len() - 1]);
        assert_eq!((read_second.link, read_second.prev, read_second.sealed), (second, first.hash, true));
    }

    #[test]
    fn a_key_makes_other_hashes() {
        let hash = |seal: &Seal| {
            write(
                &mut Vec::new(),
                &Entry { time: SystemTime::UNIX_EPOCH, ..Entry::new("x", "x") },
                "a",
                &Redactor::default(),
                Link::START,
                seal,
            )
            .hash
        };
        assert_eq!(hash(&Seal::plain()), hash(&Seal::plain()));
        assert_ne!(hash(&Seal::plain()), hash(&Seal::keyed(b"a")));
        assert_ne!(hash(&Seal::keyed(b"b")), hash(&Seal::keyed(b"a")));
    }
}
