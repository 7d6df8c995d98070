//! A payment provider of our own, which is slow, fails and hangs when it is told to: `PUT /mode/slow`, `/mode/fail`, `/mode/hang`, `/mode/ok`.

use std::future::pending;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post, put};
use http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;
use url::Url;

use super::IDEMPOTENCY_KEY;
use crate::clock;

/// How it behaves.
#[derive(Clone, Copy)]
enum Mode {
    Ok,
    Slow,
    Fail,
    Hang,
}

const MODES: [(&str, Mode); 4] = [("ok", Mode::Ok), ("slow", Mode::Slow), ("fail", Mode::Fail), ("hang", Mode::Hang)];

/// Not so slow that it is given up.
const SLOWLY: Duration = Duration::from_millis(500);

/// How it behaves now. Clones share it.
#[derive(Clone)]
struct Switch(watch::Sender<Mode>);

impl Switch {
    /// Answers with `good`, or behaves badly.
    async fn behave(&self, good: String) -> (StatusCode, String) {
        let mode = *self.0.borrow();
        match mode {
            Mode::Ok => {}
            Mode::Slow => sleep(SLOWLY).await,
            Mode::Fail => return (StatusCode::SERVICE_UNAVAILABLE, "{\"error\":\"out of order\"}\n".to_owned()),
            Mode::Hang => pending().await,
        }
        (StatusCode::OK, good)
    }
}

/// Serves on a port of its own, on loopback, until the process ends.
pub(crate) async fn start() -> io::Result<Url> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/v1/charges", post(charge))
        .route("/health", get(async |State(switch): State<Switch>| switch.behave("{}\n".to_owned()).await))
        .route("/mode/{mode}", put(set))
        .with_state(Switch(watch::Sender::new(Mode::Ok)));
    // It has no end of its own: payments under way during a shutdown still need it.
    tokio::spawn(async move { axum::serve(listener, router).await });
    Url::parse(&format!("http://{address}/")).map_err(io::Error::other)
}

/// The same key is the same charge.
async fn charge(State(switch): State<Switch>, headers: HeaderMap) -> (StatusCode, String) {
    let key = headers.get(IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok());
    let key = key.map_or_else(|| clock::new_id("unnamed"), str::to_owned);
    let charged = serde_json::json!({ "id": format!("charge_{key}") });
    switch.behave(format!("{charged}\n")).await
}

async fn set(State(switch): State<Switch>, Path(wanted): Path<String>) -> (StatusCode, String) {
    match MODES.into_iter().find(|(name, _)| *name == wanted) {
        Some((name, mode)) => {
            switch.0.send_replace(mode);
            (StatusCode::OK, format!("payments: {name}\n"))
        }
        None => (
            StatusCode::NOT_FOUND,
            format!("no mode is called {wanted:?}: use {}\n", MODES.map(|(name, _)| name).join(", ")),
        ),
    }
}
