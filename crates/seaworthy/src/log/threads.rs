//! The log in a process whose requests may run on any thread.
//!
//! Each thread writes its lines into a buffer of its own. One thread collects them, every [`PAUSE`] while there is
//! something to collect, and sleeps otherwise: a process that serves nobody wakes up for nothing.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use seaworthy_core::event::RequestFinished;

use super::worker::WorkerLog;
use super::{Handle, Logger, lock};
use crate::access::Observer;

/// The longest that a line stays in the buffer of its thread.
const PAUSE: Duration = Duration::from_millis(100);

/// Writes a line for each request, from any thread. A copy writes into the same log, and costs nothing: a reference count
/// would be a number that every core writes a request.
#[derive(Debug, Clone, Copy)]
pub struct LogObserver(usize);

/// Whose log an observer writes into, by its number.
static KNOWN: Mutex<Vec<Weak<Handle>>> = Mutex::new(Vec::new());

/// The buffer of one thread. Locked by its thread, and now and then by whoever collects.
type Buffer = Arc<Mutex<WorkerLog>>;

thread_local! {
    static BUFFERS: RefCell<Vec<Option<Local>>> = const { RefCell::new(Vec::new()) };
}

struct Local {
    buffer: Buffer,
    threads: Arc<Threads>,
}

/// A thread that ends keeps nothing back.
impl Drop for Local {
    fn drop(&mut self) {
        lock(&self.buffer).tick();
        lock(&self.threads.buffers).retain(|buffer| !Arc::ptr_eq(buffer, &self.buffer));
    }
}

/// The buffers of all threads.
#[derive(Debug, Default)]
pub(super) struct Threads {
    buffers: Mutex<Vec<Buffer>>,
    /// Whether the collector waits to be woken.
    asleep: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    awake: bool,
    closed: bool,
    /// What observers have for a name; 0 stands for none.
    number: usize,
}

impl Threads {
    /// Hands over what all threads have.
    pub(super) fn collect(&self) {
        // Copied out, so that a thread that begins does not wait for those that write.
        let buffers = lock(&self.buffers).clone();
        for buffer in buffers {
            lock(&buffer).tick();
        }
    }

    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }

    fn wake(&self) {
        // Read before it is written: all threads come by here, and a number that nobody writes is everybody's.
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel) {
            lock(&self.state).awake = true;
            self.changed.notify_all();
        }
    }

    /// The body of the collector.
    fn run(&self) {
        loop {
            let mut state = lock(&self.state);
            while !state.awake && !state.closed {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.awake = false;
            let (state, _) = self
                .changed
                .wait_timeout_while(state, PAUSE, |state| !state.closed)
                .unwrap_or_else(PoisonError::into_inner);
            let closed = state.closed;
            drop(state);
            // Before it collects: a line that comes meanwhile must find it asleep, or would lie there.
            self.asleep.store(true, Ordering::Release);
            self.collect();
            if closed {
                return;
            }
        }
    }
}

impl LogObserver {
    pub(super) fn new(logger: &Logger) -> std::io::Result<Self> {
        let threads = &logger.0.threads;
        let mut state = lock(&threads.state);
        if state.number == 0 {
            let collector = threads.clone();
            std::thread::Builder::new().name("log-collector".to_owned()).spawn(move || collector.run())?;
            threads.asleep.store(true, Ordering::Release);
            let mut known = lock(&KNOWN);
            known.push(Arc::downgrade(&logger.0));
            state.number = known.len();
        }
        Ok(Self(state.number - 1))
    }

    fn local(self) -> Option<Local> {
        let logger = Logger(lock(&KNOWN)[self.0].upgrade()?);
        let buffer = Arc::new(Mutex::new(WorkerLog::new(logger.0.shared.clone(), None)));
        let threads = logger.0.threads.clone();
        lock(&threads.buffers).push(buffer.clone());
        Some(Local { buffer, threads })
    }
}

impl Observer for LogObserver {
    fn finished(&self, request: &RequestFinished<'_>) {
        // What is dropped with a thread that is ending leaves no line.
        let _ = BUFFERS.try_with(|buffers| {
            let mut buffers = buffers.borrow_mut();
            if buffers.len() <= self.0 {
                buffers.resize_with(self.0 + 1, || None);
            }
            if buffers[self.0].is_none() {
                buffers[self.0] = self.local();
            }
            if let Some(Local { buffer, threads }) = &buffers[self.0] {
                let waiting = {
                    let mut buffer = lock(buffer);
                    buffer.access(request);
                    buffer.is_waiting()
                };
                if waiting {
                    threads.wake();
                }
            }
        });
    }
}
