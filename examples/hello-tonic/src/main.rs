//! The shortest gRPC service that is ready for production, with tonic: `cargo run -p hello-tonic`.
//!
//! It listens on `PORT` (8080), and answers probes and metrics over HTTP on `ADMIN_PORT` (9090). The one service that it has is the
//! health check of gRPC, which says that it is leaving as soon as the drain begins, and then ends the streams of those who watch it: a stream
//! without an end would be cut.

use std::net::Ipv4Addr;

use seaworthy::{Lifecycle, Production, core::lifecycle::State, log::Logger, metrics::Metrics, server::port};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic_health::{ServingStatus, server::health_reporter};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let life = Lifecycle::from_signals();
    let (mut reporter, health) = health_reporter();
    let closing = life.clone();
    life.spawn("gRPC health", |work| async move {
        work.draining().await;
        reporter.set_service_status("", ServingStatus::NotServing).await;
        closing.reached(|state| *state >= State::Stopping).await;
        reporter.clear_service_status("").await;
    });
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port("PORT", 8080)?)).await?;
    Production::builder("hello-tonic", env!("CARGO_PKG_VERSION"))
        .log(Logger::builder("hello-tonic").version(env!("CARGO_PKG_VERSION")).start()?)
        .metrics(Metrics::new("hello-tonic"))
        .admin((Ipv4Addr::UNSPECIFIED, port("ADMIN_PORT", 9090)?).into())
        .build()?
        .serve(Routes::new(health), listener, life)
        .await?;
    Ok(())
}
