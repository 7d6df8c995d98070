//! A panic in a handler becomes a 500 that carries the request id, and a fact that names the place.
//!
//! Only the request that panicked is lost; its connection is closed after the answer, because nobody knows how much of
//! the body was read. A panic while a body is being streamed ends that stream.
//!
//! A panic that is caught does not say where in the source it happened; the hook of the process is told. [`Production`](crate::Production)
//! puts one of its own before the one that is there. By the layer alone the place is `request`.
//!
//! # Example
//!
//! ```
//! use std::convert::Infallible;
//! use std::sync::Arc;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use seaworthy::core::event::Nowhere;
//! use seaworthy::panic::PanicGuardLayer;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! async fn handler(_: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
//!     panic!("no such order")
//! }
//! let service = ServiceBuilder::new().layer(PanicGuardLayer::new(Arc::new(Nowhere))).service(service_fn(handler));
//! let Ok(answer) = service.oneshot(Request::new(())).await;
//! assert_eq!(answer.status(), 500);
//! # });
//! ```

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::pin::Pin;
use std::sync::{Arc, Once};
use std::task::{Context, Poll};

use http::{Request, Response};
use seaworthy_core::event::{Event, Sink};
use seaworthy_core::refusal::Reason;
use tower_layer::Layer;
use tower_service::Service;

use crate::context::Correlation;
use crate::refusal::{ProblemBody, Refusal};

/// Wraps services in [`PanicGuard`]. Clones share the sink.
#[derive(Clone)]
pub struct PanicGuardLayer(pub(crate) Arc<dyn Sink>);

impl std::fmt::Debug for PanicGuardLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PanicGuardLayer")
    }
}

impl PanicGuardLayer {
    /// Reports each panic to `sink` as [`Event::Panicked`].
    pub fn new(sink: Arc<dyn Sink>) -> Self {
        Self(sink)
    }
}

impl<S> Layer<S> for PanicGuardLayer {
    type Service = PanicGuard<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PanicGuard { inner, sink: self.0.clone() }
    }
}

/// Answers 500 where its inner service panics.
#[derive(Clone)]
pub struct PanicGuard<S> {
    inner: S,
    sink: Arc<dyn Sink>,
}

impl<S: std::fmt::Debug> std::fmt::Debug for PanicGuard<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PanicGuard").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for PanicGuard<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: ProblemBody,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = PanicGuardFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let correlation = Correlation::of(&request);
        // A service that panicked in `call` may be inconsistent inside; so is one behind any other catch_unwind, and
        // the alternative is to lose every request that shares the thread.
        // What goes in and comes out by value would be copied twice more each.
        let (mut request, mut future) = (Some(request), None);
        let caught = catch_unwind(AssertUnwindSafe(|| future = request.take().map(|request| self.inner.call(request))));
        PanicGuardFuture { future, panic: caught.err(), correlation, sink: self.sink.clone() }
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`PanicGuard`].
    pub struct PanicGuardFuture<F> {
        #[pin]
        future: Option<F>,
        panic: Option<Box<dyn Any + Send>>,
        correlation: Correlation,
        sink: Arc<dyn Sink>,
    }
}

impl<F> std::fmt::Debug for PanicGuardFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PanicGuardFuture").field("correlation", &self.correlation).finish_non_exhaustive()
    }
}

impl<F, R, E> Future for PanicGuardFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: ProblemBody,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let panic = match (this.future.as_pin_mut(), this.panic.take()) {
            (Some(future), _) => {
                let mut poll = Poll::Pending;
                match catch_unwind(AssertUnwindSafe(|| poll = future.poll(cx))) {
                    Ok(()) => return poll,
                    Err(panic) => panic,
                }
            }
            (None, Some(panic)) => panic,
            (None, None) => Box::new("polled again after a panic"),
        };
        Poll::Ready(Ok(refuse(&**this.sink, panic.as_ref(), this.correlation)))
    }
}

/// Reports a panic; the answer to whoever sent the request that met it.
pub(crate) fn refuse<R: ProblemBody>(sink: &dyn Sink, panic: &(dyn Any + Send), to: &Correlation) -> Response<R> {
    let message = message_of(panic);
    let place = place_of(&message).unwrap_or_else(|| "request".to_owned());
    sink.emit(&Event::Panicked { message, place, request_id: to.id() });
    Refusal::new(Reason::Panicked).respond(to)
}

/// What a panic said, and where.
struct Last {
    message: String,
    place: String,
}

thread_local! {
    /// The last panic of this thread that nobody has asked for.
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// Has panics reported with their places from now on, by a hook of the process that calls the one before it.
pub(crate) fn remember_places() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            let place = info.location().map_or_else(String::new, ToString::to_string);
            let last = Last { message: message_of(info.payload()), place };
            // A thread that is ending has no memory any more.
            let _ = LAST.try_with(|memory| memory.replace(Some(last)));
            before(info);
        }));
    });
}

/// Where the panic happened that was caught just now, if it is known.
fn place_of(message: &str) -> Option<String> {
    let last = LAST.try_with(RefCell::take).ok().flatten()?;
    // One that was carried here from another thread was not the last of this one.
    (last.message == message && !last.place.is_empty()).then_some(last.place)
}

/// The text that `panic!` was given.
#[doc(hidden)]
pub fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "(no message)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body_util::Full;
    use seaworthy_core::event::Nowhere;
    use std::convert::Infallible;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    #[tokio::test]
    async fn a_panic_is_answered_500_and_the_next_request_is_served() {
        let service = ServiceBuilder::new().layer(PanicGuardLayer::new(Arc::new(Nowhere))).service(service_fn(
            |request: Request<()>| async move {
                assert_ne!(request.uri().path(), "/panic", "as asked");
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
            },
        ));
        let get = |path: &str| Request::builder().uri(path).body(()).unwrap();
        assert_eq!(service.clone().oneshot(get("/panic")).await.unwrap().status(), 500);
        assert_eq!(service.oneshot(get("/")).await.unwrap().status(), 200);
    }

    #[test]
    fn a_place_is_that_of_the_panic_that_was_caught() {
        remember_places();
        let caught = catch_unwind(|| panic!("here")).unwrap_err();
        assert_eq!(place_of("somewhere else"), None, "it was carried here from another thread");
        assert_eq!(place_of(&message_of(caught.as_ref())), None, "who asks takes it");
        let caught = catch_unwind(|| panic!("here")).unwrap_err();
        assert!(place_of(&message_of(caught.as_ref())).unwrap().contains("panic.rs:"));
    }
}
