//! The control socket: everything that changes a running Seaworthy.
//!
//! # Rules
//!
//! - A unix socket, open to root and to our own user only. Both the permissions of the file and the credentials of the
//!   peer say so: a directory may be mounted where its permissions mean something else.
//! - One JSON object a line, one answer a line. A request that cannot be understood is answered too.
//! - What is asked is carried out by whoever owns the state: requests come out of a channel, each with the place for its
//!   answer.
//!
//! # By hand
//!
//! ```text
//! $ echo '{"do":"loglevel","level":"debug","for":"10m"}' | socat - UNIX-CONNECT:/var/lib/seaworthy/control.sock
//! {"reply":"done","message":"log level is debug for 10m"}
//! $ curl -X POST --unix-socket /var/lib/seaworthy/control.sock http://localhost/breakers/stripe/reset
//! {"reply":"done","message":"stripe is closed"}
//! ```

mod client;
mod http;
mod peer;
mod protocol;
mod server;
mod socket;
mod status;
#[cfg(test)]
mod tests;

use tokio::sync::oneshot;

pub(crate) use self::client::ask;
pub(crate) use self::protocol::{Changed, Command, Reply, Sign};
pub(crate) use self::server::Control;
pub(crate) use self::socket::{ControlSocket, OpenError};
pub(crate) use self::status::{AppStatus, CheckStatus, LogLevelStatus, ReloadStatus, Status};

/// Something that somebody asks of a running Seaworthy.
#[derive(Debug)]
pub(crate) struct ControlRequest {
    pub(crate) command: Command,
    /// Who asks, for log and audit: `uid 0 pid 123`.
    pub(crate) by: String,
    /// Where the answer goes. One that is dropped is told to the client as a failure.
    pub(crate) reply: oneshot::Sender<Reply>,
}
