//! Heartbeats in a file of `state-dir`: a backup of last night is not to be missed because somebody deployed this morning.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use seaworthy::core::event::{Event, Sink};
use seaworthy_checks::Heartbeats;
use seaworthy_checks::heartbeat::Pulse;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio::time::sleep;

const FILE: &str = "heartbeats.json";

/// Between two writes: a job may call more often than a disk likes.
const BREATH: Duration = Duration::from_millis(250);

/// Keeps heartbeats in a file for as long as it lives.
#[derive(Debug)]
pub(crate) struct Record {
    file: PathBuf,
    heartbeats: Heartbeats,
    task: JoinHandle<()>,
}

impl Record {
    /// Reads what is known from before into `heartbeats`, and writes every change from now on, on the runtime of the caller.
    /// What cannot be read is reported and begun anew.
    pub(crate) fn keep(directory: &Path, heartbeats: Heartbeats, sink: Arc<dyn Sink>) -> Self {
        let file = directory.join(FILE);
        match read(&file, Timestamp::now()) {
            Ok(pulses) => heartbeats.restore(pulses),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => complain(&*sink, "read", &file, &error),
        }
        let task = tokio::spawn(follow(file.clone(), heartbeats.clone(), sink));
        Self { file, heartbeats, task }
    }

    /// Writes what came in the last moment.
    pub(crate) fn close(self) {
        self.task.abort();
        // Where it cannot be written has been said.
        let _ = write(&self.file, &self.heartbeats.all());
    }
}

async fn follow(file: PathBuf, heartbeats: Heartbeats, sink: Arc<dyn Sink>) {
    let mut complained = false;
    loop {
        heartbeats.changed().await;
        let (pulses, path) = (heartbeats.all(), file.clone());
        let written = tokio::task::spawn_blocking(move || write(&path, &pulses)).await;
        match written.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(()) => complained = false,
            Err(error) => {
                if !std::mem::replace(&mut complained, true) {
                    complain(&*sink, "written", &file, &error);
                }
            }
        }
        sleep(BREATH).await;
    }
}

fn complain(sink: &dyn Sink, what: &str, file: &Path, error: &io::Error) {
    let text = format!("heartbeats cannot be {what}, and do not survive a restart: {}: {error}", file.display());
    sink.emit(&Event::Warning { text });
}

/// As it stands in the file: times as RFC 3339, durations in seconds.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    since: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    took: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
}

impl From<&Pulse> for Line {
    fn from(pulse: &Pulse) -> Self {
        Self {
            since: pulse.since.to_string(),
            last: pulse.last.map(|at| at.to_string()),
            took: pulse.took.map(|took| took.as_secs_f64()),
            started: pulse.started.map(|at| at.to_string()),
            failed: pulse.failed.map(|(at, _)| at.to_string()),
            exit_code: pulse.failed.and_then(|(_, code)| code),
        }
    }
}

impl Line {
    /// A time that is still to come was written under a clock that was wrong.
    fn pulse(&self, now: Timestamp) -> Result<Pulse, jiff::Error> {
        let time = |text: &String| text.parse::<Timestamp>().map(|at| at.min(now));
        Ok(Pulse {
            since: time(&self.since)?,
            last: self.last.as_ref().map(time).transpose()?,
            took: self.took.and_then(|took| Duration::try_from_secs_f64(took).ok()),
            started: self.started.as_ref().map(time).transpose()?,
            failed: self.failed.as_ref().map(time).transpose()?.map(|at| (at, self.exit_code)),
        })
    }
}

fn read(file: &Path, now: Timestamp) -> io::Result<BTreeMap<String, Pulse>> {
    let lines: BTreeMap<String, Line> = serde_json::from_slice(&std::fs::read(file)?)?;
    let pulse = |(name, line): (String, Line)| line.pulse(now).map(|pulse| (name, pulse));
    lines.into_iter().map(pulse).collect::<Result<_, _>>().map_err(io::Error::other)
}

/// In one step: whoever reads it finds the old or the new, also after a power cut.
fn write(file: &Path, pulses: &BTreeMap<String, Pulse>) -> io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let lines: BTreeMap<&String, Line> = pulses.iter().map(|(name, pulse)| (name, Line::from(pulse))).collect();
    let mut whole = tempfile::NamedTempFile::new_in(directory)?;
    whole.write_all(&serde_json::to_vec_pretty(&lines)?)?;
    whole.as_file().sync_all()?;
    whole.persist(file).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use seaworthy::core::event::Memory;
    use seaworthy_checks::heartbeat::Signal;

    use super::*;

    #[tokio::test]
    async fn what_jobs_said_is_known_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let sink = Arc::new(Memory::default());
        let before = Heartbeats::default();
        let record = Record::keep(directory.path(), before.clone(), sink.clone());
        before.expect("backup");
        before.expect("report");
        before.take("backup", Signal::Success { took: Some(Duration::from_secs(7)) });
        before.take("report", Signal::Failure { code: Some(3) });
        before.take("report", Signal::Start);
        record.close();

        let after = Heartbeats::default();
        let _record = Record::keep(directory.path(), after.clone(), sink.clone());
        after.expect("backup");
        after.expect("report");
        assert_eq!(after.all(), before.all());
        assert!(sink.said().is_empty());
    }

    #[tokio::test]
    async fn a_change_is_written_without_a_stop() {
        let directory = tempfile::tempdir().unwrap();
        let heartbeats = Heartbeats::default();
        let _record = Record::keep(&directory.path().join("new"), heartbeats.clone(), Arc::new(Memory::default()));
        heartbeats.expect("backup");
        heartbeats.take("backup", Signal::Success { took: None });
        let file = directory.path().join("new").join(FILE);
        let written = async {
            while !read(&file, Timestamp::now()).is_ok_and(|known| known.values().any(|pulse| pulse.last.is_some())) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), written).await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_is_none_is_said_and_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(FILE), "{\"backup\": {\"since\": \"yesterday\"}}").unwrap();
        let sink = Arc::new(Memory::default());
        let heartbeats = Heartbeats::default();
        let record = Record::keep(directory.path(), heartbeats.clone(), sink.clone());
        assert!(sink.said()[0].starts_with("heartbeats cannot be read"), "{:?}", sink.said());
        heartbeats.expect("backup");
        record.close();
        assert!(read(&directory.path().join(FILE), Timestamp::now()).is_ok());
    }

    #[test]
    fn a_time_that_is_still_to_come_counts_as_now() {
        let line = Line {
            since: "2026-01-01T00:00:00Z".to_owned(),
            last: Some("2999-01-01T00:00:00Z".to_owned()),
            took: Some(f64::NAN),
            started: None,
            failed: None,
            exit_code: Some(1),
        };
        let now = Timestamp::now();
        let pulse = line.pulse(now).unwrap();
        assert_eq!((pulse.last, pulse.took, pulse.failed), (Some(now), None, None));
    }
}
