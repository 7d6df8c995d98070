//! Tells people what they should mend: `{"text": "…"}` to a webhook, which Slack, Mattermost and others read.

use bytes::Bytes;
use http::{Method, Request, Uri, header};
use http_body_util::Full;
use seaworthy::client::{BuildError, Transport};
use seaworthy::core::event::Event;

/// A webhook. Its address is a secret and is never logged. Clones share the connections.
#[derive(Clone)]
pub(crate) struct Pager {
    transport: Transport<Full<Bytes>>,
    webhook: Uri,
}

impl Pager {
    pub(crate) fn new(webhook: Uri) -> Result<Self, BuildError> {
        Ok(Self { transport: Transport::builder().build()?, webhook })
    }

    /// One fact. The library calls it on a thread of its own, one fact at a time, and gives it up after ten seconds.
    pub(crate) async fn page(self, fact: Event) {
        let text = serde_json::json!({ "text": format!("{}: {fact}", crate::NAME) }).to_string();
        let request = Request::builder().method(Method::POST).uri(self.webhook);
        let request = request.header(header::CONTENT_TYPE, "application/json").body(Full::from(text));
        let Ok(request) = request else { return };
        match self.transport.send(request).await {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => tracing::error!(status = answer.status().as_u16(), fact = fact.name(), "the pager refused"),
            Err(error) => tracing::error!(%error, fact = fact.name(), "nobody was paged"),
        }
    }
}
