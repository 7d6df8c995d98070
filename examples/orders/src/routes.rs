//! Which path leads where.

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, header};
use seaworthy::Lifecycle;
use seaworthy::audit::Trail;
use seaworthy::log::tracing::RequestSpanLayer;
use serde::Serialize;

use crate::business::Business;
use crate::payments::{self, Payments};
use crate::problem::Problem;
use crate::queue::Queue;
use crate::store::Store;
use crate::{VERSION, invoices, orders, signups};

/// What handlers need. Clones share all of it.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) queue: Queue,
    pub(crate) payments: Payments,
    pub(crate) business: Business,
    pub(crate) life: Lifecycle,
    /// Where payments are recorded, if anywhere.
    pub(crate) trail: Option<Trail>,
}

pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/orders", get(orders::list).post(orders::place))
        .route("/signups", post(signups::sign_up))
        .route("/invoices", post(invoices::issue))
        .route("/payments", post(payments::pay))
        .fallback(async || Problem::not_found())
        // Whatever a handler says to the log carries the id of its request.
        .layer(RequestSpanLayer::default())
        .with_state(app)
}

/// `GET /`: what there is.
async fn index() -> Response {
    #[derive(Serialize)]
    struct Index {
        service: &'static str,
        version: &'static str,
        routes: [&'static str; 6],
    }
    let routes = ["GET /", "GET /orders", "POST /orders", "POST /signups", "POST /invoices", "POST /payments"];
    json(StatusCode::OK, &Index { service: crate::NAME, version: VERSION, routes })
}

/// `value` as an answer.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let Ok(mut body) = serde_json::to_vec(value) else {
        // A map with keys that are no text, or a `Serialize` by hand that fails; there is neither.
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    // A shell's prompt begins on a line of its own.
    body.push(b'\n');
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
