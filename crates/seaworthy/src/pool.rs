//! Pools of connections, watched: how many there are, how many are in use, who waits, and when it gets tight.
//!
//! # Rules
//!
//! - A pool is read when somebody scrapes, and every while by [`Observed::watch`]; taking a connection costs nothing more.
//! - `sqlx` does not say who waits for a connection: wrap what takes one in [`Observed::acquiring`], which also measures how
//!   long it took.
//! - At 80% of its connections a pool is strained: one warning, and another word when it is over. When all are in use
//!   and somebody waits it is exhausted.
//!
//! # In production
//!
//! A pool that is exhausted looks like a slow database. `db_pool_wait_seconds` tells the two apart: a wait for a connection
//! stands there, a slow query in [`database_query_duration_seconds`](crate::database).
//!
//! # Example
//!
//! ```
//! use seaworthy::metrics::Metrics;
//! use seaworthy::pool::{self, Pool, Reading};
//!
//! // With one of the features `sqlx`, `deadpool` and `bb8`, their pools are known already.
//! #[derive(Clone)]
//! struct Mine;
//! impl Pool for Mine {
//!     fn read(&self) -> Reading {
//!         Reading { size: 10, idle: 4, max: 20, waiting: 0 }
//!     }
//! }
//!
//! let metrics = Metrics::new("shop");
//! let observed = pool::observe(&Mine).name("orders").register(&metrics)?;
//! assert_eq!(observed.read().active(), 6);
//! # Ok::<(), seaworthy::metrics::FamilyError>(())
//! ```

#[cfg(feature = "bb8")]
mod bb8;
#[cfg(feature = "deadpool")]
mod deadpool;
#[cfg(feature = "sqlx")]
mod sqlx;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use seaworthy_core::event::{Event, Nowhere, Sink};
use seaworthy_core::pool::{Strain, Watch};

pub use seaworthy_core::pool::{Reading, ThresholdError};

use crate::metrics::{FamilyError, Histogram, Metrics, gauge, histogram};

gauge! {
    /// Connections that a pool has.
    struct SizeTotal("db_pool_size_total") { pool: &str }
}

gauge! {
    /// Connections of a pool that wait to be used.
    struct SizeIdle("db_pool_size_idle") { pool: &str }
}

gauge! {
    /// Connections of a pool that are in use.
    struct SizeActive("db_pool_size_active") { pool: &str }
}

gauge! {
    /// Who waits for a connection of a pool.
    struct SizeWaiting("db_pool_size_waiting") { pool: &str }
}

gauge! {
    /// Connections that a pool may have.
    struct SizeMax("db_pool_size_max") { pool: &str }
}

histogram! {
    /// How long it took to get a connection of a pool, in seconds.
    struct Wait("db_pool_wait_seconds") [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0] { pool: &str }
}

/// A pool that can be asked how it is. A clone is the same pool.
pub trait Pool: Clone + Send + Sync + 'static {
    /// How it is now. Must not wait.
    fn read(&self) -> Reading;
}

/// Watches `pool`, under the name `main` unless [`Observe::name`] gives another.
pub fn observe<P: Pool>(pool: &P) -> Observe<P> {
    Observe { pool: pool.clone(), name: "main".to_owned(), watch: Watch::default(), sink: Arc::new(Nowhere) }
}

/// How a pool is to be watched.
#[must_use = "nothing is observed before `register`"]
pub struct Observe<P> {
    pool: P,
    name: String,
    watch: Watch,
    sink: Arc<dyn Sink>,
}

impl<P: Pool> Observe<P> {
    /// The value of the label `pool`.
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Who is told when it gets tight. Nobody by default.
    pub fn sink(mut self, sink: Arc<dyn Sink>) -> Self {
        self.sink = sink;
        self
    }

    /// From which share in use on the pool is strained; 0.8 by default.
    ///
    /// # Errors
    ///
    /// [`ThresholdError`] unless it lies between 0.1 and 1.
    pub fn warn_at(mut self, share: f64) -> Result<Self, ThresholdError> {
        self.watch = Watch::new(share)?;
        Ok(self)
    }

    /// Shows the pool in `metrics`, for as long as these live.
    ///
    /// # Errors
    ///
    /// If the service has a family of another kind under one of the names.
    pub fn register(self, metrics: &Metrics) -> Result<Observed<P>, FamilyError> {
        let Self { pool, name, watch, sink } = self;
        let (total, idle) = (SizeTotal::register(metrics)?.with(&name), SizeIdle::register(metrics)?.with(&name));
        let (active, waiting) =
            (SizeActive::register(metrics)?.with(&name), SizeWaiting::register(metrics)?.with(&name));
        let (max, wait) = (SizeMax::register(metrics)?.with(&name), Wait::register(metrics)?.with(&name));
        let state = State { name, wait, sink, waiting: AtomicU64::new(0), watch: Mutex::new(watch) };
        let observed = Observed { pool, state: Arc::new(state) };
        let scraped = observed.clone();
        metrics.collect(move |_| {
            let reading = scraped.look();
            let numbers = [reading.size, reading.idle, reading.active(), reading.waiting, reading.max];
            for (gauge, number) in [&total, &idle, &active, &waiting, &max].into_iter().zip(numbers) {
                gauge.set(number as f64);
            }
        });
        Ok(observed)
    }
}

impl<P> fmt::Debug for Observe<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observe").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A pool that is watched. Clones watch the same one.
#[derive(Clone)]
pub struct Observed<P> {
    pool: P,
    state: Arc<State>,
}

struct State {
    name: String,
    wait: Histogram,
    sink: Arc<dyn Sink>,
    /// Those that are known here; a pool may know of others.
    waiting: AtomicU64,
    watch: Mutex<Watch>,
}

impl<P: Pool> Observed<P> {
    /// The pool itself.
    pub fn pool(&self) -> &P {
        &self.pool
    }

    /// How it is now.
    pub fn read(&self) -> Reading {
        let reading = self.pool.read();
        // Whoever waits through us may be counted by the pool too.
        Reading { waiting: reading.waiting.max(self.state.waiting.load(Ordering::Relaxed)), ..reading }
    }

    /// Waits for `acquire` to give a connection, and measures how long that took.
    ///
    /// ```
    /// use seaworthy::pool::{Observed, Pool};
    ///
    /// async fn connection<P: Pool>(observed: &Observed<P>, acquire: impl Future<Output = u64>) -> u64 {
    ///     observed.acquiring(acquire).await
    /// }
    /// ```
    pub async fn acquiring<F: Future>(&self, acquire: F) -> F::Output {
        let began = Instant::now();
        let mut acquire = pin!(acquire);
        let mut waits = None;
        let got = poll_fn(|context| match acquire.as_mut().poll(context) {
            Poll::Ready(got) => Poll::Ready(got),
            Poll::Pending => {
                // Only now: whoever is served at once has not waited.
                if waits.is_none() {
                    waits = Some(Waiting::new(&self.state.waiting));
                    self.look();
                }
                Poll::Pending
            }
        })
        .await;
        drop(waits);
        self.state.wait.observe_duration(began.elapsed());
        got
    }

    /// Looks at the pool every so often, and says when it gets tight. Never ends: give it to a task.
    pub async fn watch(self, every: Duration) {
        loop {
            self.look();
            tokio::time::sleep(every).await;
        }
    }

    /// Reads the pool, and says so if it got tight or is at ease again.
    fn look(&self) -> Reading {
        let reading = self.read();
        let strain = self.state.watch.lock().unwrap_or_else(PoisonError::into_inner).judge(reading);
        let (pool, active, max) = (self.state.name.clone(), reading.active(), reading.max);
        match strain {
            None => {}
            Some(Strain::AtEase) => self.state.sink.emit(&Event::PoolAtEase { pool, active, max }),
            Some(Strain::Strained) => self.state.sink.emit(&Event::PoolStrained { pool, active, max }),
            Some(Strain::Exhausted) => {
                self.state.sink.emit(&Event::PoolExhausted { pool, max, waiting: reading.waiting });
            }
        }
        reading
    }
}

impl<P> fmt::Debug for Observed<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").field("name", &self.state.name).finish_non_exhaustive()
    }
}

/// Somebody who waits, until it is dropped: also when whoever waits is no longer there.
struct Waiting<'w>(&'w AtomicU64);

impl<'w> Waiting<'w> {
    fn new(waiting: &'w AtomicU64) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
