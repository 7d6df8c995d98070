//! The headers that tell a client of its allowance.

use std::sync::LazyLock;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use seaworthy_core::limit::{Decision, Limit};

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
    common.cloned().unwrap_or_else(|| HeaderValue::from(number))
}

/// Whole seconds, rounded up: who waits as long as he is told must not be refused again.
pub(super) fn seconds(duration: Duration) -> u32 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    u32::try_from(whole).unwrap_or(u32::MAX)
}

/// On every answer.
pub(super) fn allowance(headers: &mut HeaderMap, limit: &Limit, decision: &Decision) {
    headers.insert(&LIMIT, number(limit.most()));
    headers.insert(&REMAINING, number(decision.remaining));
    headers.insert(&RESET, number(seconds(decision.reset)));
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
