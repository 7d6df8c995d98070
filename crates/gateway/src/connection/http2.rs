//! A connection that speaks HTTP/2 with prior knowledge.
//!
//! Its goodbye is GOAWAY: streams that are open end, new ones go to another connection (RFC 9113, 6.8).

use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::service::Entry;
use super::state::{Order, Phase};
use super::stream::ClientStream;
use crate::executor::Local;
use crate::registry::Open;
use crate::socket::Socket;
use crate::worker::Worker;

pub(super) async fn serve(worker: &Rc<Worker>, socket: Socket, first: Bytes, open: &Open) {
    let state = &open.state;
    let _counted = worker.observer.connection("http2");
    // Its frames say nothing about where a request begins; the number of open streams does.
    state.enter(Phase::Streams, worker.ticks.now());
    let stream = ClientStream::new(socket, first, state.clone(), worker.ticks.clone());
    let mut http = http2::Builder::new(Local);
    {
        let settings = worker.connection_settings.borrow();
        http.timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(settings.head_size).unwrap_or(u32::MAX))
            .max_concurrent_streams(250)
            // A peer that vanished without a word is noticed (there is no FIN from a host that lost its power).
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20));
    }
    let mut connection =
        std::pin::pin!(http.serve_connection(TokioIo::new(stream), Entry::new(worker.clone(), state.clone())));
    let result = poll_fn(|cx| {
        let polled = connection.as_mut().poll(cx);
        if polled.is_ready() {
            return polled.map(Some);
        }
        state.listen(cx.waker());
        match state.take_order() {
            Some(Order::Cut | Order::TimeOut) => return Poll::Ready(None),
            Some(Order::CloseIfIdle | Order::Leave) => {
                connection.as_mut().graceful_shutdown();
                // It has to be polled to send what was just asked for.
                return connection.as_mut().poll(cx).map(Some);
            }
            None => {}
        }
        Poll::Pending
    })
    .await;
    if let Some(Err(error)) = result
        && !is_departure(&error)
    {
        worker.client_error(state, "the HTTP/2 connection broke a rule", 0);
    }
}

/// Whether the client merely went away.
fn is_departure(error: &hyper::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    error.is_closed() || error.is_canceled() || error.is_timeout()
}
