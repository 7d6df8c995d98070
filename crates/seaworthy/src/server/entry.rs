//! Where a request of a connection enters the stack.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use http::{Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tower_service::Service;

use super::body::{Ending, Served, ServedBody};
use super::state::Connection;
use super::{ReceivedBody, Shared, wire};
use crate::context::RequestContext;

/// The service of one connection.
pub(super) struct Entry<S> {
    /// hyper calls through a shared reference, but never twice at once.
    service: RefCell<S>,
    state: Arc<Connection>,
    shared: Arc<Shared>,
}

impl<S> Entry<S> {
    pub(super) fn new(service: S, state: Arc<Connection>, shared: Arc<Shared>) -> Self {
        Self { service: RefCell::new(service), state, shared }
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Entry<S>
where
    S: Service<Request<ReceivedBody>, Response = Response<B>> + Clone,
{
    type Response = Response<ServedBody<B>>;
    type Error = S::Error;
    type Future = EntryFuture<S>;

    fn call(&self, request: Request<Incoming>) -> EntryFuture<S> {
        self.state.begin(self.shared.registry.now());
        let served = Served {
            state: self.state.clone(),
            shared: self.shared.clone(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            began: Instant::now(),
        };
        let mut request = request.map(|body| ReceivedBody::new(body, &self.state, &self.shared));
        let meter = request.body().meter();
        let context = RequestContext::of_mut(request.extensions_mut());
        (context.peer, context.meter) = (self.state.peer, meter);
        let mut service = self.service.borrow_mut();
        // Nearly every service is always ready. One that is not waits in a clone, because the next request of the
        // connection may come meanwhile.
        let call = match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Call::Answer { answer: service.call(request) },
            Poll::Ready(Err(_)) | Poll::Pending => Call::Wait { service: service.clone(), request: Some(request) },
        };
        EntryFuture { call, served: Some(served) }
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`Entry`].
    pub(super) struct EntryFuture<S: Service<Request<ReceivedBody>>> {
        #[pin]
        call: Call<S>,
        served: Option<Served>,
    }
}

pin_project_lite::pin_project! {
    #[project = CallProjection]
    enum Call<S: Service<Request<ReceivedBody>>> {
        Answer { #[pin] answer: S::Future },
        Wait { service: S, request: Option<Request<ReceivedBody>> },
    }
}

impl<S, B> Future for EntryFuture<S>
where
    S: Service<Request<ReceivedBody>, Response = Response<B>>,
{
    type Output = Result<Response<ServedBody<B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.call.as_mut().project() {
                CallProjection::Answer { answer } => {
                    let answer = ready!(answer.poll(cx))?;
                    return Poll::Ready(Ok(finish(answer, this.served.take())));
                }
                CallProjection::Wait { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    let Some(request) = request.take() else { return Poll::Pending };
                    let answer = service.call(request);
                    this.call.set(Call::Answer { answer });
                }
            }
        }
    }
}

fn finish<B>(answer: Response<B>, served: Option<Served>) -> Response<ServedBody<B>> {
    let mut ending = None;
    if let Some(served) = &served {
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            let to = answer.headers().get(header::UPGRADE);
            let websocket = to.is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
            served.state.upgrade(websocket, served.shared.registry.now());
        } else if wire::is_event_stream(&answer) {
            ending = Some(until_the_end(served.shared.clone()));
        }
    }
    answer.map(|body| ServedBody::new(body, served, ending))
}

/// Streams end at the beginning of the last phase, each at its own moment: their clients come back all at once otherwise.
fn until_the_end(shared: Arc<Shared>) -> Ending {
    Box::pin(async move {
        let spread = shared.finishing().await;
        tokio::time::sleep(jitter(spread)).await;
    })
}

fn jitter(spread: Duration) -> Duration {
    spread.mul_f64(fastrand::f64())
}
