//! The monitor against sockets of its own.

use std::num::NonZeroU32;
use std::sync::Mutex;

use seaworthy::core::event::{Event, Nowhere};
use seaworthy::core::health::{Affects, Class, Policy, Snapshot, Status};
use seaworthy::core::lifecycle::State;
use seaworthy_checks::heartbeat::Schedule;
use seaworthy_checks::kinds::{Spec, heartbeat, tcp};
use seaworthy_checks::{Idle, Place};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;
use crate::config::{Sources, load};
use crate::supervise::{Commands, Lines, OutputLine, Reaper};

/// Longer than anything takes on a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(30);

struct NoLines;

impl Lines for NoLines {
    fn line(&self, _: OutputLine<'_>) {}
}

fn given() -> Surroundings {
    let app = load(&Sources::default()).unwrap().config.app;
    let reaper = Reaper::for_own_children(Arc::new(Nowhere)).unwrap();
    surroundings(Commands::of(&app, Arc::new(NoLines), Arc::new(Nowhere), reaper).unwrap(), Arc::new(Idle))
}

#[derive(Default)]
struct Memory(Mutex<Vec<Event>>);

impl Sink for Memory {
    fn emit(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Memory {
    fn said(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|event| event.name().to_owned()).collect()
    }
}

fn check(name: &str, spec: Spec) -> Check {
    Check {
        name: name.to_owned(),
        spec,
        affects: Affects::Ready,
        group: None,
        gates_start: false,
        interval: Duration::from_millis(100),
        timeout: Duration::from_secs(5),
        policy: Policy { failure_threshold: NonZeroU32::MIN, ..Policy::default() },
        depends_on: Vec::new(),
        labels: Vec::new(),
        token: None,
    }
}

fn tcp(name: &str, port: u16) -> Check {
    let place = Place::Tcp { host: "127.0.0.1".to_owned(), port };
    check(name, Spec::Tcp(tcp::Settings { place, send: None, expect: None }))
}

async fn until(health: &Health, holds: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
    let mut follow = health.follow();
    let found = timeout(LONG, follow.wait_for(|snapshot| holds(snapshot))).await;
    found.unwrap_or_else(|_| panic!("never so: {:?}", health.snapshot())).unwrap().clone()
}

fn status(snapshot: &Snapshot, name: &str) -> Option<Status> {
    snapshot.checks.iter().find(|check| check.name == name).map(|check| check.status)
}

#[tokio::test]
async fn an_outage_and_its_end_are_seen_and_said_once_each() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (health, memory) = (Health::default(), Arc::new(Memory::default()));
    let _monitor = Monitor::start(&[tcp("smtp", address.port())], given(), health.clone(), memory.clone());
    assert_eq!(status(&health.snapshot(), "smtp"), Some(Status::Pending));
    until(&health, |snapshot| status(snapshot, "smtp") == Some(Status::Healthy)).await;
    drop(listener);
    let down = until(&health, |snapshot| status(snapshot, "smtp") == Some(Status::Unhealthy)).await;
    assert_eq!(down.checks[0].class, Some(Class::Refused));
    let listener = std::net::TcpListener::bind(address).unwrap();
    let up = until(&health, |snapshot| status(snapshot, "smtp") == Some(Status::Healthy)).await;
    assert!(up.runs >= 3, "{up:?}");
    assert_eq!(memory.said(), ["check_passed", "check_failed", "check_passed"]);
    drop(listener);
}

#[tokio::test]
async fn a_reload_keeps_what_did_not_change_and_takes_away_what_is_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let health = Health::default();
    let (stays, goes) = (tcp("stays", port), tcp("goes", port));
    let mut monitor = Monitor::start(&[stays.clone(), goes], given(), health.clone(), Arc::new(Nowhere));
    until(&health, |s| s.checks.iter().all(|check| check.status == Status::Healthy)).await;
    let since = health.snapshot().checks[0].since;
    let changed = Check { affects: Affects::Info, ..stays };
    monitor.set(&[tcp("comes", port), changed], true);
    let now = health.snapshot();
    assert_eq!(now.checks.iter().map(|check| check.name.as_str()).collect::<Vec<_>>(), ["comes", "stays"]);
    assert_eq!(
        (now.checks[1].status, now.checks[1].affects, now.checks[1].since),
        (Status::Healthy, Affects::Info, since)
    );
    until(&health, |snapshot| status(snapshot, "comes") == Some(Status::Healthy)).await;
}

#[tokio::test]
async fn a_check_that_a_reload_adds_takes_readiness_only_when_it_has_failed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (dead, health) = (reserved.local_addr().unwrap().port(), Health::default());
    drop(reserved);
    let stays = tcp("stays", port);
    let mut monitor = Monitor::start(std::slice::from_ref(&stays), given(), health.clone(), Arc::new(Nowhere));
    assert!(!health.snapshot().ready(State::Ready), "at the start it waits");
    until(&health, |snapshot| snapshot.ready(State::Ready)).await;
    let gate = Check { gates_start: true, ..tcp("gate", dead) };
    // It gates a start that is over, and would be asked again after a while only.
    let later = Check { interval: Duration::from_mins(1), ..gate };
    monitor.set(&[stays.clone(), later.clone()], true);
    let now = health.snapshot();
    assert_eq!(status(&now, "gate"), Some(Status::Pending));
    assert!(now.ready(State::Ready) && now.started(State::Ready));
    until(&health, |snapshot| !snapshot.ready(State::Ready)).await;
    assert_eq!(status(&health.snapshot(), "gate"), Some(Status::Unhealthy));
    assert!(health.snapshot().started(State::Ready));
    monitor.set(&[stays, tcp("another", port)], false);
    assert!(!health.snapshot().ready(State::Ready), "what is not ready does not become so by what is not known");
}

#[tokio::test]
async fn who_depends_on_what_fails_says_whom_to_blame() {
    let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = reserved.local_addr().unwrap().port();
    drop(reserved);
    let health = Health::default();
    let queue = Check { depends_on: vec!["redis".to_owned()], ..tcp("queue", port) };
    let _monitor = Monitor::start(&[queue, tcp("redis", port)], given(), health.clone(), Arc::new(Nowhere));
    let down = until(&health, |snapshot| {
        snapshot.checks.iter().all(|check| check.status == Status::Unhealthy) && snapshot.checks[0].because_of.is_some()
    });
    assert_eq!(down.await.checks[0].because_of.as_deref(), Some("redis"));
}

#[tokio::test]
async fn a_heartbeat_that_does_not_come_is_an_outage_and_one_that_comes_ends_it() {
    let (health, given) = (Health::default(), given());
    let schedule = Schedule::Every(Duration::from_secs(1));
    let settings =
        heartbeat::Settings { name: "backup".to_owned(), schedule, grace: Duration::ZERO, max_duration: None };
    let check = check("backup", Spec::Heartbeat(settings));
    let monitor = Monitor::start(&[check], given, health.clone(), Arc::new(Nowhere));
    until(&health, |snapshot| status(snapshot, "backup") == Some(Status::Unhealthy)).await;
    let seven = Signal::Success { took: Some(Duration::from_secs(7)) };
    assert_eq!(monitor.beat("backup", seven), Reply::done("backup is alive"));
    let refused = "no heartbeat check has the name \"bakcup\"; did you mean \"backup\"?";
    assert_eq!(monitor.beat("bakcup", seven), Reply::refused(refused));
    let up = until(&health, |snapshot| status(snapshot, "backup") == Some(Status::Healthy)).await;
    assert!(up.checks[0].measures.iter().any(|measure| (measure.value - 7.0).abs() < 1e-9), "{up:?}");
}

#[tokio::test]
async fn a_command_is_run_with_its_variables_and_killed_with_its_group_when_nobody_waits_any_more() {
    let given = given();
    let words = |script: &str| ["sh", "-c", script].map(str::to_owned).to_vec();
    let env = std::collections::BTreeMap::from([("KEY".to_owned(), seaworthy_checks::Secret::new("value"))]);
    let finished = given.commands.run(&words("echo $KEY; exit 3"), &env).await.unwrap();
    assert_eq!((finished.code, finished.output), (3, vec!["value".to_owned()]));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let script = format!("sleep 300 & echo $! > {}; wait", file.display());
    let words = words(&script);
    let mut running = given.commands.run(&words, &env);
    let written = || std::fs::read_to_string(&file).ok().filter(|pid| pid.ends_with('\n'));
    let pid = loop {
        tokio::select! {
            finished = &mut running => panic!("it ended: {finished:?}"),
            () = tokio::task::yield_now() => {}
        }
        if let Some(pid) = written() {
            break pid;
        }
    };
    drop(running);
    let gone = async {
        // Reaped by whoever adopts it, which takes a moment.
        while std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, gone).await.unwrap();
}
