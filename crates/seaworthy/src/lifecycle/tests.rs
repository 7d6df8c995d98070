use super::*;
use std::future::Future as _;
use std::sync::Mutex;

use seaworthy_core::event::Memory;

#[tokio::test]
async fn every_transition_is_reported_once_and_what_is_none_is_not() {
    let memory = Arc::new(Memory::default());
    let life = Lifecycle::new(memory.clone());
    assert_eq!(life.apply(Change::ProgramReady), Some(State::Ready));
    assert_eq!(life.apply(Change::ProgramReady), None);
    assert_eq!(life.apply(Change::StopAsked), Some(State::Draining));
    assert_eq!(memory.said(), ["starting → ready", "ready → draining"]);
}

#[tokio::test]
async fn whoever_waits_for_a_state_sees_it() {
    let life = Lifecycle::new(Arc::new(seaworthy_core::event::Nowhere));
    let waiting = tokio::spawn({
        let life = life.clone();
        async move { life.reached(|state| state.leaving()).await }
    });
    tokio::task::yield_now().await;
    life.apply(Change::StopAsked);
    assert_eq!(waiting.await.unwrap(), State::Draining);
}

/// Notes with each fact whether those who wait for the stop may go on already.
#[derive(Default)]
struct Waiting(Mutex<Vec<String>>, OnceLock<Lifecycle>);

impl Sink for Waiting {
    fn emit(&self, event: &Event) {
        let life = self.1.get().unwrap();
        let mut waits = std::pin::pin!(life.stop_asked());
        let goes_on = waits.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready();
        self.0.lock().unwrap().push(format!("{event}: {goes_on}"));
    }
}

#[test]
fn nobody_goes_on_before_the_stop_was_said_and_readiness_withdrawn() {
    let waiting = Arc::new(Waiting::default());
    let life = Lifecycle::new(waiting.clone());
    waiting.1.set(life.clone()).unwrap();
    assert!(life.stop(Cause::Sigterm));
    let said = ["SIGTERM received, starting graceful shutdown: false", "starting → draining: false"];
    assert_eq!(*waiting.0.lock().unwrap(), said);
    assert!(!life.stop(Cause::Sigint), "the first cause counts");
    life.force(Cause::Sigint);
    assert_eq!(waiting.0.lock().unwrap()[2], "signal repeated: ending now: true");
}
