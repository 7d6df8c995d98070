//! A connection that speaks HTTP/1.
//!
//! hyper's own `graceful_shutdown` closes an idle connection at once, also one on which half a head has arrived
//! (hyper#3792), and its header timeout is its keep-alive timeout too. So neither is used: the connection is taken apart
//! where it is idle, what was read is looked at, and it is put together again where something was.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use seaworthy::core::refusal::Reason;
use seaworthy::server::wire;
use seaworthy_core::connection::{Order, Phase, Protocol, time_out};
use tokio::io::AsyncWriteExt;

use super::service::Entry;
use super::state::Connection;
use super::stream::ClientStream;
use crate::registry::Open;
use crate::socket::{Socket, Waiting};
use crate::tunnel::{self, Ending};
use crate::worker::Worker;

type Http1 = http1::Connection<TokioIo<ClientStream>, Entry>;

/// Why a connection stopped being served.
enum End {
    /// HTTP is done with it.
    Done(Result<(), hyper::Error>),
    /// It is idle and should close.
    Idle,
    /// Half a head has been waiting for the other half for too long.
    TimedOut,
    Cut,
}

pub(super) async fn serve(worker: &Rc<Worker>, socket: Socket, first: Bytes, open: &Open) {
    let state = &open.state;
    let _counted = worker.observer.connection("http1");
    let mut stream = ClientStream::new(socket, first, state.clone(), worker.ticks.clone());
    loop {
        let http = {
            let settings = worker.connection_settings.borrow();
            wire::http1(settings.head_size, settings.header_count)
        };
        let mut http = http.serve_connection(TokioIo::new(stream), Entry::new(worker.clone(), state.clone()));
        match until_end(&mut http, state).await {
            End::Done(result) => {
                finished(worker, state, http, result).await;
                return;
            }
            End::Cut => return,
            End::TimedOut => {
                let mut socket = http.into_parts().io.into_inner().into_parts().0;
                answer_time_out(worker, &mut socket, state).await;
                return;
            }
            End::Idle => {
                let parts = http.into_parts();
                let (socket, prefix) = parts.io.into_inner().into_parts();
                let read = if parts.read_buf.is_empty() { prefix } else { joined(&parts.read_buf, &prefix) };
                if read.is_empty() && socket.peek() != Waiting::Bytes {
                    close(worker, socket, state).await;
                    return;
                }
                // A next request is on its way: it is served, and told to be the last.
                state.enter(Phase::Head, worker.ticks.now());
                stream = ClientStream::new(socket, read, state.clone(), worker.ticks.clone());
            }
        }
    }
}

async fn until_end(http: &mut Http1, state: &Connection) -> End {
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = Pin::new(&mut *http).poll(cx) {
                return Poll::Ready(End::Done(result));
            }
            state.listen(cx.waker());
            return match (state.take_order(), state.phase()) {
                // HTTP ends by itself then, and says what was wrong: whoever leaves its refused connection open is reported too.
                (Some(_), Phase::Lingering) if !state.given_up.replace(true) => continue,
                (Some(Order::Cut), _) | (Some(_), Phase::Lingering) => Poll::Ready(End::Cut),
                (Some(Order::CloseIfIdle | Order::Leave), Phase::Idle) => Poll::Ready(End::Idle),
                (Some(Order::TimeOut), Phase::Head) => Poll::Ready(End::TimedOut),
                // Nothing was ordered; or it is busy: the answer under way says goodbye, and the sweep looks again.
                (None | Some(Order::CloseIfIdle | Order::Leave | Order::TimeOut), _) => Poll::Pending,
            };
        }
    })
    .await
}

/// After the end of HTTP: a tunnel where one was agreed, a word where something was wrong.
async fn finished(worker: &Rc<Worker>, state: &Rc<Connection>, http: Http1, result: Result<(), hyper::Error>) {
    let half = state.tunnel.take();
    match (result, half) {
        (Ok(()), Some(half)) => {
            let parts = http.into_parts();
            let (socket, prefix) = parts.io.into_inner().into_parts();
            let received = joined(&parts.read_buf, &prefix);
            let _counted = worker.registry.tunnel();
            let ending = tunnel::run(socket, received, half, state, &worker.ticks).await;
            worker.observer.tunnel_ended(ending == Ending::Cut);
        }
        (Ok(()), None) => {}
        (Err(error), _) => {
            if let Some((problem, status)) = wire::problem(&error, Protocol::Http1) {
                worker.client_error(state, problem, status);
            }
        }
    }
}

/// Answers 408 to half a head: hyper cannot, because no request has begun.
pub(super) async fn answer_time_out(worker: &Worker, socket: &mut Socket, state: &Connection) {
    worker.client_error(state, "the request head took too long to arrive", Reason::RequestTooSlow.status());
    // A client that sends so slowly may not read either; what fits into the socket's buffer is enough.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(1), socket.write_all(time_out().as_bytes())).await;
    let _ = socket.shutdown().await;
}

/// Closes an idle connection. What the client writes in this very moment is lost to it: it sees the end of the
/// connection before a byte of an answer and may send again (RFC 9112, 9.3.1). That it happened is counted.
async fn close(worker: &Worker, mut socket: Socket, state: &Connection) {
    state.enter(Phase::Lingering, worker.ticks.now());
    if socket.shutdown().await.is_err() {
        return;
    }
    let mut byte = [0; 1];
    tokio::select! {
        biased;
        read = tokio::io::AsyncReadExt::read(&mut socket, &mut byte) => {
            if matches!(read, Ok(1..)) {
                worker.observer.idle_race();
            }
        }
        _ = super::next_order(state) => {}
    }
}

fn joined(first: &Bytes, second: &Bytes) -> Bytes {
    if second.is_empty() {
        return first.clone();
    }
    let mut both = BytesMut::with_capacity(first.len() + second.len());
    both.extend_from_slice(first);
    both.extend_from_slice(second);
    both.freeze()
}
