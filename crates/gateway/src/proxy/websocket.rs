//! The opening of a WebSocket: a connection of its own to the program, and the tunnel that follows its 101.

use std::future::poll_fn;

use http::{HeaderValue, Request, Response, StatusCode, header};

use super::body::ProxyBody;
use super::exchange::answer_of;
use super::failure::Failure;
use super::http1::{Sending, UpstreamBody};
use super::upstream::Upstream;
use super::{InnerBody, Proxy};

impl Proxy {
    /// Asks the program for a WebSocket. Its 101 leaves the other half of the tunnel with the client's connection;
    /// any other answer is passed on as it is.
    pub(super) async fn websocket(
        &self,
        upstream: &Upstream,
        mut request: Request<InnerBody>,
        connection: usize,
    ) -> Result<Response<ProxyBody>, Failure> {
        let mut kept = self.connect(upstream).await?;
        let mut sending = Sending::begin(&mut kept, &mut request, true);
        poll_fn(|cx| sending.poll(cx, &mut kept)).await?;
        let answer = poll_fn(|cx| kept.poll_answer(cx, false, request.headers_mut())).await;
        let mut answer = answer.map_err(|failure| failure.failure)?;
        let headers = std::mem::take(request.headers_mut());
        let rest = std::mem::take(&mut answer.rest);
        if answer.status != StatusCode::SWITCHING_PROTOCOLS {
            let body = UpstreamBody::new(answer.framing, rest, kept, None, &self.0.pool);
            return Ok(answer_of(answer, headers, body));
        }
        if !answer.websocket {
            return Err(Failure::Invalid("it switched to another protocol than asked for".to_owned()));
        }
        if let Some(client) = self.0.registry.connection(connection) {
            client.tunnel.replace(Some(kept.into_tunnel(rest)));
        }
        let mut answer = answer_of(answer, headers, UpstreamBody::none());
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        answer.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        Ok(answer)
    }
}
