//! Traffic as a balancer sends it: new connections, kept ones, slow requests, uploads and probes, all written down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::client::exchange::drip;
use crate::client::{Connection, Ending, Exchange, Request, Target, exchange};

/// What an exchange was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A quick request on a connection of its own.
    New,
    /// A quick request on a kept connection.
    Kept,
    Slow,
    Upload,
    Ready,
    Live,
}

/// Everything that was sent, in order of ending. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<(Kind, Exchange)>>>);

impl Journal {
    pub(crate) fn add(&self, kind: Kind, exchange: Exchange) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((kind, exchange));
    }

    pub(crate) fn of(&self, kinds: &[Kind]) -> Vec<Exchange> {
        let journal = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        journal.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, exchange)| exchange.clone()).collect()
    }

    /// When `path` of this kind first answered other than 2xx, or not at all, after `since`.
    pub(crate) fn first_failure(&self, kind: Kind, since: Instant) -> Option<Instant> {
        let journal = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let after = journal.iter().filter(|(own, exchange)| *own == kind && exchange.begun >= since);
        let failed = after.filter(|(_, exchange)| !exchange.status.is_some_and(|status| (200..300).contains(&status)));
        failed.map(|(_, exchange)| exchange.ended).min()
    }
}

/// How a kept connection came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parting {
    /// An answer said `Connection: close`.
    Told,
    /// The server closed it while it was idle.
    ClosedIdle,
    /// It was still kept when the traffic stopped, and its last answer (after the signal) did not say otherwise.
    Untold,
}

/// Traffic under way.
#[derive(Debug)]
pub(crate) struct Traffic {
    target: Target,
    limit: Duration,
    pub(crate) journal: Journal,
    stop: watch::Sender<bool>,
    probing: watch::Sender<bool>,
    tasks: JoinSet<()>,
    probes: JoinSet<()>,
    signalled: Arc<AtomicBool>,
    partings: Arc<Mutex<Vec<Parting>>>,
}

impl Traffic {
    /// Nothing yet; each request may take up to `limit`.
    pub(crate) fn new(target: &Target, limit: Duration) -> Self {
        Self {
            target: target.clone(),
            limit,
            journal: Journal::default(),
            stop: watch::Sender::new(false),
            probing: watch::Sender::new(true),
            tasks: JoinSet::new(),
            probes: JoinSet::new(),
            signalled: Arc::default(),
            partings: Arc::default(),
        }
    }

    /// Quick requests, each on a new connection, one every `pace`, whatever the answers do.
    pub(crate) fn open_connections(&mut self, path: &str, pace: Duration) {
        let (target, journal, limit, stop) =
            (self.target.clone(), self.journal.clone(), self.limit, self.stop.subscribe());
        let request = Request::get(path);
        self.tasks.spawn(async move {
            let mut due = interval(pace);
            due.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut running = JoinSet::new();
            while !*stop.borrow() {
                due.tick().await;
                if *stop.borrow() {
                    break;
                }
                let (target, journal, request) = (target.clone(), journal.clone(), request.clone());
                running.spawn(async move { journal.add(Kind::New, exchange(&target, &request, limit).await) });
            }
            while running.join_next().await.is_some() {}
        });
    }

    /// `count` kept connections, each asking every `pace`, and opened anew when the server has ended it.
    pub(crate) fn keep_connections(&mut self, path: &str, count: usize, pace: Duration) {
        for _ in 0..count {
            let keeper = Keeper {
                target: self.target.clone(),
                request: Request::get(path),
                limit: self.limit,
                pace,
                journal: self.journal.clone(),
                stop: self.stop.subscribe(),
                signalled: self.signalled.clone(),
                partings: self.partings.clone(),
            };
            self.tasks.spawn(keeper.run());
        }
    }

    /// One slow request, now.
    pub(crate) fn slow(&mut self, path: &str) {
        let (target, journal, limit) = (self.target.clone(), self.journal.clone(), self.limit);
        let request = Request::get(path);
        self.tasks.spawn(async move { journal.add(Kind::Slow, exchange(&target, &request, limit).await) });
    }

    /// One upload of `parts` KiB at `pace`, now.
    pub(crate) fn upload(&mut self, path: &str, parts: usize, pace: Duration) {
        let (target, journal, limit, path) = (self.target.clone(), self.journal.clone(), self.limit, path.to_owned());
        self.tasks.spawn(async move { journal.add(Kind::Upload, drip(&target, &path, parts, pace, limit).await.0) });
    }

    /// Asks a probe every `pace` until [`Traffic::end`], each time on a new connection.
    pub(crate) fn probe(&mut self, kind: Kind, path: &str, pace: Duration) {
        let (target, journal, mut probing) = (self.target.clone(), self.journal.clone(), self.probing.subscribe());
        let request = Request::get(path);
        self.probes.spawn(async move {
            while *probing.borrow_and_update() {
                journal.add(kind, exchange(&target, &request, Duration::from_secs(5)).await);
                let _ = tokio::time::timeout(pace, probing.changed()).await;
            }
        });
    }

    /// From now on kept connections are watched for being told to leave.
    pub(crate) fn signalled(&self) {
        self.signalled.store(true, Ordering::Release);
    }

    /// Sends nothing more and closes kept connections; what is under way goes on.
    pub(crate) fn stop(&self) {
        let _ = self.stop.send(true);
    }

    /// Waits until what is under way has ended.
    pub(crate) async fn settled(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Ends the probing too. How the kept connections ended.
    pub(crate) async fn end(&mut self) -> Vec<Parting> {
        let _ = self.probing.send(false);
        while self.probes.join_next().await.is_some() {}
        self.partings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Debug)]
struct Keeper {
    target: Target,
    request: Request,
    limit: Duration,
    pace: Duration,
    journal: Journal,
    stop: watch::Receiver<bool>,
    signalled: Arc<AtomicBool>,
    partings: Arc<Mutex<Vec<Parting>>>,
}

impl Keeper {
    async fn run(self) {
        let mut kept: Option<Connection> = None;
        let mut untold = false;
        while !*self.stop.borrow() {
            let after_signal = self.signalled.load(Ordering::Acquire);
            let begun = Instant::now();
            let reused = kept.is_some();
            let answer = match kept.take() {
                Some(mut connection) => {
                    if connection.ending(Duration::from_millis(1)).await == Ending::Open {
                        self.ask(connection).await
                    } else {
                        if after_signal {
                            self.parted(Parting::ClosedIdle);
                        }
                        untold = false;
                        continue;
                    }
                }
                None => match Connection::open(&self.target, self.limit).await {
                    Ok(connection) => self.ask(connection).await,
                    Err(failure) => (Err(failure), None),
                },
            };
            let exchange = Exchange::new(self.request.to_string(), begun, reused, &answer.0);
            let told = exchange.told_to_close;
            if let Some(connection) = answer.1 {
                // Only an answer that was begun after the signal can be expected to tell.
                untold = after_signal && reused && !told;
                if told && after_signal {
                    self.parted(Parting::Told);
                }
                kept = (!told).then_some(connection);
            } else {
                untold = false;
            }
            self.journal.add(Kind::Kept, exchange);
            sleep(self.pace).await;
        }
        if let Some(mut connection) = kept {
            if connection.ending(Duration::from_millis(1)).await != Ending::Open {
                self.parted(Parting::ClosedIdle);
            } else if untold {
                self.parted(Parting::Untold);
            }
        }
    }

    async fn ask(
        &self,
        mut connection: Connection,
    ) -> (Result<crate::client::Answer, crate::client::Failure>, Option<Connection>) {
        let deadline = Instant::now() + self.limit;
        let sent = connection.send(&self.request.bytes(&self.target), self.limit).await;
        match (sent, connection.answer(&self.request, deadline).await) {
            (_, Ok(answer)) => (Ok(answer), Some(connection)),
            (Err(failure), Err(_)) | (Ok(()), Err(failure)) => (Err(failure), None),
        }
    }

    fn parted(&self, parting: Parting) {
        self.partings.lock().unwrap_or_else(PoisonError::into_inner).push(parting);
    }
}
