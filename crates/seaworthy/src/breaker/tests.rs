use std::convert::Infallible;
use std::future::{Ready, ready};
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use seaworthy_core::event::Nowhere;
use seaworthy_core::refusal::Reason;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use super::*;

/// Remembers what it was told.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Sink for Told {
    fn emit(&self, event: &Event) {
        self.0.lock().unwrap().push(event.to_string());
    }
}

fn failing() -> Ready<Result<(), &'static str>> {
    ready(Err("no"))
}

fn fine() -> Ready<Result<(), &'static str>> {
    ready(Ok(()))
}

async fn tripped(sink: Arc<dyn Sink>) -> Breaker {
    let breaker = Breaker::new("stripe", Policy::stripe(), sink);
    for _ in 0..3 {
        assert_eq!(breaker.call(failing()).await, Err(CallError::Failed("no")));
    }
    breaker
}

#[tokio::test(start_paused = true)]
async fn it_trips_answers_at_once_probes_and_recovers_and_each_step_is_told() {
    let told = Arc::new(Told::default());
    let breaker = tripped(told.clone()).await;
    let Err(CallError::Open(open)) = breaker.call(fine()).await else { panic!("it is open") };
    assert_eq!(&*open.service, "stripe");
    assert!((30..=33).contains(&open.retry_after_seconds()), "{open}");
    tokio::time::advance(open.retry_after).await;
    assert_eq!(breaker.call(fine()).await, Ok(()));
    assert_eq!(breaker.snapshot().state, State::Closed);
    let told = told.0.lock().unwrap();
    assert!(told[0].starts_with("breaker stripe opened for 3"), "{told:?}");
    assert!(told[0].ends_with(": 3 failures within 60s"), "{told:?}");
    assert_eq!(told[1..], ["breaker stripe is half-open: probing", "breaker stripe closed: probes succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_or_panics_gives_its_lease_back() {
    let breaker = tripped(Arc::new(Nowhere)).await;
    tokio::time::advance(Duration::from_secs(40)).await;
    let never = breaker.call(std::future::pending::<Result<(), ()>>());
    assert!(tokio::time::timeout(Duration::from_millis(1), never).await.is_err());
    let clone = breaker.clone();
    let panics = tokio::spawn(async move {
        clone.call(async { if clone.snapshot().probes == 1 { panic!("a bug") } else { fine().await } }).await
    });
    assert!(panics.await.unwrap_err().is_panic());
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.probes, snapshot.totals.cancelled), (0, 2));
    assert_eq!(breaker.call(fine()).await, Ok(()));
}

#[tokio::test]
async fn a_judgement_of_ones_own_ignores_what_is_nobodys_failure() {
    let breaker = Breaker::new("stripe", Policy::stripe(), Arc::new(Nowhere));
    for _ in 0..10 {
        let _ = breaker.call_judged(failing(), |_| Outcome::Ignored).await;
    }
    assert_eq!(breaker.snapshot().totals.ignored, 10);
    assert_eq!(breaker.snapshot().state, State::Closed);
}

#[tokio::test]
async fn a_reset_lets_calls_through_at_once() {
    let breaker = tripped(Arc::new(Nowhere)).await;
    assert!(breaker.reset());
    assert_eq!(breaker.call(fine()).await, Ok(()));
    assert!(!breaker.reset(), "there was nothing to reset");
}

/// A client that answers with a status that can be changed, and counts its calls.
#[derive(Clone, Default)]
struct Server {
    status: Arc<AtomicU16>,
    calls: Arc<AtomicUsize>,
}

impl Server {
    fn answering(status: u16) -> Self {
        Self { status: Arc::new(AtomicU16::new(status)), ..Self::default() }
    }

    fn behind(
        &self,
        layer: BreakerLayer,
    ) -> impl Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible> + Clone + use<> {
        let Self { status, calls } = self.clone();
        ServiceBuilder::new().layer(layer).service(service_fn(move |_: Request<()>| {
            calls.fetch_add(1, Ordering::SeqCst);
            let status = status.load(Ordering::SeqCst);
            let answer = Response::builder().status(status).body(Full::<Bytes>::default()).unwrap();
            ready(Ok::<_, Infallible>(answer))
        }))
    }
}

fn to(uri: &str) -> Request<()> {
    Request::get(uri).body(()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_refuses_with_503_and_when_to_come_back_and_asks_nobody() {
    let server = Server::answering(500);
    let service = server.behind(BreakerLayer::new(Breaker::new("stripe", Policy::stripe(), Arc::new(Nowhere))));
    for _ in 0..3 {
        assert_eq!(service.clone().oneshot(to("/")).await.unwrap().status(), 500);
    }
    let refused = service.clone().oneshot(to("/")).await.unwrap();
    assert_eq!(refused.status(), 503);
    let after: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((30..=33).contains(&after), "{after}");
    assert_eq!(refused.extensions().get(), Some(&Reason::BreakerOpen));
    assert_eq!(server.calls.load(Ordering::SeqCst), 3);
    server.status.store(200, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(after)).await;
    assert_eq!(service.oneshot(to("/")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_fallback_stands_in_for_an_open_service() {
    let breaker = Breaker::new("prices", Policy::default(), Arc::new(Nowhere));
    breaker.set_mode(Mode::ForcedOpen);
    let json = HeaderValue::from_static("application/json");
    let layer = BreakerLayer::new(breaker).fallback(Fallback::new(StatusCode::OK, json, "[]"));
    let answer = Server::answering(200).behind(layer).oneshot(to("/")).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "[]");
}

#[tokio::test(start_paused = true)]
async fn one_authority_that_fails_does_not_shut_out_another_and_their_number_is_bounded() {
    let most = NonZeroUsize::new(2).unwrap();
    let breakers = Breakers::new("hooks", Policy::stripe(), most, Arc::new(Nowhere));
    let layer = BreakerLayer::by_authority(breakers.clone());
    let (bad, good) = (Server::answering(500).behind(layer.clone()), Server::answering(200).behind(layer));
    for _ in 0..4 {
        let _ = bad.clone().oneshot(to("http://a.example/")).await;
    }
    assert_eq!(bad.clone().oneshot(to("http://a.example/")).await.unwrap().status(), 503);
    for host in ["b", "c", "d", "e"] {
        tokio::time::advance(Duration::from_millis(1)).await;
        let answer = good.clone().oneshot(to(&format!("http://{host}.example/"))).await.unwrap();
        assert_eq!(answer.status(), 200, "{host}");
    }
    let mut names: Vec<_> = breakers.all().iter().map(|breaker| breaker.name().to_string()).collect();
    names.sort();
    assert_eq!(names, ["hooks/a.example", "hooks/e.example", "hooks/other"], "the open one is never forgotten");
}
