//! Facts that somebody wants to be told of, by a function of the service: a webhook, a pager, a mail.
//!
//! # Rules
//!
//! - The function runs on a thread of its own, one call at a time. One that panics is called again for the next fact; one that
//!   takes longer than ten seconds is given up; one that blocks its thread for good costs that thread and nothing else.
//! - At most 64 facts wait; what comes then is dropped, and counted.
//! - Nothing that serves a request, and no shutdown, ever waits for it for longer than a second.
//!
//! Which facts are worth a call is a filter's business; by default it is everything that somebody should mend: level
//! [`Warn`](Level::Warn) and above.
//!
//! ```
//! use seaworthy::Production;
//! use seaworthy::core::event::{Event, Level};
//!
//! # async fn page(text: String) {}
//! Production::builder("orders", "1.0.0")
//!     .alert_hook(|event| page(event.to_string()))
//!     .alert_hook_for(|event| matches!(event, Event::StopBegan { .. }), |event| page(event.to_string()));
//! ```

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use seaworthy_core::event::{Event, Level, Sink};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Facts that may wait for the function.
const WAITING: usize = 64;

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(10);

type Filter = Box<dyn Fn(&Event) -> bool + Send + Sync>;
type Call = Box<dyn Fn(Event) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// A function that wants to be told, before it is.
pub(crate) struct Setup {
    filter: Filter,
    call: Call,
}

impl Setup {
    pub(crate) fn new<F, W>(filter: impl Fn(&Event) -> bool + Send + Sync + 'static, call: F) -> Self
    where
        F: Fn(Event) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let call: Call = Box::new(move |event| Box::pin(call(event)));
        Self { filter: Box::new(filter), call }
    }

    /// Whether somebody should mend what happened.
    pub(crate) fn matters(event: &Event) -> bool {
        event.level() >= Level::Warn
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Setup")
    }
}

/// A function that is told of facts. Clones tell the same one; its thread ends when the last of them is dropped.
#[derive(Clone)]
pub struct AlertHook(Arc<Inner>);

struct Inner {
    filter: Filter,
    tell: mpsc::Sender<Event>,
    /// Facts that the function has not been told of yet, or is being told of.
    pending: Arc<watch::Sender<usize>>,
    dropped: AtomicU64,
}

impl AlertHook {
    /// Calls `call` with the facts that `filter` picks, from now on.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start<F, W>(filter: impl Fn(&Event) -> bool + Send + Sync + 'static, call: F) -> io::Result<Self>
    where
        F: Fn(Event) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        Self::of(Setup::new(filter, call))
    }

    pub(crate) fn of(setup: Setup) -> io::Result<Self> {
        let Setup { filter, call } = setup;
        let (tell, told) = mpsc::channel(WAITING);
        let pending = Arc::new(watch::Sender::new(0));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let done = pending.clone();
        thread::Builder::new()
            .name("seaworthy-alert".to_owned())
            .spawn(move || runtime.block_on(follow(call, told, &done)))?;
        Ok(Self(Arc::new(Inner { filter, tell, pending, dropped: AtomicU64::new(0) })))
    }

    /// Facts that were dropped, because too many waited.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Relaxed)
    }

    /// Waits until the function has been told everything, for as long as `patience` at most. Gives whether it has.
    pub async fn flush(&self, patience: Duration) -> bool {
        let mut pending = self.0.pending.subscribe();
        timeout(patience, pending.wait_for(|pending| *pending == 0)).await.is_ok()
    }
}

impl Sink for AlertHook {
    fn emit(&self, event: &Event) {
        if !(self.0.filter)(event) {
            return;
        }
        // Before it is handed on, or the thread might be done with it first.
        self.0.pending.send_modify(|pending| *pending += 1);
        if self.0.tell.try_send(event.clone()).is_err() {
            self.0.pending.send_modify(|pending| *pending = pending.saturating_sub(1));
            self.0.dropped.fetch_add(1, Relaxed);
        }
    }
}

impl fmt::Debug for AlertHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertHook").field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}

async fn follow(call: Call, mut told: mpsc::Receiver<Event>, pending: &watch::Sender<usize>) {
    // Behind a lock, because the calls are tasks, in which a panic ends nothing else.
    let call = Arc::new(std::sync::Mutex::new(call));
    while let Some(event) = told.recv().await {
        let mut calls = JoinSet::new();
        let call = call.clone();
        calls.spawn(async move {
            let future = call.lock().unwrap_or_else(std::sync::PoisonError::into_inner)(event);
            future.await;
        });
        // Dropped with what it still does, where it takes too long.
        let _ = timeout(PATIENCE, calls.join_next()).await;
        pending.send_modify(|pending| *pending = pending.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn notice(text: &str) -> Event {
        Event::Warning { text: text.to_owned() }
    }

    #[tokio::test]
    async fn a_hook_that_panics_or_never_ends_hears_of_the_next_fact() {
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let memory = heard.clone();
        let hook = AlertHook::start(Setup::matters, move |event| {
            let memory = memory.clone();
            async move {
                let text = event.to_string();
                memory.lock().unwrap().push(text.clone());
                assert_ne!(text, "panic", "asked to");
            }
        });
        let hook = hook.unwrap();
        for text in ["panic", "after"] {
            hook.emit(&notice(text));
        }
        // Below the level: nobody has to mend it.
        hook.emit(&Event::CleaningUp);
        assert!(hook.flush(Duration::from_secs(5)).await);
        assert_eq!(*heard.lock().unwrap(), ["panic", "after"]);
    }

    #[tokio::test]
    async fn a_hook_that_blocks_costs_nobody_but_itself() {
        let (block, blocked) = std::sync::mpsc::channel::<()>();
        let blocked = Mutex::new(blocked);
        let hook = AlertHook::start(Setup::matters, move |_| {
            let _ = blocked.lock().unwrap().recv();
            std::future::ready(())
        });
        let hook = hook.unwrap();
        for _ in 0..WAITING + 10 {
            hook.emit(&notice("again"));
        }
        assert!(hook.dropped() >= 9, "{}", hook.dropped());
        assert!(!hook.flush(Duration::from_millis(20)).await);
        drop(block);
    }
}
