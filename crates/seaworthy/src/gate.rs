//! Who is served in which state: requests wait while the service starts or is paused, are served while it drains with
//! a farewell, and are refused where waiting has no end.
//!
//! # Rules
//!
//! - Starting: held for [`Hold::start`] (after a crash for [`Hold::crash`]), then 503 with `Retry-After`.
//! - Paused: held for [`Hold::pause`], then 503.
//! - Draining: served, and HTTP/1 clients are told to leave by `Connection: close`. HTTP/2 has no such header (RFC 9113,
//!   8.2.2): its connections are told by GOAWAY where they are served. With [`GateLayer::reject`] a drain refuses.
//! - Whether an answer carries the farewell is asked when it is ready: a drain may begin while the request runs. In a
//!   [`Stack`](crate::stack::Stack) answers that never came to the gate carry it as well: those to preflights, say.
//!
//! # Example
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use seaworthy::core::lifecycle::{Cause, Change};
//! use seaworthy::gate::GateLayer;
//! use seaworthy::Lifecycle;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let life = Lifecycle::default();
//! let service = ServiceBuilder::new()
//!     .layer(GateLayer::new(life.clone()))
//!     .service(service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("hello")))));
//! let Ok(early) = service.clone().oneshot(Request::new(())).await;
//! assert_eq!((early.status().as_u16(), &early.headers()["retry-after"]), (503, &"2".parse().unwrap()));
//!
//! life.apply(Change::ProgramReady);
//! let Ok(answer) = service.clone().oneshot(Request::new(())).await;
//! assert_eq!((answer.status().as_u16(), answer.headers().get("connection")), (200, None));
//!
//! life.stop(Cause::Sigterm);
//! let Ok(last) = service.oneshot(Request::new(())).await;
//! assert_eq!((last.status().as_u16(), &last.headers()["connection"]), (200, &"close".parse().unwrap()));
//! # });
//! ```

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use seaworthy_core::lifecycle::Traffic;
use seaworthy_core::refusal::Reason;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, Sleep, sleep_until};
use tower_layer::Layer;
use tower_service::Service;

use crate::context::Correlation;
use crate::lifecycle::{Admission, Lifecycle};
use crate::refusal::{ProblemBody, Refusal};

/// When to come back, for a client that came during a start or a drain. Another instance may be there at once; this
/// one will not be for some seconds.
const RETRY_AFTER: u32 = 2;

/// How long requests wait for better times.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Hold {
    /// For the first start. Default 0: refused at once.
    pub start: Duration,
    /// For the program to come back from a crash. Default 0.
    pub crash: Duration,
    /// For the end of a pause. Default 0.
    pub pause: Duration,
}

/// Wraps services in [`Gate`]. Clones share the lifecycle.
#[derive(Debug, Clone)]
pub struct GateLayer {
    lifecycle: Lifecycle,
    hold: Hold,
    reject: bool,
}

impl GateLayer {
    /// Serves as `lifecycle` says.
    pub fn new(lifecycle: Lifecycle) -> Self {
        Self { lifecycle, hold: Hold::default(), reject: false }
    }

    /// How long requests wait for better times. Default: not at all.
    #[must_use]
    pub fn hold(mut self, hold: Hold) -> Self {
        self.hold = hold;
        self
    }

    /// Refuses requests while draining, instead of serving them with a farewell.
    #[must_use]
    pub fn reject(mut self, reject: bool) -> Self {
        self.reject = reject;
        self
    }

    fn patience(&self, admission: Admission) -> Duration {
        match admission {
            Admission { paused: true, .. } => self.hold.pause,
            Admission { after_crash: true, .. } => self.hold.crash,
            Admission { .. } => self.hold.start,
        }
    }

    pub(crate) fn decide(&self) -> Decision {
        let admission = self.lifecycle.admission();
        match admission.traffic {
            Traffic::Farewell if self.reject => Decision::Refuse(Reason::Draining),
            Traffic::Serve | Traffic::Farewell => Decision::Serve,
            Traffic::Refuse => Decision::Refuse(Reason::Draining),
            Traffic::Hold => {
                let reason = if admission.paused { Reason::Paused } else { Reason::Starting };
                match self.patience(admission) {
                    Duration::ZERO => Decision::Refuse(reason),
                    patience => Decision::Hold(patience, reason),
                }
            }
        }
    }
}

/// What becomes of a request that comes now.
pub(crate) enum Decision {
    Serve,
    Hold(Duration, Reason),
    Refuse(Reason),
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Gate { inner, layer: self.clone() }
    }
}

/// Serves, holds or refuses. Clones share the lifecycle.
#[derive(Debug, Clone)]
pub struct Gate<S> {
    inner: S,
    layer: GateLayer,
}

impl<S, B, R> Service<Request<B>> for Gate<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: ProblemBody,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = GateFuture<S, Request<B>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let farewell = is_told_by_header(&request).then(|| self.layer.clone());
        let state = match self.layer.decide() {
            Decision::Serve => Waiting::Answer { answer: self.inner.call(request) },
            Decision::Refuse(reason) => Waiting::Refused { refusal: refusal(reason), to: Correlation::of(&request) },
            Decision::Hold(patience, reason) => {
                Waiting::Held { held: self.layer.keep(&mut self.inner, request, patience, reason) }
            }
        };
        GateFuture { state, farewell }
    }
}

/// Whether who sent it learns of a drain by a header of the answer.
pub(crate) fn is_told_by_header<B>(request: &Request<B>) -> bool {
    request.version() < Version::HTTP_2
}

impl GateLayer {
    /// Keeps a request that may pass later.
    pub(crate) fn keep<S, Q>(&self, inner: &mut S, request: Q, patience: Duration, reason: Reason) -> Held<S, Q>
    where
        S: Clone,
    {
        // The service that was made ready goes along with the request; a fresh clone takes its place.
        let clone = inner.clone();
        let inner = std::mem::replace(inner, clone);
        let since = Instant::now();
        let changed = self.lifecycle.changed();
        let kept = Some(Kept { inner, request, reason, since });
        Held(Box::pin(Holding { kept, layer: self.clone(), changed, deadline: sleep_until(since + patience) }))
    }

    /// Tells who [learns it by a header](is_told_by_header) to leave, where that is so by now.
    pub(crate) fn say_farewell<R>(&self, answer: &mut Response<R>) {
        // The connection of a 101 is a tunnel from now on, whose `Connection` says `upgrade` (RFC 9110, 7.8).
        if self.lifecycle.state().leaving() && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// A request at the gate. In a box, since a request that need not wait shall not be as large as one that does.
pub(crate) struct Held<S, Q>(Pin<Box<Holding<S, Q>>>);

struct Kept<S, Q> {
    inner: S,
    request: Q,
    reason: Reason,
    since: Instant,
}

pin_project_lite::pin_project! {
    struct Holding<S, Q> {
        kept: Option<Kept<S, Q>>,
        layer: GateLayer,
        #[pin]
        changed: OwnedNotified,
        #[pin]
        deadline: Sleep,
    }
}

/// What became of a request that was held.
pub(crate) enum Released<F> {
    Passed(F),
    Refused(Refusal, Correlation),
}

/// What is said to whom the gate turns away.
pub(crate) fn refusal(reason: Reason) -> Refusal {
    Refusal::new(reason).retry_after(RETRY_AFTER)
}

pin_project_lite::pin_project! {
    /// The answer of [`Gate`].
    pub struct GateFuture<S: Service<Q>, Q> {
        #[pin]
        state: Waiting<S, Q>,
        // Who is told of a drain by a header is told when the answer is ready.
        farewell: Option<GateLayer>,
    }
}

pin_project_lite::pin_project! {
    #[project = WaitingProjection]
    enum Waiting<S: Service<Q>, Q> {
        Held { held: Held<S, Q> },
        Answer { #[pin] answer: S::Future },
        Refused { refusal: Refusal, to: Correlation },
    }
}

impl<S: Service<Request<B>>, B> Held<S, Request<B>> {
    /// What becomes of the request; nothing yet while it is to wait.
    pub(crate) fn poll_release(&mut self, cx: &mut Context<'_>) -> Poll<Released<S::Future>> {
        let mut this = self.0.as_mut().project();
        let late = this.deadline.poll(cx).is_ready();
        loop {
            if this.changed.as_mut().poll(cx).is_pending() && !late {
                return Poll::Pending;
            }
            // Set before the state is asked, so that no change is missed in between.
            this.changed.set(this.layer.lifecycle.changed());
            let Some(Kept { mut inner, request, reason, since }) = this.kept.take() else { return Poll::Pending };
            let refused = match this.layer.decide() {
                Decision::Serve => return Poll::Ready(Released::Passed(inner.call(request))),
                Decision::Refuse(reason) => reason,
                // A stop that comes meanwhile ends the waiting; a pause after a start prolongs nothing.
                Decision::Hold(patience, reason) if !late && since.elapsed() < patience => {
                    *this.kept = Some(Kept { inner, request, reason, since });
                    continue;
                }
                Decision::Hold(..) => reason,
            };
            return Poll::Ready(Released::Refused(refusal(refused), Correlation::of(&request)));
        }
    }
}

impl<S: Service<Q>, Q> std::fmt::Debug for GateFuture<S, Q> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GateFuture").finish_non_exhaustive()
    }
}

impl<S, B, R> Future for GateFuture<S, Request<B>>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: ProblemBody,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let mut answer = match this.state.as_mut().project() {
                WaitingProjection::Answer { answer } => ready!(answer.poll(cx))?,
                WaitingProjection::Refused { refusal, to } => refusal.respond(to),
                WaitingProjection::Held { held } => {
                    let next = match ready!(held.poll_release(cx)) {
                        Released::Passed(answer) => Waiting::Answer { answer },
                        Released::Refused(refusal, to) => Waiting::Refused { refusal, to },
                    };
                    this.state.set(next);
                    continue;
                }
            };
            if let Some(layer) = this.farewell {
                layer.say_farewell(&mut answer);
            }
            return Poll::Ready(Ok(answer));
        }
    }
}

#[cfg(test)]
mod tests;
