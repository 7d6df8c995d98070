use std::collections::VecDeque;
use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use seaworthy_core::event::Nowhere;
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::*;

/// What the server saw, and what it answers in turn; 200 after that.
#[derive(Clone, Default)]
struct Server {
    answers: Arc<Mutex<VecDeque<Response<Full<Bytes>>>>>,
    seen: Arc<Mutex<Vec<(tokio::time::Instant, Bytes)>>>,
}

impl Server {
    fn answering(answers: impl IntoIterator<Item = (u16, Option<&'static str>)>) -> Self {
        let answers = answers.into_iter().map(|(status, retry_after)| {
            let answer = Response::builder().status(status);
            let answer = retry_after.into_iter().fold(answer, |answer, after| answer.header("retry-after", after));
            answer.body(Full::default()).unwrap()
        });
        Self { answers: Arc::new(Mutex::new(answers.collect())), ..Self::default() }
    }

    async fn asked<B>(&self, layer: RetryLayer, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: fmt::Debug + Send,
    {
        let server = self.clone();
        let inner = service_fn(move |request: Request<RetryBody<B>>| {
            let server = server.clone();
            async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                server.seen.lock().unwrap().push((tokio::time::Instant::now(), body));
                let answer = server.answers.lock().unwrap().pop_front();
                Ok::<_, Infallible>(answer.unwrap_or_default())
            }
        });
        ServiceBuilder::new().layer(layer).service(inner).oneshot(request).await.unwrap()
    }

    fn attempts(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

fn thrice() -> RetryLayer {
    RetryLayer::new(Retry::new("test", Policy::default(), Arc::new(Nowhere)))
}

fn request(method: Method) -> Request<Full<Bytes>> {
    Request::builder().method(method).uri("http://a.example/").body(Full::from("body")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_get_is_sent_again_until_it_is_answered_and_says_how_often() {
    let server = Server::answering([(503, None), (502, None)]);
    let answer = server.asked(thrice(), request(Method::GET)).await;
    assert_eq!((answer.status(), answer.extensions().get()), (StatusCode::OK, Some(&Attempts(3))));
}

#[tokio::test(start_paused = true)]
async fn after_three_retries_the_last_answer_is_the_answer() {
    let server = Server::answering(vec![(503, None); 10]);
    assert_eq!(server.asked(thrice(), request(Method::GET)).await.status(), 503);
    assert_eq!(server.attempts(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_post_is_sent_once_unless_it_carries_a_key() {
    let server = Server::answering([(503, None)]);
    assert_eq!(server.asked(thrice(), request(Method::POST)).await.status(), 503);
    assert_eq!(server.attempts(), 1);
    let server = Server::answering([(503, None)]);
    let mut keyed = request(Method::POST);
    keyed.headers_mut().insert("idempotency-key", "8e03978e".parse().unwrap());
    assert_eq!(server.asked(thrice(), keyed).await.status(), 200);
    let seen = server.seen.lock().unwrap();
    assert!(seen.len() == 2 && seen.iter().all(|(_, body)| body == "body"), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_into_the_buffer_or_has_no_length_is_sent_once() {
    let server = Server::answering([(503, None)]);
    assert_eq!(server.asked(thrice().buffer(3), request(Method::PUT)).await.status(), 503);
    let frames = [Ok::<_, Infallible>(http_body::Frame::data(Bytes::from("streamed")))];
    let stream = request(Method::PUT).map(|_| StreamBody::new(stream_of(frames)));
    let server = Server::answering([(503, None)]);
    assert_eq!(server.asked(thrice(), stream).await.status(), 503);
    assert_eq!(server.seen.lock().unwrap()[0].1, "streamed");
}

fn stream_of<T: Unpin>(items: impl IntoIterator<Item = T>) -> impl futures_core::Stream<Item = T> {
    struct Items<T>(VecDeque<T>);
    impl<T: Unpin> futures_core::Stream for Items<T> {
        type Item = T;
        fn poll_next(mut self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Option<T>> {
            std::task::Poll::Ready(self.0.pop_front())
        }
    }
    Items(items.into_iter().collect())
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_for() {
    let server = Server::answering([(429, Some("7"))]);
    server.asked(thrice(), request(Method::GET)).await;
    let seen = server.seen.lock().unwrap();
    assert!(seen[1].0 - seen[0].0 >= Duration::from_secs(7), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn no_wait_outlasts_the_total() {
    let server = Server::answering([(503, Some("20"))]);
    let answer = server.asked(thrice().total(Duration::from_secs(15)), request(Method::GET)).await;
    assert_eq!((answer.status().as_u16(), server.attempts()), (503, 1));
}

/// Remembers what it was told.
struct Told(Arc<Mutex<Vec<&'static str>>>);

impl Sink for Told {
    fn emit(&self, event: &Event) {
        self.0.lock().unwrap().push(event.name());
    }
}

#[tokio::test(start_paused = true)]
async fn the_budget_bounds_the_retries_of_all_calls_together() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let budget = BudgetPolicy { percent: 20, at_least: 0 };
    let retry = Retry::within(budget, "test", Policy { retries: 1, ..Policy::default() }, Arc::new(Told(told.clone())));
    let mut attempts = 0_u64;
    for _ in 0..50 {
        let failed: Result<(), ()> = retry
            .call(
                |()| true,
                || {
                    attempts += 1;
                    std::future::ready(Err(()))
                },
            )
            .await;
        assert_eq!(failed, Err(()));
    }
    let counts = retry.counts();
    assert!(counts.retries <= 10, "{counts:?}");
    assert_eq!(attempts, 50 + counts.retries);
    assert_eq!(counts.retries + counts.exhausted, 50);
    assert_eq!(told.lock().unwrap().first(), Some(&"retry_budget_exhausted"));
}
