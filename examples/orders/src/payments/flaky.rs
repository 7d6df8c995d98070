//! A payment provider of our own, which fails and hangs when it is told to: `PUT /mode/fail`, `/mode/hang`, `/mode/ok`.

use std::future::pending;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post, put};
use http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;
use url::Url;

use super::IDEMPOTENCY_KEY;
use crate::clock;

const OK: u8 = 0;
const FAIL: u8 = 1;
const HANG: u8 = 2;
const MODES: [&str; 3] = ["ok", "fail", "hang"];

/// How it behaves now. Clones share it.
#[derive(Clone, Default)]
struct Mode(Arc<AtomicU8>);

impl Mode {
    /// Answers with `good`, or behaves badly.
    async fn behave(&self, good: String) -> (StatusCode, String) {
        match self.0.load(Ordering::Relaxed) {
            OK => (StatusCode::OK, good),
            HANG => pending().await,
            FAIL.. => (StatusCode::SERVICE_UNAVAILABLE, "{\"error\":\"out of order\"}\n".to_owned()),
        }
    }
}

/// Serves on a port of its own, on loopback, until the process ends.
pub(crate) async fn start() -> io::Result<Url> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/v1/charges", post(charge))
        .route("/health", get(async |State(mode): State<Mode>| mode.behave("{}\n".to_owned()).await))
        .route("/mode/{mode}", put(switch))
        .with_state(Mode::default());
    // It has no end of its own: payments under way during a shutdown still need it.
    tokio::spawn(async move { axum::serve(listener, router).await });
    Url::parse(&format!("http://{address}/")).map_err(io::Error::other)
}

/// The same key is the same charge.
async fn charge(State(mode): State<Mode>, headers: HeaderMap) -> (StatusCode, String) {
    let key = headers.get(IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok());
    let key = key.map_or_else(|| clock::new_id("unnamed"), str::to_owned);
    let charged = serde_json::json!({ "id": format!("charge_{key}") });
    mode.behave(format!("{charged}\n")).await
}

async fn switch(State(mode): State<Mode>, Path(name): Path<String>) -> (StatusCode, String) {
    match (OK..).zip(MODES).find(|(_, known)| *known == name) {
        Some((number, name)) => {
            mode.0.store(number, Ordering::Relaxed);
            (StatusCode::OK, format!("payments {name} now\n"))
        }
        None => (StatusCode::NOT_FOUND, format!("no mode is called {name:?}: use {}\n", MODES.join(", "))),
    }
}
