//! Kept connections to one upstream, of one worker: last in, first out, so that the surplus ages and goes.
//!
//! # Rules
//!
//! - A connection is kept for as long as the upstream's `Keep-Alive: timeout` says, less a second; else for a second.
//! - Before a request that may not be repeated takes one, it is looked into: what the upstream closed, or wrote unasked,
//!   is dropped. A request that may be repeated goes by what the runtime has heard of the connection, which saves that
//!   system call: it is repeated, if the connection proves to be gone.
//! - A request that may not be repeated takes only a connection that was idle for less than half of its time: closing
//!   by the upstream's timer and our writing would cross, and nobody could tell whether it was executed.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;

use super::upstream::UpstreamStream;
use crate::gateway::clock::{Ticks, ticks};
use crate::gateway::observer::UpstreamOpen;
use crate::gateway::socket::{Socket, Waiting};

/// How long a connection is kept where the upstream says nothing. Node's default is 5 s, gunicorn's 2 s.
const UNKNOWN: Duration = Duration::from_secs(1);

/// A connection that can send a request. It has no task of its own: whoever waits for something of it drives it.
#[derive(Debug)]
pub(crate) struct Kept<B: Body + 'static> {
    sender: SendRequest<B>,
    /// `None` once it has ended.
    connection: Option<Connection<TokioIo<UpstreamStream>, B>>,
    socket: Rc<Socket>,
    /// Counted while it lives.
    _open: UpstreamOpen,
    /// Counts against the cap of the process while the connection lives.
    _permit: OwnedSemaphorePermit,
    idle_since: u32,
    keep: u32,
    /// Which program it leads to: a restart makes all older ones useless.
    generation: u32,
}

impl<B> Kept<B>
where
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Speaks HTTP/1 over `socket`.
    pub(crate) async fn new(
        socket: Socket,
        permit: OwnedSemaphorePermit,
        open: UpstreamOpen,
        generation: u32,
    ) -> hyper::Result<Self> {
        let socket = Rc::new(socket);
        // hyper's 100 headers an answer: naming a limit of one's own has it allocate room for so many for each answer.
        let http = http1::Builder::new();
        let (sender, connection) = http.handshake(TokioIo::new(UpstreamStream::new(socket.clone()))).await?;
        Ok(Self {
            sender,
            connection: Some(connection),
            socket,
            _open: open,
            _permit: permit,
            idle_since: 0,
            keep: ticks(UNKNOWN),
            generation,
        })
    }

    /// Gives a request to the connection. It goes out, and its answer comes, while [`Kept::driving`] is waited for.
    pub(crate) fn send(
        &mut self,
        request: Request<B>,
    ) -> impl Future<Output = hyper::Result<Response<Incoming>>> + use<B> {
        self.sender.send_request(request)
    }

    /// Drives the connection until `answer` is there.
    pub(crate) async fn driving<T>(&mut self, answer: impl Future<Output = T>) -> T {
        let mut answer = std::pin::pin!(answer);
        poll_fn(|cx| {
            drive(&mut self.connection, cx);
            answer.as_mut().poll(cx)
        })
        .await
    }

    /// Reads and writes what can be read and written now.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.connection, cx);
    }

    /// Whether the exchange is over and another one can begin.
    fn free(&mut self) -> bool {
        if !self.sender.is_ready() {
            // The end of the answer may have been read and not yet been thought about.
            self.drive(&mut Context::from_waker(Waker::noop()));
        }
        self.connection.is_some() && self.sender.is_ready()
    }

    /// Completes when the exchange is over; `false` where the connection ended with it.
    async fn freed(&mut self) -> bool {
        poll_fn(|cx| {
            self.drive(cx);
            if self.connection.is_none() {
                return Poll::Ready(false);
            }
            self.sender.poll_ready(cx).map(|ready| ready.is_ok())
        })
        .await
    }

    /// Learns how long the upstream keeps it.
    pub(crate) fn keep_for(&mut self, seconds: u64) {
        self.keep = ticks(Duration::from_secs(seconds).saturating_sub(Duration::from_secs(1)));
    }

    fn idle(&self, now: u32) -> u32 {
        now.saturating_sub(self.idle_since)
    }
}

fn drive<B>(connection: &mut Option<Connection<TokioIo<UpstreamStream>, B>>, cx: &mut Context<'_>)
where
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if let Some(running) = connection
        && Pin::new(running).poll(cx).is_ready()
    {
        // Its error has reached whoever sent a request over it; without a request nobody is concerned.
        *connection = None;
    }
}

/// Kept connections. Clones share them.
#[derive(Debug)]
pub(crate) struct Pool<B: Body + 'static>(Rc<Inner<B>>);

#[derive(Debug)]
struct Inner<B: Body + 'static> {
    #[expect(clippy::vec_box, reason = "they move with every request, and a box is what moves cheaply")]
    /// In boxes: they move from here into the body of an answer and back with every request.
    idle: RefCell<Vec<Box<Kept<B>>>>,
    generation: Cell<u32>,
    ticks: Ticks,
}

impl<B: Body + 'static> Clone for Pool<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B> Pool<B>
where
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    pub(crate) fn new(ticks: Ticks) -> Self {
        Self(Rc::new(Inner { idle: RefCell::default(), generation: Cell::new(0), ticks }))
    }

    pub(crate) fn generation(&self) -> u32 {
        self.0.generation.get()
    }

    /// A connection that can be used now, if one is kept.
    pub(crate) fn take(&self, repeatable: bool) -> Option<Box<Kept<B>>> {
        let now = self.0.ticks.now();
        loop {
            let kept = {
                let mut idle = self.0.idle.borrow_mut();
                let last = idle.last()?;
                let patience = if repeatable { last.keep } else { last.keep / 2 };
                if !repeatable && last.idle(now) >= patience && last.idle(now) < last.keep {
                    // Too old for this request, young enough for another. All below it are older still.
                    return None;
                }
                idle.pop()?
            };
            let usable = kept.idle(now) < kept.keep
                && kept.generation == self.generation()
                && kept.sender.is_ready()
                && (repeatable && !kept.socket.has_news() || kept.socket.peek() == Waiting::Nothing);
            if usable {
                return Some(kept);
            }
        }
    }

    /// Keeps a connection whose last answer has ended.
    pub(crate) fn give_back(&self, mut kept: Box<Kept<B>>) {
        if kept.free() {
            self.keep(kept);
        } else if kept.connection.is_some() {
            // The answer came before all of the request had gone out.
            let pool = self.clone();
            tokio::task::spawn_local(async move {
                if kept.freed().await {
                    pool.keep(kept);
                }
            });
        }
    }

    fn keep(&self, mut kept: Box<Kept<B>>) {
        if kept.generation == self.generation() && kept.keep > 0 {
            kept.idle_since = self.0.ticks.now();
            self.0.idle.borrow_mut().push(kept);
        }
    }

    /// Drops what was idle for too long. Called by the sweep.
    pub(crate) fn expire(&self) {
        let now = self.0.ticks.now();
        self.0.idle.borrow_mut().retain(|kept| kept.idle(now) < kept.keep);
    }

    /// Drops everything: the upstream is another one now.
    pub(crate) fn clear(&self) {
        self.0.generation.set(self.generation().wrapping_add(1));
        self.0.idle.borrow_mut().clear();
    }

    /// How many connections are kept.
    pub(crate) fn idle(&self) -> usize {
        self.0.idle.borrow().len()
    }
}
