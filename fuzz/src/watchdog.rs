//! A parser that never ends is a finding too, and the only one that cannot tell of itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// No input takes so long, on the slowest of machines.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
struct Watched {
    since: Option<Instant>,
    input: Vec<u8>,
}

/// Ends the process when one input takes too long.
#[derive(Debug)]
pub(crate) struct Watchdog(Arc<Mutex<Watched>>);

impl Watchdog {
    pub(crate) fn start(target: &str) -> Self {
        let watched = Arc::<Mutex<Watched>>::default();
        let (weak, target) = (Arc::downgrade(&watched), target.to_owned());
        thread::spawn(move || watch(&weak, &target));
        Self(watched)
    }

    pub(crate) fn watch(&self, input: &[u8]) {
        let mut watched = lock(&self.0);
        watched.since = Some(Instant::now());
        watched.input.clear();
        watched.input.extend_from_slice(input);
    }

    pub(crate) fn rest(&self) {
        lock(&self.0).since = None;
    }
}

fn lock(watched: &Mutex<Watched>) -> MutexGuard<'_, Watched> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Until the target is done.
fn watch(watched: &Weak<Mutex<Watched>>, target: &str) {
    while let Some(watched) = watched.upgrade() {
        let watched = lock(&watched);
        if watched.since.is_some_and(|since| since.elapsed() > PATIENCE) {
            eprintln!("{target}: this input takes more than {PATIENCE:?}:\n{}", watched.input.escape_ascii());
            std::process::exit(101);
        }
        drop(watched);
        thread::sleep(Duration::from_secs(1));
    }
}
