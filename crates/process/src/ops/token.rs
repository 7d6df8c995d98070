//! What strangers bring to be believed: `Authorization: Bearer` (RFC 6750, 2.1), compared in constant time.

use http::{HeaderMap, header};
use ring::hmac;
use ring::rand::SystemRandom;

use crate::config::Secret;

/// A token, as it is known here: its own bytes are not kept.
#[derive(Debug)]
pub(super) struct Token {
    /// Of this process and this token alone; how long a comparison takes says nothing about either.
    key: hmac::Key,
    tag: hmac::Tag,
}

impl Token {
    /// `None` where the system gives no random numbers: then nobody is believed.
    pub(super) fn new(secret: &Secret) -> Option<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?;
        let tag = hmac::sign(&key, secret.expose().as_bytes());
        Some(Self { key, tag })
    }

    /// Whether a request with these headers brings it.
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        let token = bearer(headers).unwrap_or_default();
        hmac::verify(&self.key, token.as_bytes(), self.tag.as_ref()).is_ok()
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_believed_when_it_comes_whole_and_as_a_bearer() {
        let token = Token::new(&Secret::new("0123456789abcdef".to_owned())).unwrap();
        let brought = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            token.is_in(&headers)
        };
        assert!(brought("Bearer 0123456789abcdef") && brought("bearer  0123456789abcdef "));
        for wrong in ["0123456789abcdef", "Basic 0123456789abcdef", "Bearer 0123456789abcde", "Bearer", "Bearer "] {
            assert!(!brought(wrong), "{wrong}");
        }
        assert!(!token.is_in(&HeaderMap::new()));
    }
}
