use std::convert::Infallible;
use std::sync::Mutex;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version, header};
use http_body::Body;
use http_body_util::Full;
use seaworthy_core::event::{Nowhere, RequestFinished};
use seaworthy_core::lifecycle::{Cause, Change};
use tokio::time::Instant;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use super::*;
use crate::cors::{CorsLayer, Policy};
use crate::limit::rate::RateLimit;

const PAGE: &str = "https://app.example.com";

/// What reached the access log.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Observer for Seen {
    fn finished(&self, request: &RequestFinished<'_>) {
        let RequestFinished { path, status, refusal, aborted, .. } = request;
        self.0.lock().unwrap().push(format!("{path} {status} {refusal:?} aborted={aborted}"));
    }
}

/// A service that does as its path says, behind all layers.
fn stacked(
    settings: Settings,
    life: Lifecycle,
    seen: Seen,
) -> impl Service<Request<Full<Bytes>>, Response = Response<impl Body<Error = Infallible>>, Error = Infallible> + Clone
{
    let behave = |request: Request<_>| {
        assert_ne!(request.uri().path(), "/panic-at-once", "as asked");
        async move {
            assert_ne!(request.uri().path(), "/panic", "as asked");
            if request.uri().path() == "/slow" {
                tokio::time::sleep(Duration::from_mins(10)).await;
            }
            let mut answer = Response::new(Full::<Bytes>::default());
            if request.uri().path() == "/switch" {
                *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                answer.headers_mut().insert(header::CONNECTION, header::UPGRADE.into());
            }
            Ok::<_, Infallible>(answer)
        }
    };
    ServiceBuilder::new().layer(Stack::new(settings, life, seen, Arc::new(Nowhere))).service(service_fn(behave))
}

async fn ask<S, R>(service: &S, request: http::request::Builder) -> Response<()>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = Infallible> + Clone,
{
    let Ok(answer) = service.clone().oneshot(request.body(Full::default()).unwrap()).await;
    answer.map(drop)
}

fn ready() -> Lifecycle {
    let life = Lifecycle::default();
    life.apply(Change::ProgramReady);
    life
}

/// What is answered by a stack that drains.
async fn draining(request: http::request::Builder) -> Response<()> {
    let life = ready();
    life.stop(Cause::Sigterm);
    let cors = CorsLayer::new(&Policy::new([PAGE]).unwrap());
    let settings = Settings { cors, ..Settings::default() };
    ask(&stacked(settings, life, Seen::default()), request).await
}

#[tokio::test]
async fn a_panic_is_answered_with_an_id_and_all_headers_and_the_log_says_500() {
    for path in ["/panic", "/panic-at-once"] {
        let seen = Seen::default();
        let service = stacked(Settings::default(), ready(), seen.clone());
        let answer = ask(&service, Request::get(path).header("x-request-id", "mine")).await;
        assert_eq!((answer.status().as_u16(), &answer.headers()["x-request-id"]), (500, &"mine".parse().unwrap()));
        assert_eq!(answer.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        // The body was given to nobody here.
        assert_eq!(*seen.0.lock().unwrap(), [format!("{path} 500 Some(Panicked) aborted=true")]);
        assert_eq!(ask(&service, Request::get("/")).await.status(), 200, "the next one is served");
    }
}

#[tokio::test]
async fn an_allowance_is_told_with_every_answer_and_taken_by_nobody_whom_the_gate_turns_away() {
    let life = Lifecycle::default();
    let rate = RateLimitLayer::new(RateLimit::new("2/min".parse().unwrap()));
    let service = stacked(Settings { rate, ..Settings::default() }, life.clone(), Seen::default());
    for _ in 0..5 {
        let early = ask(&service, Request::get("/")).await;
        assert_eq!((early.status().as_u16(), early.headers().get("x-ratelimit-limit")), (503, None));
    }
    life.apply(Change::ProgramReady);
    for (left, status) in [("1", 200), ("0", 200), ("0", 429)] {
        let answer = ask(&service, Request::get("/")).await;
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["x-ratelimit-remaining"].to_str().unwrap()),
            (status, left)
        );
        assert!(answer.headers()["x-ratelimit-limit"] == "2" && answer.headers().contains_key("x-request-id"));
        assert_eq!(answer.headers().contains_key("ratelimit-policy"), status == 429);
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_at_the_gate_is_not_the_services() {
    let life = Lifecycle::default();
    let hold = Hold { start: Duration::from_secs(50), ..Hold::default() };
    let settings = Settings { hold, time: Duration::from_secs(10), ..Settings::default() };
    let service = stacked(settings, life.clone(), Seen::default());
    let began = Instant::now();
    let start = async {
        tokio::time::sleep(Duration::from_secs(40)).await;
        life.apply(Change::ProgramReady);
    };
    let (answer, slow, ()) =
        tokio::join!(ask(&service, Request::get("/")), ask(&service, Request::get("/slow")), start);
    assert_eq!((answer.status().as_u16(), slow.status().as_u16()), (200, 504));
    assert_eq!(began.elapsed().as_secs(), 50, "ten seconds after the start");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_the_service_is_asked() {
    let seen = Seen::default();
    let service = stacked(Settings { body: 4, ..Settings::default() }, ready(), seen.clone());
    let request = Request::post("/panic").body(Full::from("12345")).unwrap();
    let Ok(answer) = service.oneshot(request).await;
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("x-request-id")), (413, true));
    drop(answer);
    assert_eq!(*seen.0.lock().unwrap(), ["/panic 413 Some(BodyTooLarge) aborted=true"]);
}

fn preflight() -> http::request::Builder {
    let asked = Request::builder().method(Method::OPTIONS).header(header::ORIGIN, PAGE);
    asked.header(header::ACCESS_CONTROL_REQUEST_METHOD, "PUT")
}

#[tokio::test]
async fn every_answer_during_a_drain_tells_its_client_to_leave_whichever_layer_gave_it() {
    for (request, status) in [(Request::get("/"), 200), (preflight(), 204), (Request::get("/panic"), 500)] {
        let answer = draining(request).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()[header::CONNECTION]),
            (status, &"close".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn a_page_can_read_that_the_service_panicked() {
    let answer = draining(Request::get("/panic").header(header::ORIGIN, PAGE)).await;
    assert_eq!(answer.status(), 500);
    assert_eq!(answer.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], PAGE);
    let answer = draining(Request::get("/panic").header(header::ORIGIN, "https://evil.example")).await;
    assert!(!answer.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
}

#[tokio::test]
async fn a_tunnel_and_http2_are_not_told_by_a_header() {
    assert_eq!(draining(Request::get("/switch")).await.headers()[header::CONNECTION], "upgrade");
    let answer = draining(preflight().version(Version::HTTP_2)).await;
    assert_eq!((answer.status().as_u16(), answer.headers().get(header::CONNECTION)), (204, None));
}
