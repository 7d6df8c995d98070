//! What a call to another service is told of the request that it is made for: its id and its trace.
//!
//! Without it a log of the service that is called cannot be found by the id of a request, and a trace ends here. A handler takes a
//! [`Propagation`] from its request and puts it onto each call that it makes.
//!
//! # Rules
//!
//! - `X-Request-ID`, `traceparent`, `tracestate` and `baggage` go on, as the service saw them: the id that was decided on, and the trace with
//!   our own span as the parent where spans are exported.
//! - What a call says itself stands.
//! - A refusal that stands in for the answer, as that of an open breaker, carries the id too.
//! - Nothing is passed on by itself: who is trusted with ids and baggage is the service's to say.
//!
//! Source: <https://www.w3.org/TR/trace-context/>, <https://www.w3.org/TR/baggage/>.
//!
//! # Example
//!
//! ```
//! use http::Request;
//! use seaworthy::propagation::Propagation;
//!
//! fn call_for<B>(incoming: &Request<B>) -> Request<()> {
//!     let mut call = Request::post("https://api.example.com/charges").body(()).expect("valid");
//!     Propagation::of(incoming).onto(&mut call);
//!     call
//! }
//! let incoming = Request::get("/").header("x-request-id", "abc-1").body(()).unwrap();
//! assert_eq!(call_for(&incoming).headers()["x-request-id"], "abc-1");
//! ```
//!
//! With the feature `axum` it is an extractor, and its [headers](Propagation::headers) suit clients that build their requests otherwise:
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::{Router, routing::post};
//! use seaworthy::propagation::Propagation;
//!
//! async fn charge(propagation: Propagation) -> String {
//!     // reqwest: client.post(url).headers(propagation.headers().clone()).send().await
//!     format!("{:?}", propagation.headers())
//! }
//! let app: Router = Router::new().route("/charge", post(charge));
//! # }
//! ```

use http::header::{Entry, HeaderName};
use http::{HeaderMap, Request};

use crate::context::RequestContext;

/// The headers that say whose a request is; the id first.
static NAMES: [HeaderName; 4] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
];

/// What a call is told of the request that it is made for. A clone says the same.
#[derive(Debug, Clone, Default)]
pub struct Propagation(HeaderMap);

impl Propagation {
    /// Of the request that is being served.
    #[must_use]
    pub fn of<B>(request: &Request<B>) -> Self {
        Self::of_headers(request.headers())
    }

    /// Of the headers of the request that is being served.
    #[must_use]
    pub fn of_headers(headers: &HeaderMap) -> Self {
        let mut kept = HeaderMap::new();
        for name in &NAMES {
            // `tracestate` and `baggage` may come in several lines.
            for value in headers.get_all(name) {
                kept.append(name, value.clone());
            }
        }
        Self(kept)
    }

    /// Tells a call, where it does not say so itself.
    pub fn onto<B>(&self, call: &mut Request<B>) {
        for name in &NAMES {
            if let Entry::Vacant(vacant) = call.headers_mut().entry(name) {
                let mut values = self.0.get_all(name).iter();
                if let Some(first) = values.next() {
                    let mut entry = vacant.insert_entry(first.clone());
                    values.for_each(|value| entry.append(value.clone()));
                }
            }
        }
        let id = call.headers().get(&NAMES[0]).cloned();
        let context = RequestContext::of_mut(call.extensions_mut());
        context.request_id = context.request_id.take().or(id);
    }

    /// As headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.0
    }
}

#[cfg(feature = "axum")]
impl<S: Sync> axum::extract::FromRequestParts<S> for Propagation {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of_headers(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_whose_a_request_is_goes_on_and_nothing_else() {
        let incoming = Request::get("/")
            .header("x-request-id", "abc-1")
            .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            .header("tracestate", "a=1")
            .header("tracestate", "b=2")
            .header("authorization", "Bearer geheim")
            .header("cookie", "session=geheim")
            .body(())
            .unwrap();
        let mut call = Request::new(());
        Propagation::of(&incoming).onto(&mut call);
        let names: Vec<_> = call.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-request-id", "traceparent", "tracestate"]);
        assert_eq!(call.headers().get_all("tracestate").iter().count(), 2);
        assert_eq!(RequestContext::of(call.extensions()).unwrap().request_id.as_ref().unwrap(), "abc-1");
    }

    #[test]
    fn what_a_call_says_itself_stands() {
        let incoming = Request::get("/").header("x-request-id", "abc-1").header("baggage", "a=1").body(()).unwrap();
        let mut call = Request::get("/").header("x-request-id", "own").body(()).unwrap();
        Propagation::of(&incoming).onto(&mut call);
        assert_eq!(call.headers()["x-request-id"], "own");
        assert_eq!(call.headers()["baggage"], "a=1");
    }
}
