//! Asks the program for JSON.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;

use crate::ask::{AskError, Question};
use crate::gateway::Upstream;

/// Of an answer; more is not for the body of a probe.
const MOST: usize = 64 * 1024;

/// Why there is no JSON.
#[derive(Debug, thiserror::Error)]
pub(super) enum JsonError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("it answers {0}, whose body says nothing of it")]
    Status(StatusCode),
    #[error("the answer breaks off, or is longer than 64 KiB: {0}")]
    Body(String),
    #[error("it answers no JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// What a GET of `path` is answered.
pub(super) async fn json(target: &Upstream, path: &str) -> Result<serde_json::Value, JsonError> {
    let question = Question { path, accept: Some("application/json") };
    let answer = question.ask(target, read).await??;
    Ok(serde_json::from_slice(&answer)?)
}

async fn read(answer: Response<Incoming>) -> Result<Bytes, JsonError> {
    // A service that is not well says so by a 503, with the same body.
    let status = answer.status();
    if !status.is_success() && status != StatusCode::SERVICE_UNAVAILABLE {
        return Err(JsonError::Status(status));
    }
    let body = Limited::new(answer.into_body(), MOST).collect().await;
    Ok(body.map_err(|error| JsonError::Body(error.to_string()))?.to_bytes())
}
