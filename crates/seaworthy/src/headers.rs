//! Security headers: the full strict set on our own answers, and on the service's by default only what breaks nothing.
//!
//! What the service set itself stands. `Server` and `X-Powered-By` are taken off, because they tell an attacker which
//! exploit to try.
//!
//! | preset | for | what |
//! | --- | --- | --- |
//! | [`Preset::Basic`] | any service | `nosniff`, `Referrer-Policy` |
//! | [`Preset::Api`] | JSON APIs | no framing, no content of any kind, same-origin |
//! | [`Preset::Web`] | pages | a policy that allows one's own origin |
//! | [`Preset::Helmet`] | whoever comes from Helmet | what Helmet 8 sends, header by header |
//! | [`Preset::Strict`] | services that embed nothing | everything |
//! | [`Preset::Off`] | | nothing is added or taken off |
//!
//! # Example
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use seaworthy::headers::{Preset, SecurityHeadersLayer};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let service = ServiceBuilder::new()
//!     .layer(SecurityHeadersLayer::new(Preset::Api))
//!     .service(service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("hello")))));
//! let Ok(answer) = service.oneshot(Request::new(())).await;
//! assert_eq!(answer.headers()["content-security-policy"], "default-src 'none'; frame-ancestors 'none'");
//! # });
//! ```
//!
//! Sources: OWASP Secure Headers Project; Mozilla HTTP Observatory; the README of Helmet 8.

mod template;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderName, HeaderValue, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

pub(crate) use template::Templates;

/// Which headers an answer of the service gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Preset {
    /// `nosniff` and `Referrer-Policy`, which break nothing.
    #[default]
    Basic,
    /// For JSON APIs: no framing, no content of any kind, same-origin.
    Api,
    /// For pages: a policy that allows one's own origin.
    Web,
    /// What Helmet 8 sends, header by header.
    Helmet,
    /// Everything, for services that embed nothing; also what our own answers get.
    Strict,
    /// Nothing is added or taken off.
    Off,
}

// Statics, names and values: made of their text with each answer, they would be looked at byte by byte.
macro_rules! presets {
    ($($preset:ident: [$($name:literal: $value:expr,)+];)+) => {
        $(static $preset: &[(HeaderName, HeaderValue)] = {
            static HEADERS: [(HeaderName, HeaderValue); [$($name),+].len()] =
                [$((HeaderName::from_static($name), HeaderValue::from_static($value))),+];
            &HEADERS
        };)+
    };
}

static X_POWERED_BY: HeaderName = HeaderName::from_static("x-powered-by");

const NO_CONTENT: &str = "default-src 'none'; frame-ancestors 'none'";
const NO_DEVICES: &str = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()";
const OWN_CONTENT: &str =
    "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";
const HELMETS_CONTENT: &str = "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';\
     frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';script-src-attr 'none';\
     style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests";

presets! {
    BASIC: [
        "x-content-type-options": "nosniff",
        "referrer-policy": "strict-origin-when-cross-origin",
    ];
    API: [
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "x-frame-options": "DENY",
        "content-security-policy": NO_CONTENT,
        "cross-origin-resource-policy": "same-origin",
    ];
    WEB: [
        "x-content-type-options": "nosniff",
        "referrer-policy": "strict-origin-when-cross-origin",
        "x-frame-options": "DENY",
        "content-security-policy": OWN_CONTENT,
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": NO_DEVICES,
    ];
    // The reference in Helmet's README, version 8. Its HSTS is left to whoever ends the TLS.
    HELMET: [
        "content-security-policy": HELMETS_CONTENT,
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "origin-agent-cluster": "?1",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-dns-prefetch-control": "off",
        "x-download-options": "noopen",
        "x-frame-options": "SAMEORIGIN",
        "x-permitted-cross-domain-policies": "none",
        "x-xss-protection": "0",
    ];
    STRICT: [
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "x-frame-options": "DENY",
        "content-security-policy": NO_CONTENT,
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": NO_DEVICES,
        "x-permitted-cross-domain-policies": "none",
        "origin-agent-cluster": "?1",
    ];
}

impl Preset {
    /// The headers of this preset.
    #[must_use]
    pub fn headers(self) -> &'static [(HeaderName, HeaderValue)] {
        match self {
            Self::Basic => BASIC,
            Self::Api => API,
            Self::Web => WEB,
            Self::Helmet => HELMET,
            Self::Strict => STRICT,
            Self::Off => &[],
        }
    }
}

/// Wraps services in [`SecurityHeaders`].
#[derive(Debug, Clone)]
pub struct SecurityHeadersLayer(Arc<Templates>);

impl Default for SecurityHeadersLayer {
    fn default() -> Self {
        Self::new(Preset::default())
    }
}

impl SecurityHeadersLayer {
    /// Adds what `preset` says.
    pub fn new(preset: Preset) -> Self {
        Self(Arc::new(Templates::new(preset, &[])))
    }
}

impl<S> Layer<S> for SecurityHeadersLayer {
    type Service = SecurityHeaders<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SecurityHeaders { inner, layer: self.clone() }
    }
}

/// Adds headers to answers.
#[derive(Debug, Clone)]
pub struct SecurityHeaders<S> {
    inner: S,
    layer: SecurityHeadersLayer,
}

impl<S, B, R> Service<Request<B>> for SecurityHeaders<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = SecurityHeadersFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        SecurityHeadersFuture { answer: self.inner.call(request), layer: self.layer.clone() }
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`SecurityHeaders`].
    #[derive(Debug)]
    pub struct SecurityHeadersFuture<F> {
        #[pin]
        answer: F,
        layer: SecurityHeadersLayer,
    }
}

impl<F, R, E> Future for SecurityHeadersFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut answer = ready!(this.answer.poll(cx))?;
        this.layer.0.put([], &mut answer);
        Poll::Ready(Ok(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, header};
    use seaworthy_core::refusal::Reason;
    use std::convert::Infallible;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    async fn answer(preset: Preset, reason: Option<Reason>) -> HeaderMap {
        let service = ServiceBuilder::new().layer(SecurityHeadersLayer::new(preset)).service(service_fn(
            move |_: Request<()>| async move {
                let mut answer = Response::builder().header("server", "Werkzeug/3").header("x-powered-by", "Express");
                answer = answer.header("referrer-policy", "origin");
                let mut answer = answer.body(()).unwrap();
                if let Some(reason) = reason {
                    answer.extensions_mut().insert(reason);
                }
                Ok::<_, Infallible>(answer)
            },
        ));
        service.oneshot(Request::new(())).await.unwrap().headers().clone()
    }

    #[tokio::test]
    async fn what_the_service_set_itself_stands_and_what_it_runs_on_is_hidden() {
        let headers = answer(Preset::Basic, None).await;
        assert_eq!(headers[header::REFERRER_POLICY], "origin");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(!headers.contains_key(header::SERVER) && !headers.contains_key("x-powered-by"));
    }

    #[tokio::test]
    async fn the_default_adds_nothing_that_could_break_a_page() {
        let headers = answer(Preset::Basic, None).await;
        assert!(
            !headers.contains_key(header::CONTENT_SECURITY_POLICY) && !headers.contains_key(header::X_FRAME_OPTIONS)
        );
    }

    #[tokio::test]
    async fn our_own_answers_are_strict_unless_everything_is_off() {
        let headers = answer(Preset::Basic, Some(Reason::Starting)).await;
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], "default-src 'none'; frame-ancestors 'none'");
    }

    #[tokio::test]
    async fn off_leaves_an_answer_as_it_is() {
        let headers = answer(Preset::Off, None).await;
        assert_eq!(headers[header::SERVER], "Werkzeug/3");
    }

    #[tokio::test]
    async fn an_answer_has_every_header_of_its_preset_once() {
        for preset in [Preset::Basic, Preset::Api, Preset::Web, Preset::Helmet, Preset::Strict] {
            let headers = answer(preset, None).await;
            for (name, value) in preset.headers().iter().filter(|(name, _)| name != header::REFERRER_POLICY) {
                assert_eq!(headers.get_all(name).iter().collect::<Vec<_>>(), [value], "{name} of {preset:?}");
            }
        }
    }
}
