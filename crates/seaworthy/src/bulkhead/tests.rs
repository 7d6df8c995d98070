use std::convert::Infallible;
use std::num::NonZeroU32;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full as Whole;
use seaworthy_core::event::Nowhere;
use seaworthy_core::refusal::Reason;
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::*;

fn bulkhead(concurrency: u32, queue: u32) -> Bulkhead {
    let patience = Duration::from_secs(1);
    let policy = Policy { concurrency: NonZeroU32::new(concurrency).unwrap(), queue, patience };
    Bulkhead::new("reports", policy, Arc::new(Nowhere))
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_gets_the_place_that_is_freed_and_nobody_goes_before() {
    let bulkhead = bulkhead(1, 1);
    let place = bulkhead.enter().await.unwrap();
    let waiting = tokio::spawn(bulkhead.enter());
    let full = bulkhead.enter().await.unwrap_err();
    assert_eq!((full.running, full.waiting), (1, 1));
    drop(place);
    let place = waiting.await.unwrap().unwrap();
    assert_eq!(bulkhead.occupancy(), Occupancy { running: 1, waiting: 0 });
    drop(place);
    assert_eq!(bulkhead.occupancy(), Occupancy::default());
    assert_eq!(bulkhead.refused(), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_patience_and_then_is_out_of_the_queue() {
    let bulkhead = bulkhead(1, 1);
    let place = bulkhead.enter().await.unwrap();
    let began = Instant::now();
    let full = bulkhead.enter().await.unwrap_err();
    assert_eq!(full.waiting, 0);
    assert!(began.elapsed() >= Duration::from_secs(1));
    drop(place);
    assert!(bulkhead.enter().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_leaves_passes_its_turn_on() {
    let bulkhead = bulkhead(1, 2);
    let place = bulkhead.enter().await.unwrap();
    let first = polled(bulkhead.enter());
    let mut second = polled(bulkhead.enter());
    assert!(first.is_pending() && second.is_pending());
    drop(place);
    drop(first);
    assert!(second.now().is_ok(), "the turn of the first is the second's");
    assert_eq!(bulkhead.occupancy(), Occupancy::default());
}

/// A future that was polled once.
struct Polled<F>(Pin<Box<F>>, bool);

fn polled<F: Future>(future: F) -> Polled<F> {
    let mut future = Box::pin(future);
    let pending = future.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending();
    Polled(future, pending)
}

impl<F: Future> Polled<F> {
    fn is_pending(&self) -> bool {
        self.1
    }

    fn now(&mut self) -> F::Output {
        match self.0.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it is still pending"),
        }
    }
}

#[tokio::test]
async fn many_tasks_on_many_turns_never_exceed_the_places_and_leave_none_taken() {
    let bulkhead = bulkhead(3, 1000);
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let bulkhead = bulkhead.clone();
            tokio::spawn(async move {
                let _place = bulkhead.enter().await.unwrap();
                let running = bulkhead.occupancy().running;
                tokio::task::yield_now().await;
                running
            })
        })
        .collect();
    for task in tasks {
        assert!((1..=3).contains(&task.await.unwrap()));
    }
    assert_eq!(bulkhead.occupancy(), Occupancy::default());
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_place_is_refused_and_one_with_a_place_holds_it_until_its_answer() {
    let bulkhead = bulkhead(1, 0);
    let release = Arc::new(Notify::new());
    let released = release.clone();
    let service =
        ServiceBuilder::new().layer(BulkheadLayer::new(bulkhead.clone())).service(service_fn(move |_: Request<()>| {
            let released = released.clone();
            async move {
                released.notified().await;
                Ok::<_, Infallible>(Response::new(Whole::<Bytes>::default()))
            }
        }));
    let first = tokio::spawn(service.clone().oneshot(Request::new(())));
    while bulkhead.occupancy().running == 0 {
        tokio::task::yield_now().await;
    }
    let refused = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.extensions().get()), (503, Some(&Reason::BulkheadFull)));
    release.notify_one();
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    assert_eq!(bulkhead.occupancy(), Occupancy::default());
}
