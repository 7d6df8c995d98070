//! Load by an open model: requests leave on schedule, whatever the answers do.
//!
//! A closed loop waits for an answer before it asks again, and so asks less while the service is stuck: it leaves out the
//! very moments that matter (coordinated omission). Here a latency counts from the time at which the request was *due*.
//! What could not be sent, since all connections were busy until the end, is reported apart.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::LocalSet;

use crate::client::{Connection, Outcome, Request, Target};

mod histogram;

pub use histogram::Histogram;

/// How much, how long, and over how many connections.
#[derive(Debug, Clone)]
pub struct Load {
    pub target: Target,
    pub request: Request,
    /// Requests a second, at most 100,000.
    pub rate: f64,
    pub duration: Duration,
    /// Kept connections at most; each carries one request at a time.
    pub connections: usize,
    /// How long an answer may take, from the sending.
    pub limit: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    pub due: u64,
    pub outcomes: BTreeMap<String, u64>,
    pub lost: u64,
    pub ok: u64,
    /// Due, and not sent before the end.
    pub unsent: u64,
    /// From the time at which it was due to the last byte of the answer.
    pub latency: Histogram,
    /// From the time at which it was due to the time at which it was sent.
    pub schedule_error: Histogram,
    pub elapsed: Duration,
}

/// Sends the load from a thread of its own, and returns when all is answered or late.
pub fn run(load: &Load) -> io::Result<Measured> {
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| -> io::Result<Measured> {
            hurry();
            // Sockets are looked at often: a request that is due must not wait behind sixty answers.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().event_interval(13).build()?;
            Ok(LocalSet::new().block_on(&runtime, Source::new(load).run()))
        });
        sender.join().unwrap_or_else(|_| Err(io::Error::other("the thread that sends the load broke off")))
    })
}

/// What the calling thread may have before others: a request that waits for a processor is late by no fault of the service.
/// Both need no more than asking, and where it is refused the load is as exact as the machine has time for it.
fn hurry() {
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    // Of this thread alone, and only for those who may.
    let _ = rustix::process::nice(-15);
}

/// Between two looks at what is due.
const FINEST: Duration = Duration::from_micros(200);
const COARSEST: Duration = Duration::from_millis(10);

/// Between two requests.
fn pause(load: &Load) -> Duration {
    Duration::from_secs_f64(1.0 / load.rate.clamp(0.1, 100_000.0))
}

/// Wakes the source on time: the runtime's own timer counts milliseconds, too coarse for a request every 100 µs. A thread
/// that sleeps is exact to some 10 µs, and uses next to nothing of the core; one that spins would be the first to be
/// taken off a busy one.
#[derive(Debug)]
struct Metronome {
    beat: Arc<Notify>,
    stopped: Arc<AtomicBool>,
}

impl Metronome {
    fn start(every: Duration) -> Self {
        let metronome = Self { beat: Arc::default(), stopped: Arc::default() };
        let (beat, stopped) = (metronome.beat.clone(), metronome.stopped.clone());
        std::thread::spawn(move || {
            hurry();
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(every);
                beat.notify_one();
            }
        });
        metronome
    }

    async fn tick(&self) {
        self.beat.notified().await;
    }
}

impl Drop for Metronome {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Source {
    load: Rc<Load>,
    bytes: Rc<[u8]>,
    metronome: Metronome,
    shared: Rc<RefCell<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    idle: Vec<Connection>,
    open: usize,
    running: usize,
    /// Due, and waiting for a connection.
    waiting: VecDeque<Instant>,
    /// Named only in the end: a name for each request would cost as much as its answer.
    outcomes: BTreeMap<Outcome, u64>,
    measured: Measured,
}

impl Source {
    fn new(load: &Load) -> Self {
        Self {
            load: Rc::new(load.clone()),
            bytes: load.request.bytes(&load.target).into(),
            metronome: Metronome::start((pause(load) / 4).clamp(FINEST, COARSEST)),
            shared: Rc::default(),
        }
    }

    async fn run(self) -> Measured {
        let start = Instant::now();
        let pause = pause(&self.load);
        let end = start + self.load.duration;
        let mut due = start;
        while due < end {
            self.metronome.tick().await;
            let now = Instant::now();
            while due <= now && due < end {
                self.shared.borrow_mut().measured.due += 1;
                self.send(due);
                due += pause;
            }
        }
        // What is under way may be answered; what still waits for a connection by then was never sent.
        let deadline = end + self.load.limit;
        while self.shared.borrow().running > 0 && Instant::now() < deadline {
            self.metronome.tick().await;
        }
        let mut shared = self.shared.borrow_mut();
        shared.measured.unsent = shared.waiting.len() as u64;
        shared.measured.elapsed = start.elapsed();
        let outcomes = std::mem::take(&mut shared.outcomes);
        shared.measured.outcomes = outcomes.into_iter().map(|(outcome, count)| (outcome.to_string(), count)).collect();
        std::mem::take(&mut shared.measured)
    }

    fn send(&self, due: Instant) {
        let mut shared = self.shared.borrow_mut();
        let kept = shared.idle.pop();
        if kept.is_none() {
            if shared.open >= self.load.connections {
                shared.waiting.push_back(due);
                return;
            }
            shared.open += 1;
        }
        shared.running += 1;
        drop(shared);
        let line = Line { load: self.load.clone(), bytes: self.bytes.clone(), shared: self.shared.clone() };
        tokio::task::spawn_local(line.run(kept, due));
    }
}

/// One connection, for as long as requests wait for one.
#[derive(Debug)]
struct Line {
    load: Rc<Load>,
    bytes: Rc<[u8]>,
    shared: Rc<RefCell<Shared>>,
}

impl Line {
    async fn run(self, mut kept: Option<Connection>, mut due: Instant) {
        loop {
            kept = self.ask(kept, due).await;
            let mut shared = self.shared.borrow_mut();
            let Some(next) = shared.waiting.pop_front() else {
                shared.running -= 1;
                match kept {
                    Some(connection) => shared.idle.push(connection),
                    None => shared.open -= 1,
                }
                return;
            };
            due = next;
        }
    }

    /// One request; the connection, where it can be used again.
    async fn ask(&self, kept: Option<Connection>, due: Instant) -> Option<Connection> {
        let reused = kept.is_some();
        let deadline = Instant::now() + self.load.limit;
        let (answer, connection) = match kept {
            Some(connection) => self.exchange(connection, due, deadline).await,
            None => match Connection::open(&self.load.target, self.load.limit).await {
                Ok(connection) => self.exchange(connection, due, deadline).await,
                Err(failure) => (Err(failure), None),
            },
        };
        let outcome = Outcome::of(&answer, reused);
        let shared = &mut *self.shared.borrow_mut();
        *shared.outcomes.entry(outcome).or_default() += 1;
        let measured = &mut shared.measured;
        measured.lost += u64::from(outcome.is_loss());
        measured.ok += u64::from(outcome == Outcome::Ok);
        if let Ok(answer) = &answer {
            measured.latency.record(answer.ended.saturating_duration_since(due));
        }
        connection
    }

    async fn exchange(
        &self,
        mut connection: Connection,
        due: Instant,
        deadline: Instant,
    ) -> (Result<crate::client::Answer, crate::client::Failure>, Option<Connection>) {
        self.shared.borrow_mut().measured.schedule_error.record(due.elapsed());
        if let Err(failure) = connection.send(&self.bytes, self.load.limit).await {
            return (Err(failure), None);
        }
        match connection.answer(&self.load.request, deadline).await {
            Ok(answer) => {
                let kept = (!answer.close).then_some(connection);
                (Ok(answer), kept)
            }
            Err(failure) => (Err(failure), None),
        }
    }
}
