//! Serves the ops listener: many clients, none of which can keep another from its answer.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use seaworthy::core::event::{Event, Sink};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use super::endpoints::Endpoints;
use super::stream::{Patience, Patient};
use crate::gateway::{Bound, Listener, Socket};

const PATIENCE: Patience = Patience {
    head: Duration::from_secs(10),
    // Longer than the intervals at which probes and scrapes usually come.
    idle: Duration::from_secs(75),
    send: Duration::from_secs(10),
};

/// One more connection closes the one that has been silent for the longest: a probe must always get through.
const CONNECTIONS: usize = 256;

/// For answers under way when the listener closes.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// When the process is out of file descriptors.
const BREATH: Duration = Duration::from_millis(100);

const HEAD_SIZE: usize = 16 * 1024;

/// The ops listener, as it is being served.
#[derive(Debug)]
pub(crate) struct Ops {
    bound: Bound,
    endpoints: Arc<Endpoints>,
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Ops {
    /// Serves `endpoints` on the runtime of the caller, until [`Ops::close`].
    pub(crate) fn serve(listener: Listener, endpoints: Arc<Endpoints>, sink: Arc<dyn Sink>) -> io::Result<Self> {
        let bound = listener.bound.clone();
        let acceptor = Acceptor::of(listener)?;
        let closing = watch::Sender::new(false);
        let desk = Desk { endpoints: endpoints.clone(), sink, started: Instant::now(), closing: closing.subscribe() };
        let task = tokio::spawn(desk.run(acceptor));
        Ok(Self { bound, endpoints, closing, task })
    }

    /// What is listened on.
    pub(crate) fn bound(&self) -> &Bound {
        &self.bound
    }

    /// What is answered; a reload changes it here.
    pub(crate) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Accepts nothing more, and waits for the answers under way, for a second at most.
    ///
    /// Idle connections are closed at once: whoever is about to ask again sees the end of the process either way.
    pub(crate) async fn close(self) {
        self.closing.send_replace(true);
        // A task that panicked has closed its listener too.
        let _ = self.task.await;
    }
}

/// A listener on the runtime of whoever made it.
#[derive(Debug)]
pub(crate) enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Acceptor {
    pub(crate) fn of(listener: Listener) -> io::Result<Self> {
        match listener.bound {
            Bound::Tcp(_) => TcpListener::from_std(listener.fd.into()).map(Self::Tcp),
            Bound::Unix(_) => UnixListener::from_std(listener.fd.into()).map(Self::Unix),
        }
    }

    /// A connection, and who is at its other end.
    pub(crate) async fn accept(&self) -> io::Result<(Socket, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Without it the end of an answer may wait for an acknowledgement; the answer is right all the same.
                let _ = stream.set_nodelay(true);
                Ok((Socket::Tcp(stream), Some(peer.ip())))
            }
            Self::Unix(listener) => Ok((Socket::Unix(listener.accept().await?.0), None)),
        }
    }
}

struct Desk {
    endpoints: Arc<Endpoints>,
    sink: Arc<dyn Sink>,
    started: Instant,
    closing: watch::Receiver<bool>,
}

/// A connection that is open.
struct Seat {
    task: AbortHandle,
    /// When it last asked for something, in milliseconds since the start.
    asked: Arc<AtomicU64>,
}

impl Desk {
    async fn run(mut self, acceptor: Acceptor) {
        let mut connections = JoinSet::new();
        let mut seats: Vec<Seat> = Vec::new();
        let mut failing = false;
        loop {
            let accepted = tokio::select! {
                biased;
                _ = self.closing.wait_for(|closing| *closing) => break,
                accepted = acceptor.accept() => accepted,
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                Ok((socket, peer)) => {
                    failing = false;
                    make_room(&mut seats);
                    let asked = Arc::new(AtomicU64::new(self.elapsed()));
                    let task = connections.spawn(self.connection(socket, peer, asked.clone()));
                    seats.push(Seat { task, asked });
                }
                Err(error) => {
                    // Once, and not ten times a second for as long as it lasts.
                    if !std::mem::replace(&mut failing, true) {
                        self.sink.emit(&Event::AcceptFailed { reason: format!("on the ops listener: {error}") });
                    }
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
        drop(acceptor);
        // What is left after its time is dropped with the set.
        let _ = tokio::time::timeout(LAST_ANSWERS, async { while connections.join_next().await.is_some() {} }).await;
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn connection(
        &self,
        socket: Socket,
        peer: Option<IpAddr>,
        asked: Arc<AtomicU64>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (endpoints, sink, started) = (self.endpoints.clone(), self.sink.clone(), self.started);
        let mut closing = self.closing.clone();
        async move {
            let service = service_fn(|request| {
                asked.store(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
                let endpoints = endpoints.clone();
                async move {
                    endpoints.prepare(request.uri().path()).await;
                    Ok::<_, Infallible>(endpoints.serve(&request, peer))
                }
            });
            let mut http = http1::Builder::new();
            http.header_read_timeout(None).max_buf_size(HEAD_SIZE).max_headers(64);
            let stream = TokioIo::new(Patient::new(socket, PATIENCE));
            let mut connection = std::pin::pin!(http.serve_connection(stream, service));
            let ended = tokio::select! {
                result = connection.as_mut() => Some(result),
                // What it gives is a lock that must not be held any longer.
                () = async { drop(closing.wait_for(|closing| *closing).await) } => None,
            };
            let result = if let Some(result) = ended {
                result
            } else {
                connection.as_mut().graceful_shutdown();
                connection.await
            };
            if let Err(error) = result
                && error.is_parse()
            {
                let client = peer.map_or_else(|| "a unix socket".to_owned(), |peer| peer.to_canonical().to_string());
                let (problem, status) = if error.is_parse_too_large() {
                    ("the request head is too large", 431)
                } else {
                    ("the request is malformed", 400)
                };
                let problem = format!("on the ops listener: {problem}");
                sink.emit(&Event::ClientError { client, problem, status });
            }
        }
    }
}

/// Makes sure that one more connection fits.
fn make_room(seats: &mut Vec<Seat>) {
    if seats.len() < CONNECTIONS {
        return;
    }
    seats.retain(|seat| !seat.task.is_finished());
    while seats.len() >= CONNECTIONS {
        let asked = |seat: &Seat| seat.asked.load(Ordering::Relaxed);
        let Some((longest, _)) = seats.iter().enumerate().min_by_key(|(_, seat)| asked(seat)) else { return };
        seats.remove(longest).task.abort();
    }
}
