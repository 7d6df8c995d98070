//! The WebSocket of the sample service: sends back what it gets.

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::routes::{Body, Sample, text};

/// Answers the handshake, and echoes until either side leaves.
pub(super) fn echo(sample: &Sample, mut request: Request<Incoming>) -> Response<Body> {
    let headers = request.headers();
    let asks = headers.get(header::UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asks);
    let Some(Ok(accept)) = key.map(|key| HeaderValue::try_from(derive_accept_key(key.as_bytes()))) else {
        return text(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket: try `websocat ws://…/ws`\n");
    };
    let leaving = sample.leaving();
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::task::spawn_local(async move {
        // A client that leaves before the upgrade is complete has no use for it.
        let Ok(upgraded) = upgrade.await else { return };
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        let mut leaving = std::pin::pin!(leaving);
        loop {
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(message)) if message.is_text() || message.is_binary() => {
                        if socket.send(message).await.is_err() {
                            break;
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break,
                },
                () = &mut leaving => break,
            }
        }
        // Either it is closed already, or the other side learns it here.
        let _ = socket.close(None).await;
    });
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}
