use std::convert::Infallible;
use std::sync::Mutex;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::*;
use crate::refusal::Refusal;

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<(u32, Vec<String>)>>);

impl Observer for Seen {
    fn started(&self) {
        self.0.lock().unwrap().0 += 1;
    }

    fn finished(&self, request: &RequestFinished<'_>) {
        let RequestFinished { method, path, status, bytes_in, bytes_out, aborted, refusal, route, .. } = request;
        let line =
            format!("{method} {path} {status} in={bytes_in} out={bytes_out} aborted={aborted} {refusal:?} {route:?}");
        self.0.lock().unwrap().1.push(line);
    }
}

impl Seen {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().1.clone()
    }
}

fn post(body: &'static str) -> Request<Full<Bytes>> {
    Request::builder().method("POST").uri("/orders?token=1").body(Full::from(body)).unwrap()
}

#[tokio::test]
async fn a_request_is_finished_when_its_answer_has_ended_not_when_it_began() {
    let seen = Seen::default();
    let service = ServiceBuilder::new()
        .layer(AccessLayer::new(seen.clone()).route_header(HeaderName::from_static("x-route")))
        .service(service_fn(|request: Request<CountedBody<Full<Bytes>>>| async {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, Infallible>(Response::builder().header("x-route", "/orders").body(Full::new(body)).unwrap())
        }));
    let answer = service.oneshot(post("hello")).await.unwrap();
    assert!(!answer.headers().contains_key("x-route"));
    assert_eq!(seen.lines(), Vec::<String>::new());
    answer.into_body().collect().await.unwrap();
    assert_eq!(seen.lines(), [r#"POST /orders 200 in=5 out=5 aborted=false None Some("/orders")"#]);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_is_an_aborted_499() {
    let seen = Seen::default();
    let service = ServiceBuilder::new().layer(AccessLayer::new(seen.clone())).service(service_fn(
        |_: Request<CountedBody<Full<Bytes>>>| std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>(),
    ));
    drop(service.oneshot(post("")));
    assert_eq!(seen.0.lock().unwrap().0, 0, "a request that was never called never began");
    let mut service = service_with_pending(&seen);
    drop(service.call(post("")));
    assert_eq!(seen.lines(), ["POST /orders 499 in=0 out=0 aborted=true None None"]);
}

fn service_with_pending(
    seen: &Seen,
) -> impl Service<Request<Full<Bytes>>, Response = Response<AnswerBody<Full<Bytes>, Seen>>, Error = Infallible> + use<>
{
    ServiceBuilder::new().layer(AccessLayer::new(seen.clone())).service(service_fn(
        |_: Request<CountedBody<Full<Bytes>>>| std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>(),
    ))
}

#[tokio::test]
async fn an_answer_that_is_dropped_half_way_is_aborted_with_what_was_sent() {
    let seen = Seen::default();
    let service = ServiceBuilder::new().layer(AccessLayer::new(seen.clone())).service(service_fn(
        |_: Request<CountedBody<Full<Bytes>>>| async {
            let frames = ["one", "two"].map(|text| Ok::<_, Infallible>(http_body::Frame::data(Bytes::from(text))));
            Ok::<_, Infallible>(Response::new(StreamBody::new(tokio_stream_of(frames))))
        },
    ));
    let mut body = service.oneshot(post("")).await.unwrap().into_body();
    body.frame().await;
    drop(body);
    assert_eq!(seen.lines(), ["POST /orders 200 in=0 out=3 aborted=true None None"]);
}

/// A stream of what an array holds, without another dependency.
fn tokio_stream_of<T: Unpin, const N: usize>(items: [T; N]) -> impl futures_core::Stream<Item = T> {
    struct Items<T, const N: usize>(std::array::IntoIter<T, N>);
    impl<T: Unpin, const N: usize> futures_core::Stream for Items<T, N> {
        type Item = T;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
            Poll::Ready(self.0.next())
        }
    }
    Items(items.into_iter())
}

#[tokio::test]
async fn a_refusal_is_reported_with_its_reason() {
    let seen = Seen::default();
    let service = ServiceBuilder::new().layer(AccessLayer::new(seen.clone())).service(service_fn(
        |request: Request<CountedBody<Full<Bytes>>>| async move {
            let to = Correlation::of(&request);
            Ok::<_, Infallible>(Refusal::new(Reason::Overloaded).respond::<Full<Bytes>>(&to))
        },
    ));
    service.oneshot(post("")).await.unwrap().into_body().collect().await.unwrap();
    let lines = seen.lines();
    assert!(lines[0].contains("503") && lines[0].contains("Some(Overloaded)"), "{lines:?}");
}
