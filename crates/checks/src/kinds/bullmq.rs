//! `bullmq`: the queues of BullMQ are there, and how long they are; read from Redis, without a job of our own.

use std::time::{Duration, SystemTime};

use seaworthy_core::health::{Class, Measure};

use super::redis::{Connection, Reply, Server};
use crate::probe::{Failure, Probe, Report, Running};
use crate::surroundings::Surroundings;

/// Where BullMQ keeps the jobs of each state, and whether that is a sorted set (BullMQ 5, `src/classes/queue-keys.ts`).
const STATES: [(&str, &str, bool); 8] = [
    ("wait", "waiting", false),
    ("active", "active", false),
    ("paused", "paused", false),
    ("delayed", "delayed", true),
    ("prioritized", "prioritized", true),
    ("waiting-children", "waiting-children", true),
    ("completed", "completed", true),
    ("failed", "failed", true),
];

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub server: Server,
    pub queues: Vec<String>,
    /// In front of the names of all keys. Default: `bull`.
    pub prefix: String,
    /// More jobs that wait are a warning.
    pub warn_pending: Option<u64>,
}

/// Keeps one connection.
#[derive(Debug)]
pub(super) struct Bullmq {
    settings: Settings,
    surroundings: Surroundings,
    connection: Option<Connection>,
}

impl Bullmq {
    pub(super) fn new(settings: Settings, surroundings: Surroundings) -> Self {
        Self { settings, surroundings, connection: None }
    }

    async fn ask(&mut self) -> Result<Report, Failure> {
        if let Some(connection) = self.connection.take() {
            match self.over(connection).await {
                // Closed while it was at rest, by a restart perhaps: that by itself is no outage.
                Err(failure) if failure.class == Class::Refused => {}
                result => return result,
            }
        }
        let connection = self.settings.server.connect(&self.surroundings).await?;
        self.over(connection).await
    }

    async fn over(&mut self, mut connection: Connection) -> Result<Report, Failure> {
        let mut report = Report::default();
        for queue in &self.settings.queues {
            self.settings.count(&mut connection, queue, &mut report).await?;
        }
        self.connection = Some(connection);
        Ok(report)
    }
}

impl Settings {
    async fn count(&self, connection: &mut Connection, queue: &str, report: &mut Report) -> Result<(), Failure> {
        let key = |part: &str| format!("{}:{queue}:{part}", self.prefix);
        // Written by whoever opens the queue first, and kept when it is empty.
        if number(connection, &["EXISTS", &key("meta")]).await? == 0 {
            let message = format!("there is no queue {queue:?} with the prefix {:?}", self.prefix);
            return Err(Failure::condition(message));
        }
        let mut waiting = 0;
        for (part, status, sorted) in STATES {
            let count = number(connection, &[if sorted { "ZCARD" } else { "LLEN" }, &key(part)]).await?;
            if matches!(part, "wait" | "prioritized") {
                waiting += count;
            }
            let measure = Measure::new("queue_size", count as f64).with("queue_name", queue).with("status", status);
            report.measures.push(measure);
        }
        // Jobs are put in at the head and taken from the tail.
        let age = match connection.ask(&["LINDEX", &key("wait"), "-1"]).await? {
            Reply::Text(job) => match connection.ask(&["HGET", &key(&job), "timestamp"]).await? {
                Reply::Text(added) => age(&added, SystemTime::now()),
                // It was taken in between.
                _ => None,
            },
            _ => None,
        };
        let age = age.unwrap_or_default().as_secs_f64();
        report.measures.push(Measure::new("health_queue_oldest_waiting_seconds", age).with("queue_name", queue));
        if let Some(most) = self.warn_pending.filter(|most| u64::try_from(waiting).is_ok_and(|waiting| waiting > *most))
        {
            report.warn(format!("{waiting} jobs wait in {queue:?}, more than {most}"));
        }
        Ok(())
    }
}

async fn number(connection: &mut Connection, command: &[&str]) -> Result<i64, Failure> {
    match connection.ask(command).await? {
        Reply::Number(number) => Ok(number),
        _ => Err(Failure::protocol(format!("{} was not answered by a number", command[0]))),
    }
}

/// How long ago a job was added, in milliseconds since 1970.
fn age(added: &str, now: SystemTime) -> Option<Duration> {
    let added = Duration::from_millis(added.parse().ok()?);
    now.duration_since(SystemTime::UNIX_EPOCH.checked_add(added)?).ok()
}

impl Probe for Bullmq {
    fn run(&mut self, _: Duration) -> Running<'_> {
        Box::pin(self.ask())
    }
}
