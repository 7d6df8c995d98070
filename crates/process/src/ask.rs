//! A question to the program, over a connection of its own that ends with the answer.

use std::io;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::gateway::{Address, Protocol, Upstream};

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error(transparent)]
    Connect(#[from] io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error(transparent)]
    Request(#[from] http::Error),
}

/// A GET.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) path: &'a str,
    /// The header `Accept`, if there is to be one.
    pub(crate) accept: Option<&'a str>,
}

impl Question<'_> {
    /// Asks an upstream. `read` gets the answer, and the connection lives until it is done with it.
    pub(crate) async fn ask<F, T>(
        self,
        target: &Upstream,
        read: impl FnOnce(Response<Incoming>) -> F,
    ) -> Result<T, AskError>
    where
        F: Future<Output = T>,
    {
        let port = match &target.address {
            Address::Tcp(address) => Some(address.port()),
            Address::Unix(_) => None,
        };
        self.ask_over(target.connect().await?, port, target.protocol == Protocol::H2c, read).await
    }

    /// Asks whoever is at the other end of `stream`, in HTTP/2 or in HTTP/1.
    pub(crate) async fn ask_over<S, F, T>(
        self,
        stream: S,
        port: Option<u16>,
        http2: bool,
        read: impl FnOnce(Response<Incoming>) -> F,
    ) -> Result<T, AskError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        F: Future<Output = T>,
    {
        // The name that frameworks which check it have on their list.
        let authority = port.map_or_else(|| "localhost".to_owned(), |port| format!("localhost:{port}"));
        let path = self.path;
        let mut request =
            Request::get(path).header(header::USER_AGENT, concat!("seaworthy/", env!("CARGO_PKG_VERSION")));
        if let Some(accept) = self.accept {
            request = request.header(header::ACCEPT, accept);
        }
        let io = TokioIo::new(stream);
        if http2 {
            let request = request.uri(format!("http://{authority}{path}")).body(Empty::<Bytes>::new())?;
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            alongside(connection, async { Ok(read(sender.send_request(request).await?).await) }).await
        } else {
            let request = request.header(header::HOST, authority).header(header::CONNECTION, "close");
            let request = request.body(Empty::<Bytes>::new())?;
            let (mut sender, connection) = http1::handshake(io).await?;
            alongside(connection, async { Ok(read(sender.send_request(request).await?).await) }).await
        }
    }
}

/// Drives a connection for as long as the answer to a request takes, and drops it then. No task of its own: what is given up is gone.
async fn alongside<T>(
    connection: impl Future<Output = Result<(), hyper::Error>>,
    answer: impl Future<Output = T>,
) -> T {
    let (mut connection, mut answer) = (std::pin::pin!(connection), std::pin::pin!(answer));
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // It may end with the answer already handed over; and if not, the answer knows why.
        _ = &mut connection => answer.await,
    }
}
