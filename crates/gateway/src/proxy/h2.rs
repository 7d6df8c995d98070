//! Requests over HTTP/2 with prior knowledge: one connection a worker carries them all.

use std::cell::{OnceCell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::TokioIo;
use seaworthy::context::RequestContext;

use super::body::ProxyBody;
use super::failure::Failure;
use super::upstream::Upstream;
use super::{InnerBody, Proxy, head};
use crate::executor::Local;

/// The open connection, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Connections(RefCell<Option<SendRequest<SentBody>>>);

impl Connections {
    /// A handle on the open connection. Another one is made when this one is closed.
    fn open(&self) -> Option<SendRequest<SentBody>> {
        let mut open = self.0.borrow_mut();
        if open.as_ref().is_some_and(SendRequest::is_closed) {
            *open = None;
        }
        open.clone()
    }

    /// Lets the streams that are open end, and opens none on this connection any more.
    pub(crate) fn clear(&self) {
        *self.0.borrow_mut() = None;
    }
}

impl Proxy {
    pub(super) async fn over_h2(
        &self,
        upstream: &Upstream,
        mut request: Request<InnerBody>,
    ) -> Result<Response<ProxyBody>, Failure> {
        *request.version_mut() = Version::HTTP_2;
        let mut onward = HeaderMap::with_capacity(request.headers().len() + 4);
        let peer = RequestContext::of(request.extensions()).and_then(|context| context.peer_header.as_ref());
        head::onward(request.headers(), request.uri().authority(), peer, |name, value| {
            onward.append(name, value.clone());
        });
        *request.headers_mut() = onward;
        let (mut parts, body) = request.into_parts();
        head::absolute_form(&mut parts.uri, &mut parts.headers);
        // What has no body has nothing to break off.
        let broken = (!body.is_end_stream()).then(Rc::<OnceCell<_>>::default);
        let request = Request::from_parts(parts, SentBody { body, broken: broken.clone() });
        let mut sender = match self.0.h2.open() {
            Some(sender) => sender,
            None => self.connect_h2(upstream).await?,
        };
        sender.ready().await.map_err(|error| Failure::of(&error))?;
        let mut answer = sender.send_request(request).await.map_err(|error| {
            let broken = broken.as_ref().and_then(|broken| broken.get());
            broken.map_or_else(|| Failure::of(&error), Failure::of_body)
        })?;
        head::strip_hop_by_hop(answer.headers_mut());
        Ok(answer.map(|body| ProxyBody::Stream { body }))
    }

    async fn connect_h2(&self, upstream: &Upstream) -> Result<SendRequest<SentBody>, Failure> {
        let (socket, permit) = self.socket(upstream).await?;
        let mut http = http2::Builder::new(Local);
        http.timer(hyper_util::rt::TokioTimer::new()).adaptive_window(true);
        let (sender, connection) = http.handshake(TokioIo::new(socket)).await.map_err(|error| Failure::of(&error))?;
        let open = self.0.observer.upstream_opened();
        tokio::task::spawn_local(async move {
            // Its error reaches whoever has a stream on it.
            let _ = connection.await;
            drop((open, permit));
        });
        *self.0.h2.0.borrow_mut() = Some(sender.clone());
        Ok(sender)
    }
}

/// The body of a request on its way to the program. It leaves word of why it broke off, since hyper resets the stream then, and
/// whoever waits for the answer hears of nothing but the reset.
#[derive(Debug)]
struct SentBody {
    body: InnerBody,
    broken: Option<Rc<OnceCell<<InnerBody as Body>::Error>>>,
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            frame.map_err(|error| {
                if let Some(broken) = &self.broken {
                    // The first is the cause.
                    let _ = broken.set(error);
                }
                BrokenOff
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A [`SentBody`] broke off.
#[derive(Debug, thiserror::Error)]
#[error("the request body broke off")]
struct BrokenOff;
