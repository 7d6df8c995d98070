use super::*;
use std::sync::Mutex;

#[derive(Default)]
struct Memory(Mutex<Vec<String>>);

impl Sink for Memory {
    fn emit(&self, event: &Event) {
        self.0.lock().unwrap().push(event.to_string());
    }
}

#[tokio::test]
async fn every_transition_is_reported_once_and_what_is_none_is_not() {
    let memory = Arc::new(Memory::default());
    let life = Lifecycle::new(memory.clone());
    assert_eq!(life.apply(Change::ProgramReady), Some(State::Ready));
    assert_eq!(life.apply(Change::ProgramReady), None);
    assert_eq!(life.apply(Change::StopAsked), Some(State::Draining));
    assert_eq!(*memory.0.lock().unwrap(), ["starting → ready", "ready → draining"]);
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
