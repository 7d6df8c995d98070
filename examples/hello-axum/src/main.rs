//! The shortest service that is ready for production, with axum: `cargo run -p hello-axum`.
//!
//! It listens on `PORT` (8080), and answers probes and metrics on `ADMIN_PORT` (9090).

use std::net::Ipv4Addr;

use axum::{Router, routing::get};
use seaworthy::{Lifecycle, Production, Security, log::Logger, metrics::Metrics, server::port};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let life = Lifecycle::from_signals();
    let app = Router::new().route("/", get(|| async { "Hello, world!\n" }));
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port("PORT", 8080)?)).await?;
    Production::builder("hello-axum", env!("CARGO_PKG_VERSION"))
        .log(Logger::builder("hello-axum").version(env!("CARGO_PKG_VERSION")).start()?)
        .metrics(Metrics::new("hello-axum"))
        .security(Security::api())
        .admin((Ipv4Addr::UNSPECIFIED, port("ADMIN_PORT", 9090)?).into())
        .build()?
        .serve(app, listener, life)
        .await?;
    Ok(())
}
