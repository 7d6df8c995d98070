//! What to try, for whoever starts it by hand.

use std::io::{self, Write as _};
use std::net::TcpListener;

use url::Url;

/// Lines of curl that fit this process.
pub(crate) struct Guide {
    public: u16,
    admin: u16,
    provider: String,
}

impl Guide {
    pub(crate) fn new(public: &TcpListener, admin: &TcpListener, provider: &Url) -> io::Result<Self> {
        let (public, admin) = (public.local_addr()?.port(), admin.local_addr()?.port());
        // The origin alone: credentials may stand in front of it.
        Ok(Self { public, admin, provider: provider.origin().ascii_serialization() })
    }

    /// To stderr, since stdout is the log's. Nobody has to read it.
    pub(crate) fn print(&self) {
        let Self { public, admin, provider } = self;
        let _ = writeln!(
            io::stderr(),
            "\
orders on http://127.0.0.1:{public}, probes and metrics on http://127.0.0.1:{admin}. Try:

  curl 127.0.0.1:{public}/orders -d '{{\"item\":\"anchor\",\"quantity\":2}}'    # the worker fulfils it
  curl 127.0.0.1:{public}/orders
  curl 127.0.0.1:{public}/signups -d '{{\"plan_type\":\"pro\"}}'
  curl 127.0.0.1:{public}/payments -d '{{\"amount_cents\":1990}}'
  curl -X PUT {provider}/mode/fail                              # or hang, or ok
  curl -i 127.0.0.1:{public}/payments -d '{{\"amount_cents\":1990}}'        # and the breaker opens
  curl 127.0.0.1:{admin}/health
  curl -s 127.0.0.1:{admin}/metrics | grep -E 'signups|revenue|breaker|queue|pool'
  kill -TERM {pid}                                             # HTTP, worker, queue, database
",
            pid = std::process::id(),
        );
    }
}
