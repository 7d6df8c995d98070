//! A request on its way to the program and back.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use hyper::ext::ReasonPhrase;
use seaworthy::access::{Learnt, Upstreamed};
use seaworthy::context::{Correlation, RequestContext};

use super::body::ProxyBody;
use super::failure::Failure;
use super::http1::{Answer, AnswerFailure, Kept, Sending, UpstreamBody};
use super::upstream::Upstream;
use super::{InnerBody, Proxy};

/// What is to be said of a request when its answer begins.
pub(super) struct Exchange {
    proxy: Proxy,
    upstream: Upstream,
    started: Instant,
    learnt: Option<Learnt>,
    to: Correlation,
    attempts: u8,
}

impl Exchange {
    pub(super) fn begin(proxy: Proxy, upstream: Upstream, request: &Request<InnerBody>) -> Self {
        let learnt = RequestContext::of(request.extensions()).and_then(|context| context.learnt.clone());
        Self { proxy, upstream, started: Instant::now(), learnt, to: Correlation::of(request), attempts: 1 }
    }

    pub(super) async fn websocket(
        self,
        request: Request<InnerBody>,
        connection: usize,
    ) -> Result<Response<ProxyBody>, Infallible> {
        let outcome = self.proxy.websocket(&self.upstream, request, connection).await;
        Ok(self.end(outcome))
    }

    pub(super) async fn over_h2(self, request: Request<InnerBody>) -> Result<Response<ProxyBody>, Infallible> {
        let outcome = self.proxy.over_h2(&self.upstream, request).await;
        Ok(self.end(outcome))
    }

    fn end(self, outcome: Result<Response<ProxyBody>, Failure>) -> Response<ProxyBody> {
        let Self { proxy, upstream, started, learnt, to, attempts } = self;
        let time = started.elapsed();
        let answer = match outcome {
            Ok(answer) => {
                proxy.0.observer.upstream_answered(&upstream.name, answer.status().as_u16(), time);
                answer
            }
            Err(failure) => {
                proxy.0.observer.upstream_failed(&upstream.name, &failure);
                proxy.complain(&upstream.name, &failure);
                failure.refusal().respond(&to)
            }
        };
        if let Some(learnt) = learnt {
            learnt.upstream(Upstreamed { address: upstream.name, time, attempts });
        }
        answer
    }
}

type Connecting = Pin<Box<dyn Future<Output = Result<(Box<Kept>, Upstream), Failure>>>>;

/// An exchange over HTTP/1: nearly all are. Written by hand, because it is allocated for each, and an async block would
/// hold what it was given several times.
pub(super) struct OverHttp1 {
    /// `None` once it is over.
    exchange: Option<Exchange>,
    request: Request<InnerBody>,
    kept: Option<Box<Kept>>,
    /// What has not gone out yet.
    sending: Option<Sending>,
    connecting: Option<Connecting>,
    /// Whether it may be said again, should the kept connection prove to be gone.
    repeatable: bool,
}

impl OverHttp1 {
    pub(super) fn begin(exchange: Exchange, request: Request<InnerBody>) -> Self {
        // What has a body cannot be said again by us: its first bytes are gone when the connection proves to be.
        let idempotent = is_idempotent(request.method()) && request.body().is_end_stream();
        let kept = exchange.proxy.0.pool.take(idempotent);
        let repeatable = idempotent && kept.is_some();
        let mut this = Self { exchange: Some(exchange), request, kept, sending: None, connecting: None, repeatable };
        this.speak();
        this
    }

    /// Puts the request into the connection, if there is one.
    fn speak(&mut self) {
        self.sending = self.kept.as_mut().map(|kept| Sending::begin(kept, &mut self.request, false));
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<ProxyBody>, AnswerFailure>> {
        let Some(exchange) = &mut self.exchange else { return Poll::Pending };
        if self.kept.is_none() {
            let connecting = self
                .connecting
                .get_or_insert_with(|| Box::pin(exchange.proxy.clone().connect_or_succeed(exchange.upstream.clone())));
            let (kept, upstream) = ready!(connecting.as_mut().poll(cx))?;
            exchange.upstream = upstream;
            self.connecting = None;
            self.kept = Some(kept);
            self.speak();
        }
        let Some(kept) = &mut self.kept else { return Poll::Pending };
        if let Some(sending) = &mut self.sending
            && sending.poll(cx, kept)?.is_ready()
        {
            self.sending = None;
        }
        let to_head = self.request.method() == Method::HEAD;
        let mut answer = ready!(kept.poll_answer(cx, to_head, self.request.headers_mut()))?;
        if answer.status == StatusCode::SWITCHING_PROTOCOLS {
            let failure = Failure::Invalid("it switched to a protocol that nobody asked for".to_owned());
            return Poll::Ready(Err(failure.into()));
        }
        let (Some(kept), Some(exchange)) = (self.kept.take(), &self.exchange) else { return Poll::Pending };
        let headers = std::mem::take(self.request.headers_mut());
        let rest = std::mem::take(&mut answer.rest);
        let body = UpstreamBody::new(answer.framing, rest, kept, self.sending.take(), &exchange.proxy.0.pool);
        Poll::Ready(Ok(answer_of(answer, headers, body)))
    }

    /// Begins the second time. It waits for no successor: what it meets may be what the first time has done.
    fn again(&mut self) {
        self.repeatable = false;
        self.kept = None;
        if let Some(exchange) = &mut self.exchange {
            exchange.attempts += 1;
            exchange.proxy.0.observer.upstream_retried();
            let (proxy, upstream) = (exchange.proxy.clone(), exchange.upstream.clone());
            self.connecting = Some(Box::pin(async move { Ok((proxy.connect(&upstream).await?, upstream)) }));
        }
    }
}

impl Future for OverHttp1 {
    type Output = Result<Response<ProxyBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            let outcome = match ready!(this.poll_answer(cx)) {
                Err(AnswerFailure { nothing: true, .. }) if this.repeatable => {
                    this.again();
                    continue;
                }
                outcome => outcome.map_err(|failure| failure.failure),
            };
            let Some(exchange) = this.exchange.take() else { return Poll::Pending };
            return Poll::Ready(Ok(exchange.end(outcome)));
        }
    }
}

/// The answer that the client gets.
pub(super) fn answer_of(answer: Answer, headers: HeaderMap, body: UpstreamBody) -> Response<ProxyBody> {
    let mut response = Response::new(ProxyBody::Upstream { body });
    *response.status_mut() = answer.status;
    *response.headers_mut() = headers;
    if let Some(reason) = answer.reason.and_then(|reason| ReasonPhrase::try_from(reason).ok()) {
        response.extensions_mut().insert(reason);
    }
    response
}

/// RFC 9110, 9.2.2.
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE)
}
