//! One check at work: what it is asked, and what it answers.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use seaworthy_core::health::{Class, Measure, Outcome, Run};

/// A run under way. Dropping it ends the work.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<Report, Failure>> + Send + 'a>>;

/// Asks one dependency, again and again. Dropping it closes what it holds open.
pub trait Probe: Send + fmt::Debug {
    /// Asks once. `limit` is how long the caller will wait: servers that can are told to give up by then.
    fn run(&mut self, limit: Duration) -> Running<'_>;

    /// Asks once, and for more than is worth asking every time.
    fn examine(&mut self, limit: Duration) -> Running<'_> {
        self.run(limit)
    }
}

/// What a dependency that holds has to say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// It holds, but perhaps not for long.
    pub warning: Option<String>,
    pub measures: Vec<Measure>,
    /// For people: the version of a server, a cipher.
    pub facts: Vec<Fact>,
}

/// Something worth knowing about a dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub name: &'static str,
    pub value: String,
}

impl Report {
    #[must_use]
    pub fn measure(mut self, name: &'static str, value: f64) -> Self {
        self.measures.push(Measure::new(name, value));
        self
    }

    #[must_use]
    pub fn fact(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.facts.push(Fact { name, value: value.into() });
        self
    }

    /// Warns as well; what was said first stays in front.
    pub(crate) fn warn(&mut self, warning: impl AsRef<str>) {
        match &mut self.warning {
            Some(said) => {
                said.push_str("; ");
                said.push_str(warning.as_ref());
            }
            None => self.warning = Some(warning.as_ref().to_owned()),
        }
    }
}

/// How a dependency failed. The message is for whoever may see details, and holds no secret.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub class: Class,
    pub message: String,
    /// What was found out all the same.
    pub measures: Vec<Measure>,
}

impl Failure {
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), measures: Vec::new() }
    }

    pub(crate) fn measure(mut self, name: &'static str, value: f64) -> Self {
        self.measures.push(Measure::new(name, value));
        self
    }

    pub(crate) fn protocol(message: impl Into<String>) -> Self {
        Self::new(Class::Protocol, message)
    }

    pub(crate) fn condition(message: impl Into<String>) -> Self {
        Self::new(Class::Condition, message)
    }

    pub(crate) fn auth(message: impl Into<String>) -> Self {
        Self::new(Class::Auth, message)
    }

    pub(crate) fn tls(message: impl Into<String>) -> Self {
        Self::new(Class::Tls, message)
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Class::Refused, message)
    }
}

/// An error of a socket. What rustls found is carried by one as well.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>) {
            return Self::tls(error.to_string());
        }
        match error.kind() {
            io::ErrorKind::TimedOut => Self::new(Class::Timeout, "no answer from the network"),
            io::ErrorKind::InvalidData => Self::protocol(error.to_string()),
            io::ErrorKind::UnexpectedEof => Self::refused("the connection was closed before an answer came"),
            _ => Self::refused(error.to_string()),
        }
    }
}

/// Runs `probe` once, for at most `limit`.
pub async fn run(probe: &mut dyn Probe, limit: Duration) -> Run {
    within(probe.run(limit), limit).await.0
}

/// Has `probe` look more closely, for at most `limit`. The facts come beside.
pub async fn examine(probe: &mut dyn Probe, limit: Duration) -> (Run, Vec<Fact>) {
    within(probe.examine(limit), limit).await
}

async fn within(running: Running<'_>, limit: Duration) -> (Run, Vec<Fact>) {
    let began = Instant::now();
    let result = tokio::time::timeout(limit, running).await;
    let ended = Instant::now();
    let (outcome, measures, facts) = match result {
        Ok(Ok(report)) => (Outcome::Passed { warning: report.warning }, report.measures, report.facts),
        Ok(Err(Failure { class, message, measures })) => {
            (Outcome::Failed { class, error: message }, measures, Vec::new())
        }
        Err(_) => {
            let error = format!("no answer within {limit:?}");
            (Outcome::Failed { class: Class::Timeout, error }, Vec::new(), Vec::new())
        }
    };
    (Run { began, ended, outcome, measures }, facts)
}

/// Awaits `work` while `driver` moves its connection. A connection may end before the last of its answer was read.
pub(crate) async fn driven<T>(work: impl Future<Output = T>, driver: impl Future) -> T {
    let (mut work, mut driver) = (pin!(work), pin!(driver));
    tokio::select! {
        done = &mut work => return done,
        _ = &mut driver => {}
    }
    work.await
}

/// The errors below an error, in words, without those that repeat what was said.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = error.source();
    }
    text
}

/// The I/O error among an error and those below it.
pub(crate) fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Stuck;

    impl Probe for Stuck {
        fn run(&mut self, _: Duration) -> Running<'_> {
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_blocks_for_ever_is_ended_by_its_limit() {
        let run = run(&mut Stuck, Duration::from_secs(5)).await;
        let error = "no answer within 5s".to_owned();
        assert_eq!(run.outcome, Outcome::Failed { class: Class::Timeout, error });
    }

    #[tokio::test]
    async fn work_goes_on_after_its_driver_has_ended() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let answer = driven(receiver, async move { sender.send(7) }).await;
        assert_eq!(answer, Ok(7));
    }

    #[test]
    fn errors_of_sockets_have_classes() {
        let class = |kind| Failure::from(io::Error::from(kind)).class;
        assert_eq!(class(io::ErrorKind::ConnectionRefused), Class::Refused);
        assert_eq!(class(io::ErrorKind::UnexpectedEof), Class::Refused);
        assert_eq!(class(io::ErrorKind::TimedOut), Class::Timeout);
        assert_eq!(class(io::ErrorKind::InvalidData), Class::Protocol);
    }
}
