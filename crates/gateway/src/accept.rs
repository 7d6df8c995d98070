//! Accepts connections, once for all workers, and hands each to the one with the fewest.
//!
//! One listening socket an address: the kernel resets the accept queue of a `SO_REUSEPORT` listener that closes
//! (`tcp_migrate_req` is 0), spreads few long connections unevenly, and hides that somebody else has the port.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{SocketFlags, acceptfrom_with};
use seaworthy::core::event::Event;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::listener::{Kind, Listener};
use super::shared::WorkerShare;
use super::worker::{Command, Worker};

/// How long to wait when the process is out of file descriptors, or has as many connections as it may.
const BREATH: Duration = Duration::from_millis(20);

/// Limits on the number of connections, replaced by a reload.
#[derive(Debug, Clone)]
pub struct AcceptSettings {
    /// More than this wait in the backlog.
    pub total: usize,
    /// More than this of one address are closed at once.
    pub per_address: Option<u32>,
}

/// An accepted connection on its way to a worker.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: Stream,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) counted: Option<Counted>,
}

/// An accepted stream that belongs to no runtime yet.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

/// Open connections of each address. Only used where there is a limit.
#[derive(Debug, Clone, Default)]
struct Addresses(Arc<Mutex<HashMap<IpAddr, u32>>>);

/// One connection of an address, until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    addresses: Addresses,
    address: IpAddr,
}

impl Addresses {
    fn count(&self, address: IpAddr, limit: u32) -> Option<Counted> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Counted { addresses: self.clone(), address })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// What accepting needs, before there is a worker to do it.
#[derive(Debug)]
pub(crate) struct Acceptor {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) settings: AcceptSettings,
    /// One a worker, in their order.
    pub(crate) workers: Vec<mpsc::UnboundedSender<Command>>,
}

/// Accepting, under way.
#[derive(Debug)]
pub(crate) struct Accepting {
    closing: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    settings: Rc<RefCell<AcceptSettings>>,
}

impl Acceptor {
    pub(crate) fn start(self, worker: Rc<Worker>, shares: Arc<[Arc<WorkerShare>]>) -> Accepting {
        let closing = watch::Sender::new(false);
        let settings = Rc::new(RefCell::new(self.settings));
        let desk = Rc::new(Desk {
            worker,
            shares,
            workers: self.workers,
            settings: settings.clone(),
            addresses: Addresses::default(),
        });
        let tasks = self
            .listeners
            .into_iter()
            .map(|listener| tokio::task::spawn_local(desk.clone().accept_from(listener, closing.subscribe())));
        Accepting { tasks: tasks.collect(), closing, settings }
    }
}

impl Accepting {
    pub(crate) fn set(&self, settings: AcceptSettings) {
        *self.settings.borrow_mut() = settings;
    }

    /// Accepts what waits, then closes the listeners.
    pub(crate) async fn close(self) {
        self.closing.send_replace(true);
        for task in self.tasks {
            // A task that panicked has closed its listener too.
            let _ = task.await;
        }
    }
}

struct Desk {
    worker: Rc<Worker>,
    shares: Arc<[Arc<WorkerShare>]>,
    workers: Vec<mpsc::UnboundedSender<Command>>,
    settings: Rc<RefCell<AcceptSettings>>,
    addresses: Addresses,
}

impl Desk {
    async fn accept_from(self: Rc<Self>, listener: Listener, mut closing: watch::Receiver<bool>) {
        let kind = listener.kind;
        // Its successor is unsafe, because a descriptor may lie about which one it is; an `OwnedFd` does not.
        #[expect(deprecated, reason = "unsafe code is forbidden here")]
        let socket = AsyncFd::with_interest(listener.fd, Interest::READABLE);
        let socket = match socket {
            Ok(socket) => socket,
            Err(error) => {
                self.worker.sink.emit(&Event::AcceptFailed { reason: error.to_string() });
                return;
            }
        };
        loop {
            // Biased: when told to close, what waits was accepted by the last round below.
            let ready = tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => None,
                ready = socket.readable() => ready.ok(),
            };
            let last = ready.is_none();
            loop {
                if !last {
                    self.wait_below_limit().await;
                }
                match accept(socket.get_ref(), kind) {
                    Ok((stream, peer)) => self.hand_on(stream, peer),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(error) => {
                        self.worker.sink.emit(&Event::AcceptFailed { reason: error.to_string() });
                        if last {
                            return;
                        }
                        tokio::time::sleep(BREATH * 10).await;
                        break;
                    }
                }
            }
            match ready {
                Some(mut ready) => ready.clear_ready(),
                None => return,
            }
        }
    }

    async fn wait_below_limit(&self) {
        let mut told = false;
        loop {
            let limit = self.settings.borrow().total;
            if self.shares.iter().map(|share| share.load()).sum::<usize>() < limit {
                return;
            }
            if !told {
                told = true;
                self.worker.observer.connection_limit_hit();
                self.worker.sink.emit(&Event::ConnectionLimitHit { limit: u32::try_from(limit).unwrap_or(u32::MAX) });
            }
            tokio::time::sleep(BREATH).await;
        }
    }

    fn hand_on(&self, stream: Stream, peer: Option<SocketAddr>) {
        let limit = self.settings.borrow().per_address;
        let counted = match (limit, peer) {
            (Some(limit), Some(peer)) => {
                let Some(counted) = self.addresses.count(peer.ip(), limit) else {
                    // Closed without an answer: one that is read costs what the limit is there to save.
                    self.worker.observer.connection_limit_hit();
                    return;
                };
                Some(counted)
            }
            _ => None,
        };
        let accepted = Accepted { stream, peer, counted };
        let least = self.shares.iter().enumerate().min_by_key(|(_, share)| share.load()).map_or(0, |(index, _)| index);
        if least == 0 {
            self.worker.serve(accepted);
        } else {
            self.shares[least].handed.fetch_add(1, Ordering::Relaxed);
            // A worker that is gone has begun the drain already; its connection is closed with the command.
            let _ = self.workers[least].send(Command::Serve(accepted));
        }
    }
}

fn accept(listener: &OwnedFd, kind: Kind) -> io::Result<(Stream, Option<SocketAddr>)> {
    let (fd, peer) = acceptfrom_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
    Ok(match kind {
        Kind::Tcp => (Stream::Tcp(fd.into()), peer.and_then(|peer| SocketAddr::try_from(peer).ok())),
        Kind::Unix => (Stream::Unix(fd.into()), None),
    })
}

/// Whether an error of `accept` concerns only the connection that would have been accepted (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown, NetworkUnreachable,
        PermissionDenied,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
            | PermissionDenied
    )
}
