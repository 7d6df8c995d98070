//! Lets pages of other origins read answers: cross-origin resource sharing (CORS). Who may read what is a [`Policy`]; see
//! [`seaworthy_core::cors`].
//!
//! # Rules
//!
//! - A preflight is answered here, with 204: neither a limit nor the service sees it, also while the service starts or drains. To an
//!   origin that is not allowed it says nothing, which a browser takes for a no.
//! - Every other request passes, whoever sends it; its answer tells an allowed origin that its pages may read it. So do refusals from
//!   further in, or a page could not tell a 429 from a network that is down.
//! - `Vary: Origin` always stands on answers: a cache must not give one origin's to another.
//! - What the service itself says of sharing is taken off: two words make a browser believe neither.
//!
//! # Example
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use seaworthy::cors::{CorsLayer, Policy};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let service = ServiceBuilder::new()
//!     .layer(CorsLayer::new(&Policy::new(["https://app.example.com"])?))
//!     .service(service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))));
//! let request = Request::get("/orders").header("origin", "https://app.example.com").body(())?;
//! let Ok(answer) = service.oneshot(request).await;
//! assert_eq!(answer.headers()["access-control-allow-origin"], "https://app.example.com");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
pub use seaworthy_core::cors::{CorsError, EXPOSED, HEADERS, METHODS, Policy};
use tower_layer::Layer;
use tower_service::Service;

use crate::refusal::ProblemBody;

/// Whatever a service may say of sharing.
const SHARING: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

const PREFLIGHT_VARIES: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");

/// Wraps services in [`Cors`]. Clones share the policy. The default lets nobody read and changes nothing.
#[derive(Clone, Default)]
pub struct CorsLayer {
    written: Option<Arc<Written>>,
}

/// A policy with its headers as they are sent.
struct Written {
    policy: Policy,
    methods: HeaderValue,
    /// `None` for whatever is asked for.
    headers: Option<HeaderValue>,
    /// `None` for none.
    exposed: Option<HeaderValue>,
    max_age: HeaderValue,
}

impl CorsLayer {
    /// Shares as `policy` says.
    pub fn new(policy: &Policy) -> Self {
        let list = |text: &str| HeaderValue::from_str(text).expect("tokens are visible ASCII");
        let exposed = policy.exposed_list();
        let written = Written {
            policy: policy.clone(),
            methods: list(&policy.method_list()),
            headers: policy.header_list().as_deref().map(list),
            exposed: (!exposed.is_empty()).then(|| list(&exposed)),
            max_age: policy.remembered_for().as_secs().into(),
        };
        Self { written: Some(Arc::new(written)) }
    }

    /// The same policy, and nothing in common with this one: for a thread of its own. Whoever answers counts references to the policy and
    /// to its headers, and a count that several cores write is waited for.
    #[must_use]
    pub fn unshared(&self) -> Self {
        self.written.as_ref().map(|written| Self::new(&written.policy)).unwrap_or_default()
    }
}

impl fmt::Debug for CorsLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorsLayer").field("policy", &self.written.as_ref().map(|written| &written.policy)).finish()
    }
}

impl<S> Layer<S> for CorsLayer {
    type Service = Cors<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Cors { inner, layer: self.clone() }
    }
}

/// Answers preflights, and tells allowed origins that their pages may read answers.
#[derive(Debug, Clone)]
pub struct Cors<S> {
    inner: S,
    layer: CorsLayer,
}

impl<S, B, R> Service<Request<B>> for Cors<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: ProblemBody,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = CorsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.layer.ask(request.method(), request.headers()) {
            Asked::Nothing => CorsFuture { sharing: Sharing::Off { answer: self.inner.call(request) } },
            Asked::Preflight(headers) => CorsFuture { sharing: Sharing::Preflight { headers: Some(headers) } },
            Asked::Answer(origin) => {
                let layer = self.layer.clone();
                CorsFuture { sharing: Sharing::On { answer: self.inner.call(request), origin, layer } }
            }
        }
    }
}

/// What a request wants to know of sharing.
pub(crate) enum Asked {
    /// Nothing, since nothing is shared.
    Nothing,
    /// Whether it may be made: answered by these headers.
    Preflight(HeaderMap),
    /// Whether a page of this origin, if it is one's, may read the answer.
    Answer(Option<HeaderValue>),
}

impl CorsLayer {
    pub(crate) fn ask(&self, method: &Method, headers: &HeaderMap) -> Asked {
        let Some(written) = &self.written else { return Asked::Nothing };
        let origin = headers.get(ORIGIN);
        if origin.is_some() && method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return Asked::Preflight(written.preflight(headers));
        }
        Asked::Answer(origin.cloned())
    }

    /// Tells a page of `origin` in `headers` of the answer whether it may read it.
    pub(crate) fn share(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if let Some(written) = &self.written {
            written.share(origin, headers);
        }
    }
}

/// The answer to a preflight.
pub(crate) fn preflight<R: ProblemBody>(headers: HeaderMap) -> Response<R> {
    let mut answer = Response::new(R::from_problem(Bytes::new()));
    *answer.status_mut() = StatusCode::NO_CONTENT;
    *answer.headers_mut() = headers;
    answer
}

impl Written {
    /// Names the origin, where it is an allowed one. Says whether it is.
    fn grant(&self, origin: Option<&HeaderValue>, into: &mut HeaderMap) -> bool {
        let Some(origin) = origin.filter(|origin| self.policy.allows(origin.as_bytes())) else { return false };
        let named = if self.policy.allows_anybody() { HeaderValue::from_static("*") } else { origin.clone() };
        into.insert(ACCESS_CONTROL_ALLOW_ORIGIN, named);
        if self.policy.allows_credentials() {
            into.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        true
    }

    fn preflight(&self, asked: &HeaderMap) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(VARY, PREFLIGHT_VARIES);
        if !self.grant(asked.get(ORIGIN), &mut headers) {
            return headers;
        }
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        // Named, because `*` means no header at all where there are credentials.
        if let Some(allowed) = self.headers.as_ref().or_else(|| asked.get(ACCESS_CONTROL_REQUEST_HEADERS)) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed.clone());
        }
        headers.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        headers
    }

    fn share(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        for name in &SHARING {
            headers.remove(name);
        }
        if self.grant(origin, headers)
            && let Some(exposed) = &self.exposed
        {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
        let varies = |value: &HeaderValue| {
            let mut names = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            names.any(|name| name == b"*" || name.eq_ignore_ascii_case(b"origin"))
        };
        if !headers.get_all(VARY).iter().any(varies) {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`Cors`].
    pub struct CorsFuture<F> {
        #[pin]
        sharing: Sharing<F>,
    }
}

pin_project_lite::pin_project! {
    #[project = SharingProjection]
    enum Sharing<F> {
        Off { #[pin] answer: F },
        On { #[pin] answer: F, origin: Option<HeaderValue>, layer: CorsLayer },
        Preflight { headers: Option<HeaderMap> },
    }
}

impl<F> fmt::Debug for CorsFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorsFuture").finish_non_exhaustive()
    }
}

impl<F, R, E> Future for CorsFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: ProblemBody,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().sharing.project() {
            SharingProjection::Off { answer } => answer.poll(cx),
            SharingProjection::On { answer, origin, layer } => {
                let mut answer = ready!(answer.poll(cx))?;
                layer.share(origin.as_ref(), answer.headers_mut());
                Poll::Ready(Ok(answer))
            }
            SharingProjection::Preflight { headers } => {
                let headers = headers.take().expect("a future is not polled after it was ready");
                Poll::Ready(Ok(preflight(headers)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::Full;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    use super::*;

    const APP: &str = "https://app.example.com";

    fn policy() -> Policy {
        Policy::new([APP]).unwrap().credentials(true).unwrap()
    }

    /// What is answered by a service that says something of sharing itself, and whether it was asked.
    async fn answered(policy: &Policy, request: http::request::Builder) -> Response<Full<Bytes>> {
        let service = ServiceBuilder::new().layer(CorsLayer::new(policy)).service(service_fn(|_: Request<()>| async {
            let answer = Response::builder().header("access-control-allow-origin", "*").header("vary", "Accept");
            Ok::<_, Infallible>(answer.body(Full::from("asked")).unwrap())
        }));
        let Ok(answer) = service.oneshot(request.body(()).unwrap()).await;
        answer
    }

    fn preflight(origin: &str) -> http::request::Builder {
        Request::options("/").header("origin", origin).header("access-control-request-method", "PUT")
    }

    fn text<'a>(answer: &'a Response<Full<Bytes>>, name: &str) -> Option<&'a str> {
        answer.headers().get(name).map(|value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn an_allowed_page_may_read_and_another_may_not_whatever_the_service_says() {
        let answer = answered(&policy(), Request::get("/").header("origin", APP)).await;
        assert_eq!(text(&answer, "access-control-allow-origin"), Some(APP));
        assert_eq!(text(&answer, "access-control-allow-credentials"), Some("true"));
        assert!(text(&answer, "access-control-expose-headers").unwrap().contains("retry-after"));
        for request in [Request::get("/").header("origin", "https://evil.example"), Request::get("/")] {
            let answer = answered(&policy(), request).await;
            assert_eq!(answer.status(), 200, "it is no protection");
            assert!(SHARING.iter().all(|name| !answer.headers().contains_key(name)), "{answer:?}");
            let varies: Vec<_> = answer.headers().get_all("vary").iter().collect();
            assert_eq!(varies, ["Accept", "Origin"]);
        }
    }

    #[tokio::test]
    async fn a_preflight_is_answered_without_asking_the_service() {
        let answer = answered(&policy(), preflight(APP)).await;
        assert_eq!((answer.status().as_u16(), text(&answer, "access-control-max-age")), (204, Some("600")));
        assert_eq!(text(&answer, "access-control-allow-methods"), Some("GET, HEAD, POST, PUT, PATCH, DELETE"));
        assert_eq!(text(&answer, "access-control-allow-headers"), Some("authorization, content-type"));
        let refused = answered(&policy(), preflight("https://evil.example")).await;
        assert_eq!((refused.status().as_u16(), refused.headers().len()), (204, 1));
        // What only looks like one is the service's own affair.
        let own = answered(&policy(), Request::options("/").header("origin", APP)).await;
        assert_eq!(own.status(), 200);
    }

    #[tokio::test]
    async fn whatever_headers_a_page_asks_for_are_named_one_by_one() {
        let policy = policy().headers(["*"]).unwrap();
        let answer = answered(&policy, preflight(APP).header("access-control-request-headers", "x-a,x-b")).await;
        assert_eq!(text(&answer, "access-control-allow-headers"), Some("x-a,x-b"));
    }

    #[tokio::test]
    async fn anybody_is_named_by_a_star() {
        let anybody = Policy::new(["*"]).unwrap();
        let answer = answered(&anybody, Request::get("/").header("origin", "null")).await;
        assert_eq!(text(&answer, "access-control-allow-origin"), Some("*"));
        assert_eq!(text(&answer, "access-control-allow-credentials"), None);
    }

    #[tokio::test]
    async fn a_layer_without_a_policy_changes_nothing() {
        let service = ServiceBuilder::new().layer(CorsLayer::default()).service(service_fn(|_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
        let Ok(answer) = service.oneshot(preflight(APP).body(()).unwrap()).await;
        assert!(answer.headers().is_empty() && answer.status() == 200);
    }
}
