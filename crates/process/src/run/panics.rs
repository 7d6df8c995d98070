//! A panic of ours is a fact like any other: a line in the log, not text on stderr.

use std::sync::Arc;

use seaworthy::core::event::{Event, Sink};
use seaworthy::panic::message_of;

/// Reports panics of every thread to `sink` from now on.
pub(crate) fn report_to(sink: Arc<dyn Sink>) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        sink.emit(&Event::Panicked { message: message_of(panic.payload()), place, request_id: String::new() });
    }));
}
