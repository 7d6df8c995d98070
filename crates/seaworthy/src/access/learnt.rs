//! What is known of a request for as long as anybody may ask, and what is learnt meanwhile.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header};
use seaworthy_core::trace::{RequestSpan, TraceId};

use crate::clock;
use crate::context::{RequestContext, is_grpc};
use crate::trace;

/// What a proxy says of its upstream's part.
#[derive(Debug, Clone)]
pub struct Upstreamed {
    /// Where the request went: host and port.
    pub address: Arc<str>,
    /// Until the head of its answer.
    pub time: Duration,
    /// How often it was sent; 1 where once was enough.
    pub attempts: u8,
}

/// What is learnt of a request while it runs, by those that are not asked for an answer. In the
/// [`RequestContext`], because the extensions of an answer would cost a map of their own. Clones are the same.
#[derive(Debug, Clone)]
pub struct Learnt(pub(super) Arc<LearntInner>);

/// Beside it stands what was known when it began: one allocation for both.
#[derive(Debug)]
pub(super) struct LearntInner {
    pub(super) asked: Asked,
    pub(super) bytes_in: AtomicU64,
    pub(super) upstream: OnceLock<Upstreamed>,
    pub(super) route: OnceLock<Route>,
    /// From the header of the answer.
    pub(super) told_route: OnceLock<HeaderValue>,
}

/// A pattern that a path matched, in whatever its router keeps it: counted there already, and not copied.
#[derive(Debug)]
pub(super) enum Route {
    Text(Arc<str>),
    #[cfg(feature = "axum")]
    Matched(axum::extract::MatchedPath),
}

impl Route {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            #[cfg(feature = "axum")]
            Self::Matched(path) => path.as_str(),
        }
    }
}

impl Learnt {
    /// Says where the request went. Only the first word counts.
    pub fn upstream(&self, upstream: Upstreamed) {
        let _ = self.0.upstream.set(upstream);
    }

    /// Says which pattern the path matched, as a router knows it. Only the first word counts, and a header's counts more.
    pub fn route(&self, route: Arc<str>) {
        let _ = self.0.route.set(Route::Text(route));
    }

    /// The same, as axum has it.
    #[cfg(feature = "axum")]
    pub(crate) fn matched(&self, path: axum::extract::MatchedPath) {
        let _ = self.0.route.set(Route::Matched(path));
    }

    pub(crate) fn request_id(&self) -> Option<&HeaderValue> {
        self.0.asked.request_id.as_ref()
    }

    pub(crate) fn is_grpc(&self) -> bool {
        self.0.asked.grpc
    }

    pub(super) fn bytes_in(&self, count: u64) {
        self.0.bytes_in.fetch_add(count, Ordering::Relaxed);
    }
}

/// The head of a request, but for what is in its extensions.
#[derive(Debug)]
pub(crate) struct Head<'r> {
    pub(crate) method: &'r Method,
    pub(crate) uri: &'r Uri,
    pub(crate) version: Version,
    pub(crate) headers: &'r HeaderMap,
}

/// What the head of a request said, and what the layers outside of this one found.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) started: Instant,
    pub(super) method: Method,
    pub(super) target: Option<PathAndQuery>,
    pub(super) version: Version,
    pub(super) user_agent: Option<HeaderValue>,
    pub(super) trace_id: Option<TraceId>,
    pub(super) span: Option<RequestSpan>,
    pub(super) request_id: Option<HeaderValue>,
    pub(super) client: Option<IpAddr>,
    pub(super) grpc: bool,
    pub(super) route_header: Option<HeaderName>,
}

impl Asked {
    pub(super) fn of(context: &mut RequestContext, head: &Head<'_>, route_header: Option<&HeaderName>) -> Self {
        let Head { method, uri, version, headers } = *head;
        Self {
            started: context.started.unwrap_or_else(clock::now),
            method: method.clone(),
            target: uri.path_and_query().cloned(),
            version,
            // They are few: to look at each is quicker than to hash the name.
            user_agent: headers.iter().find(|(name, _)| *name == header::USER_AGENT).map(|(_, value)| value.clone()),
            trace_id: context.trace_id.or_else(|| trace::sent(headers)),
            span: context.span,
            // Moved, since each copy of it is counted.
            request_id: context.request_id.take().or_else(|| context.request_id().cloned()),
            client: context.client,
            grpc: context.grpc.unwrap_or_else(|| is_grpc(method, headers)),
            route_header: route_header.cloned(),
        }
    }
}
