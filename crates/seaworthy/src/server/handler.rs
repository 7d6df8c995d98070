//! What can be served.

use std::error::Error;

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::ReceivedBody;

/// A service that many connections can call at once, each with a clone. Whatever is one implements it.
pub(crate) trait Handler:
    Service<
        Request<ReceivedBody>,
        Response = Response<<Self as Handler>::Body>,
        Error: Into<Box<dyn Error + Send + Sync>>,
        Future: Send,
    > + Clone
    + Send
    + 'static
{
    /// Of its answers.
    type Body: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;
}

impl<S, B> Handler for S
where
    S: Service<Request<ReceivedBody>, Response = Response<B>, Error: Into<Box<dyn Error + Send + Sync>>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    type Body = B;
}
