//! The checks of a service, as they are named.

use std::future::Future;
use std::time::Duration;

use seaworthy_core::health::{Affects, Check, Dependencies, Snapshot};

use super::{CheckResult, Checks, Dependency, Health};

/// What is wrong with a check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are what the message shows")]
pub enum CheckProblem {
    /// Two have the same name.
    #[error("two checks are called {name:?}: give one of them another name")]
    Duplicate { name: String },
    /// One has none.
    #[error("a check has no name: give it one, for probes and alerts to call it by")]
    Unnamed,
    /// It would be run without a pause.
    #[error("check {name:?} is asked every 0s: give it an interval of a second or more")]
    NoInterval { name: String },
    /// It could never pass.
    #[error("check {name:?} may take 0s: give it the time that an answer takes when all is well, and some more")]
    NoTimeout { name: String },
    /// The next run would be due before this one may end.
    #[error(
        "check {name:?} may take {timeout:?}, but is asked every {interval:?}: shorten the timeout, or ask less often"
    )]
    TimeoutOutlastsInterval { name: String, timeout: Duration, interval: Duration },
    /// It depends on one that there is not.
    #[error("check {name:?} depends on {on:?}, which is no check")]
    UnknownDependency { name: String, on: String },
    /// It depends on itself, by way of others.
    #[error("checks {circle}")]
    Circle { circle: String },
}

/// Names the checks of a service; see [`Health::builder`].
#[derive(Debug, Default)]
#[must_use = "nothing is checked before `build`"]
pub struct Builder {
    dependencies: Vec<(String, Dependency)>,
    initializes: Vec<String>,
    required: Vec<String>,
}

impl Builder {
    /// A check with the usual settings; see [`Dependency`] for what they are, and [`Builder::dependency`] for others.
    pub fn check<F, W>(self, name: impl Into<String>, affects: Affects, ask: F) -> Self
    where
        F: Fn() -> W + Send + Sync + 'static,
        W: Future<Output = CheckResult> + Send + 'static,
    {
        self.dependency(name, Dependency::new(affects, ask))
    }

    /// A check with settings of its own.
    pub fn dependency(mut self, name: impl Into<String>, dependency: Dependency) -> Self {
        self.dependencies.push((name.into(), dependency));
        self
    }

    /// The start is complete only when [`Health::mark_initialized`] was called with this name.
    pub fn initializes(mut self, name: impl Into<String>) -> Self {
        self.initializes.push(name.into());
        self
    }

    /// Not ready without this variable of the environment; it is read once, by [`Builder::build`]. Empty is missing.
    pub fn require_env(mut self, name: impl Into<String>) -> Self {
        self.required.push(name.into());
        self
    }

    /// The health of a service whose checks do not run yet. What is wrong with them is kept, for
    /// [`Production`](crate::production::Builder::build) to say together with everything else: see [`Health::problems`].
    pub fn build(self) -> Health {
        let health = Health::default();
        let mut problems = Vec::new();
        let missing = |name: &&String| std::env::var_os(name).is_none_or(|value| value.is_empty());
        let missing = self.required.iter().filter(missing).cloned().collect();
        health.publish(Snapshot { missing, ..Snapshot::default() });
        problems.extend(circles(&self.dependencies));
        for (name, dependency) in self.dependencies {
            problems.extend(health.register(name, dependency).err());
        }
        for name in self.initializes {
            let check = Check {
                name: name.clone(),
                kind: "initialization",
                affects: Affects::Info,
                gates_start: true,
                ..Check::default()
            };
            problems.extend(health.told(&name, check).err());
        }
        {
            let mut checks = health.checks();
            checks.required = self.required;
            checks.problems = problems;
        }
        health
    }
}

/// Dependencies among checks that lead nowhere, or in a circle.
fn circles(dependencies: &[(String, Dependency)]) -> Vec<CheckProblem> {
    let known = |name: &String| dependencies.iter().any(|(known, _)| known == name);
    let mut problems = Vec::new();
    for (name, dependency) in dependencies {
        let unknown = dependency.parents().iter().filter(|on| !known(on));
        problems.extend(unknown.map(|on| CheckProblem::UnknownDependency { name: name.clone(), on: on.clone() }));
    }
    let graph = dependencies.iter().map(|(name, dependency)| (name.as_str(), dependency.parents()));
    problems.extend(Dependencies::new(graph).err().map(|circle| CheckProblem::Circle { circle: circle.to_string() }));
    problems
}

impl Checks {
    /// What is wrong with one more check; `None` for `dependency` where it is told instead of asked.
    pub(super) fn problem_with(&self, name: &str, dependency: Option<&Dependency>) -> Option<CheckProblem> {
        let owned = || name.to_owned();
        if name.trim().is_empty() {
            return Some(CheckProblem::Unnamed);
        }
        if self.entries.iter().any(|entry| entry.name == name) {
            return Some(CheckProblem::Duplicate { name: owned() });
        }
        let (interval, timeout) = dependency.map(|dependency| (dependency.interval(), dependency.timeout()))?;
        if interval.is_zero() {
            Some(CheckProblem::NoInterval { name: owned() })
        } else if timeout.is_zero() {
            Some(CheckProblem::NoTimeout { name: owned() })
        } else if timeout > interval {
            Some(CheckProblem::TimeoutOutlastsInterval { name: owned(), timeout, interval })
        } else {
            None
        }
    }
}
