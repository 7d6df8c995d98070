//! The two bodies of a request that is being observed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

use super::{Learnt, Observer, Record};
use crate::refusal::ProblemBody;

pin_project_lite::pin_project! {
    /// The body of a request, counted while the service reads it.
    #[derive(Debug)]
    pub struct CountedBody<B> {
        #[pin]
        body: B,
        // `None` where there is nothing to read.
        learnt: Option<Learnt>,
    }
}

impl<B: Body> CountedBody<B> {
    pub(super) fn new(body: B, learnt: &Learnt) -> Self {
        let learnt = (!body.is_end_stream()).then(|| learnt.clone());
        Self { body, learnt }
    }
}

impl<B: Body> Body for CountedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let (Some(data), Some(learnt)) = (frame.data_ref(), this.learnt)
        {
            learnt.bytes_in(data.remaining() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pin_project_lite::pin_project! {
    /// The body of an answer; its end, or its drop, is the end of the request.
    pub struct AnswerBody<B, O: Observer>
    where
        B: Body
    {
        #[pin]
        body: B,
        record: Option<Record<O>>,
    }

    impl<B: Body, O: Observer> PinnedDrop for AnswerBody<B, O> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // Whoever writes the answer out does not ask a body that says it has ended.
            if let Some(record) = this.record && this.body.is_end_stream() {
                record.whole = true;
            }
        }
    }
}

impl<B: Body, O: Observer> std::fmt::Debug for AnswerBody<B, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerBody").finish_non_exhaustive()
    }
}

impl<B: Body, O: Observer> AnswerBody<B, O> {
    pub(crate) fn new(body: B, record: Option<Record<O>>) -> Self {
        Self { body, record }
    }
}

/// For layers outside of this one: what they refuse was never observed here.
impl<B: Body + ProblemBody, O: Observer> ProblemBody for AnswerBody<B, O> {
    fn from_problem(problem: Bytes) -> Self {
        Self::new(B::from_problem(problem), None)
    }
}

impl<B: Body, O: Observer> Body for AnswerBody<B, O> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        if let Some(record) = this.record {
            match &frame {
                Some(Ok(frame)) => record.bytes_out += frame.data_ref().map_or(0, Buf::remaining) as u64,
                Some(Err(_)) => *this.record = None,
                None => {
                    record.whole = true;
                    *this.record = None;
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
