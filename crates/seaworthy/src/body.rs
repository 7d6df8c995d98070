//! The bodies that [`Production`](crate::Production) hands to a service and takes from it.
//!
//! ```no_run
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::{BodyExt, Full};
//! use seaworthy::{Lifecycle, Production, RequestBody};
//! use tower::service_fn;
//!
//! async fn create(request: Request<RequestBody>) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
//!     // An error where the client left, sent more than allowed or too slowly: whoever limits answers for it.
//!     let Ok(order) = request.into_body().collect().await else { return Ok(Response::default()) };
//!     let mut answer = Response::new(Full::from(format!("{} bytes", order.to_bytes().len())));
//!     *answer.status_mut() = StatusCode::CREATED;
//!     Ok(answer)
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! Production::builder("orders", "1.0.0").build()?.serve(service_fn(create), listener, Lifecycle::from_signals()).await?;
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::access::CountedBody;
use crate::limit::body::LimitedBody;
use crate::refusal::ProblemBody;
use crate::server::ReceivedBody;

/// The body of a request as a service behind [`Production`](crate::Production) gets it: counted, and ended with an error where it
/// gets larger or comes more slowly than allowed.
pub type RequestBody = LimitedBody<CountedBody<ReceivedBody>>;

pin_project_lite::pin_project! {
    /// The body of an answer: the service's own, or that of a refusal. So a service may answer with any body of bytes.
    pub struct Body<B> {
        #[pin]
        body: Option<B>,
        problem: Bytes,
    }
}

impl<B> Body<B> {
    /// That of the service.
    pub fn new(body: B) -> Self {
        Self { body: Some(body), problem: Bytes::new() }
    }
}

impl<B> ProblemBody for Body<B> {
    fn from_problem(problem: Bytes) -> Self {
        Self { body: None, problem }
    }
}

impl<B> fmt::Debug for Body<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("problem", &self.body.is_none()).finish_non_exhaustive()
    }
}

impl<B: http_body::Body<Data = Bytes>> http_body::Body for Body<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        match this.body.as_pin_mut() {
            Some(body) => body.poll_frame(cx),
            None if this.problem.is_empty() => Poll::Ready(None),
            None => Poll::Ready(Some(Ok(Frame::data(std::mem::take(this.problem))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Some(body) => body.is_end_stream(),
            None => self.problem.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) => body.size_hint(),
            None => SizeHint::with_exact(self.problem.len() as u64),
        }
    }
}
