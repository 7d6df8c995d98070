//! Shapes: bodies of probes as somebody's dashboards already read them, written as templates.
//!
//! # Rules
//!
//! - What a template may use is a contract: the names of [`contract`]. An unknown one is an error when the configuration is
//!   loaded, also in a branch that is not taken then.
//! - A value is printed as JSON: text comes with its quotes, what is not known is `null`. So no value can break the body.
//! - A shape is tried when it is loaded, once for each word that its verdict can have and each state that checks can be in;
//!   what comes out must be JSON each time.
//! - It is rendered from what is known already, in microseconds, and by a bounded number of instructions. One that fails all
//!   the same is reported, and the default body takes its place: a probe always answers.
//!
//! # In production
//!
//! `app.…` is what the program itself answered lately, of which nothing is promised: whatever is missing there is `null`, and
//! a template says what stands for it, as in `{{ app.jobs or 0 }}`.

mod app;
pub(crate) mod contract;
mod error;
mod scope;
#[cfg(test)]
mod tests;
mod trial;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use seaworthy::core::health::{Check, Snapshot};

pub(crate) use self::error::{RenderError, ShapeError};

use self::app::Paths;
use self::scope::Scope;

/// A template gives up after this many instructions: some ten milliseconds.
const FUEL: u64 = 200_000;

/// The name under which the one template of an environment is known.
const TEMPLATE: &str = "shape";

/// What is known when the configuration is loaded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) service: String,
    pub(crate) version: Option<String>,
    pub(crate) environment: String,
    pub(crate) info: std::collections::BTreeMap<String, String>,
    /// As they are before their first run.
    pub(crate) checks: Vec<Check>,
    /// Whether the program is asked for what `app` holds.
    pub(crate) asks_app: bool,
}

/// What a body is made of: the verdict, and all that was known at one moment.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// `live`, `ready`
    pub(crate) verdict: &'static str,
    /// The verdict in one word.
    pub(crate) status: &'static str,
    pub(crate) passes: bool,
    pub(crate) lifecycle: &'static str,
    pub(crate) instant: Instant,
    pub(crate) wall: Timestamp,
    pub(crate) uptime: Duration,
    pub(crate) snapshot: Arc<Snapshot>,
    /// Whether texts of errors may be shown.
    pub(crate) details: bool,
    pub(crate) sample: Arc<Sample>,
}

/// What was measured in the background, because it takes longer than a probe may.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sample {
    pub(crate) process: Option<Process>,
    pub(crate) system: Option<System>,
    /// What the program answered, if that was JSON.
    pub(crate) app: Option<Arc<serde_json::Value>>,
}

/// The processes of the program together; our own where there is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Process {
    pub(crate) count: usize,
    /// In bytes.
    pub(crate) rss: u64,
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    pub(crate) threads: u64,
    pub(crate) fds: u64,
}

/// The machine, or what a container sees of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct System {
    pub(crate) hostname: String,
    pub(crate) cpus: usize,
    /// In bytes, as the other two.
    pub(crate) memory_total: u64,
    pub(crate) memory_available: u64,
    pub(crate) memory_free: u64,
}

/// Which parts of a [`Sample`] a shape uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    /// `process` or `system`
    pub(crate) usage: bool,
    pub(crate) app: bool,
}

impl Uses {
    pub(crate) fn and(self, other: Self) -> Self {
        Self { usage: self.usage || other.usage, app: self.app || other.app }
    }

    pub(crate) fn any(self) -> bool {
        self.usage || self.app
    }
}

/// A template that has been tried. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Shape(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: String,
    environment: Environment<'static>,
    known: Arc<Known>,
    uses: Uses,
    /// What of `app` it asks for, so that what is missing there can be `null`.
    app: Arc<Paths>,
    /// Whether it failed when it was rendered last.
    failing: AtomicBool,
}

/// Two are the same if they were written the same; what is known beside is compared by whoever holds it.
impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.0.source == other.0.source
    }
}

impl Eq for Shape {}

impl Shape {
    /// Makes a shape of `source` and tries it; `words` are those that its verdict can have, and whether each is a good one.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] with the place in `source`, if it is no template, uses what does not exist, or gives no JSON.
    pub(crate) fn new(
        source: &str,
        known: Arc<Known>,
        verdict: &'static str,
        words: &[(&'static str, bool)],
    ) -> Result<Self, ShapeError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::Json);
        environment.set_fuel(Some(FUEL));
        environment.set_debug(true);
        let wrong = |error: minijinja::Error| ShapeError::of(source, &error);
        environment.add_template_owned(TEMPLATE, source.to_owned()).map_err(wrong)?;
        let globals: BTreeSet<String> = environment.globals().map(|(name, _)| name.to_owned()).collect();
        let mut names: Vec<String> =
            environment.get_template(TEMPLATE).map_err(wrong)?.undeclared_variables(true).into_iter().collect();
        // The order of a set is another one each time.
        names.sort_unstable();
        names.retain(|name| !globals.contains(name.split('.').next().unwrap_or_default()));
        for name in &names {
            contract::check(name, &known).map_err(|unknown| ShapeError::unknown(source, name, unknown))?;
        }
        let begins = |root: &str| names.iter().any(|name| name.split('.').next() == Some(root));
        let uses = Uses { usage: begins("process") || begins("system"), app: begins("app") };
        let app = Arc::new(Paths::of(&names));
        let (source, failing) = (source.to_owned(), AtomicBool::new(false));
        let shape = Self(Arc::new(Inner { source, environment, known, uses, app, failing }));
        trial::run(&shape, verdict, words)?;
        Ok(shape)
    }

    pub(crate) fn uses(&self) -> Uses {
        self.0.uses
    }

    /// The body of `view`.
    ///
    /// # Errors
    ///
    /// [`RenderError`]; see [`Self::failed`] for whether it is worth saying.
    pub(crate) fn render(&self, view: View) -> Result<String, RenderError> {
        let Inner { environment, known, app, .. } = &*self.0;
        let scope = Scope::new(known.clone(), view, app.clone());
        let template = environment.get_template(TEMPLATE)?;
        let text = template.render(Value::from_object(scope))?;
        let mut body = text.trim().to_owned();
        // Whoever parses it must never be the one to find out.
        match serde_json::from_str::<serde::de::IgnoredAny>(&body) {
            Ok(_) => {
                body.push('\n');
                Ok(body)
            }
            Err(error) => Err(RenderError::json(&body, &error)),
        }
    }

    /// Takes note of how rendering went; true where a failure follows a success, and so is news.
    pub(crate) fn failed(&self, failed: bool) -> bool {
        // Nothing is written where nothing changed: probes come from several threads.
        self.0.failing.load(Ordering::Relaxed) != failed
            && self.0.failing.swap(failed, Ordering::Relaxed) != failed
            && failed
    }

    fn source(&self) -> &str {
        &self.0.source
    }

    fn known(&self) -> &Known {
        &self.0.known
    }
}
