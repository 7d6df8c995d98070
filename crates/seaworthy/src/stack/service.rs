//! The layers of a [`Stack`] as one service.
//!
//! They do what they do alone, in the same order, by the same functions. One inside of the other they would be eleven services that pass on
//! a request, an answer and a future of some hundred bytes each, which every one of them copies.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::{fmt, mem};

use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::Stack;
use super::shared::{Begun, HeadVerdict, Shared};
use crate::access::{AnswerBody, CountedBody, Observer, Record};
use crate::context::Correlation;
use crate::cors;
use crate::gate::{Held, Released, is_told_by_header};
use crate::limit::body::{LimitedBody, Watched};
use crate::limit::rate::{self, Allowance};
use crate::limit::time::{TimeLimitLayer, Timer, TokioTimer};
use crate::panic;
use crate::refusal::{ProblemBody, Refusal};

/// A service behind all layers. Clones share what the layers share.
#[derive(Debug, Clone)]
pub struct Stacked<S, O, T = TokioTimer> {
    pub(super) inner: S,
    pub(super) stack: Stack<O, T>,
}

impl<S, O, T, B, R> Service<Request<B>> for Stacked<S, O, T>
where
    S: Service<Request<LimitedBody<CountedBody<B>>>, Response = Response<R>> + Clone,
    O: Observer,
    T: Timer + Clone,
    B: Body,
    R: Body + ProblemBody,
{
    type Response = Response<AnswerBody<R, O>>;
    type Error = S::Error;
    type Future = StackedFuture<S, Request<LimitedBody<CountedBody<B>>>, O, T>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Self { inner, stack: Stack { access, shared, time } } = self;
        let told_by_header = is_told_by_header(&request);
        let Begun { record, watched, origin, allowance, verdict } = shared.begin(access, &mut request);
        // What is returned is made in its place, and filled: what goes through variables is copied on its way.
        let mut future = StackedFuture {
            stage: Stage::Over,
            deadline: None,
            time: time.clone(),
            watched: None,
            record: None,
            origin,
            allowance,
            told_by_header,
            shared: shared.clone(),
        };
        let counted = |body| shared.body.limited(record.counted(body), watched.as_ref());
        match verdict {
            HeadVerdict::Pass => {
                let mut request = Some(request.map(counted));
                let stage = &mut future.stage;
                // By reference, since what goes through `catch_unwind` by value is copied too.
                let caught = catch_unwind(AssertUnwindSafe(|| {
                    if let Some(request) = request.take() {
                        *stage = Stage::Served { answer: inner.call(request) };
                    }
                }));
                if let Err(panic) = caught {
                    future.stage = Stage::Panicked { panic };
                }
            }
            HeadVerdict::Hold(patience, reason) => {
                let held = shared.gate.keep(inner, request.map(counted), patience, reason);
                future.stage = Stage::Held { held };
            }
            HeadVerdict::Preflight(headers) => future.stage = Stage::Preflight { headers },
            HeadVerdict::Limited(refused) => future.stage = Stage::Limited { refused },
            HeadVerdict::Refused(refusal) => future.stage = Stage::Refused { refusal },
        }
        future.watched = watched;
        future.record = Some(record);
        future
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`Stacked`].
    pub struct StackedFuture<S: Service<Q>, Q, O: Observer, T: Timer = TokioTimer> {
        #[pin]
        stage: Stage<S, Q>,
        #[pin]
        deadline: Option<T::Sleep>,
        time: TimeLimitLayer<T>,
        // `None` where the body can be neither too large nor too slow.
        watched: Option<Arc<Watched>>,
        record: Option<Record<O>>,
        // Whose page asks, where answers are shared.
        origin: Option<HeaderValue>,
        allowance: Option<Allowance>,
        told_by_header: bool,
        shared: Arc<Shared>,
    }
}

pin_project_lite::pin_project! {
    #[project = StageProjection]
    enum Stage<S: Service<Q>, Q> {
        Served { #[pin] answer: S::Future },
        Held { held: Held<S, Q> },
        Preflight { headers: HeaderMap },
        Limited { refused: rate::Refused },
        Refused { refusal: Refusal },
        Panicked { panic: Box<dyn Any + Send> },
        Over,
    }
}

impl<S: Service<Q>, Q, O: Observer, T: Timer> fmt::Debug for StackedFuture<S, Q, O, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackedFuture").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl<S, B, R, O, T> Future for StackedFuture<S, Request<B>, O, T>
where
    S: Service<Request<B>, Response = Response<R>>,
    O: Observer,
    T: Timer,
    R: Body + ProblemBody,
{
    type Output = Result<Response<AnswerBody<R, O>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let to = || this.record.as_ref().map_or_else(Correlation::default, Record::correlation);
        let panicked = |panic: &(dyn Any + Send)| panic::refuse(&*this.shared.sink, panic, &to());
        let mut answer = loop {
            break match this.stage.as_mut().project() {
                StageProjection::Served { answer } => {
                    let mut poll = Poll::Pending;
                    let caught = catch_unwind(AssertUnwindSafe(|| poll = answer.poll(cx)));
                    match (caught, poll) {
                        (Err(panic), _) => panicked(panic.as_ref()),
                        (Ok(()), Poll::Ready(answer)) => {
                            match this.watched.as_ref().and_then(|watched| watched.complaint()) {
                                None => answer?,
                                Some(refusal) => refusal.respond(&to()),
                            }
                        }
                        (Ok(()), Poll::Pending) => ready!(this.time.poll_late(this.deadline, cx)).respond(&to()),
                    }
                }
                StageProjection::Held { held } => {
                    let mut poll = Poll::Pending;
                    // The service is called when the wait is over.
                    match (catch_unwind(AssertUnwindSafe(|| poll = held.poll_release(cx))), poll) {
                        (Err(panic), _) => panicked(panic.as_ref()),
                        (Ok(()), poll) => match ready!(poll) {
                            Released::Refused(refusal, to) => refusal.respond(&to),
                            Released::Passed(answer) => {
                                this.stage.set(Stage::Served { answer });
                                continue;
                            }
                        },
                    }
                }
                StageProjection::Preflight { headers } => cors::preflight(mem::take(headers)),
                StageProjection::Limited { refused } => refused.respond(&to()),
                StageProjection::Refused { refusal } => refusal.respond(&to()),
                StageProjection::Panicked { panic } => panicked(panic.as_ref()),
                // Polled again after its end, which futures may answer as they like.
                StageProjection::Over => return Poll::Pending,
            };
        };
        // The answer to a preflight says itself to whom it is shared.
        if !matches!(*this.stage, Stage::Preflight { .. }) {
            this.shared.share(this.origin.as_ref(), &mut answer);
        }
        this.shared.end(&mut answer, this.record.as_mut(), this.allowance.take(), *this.told_by_header);
        Poll::Ready(Ok(answer.map(|body| AnswerBody::new(body, this.record.take()))))
    }
}
