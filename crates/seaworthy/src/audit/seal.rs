//! What an entry is sealed with: a hash that anybody can compute, or one that takes a key.

use std::fmt;

use ring::{digest, hmac};
use seaworthy_core::trace::encode;

/// SHA-256, or HMAC-SHA-256 with a key.
#[derive(Clone)]
pub struct Seal(Option<hmac::Key>);

/// The hash of an entry, in hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; Hash::LENGTH]);

impl Seal {
    /// Anybody can check a trail, and whoever can write all of it can also make another that is as good.
    pub fn plain() -> Self {
        Self(None)
    }

    /// Only who knows `key` can make a trail, or check one.
    pub fn keyed(key: &[u8]) -> Self {
        Self(Some(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    pub(super) fn hash(&self, bytes: &[u8]) -> Hash {
        let mut text = [0; Hash::LENGTH];
        match &self.0 {
            None => encode(digest::digest(&digest::SHA256, bytes).as_ref(), &mut text),
            Some(key) => encode(hmac::sign(key, bytes).as_ref(), &mut text),
        }
        Hash(text)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Seal(keyed)" } else { "Seal(plain)" })
    }
}

impl Hash {
    pub(super) const LENGTH: usize = 64;

    /// What the first entry says of the one before it.
    pub(super) const NONE: Self = Self([b'0'; Self::LENGTH]);

    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let text: [u8; Self::LENGTH] = text.try_into().ok()?;
        text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).then_some(Self(text))
    }

    /// As it stands in the trail: 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
