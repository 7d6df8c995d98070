//! Work that is no request: a shutdown asks it to end, waits for it, and says what it had to leave behind.
//!
//! # Rules
//!
//! - A [`BackgroundWork`] is a beacon: as long as one is held, the phase [`Workers`](crate::Phase::Workers) of the shutdown waits, up to
//!   the time of that phase. What is left then is reported by name.
//! - It is told twice: [`draining`](BackgroundWork::draining) when the drain begins, while requests still run, and
//!   [`stopping`](BackgroundWork::stopping) when they have ended. Work that only takes from a queue should end at the first word; work that
//!   requests still hand something to, at the second.
//! - Dropping it says that the work is done, on every way out: a panic of the work does not hold the shutdown up.
//! - A panic of what [`Lifecycle::spawn`] runs is reported when it happens. The work is not begun anew: whether that is safe, only it knows.
//!
//! ```
//! # async fn next_job() {} async fn handle(_: ()) {}
//! use seaworthy::lifecycle::Lifecycle;
//!
//! # async fn example() {
//! let life = Lifecycle::default();
//! let worker = life.spawn("outbox", |work| async move {
//!     loop {
//!         tokio::select! {
//!             () = work.draining() => break,
//!             job = next_job() => handle(job).await,
//!         }
//!     }
//! });
//! # worker.stop().await.unwrap(); }
//! ```

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use seaworthy_core::event::{Event, Sink};
use slab::Slab;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::lifecycle::Lifecycle;
use crate::panic::message_of;
use crate::shutdown::HookResult;

/// All work that is under way. Clones share it.
#[derive(Clone)]
pub(crate) struct Beacons(Arc<Shared>);

struct Shared {
    names: Mutex<Slab<String>>,
    count: watch::Sender<usize>,
    stopping: watch::Sender<bool>,
}

impl Default for Beacons {
    fn default() -> Self {
        Self(Arc::new(Shared {
            names: Mutex::default(),
            count: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
        }))
    }
}

impl Beacons {
    fn names(&self) -> MutexGuard<'_, Slab<String>> {
        self.0.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn hold(&self, life: &Lifecycle, name: String) -> BackgroundWork {
        let key = self.names().insert(name);
        self.0.count.send_modify(|count| *count += 1);
        BackgroundWork { beacons: self.clone(), key, life: life.clone(), asked: watch::Sender::new(false) }
    }

    /// Tells all of them that requests have ended.
    pub(crate) fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// Waits until nobody holds one any more.
    pub(crate) async fn gone(&self) {
        // The sender lives as long as `self`.
        let _ = self.0.count.subscribe().wait_for(|count| *count == 0).await;
    }

    /// The names of those that are left.
    pub(crate) fn left(&self) -> Vec<String> {
        self.names().iter().map(|(_, name)| name.clone()).collect()
    }
}

/// Says that some work is under way; see the [module](self). Made by [`Lifecycle::background_work`].
#[must_use = "the work counts as done when this is dropped"]
pub struct BackgroundWork {
    beacons: Beacons,
    key: usize,
    life: Lifecycle,
    /// Somebody asked this one alone to end.
    asked: watch::Sender<bool>,
}

impl BackgroundWork {
    /// Completes when the drain begins, or when [`Worker::stop`] is called: requests may still be under way.
    pub async fn draining(&self) {
        tokio::select! {
            _ = self.life.stop_asked() => {}
            () = until(&self.asked) => {}
        }
    }

    /// Completes when no request is left, or when [`Worker::stop`] is called.
    pub async fn stopping(&self) {
        tokio::select! {
            () = until(&self.beacons.0.stopping) => {}
            () = until(&self.asked) => {}
        }
    }
}

async fn until(flag: &watch::Sender<bool>) {
    // The sender is borrowed, so it cannot be gone.
    let _ = flag.subscribe().wait_for(|flag| *flag).await;
}

impl Drop for BackgroundWork {
    fn drop(&mut self) {
        self.beacons.names().try_remove(self.key);
        self.beacons.0.count.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl fmt::Debug for BackgroundWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.beacons.names().get(self.key).cloned();
        f.debug_struct("BackgroundWork").field("name", &name).finish_non_exhaustive()
    }
}

/// Work that runs as a task of its own. Made by [`Lifecycle::spawn`]; dropping it leaves the task alone.
#[derive(Debug)]
pub struct Worker {
    name: String,
    asked: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Worker {
    /// Asks the work to end and waits until it has; for [`on_shutdown`](crate::production::Builder::on_shutdown), which limits the time.
    ///
    /// # Errors
    ///
    /// If the work panicked, now or earlier.
    pub async fn stop(self) -> HookResult {
        self.asked.send_replace(true);
        match self.task.await {
            Ok(()) => Ok(()),
            Err(error) => {
                let why = match error.try_into_panic() {
                    Ok(panic) => format!("panicked: {}", message_of(panic.as_ref())),
                    Err(_) => "was cancelled".to_owned(),
                };
                Err(format!("background work {:?} {why}", self.name).into())
            }
        }
    }
}

impl Lifecycle {
    /// Says that work called `name` is under way until the result is dropped. The name reaches the log if the work has
    /// to be left behind.
    #[must_use = "the work counts as done when this is dropped"]
    pub fn background_work(&self, name: impl Into<String>) -> BackgroundWork {
        self.beacons().hold(self, name.into())
    }

    /// Runs `work` as a task that the shutdown asks to end and waits for. Its panic is reported to [`Lifecycle::sink`], as
    /// [`Event::CommandFailed`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`tokio::spawn`] does.
    pub fn spawn<F, W>(&self, name: impl Into<String>, work: F) -> Worker
    where
        F: FnOnce(BackgroundWork) -> W,
        W: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let beacon = self.background_work(name.clone());
        let asked = beacon.asked.clone();
        let task = tokio::spawn(reported(work(beacon), name.clone(), self.sink()));
        Worker { name, asked, task }
    }
}

/// `work`, with a word about its panic: nobody may ever look at what its task came to.
async fn reported<W: Future<Output = ()>>(work: W, name: String, sink: Arc<dyn Sink>) {
    let mut work = pin!(work);
    let ended = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    });
    if let Err(panic) = ended.await {
        let reason = format!("panicked: {}", message_of(panic.as_ref()));
        sink.emit(&Event::CommandFailed { what: format!("background work {name:?}"), reason });
        // Whoever waits for it by `Worker::stop` hears of it too.
        resume_unwind(panic);
    }
}
