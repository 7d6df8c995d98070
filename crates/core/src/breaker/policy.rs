//! What a breaker trips on, and how it comes back.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::backoff::Backoff;

/// A part of a hundred, from 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u8);

impl Percent {
    /// `None` for 0 and for more than 100.
    #[must_use]
    pub const fn new(percent: u8) -> Option<Self> {
        if percent >= 1 && percent <= 100 { Some(Self(percent)) } else { None }
    }

    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }

    pub(super) fn fraction(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// Whether so many of `all` reach it.
    pub(super) fn reached(self, some: u32, all: u32) -> bool {
        u64::from(some) * 100 >= u64::from(self.0) * u64::from(all)
    }
}

/// So many failures within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// The newest included.
    pub count: NonZeroU32,
    pub within: Duration,
}

/// Which calls a rate is taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The last so many.
    Calls(NonZeroU32),
    /// Those that ended within a time, to a tenth of it.
    Time(Duration),
}

/// From when a call is slow, and how many of a hundred may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slow {
    pub after: Duration,
    pub rate: Percent,
}

/// Rates of failures and of slow calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    pub window: Window,
    /// Fewer calls than that have no rate: one failure of one call is no 100%.
    pub minimum_calls: NonZeroU32,
    pub failure: Option<Percent>,
    pub slow: Option<Slow>,
}

/// How long it stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenTime {
    /// Grows with each opening without a close between.
    pub time: Backoff,
    /// At most so much is added, so that instances do not probe together.
    pub jitter: Percent,
}

/// What a breaker trips on, and how it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub failures: Option<Failures>,
    pub rates: Option<Rates>,
    pub open: OpenTime,
    /// How many probes have to succeed, and may be out at once.
    pub probes: NonZeroU32,
    /// A lease that is not heard of for so long is taken back.
    pub probe_timeout: Duration,
}

/// Why a [`Policy`] makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    #[error("it trips on nothing: give a number of failures, a failure rate or a slow-call rate")]
    NoRule,
    #[error("a window of 0s holds no call; use 60s, say")]
    EmptyWindow,
    #[error("{minimum} calls at least, of a window that holds {window}: there would never be a rate")]
    MinimumBeyondWindow { minimum: u32, window: u32 },
    #[error(
        "a window of {calls} is more than {LARGEST} and would be kept in memory for each service; use a window of time"
    )]
    TooLarge { calls: u32 },
    #[error("slow after 0s: every call would be slow")]
    SlowAtOnce,
    #[error("open for 0s: it would spare nobody")]
    OpenForNothing,
    #[error("open at most {longest:?}, which is shorter than {first:?}, the first open time")]
    LongestBelowFirst { first: Duration, longest: Duration },
    #[error("a probe may take 0s: no lease would ever be held")]
    NoTimeToProbe,
    #[error(
        "the window of {window:?} does not hold two attempts of {attempt:?}: a service that times out would never trip it"
    )]
    WindowBelowAttempts { window: Duration, attempt: Duration },
}

/// As many failures, or calls of a window, are remembered at most.
const LARGEST: u32 = 10_000;

const ONE: NonZeroU32 = NonZeroU32::MIN;

impl Default for Policy {
    /// 5 failures in 60 s, open for 30 s, one probe.
    fn default() -> Self {
        Self::of_failures(ONE.saturating_add(4), Duration::from_mins(1), 30)
    }
}

impl Policy {
    /// Trips on so many failures within a time; the rest as by default.
    ///
    /// ```
    /// use std::time::Duration;
    /// use seaworthy_core::breaker::Policy;
    ///
    /// let policy = Policy::after_failures(3, Duration::from_secs(60))?.open_for(Duration::from_secs(10))?;
    /// # Ok::<(), seaworthy_core::breaker::PolicyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if no failure is needed, or more than are remembered, or if there is no time for one.
    pub fn after_failures(count: u32, within: Duration) -> Result<Self, PolicyError> {
        let count = NonZeroU32::new(count).ok_or(PolicyError::NoRule)?;
        Self { failures: Some(Failures { count, within }), ..Self::default() }.checked()
    }

    /// How long it stays open; each opening without a close between lasts twice as long as the one before, up to eight times this.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if that is no time.
    pub fn open_for(mut self, first: Duration) -> Result<Self, PolicyError> {
        self.open.time = Backoff { first, longest: first.saturating_mul(8), ..self.open.time };
        self.checked()
    }

    fn of_failures(count: NonZeroU32, within: Duration, open_seconds: u64) -> Self {
        let first = Duration::from_secs(open_seconds);
        Self {
            failures: Some(Failures { count, within }),
            rates: None,
            open: OpenTime { time: Backoff { first, factor: 2, longest: first * 8 }, jitter: Percent(10) },
            probes: ONE,
            probe_timeout: Duration::from_mins(1),
        }
    }

    /// 3 failures in 60 s, open for 30 s.
    #[must_use]
    pub fn stripe() -> Self {
        Self::of_failures(ONE.saturating_add(2), Duration::from_mins(1), 30)
    }

    /// 5 failures in 300 s, open for 60 s.
    #[must_use]
    pub fn twilio() -> Self {
        Self::of_failures(ONE.saturating_add(4), Duration::from_mins(5), 60)
    }

    /// 3 failures in 600 s, open for 120 s.
    #[must_use]
    pub fn namesilo() -> Self {
        Self::of_failures(ONE.saturating_add(2), Duration::from_mins(10), 120)
    }

    /// 5 failures in 120 s, open for 30 s.
    #[must_use]
    pub fn openai() -> Self {
        Self::of_failures(ONE.saturating_add(4), Duration::from_mins(2), 30)
    }

    /// The policy, if it can do what it says.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if it could never trip, never come back, or would need memory without bound.
    pub fn checked(self) -> Result<Self, PolicyError> {
        let Self { failures, rates, open, probe_timeout, .. } = self;
        let rules = rates.is_some_and(|rates| rates.failure.is_some() || rates.slow.is_some());
        if failures.is_none() && !rules {
            return Err(PolicyError::NoRule);
        }
        let empty = |window: Window| matches!(window, Window::Time(Duration::ZERO));
        if failures.is_some_and(|failures| failures.within.is_zero()) || rates.is_some_and(|rates| empty(rates.window))
        {
            return Err(PolicyError::EmptyWindow);
        }
        if let Some(calls) = failures.map(|failures| failures.count.get()).filter(|count| *count > LARGEST) {
            return Err(PolicyError::TooLarge { calls });
        }
        if let Some(Rates { window: Window::Calls(window), minimum_calls, .. }) = rates {
            let (window, minimum) = (window.get(), minimum_calls.get());
            if window > LARGEST {
                return Err(PolicyError::TooLarge { calls: window });
            }
            if minimum > window {
                return Err(PolicyError::MinimumBeyondWindow { minimum, window });
            }
        }
        if self.slow().is_some_and(|slow| slow.after.is_zero()) {
            return Err(PolicyError::SlowAtOnce);
        }
        let Backoff { first, longest, .. } = open.time;
        if first.is_zero() {
            return Err(PolicyError::OpenForNothing);
        }
        if longest < first {
            return Err(PolicyError::LongestBelowFirst { first, longest });
        }
        if probe_timeout.is_zero() {
            return Err(PolicyError::NoTimeToProbe);
        }
        Ok(self)
    }

    /// The policy, if its windows hold two attempts that take as long as they may.
    ///
    /// # Errors
    ///
    /// [`PolicyError::WindowBelowAttempts`] if they do not: failures one after the other would never meet in one.
    pub fn for_attempts_of(self, attempt: Duration) -> Result<Self, PolicyError> {
        let of_rates = self.rates.and_then(|rates| match rates.window {
            Window::Time(window) => Some(window),
            Window::Calls(_) => None,
        });
        // One failure is enough where one is all that is asked for.
        let of_failures = self.failures.filter(|failures| failures.count > ONE).map(|failures| failures.within);
        match [of_failures, of_rates].into_iter().flatten().find(|window| *window < attempt.saturating_mul(2)) {
            Some(window) => Err(PolicyError::WindowBelowAttempts { window, attempt }),
            None => Ok(self),
        }
    }

    pub(super) fn slow(&self) -> Option<Slow> {
        self.rates.and_then(|rates| rates.slow)
    }

    pub(super) fn is_slow(&self, took: Duration) -> bool {
        self.slow().is_some_and(|slow| took >= slow.after)
    }
}
