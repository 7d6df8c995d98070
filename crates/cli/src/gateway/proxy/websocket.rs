//! The opening of a WebSocket: a connection of its own to the program, and the tunnel that follows its 101.

use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::body::ProxyBody;
use super::failure::Failure;
use super::upstream::Upstream;
use super::{InnerBody, Proxy, head};
use crate::gateway::socket::Socket;
use crate::gateway::tunnel::UpstreamHalf;

impl Proxy {
    /// Asks the program for a WebSocket. Its 101 leaves the other half of the tunnel with the client's connection;
    /// any other answer is passed on as it is.
    pub(super) async fn websocket(
        &self,
        upstream: &Upstream,
        mut request: Request<InnerBody>,
        connection: usize,
    ) -> Result<Response<ProxyBody>, Failure> {
        *request.version_mut() = Version::HTTP_11;
        head::origin_form(request.uri_mut());
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        request.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        let (socket, permit) = self.socket(upstream).await?;
        let open = self.0.observer.upstream_opened();
        let (mut sender, connected) =
            http1::handshake(TokioIo::new(socket)).await.map_err(|error| Failure::of(&error))?;
        tokio::task::spawn_local(async move {
            let _ = connected.with_upgrades().await;
        });
        let mut answer = sender.send_request(request).await.map_err(|error| Failure::of(&error))?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            head::strip_hop_by_hop(answer.headers_mut());
            return Ok(answer.map(|body| ProxyBody::Stream { body }));
        }
        let is_websocket = answer.headers().get(header::UPGRADE);
        if !is_websocket.is_some_and(|kind| kind.as_bytes().eq_ignore_ascii_case(b"websocket")) {
            return Err(Failure::Invalid("it switched to another protocol than asked for".to_owned()));
        }
        let upgraded = hyper::upgrade::on(&mut answer).await.map_err(|error| Failure::of(&error))?;
        let parts = upgraded
            .downcast::<TokioIo<Socket>>()
            .map_err(|_| Failure::Invalid("the upgraded connection is of an unknown kind".to_owned()))?;
        let half = UpstreamHalf { socket: parts.io.into_inner(), sent: parts.read_buf, open, permit };
        head::strip_hop_by_hop(answer.headers_mut());
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        answer.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        if let Some(client) = self.0.registry.connection(connection) {
            client.tunnel.replace(Some(half));
        }
        Ok(answer.map(|body| ProxyBody::Stream { body }))
    }
}
