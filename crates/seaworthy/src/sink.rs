//! Where facts go: to several consumers at once, and to one that is named only later.
//!
//! A fact is a [`seaworthy_core::event::Event`]; a consumer is a [`Sink`]. A sink must return at once, because it is called wherever
//! something happens; one that has to wait (a webhook, a disk) hands the fact on, as [`alert`](crate::alert) does.
//!
//! ```
//! use std::sync::Arc;
//! use seaworthy::core::event::{Event, Nowhere, Sink};
//! use seaworthy::sink::{Fanout, from_fn};
//!
//! let printed = from_fn(|event: &Event| println!("{}: {event}", event.level().name()));
//! let both = Fanout::new([Arc::new(printed) as Arc<dyn Sink>, Arc::new(Nowhere)]);
//! both.emit(&Event::CleaningUp);
//! ```

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seaworthy_core::event::{Event, Sink};

/// Gives each fact to every one of its sinks, in their order.
#[derive(Clone)]
pub struct Fanout(Arc<[Arc<dyn Sink>]>);

impl Fanout {
    /// To these, one after the other.
    pub fn new(sinks: impl IntoIterator<Item = Arc<dyn Sink>>) -> Self {
        Self(sinks.into_iter().collect())
    }
}

impl Sink for Fanout {
    fn emit(&self, event: &Event) {
        for sink in &*self.0 {
            sink.emit(event);
        }
    }
}

impl fmt::Debug for Fanout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fanout").field("sinks", &self.0.len()).finish()
    }
}

/// A sink that calls a function. It must return at once; see the [module](self).
pub fn from_fn<F: Fn(&Event) + Send + Sync>(function: F) -> impl Sink {
    Function(function)
}

struct Function<F>(F);

impl<F: Fn(&Event) + Send + Sync> Sink for Function<F> {
    fn emit(&self, event: &Event) {
        (self.0)(event);
    }
}

/// Facts kept at most until somebody takes them.
const KEPT: usize = 256;

/// A sink whose consumer is named later: until then it keeps the first 256 facts. Clones share it.
///
/// A [`Lifecycle`](crate::lifecycle::Lifecycle) begins before there is a log, and a signal may come before there is one, too.
#[derive(Clone)]
pub struct Relay(Arc<Mutex<Consumer>>);

enum Consumer {
    Awaited(Vec<Event>),
    Named(Arc<dyn Sink>),
}

impl Default for Relay {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Consumer::Awaited(Vec::new()))))
    }
}

impl Relay {
    /// Names the consumer, and gives it what was kept. A later call names another one.
    pub fn attach(&self, sink: &Arc<dyn Sink>) {
        let before = std::mem::replace(&mut *self.consumer(), Consumer::Named(sink.clone()));
        if let Consumer::Awaited(kept) = before {
            for event in &kept {
                sink.emit(event);
            }
        }
    }

    fn consumer(&self) -> MutexGuard<'_, Consumer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Relay {
    fn emit(&self, event: &Event) {
        let sink = match &mut *self.consumer() {
            Consumer::Awaited(kept) => {
                if kept.len() < KEPT {
                    kept.push(event.clone());
                }
                return;
            }
            Consumer::Named(sink) => sink.clone(),
        };
        // Without the lock: what the consumer does may lead to another fact.
        sink.emit(event);
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("attached", &matches!(*self.consumer(), Consumer::Named(_))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Memory(Mutex<Vec<&'static str>>);

    impl Sink for Memory {
        fn emit(&self, event: &Event) {
            self.0.lock().unwrap().push(event.name());
        }
    }

    #[test]
    fn what_happened_before_the_consumer_was_named_reaches_it_in_order() {
        let (relay, memory) = (Relay::default(), Arc::new(Memory::default()));
        relay.emit(&Event::CleaningUp);
        relay.attach(&(memory.clone() as Arc<dyn Sink>));
        relay.emit(&Event::StopForced);
        assert_eq!(*memory.0.lock().unwrap(), ["cleaning_up", "stop_forced"]);
    }

    #[test]
    fn a_relay_that_nobody_reads_does_not_grow() {
        let relay = Relay::default();
        for _ in 0..10 * KEPT {
            relay.emit(&Event::CleaningUp);
        }
        let memory = Arc::new(Memory::default());
        relay.attach(&(memory.clone() as Arc<dyn Sink>));
        assert_eq!(memory.0.lock().unwrap().len(), KEPT);
    }
}
