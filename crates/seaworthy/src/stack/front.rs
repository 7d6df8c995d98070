//! The outer layers of a [`Stack`](super::Stack), from the panic guard to the security headers, as one service.
//!
//! The farewell of a drain is said here and not at the gate, since not every answer comes from there: a preflight's does not.
//!
//! They do what they do alone, in the same order, by the same functions. One inside of the other they would be seven services that pass on a
//! request, an answer and a future of some hundred bytes each, which every one of them copies: that was a sixth of what they cost.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use seaworthy_core::event::Sink;
use tower_layer::Layer;
use tower_service::Service;

use crate::access::{AccessLayer, AnswerBody, CountedBody, Observer, Record};
use crate::client_address::ClientAddressLayer;
use crate::context::Correlation;
use crate::cors::{CorsLayer, Reader};
use crate::farewell::Farewell;
use crate::headers::SecurityHeadersLayer;
use crate::lifecycle::Lifecycle;
use crate::panic::{self, PanicGuardLayer};
use crate::refusal::ProblemBody;
use crate::request_id::{Mark, RequestIdLayer};
use crate::trace::TraceContextLayer;

/// The outer layers, outermost first.
#[derive(Debug, Clone)]
pub(super) struct FrontLayer<O> {
    pub(super) lifecycle: Lifecycle,
    /// For the answer to a panic, which unwinds past the layer itself.
    pub(super) cors: CorsLayer,
    pub(super) panic: PanicGuardLayer,
    pub(super) client: ClientAddressLayer,
    pub(super) request_id: RequestIdLayer,
    pub(super) trace: TraceContextLayer,
    pub(super) access: AccessLayer<O>,
    pub(super) headers: SecurityHeadersLayer,
}

impl<S, O: Clone> Layer<S> for FrontLayer<O> {
    type Service = Front<S, O>;

    fn layer(&self, inner: S) -> Front<S, O> {
        Front { inner, layers: self.clone() }
    }
}

/// Guards against panics, finds the client, gives an id and a trace, reports the end, and adds headers. Clones share what the layers share.
#[derive(Debug, Clone)]
pub struct Front<S, O> {
    inner: S,
    layers: FrontLayer<O>,
}

impl<S, O, B, R> Service<Request<B>> for Front<S, O>
where
    S: Service<Request<CountedBody<B>>, Response = Response<R>>,
    O: Observer,
    B: Body,
    R: Body + ProblemBody,
{
    type Response = Response<AnswerBody<R, O>>;
    type Error = S::Error;
    type Future = FrontFuture<S::Future, O>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Self { inner, layers } = self;
        let correlation = Correlation::note(&mut request);
        let mut farewell = Farewell::to(&request, &layers.lifecycle);
        let mut reader = layers.cors.reader(&request);
        // By reference, since what goes through `catch_unwind` by value is copied on its way.
        let (mut request, mut future) = (Some(request), None);
        let (headers, sink) = (layers.headers, &layers.panic.0);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            // Where it lies, for the same reason.
            let Some(asked) = &mut request else { return };
            layers.client.mark(asked);
            let id = layers.request_id.identify(asked);
            layers.trace.mark(asked);
            let record = layers.access.begin(asked);
            let Some(request) = request.take() else { return };
            future = Some(FrontFuture {
                answer: Some(inner.call(request.map(|body| record.counted(body)))),
                record: Some(record),
                mark: Some(layers.request_id.mark(id)),
                headers,
                panic: None,
                farewell: std::mem::take(&mut farewell),
                reader: reader.take(),
                correlation: correlation.clone(),
                sink: sink.clone(),
            });
        }));
        future.unwrap_or_else(|| FrontFuture {
            answer: None,
            record: None,
            mark: None,
            headers,
            panic: caught.err(),
            farewell,
            reader,
            correlation,
            sink: sink.clone(),
        })
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`Front`].
    pub struct FrontFuture<F, O: Observer> {
        #[pin]
        answer: Option<F>,
        record: Option<Record<O>>,
        mark: Option<Mark>,
        headers: SecurityHeadersLayer,
        panic: Option<Box<dyn Any + Send>>,
        farewell: Farewell,
        // In a box, since most requests have none, and each would be larger by it.
        reader: Option<Box<Reader>>,
        correlation: Correlation,
        sink: Arc<dyn Sink>,
    }
}

impl<F, O: Observer> fmt::Debug for FrontFuture<F, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrontFuture").field("correlation", &self.correlation).finish_non_exhaustive()
    }
}

impl<F, O, R, E> Future for FrontFuture<F, O>
where
    F: Future<Output = Result<Response<R>, E>>,
    O: Observer,
    R: Body + ProblemBody,
{
    type Output = Result<Response<AnswerBody<R, O>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (record, mark, headers) = (this.record, this.mark, *this.headers);
        let panic = match (this.answer.as_pin_mut(), this.panic.take()) {
            (Some(answer), _) => {
                let mut poll = Poll::Pending;
                let caught = catch_unwind(AssertUnwindSafe(|| poll = poll_answer(answer, record, mark, headers, cx)));
                match caught {
                    Ok(()) => {
                        if let Poll::Ready(Ok(answer)) = &mut poll {
                            this.farewell.say(answer);
                        }
                        return poll;
                    }
                    Err(panic) => panic,
                }
            }
            (None, Some(panic)) => panic,
            (None, None) => Box::new("polled again after a panic"),
        };
        let mut answer = panic::refuse(&**this.sink, panic.as_ref(), this.correlation);
        if let Some(reader) = this.reader {
            reader.share(&mut answer);
        }
        this.farewell.say(&mut answer);
        Poll::Ready(Ok(answer))
    }
}

/// What the layers do to an answer, innermost first.
fn poll_answer<F, O, R, E>(
    answer: Pin<&mut F>,
    record: &mut Option<Record<O>>,
    mark: &mut Option<Mark>,
    headers: SecurityHeadersLayer,
    cx: &mut Context<'_>,
) -> Poll<Result<Response<AnswerBody<R, O>>, E>>
where
    F: Future<Output = Result<Response<R>, E>>,
    O: Observer,
    R: Body,
{
    let mut answer = ready!(answer.poll(cx))?;
    headers.mark(&mut answer);
    if let Some(record) = record {
        record.answered(&mut answer);
    }
    if let Some(mark) = mark.take() {
        mark.put(&mut answer);
    }
    Poll::Ready(Ok(answer.map(|body| AnswerBody::new(body, record.take()))))
}
