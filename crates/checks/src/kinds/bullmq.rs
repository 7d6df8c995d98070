//! `bullmq`: the queues of BullMQ are there, and how long they are; read from Redis, without a job of our own.

use std::time::{Duration, SystemTime};

use seaworthy_core::health::Measure;

use super::redis::{Connection, Reply, Server};
use crate::kept::{Conversation, Question};
use crate::probe::{Failure, Report};
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

impl Conversation for Settings {
    type Connection = Connection;

    async fn connect(&self, surroundings: &Surroundings) -> Result<Connection, Failure> {
        self.server.connect(surroundings).await
    }

    async fn ask(&self, connection: &mut Connection, _: Question) -> Result<Report, Failure> {
        let mut report = Report::default();
        for queue in &self.queues {
            self.count(connection, queue, &mut report).await?;
        }
        Ok(report)
    }

    fn keeps(&self) -> bool {
        self.server.is_fixed()
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
