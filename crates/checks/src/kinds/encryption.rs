//! `encryption`: a key is there, has the right length, and what it encrypts it decrypts again.

use std::time::Duration;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use crate::probe::{Failure, Probe, Report, Running};
use crate::secret::Secret;

/// Of AES-256.
const KEY_LENGTH: usize = 32;

const PLAIN: &[u8] = b"the quick brown fox";

/// What is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// In hexadecimal, in base64, or as it is; `None` where it is not set.
    pub key: Option<Secret>,
    /// Shown beside the result.
    pub environment: String,
}

#[derive(Debug)]
pub(super) struct Encryption(Settings);

impl Encryption {
    pub(super) fn new(settings: Settings) -> Self {
        Self(settings)
    }

    fn attempt(&self) -> Result<Report, Failure> {
        let secret = self.0.key.as_ref().filter(|key| !key.expose().is_empty());
        let measured = |failure: Failure, set: f64, valid: f64| {
            let failure =
                failure.measure("health_encryption_key_set", set).measure("health_encryption_key_valid", valid);
            failure.measure("health_encryption_test_passed", 0.0)
        };
        let secret = secret.ok_or_else(|| measured(Failure::condition("the key is not set"), 0.0, 0.0))?;
        let key = decoded(secret.expose());
        let key = key.ok_or_else(|| {
            let written = secret.expose().len();
            let failure = Failure::condition(format!(
                "the key is not one of {KEY_LENGTH} bytes in hexadecimal, base64 or as it is: it has {written} characters"
            ));
            measured(failure, 1.0, 0.0)
        })?;
        round_trip(&key).map_err(|failure| measured(failure, 1.0, 1.0))?;
        let report = [
            ("health_encryption_key_set", 1.0),
            ("health_encryption_key_valid", 1.0),
            ("health_encryption_test_passed", 1.0),
            ("health_encryption_key_length", KEY_LENGTH as f64),
        ];
        let report = report.into_iter().fold(Report::default(), |report, (name, value)| report.measure(name, value));
        Ok(report.fact("algorithm", "aes-256-gcm").fact("environment", self.0.environment.as_str()))
    }
}

/// A key of the right length, in whichever of the three forms it is written.
fn decoded(text: &str) -> Option<[u8; KEY_LENGTH]> {
    let text = text.trim();
    let bytes = match text.len() {
        // 64 hexadecimal digits.
        64 => hexadecimal(text),
        // 32 bytes in base64, with its padding or without, of either alphabet.
        43 | 44 => base64(text.trim_end_matches('=')),
        _ => Some(text.as_bytes().to_vec()),
    };
    bytes?.try_into().ok()
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(&pair[0])? << 4 | digit(&pair[1])?)).collect()
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut buffer, mut bits) = (Vec::with_capacity(text.len() * 3 / 4), 0_u32, 0);
    for character in text.bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        buffer = (buffer << 6 | u32::from(value)) & 0xff_ffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(buffer >> bits & 0xff).ok()?);
        }
    }
    Some(bytes)
}

fn round_trip(key: &[u8]) -> Result<(), Failure> {
    let failed = |_| Failure::protocol("AES-256-GCM does not decrypt what it encrypted");
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(failed)?);
    let mut nonce = [0; 12];
    SystemRandom::new().fill(&mut nonce).map_err(|_| Failure::protocol("the system gives no random numbers"))?;
    let mut text = PLAIN.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut text).map_err(failed)?;
    let opened = key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut text).map_err(failed)?;
    if opened == PLAIN { Ok(()) } else { Err(failed(ring::error::Unspecified)) }
}

impl Probe for Encryption {
    fn run(&mut self, _: Duration) -> Running<'_> {
        let result = self.attempt();
        Box::pin(std::future::ready(result))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attempt(key: Option<&str>) -> Result<Report, Failure> {
        Encryption(Settings { key: key.map(Secret::new), environment: "production".to_owned() }).attempt()
    }

    #[test]
    fn a_key_is_taken_in_each_form_in_which_people_keep_it() {
        let hexadecimal = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
        let base64 = "ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=";
        assert_eq!(decoded(hexadecimal), decoded(base64));
        for key in [hexadecimal, base64, "0123456789abcdef0123456789abcdef"] {
            let report = attempt(Some(key)).unwrap();
            assert!(report.measures.iter().any(|measure| measure.name == "health_encryption_test_passed"));
        }
    }

    #[test]
    fn a_key_that_is_absent_or_of_another_length_fails_without_being_shown() {
        assert_eq!(attempt(None).unwrap_err().message, "the key is not set");
        assert_eq!(attempt(Some("")).unwrap_err().message, "the key is not set");
        let short = attempt(Some("hunter2")).unwrap_err().message;
        let set = |key: Option<&str>| attempt(key).unwrap_err().measures[0].clone();
        assert_eq!(set(None), seaworthy_core::health::Measure::new("health_encryption_key_set", 0.0));
        assert_eq!(set(Some("hunter2")), seaworthy_core::health::Measure::new("health_encryption_key_set", 1.0));
        assert!(short.ends_with("it has 7 characters") && !short.contains("hunter2"), "{short}");
    }

    proptest! {
        #[test]
        fn any_key_is_judged_and_none_is_shown(key in "[!-~]{4,70}") {
            if let Err(failure) = attempt(Some(&key)) {
                prop_assert!(!failure.message.contains(&key));
            }
        }
    }
}
