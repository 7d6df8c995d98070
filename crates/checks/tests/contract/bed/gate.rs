//! A relay before a server, which can be shut in all the ways in which a network is.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Open,
    /// Accepts, and never answers.
    BlackHole,
    /// Answers what nobody understands, and nothing more.
    Garbage,
    /// Accepts, and closes.
    Closed,
    /// Holds each answer back for this long.
    Slow(Duration),
}

/// A relay before a server.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) port: u16,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    target: u16,
    mode: Mutex<Mode>,
    open: AtomicUsize,
    accepted: AtomicUsize,
    cut: Notify,
}

impl Gate {
    pub(crate) async fn before(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (open, accepted, cut) = Default::default();
        let state = Arc::new(State { target, mode: Mutex::new(Mode::Open), open, accepted, cut });
        let serving = state.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = serving.clone();
                state.accepted.fetch_add(1, Ordering::SeqCst);
                state.open.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    tokio::select! {
                        () = state.relay(stream) => {}
                        () = state.cut.notified() => {}
                    }
                    state.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, state, task }
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.state.mode.lock().unwrap() = mode;
    }

    /// Closes every connection, as a server does that stops.
    pub(crate) fn cut(&self) {
        self.state.cut.notify_waiters();
    }

    /// Connections that are open now. One to the server is among them until the server has closed it too.
    pub(crate) fn open(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }

    /// Connections that there ever were.
    pub(crate) fn accepted(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    async fn relay(&self, mut client: TcpStream) {
        let mode = *self.mode.lock().unwrap();
        match mode {
            Mode::Closed => {}
            Mode::BlackHole => drain(client).await,
            Mode::Garbage => {
                let _ = client.write_all(b"\x00\xff 1234 what is this?\r\n\r\n").await;
                let _ = client.shutdown().await;
                drain(client).await;
            }
            Mode::Open | Mode::Slow(_) => {
                let Ok(mut server) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], self.target))).await else {
                    return;
                };
                let Mode::Slow(delay) = mode else {
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                    return;
                };
                let (mut from_client, mut to_client) = client.split();
                let (mut from_server, mut to_server) = server.split();
                let up = async { tokio::io::copy(&mut from_client, &mut to_server).await };
                let down = async {
                    let mut buffer = vec![0; 16 * 1024];
                    while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
                        tokio::time::sleep(delay).await;
                        if to_client.write_all(&buffer[..read]).await.is_err() {
                            break;
                        }
                    }
                };
                tokio::select! {
                    _ = up => {}
                    () = down => {}
                }
            }
        }
    }
}

/// Reads until the client leaves.
async fn drain(mut client: TcpStream) {
    let mut buffer = [0; 1024];
    while matches!(client.read(&mut buffer).await, Ok(1..)) {}
}
