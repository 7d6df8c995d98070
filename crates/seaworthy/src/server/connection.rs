//! One connection, from its first byte to its last: which HTTP it speaks, and its end.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use http::{Request, Response};
use http_body::Body;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use seaworthy_core::event::Event;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_service::Service;

use super::entry::Entry;
use super::state::{Connection, Phase};
use super::stream::ClientStream;
use super::{ReceivedBody, Shared};

/// What an HTTP/2 client sends first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Streams that one HTTP/2 connection may have open.
const STREAMS: u32 = 250;

/// Serves a connection to its end.
pub(super) async fn serve<S, B>(shared: Arc<Shared>, mut stream: ClientStream, service: S)
where
    S: Service<Request<ReceivedBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let state = stream.state().clone();
    let speaks_http2 = tokio::select! {
        speaks = speaks_http2(&shared, &mut stream) => speaks,
        () = cut(&state) => return,
    };
    let entry = Entry::new(service, state.clone(), shared.clone());
    match speaks_http2 {
        Some(true) => {
            state.enter(Phase::Streams, shared.registry.now());
            over_http2(&shared, stream, entry, &state).await;
        }
        Some(false) => over_http1(&shared, stream, entry, &state).await,
        None if state.is_timed_out() => linger(stream, &state).await,
        None => {}
    }
}

/// Closes after an answer that hyper knows nothing of.
async fn linger(mut stream: ClientStream, state: &Connection) {
    tokio::select! {
        // An error here only says that the client is gone already.
        _ = stream.shutdown() => {}
        () = cut(state) => {}
    }
}

/// Reads until it is clear what the client speaks; `None` where the connection ended before.
async fn speaks_http2(shared: &Shared, stream: &mut ClientStream) -> Option<bool> {
    let mut first = BytesMut::new();
    loop {
        // Which HTTP it is shows in the first bytes. They are read, not peeked at, and given back in front of the rest.
        if !matches!(stream.read_buf(&mut first).await, Ok(1..)) {
            if !first.is_empty() && !stream.state().is_timed_out() {
                shared.client_error(stream.state(), "the client left in the middle of its request head", 0);
            }
            return None;
        }
        let seen = first.len().min(PREFACE.len());
        if first[..seen] != PREFACE[..seen] || seen == PREFACE.len() {
            let http2 = first.starts_with(PREFACE);
            stream.unread(first.freeze());
            return Some(http2);
        }
    }
}

/// Completes when the connection should end now.
async fn cut(state: &Connection) {
    poll_fn(|cx| {
        state.task.register(cx.waker());
        if state.is_cut() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

async fn over_http1<S, B>(shared: &Shared, stream: ClientStream, entry: Entry<S>, state: &Connection)
where
    S: Service<Request<ReceivedBody>, Response = Response<B>> + Clone,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let limits = &shared.limits;
    let mut http = http1::Builder::new();
    http.max_headers(limits.header_count)
        .max_header_size(limits.head_size)
        .max_buf_size(limits.head_size.max(64 * 1024))
        .header_read_timeout(None);
    let mut connection = http.serve_connection(TokioIo::new(stream), entry).with_upgrades();
    let ended = poll_fn(|cx| {
        if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
            return Poll::Ready(ended);
        }
        state.task.register(cx.waker());
        if state.is_cut() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await;
    match (ended, state.is_timed_out()) {
        (Ok(()), _) => {}
        // It has been answered and reported where it was noticed.
        (Err(_), true) => {
            if let Some(parts) = connection.into_parts() {
                linger(parts.io.into_inner(), state).await;
            }
        }
        (Err(error), false) => shared.report(state, &error, false),
    }
}

async fn over_http2<S, B>(shared: &Shared, stream: ClientStream, entry: Entry<S>, state: &Connection)
where
    S: Service<Request<ReceivedBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(shared.limits.head_size).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS)
        // A peer that vanished without a word is noticed (there is no FIN from a host that lost its power).
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), entry));
    let mut told = false;
    let ended = poll_fn(|cx| {
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            state.task.register(cx.waker());
            if state.is_cut() {
                return Poll::Ready(Ok(()));
            }
            if told || !state.leaves() {
                return Poll::Pending;
            }
            // GOAWAY: streams that are open end, new ones go to another connection (RFC 9113, 6.8). It has to be polled
            // to be sent.
            told = true;
            connection.as_mut().graceful_shutdown();
        }
    })
    .await;
    if let Err(error) = ended {
        shared.report(state, &error, true);
    }
}

/// What hyper answered by itself, or found broken; `None` where the client merely went away.
fn describe(error: &hyper::Error, http2: bool) -> Option<(&'static str, u16)> {
    if error.is_parse_too_large() {
        let status = if error.to_string().contains("URI") { 414 } else { 431 };
        Some(("the request head is too large", status))
    } else if error.is_parse() {
        Some(("the request is malformed", 400))
    } else if error.is_incomplete_message() {
        Some(("the client left in the middle of its request", 0))
    } else if http2 && !is_departure(error) {
        Some(("the HTTP/2 connection broke a rule", 0))
    } else {
        None
    }
}

/// Whether the client merely went away.
fn is_departure(error: &hyper::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    error.is_closed() || error.is_canceled() || error.is_timeout()
}

impl Shared {
    fn report(&self, state: &Connection, error: &hyper::Error, http2: bool) {
        if let Some((problem, status)) = describe(error, http2) {
            self.client_error(state, problem, status);
        }
    }

    /// Reports what a client did wrong where no request can say it.
    pub(super) fn client_error(&self, state: &Connection, problem: &str, status: u16) {
        let client = state.peer.map_or_else(|| "unix".to_owned(), |peer| peer.ip().to_string());
        self.counts.client_error(status);
        self.sink.emit(&Event::ClientError { client, problem: problem.to_owned(), status });
    }
}
