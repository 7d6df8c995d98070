//! `command`: a program ends as it should, and says what it should.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::condition::Condition;
use crate::probe::{Failure, Probe, Report, Running};
use crate::secret::Secret;
use crate::surroundings::Surroundings;

/// More of a line is not shown.
const LONGEST: usize = 200;

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The program and its arguments; no shell. Never empty.
    pub command: Vec<String>,
    pub env: BTreeMap<String, Secret>,
    /// The exit code of success. Default: 0.
    pub exit_code: i32,
    /// What its output must be like.
    pub condition: Option<Condition>,
}

#[derive(Debug)]
pub(super) struct Command {
    settings: Settings,
    surroundings: Surroundings,
}

impl Command {
    pub(super) fn new(settings: Settings, surroundings: Surroundings) -> Self {
        Self { settings, surroundings }
    }

    async fn ask(&self) -> Result<Report, Failure> {
        let Settings { command, env, exit_code, condition } = &self.settings;
        let finished = self.surroundings.commands.run(command, env).await.map_err(Failure::refused)?;
        if finished.code != *exit_code {
            let last = finished.output.last().map(|line| format!(": {}", shortened(line))).unwrap_or_default();
            return Err(Failure::condition(format!("it ended with exit code {}{last}", finished.code)));
        }
        let output = finished.output.join("\n");
        if let Some(condition) = condition.as_ref().filter(|condition| !condition.holds(&output)) {
            let message = format!("its output is not \"{condition}\", it is {:?}", shortened(&output));
            return Err(Failure::condition(message));
        }
        Ok(Report::default())
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

impl Probe for Command {
    fn run(&mut self, _: Duration) -> Running<'_> {
        Box::pin(self.ask())
    }
}
