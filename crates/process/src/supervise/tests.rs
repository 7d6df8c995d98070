//! The supervisor against real programs.

mod adopting;
mod commands;
mod deaths;
mod output;
mod readiness;
mod starting;
mod stopping;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use seaworthy_core::event::{Event, Sink, Stream};
use tokio::time::timeout;

use super::*;
use crate::config::{AppPort, Hook, Protocol, RestartPolicy, StopScope};

/// Longer than anything takes on a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(30);

/// An HTTP server in node that says what it does. What is left open is `body`, run for each request as `(q, r)`.
pub(super) fn node_server(body: &str) -> Vec<OsString> {
    let script = format!(
        "const server = require('http').createServer((q, r) => {{ {body} }});
         process.on('SIGTERM', () => {{ console.log('draining'); server.close(); setTimeout(() => process.exit(0), 50); }});
         server.listen(process.env.PORT, '127.0.0.1', () => console.log('listening'));"
    );
    words(&["node", "-e", &script])
}

pub(super) fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

pub(super) fn sh(script: &str) -> Vec<OsString> {
    words(&["sh", "-c", script])
}

/// Remembers what it was told.
#[derive(Default)]
pub(super) struct Recorder {
    events: Mutex<Vec<Event>>,
    lines: Mutex<Vec<(Stream, Vec<u8>)>>,
    told: tokio::sync::Notify,
}

impl Sink for Recorder {
    fn emit(&self, event: &Event) {
        self.events.lock().unwrap().push(event.clone());
        self.told.notify_waiters();
    }
}

impl Lines for Recorder {
    fn line(&self, line: OutputLine<'_>) {
        self.lines.lock().unwrap().push((line.stream, line.bytes.to_vec()));
        self.told.notify_waiters();
    }
}

impl Recorder {
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.events.lock().unwrap().iter().map(Event::name).collect()
    }

    pub(super) fn texts(&self) -> Vec<String> {
        self.events.lock().unwrap().iter().map(ToString::to_string).collect()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        lines.iter().map(|(_, line)| String::from_utf8_lossy(line).into_owned()).collect()
    }

    /// Completes when a line is exactly `wanted`.
    pub(super) async fn said(&self, wanted: &str) {
        self.until(|recorder| recorder.lines().iter().any(|line| line == wanted).then_some(())).await;
    }

    /// The rest of the first line that begins with `start`.
    pub(super) async fn said_after(&self, start: &str) -> String {
        self.until(|recorder| recorder.lines().iter().find_map(|line| line.strip_prefix(start).map(str::to_owned)))
            .await
    }

    pub(super) async fn until<T>(&self, condition: impl Fn(&Self) -> Option<T>) -> T {
        let wait = async {
            loop {
                let told = self.told.notified();
                tokio::pin!(told);
                told.as_mut().enable();
                if let Some(found) = condition(self) {
                    return found;
                }
                told.await;
            }
        };
        let found = timeout(LONG, wait).await;
        found.unwrap_or_else(|_| panic!("in vain; events {:?}, lines {:?}", self.texts(), self.lines()))
    }
}

/// A supervisor under test.
pub(super) struct Harness {
    pub(super) supervisor: Supervisor,
    pub(super) commands: Commands,
    pub(super) reports: mpsc::UnboundedReceiver<Report>,
    pub(super) recorder: Arc<Recorder>,
}

pub(super) struct Built {
    pub(super) setup: Setup,
    pub(super) recorder: Arc<Recorder>,
    pub(super) completed: Arc<AtomicU64>,
}

/// A setup with quick restarts; what a test is about it changes.
pub(super) fn setup(command: Vec<OsString>, port: AppPort) -> Built {
    let recorder = Arc::new(Recorder::default());
    let completed = Arc::new(AtomicU64::new(0));
    let count = completed.clone();
    let three = NonZeroU32::new(3).unwrap();
    let setup = Setup {
        app: App {
            command,
            port,
            ready_path: None,
            live_path: None,
            live_failures: three,
            live_interval: Duration::from_millis(100),
            drain_signal: None,
            env: BTreeMap::new(),
            withheld: Vec::new(),
            cwd: None,
            user: None,
            protocol: Protocol::Auto,
        },
        start: Start { timeout: LONG, hold: Duration::ZERO, hold_after_crash: Duration::ZERO },
        stop: Stop {
            signal: Signal::Term,
            scope: StopScope::Auto,
            timeout: LONG,
            before: Vec::new(),
            after: Vec::new(),
        },
        restart: Restart {
            policy: RestartPolicy::Always,
            backoff: Duration::from_millis(10),
            max_backoff: Duration::from_millis(20),
            deaths: three,
            window: Duration::from_mins(1),
        },
        migrations: Vec::new(),
        output: Output::Captured,
        our_ports: Vec::new(),
        completed: Arc::new(move || count.load(Ordering::Relaxed)),
    };
    Built { setup, recorder, completed }
}

/// A program without HTTP.
pub(super) fn worker(script: &str) -> Built {
    setup(sh(script), AppPort::None)
}

impl Built {
    pub(super) fn start(self) -> Harness {
        let reaper = Reaper::for_own_children(self.recorder.clone()).unwrap();
        self.start_with(reaper)
    }

    pub(super) fn start_with(self, reaper: Reaper) -> Harness {
        let Self { setup, recorder, .. } = self;
        let commands = Commands::of(&setup.app, recorder.clone(), recorder.clone(), reaper).unwrap();
        let surroundings = crate::monitor::surroundings(commands.clone(), Arc::new(seaworthy_checks::Idle));
        let (supervisor, reports) = Supervisor::start(setup, commands.clone(), surroundings);
        Harness { supervisor, commands, reports, recorder }
    }
}

impl Harness {
    pub(super) async fn report(&mut self) -> Report {
        let report = timeout(LONG, self.reports.recv()).await;
        report
            .unwrap_or_else(|_| {
                panic!("no report; events {:?}, lines {:?}", self.recorder.texts(), self.recorder.lines())
            })
            .expect("the supervisor lives")
    }

    pub(super) async fn ready(&mut self) -> (u32, Option<SocketAddr>) {
        loop {
            match self.report().await {
                Report::Ready { pid, address, .. } => return (pid, address),
                Report::Started { .. } | Report::Died { .. } => {}
                Report::Failed(failure) => panic!("ready, not {failure:?}"),
            }
        }
    }

    pub(super) async fn failure(&mut self) -> Failure {
        loop {
            match self.report().await {
                Report::Failed(failure) => return failure,
                ready @ Report::Ready { address: Some(_), .. } => panic!("a failure, not {ready:?}"),
                // A program without HTTP is ready before it can fail.
                _ => {}
            }
        }
    }

    pub(super) async fn stop(&self, patience: Duration) -> Stopped {
        timeout(LONG, self.supervisor.stop(patience)).await.expect("a stop ends")
    }
}

/// Completes when there is no such process any more, dead ones apart.
pub(super) async fn gone(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    let wait = async {
        while processes::Process::read(pid).is_some_and(|process| !process.zombie) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, wait).await.unwrap_or_else(|_| panic!("{pid} lives"));
}
