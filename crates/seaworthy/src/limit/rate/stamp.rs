//! The headers that tell a client of its allowance.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use seaworthy_core::limit::{Decision, Limit};

use crate::value;

static LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
static REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
static RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
static RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
static POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Numbers below this need no allocation.
const COMMON: u32 = 1000;

/// The common numbers as values. Their text is leaked, once: a value of static text is cloned for nothing, while one that is
/// counted would be a number that every core writes.
static NUMBERS: LazyLock<Vec<HeaderValue>> = LazyLock::new(|| {
    let texts = (0..COMMON).map(|number| &*number.to_string().leak());
    texts.map(HeaderValue::from_static).collect()
});

fn number(number: u32) -> HeaderValue {
    let common = usize::try_from(number).ok().and_then(|place| NUMBERS.get(place));
    // Digits are a value.
    let uncommon =
        || value::of(itoa::Buffer::new().format(number).as_bytes()).unwrap_or_else(|_| HeaderValue::from(number));
    common.cloned().unwrap_or_else(uncommon)
}

/// Whole seconds, rounded up: who waits as long as he is told must not be refused again.
pub(super) fn seconds(duration: Duration) -> u32 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    u32::try_from(whole).unwrap_or(u32::MAX)
}

/// A number that stands on every answer: its text is kept for as long as the process lives, once, however many limits say it.
pub(super) fn constant(number: u32) -> HeaderValue {
    static TEXTS: Mutex<BTreeMap<u32, &'static str>> = Mutex::new(BTreeMap::new());
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    HeaderValue::from_static(texts.entry(number).or_insert_with(|| number.to_string().leak()))
}

/// What every answer tells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    remaining: u32,
    /// In how many seconds there is all of it again.
    reset: u32,
}

impl Allowance {
    /// The names of its headers.
    pub(crate) const NAMES: [&HeaderName; 3] = [&LIMIT, &REMAINING, &RESET];

    pub(super) fn of(decision: &Decision) -> Self {
        Self { remaining: decision.remaining, reset: seconds(decision.reset) }
    }

    /// Their values, in the order of the names.
    ///
    /// `most` is how much there is at most, as a [`constant`].
    pub(crate) fn values(self, most: HeaderValue) -> [HeaderValue; 3] {
        [most, number(self.remaining), number(self.reset)]
    }

    pub(super) fn put(self, most: HeaderValue, headers: &mut HeaderMap) {
        for (name, value) in Self::NAMES.into_iter().zip(self.values(most)) {
            headers.insert(name, value);
        }
    }
}

/// On refusals, by the draft of the IETF. One that was made of numbers is a header value.
pub(super) fn policy(headers: &mut HeaderMap, limit: &Limit, decision: &Decision) {
    let (quota, window) = (limit.most(), limit.rate().period().as_secs());
    if let Ok(policy) = HeaderValue::try_from(format!("\"default\";q={quota};w={window}")) {
        headers.insert(&POLICY, policy);
    }
    let wait = seconds(decision.retry_after);
    if let Ok(left) = HeaderValue::try_from(format!("\"default\";r={};t={wait}", decision.remaining)) {
        headers.insert(&RATELIMIT, left);
    }
}
