//! The shortest service that is ready for production, without a framework: `cargo run -p hello-hyper`.
//!
//! It listens on `PORT` (8080), and answers probes and metrics on `ADMIN_PORT` (9090). hyper serves it; what it is given is a
//! function from a request to an answer.

use std::convert::Infallible;
use std::net::Ipv4Addr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use seaworthy::{Lifecycle, Production, RequestBody, Security, log::Logger, metrics::Metrics, server::port};
use tokio::net::TcpListener;
use tower::service_fn;

async fn hello(_: Request<RequestBody>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("Hello, world!\n")))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let life = Lifecycle::from_signals();
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port("PORT", 8080)?)).await?;
    Production::builder("hello-hyper", env!("CARGO_PKG_VERSION"))
        .log(Logger::builder("hello-hyper").version(env!("CARGO_PKG_VERSION")).start()?)
        .metrics(Metrics::new("hello-hyper"))
        .security(Security::api())
        .admin((Ipv4Addr::UNSPECIFIED, port("ADMIN_PORT", 9090)?).into())
        .build()?
        .serve(service_fn(hello), listener, life)
        .await?;
    Ok(())
}
