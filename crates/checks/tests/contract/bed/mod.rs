//! What the tests stand on: real servers on free ports in directories of their own, and a gate in front of them.

mod certificates;
mod gate;
mod server;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seaworthy_checks::kinds::Spec;
use seaworthy_checks::{Commands, Finishing, Heartbeats, Idle, Probe, Resolve, Resolving, Secret, Surroundings};
use seaworthy_core::health::{Class, Outcome, Run};

pub(crate) use certificates::Certificates;
pub(crate) use gate::{Gate, Mode};
pub(crate) use server::{End, Server, free_port};

/// Longer than anything takes on a machine that is busy with other tests.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Knows some names.
#[derive(Debug)]
struct Names;

impl Resolve for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        let found = match name {
            "localhost" => Ok(vec!["127.0.0.1".parse().unwrap()]),
            // The first address leads nowhere (RFC 5737): the second must be tried.
            "two.test" => Ok(vec!["127.0.0.2".parse().unwrap(), "127.0.0.1".parse().unwrap()]),
            // Its server of names never answers.
            "stuck.test" => return Box::pin(std::future::pending()),
            _ => Err(format!("{name:?} cannot be resolved")),
        };
        Box::pin(std::future::ready(found))
    }
}

/// Commands are run by the binary, and tested there.
#[derive(Debug)]
struct NoCommands;

impl Commands for NoCommands {
    fn run<'a>(&'a self, _: &'a [String], _: &'a BTreeMap<String, Secret>) -> Finishing<'a> {
        Box::pin(std::future::ready(Err("there are no commands here".to_owned())))
    }
}

pub(crate) fn surroundings() -> Surroundings {
    Surroundings {
        names: Arc::new(Names),
        commands: Arc::new(NoCommands),
        heartbeats: Heartbeats::default(),
        gateway: Arc::new(Idle),
    }
}

pub(crate) fn probe(spec: Spec) -> Box<dyn Probe> {
    spec.probe(surroundings())
}

/// Runs once, with all the time in the world.
pub(crate) async fn run(probe: &mut dyn Probe) -> Run {
    seaworthy_checks::run(probe, LONG).await
}

/// Runs `spec` once.
pub(crate) async fn once(spec: Spec) -> Run {
    run(&mut *probe(spec)).await
}

pub(crate) fn passed(run: &Run) -> bool {
    matches!(run.outcome, Outcome::Passed { .. })
}

/// The class and the text of a failure.
#[track_caller]
pub(crate) fn failure(run: &Run) -> (Class, &str) {
    match &run.outcome {
        Outcome::Failed { class, error } => (*class, error),
        passed @ Outcome::Passed { .. } => panic!("a failure, not {passed:?}"),
    }
}

pub(crate) fn measured(run: &Run, name: &str) -> Option<f64> {
    run.measures.iter().find(|measure| measure.name == name).map(|measure| measure.value)
}

/// Waits until `holds`, and asks again and again meanwhile.
pub(crate) async fn until<T: fmt::Debug>(what: &str, mut holds: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(found) = holds().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, asking).await.unwrap_or_else(|_| panic!("never: {what}"))
}
