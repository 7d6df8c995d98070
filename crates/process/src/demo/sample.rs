//! The sample service: an ordinary program that knows nothing of what stands in front of it.
//!
//! It listens on `PORT`, and at SIGTERM stops accepting, ends what it has begun, and exits with 0.

mod routes;
mod websocket;

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinSet, LocalSet};

use self::routes::{Body, Sample};

/// Serves on `port` of loopback until SIGTERM.
pub(crate) fn serve(port: u16) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async move {
        let mut terminate = signal(SignalKind::terminate())?;
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        println!("sample service listening on {}", listener.local_addr()?);
        let sample = Rc::new(Sample::default());
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    // The next accept says it again if it is for good.
                    let Ok((stream, _)) = accepted else { continue };
                    connections.spawn_local(connection(stream, sample.clone()));
                    while connections.try_join_next().is_some() {}
                }
                _ = terminate.recv() => break,
            }
        }
        drop(listener);
        println!("sample service: SIGTERM, ending {} connections", connections.len());
        sample.leave();
        while connections.join_next().await.is_some() {}
        println!("sample service: bye");
        Ok(())
    })
}

async fn connection(stream: TcpStream, sample: Rc<Sample>) {
    let service = service_fn({
        let sample = sample.clone();
        move |request: Request<Incoming>| {
            let sample = sample.clone();
            async move { Ok::<Response<Body>, Infallible>(routes::answer(&sample, request).await) }
        }
    });
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut serving = std::pin::pin!(serving);
    // A client that breaks off is no matter of the sample's.
    tokio::select! {
        _ = serving.as_mut() => return,
        () = sample.leaving() => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}
