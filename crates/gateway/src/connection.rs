//! One client connection, from its first byte to its last: which HTTP it speaks, its timers, its end.

pub(crate) mod body;
mod framing;
mod http1;
mod http2;
mod meter;
mod service;
pub(crate) mod state;
mod stream;

use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use seaworthy::core::event::Event;
use seaworthy_core::connection::{Order, Phase, Protocol};
use tokio::io::AsyncReadExt;

use self::state::Connection;
use super::registry::Open;
use super::socket::Socket;
use super::worker::Worker;

/// Limits on connections, replaced by a reload.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    /// From the first byte of a head to its last.
    pub head_timeout: Duration,
    /// Between requests on a kept connection.
    pub idle_timeout: Duration,
    /// Bytes a second that a request body must bring, measured over `body_grace`.
    pub body_min_rate: Option<u64>,
    pub body_grace: Duration,
    /// Without the client taking a byte of what we send.
    pub send_timeout: Duration,
    pub head_size: usize,
    pub header_count: usize,
}

/// Serves a connection to its end.
pub(crate) async fn serve(worker: Rc<Worker>, socket: Socket, open: Open) {
    let state = open.state.clone();
    let mut socket = socket;
    // Which HTTP it is shows in the first bytes. They are read, not peeked at, and given back in front of the rest.
    match first_bytes(&worker, &mut socket, &state).await {
        Some((Protocol::Http1, first)) => http1::serve(&worker, socket, first, &open).await,
        Some((Protocol::Http2, first)) => http2::serve(&worker, socket, first, &open).await,
        None => {}
    }
}

/// Reads until it is clear what the client speaks; `None` where the connection ended before.
async fn first_bytes(worker: &Worker, socket: &mut Socket, state: &Connection) -> Option<(Protocol, Bytes)> {
    let mut first = BytesMut::new();
    loop {
        // A connection that is silent keeps no buffer: it is waited for before one is made.
        let read = tokio::select! {
            biased;
            read = async { socket.read_buf(&mut first).await } => read,
            order = next_order(state) => match order {
                Order::TimeOut => {
                    http1::answer_time_out(worker, socket, state).await;
                    return None;
                }
                Order::CloseIfIdle if state.phase() != Phase::Idle => continue,
                Order::CloseIfIdle | Order::Leave | Order::Cut => return None,
            },
        };
        match read {
            Ok(0) | Err(_) => {
                if !first.is_empty() {
                    worker.client_error(state, "the client left in the middle of its request head", 0);
                }
                return None;
            }
            Ok(_) => {}
        }
        if state.phase() == Phase::Idle {
            state.enter(Phase::Head, worker.ticks.now());
        }
        if let Some(protocol) = Protocol::of(&first) {
            state.came(first.len());
            return Some((protocol, first.freeze()));
        }
    }
}

async fn next_order(state: &Connection) -> Order {
    std::future::poll_fn(|cx| {
        state.listen(cx.waker());
        state.take_order().map_or(std::task::Poll::Pending, std::task::Poll::Ready)
    })
    .await
}

impl Worker {
    /// Reports and counts what a client did wrong where no request can say it.
    pub(crate) fn client_error(&self, state: &Connection, problem: &str, status: u16) {
        let client = state.peer.map_or_else(|| "unix".to_owned(), |peer| peer.ip().to_string());
        self.observer.client_error(status);
        self.sink.emit(&Event::ClientError { client, problem: problem.to_owned(), status });
    }
}
