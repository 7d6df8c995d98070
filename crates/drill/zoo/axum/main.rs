//! axum. Without DEFECT it keeps every promise; with one it breaks what the name says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// The listener stays open for so long after the signal.
const PAUSE: Duration = Duration::from_millis(2500);
/// And what is still open so long after it was closed is cut.
const DEADLINE: Duration = Duration::from_secs(2);

const HEADERS: [(&str, &str); 5] = [
    ("content-type", "application/json"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
];

struct Member {
    defect: String,
    draining: AtomicBool,
}

impl Member {
    fn has(&self, defect: &str) -> bool {
        self.defect == defect
    }

    fn draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

type Shared = State<Arc<Member>>;

async fn common(State(member): Shared, request: Request, next: Next) -> Response {
    let name = HeaderName::from_static("x-request-id");
    let well_formed = |id: &HeaderValue| {
        (1..=128).contains(&id.len())
            && id.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
    };
    let given = request.headers().get(&name).filter(|id| well_formed(id)).cloned();
    let http1 = request.version() < Version::HTTP_2;
    let made = || HeaderValue::try_from(format!("{:032x}", fastrand::u128(..))).expect("hexadecimal digits");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(name, given.unwrap_or_else(made));
    if member.draining() && http1 {
        headers.insert("connection", HeaderValue::from_static("close"));
    }
    response
}

async fn ready(State(member): Shared) -> (StatusCode, &'static str) {
    if member.draining() && !member.has("ready-always") {
        return (StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"draining"}"#);
    }
    (StatusCode::OK, r#"{"status":"ready"}"#)
}

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_millis(1200)).await;
    r#"{"slow":true}"#
}

async fn error(State(member): Shared) -> (StatusCode, String) {
    let cause =
        "thread 'main' panicked at src/main.rs:80:5:\ncalled `Result::unwrap()` on an `Err` value: PoolTimedOut";
    let shown = if member.has("error-shown") { cause } else { r#"{"error":"internal error"}"# };
    (StatusCode::INTERNAL_SERVER_ERROR, shown.to_owned())
}

async fn stopped(member: Arc<Member>, closing: Arc<Notify>) {
    let (mut term, mut int) =
        (signal(SignalKind::terminate()).expect("a handler"), signal(SignalKind::interrupt()).expect("a handler"));
    let mut signalled = async || {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
    };
    signalled().await;
    member.draining.store(true, Ordering::Release);
    if !member.has("closes-listener-at-once") {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = signalled() => std::process::exit(1),
        }
    }
    closing.notify_one();
    // What comes after the listener was closed is waited for elsewhere; a second signal still forces.
    tokio::spawn(async move {
        let mut term = signal(SignalKind::terminate()).expect("a handler");
        term.recv().await;
        std::process::exit(1);
    });
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let defect = std::env::var("DEFECT").unwrap_or_default();
    let member = Arc::new(Member { defect, draining: AtomicBool::new(false) });
    let mut app = Router::new()
        .route("/", get(async || r#"{"hello":"world"}"#))
        .route("/livez", get(async || r#"{"status":"alive"}"#))
        .route("/readyz", get(ready))
        .route("/slow", get(slow))
        .route("/error", get(error))
        .route("/upload", post(async |body: Bytes| format!(r#"{{"size":{}}}"#, body.len())))
        .layer(from_fn_with_state(member.clone(), common));
    if member.has("no-body-limit") {
        app = app.layer(DefaultBodyLimit::disable());
    }
    let app = app.with_state(member.clone());
    let port: u16 = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).expect("a port in PORT");
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    if member.has("no-handler") {
        return axum::serve(listener, app).await;
    }
    let closing = Arc::new(Notify::new());
    let serving = axum::serve(listener, app).with_graceful_shutdown(stopped(member, closing.clone()));
    tokio::select! {
        served = async { serving.await } => served,
        () = async { closing.notified().await; tokio::time::sleep(DEADLINE).await } => Ok(()),
    }
}
