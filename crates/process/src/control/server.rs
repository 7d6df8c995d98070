//! Serves the control socket: who may ask, what they ask, and what they are told.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use seaworthy::core::event::{Event, Sink};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use super::peer::Peer;
use super::protocol::{Command, Reply};
use super::socket::{ControlSocket, File};
use super::{ControlRequest, http};

/// People and scripts: few at once.
const CONNECTIONS: usize = 16;

/// A longer line is none of ours.
const LONGEST_LINE: u64 = 64 * 1024;

/// Between connecting or an answer, and the end of the next line.
const SILENCE: Duration = Duration::from_secs(10);

/// For the client to take its answer.
const SEND: Duration = Duration::from_secs(10);

/// When the process is out of file descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// For answers under way when the socket closes.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// The control socket, as it is being served.
#[derive(Debug)]
pub(crate) struct Control {
    file: File,
    closing: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Control {
    /// Serves `socket` on the runtime of the caller, and hands what is asked to `requests`.
    pub(crate) fn serve(
        socket: ControlSocket,
        requests: mpsc::Sender<ControlRequest>,
        sink: Arc<dyn Sink>,
    ) -> io::Result<Self> {
        Self::serve_as(socket, requests, sink, rustix::process::geteuid().as_raw(), Peer::may)
    }

    /// As [`Control::serve`], where `may` decides whether a peer may command a process of user `ours`.
    pub(super) fn serve_as(
        socket: ControlSocket,
        requests: mpsc::Sender<ControlRequest>,
        sink: Arc<dyn Sink>,
        ours: u32,
        may: fn(Peer, u32) -> bool,
    ) -> io::Result<Self> {
        let ControlSocket { listener, file } = socket;
        let listener = UnixListener::from_std(listener)?;
        let (closing, closed) = oneshot::channel();
        let desk = Desk { requests, sink, ours, may };
        let task = tokio::spawn(desk.run(listener, closed));
        Ok(Self { file, closing, task })
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Takes the socket away, and waits for the answers under way, for a second at most.
    pub(crate) async fn close(self) {
        // First the file, so that nobody connects to what is not served any more.
        drop(self.file);
        let _ = self.closing.send(());
        let _ = self.task.await;
    }
}

#[derive(Clone)]
struct Desk {
    requests: mpsc::Sender<ControlRequest>,
    sink: Arc<dyn Sink>,
    ours: u32,
    may: fn(Peer, u32) -> bool,
}

impl Desk {
    async fn run(self, listener: UnixListener, mut closed: oneshot::Receiver<()>) {
        let mut connections = JoinSet::new();
        let mut failing = false;
        let seats = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accept = async {
                // The semaphore is never closed; more than its number wait in the backlog.
                let seat = seats.clone().acquire_owned().await;
                (listener.accept().await, seat)
            };
            let (accepted, seat) = tokio::select! {
                biased;
                _ = &mut closed => break,
                accepted = accept => accepted,
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                Ok((stream, _)) => {
                    failing = false;
                    let desk = self.clone();
                    connections.spawn(async move {
                        desk.serve(stream).await;
                        drop(seat);
                    });
                }
                Err(error) => {
                    // Once, and not ten times a second for as long as it lasts.
                    if !std::mem::replace(&mut failing, true) {
                        self.sink.emit(&Event::AcceptFailed { reason: format!("on the control socket: {error}") });
                    }
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
        drop(listener);
        let _ = tokio::time::timeout(LAST_ANSWERS, async { while connections.join_next().await.is_some() {} }).await;
    }

    async fn serve(&self, stream: UnixStream) {
        let Ok(credentials) = stream.peer_cred() else { return };
        let peer = Peer { uid: credentials.uid(), pid: credentials.pid() };
        let (read, mut write) = stream.into_split();
        if !(self.may)(peer, self.ours) {
            self.sink.emit(&Event::ControlRefused { by: peer.to_string() });
            send(&mut write, &Reply::refused(format!("{peer} is neither root nor uid {}", self.ours))).await;
            return;
        }
        let mut lines = BufReader::new(read);
        loop {
            let mut line = Vec::new();
            let mut bounded = (&mut lines).take(LONGEST_LINE);
            match tokio::time::timeout(SILENCE, bounded.read_until(b'\n', &mut line)).await {
                Ok(Ok(1..)) => {}
                // It left, or says nothing: no answer is due.
                Ok(Ok(0) | Err(_)) | Err(_) => return,
            }
            let ended = line.ends_with(b"\n");
            if line.len() as u64 >= LONGEST_LINE && !ended {
                send(&mut write, &Reply::refused(format!("the line is longer than {LONGEST_LINE} bytes"))).await;
                return;
            }
            let line = line.trim_ascii();
            if let Some(target) = http::posted(line) {
                let reply = match http::command(target) {
                    Some(command) => self.carry_out(command, peer).await,
                    None => Reply::refused("known here: POST /breakers/NAME/reset"),
                };
                // What of the head is still to come is read, or closing would take the answer back.
                let head = async { http::rest_of_head(&mut (&mut lines).take(LONGEST_LINE)).await };
                let _ = tokio::time::timeout(SILENCE, head).await;
                let _ = tokio::time::timeout(SEND, write.write_all(&http::answer(&reply))).await;
                return;
            }
            if !line.is_empty() {
                let reply = self.answer(line, peer).await;
                if !send(&mut write, &reply).await {
                    return;
                }
            }
            if !ended {
                return;
            }
        }
    }

    async fn answer(&self, line: &[u8], peer: Peer) -> Reply {
        let command: Command = match serde_json::from_slice(line) {
            Ok(command) => command,
            Err(error) => return Reply::refused(format!("not understood: {error}")),
        };
        self.carry_out(command, peer).await
    }

    async fn carry_out(&self, command: Command, peer: Peer) -> Reply {
        let (reply, answer) = oneshot::channel();
        let request = ControlRequest { command, by: peer.to_string(), reply };
        let gone = || Reply::refused("the process is about to end and takes no commands any more");
        if self.requests.send(request).await.is_err() {
            return gone();
        }
        answer.await.unwrap_or_else(|_| gone())
    }
}

/// Whether the client took it.
async fn send(write: &mut (impl tokio::io::AsyncWrite + Unpin), reply: &Reply) -> bool {
    let Ok(mut line) = serde_json::to_vec(reply) else { return false };
    line.push(b'\n');
    matches!(tokio::time::timeout(SEND, write.write_all(&line)).await, Ok(Ok(())))
}
