//! `X-Request-ID`: kept when it can be believed and is harmless, made otherwise; on the request, on the answer, and in
//! [`RequestContext::request_id`] for everything between.
//!
//! # Rules
//!
//! - An id is harmless if it matches `[A-Za-z0-9._~+/=:@-]{1,128}`; another one is replaced and reaches no log.
//! - [`Trust::Proxies`] keeps only what a trusted proxy sent.
//! - A new id is a UUID v7 (RFC 9562), so that ids sort by time; v4 by option. Neither costs a system call.
//!
//! # Example
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use seaworthy::request_id::RequestIdLayer;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let service = ServiceBuilder::new()
//!     .layer(RequestIdLayer::default())
//!     .service(service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("hello")))));
//! let asked = |id| service.clone().oneshot(Request::get("/").header("x-request-id", id).body(()).unwrap());
//! assert_eq!(asked("order-7").await.unwrap().headers()["x-request-id"], "order-7");
//! assert_ne!(asked("a b").await.unwrap().headers()["x-request-id"], "a b");
//! # });
//! ```

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::Entry;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use seaworthy_core::trace;
use tower_layer::Layer;
use tower_service::Service;

use crate::clock;
use crate::context::RequestContext;
use crate::value;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Whose ids are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Trust {
    /// Whoever sends one.
    #[default]
    Anyone,
    /// Only ids from a trusted proxy; see [`crate::client`].
    Proxies,
}

/// How new ids are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Format {
    /// Sorts by time.
    #[default]
    V7,
    /// Says nothing about the time.
    V4,
}

/// Wraps services in [`RequestId`].
#[derive(Debug, Clone)]
pub struct RequestIdLayer {
    header: HeaderName,
    trust: Trust,
    format: Format,
}

impl Default for RequestIdLayer {
    fn default() -> Self {
        Self { header: X_REQUEST_ID, trust: Trust::default(), format: Format::default() }
    }
}

impl RequestIdLayer {
    /// Whose ids are kept. Default: anybody's.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// How new ids are made. Default: UUID version 7.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Another header than `X-Request-ID`.
    #[must_use]
    pub fn header(mut self, header: HeaderName) -> Self {
        self.header = header;
        self
    }
}

impl<S> Layer<S> for RequestIdLayer {
    type Service = RequestId<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequestId { inner, layer: self.clone() }
    }
}

/// Gives each request an id.
#[derive(Debug, Clone)]
pub struct RequestId<S> {
    inner: S,
    layer: RequestIdLayer,
}

impl<S, B, R> Service<Request<B>> for RequestId<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = RequestIdFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let Parts { method, headers, extensions, .. } = &mut head;
        let context = RequestContext::of_mut(extensions);
        context.know_protocol(method, headers);
        let id = self.layer.mark(context, headers).clone();
        let mark = Mark { header: self.layer.header.clone(), id };
        RequestIdFuture { answer: self.inner.call(Request::from_parts(head, body)), mark: Some(mark) }
    }
}

impl RequestIdLayer {
    /// In which header it stands.
    pub(crate) fn name(&self) -> &HeaderName {
        &self.header
    }

    /// Gives `request` its id, and returns it: for a request that goes out, whose answer carries an id of its own.
    pub fn identify<B>(&self, request: &mut Request<B>) -> HeaderValue {
        let mut extensions = mem::take(request.extensions_mut());
        let context = RequestContext::of_mut(&mut extensions);
        context.know_protocol(request.method(), request.headers());
        let id = self.mark(context, request.headers_mut()).clone();
        *request.extensions_mut() = extensions;
        id
    }

    /// Gives a request with this head its id, and says in its context which one.
    pub(crate) fn mark<'c>(&self, context: &'c mut RequestContext, headers: &mut HeaderMap) -> &'c HeaderValue {
        let Self { header, trust, format } = self;
        let now = clock::now();
        let believed = *trust == Trust::Anyone || context.peer_trusted;
        let id = match headers.entry(header) {
            Entry::Occupied(sent) if believed && is_harmless(sent.get().as_bytes()) => sent.get().clone(),
            // Replaces all that the client sent, several headers of the name too.
            entry => {
                let id = match format {
                    Format::V7 => id_of_time(clock::time_of_day(now)),
                    Format::V4 => new_id(Format::V4),
                };
                value::put(entry, id.clone());
                id
            }
        };
        // Read once, for the id and for whoever says how long it took.
        context.started.get_or_insert(now);
        context.request_id.insert(id)
    }
}

/// What the answer to a request will carry.
#[derive(Debug)]
struct Mark {
    header: HeaderName,
    id: HeaderValue,
}

pin_project_lite::pin_project! {
    /// The answer of [`RequestId`].
    #[derive(Debug)]
    pub struct RequestIdFuture<F> {
        #[pin]
        answer: F,
        mark: Option<Mark>,
    }
}

impl<F, R, E> Future for RequestIdFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut answer = ready!(this.answer.poll(cx))?;
        if let Some(Mark { header, id }) = this.mark.take() {
            answer.headers_mut().insert(header, id);
        }
        Poll::Ready(Ok(answer))
    }
}

/// Whether an id that somebody sent may go into a header, a log and a URL as it is.
#[must_use]
pub fn is_harmless(id: &[u8]) -> bool {
    let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"._~+/=:@-".contains(byte);
    (1..=128).contains(&id.len()) && id.iter().all(harmless)
}

/// A new id.
#[must_use]
pub fn new_id(format: Format) -> HeaderValue {
    match format {
        Format::V7 => id_of_time(SystemTime::now()),
        Format::V4 => uuid(4, fastrand::u128(..).to_be_bytes()),
    }
}

fn id_of_time(time: SystemTime) -> HeaderValue {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    // 48 bits of milliseconds last until the year 10889.
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX).to_be_bytes();
    let mut bytes = fastrand::u128(..).to_be_bytes();
    bytes[..6].copy_from_slice(&millis[2..]);
    uuid(7, bytes)
}

/// As RFC 9562 writes it (4), and with its marks.
fn uuid(version: u8, mut bytes: [u8; 16]) -> HeaderValue {
    bytes[6] = bytes[6] & 0x0f | version << 4;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut digits = [0; 32];
    trace::encode(&bytes, &mut digits);
    let mut text = [b'-'; 36];
    text[..8].copy_from_slice(&digits[..8]);
    text[9..13].copy_from_slice(&digits[8..12]);
    text[14..18].copy_from_slice(&digits[12..16]);
    text[19..23].copy_from_slice(&digits[16..20]);
    text[24..].copy_from_slice(&digits[20..]);
    value::of(&text).expect("hexadecimal digits and hyphens are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    /// The ids that the service and the client saw.
    async fn ids(layer: RequestIdLayer, sent: Option<&str>, from_proxy: bool) -> (String, String) {
        let service = ServiceBuilder::new().layer(layer).service(service_fn(|request: Request<()>| async move {
            let seen: Vec<_> = request.headers().get_all("x-request-id").iter().collect();
            assert_eq!(seen.len(), 1, "one id");
            let context = RequestContext::of(request.extensions()).expect("the layer made one");
            assert_eq!(context.request_id(), Some(seen[0]));
            Ok::<_, Infallible>(Response::new(seen[0].to_str().unwrap().to_owned()))
        }));
        let mut request = Request::new(());
        if let Some(sent) = sent {
            request.headers_mut().insert("x-request-id", HeaderValue::from_str(sent).unwrap());
        }
        RequestContext::of_mut(request.extensions_mut()).peer_trusted = from_proxy;
        let answer = service.oneshot(request).await.unwrap();
        let told = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        (answer.into_body(), told)
    }

    #[tokio::test]
    async fn a_harmless_id_is_kept_on_the_way_in_and_on_the_answer() {
        let (seen, told) = ids(RequestIdLayer::default(), Some("req-1.2~3+4/5=6:7@8"), false).await;
        assert_eq!((seen.as_str(), told.as_str()), ("req-1.2~3+4/5=6:7@8", "req-1.2~3+4/5=6:7@8"));
    }

    #[tokio::test]
    async fn an_id_that_could_do_harm_is_replaced() {
        for sent in ["a b", "<script>", "\"", &"x".repeat(129)] {
            let (seen, told) = ids(RequestIdLayer::default(), Some(sent), false).await;
            assert_eq!(seen, told);
            assert_ne!(seen, sent);
        }
    }

    #[tokio::test]
    async fn ids_of_strangers_are_replaced_where_only_proxies_are_believed() {
        let layer = RequestIdLayer::default().trust(Trust::Proxies);
        assert_ne!(ids(layer.clone(), Some("mine"), false).await.0, "mine");
        assert_eq!(ids(layer, Some("mine"), true).await.0, "mine");
    }

    #[tokio::test]
    async fn a_request_without_an_id_gets_a_uuid_of_the_chosen_version() {
        for (format, version) in [(Format::V7, "7"), (Format::V4, "4")] {
            let (id, _) = ids(RequestIdLayer::default().format(format), None, false).await;
            assert_eq!(id.len(), 36);
            assert_eq!(&id[14..15], version);
            assert!(["8", "9", "a", "b"].contains(&&id[19..20]), "{id}");
        }
    }

    #[test]
    fn ids_of_version_seven_begin_with_the_time() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let id = new_id(Format::V7);
        let text = id.to_str().unwrap().replace('-', "");
        let millis = u128::from_str_radix(&text[..12], 16).unwrap();
        assert!(millis.abs_diff(now) < 10_000, "{millis} is not about {now}");
    }

    #[test]
    fn fuzz_an_id_that_is_kept_can_stand_in_a_header_a_log_and_a_url() {
        seaworthy_fuzz::drive("request-id", |id| {
            if is_harmless(id) {
                assert!(HeaderValue::from_bytes(id).is_ok_and(|value| value.to_str().is_ok()));
                assert!(!id.iter().any(|byte| b" \"\\<>%#?&".contains(byte)) && id.len() <= 128);
            }
        });
    }
}
