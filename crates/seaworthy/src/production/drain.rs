//! How the time between the platform's signal and its SIGKILL is divided.

use std::env;
use std::io::{IsTerminal, stdout};
use std::time::Duration;

use seaworthy_core::lifecycle::{Budget, Parts};

use super::Problem;

/// Docker's default, and the shortest of the common ones.
const GRACE: Duration = Duration::from_secs(10);
const GRACE_KUBERNETES: Duration = Duration::from_secs(30);

/// A little more than the two seconds that a balancer is usually said to take to look away.
const DELAY: Duration = Duration::from_millis(2_500);
const DELAY_KUBERNETES: Duration = Duration::from_secs(5);

const LONGEST_SPREAD: Duration = Duration::from_secs(5);

/// The parts of a drain. What is not stated is worked out when the service is built, from where it runs.
///
/// | part | stated by | under Kubernetes | on a terminal | elsewhere |
/// | --- | --- | --- | --- | --- |
/// | from the signal to the platform's SIGKILL | [`grace`](Drain::grace) | 30 s | 10 s | 10 s |
/// | the listener stays open | [`delay`](Drain::delay) | 5 s | 0 s | 2.5 s |
/// | hooks and background work | [`reserve`](Drain::reserve) | a third of the grace | the same | the same |
/// | requests in flight end | [`timeout`](Drain::timeout) | what is left, less a second | the same | the same |
///
/// ```
/// use std::time::Duration;
/// use seaworthy::production::{Drain, Production};
///
/// let seconds = Duration::from_secs;
/// let drain = Drain::default().grace(seconds(30)).delay(seconds(5)).timeout(seconds(40));
/// let refused = Production::builder("orders", "1.0.0").drain(drain).build().unwrap_err().to_string();
/// assert!(refused.starts_with("the drain needs 56s but the platform kills after 30s"), "{refused}");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drain {
    grace: Option<Duration>,
    delay: Option<Duration>,
    timeout: Option<Duration>,
    reserve: Option<Duration>,
    spread: Option<Duration>,
    reject: bool,
}

/// A drain that fits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fitting {
    pub(super) budget: Budget,
    /// Over which WebSockets and event streams end.
    pub(super) spread: Duration,
}

impl Drain {
    /// What the platform allows from the signal to SIGKILL: `terminationGracePeriodSeconds`, `TimeoutStopSec`, `stop_grace_period`.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// How long the listener stays open after readiness was withdrawn: the time that balancers take to look away.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// How long requests may still take when the listener has closed.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// What is kept for hooks and background work.
    #[must_use]
    pub fn reserve(mut self, reserve: Duration) -> Self {
        self.reserve = Some(reserve);
        self
    }

    /// Over how long WebSockets and event streams are ended, so that not all clients come back at once. Default: half of the timeout,
    /// five seconds at most.
    #[must_use]
    pub fn spread(mut self, spread: Duration) -> Self {
        self.spread = Some(spread);
        self
    }

    /// Refuses new requests during the delay by 503 instead of serving them. For what must not begin any more; clients that are
    /// behind a balancer see errors.
    #[must_use]
    pub fn reject(mut self, reject: bool) -> Self {
        self.reject = reject;
        self
    }

    pub(super) fn rejects(self) -> bool {
        self.reject
    }

    /// The time for requests, where it was stated.
    pub(super) fn stated_timeout(self) -> Option<Duration> {
        self.timeout
    }

    /// Works out what was not stated.
    pub(super) fn fit(self) -> Result<Fitting, Vec<Problem>> {
        self.fit_in(env::var_os("KUBERNETES_SERVICE_HOST").is_some(), stdout().is_terminal())
    }

    fn fit_in(self, kubernetes: bool, terminal: bool) -> Result<Fitting, Vec<Problem>> {
        let grace = self.grace.unwrap_or(if kubernetes { GRACE_KUBERNETES } else { GRACE });
        let delay = self.delay.unwrap_or(match terminal {
            _ if kubernetes => DELAY_KUBERNETES,
            true => Duration::ZERO,
            false => DELAY,
        });
        let parts = Parts { delay, timeout: self.timeout, reserve: self.reserve };
        let budget = Budget::new(grace, parts).map_err(|error| vec![error.into()])?;
        let (timeout, reserve) = (budget.timeout(), budget.reserve());
        let mut problems = Vec::new();
        // Nobody who left it out meant that requests are cut at once.
        if self.timeout.is_none() && timeout.is_zero() {
            problems.push(Problem::Starved { grace, delay, reserve });
        }
        let spread = self.spread.unwrap_or_else(|| (timeout / 2).min(LONGEST_SPREAD));
        if spread > timeout {
            problems.push(Problem::SpreadOutlastsDrain { spread, timeout });
        }
        if problems.is_empty() { Ok(Fitting { budget, spread }) } else { Err(problems) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_not_stated_is_worked_out_from_where_it_runs() {
        let of = |kubernetes, terminal| Drain::default().fit_in(kubernetes, terminal).unwrap().budget;
        let (pod, terminal, elsewhere) = (of(true, true), of(false, true), of(false, false));
        assert_eq!((pod.grace(), pod.delay(), pod.timeout()), (seconds(30), seconds(5), seconds(14)));
        assert_eq!((terminal.grace(), terminal.delay()), (seconds(10), Duration::ZERO));
        assert_eq!(elsewhere.delay(), Duration::from_millis(2500));
    }

    #[test]
    fn a_drain_that_would_cut_requests_at_once_is_refused() {
        let refused = Drain::default().grace(seconds(3)).delay(seconds(1)).fit_in(false, false).unwrap_err();
        assert!(matches!(refused[..], [Problem::Starved { .. }]), "{refused:?}");
        let meant = Drain::default().grace(seconds(3)).delay(seconds(1)).timeout(Duration::ZERO).fit_in(false, false);
        assert!(meant.is_ok());
    }

    #[test]
    fn a_spread_that_outlasts_the_drain_is_refused() {
        let drain = Drain::default().grace(seconds(30)).timeout(seconds(2)).spread(seconds(3));
        let refused = drain.fit_in(false, false).unwrap_err();
        assert_eq!(refused, [Problem::SpreadOutlastsDrain { spread: seconds(3), timeout: seconds(2) }]);
    }
}
