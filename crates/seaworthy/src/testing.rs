//! What the tests of a service need: a clock that stands still, a check that does as it is told, and a memory of what was said
//! (feature `testing`).
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use seaworthy::health::{Affects, Class, Health, Status};
//! use seaworthy::testing::{Clock, Events, FakeCheck};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let (clock, events, database) = (Clock::pause(), Events::default(), FakeCheck::default());
//! let health = Health::builder().dependency("database", database.dependency(Affects::Ready)).build();
//! health.start(Arc::new(events.clone()));
//! clock.advance(Duration::from_secs(1)).await;
//! assert_eq!(health.check("database").unwrap().status, Status::Healthy);
//!
//! database.fail(Class::Refused);
//! clock.advance(Duration::from_secs(60)).await;
//! assert_eq!(health.check("database").unwrap().status, Status::Unhealthy);
//! events.assert_said(&["check_passed", "check_failed"]);
//! # });
//! ```

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seaworthy_core::event::{Event, Sink};
use seaworthy_core::health::{Affects, Class};
use tokio::sync::Notify;

use crate::health::{CheckError, CheckResult, Dependency};

/// Time that passes only when it is told to: checks, limits and drains of this crate go by it. Real sockets and threads do not.
#[derive(Debug)]
#[must_use = "time goes on when it is dropped"]
pub struct Clock(());

impl Clock {
    /// Stops the clock of this runtime.
    ///
    /// # Panics
    ///
    /// On a runtime with several threads, or with a clock that stands already, as [`tokio::time::pause`] does.
    pub fn pause() -> Self {
        tokio::time::pause();
        Self(())
    }

    /// Lets `time` pass, in steps of a tenth of a second, so that what is due meanwhile happens in its order.
    pub async fn advance(&self, time: Duration) {
        const STEP: Duration = Duration::from_millis(100);
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(STEP);
            // A sleep rather than `tokio::time::advance`: whoever is woken by it runs first.
            tokio::time::sleep(step).await;
            left = left.saturating_sub(step);
        }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        // Outside of its runtime there is nothing to go on.
        if tokio::runtime::Handle::try_current().is_ok() {
            tokio::time::resume();
        }
    }
}

/// What a [`FakeCheck`] does when it is asked.
#[derive(Debug, Clone, Copy, Default)]
enum Answer {
    #[default]
    Pass,
    Warn,
    Fail(Class),
    Hang,
}

/// A check that does as it is told. Clones are the same one. At first it passes.
#[derive(Debug, Clone, Default)]
pub struct FakeCheck(Arc<Mutex<(Answer, u64)>>);

impl FakeCheck {
    /// Passes from now on.
    pub fn pass(&self) {
        self.state().0 = Answer::Pass;
    }

    /// Passes with a warning from now on.
    pub fn warn(&self) {
        self.state().0 = Answer::Warn;
    }

    /// Fails so from now on.
    pub fn fail(&self, class: Class) {
        self.state().0 = Answer::Fail(class);
    }

    /// Never answers from now on, until it times out.
    pub fn hang(&self) {
        self.state().0 = Answer::Hang;
    }

    /// How often it was asked.
    pub fn runs(&self) -> u64 {
        self.state().1
    }

    /// The check, to be named in a [`Health`](crate::health::Health). With settings of its own where they are added.
    pub fn dependency(&self, affects: Affects) -> Dependency {
        let fake = self.clone();
        Dependency::new(affects, move || fake.ask())
    }

    fn ask(&self) -> impl Future<Output = CheckResult> + use<> {
        let answer = {
            let mut state = self.state();
            state.1 += 1;
            state.0
        };
        async move {
            match answer {
                Answer::Pass => Ok(()),
                Answer::Warn => Err(CheckError::warning("told to warn")),
                Answer::Fail(class) => Err(CheckError::new(class, "told to fail")),
                Answer::Hang => std::future::pending().await,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, (Answer, u64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A [`Sink`] that remembers. Clones share the memory.
#[derive(Debug, Clone, Default)]
pub struct Events {
    said: Arc<Mutex<Vec<Event>>>,
    more: Arc<Notify>,
}

impl Events {
    /// Everything that was said so far.
    pub fn all(&self) -> Vec<Event> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Completes with the first fact that `wanted` accepts: one that was said already, or the next one.
    pub async fn wait_for(&self, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            // Listened for before it is looked for, so that none is missed in between.
            let more = self.more.notified();
            tokio::pin!(more);
            more.as_mut().enable();
            if let Some(event) = self.all().into_iter().find(&wanted) {
                return event;
            }
            more.await;
        }
    }

    /// Asserts that facts of these [names](Event::name) were said in this order. Others may lie between.
    ///
    /// # Panics
    ///
    /// If they were not; it shows what was said.
    #[track_caller]
    pub fn assert_said(&self, names: &[&str]) {
        let all = self.all();
        let mut said = all.iter().map(Event::name);
        for name in names {
            assert!(said.any(|said| said == *name), "{name} was not said, or not in this order: {all:#?}");
        }
    }

    /// Asserts that no fact of this [name](Event::name) was said.
    ///
    /// # Panics
    ///
    /// If one was; it shows which.
    #[track_caller]
    pub fn assert_never_said(&self, name: &str) {
        let said = self.all().into_iter().find(|event| event.name() == name);
        assert!(said.is_none(), "{name} was said: {said:#?}");
    }
}

impl Sink for Events {
    fn emit(&self, event: &Event) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        self.more.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_for_a_fact_gets_one_that_was_said_and_one_that_is_to_come() {
        let events = Events::default();
        let cleaning = |event: &Event| matches!(event, Event::CleaningUp);
        let waiting = tokio::spawn({
            let events = events.clone();
            async move { events.wait_for(cleaning).await }
        });
        tokio::task::yield_now().await;
        events.emit(&Event::CleaningUp);
        assert!(cleaning(&waiting.await.unwrap()));
        assert!(cleaning(&events.wait_for(cleaning).await));
    }

    #[test]
    #[should_panic(expected = "stop_forced was not said, or not in this order")]
    fn what_was_not_said_is_shown() {
        let events = Events::default();
        events.emit(&Event::CleaningUp);
        events.assert_said(&["cleaning_up", "stop_forced"]);
    }
}
