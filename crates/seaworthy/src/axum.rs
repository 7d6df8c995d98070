//! axum: the route of a request as a label, and layers in a router by themselves (feature `axum`).
//!
//! [`Production::serve`](crate::Production::serve) labels a `Router` by itself. Whoever uses the layers one by one adds [`RouteLabelLayer`] by
//! `Router::layer`: it has to stand inside of the router, where the route is known, while [`access`](crate::access) stands outside.
//!
//! ```
//! use axum::{Router, routing::get};
//! use seaworthy::axum::{RouteLabelLayer, probes};
//! use seaworthy::{health::Health, lifecycle::Lifecycle, probes::Endpoints};
//!
//! let app: Router = Router::new()
//!     .route("/orders/{id}", get(|| async { "" }))
//!     .layer(RouteLabelLayer::default())
//!     .merge(probes(&Endpoints::new("orders", Health::default(), Lifecycle::default())));
//! ```

use std::any::Any;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::MatchedPath;
use axum::routing::any_service;
use bytes::Bytes;
use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use crate::context::RequestContext;
use crate::probes::Endpoints;
use crate::refusal::ProblemBody;

/// Lets every layer of this crate be used in a router by itself.
impl ProblemBody for axum::body::Body {
    fn from_problem(problem: Bytes) -> Self {
        Self::from(problem)
    }
}

/// The paths of `endpoints` as a router, to be merged into that of the service.
pub fn probes<S: Clone + Send + Sync + 'static>(endpoints: &Endpoints) -> Router<S> {
    let paths = Endpoints::paths().filter(|path| path.contains('{') || endpoints.has(path));
    paths.fold(Router::new(), |router, path| router.route(path, any_service(endpoints.clone())))
}

/// The same service; a router gets its [`RouteLabelLayer`], and its handlers are made services once, not with each request.
pub(crate) fn labelled<S: Any>(app: S) -> S {
    // A trait that routers implement in another way than all other services cannot be had: axum might make `Router` a
    // service of any request tomorrow, which the compiler holds against it today. So it is asked what it is.
    let mut app = Some(app);
    let any: &mut dyn Any = &mut app;
    if let Some(router) = any.downcast_mut::<Option<Router>>() {
        *router = router.take().map(|router| router.layer(RouteLabelLayer::default()).with_state(()));
    }
    app.expect("what was taken out has been put back")
}

/// Wraps services in [`RouteLabel`].
#[derive(Debug, Clone, Copy, Default)]
pub struct RouteLabelLayer(());

impl<S> Layer<S> for RouteLabelLayer {
    type Service = RouteLabel<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RouteLabel { inner }
    }
}

/// Leaves word of the route that a request took, for the access event.
#[derive(Debug, Clone)]
pub struct RouteLabel<S> {
    inner: S,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for RouteLabel<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let extensions = request.extensions();
        if let Some(path) = extensions.get::<MatchedPath>()
            && let Some(learnt) = RequestContext::of(extensions).and_then(|context| context.learnt.as_ref())
        {
            learnt.matched(path.clone());
        }
        self.inner.call(request)
    }
}
