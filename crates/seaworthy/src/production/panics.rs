//! What a panic means for the service.

use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::Arc;

use seaworthy_core::event::{Event, Sink};
use seaworthy_core::lifecycle::Cause;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::lifecycle::Lifecycle;
use crate::panic::message_of;

/// What follows a panic, besides the 500 that its request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnPanic {
    /// The service goes on: only the request that panicked is lost.
    #[default]
    Continue,
    /// The drain begins, on a panic anywhere in the process: for services whose state cannot be trusted after one. Panics are
    /// seen by a hook of the process, which calls the one that was there before; those of requests are reported without their ids.
    Shutdown,
}

/// Panics waiting to be reported; more of them add nothing.
const WAITING: usize = 64;

/// Reports panics from anywhere in the process, and drains. Ends when dropped; the hook stays, and does nothing any more.
#[derive(Debug)]
pub(super) struct Watch(AbortHandle);

impl Watch {
    pub(super) fn start(life: Lifecycle, sink: Arc<dyn Sink>) -> Self {
        let (tell, mut told) = mpsc::channel::<(String, String)>(WAITING);
        let before = take_hook();
        set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            before(info);
            let place = info.location().map_or_else(String::new, ToString::to_string);
            // Reported by somebody else: whoever panics may hold a lock that the report needs.
            let _ = tell.try_send((message_of(info.payload()), place));
        }));
        let report = async move {
            while let Some((message, place)) = told.recv().await {
                sink.emit(&Event::Panicked { message, place, request_id: String::new() });
                life.stop(Cause::Fault);
            }
        };
        Self(tokio::spawn(report).abort_handle())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}
