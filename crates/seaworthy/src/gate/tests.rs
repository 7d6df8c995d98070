use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Version, header};
use http_body_util::Full;
use seaworthy_core::event::Nowhere;
use seaworthy_core::lifecycle::Change;
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn life() -> Lifecycle {
    Lifecycle::new(Arc::new(Nowhere))
}

fn ready() -> Lifecycle {
    let life = life();
    life.apply(Change::ProgramReady);
    life
}

async fn get(layer: GateLayer, version: Version, meanwhile: impl Fn() + Clone) -> Response<Full<Bytes>> {
    let service = ServiceBuilder::new().layer(layer).service(service_fn(move |_: Request<()>| {
        meanwhile();
        async { Ok::<_, Infallible>(Response::new(Full::default())) }
    }));
    service.oneshot(Request::builder().version(version).body(()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_service_that_starts_refuses_with_a_time_to_come_back() {
    let answer = get(GateLayer::new(life()), Version::HTTP_11, || {}).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()[header::RETRY_AFTER], "2");
    assert_eq!(answer.extensions().get(), Some(&Reason::Starting));
}

#[tokio::test(start_paused = true)]
async fn a_held_request_is_served_when_the_service_gets_ready() {
    let life = life();
    let layer = GateLayer::new(life.clone()).hold(Hold { start: 5 * SECOND, ..Hold::default() });
    let waiting = tokio::spawn(get(layer, Version::HTTP_11, || {}));
    tokio::time::sleep(3 * SECOND).await;
    assert!(!waiting.is_finished());
    life.apply(Change::ProgramReady);
    assert_eq!(waiting.await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_held_request_is_refused_when_its_time_is_over() {
    let layer = GateLayer::new(life()).hold(Hold { start: 5 * SECOND, ..Hold::default() });
    let start = Instant::now();
    assert_eq!(get(layer, Version::HTTP_11, || {}).await.status(), 503);
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn requests_are_held_longer_after_a_crash_than_at_the_first_start() {
    let life = ready();
    life.apply(Change::ProgramDied);
    let layer = GateLayer::new(life.clone()).hold(Hold { crash: 5 * SECOND, ..Hold::default() });
    let waiting = tokio::spawn(get(layer, Version::HTTP_11, || {}));
    tokio::time::sleep(4 * SECOND).await;
    life.apply(Change::ProgramReady);
    assert_eq!(waiting.await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_requests_and_a_resume_lets_them_go() {
    let life = ready();
    life.pause();
    let layer = GateLayer::new(life.clone()).hold(Hold { pause: 5 * SECOND, ..Hold::default() });
    let waiting = tokio::spawn(get(layer, Version::HTTP_11, || {}));
    tokio::time::sleep(SECOND).await;
    assert!(!waiting.is_finished());
    life.resume();
    assert_eq!(waiting.await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_a_pause_lets_held_requests_through_with_a_farewell() {
    let life = ready();
    life.pause();
    let layer = GateLayer::new(life.clone()).hold(Hold { pause: 5 * SECOND, ..Hold::default() });
    let waiting = tokio::spawn(get(layer, Version::HTTP_11, || {}));
    tokio::task::yield_now().await;
    life.apply(Change::StopAsked);
    let answer = waiting.await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()[header::CONNECTION], "close");
}

#[tokio::test]
async fn a_drain_that_begins_while_a_request_runs_reaches_its_answer() {
    let life = ready();
    let meanwhile = {
        let life = life.clone();
        move || {
            life.apply(Change::StopAsked);
        }
    };
    let answer = get(GateLayer::new(life), Version::HTTP_11, meanwhile).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()[header::CONNECTION], "close");
}

#[tokio::test]
async fn nobody_is_sent_away_before_the_drain_and_http2_never_by_a_header() {
    let answer = get(GateLayer::new(ready()), Version::HTTP_11, || {}).await;
    assert!(!answer.headers().contains_key(header::CONNECTION));
    let life = ready();
    life.apply(Change::StopAsked);
    let answer = get(GateLayer::new(life), Version::HTTP_2, || {}).await;
    assert!(!answer.headers().contains_key(header::CONNECTION));
}

#[tokio::test]
async fn the_reject_policy_refuses_during_the_drain() {
    let life = ready();
    life.apply(Change::StopAsked);
    let answer = get(GateLayer::new(life).reject(true), Version::HTTP_11, || {}).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()[header::CONNECTION], "close");
    assert!(answer.headers().contains_key(header::RETRY_AFTER));
}
