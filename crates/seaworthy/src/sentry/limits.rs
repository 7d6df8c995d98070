//! What Sentry asks us not to send for a while.
//!
//! Source: <https://develop.sentry.dev/sdk/expected-features/rate-limiting/>.

use std::time::{Duration, Instant};

/// What an item is, for limits and for the report of what was discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Category {
    Error,
    Transaction,
}

impl Category {
    pub(super) const ALL: [Self; 2] = [Self::Error, Self::Transaction];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Transaction => "transaction",
        }
    }
}

/// A 429 without a word about how long.
const UNSAID: Duration = Duration::from_mins(1);

/// Nobody is believed who wants to be left alone for longer: a slip of a proxy would silence us for good.
const LONGEST: Duration = Duration::from_hours(24);

/// Until when each category is not to be sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits([Option<Instant>; Category::ALL.len()]);

impl Limits {
    /// Whether an item may be sent at `now`.
    pub(super) fn allow(&self, category: Category, now: Instant) -> bool {
        self.0[category as usize].is_none_or(|until| now >= until)
    }

    /// Takes what an answer says: `X-Sentry-Rate-Limits` if it is there, else what a 429 means.
    pub(super) fn update(&mut self, header: Option<&str>, refused: bool, retry_after: Option<Duration>, now: Instant) {
        match header {
            Some(limits) => limits.split(',').for_each(|limit| self.limit(limit, now)),
            None if refused => self.until(Category::ALL, retry_after.unwrap_or(UNSAID), now),
            None => {}
        }
    }

    /// `60:error;default:organization:reason`; no category means all of them.
    fn limit(&mut self, limit: &str, now: Instant) {
        let mut parts = limit.trim().split(':');
        let seconds = parts.next().and_then(|seconds| seconds.trim().parse::<f64>().ok());
        let Some(time) = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) else { return };
        let names = parts.next().unwrap_or_default().trim();
        let concerned =
            |category: &Category| names.is_empty() || names.split(';').any(|name| name.trim() == category.name());
        self.until(Category::ALL.into_iter().filter(concerned), time, now);
    }

    fn until(&mut self, categories: impl IntoIterator<Item = Category>, time: Duration, now: Instant) {
        let until = now + time.min(LONGEST);
        for category in categories {
            let known = &mut self.0[category as usize];
            *known = Some(known.map_or(until, |known| known.max(until)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn allowed(limits: &Limits, now: Instant) -> [bool; 2] {
        Category::ALL.map(|category| limits.allow(category, now))
    }

    #[test]
    fn a_limit_holds_for_the_categories_that_it_names() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        limits.update(Some("60:transaction:organization, 10:error;default:key:why"), false, None, now);
        assert_eq!(allowed(&limits, now), [false, false]);
        assert_eq!(allowed(&limits, now + 10 * SECOND), [true, false]);
        assert_eq!(allowed(&limits, now + 60 * SECOND), [true, true]);
    }

    #[test]
    fn a_limit_without_a_category_holds_for_all_and_the_longest_one_counts() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        limits.update(Some("60::organization"), false, None, now);
        limits.update(Some("10::organization, 5:session:key"), false, None, now);
        assert_eq!(allowed(&limits, now + 59 * SECOND), [false, false]);
        assert_eq!(allowed(&limits, now + 60 * SECOND), [true, true]);
    }

    #[test]
    fn a_429_alone_means_a_minute_or_what_it_says() {
        let now = Instant::now();
        for (said, pause) in [(None, 60), (Some(7 * SECOND), 7)] {
            let mut limits = Limits::default();
            limits.update(None, true, said, now);
            assert_eq!(allowed(&limits, now + (pause - 1) * SECOND), [false, false]);
            assert_eq!(allowed(&limits, now + pause * SECOND), [true, true]);
        }
    }

    #[test]
    fn nonsense_limits_nothing() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        limits.update(Some("soon:error:key,,-5:error:key,NaN:error,inf"), false, None, now);
        assert_eq!(allowed(&limits, now), [true, true]);
        limits.update(Some("1e300:error:key"), false, None, now);
        limits.update(Some("1000000000:error:key"), false, None, now);
        assert_eq!(allowed(&limits, now + LONGEST), [true, true]);
    }
}
