//! The signals that ask a process to end.

use std::io;
use std::sync::{Arc, Weak};

use seaworthy_core::lifecycle::{Cause, Repeats, Urgency};
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::{Inner, Lifecycle};

/// Why signals cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignalsError {
    /// There is nothing that could wait for them.
    #[error("signals need a tokio runtime: call `Lifecycle::from_signals` within one, as `#[tokio::main]` makes it")]
    NoRuntime,
    /// The system, or a runtime without its I/O driver, refused.
    #[error("cannot handle signals: {0}")]
    Refused(#[source] io::Error),
}

/// Takes the signals from now on; they no longer end the process.
pub(super) fn follow(life: &Lifecycle) -> Result<(), SignalsError> {
    let runtime = Handle::try_current().map_err(|_| SignalsError::NoRuntime)?;
    let take = |kind| signal(kind).map_err(SignalsError::Refused);
    let terminate = take(SignalKind::terminate())?;
    let interrupt = take(SignalKind::interrupt())?;
    // A terminal that goes away takes its programs along; a daemon without a configuration to read again has no other use
    // for this signal, whose default is to end the process at once.
    let hang_up = take(SignalKind::hangup())?;
    runtime.spawn(pass_on(Arc::downgrade(&life.inner), terminate, interrupt, hang_up));
    Ok(())
}

async fn pass_on(life: Weak<Inner>, mut terminate: Signal, mut interrupt: Signal, mut hang_up: Signal) {
    let mut repeats = Repeats::default();
    loop {
        let cause = tokio::select! {
            Some(()) = terminate.recv() => Cause::Sigterm,
            Some(()) = interrupt.recv() => Cause::Sigint,
            Some(()) = hang_up.recv() => Cause::Sighup,
            else => return,
        };
        let Some(inner) = life.upgrade() else { return };
        let life = Lifecycle { inner };
        match repeats.signal(Instant::now().into_std()) {
            Urgency::Begin => {
                life.stop(cause);
            }
            Urgency::Ignore => {}
            Urgency::Force => life.force(cause),
        }
    }
}
