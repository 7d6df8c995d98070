//! One connection, from its first byte to its last: which HTTP it speaks, and its end.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::BytesMut;
use hyper_util::rt::{TokioExecutor, TokioIo};
use seaworthy_core::connection::{Phase, Protocol};
use seaworthy_core::event::Event;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::entry::Entry;
use super::handler::Handler;
use super::state::Connection;
use super::stream::ClientStream;
use super::{Shared, wire};

/// Serves a connection to its end.
pub(super) async fn serve<S: Handler>(shared: Arc<Shared>, mut stream: ClientStream, service: S) {
    let state = stream.state().clone();
    let protocol = tokio::select! {
        protocol = protocol(&shared, &mut stream) => protocol,
        () = cut(&state) => return,
    };
    let entry = Entry::new(service, state.clone(), shared.clone());
    match protocol {
        Some(Protocol::Http2) => {
            state.enter(Phase::Streams, shared.registry.now());
            over_http2(&shared, stream, entry, &state).await;
        }
        Some(Protocol::Http1) => over_http1(&shared, stream, entry, &state).await,
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
async fn protocol(shared: &Shared, stream: &mut ClientStream) -> Option<Protocol> {
    let mut first = BytesMut::new();
    loop {
        // Which HTTP it is shows in the first bytes. They are read, not peeked at, and given back in front of the rest.
        if !matches!(stream.read_buf(&mut first).await, Ok(1..)) {
            if !first.is_empty() && !stream.state().is_timed_out() {
                shared.client_error(stream.state(), "the client left in the middle of its request head", 0);
            }
            return None;
        }
        if let Some(protocol) = Protocol::of(&first) {
            stream.unread(first.freeze());
            return Some(protocol);
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

async fn over_http1<S: Handler>(shared: &Shared, stream: ClientStream, entry: Entry<S>, state: &Connection) {
    let http = wire::http1(shared.limits.head_size, shared.limits.header_count);
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
        (Err(error), false) => shared.report(state, &error, Protocol::Http1),
    }
}

async fn over_http2<S: Handler>(shared: &Shared, stream: ClientStream, entry: Entry<S>, state: &Connection) {
    let http = wire::http2(TokioExecutor::new(), shared.limits.head_size);
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
        shared.report(state, &error, Protocol::Http2);
    }
}

impl Shared {
    fn report(&self, state: &Connection, error: &hyper::Error, protocol: Protocol) {
        if let Some((problem, status)) = wire::problem(error, protocol) {
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
