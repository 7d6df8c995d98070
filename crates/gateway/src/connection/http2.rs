//! A connection that speaks HTTP/2 with prior knowledge.
//!
//! Its goodbye is GOAWAY: streams that are open end, new ones go to another connection (RFC 9113, 6.8).

use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use seaworthy::server::wire;
use seaworthy_core::connection::{Order, Phase, Protocol};

use super::service::Entry;
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
    let http = wire::http2(Local, worker.connection_settings.borrow().head_size);
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
        && let Some((problem, status)) = wire::problem(&error, Protocol::Http2)
    {
        worker.client_error(state, problem, status);
    }
}
