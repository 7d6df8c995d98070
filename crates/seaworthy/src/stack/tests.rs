use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version, header};
use http_body_util::{Empty, Full};
use seaworthy_core::event::Nowhere;
use seaworthy_core::lifecycle::{Cause, Change};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::*;
use crate::cors::Policy;

const PAGE: &str = "https://app.example.com";

/// What is answered by a stack that drains; the service panics for `/panic`, and switches for `/switch`.
async fn draining(request: http::request::Builder) -> Response<()> {
    let life = Lifecycle::default();
    life.apply(Change::ProgramReady);
    life.stop(Cause::Sigterm);
    let cors = CorsLayer::new(&Policy::new([PAGE]).unwrap());
    let settings = Settings { cors, ..Settings::default() };
    let service = ServiceBuilder::new().layer(Stack::new(settings, life, (), Arc::new(Nowhere))).service(service_fn(
        async |request: Request<_>| {
            assert_ne!(request.uri().path(), "/panic", "as asked");
            let mut answer = Response::new(Full::<Bytes>::default());
            if request.uri().path() == "/switch" {
                *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                answer.headers_mut().insert(header::CONNECTION, header::UPGRADE.into());
            }
            Ok::<_, Infallible>(answer)
        },
    ));
    let Ok(answer) = service.oneshot(request.body(Empty::<Bytes>::new()).unwrap()).await;
    answer.map(drop)
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
