//! Something that a service depends on, and how to ask whether it is there.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::health::{Affects, Check, Class, OnFailure, Outcome, Policy, Severity};
use seaworthy_core::redact::Redactor;

/// What a check comes to.
pub type CheckResult = Result<(), CheckError>;

type Ask = dyn Fn() -> Pin<Box<dyn Future<Output = CheckResult> + Send>> + Send + Sync;

/// Why a check does not hold.
///
/// Any error becomes one by `?`. Its class is taken from the first [`io::Error`] among its sources, and is
/// [`Class::Condition`] where there is none; passwords in URLs are taken out of its text. The text is shown to whoever may see details only, the
/// class to everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckError {
    /// `None`: it holds, with a warning.
    class: Option<Class>,
    text: String,
}

impl CheckError {
    /// A failure of this class.
    pub fn new(class: Class, text: impl fmt::Display) -> Self {
        Self { class: Some(class), text: Redactor::default().text(&text.to_string()).into_owned() }
    }

    /// It answered, but not as demanded.
    pub fn condition(text: impl fmt::Display) -> Self {
        Self::new(Class::Condition, text)
    }

    /// It still holds, but somebody should look: the check is degraded, at once, and fails nothing.
    pub fn warning(text: impl fmt::Display) -> Self {
        Self { class: None, ..Self::condition(text) }
    }

    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self { class: Some(class), text } => Outcome::Failed { class, error: text },
            Self { class: None, text } => Outcome::Passed { warning: Some(text) },
        }
    }
}

/// Not itself an [`Error`], or this could not be: the standard library has a conversion from each type to itself.
impl<E: Error + Send + Sync + 'static> From<E> for CheckError {
    fn from(error: E) -> Self {
        Self::new(class_of(&error), error)
    }
}

fn class_of(error: &(dyn Error + 'static)) -> Class {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match error.kind() {
                io::ErrorKind::TimedOut => Class::Timeout,
                io::ErrorKind::PermissionDenied => Class::Auth,
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Class::Protocol,
                io::ErrorKind::ConnectionRefused
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::NotFound
                | io::ErrorKind::BrokenPipe => Class::Refused,
                _ => Class::Condition,
            };
        }
        if error.is::<tokio::time::error::Elapsed>() {
            return Class::Timeout;
        }
        cause = error.source();
    }
    Class::Condition
}

/// Something that a service depends on. Clones ask the same.
///
/// ```
/// use std::time::Duration;
/// use seaworthy::health::{Affects, Dependency};
///
/// # async fn ping() -> Result<(), std::io::Error> { Ok(()) }
/// Dependency::new(Affects::Ready, || async { Ok(ping().await?) })
///     .every(Duration::from_secs(10))
///     .within(Duration::from_secs(2))
///     .group("storage");
/// ```
#[derive(Clone)]
pub struct Dependency {
    ask: Arc<Ask>,
    affects: Affects,
    interval: Duration,
    timeout: Duration,
    failures: NonZeroU32,
    successes: NonZeroU32,
    on_failure: OnFailure,
    warn_latency: Option<Duration>,
    kind: &'static str,
    group: Option<String>,
    gates_start: bool,
    depends_on: Vec<String>,
}

impl Dependency {
    /// Asks by calling `ask`, each time for a new future. It is dropped when it takes too long.
    pub fn new<F, W>(affects: Affects, ask: F) -> Self
    where
        F: Fn() -> W + Send + Sync + 'static,
        W: Future<Output = CheckResult> + Send + 'static,
    {
        let policy = Policy::default();
        Self {
            // Called within the future, so that a panic in it is that of the run.
            ask: Arc::new(move || Box::pin(ask())),
            affects,
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            failures: policy.failure_threshold,
            successes: policy.success_threshold,
            on_failure: policy.on_failure,
            warn_latency: None,
            kind: "custom",
            group: None,
            gates_start: false,
            depends_on: Vec::new(),
        }
    }

    /// How often it is asked, from begin to begin. Up to a tenth is taken off at random. Default: 30 s.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How long an answer may take. Default: 5 s.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// After how many failures in a row it is down, and after how many passes up again. They are asked a second apart. 0 is taken for
    /// 1. Default: 2 and 1.
    #[must_use]
    pub fn thresholds(mut self, failures: u32, successes: u32) -> Self {
        let at_least_one = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        (self.failures, self.successes) = (at_least_one(failures), at_least_one(successes));
        self
    }

    /// A failure of this class is only degraded. Default: every failure is an outage.
    #[must_use]
    pub fn tolerate(mut self, class: Class) -> Self {
        self.on_failure = self.on_failure.with(class, Severity::Degraded);
        self
    }

    /// A pass that takes longer is degraded. Default: none is.
    #[must_use]
    pub fn warn_after(mut self, latency: Duration) -> Self {
        self.warn_latency = Some(latency);
        self
    }

    /// What it asks, for those who look at many: `postgres`, `redis`. Default: `custom`.
    #[must_use]
    pub fn kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    /// Is answered together with the others of its group at `/health/group/NAME`.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// The start is complete only when it has passed once.
    #[must_use]
    pub fn gates_start(mut self) -> Self {
        self.gates_start = true;
        self
    }

    /// When both fail, the check called `name` is to blame.
    #[must_use]
    pub fn depends_on(mut self, name: impl Into<String>) -> Self {
        self.depends_on.push(name.into());
        self
    }

    pub(super) fn ask(&self) -> Pin<Box<dyn Future<Output = CheckResult> + Send>> {
        (self.ask)()
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn parents(&self) -> &[String] {
        &self.depends_on
    }

    pub(super) fn waits_for_start(&self) -> bool {
        self.gates_start
    }

    pub(super) fn describe(&self, name: &str) -> Check {
        Check {
            name: name.to_owned(),
            kind: self.kind,
            affects: self.affects,
            group: self.group.clone(),
            gates_start: self.gates_start,
            ..Check::default()
        }
    }

    pub(super) fn policy(&self) -> Policy {
        Policy {
            failure_threshold: self.failures,
            success_threshold: self.successes,
            on_failure: self.on_failure,
            warn_latency: self.warn_latency,
            stale_after: self.interval.saturating_add(self.timeout).saturating_mul(3),
        }
    }
}

/// A function alone affects `health`.
impl<F, W> From<F> for Dependency
where
    F: Fn() -> W + Send + Sync + 'static,
    W: Future<Output = CheckResult> + Send + 'static,
{
    fn from(ask: F) -> Self {
        Self::new(Affects::default(), ask)
    }
}

impl fmt::Debug for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dependency")
            .field("kind", &self.kind)
            .field("affects", &self.affects)
            .field("interval", &self.interval)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
