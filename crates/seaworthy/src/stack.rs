//! All layers in the one order that is right, outermost first:
//!
//! client address → request id → trace context → access event → security headers → CORS → gate → rate limit → body limit → time limit →
//! panic guard → the service.
//!
//! What is inside can refuse, and what is outside gives every refusal an id, headers and an access event. While the service drains every
//! answer tells its HTTP/1 client to leave, whichever layer gave it. A layer of one's own stands between this one and the service.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{Empty, Full};
//! use seaworthy::Lifecycle;
//! use seaworthy::core::event::Nowhere;
//! use seaworthy::core::lifecycle::Change;
//! use seaworthy::stack::{Settings, Stack};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let life = Lifecycle::default();
//! life.apply(Change::ProgramReady);
//! let mut settings = Settings::default();
//! settings.body = 1024;
//! let service = ServiceBuilder::new()
//!     .layer(Stack::new(settings, life, (), Arc::new(Nowhere)))
//!     .service(service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("hello")))));
//! let Ok(answer) = service.oneshot(Request::new(Empty::<Bytes>::new())).await;
//! assert!(answer.headers().contains_key("x-request-id") && answer.headers().contains_key("x-content-type-options"));
//! # });
//! ```

mod service;
mod shared;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use seaworthy_core::address::Trusted;
use seaworthy_core::event::Sink;
use tower_layer::Layer;

use crate::access::{AccessLayer, Observer};
use crate::cors::CorsLayer;
use crate::gate::Hold;
use crate::headers::Preset;
use crate::lifecycle::Lifecycle;
use crate::limit::rate::RateLimitLayer;
use crate::limit::time::{TimeLimitLayer, TokioTimer};
use crate::request_id::RequestIdLayer;
use crate::trace::TraceContextLayer;
use shared::Shared;

pub use service::{Stacked, StackedFuture};

/// What the layers of a [`Stack`] are set to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Whose `X-Forwarded-For` and `Forwarded` are believed; nobody's by default.
    pub trusted: Trusted,
    /// How requests get their ids.
    pub request_id: RequestIdLayer,
    /// Whether traces are begun, and requests have spans; neither by default.
    pub trace: TraceContextLayer,
    /// The header by which the service tells its route; it is taken off.
    pub route_header: Option<HeaderName>,
    /// Which security headers answers of the service get.
    pub headers: Preset,
    /// Which pages of other origins may read answers; none by default.
    pub cors: CorsLayer,
    /// How long requests wait for a start, or for the end of a pause; not at all by default.
    pub hold: Hold,
    /// Refuse during a drain instead of serving with a farewell.
    pub reject: bool,
    /// How many requests a client may make; any number by default.
    pub rate: RateLimitLayer,
    /// Most bytes of a request body.
    pub body: u64,
    /// Longest time to the head of an answer.
    pub time: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trusted: Trusted::default(),
            request_id: RequestIdLayer::default(),
            trace: TraceContextLayer::default(),
            route_header: None,
            headers: Preset::default(),
            cors: CorsLayer::default(),
            hold: Hold::default(),
            reject: false,
            rate: RateLimitLayer::default(),
            body: 100 * 1024 * 1024,
            time: Duration::from_mins(1),
        }
    }
}

/// All layers, in order. What they wrap share what the layers share.
#[derive(Debug, Clone)]
pub struct Stack<O, T = TokioTimer> {
    access: AccessLayer<O>,
    shared: Arc<Shared>,
    time: TimeLimitLayer<T>,
}

impl<O: Observer> Stack<O> {
    /// All of them, as `lifecycle` lets requests through; `observer` is told of each request and `sink` of panics.
    pub fn new(settings: Settings, lifecycle: Lifecycle, observer: O, sink: Arc<dyn Sink>) -> Self {
        let access = AccessLayer::new(observer);
        Self {
            access: match &settings.route_header {
                Some(header) => access.route_header(header.clone()),
                None => access,
            },
            time: TimeLimitLayer::new(settings.time),
            shared: Arc::new(Shared::new(settings, lifecycle, sink)),
        }
    }
}

impl<O, T> Stack<O, T> {
    /// Goes by another timer than tokio's.
    pub fn timer<U>(self, timer: U) -> Stack<O, U> {
        let Self { access, shared, time } = self;
        Stack { access, shared, time: time.timer(timer) }
    }
}

impl<S, O: Clone, T: Clone> Layer<S> for Stack<O, T> {
    type Service = Stacked<S, O, T>;

    fn layer(&self, inner: S) -> Self::Service {
        Stacked { inner, stack: self.clone() }
    }
}

#[cfg(test)]
mod tests;
