//! Who is served in which state: requests wait while the service starts or is paused, are served while it drains with
//! a farewell, and are refused where waiting has no end.
//!
//! # Rules
//!
//! - Starting: held for [`Hold::start`] (after a crash for [`Hold::crash`]), then 503 with `Retry-After`.
//! - Paused: held for [`Hold::pause`], then 503.
//! - Draining: served, and HTTP/1 clients are told to leave by `Connection: close`. HTTP/2 has no such header (RFC 9113,
//!   8.2.2): its connections are told by GOAWAY where they are served. With [`GateLayer::reject`] a drain refuses.
//! - Whether an answer carries the farewell is asked when it is ready: a drain may begin while the request runs.
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

use http::{HeaderValue, Request, Response, Version, header};
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

    fn decide(&self) -> Decision {
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

enum Decision {
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
        let told_by_header = request.version() < Version::HTTP_2;
        let farewell = told_by_header.then(|| self.layer.lifecycle.clone());
        let state = match self.layer.decide() {
            // Returned from here, since a future that goes through a variable of several values is copied once more.
            Decision::Serve => {
                return GateFuture { state: Waiting::Answer { answer: self.inner.call(request) }, farewell };
            }
            Decision::Refuse(reason) => Waiting::Refused { reason, to: Correlation::of(&request) },
            Decision::Hold(patience, reason) => {
                // The service that was made ready goes along with the request; a fresh clone takes its place.
                let clone = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, clone);
                let since = Instant::now();
                let changed = self.layer.lifecycle.changed();
                let (layer, held) = (self.layer.clone(), Some(Held { inner, request, reason, since }));
                Waiting::Held {
                    hold: Box::pin(Holding { held, layer, changed, deadline: sleep_until(since + patience) }),
                }
            }
        };
        GateFuture { state, farewell }
    }
}

struct Held<S, Q> {
    inner: S,
    request: Q,
    reason: Reason,
    since: Instant,
}

pin_project_lite::pin_project! {
    struct Holding<S, Q> {
        held: Option<Held<S, Q>>,
        layer: GateLayer,
        #[pin]
        changed: OwnedNotified,
        #[pin]
        deadline: Sleep,
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`Gate`].
    pub struct GateFuture<S: Service<Q>, Q> {
        #[pin]
        state: Waiting<S, Q>,
        // Who is told of a drain by a header is told when the answer is ready.
        farewell: Option<Lifecycle>,
    }
}

pin_project_lite::pin_project! {
    #[project = WaitingProjection]
    enum Waiting<S: Service<Q>, Q> {
        // In a box, since a request that need not wait shall not be as large as one that does.
        Held { hold: Pin<Box<Holding<S, Q>>> },
        Answer { #[pin] answer: S::Future },
        Refused { reason: Reason, to: Correlation },
    }
}

impl<S, B, R> Holding<S, Request<B>>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    /// What becomes of the request; nothing yet while it is to wait.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Waiting<S, Request<B>>> {
        let mut this = self.project();
        let late = this.deadline.poll(cx).is_ready();
        loop {
            if this.changed.as_mut().poll(cx).is_pending() && !late {
                return Poll::Pending;
            }
            // Set before the state is asked, so that no change is missed in between.
            this.changed.set(this.layer.lifecycle.changed());
            let Some(Held { mut inner, request, reason, since }) = this.held.take() else { return Poll::Pending };
            return Poll::Ready(match this.layer.decide() {
                Decision::Serve => Waiting::Answer { answer: inner.call(request) },
                Decision::Refuse(reason) => Waiting::Refused { reason, to: Correlation::of(&request) },
                // A stop that comes meanwhile ends the waiting; a pause after a start prolongs nothing.
                Decision::Hold(patience, reason) if !late && since.elapsed() < patience => {
                    *this.held = Some(Held { inner, request, reason, since });
                    continue;
                }
                Decision::Hold(..) => Waiting::Refused { reason, to: Correlation::of(&request) },
            });
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
            match this.state.as_mut().project() {
                WaitingProjection::Answer { answer } => {
                    let mut answer = ready!(answer.poll(cx))?;
                    if this.farewell.as_ref().is_some_and(|lifecycle| lifecycle.state().leaving()) {
                        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                    }
                    return Poll::Ready(Ok(answer));
                }
                WaitingProjection::Refused { reason, to } => {
                    let refusal = Refusal::new(*reason).retry_after(RETRY_AFTER);
                    return Poll::Ready(Ok(refusal.respond(to)));
                }
                WaitingProjection::Held { hold } => {
                    let next = ready!(hold.as_mut().poll_next(cx));
                    this.state.set(next);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
