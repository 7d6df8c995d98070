//! Asks the program something over a connection of its own.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::config::Protocol;

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    #[error(transparent)]
    Connect(#[from] io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error(transparent)]
    Request(#[from] http::Error),
}

/// Connects to `port` on this machine, by IPv4 or IPv6.
pub(super) async fn connect(port: u16) -> io::Result<(SocketAddr, TcpStream)> {
    let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let refused = match connect_to(v4).await {
        Ok(stream) => return Ok((v4, stream)),
        Err(error) => error,
    };
    // Without IPv6 on the machine the first error says more.
    connect_to(v6).await.map(|stream| (v6, stream)).map_err(|_| refused)
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Nobody listens, but the kernel gave our end the very port that we connect to, and it answers itself.
    if stream.local_addr()? == address {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

/// The status with which a GET of `path` is answered. The body is not read.
pub(super) async fn get(
    address: SocketAddr,
    stream: TcpStream,
    path: &str,
    protocol: Protocol,
) -> Result<StatusCode, ProbeError> {
    // The name that frameworks which check it have on their list.
    let authority = format!("localhost:{}", address.port());
    let agent = concat!("seaworthy/", env!("CARGO_PKG_VERSION"));
    let request = Request::get(path).header(header::USER_AGENT, agent);
    let io = TokioIo::new(stream);
    let answer = if protocol == Protocol::H2c {
        let request = request.uri(format!("http://{authority}{path}")).body(Empty::<Bytes>::new())?;
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
        alongside(connection, sender.send_request(request)).await?
    } else {
        let request = request.header(header::HOST, authority).header(header::CONNECTION, "close");
        let request = request.body(Empty::<Bytes>::new())?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        alongside(connection, sender.send_request(request)).await?
    };
    Ok(answer.status())
}

/// Drives a connection for as long as the answer to a request takes, and drops it then.
async fn alongside<T>(
    connection: impl Future<Output = Result<(), hyper::Error>>,
    answer: impl Future<Output = Result<T, hyper::Error>>,
) -> Result<T, hyper::Error> {
    let (mut connection, mut answer) = (std::pin::pin!(connection), std::pin::pin!(answer));
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // It may end with the answer already handed over; and if not, the answer knows why.
        _ = &mut connection => answer.await,
    }
}
