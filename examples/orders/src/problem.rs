//! What went wrong, as an answer: `application/problem+json` (RFC 9457). The one place where errors get a status.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::routes::json;

/// An answer that says what went wrong.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    title: &'static str,
    /// For people. Never the words of a driver, which quote addresses and queries.
    detail: Cow<'static, str>,
    /// Seconds.
    retry_after: Option<u16>,
    /// The refusal of a layer around a call to somebody else: it is passed on as it is.
    refusal: Option<Response>,
}

#[derive(Serialize)]
struct Document<'p> {
    title: &'p str,
    status: u16,
    detail: &'p str,
}

impl Problem {
    fn new(status: StatusCode, title: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, title, detail: detail.into(), retry_after: None, refusal: None }
    }

    /// The client's own fault, and what to do about it.
    pub(crate) fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "The request makes no sense", detail)
    }

    /// The body broke off, or was too large.
    pub(crate) fn unreadable() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "The request cannot be read", "its body did not arrive whole")
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", "GET / lists what there is")
    }

    /// Somebody whom we called did not do as he was asked.
    pub(crate) fn upstream(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "The payment was not made", detail)
    }

    /// A call that was not made, or was not answered: the library's refusal has status, type and `Retry-After` already.
    pub(crate) fn refused(refusal: Response) -> Self {
        Self { refusal: Some(refusal), ..Self::upstream("") }
    }
}

/// Logged here, so that each error leaves one line with the id of its request.
impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        if is_away(&error) {
            tracing::warn!(%error, "the database is away");
            let detail = "nothing was stored; the same request may be sent again";
            let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "The database is away", detail);
            return Self { retry_after: Some(2), ..problem };
        }
        tracing::error!(%error, "the database failed a query");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error", "the request may be sent again")
    }
}

/// Whether the same query may succeed a little later.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        // PostgreSQL: connection exceptions, shutting down, starting up.
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P"))
        }
        _ => false,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if let Some(refusal) = self.refusal {
            return refusal;
        }
        let Self { status, title, detail, retry_after, .. } = self;
        let mut answer: Response<Body> = json(status, &Document { title, status: status.as_u16(), detail: &detail });
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}
