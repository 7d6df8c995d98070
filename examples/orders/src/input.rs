//! The body of a request, as JSON.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// What a request says. Nothing is an object without a field, and the type of the content is not asked for: a line of curl stays short.
pub(crate) struct Input<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        // The library's limit stands outside: what is too large never comes here whole.
        let body = Bytes::from_request(request, state).await.map_err(|_| Problem::unreadable())?;
        let body: &[u8] = if body.trim_ascii().is_empty() { b"{}" } else { &body };
        serde_json::from_slice(body).map(Self).map_err(|error| Problem::invalid(error.to_string()))
    }
}
