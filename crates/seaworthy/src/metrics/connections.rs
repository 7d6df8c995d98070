//! What is counted of connections, as families: the same ones in the gateway and in a service.

use std::fmt;
use std::sync::{Arc, Mutex};

use seaworthy_core::metric::Exposition;
use seaworthy_core::metric::Kind::{Counter, Gauge};
use seaworthy_core::metric::OTHER;

use super::{Metrics, lock};

/// What a client that broke HTTP was answered, and how that is called; the last stands for all others.
pub const CLIENT_ERRORS: [(u16, &str); 6] =
    [(0, "none"), (400, "400"), (408, "408"), (414, "414"), (431, "431"), (u16::MAX, OTHER)];

/// The place of a status in [`CLIENT_ERRORS`].
#[must_use]
pub fn client_error(status: u16) -> usize {
    CLIENT_ERRORS.iter().position(|(known, _)| *known == status).unwrap_or(CLIENT_ERRORS.len() - 1)
}

type Read = Arc<dyn Fn() -> Connections + Send + Sync>;

/// The servers whose connections are shown.
#[derive(Default)]
pub(super) struct Servers(Mutex<Vec<Read>>);

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Servers").field(&lock(&self.0).len()).finish()
    }
}

impl Servers {
    /// Nothing where there is none: a gateway has its own.
    pub(super) fn write(&self, page: &mut Exposition) {
        let servers = lock(&self.0).clone();
        if let Some(all) = servers.iter().map(|read| read()).reduce(|sum, server| sum.plus(&server)) {
            all.write(page);
        }
    }
}

impl Metrics {
    /// Shows the connections that `read` tells of.
    pub(crate) fn watch_connections(&self, read: impl Fn() -> Connections + Send + Sync + 'static) {
        lock(&self.0.servers.0).push(Arc::new(read));
    }
}

/// The connections of clients, those that are open and what became of the others.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Open ones that speak HTTP/1, or have not said what they speak.
    pub http1: u64,
    /// Open ones that speak HTTP/2.
    pub http2: u64,
    /// Open WebSockets, which are connections of HTTP/1 too.
    pub websockets: u64,
    /// WebSockets that their ends closed.
    pub websockets_closed: u64,
    /// WebSockets that we cut.
    pub websockets_cut: u64,
    /// Times a limit was reached.
    pub limit_hits: u64,
    /// What is no HTTP, or was left unfinished; in the order of [`CLIENT_ERRORS`].
    pub client_errors: [u64; CLIENT_ERRORS.len()],
}

impl Connections {
    /// Those of two servers.
    #[must_use]
    fn plus(mut self, other: &Self) -> Self {
        self.http1 += other.http1;
        self.http2 += other.http2;
        self.websockets += other.websockets;
        self.websockets_closed += other.websockets_closed;
        self.websockets_cut += other.websockets_cut;
        self.limit_hits += other.limit_hits;
        for (sum, more) in self.client_errors.iter_mut().zip(other.client_errors) {
            *sum += more;
        }
        self
    }

    /// Writes their families.
    pub fn write(&self, page: &mut Exposition) {
        page.family("http_active_connections", Gauge, "Open connections of clients.")
            .sample(&[("protocol", "http1")], self.http1)
            .sample(&[("protocol", "http2")], self.http2);
        page.family("active_connections", Gauge, "Open WebSockets.").sample(&[], self.websockets);
        page.family("connection_limit_hits_total", Counter, "Times a limit on connections was reached.")
            .sample(&[], self.limit_hits);
        let help = "Clients that broke HTTP, by the status that they were answered.";
        let mut family = page.family("seaworthy_client_errors_total", Counter, help);
        for ((_, status), count) in CLIENT_ERRORS.iter().zip(self.client_errors) {
            family.sample(&[("status", status)], count);
        }
        page.family("seaworthy_websockets_total", Counter, "WebSockets that ended, by who ended them.")
            .sample(&[("ending", "closed")], self.websockets_closed)
            .sample(&[("ending", "cut")], self.websockets_cut);
    }
}
