//! From a place to a connection.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::probe::Failure;
use crate::surroundings::Surroundings;

/// How long one address may keep the next from being tried.
const NEXT_ADDRESS: Duration = Duration::from_secs(1);

/// A lookup under way.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, String>> + Send + 'a>>;

/// Turns names into addresses. The error is for people.
pub trait Resolve: Send + Sync + fmt::Debug {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a>;
}

/// Where something listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Tcp {
        /// A name or an address, without brackets.
        host: String,
        port: u16,
    },
    Unix(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Text that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not an address: write it as \"host:port\", \"[::1]:port\" or \"unix:/path\"")]
pub struct PlaceError;

impl std::str::FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') { Ok(Self::Unix(path.into())) } else { Err(PlaceError) };
        }
        let (host, port) = text.rsplit_once(':').ok_or(PlaceError)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(PlaceError)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let valid = match bare {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => is_host(host),
        };
        valid.then(|| Self::Tcp { host: bare.unwrap_or(host).to_owned(), port }).ok_or(PlaceError)
    }
}

pub(crate) fn is_host(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text.len() <= 253 && text.chars().all(plain)
}

/// Anything that bytes go over.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A connection, whatever it runs over.
pub(crate) type Stream = Box<dyn Io>;

/// Writes what the socket takes at once, which is nearly always all of it; nobody waits for more.
pub(crate) fn post(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) {
    let mut context = Context::from_waker(Waker::noop());
    let mut stream = Pin::new(stream);
    let _ = stream.as_mut().poll_write(&mut context, bytes);
    let _ = stream.poll_flush(&mut context);
}

impl Place {
    /// Connects: to the first of its addresses that answers.
    pub(crate) async fn dial(&self, surroundings: &Surroundings) -> Result<Stream, Failure> {
        match self {
            Self::Unix(path) => match UnixStream::connect(path).await {
                Ok(stream) => Ok(Box::new(stream)),
                Err(error) => Err(Failure::refused(format!("{self}: {error}"))),
            },
            Self::Tcp { host, port } => {
                let addresses = surroundings.addresses(host).await?;
                let last = addresses.len().saturating_sub(1);
                let mut failure = Failure::refused(format!("{host:?} has no address"));
                for (number, address) in addresses.into_iter().enumerate() {
                    let address = SocketAddr::new(address, *port);
                    let patience = if number == last { None } else { Some(NEXT_ADDRESS) };
                    match connect(address, patience).await {
                        Ok(stream) => return Ok(Box::new(stream)),
                        Err(error) => failure = located(address, error),
                    }
                }
                Err(failure)
            }
        }
    }
}

/// With the address in front, by which people look for the fault.
fn located(address: SocketAddr, error: io::Error) -> Failure {
    let failure = Failure::from(error);
    Failure { message: format!("{address}: {}", failure.message), ..failure }
}

async fn connect(address: SocketAddr, patience: Option<Duration>) -> io::Result<TcpStream> {
    let connecting = TcpStream::connect(address);
    let stream = match patience {
        None => connecting.await?,
        Some(patience) => tokio::time::timeout(patience, connecting).await.map_err(|_| io::ErrorKind::TimedOut)??,
    };
    // Without it a question in two writes may wait for an acknowledgement; it is answered all the same.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_shown_alike() {
        for text in ["db.internal:5432", "127.0.0.1:1", "[::1]:6379", "unix:/run/x.sock"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        for wrong in ["", "host", "host:0", "host:65536", "a b:1", "[::1:80", "[x]:80", "unix:relative", ":80", "u@h:1"]
        {
            assert_eq!(wrong.parse::<Place>(), Err(PlaceError), "{wrong}");
        }
    }
}
