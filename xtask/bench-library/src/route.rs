//! Tells our layers the route that axum matched.

use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::MatchedPath;
use http::Request;
use seaworthy::context::RequestContext;
use tower::{Layer, Service};

#[derive(Debug, Clone)]
pub(crate) struct RouteLayer;

impl<S> Layer<S> for RouteLayer {
    type Service = Route<S>;

    fn layer(&self, inner: S) -> Route<S> {
        Route { inner, route: None }
    }
}

/// axum makes one of each route, so that its text is made once.
#[derive(Debug, Clone)]
pub(crate) struct Route<S> {
    inner: S,
    route: Option<Arc<str>>,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Route<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let extensions = request.extensions();
        if let Some(path) = extensions.get::<MatchedPath>()
            && let Some(learnt) = RequestContext::of(extensions).and_then(|context| context.learnt.as_ref())
        {
            learnt.route(self.route.get_or_insert_with(|| path.as_str().into()).clone());
        }
        self.inner.call(request)
    }
}
