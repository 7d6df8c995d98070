//! All layers in the one order that is right, outermost first:
//!
//! panic guard → client address → request id → trace context → access event → security headers → CORS → gate → [rate limit](Stack::limited) →
//! body limit → time limit → the service.
//!
//! What is inside can refuse, and what is outside gives every refusal an id, headers and an access event.
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

mod front;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use seaworthy_core::address::Trusted;
use seaworthy_core::event::Sink;
use tower_layer::{Identity, Layer};

use crate::access::{AccessLayer, Observer};
use crate::client_address::ClientAddressLayer;
use crate::cors::{Cors, CorsLayer};
use crate::gate::{Gate, GateLayer, Hold};
use crate::headers::{Preset, SecurityHeadersLayer};
use crate::lifecycle::Lifecycle;
use crate::limit::body::{BodyLimit, BodyLimitLayer};
use crate::limit::time::{TimeLimit, TimeLimitLayer, TokioTimer};
use crate::panic::PanicGuardLayer;
use crate::request_id::RequestIdLayer;
use crate::trace::TraceContextLayer;
use front::FrontLayer;

pub use front::{Front, FrontFuture};

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
            body: 100 * 1024 * 1024,
            time: Duration::from_mins(1),
        }
    }
}

/// All layers, in order. `L` is what limits requests before their bodies are looked at; by default nothing.
#[derive(Debug, Clone)]
pub struct Stack<O, T = TokioTimer, L = Identity> {
    front: FrontLayer<O>,
    cors: CorsLayer,
    gate: GateLayer,
    limit: L,
    body: BodyLimitLayer,
    time: TimeLimitLayer<T>,
}

/// A service behind all layers.
pub type Stacked<S, O, T = TokioTimer, L = Identity> =
    Front<Cors<Gate<<L as Layer<BodyLimit<TimeLimit<S, T>>>>::Service>>, O>;

impl<O: Observer> Stack<O> {
    /// All of them, as `lifecycle` lets requests through; `observer` is told of each request and `sink` of panics.
    pub fn new(settings: Settings, lifecycle: Lifecycle, observer: O, sink: Arc<dyn Sink>) -> Self {
        let Settings { trusted, request_id, trace, route_header, headers, cors, hold, reject, body, time } = settings;
        let access = AccessLayer::new(observer);
        let front = FrontLayer {
            panic: PanicGuardLayer::new(sink),
            client: ClientAddressLayer::new(trusted),
            request_id,
            trace,
            access: match route_header {
                Some(header) => access.route_header(header),
                None => access,
            },
            headers: SecurityHeadersLayer::new(headers),
        };
        Self {
            front,
            cors,
            gate: GateLayer::new(lifecycle).hold(hold).reject(reject),
            limit: Identity::new(),
            body: BodyLimitLayer::new(body),
            time: TimeLimitLayer::new(time),
        }
    }
}

impl<O, T, L> Stack<O, T, L> {
    /// Goes by another timer than tokio's.
    pub fn timer<U>(self, timer: U) -> Stack<O, U, L> {
        let Self { front, cors, gate, limit, body, time } = self;
        Stack { front, cors, gate, limit, body, time: time.timer(timer) }
    }

    /// Puts `limit` behind the gate and in front of the body limit: what it refuses carries an id and all headers, and nothing
    /// of its body has been read.
    #[must_use]
    pub fn limited<M>(self, limit: M) -> Stack<O, T, M> {
        let Self { front, cors, gate, limit: _, body, time } = self;
        Stack { front, cors, gate, limit, body, time }
    }
}

impl<S, O, T, L> Layer<S> for Stack<O, T, L>
where
    O: Clone,
    T: Clone,
    L: Layer<BodyLimit<TimeLimit<S, T>>>,
{
    type Service = Stacked<S, O, T, L>;

    fn layer(&self, inner: S) -> Self::Service {
        let inner = self.gate.layer(self.limit.layer(self.body.layer(self.time.layer(inner))));
        self.front.layer(self.cors.layer(inner))
    }
}
