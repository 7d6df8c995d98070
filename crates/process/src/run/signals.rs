//! The signals of the process, as the one stream that the service reads.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A signal that means something to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    Terminate,
    Interrupt,
    HangUp,
}

/// Takes signals from now on; they no longer end the process.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// PID 1 is given every signal that somebody sends to the container; one without a handler would end it.
    _quiet: Vec<Signal>,
}

impl Signals {
    /// Must be called within a runtime, as the first thing that the process does.
    pub(crate) fn take() -> io::Result<Self> {
        let others = [SignalKind::quit(), SignalKind::user_defined1(), SignalKind::user_defined2(), SignalKind::pipe()];
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            _quiet: others.into_iter().map(signal).collect::<io::Result<_>>()?,
        })
    }

    /// The next signal.
    pub(crate) async fn next(&mut self) -> Received {
        tokio::select! {
            _ = self.terminate.recv() => Received::Terminate,
            _ = self.interrupt.recv() => Received::Interrupt,
            _ = self.hang_up.recv() => Received::HangUp,
        }
    }
}
