//! Second attempts beside slow ones.

use std::time::Duration;

use seaworthy::client::Timeouts;
use seaworthy::hedge::{After, Methods, Percentile, Policy};

use super::Entry;
use crate::config::raw::{self, HedgeMethods};
use crate::config::units::duration;

impl Entry<'_, '_, '_> {
    /// `None` where none are wanted, or where they cannot be.
    pub(super) fn hedge(&mut self, raw: &raw::Egress, timeouts: &Timeouts) -> Option<Policy> {
        let delay = raw.hedge_after.as_ref().map(|after| after.0);
        // The schema has its bounds, which leave nothing to refuse.
        let percentile = raw.hedge_percentile.and_then(|percent| Percentile::new(percent.into()).ok());
        let samples = raw.hedge_samples.get();
        if percentile.is_none() {
            self.without_effect("hedge-samples", "hedge-percentile");
        }
        let after = match (delay, percentile) {
            (None, None) => {
                self.without_effect("hedge-methods", "hedge-percentile or hedge-after");
                return None;
            }
            (Some(delay), None) => After::Delay(delay),
            (None, Some(percentile)) => After::Percentile { percentile, samples },
            (Some(delay), Some(percentile)) => After::Either { delay, percentile, samples },
        };
        if let Some(delay) = delay {
            self.hedge_delay(delay, timeouts);
        }
        if raw.concurrency.get() == 1 {
            let hint = "allow 2 calls at least, or leave the second attempts out";
            let which = if delay.is_some() { "hedge-after" } else { "hedge-percentile" };
            let message = format!("= 1 leaves a second attempt no place beside the first, which {which} asks for");
            self.refuse(&["concurrency", which], message, hint);
        }
        if let Some(percent) = raw.hedge_percentile {
            self.hedge_budget(percent, raw.retry_budget_percent);
        }
        let methods = match raw.hedge_methods {
            HedgeMethods::Safe => Methods::Safe,
            HedgeMethods::Idempotent => Methods::Idempotent,
        };
        Some(Policy { after, methods })
    }

    fn hedge_delay(&mut self, delay: Duration, timeouts: &Timeouts) {
        if delay.is_zero() {
            self.refuse(&["hedge-after"], "= \"0s\" would make each call twice", "write a time that few calls take");
        }
        let attempt = timeouts.attempt();
        if delay >= attempt {
            let [delay, attempt] = [delay, attempt].map(duration::written);
            let message = format!(
                "does not fit: {} is {delay}, {} is {attempt}",
                self.key("hedge-after"),
                self.key("attempt-timeout")
            );
            let hint = "a second attempt begins while the first is still waited for";
            self.refuse(&["hedge-after", "attempt-timeout"], message, hint);
        }
    }

    /// Warns where the budget ends most second attempts before they begin.
    fn hedge_budget(&mut self, percentile: u8, budget: u8) {
        let wanted = 100_u8.saturating_sub(percentile);
        if wanted > budget {
            let message = format!(
                "= {percentile} wants a second attempt for {wanted} of a hundred calls, where retry-budget-percent allows \
                 {budget}, retries included"
            );
            let path = self.key("hedge-percentile");
            self.review.warn(&path, message, "take a higher percentile, or a larger budget");
        }
    }

    fn without_effect(&mut self, key: &str, needed: &str) {
        let path = self.key(key);
        if self.review.given(&path) {
            self.review.warn(&path, format!("has no effect without {needed}"), "set that, or leave the key out");
        }
    }
}
