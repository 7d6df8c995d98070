//! The time limits of requests by the sweep of their worker: one look at all of them each [`TICK`](seaworthy_core::tick::TICK),
//! instead of a timer for each.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seaworthy::limit::time::Timer;
use seaworthy_core::tick::ticks;
use slab::Slab;

use super::clock::Ticks;

/// The alarms of one worker. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Alarms(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    set: RefCell<Slab<Set>>,
    ticks: Ticks,
}

/// An alarm that somebody waits for.
#[derive(Debug)]
struct Set {
    at: u32,
    waker: Waker,
}

impl Alarms {
    pub(crate) fn new(ticks: Ticks) -> Self {
        Self(Rc::new(Inner { set: RefCell::default(), ticks }))
    }

    /// Wakes those whose time has come. Called by the sweep.
    pub(crate) fn ring(&self) {
        let now = self.0.ticks.now();
        for (_, set) in self.0.set.borrow().iter().filter(|(_, set)| set.at <= now) {
            // Whoever wakes runs later, on this thread.
            set.waker.wake_by_ref();
        }
    }
}

impl Timer for Alarms {
    type Sleep = Alarm;

    fn sleep(&self, duration: Duration) -> Alarm {
        // The tick that is current began before now.
        let at = self.0.ticks.now().saturating_add(ticks(duration)).saturating_add(1);
        Alarm { alarms: self.clone(), at, key: None }
    }
}

/// Completes at its tick.
#[derive(Debug)]
pub(crate) struct Alarm {
    alarms: Alarms,
    at: u32,
    key: Option<usize>,
}

impl Future for Alarm {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let Inner { set, ticks } = &*this.alarms.0;
        if ticks.now() >= this.at {
            return Poll::Ready(());
        }
        let mut set = set.borrow_mut();
        match this.key.and_then(|key| set.get_mut(key)) {
            Some(set) => set.waker.clone_from(cx.waker()),
            None => this.key = Some(set.insert(Set { at: this.at, waker: cx.waker().clone() })),
        }
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.alarms.0.set.borrow_mut().try_remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Rings(AtomicU32);

    impl Wake for Rings {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn an_alarm_rings_once_its_time_has_passed_and_never_before() {
        let ticks = Ticks::default();
        let alarms = Alarms::new(ticks.clone());
        let rings = Arc::new(Rings::default());
        let waker = Waker::from(rings.clone());
        let mut cx = Context::from_waker(&waker);
        let mut alarm = alarms.sleep(Duration::from_millis(250));
        assert!(Pin::new(&mut alarm).poll(&mut cx).is_pending());
        ticks.set(Duration::from_millis(300));
        alarms.ring();
        assert_eq!(rings.0.load(Ordering::Relaxed), 0);
        assert!(Pin::new(&mut alarm).poll(&mut cx).is_pending());
        ticks.set(Duration::from_millis(400));
        alarms.ring();
        assert_eq!(rings.0.load(Ordering::Relaxed), 1);
        assert!(Pin::new(&mut alarm).poll(&mut cx).is_ready());
    }

    #[test]
    fn an_alarm_that_is_dropped_is_forgotten() {
        let alarms = Alarms::new(Ticks::default());
        let mut alarm = alarms.sleep(Duration::from_secs(1));
        let _ = Pin::new(&mut alarm).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(alarms.0.set.borrow().len(), 1);
        drop(alarm);
        assert_eq!(alarms.0.set.borrow().len(), 0);
    }
}
