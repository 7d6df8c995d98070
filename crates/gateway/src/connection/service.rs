//! Where a request enters the stack, and where its answer leaves it.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use seaworthy::context::RequestContext;
use seaworthy::server::wire;
use seaworthy_core::connection::Phase;
use tower_service::Service;

use super::body::{AnswerBody, RequestBody, Served};
use super::state::Connection;
use crate::worker::{StackBody, StackFuture, Worker};

/// The service of one connection.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    worker: Rc<Worker>,
    state: Rc<Connection>,
    /// The peer's address as a header value, made once.
    peer: Option<HeaderValue>,
}

impl Entry {
    pub(super) fn new(worker: Rc<Worker>, state: Rc<Connection>) -> Self {
        let peer = state.peer.and_then(|peer| HeaderValue::from_str(&peer.ip().to_canonical().to_string()).ok());
        Self { worker, state, peer }
    }

    /// Whether a request may have been read otherwise by whoever stands before us; see [`super::framing`].
    fn is_ambiguous(&self, request: &Request<Incoming>) -> bool {
        self.state.length_seen.get() && request.headers().contains_key(header::TRANSFER_ENCODING)
    }

    fn served(&self) -> Served {
        self.state.requests.set(self.state.requests.get() + 1);
        Served { state: self.state.clone(), in_flight: None }
    }
}

/// What is written to the client.
pub(super) type ClientBody = AnswerBody<Either<StackBody, Full<Bytes>>>;

impl hyper::service::Service<Request<Incoming>> for Entry {
    type Response = Response<ClientBody>;
    type Error = Infallible;
    type Future = EntryFuture;

    fn call(&self, request: Request<Incoming>) -> EntryFuture {
        let worker = &self.worker;
        self.state.answered.set(false);
        self.state.used.set(true);
        if self.state.phase() != Phase::Streams {
            self.state.enter(Phase::Busy, worker.ticks.now());
        }
        let mut served = self.served();
        let client = self.state.peer.map(|peer| peer.ip());
        if let Some(answer) = worker.public.answer(&request, client) {
            let leaving = request.version() < Version::HTTP_2 && worker.lifecycle.state().leaving();
            let last = leaving || self.is_ambiguous(&request);
            return EntryFuture::Answered { answer: Some((answer, served)), last };
        }
        served.in_flight = Some(worker.registry.begin(&request));
        let last = self.is_ambiguous(&request);
        let (state, ticks) = (self.state.clone(), worker.ticks.clone());
        let mut request = request.map(|body| RequestBody::new(body, state, ticks));
        let context = RequestContext::of_mut(request.extensions_mut());
        context.peer = self.state.peer;
        context.peer_header.clone_from(&self.peer);
        context.connection = Some(self.state.key);
        let answer = worker.stack.borrow_mut().call(request);
        EntryFuture::Stack { answer, worker: worker.clone(), served: Some(served), last }
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`Entry`].
    #[project = EntryProjection]
    pub(super) enum EntryFuture {
        Stack {
            #[pin]
            answer: StackFuture,
            worker: Rc<Worker>,
            served: Option<Served>,
            // The connection serves nothing after it.
            last: bool,
        },
        /// By a probe or a page of ours.
        Answered { answer: Option<(Response<Full<Bytes>>, Served)>, last: bool },
    }
}

impl Future for EntryFuture {
    type Output = Result<Response<ClientBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            EntryProjection::Stack { answer, worker, served, last } => {
                let mut answer = ready!(answer.poll(cx))?;
                if *last && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                    close_after(&mut answer);
                }
                let served = served.take().expect("an answer is given once");
                let end = wire::is_event_stream(&answer).then(|| worker.registry.stream());
                // The tunnel that follows is counted by itself.
                let body = |body| AnswerBody::new(Either::Left(body), end, served);
                Poll::Ready(Ok(answer.map(body)))
            }
            EntryProjection::Answered { answer, last } => {
                let (mut answer, served) = answer.take().expect("an answer is given once");
                if *last {
                    close_after(&mut answer);
                }
                Poll::Ready(Ok(answer.map(|body| AnswerBody::new(Either::Right(body), None, served))))
            }
        }
    }
}

fn close_after<B>(answer: &mut Response<B>) {
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}
