//! What the sample service answers: a few routes, one slow, one flaky, one WebSocket, one event stream.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, interval_at};

use super::websocket;

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// How long `/slow` takes when nobody says.
const SLOW: Duration = Duration::from_secs(3);

/// `/slow` takes no longer than this, whoever asks.
const SLOWEST: u64 = 60;

/// How often `/events` says something.
const BEAT: Duration = Duration::from_secs(1);

/// Every third request to `/flaky` fails.
const FLAKY: u64 = 3;

const ROUTES: &[(&str, &str)] = &[
    ("GET /hello", "a small JSON answer"),
    ("GET /slow?seconds=N", "answers after N seconds (default 3): stop the demo meanwhile, and the answer still comes"),
    ("GET /flaky", "every third answer is a 500"),
    ("GET /headers", "the headers that the program was given"),
    ("POST /echo", "sends the body back as it arrives"),
    ("GET /events", "server-sent events, one a second"),
    ("GET /ws", "a WebSocket that sends back what it gets"),
    ("GET /crash", "the program dies: it comes back, and requests wait for it"),
];

/// What the sample service remembers.
#[derive(Debug)]
pub(super) struct Sample {
    flaky: Cell<u64>,
    leaving: watch::Sender<bool>,
}

impl Default for Sample {
    fn default() -> Self {
        Self { flaky: Cell::new(0), leaving: watch::Sender::new(false) }
    }
}

impl Sample {
    /// Streams and WebSockets end from now on.
    pub(super) fn leave(&self) {
        self.leaving.send_replace(true);
    }

    /// Completes once [`Sample::leave`] was called.
    pub(super) fn leaving(&self) -> impl Future<Output = ()> + use<> {
        let mut leaving = self.leaving.subscribe();
        async move {
            // The sender lives as long as the service.
            let _ = leaving.wait_for(|leaving| *leaving).await;
        }
    }
}

pub(super) async fn answer(sample: &Sample, request: Request<Incoming>) -> Response<Body> {
    let route = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/") => "/",
        (&Method::GET | &Method::HEAD, "/hello") => "/hello",
        (&Method::GET | &Method::HEAD, "/slow") => "/slow",
        (&Method::GET | &Method::HEAD, "/flaky") => "/flaky",
        (&Method::GET | &Method::HEAD, "/headers") => "/headers",
        (&Method::POST | &Method::PUT, "/echo") => "/echo",
        (&Method::GET, "/events") => "/events",
        (&Method::GET, "/ws") => "/ws",
        (&Method::GET, "/crash") => "/crash",
        _ => return text(StatusCode::NOT_FOUND, "no such route: GET / lists them\n"),
    };
    let mut response = match route {
        "/" => text(StatusCode::OK, &index()),
        "/hello" => json(StatusCode::OK, r#"{"hello":"world"}"#),
        "/slow" => slow(&request).await,
        "/flaky" => flaky(sample),
        "/headers" => headers(&request),
        "/echo" => Response::new(request.into_body().boxed_unsync()),
        "/events" => events(sample),
        "/ws" => websocket::echo(sample, request),
        _ => crash(),
    };
    // How a program tells its route, so that metrics have a label that does not grow with every path.
    response.headers_mut().insert("x-route", HeaderValue::from_static(route));
    response
}

fn index() -> String {
    let mut index = "The sample service of `seaworthy demo`.\n\n".to_owned();
    for (route, what) in ROUTES {
        // Writing to a String cannot fail.
        let _ = writeln!(index, "{route:<22} {what}");
    }
    index
}

async fn slow(request: &Request<Incoming>) -> Response<Body> {
    let seconds = request.uri().query().and_then(|query| query.strip_prefix("seconds=")).map(str::parse::<u64>);
    let duration = match seconds {
        None => SLOW,
        Some(Ok(seconds)) if seconds <= SLOWEST => Duration::from_secs(seconds),
        Some(_) => return text(StatusCode::BAD_REQUEST, "seconds: a whole number up to 60\n"),
    };
    tokio::time::sleep(duration).await;
    json(StatusCode::OK, &format!(r#"{{"slept_seconds":{}}}"#, duration.as_secs()))
}

fn flaky(sample: &Sample) -> Response<Body> {
    let count = sample.flaky.get() + 1;
    sample.flaky.set(count);
    if count.is_multiple_of(FLAKY) {
        eprintln!("flaky: request {count} fails");
        return json(StatusCode::INTERNAL_SERVER_ERROR, r#"{"error":"flaky, as promised"}"#);
    }
    json(StatusCode::OK, &format!(r#"{{"request":{count}}}"#))
}

fn headers(request: &Request<Incoming>) -> Response<Body> {
    let mut list = String::new();
    for (name, value) in request.headers() {
        let _ = writeln!(list, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    text(StatusCode::OK, &list)
}

fn events(sample: &Sample) -> Response<Body> {
    let stream = Events { interval: interval_at(Instant::now(), BEAT), leaving: Box::pin(sample.leaving()), count: 0 };
    let mut response = Response::new(stream.map_err(|never: Infallible| match never {}).boxed_unsync());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

/// Ends the program without a word, as a bug would.
fn crash() -> ! {
    eprintln!("sample service: crash, as asked");
    std::process::exit(3)
}

/// One event a beat, until the service leaves.
struct Events {
    interval: Interval,
    leaving: Pin<Box<dyn Future<Output = ()> + Send>>,
    count: u64,
}

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.leaving.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        ready!(self.interval.poll_tick(cx));
        self.count += 1;
        let event = format!("id: {0}\ndata: {{\"beat\":{0}}}\n\n", self.count);
        Poll::Ready(Some(Ok(Frame::data(event.into()))))
    }
}

pub(super) fn text(status: StatusCode, text: &str) -> Response<Body> {
    full(status, "text/plain; charset=utf-8", text)
}

fn json(status: StatusCode, json: &str) -> Response<Body> {
    full(status, "application/json", json)
}

fn full(status: StatusCode, kind: &'static str, body: &str) -> Response<Body> {
    let body = Full::new(Bytes::copy_from_slice(body.as_bytes())).map_err(|never: Infallible| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
