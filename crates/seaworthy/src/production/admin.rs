//! Probes and metrics on a listener and a thread of their own, which requests cannot starve.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use seaworthy_core::event::Sink;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::probes::Endpoints;
use crate::server::{ConnectionLimits, Counts, Listener, ListenerError, Server, Setup};

/// One more connection closes the one that has been idle for the longest: a probe must always get through.
const CONNECTIONS: usize = 256;

/// For answers under way when the listener closes.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Where probes and metrics are answered.
#[derive(Debug)]
pub(super) enum Place {
    At(SocketAddr),
    On(TcpListener),
}

impl Place {
    pub(super) fn bind(self) -> Result<TcpListener, ListenerError> {
        match self {
            Self::On(listener) => Ok(listener),
            Self::At(address) => {
                TcpListener::bind(address).map_err(|source| ListenerError { address: address.to_string(), source })
            }
        }
    }
}

/// The thread.
#[derive(Debug)]
pub(super) struct Admin {
    close: Option<oneshot::Sender<()>>,
    closed: oneshot::Receiver<()>,
}

impl Admin {
    pub(super) fn start(listener: TcpListener, endpoints: Endpoints, sink: Arc<dyn Sink>) -> io::Result<Self> {
        let (close, closing) = oneshot::channel();
        let (gone, closed) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _entered = runtime.enter();
            Listener::try_from(listener)?
        };
        thread::Builder::new().name("seaworthy-admin".to_owned()).spawn(move || {
            runtime.block_on(run(listener, endpoints, sink, closing));
            // Whoever waited may have been given up on.
            let _ = gone.send(());
        })?;
        Ok(Self { close: Some(close), closed })
    }

    /// Accepts nothing more, and waits for the answers under way, for a second at most.
    pub(super) async fn close(mut self) {
        drop(self.close.take());
        let _ = timeout(2 * LAST_ANSWERS, &mut self.closed).await;
    }
}

async fn run(listener: Listener, endpoints: Endpoints, sink: Arc<dyn Sink>, closing: oneshot::Receiver<()>) {
    let limits = ConnectionLimits { connections: CONNECTIONS, head_size: 16 * 1024, ..ConnectionLimits::default() };
    let mut server =
        Server::start(Setup { listener, limits, service: endpoints, sink, counts: Counts::default(), evict: true });
    // Dropped where the service has ended, and where its future was given up.
    let _ = closing.await;
    server.close_listener().await;
    server.finish(Duration::ZERO);
    let _ = timeout(LAST_ANSWERS, server.empty()).await;
}
