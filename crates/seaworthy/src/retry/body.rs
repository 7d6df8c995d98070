//! A request body that is there whole, or streams once.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

pin_project_lite::pin_project! {
    /// The body of an attempt.
    #[derive(Debug)]
    #[allow(missing_docs, reason = "this macro takes no documents of fields")]
    #[project = RetryBodyProjection]
    pub enum RetryBody<B> {
        /// Can be sent again.
        Whole { bytes: Bytes },
        /// Is sent once.
        Streaming { #[pin] body: B },
    }
}

impl<B> RetryBody<B> {
    /// One that is the same, where it can be sent again.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Whole { bytes } => Some(Self::Whole { bytes: bytes.clone() }),
            Self::Streaming { .. } => None,
        }
    }
}

impl<B: Body> Body for RetryBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project() {
            RetryBodyProjection::Whole { bytes } if bytes.is_empty() => Poll::Ready(None),
            RetryBodyProjection::Whole { bytes } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            RetryBodyProjection::Streaming { body } => body.poll_frame(cx).map_ok(|frame| {
                // Free of cost where it is `Bytes` already.
                frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole { bytes } => bytes.is_empty(),
            Self::Streaming { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole { bytes } => SizeHint::with_exact(bytes.len() as u64),
            Self::Streaming { body } => body.size_hint(),
        }
    }
}
