//! Two attempts at most, and the answer that comes first.
//!
//! | first | second | then |
//! | --- | --- | --- |
//! | answers | none yet, or on its way | the first's |
//! | slow | | the second begins, if the budget allows it |
//! | fails | none | the first's |
//! | fails | on its way | kept until the second is there |
//! | on its way | answers | the second's |
//! | on its way | fails | the first is waited for |
//! | fails | fails | the first's |

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep};

use super::{Begun, Hedge};

/// Begins the second attempt, and knows what a failure is.
pub(super) trait Second<F: Future> {
    /// `None` where there can be none after all.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Option<F>>;

    /// Whether this is worth waiting for the other one.
    fn is_failure(&self, answer: &F::Output) -> bool;

    /// Leaves word in the answer of the second.
    fn sign(&self, _: &mut F::Output) {}
}

pin_project_lite::pin_project! {
    /// A call with up to two attempts.
    pub(super) struct Race<F: Future, N> {
        #[pin]
        first: Option<F>,
        #[pin]
        second: Option<F>,
        // Until the second begins.
        #[pin]
        delay: Option<Sleep>,
        // The delay is over and the budget is charged, until the second has ended.
        charged: Option<Begun>,
        // It was charged for one that has not been sent yet.
        due: bool,
        // That of the first, which failed.
        failed: Option<F::Output>,
        // None where there is only ever the first.
        next: Option<(N, Hedge, Instant)>,
    }
}

impl<F: Future, N: Second<F>> Race<F, N> {
    /// Begins with `first`, which may not have been polled yet. Without `next` there is no second.
    pub(super) fn new(first: F, next: Option<N>, hedge: Hedge) -> Self {
        let delay = if next.is_some() { hedge.delay().map(sleep) } else { None };
        let next = next.map(|next| (next, hedge, Instant::now()));
        Self { first: Some(first), second: None, delay, charged: None, due: false, failed: None, next }
    }

    /// One that is alone, and is not even watched.
    pub(super) fn alone(first: F) -> Self {
        Self { first: Some(first), second: None, delay: None, charged: None, due: false, failed: None, next: None }
    }
}

impl<F: Future, N: Second<F>> Future for Race<F, N> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let polled = this.first.as_mut().as_pin_mut().map(|first| first.poll(cx));
        let Some((next, hedge, began)) = this.next else {
            return polled.unwrap_or(Poll::Pending);
        };
        if let Some(Poll::Ready(answer)) = polled {
            this.first.set(None);
            let failure = next.is_failure(&answer);
            if failure && this.second.is_some() {
                *this.failed = Some(answer);
            } else {
                // Now, and not when whoever waits gets round to dropping it.
                this.second.set(None);
                *this.charged = None;
                if !failure {
                    hedge.answered(began.elapsed());
                }
                return Poll::Ready(answer);
            }
        }
        if let Some(delay) = this.delay.as_mut().as_pin_mut()
            && delay.poll(cx).is_ready()
        {
            this.delay.set(None);
            *this.charged = hedge.begin();
            *this.due = this.charged.is_some();
        }
        if *this.due
            && let Poll::Ready(begun) = next.poll_begin(cx)
        {
            *this.due = false;
            this.second.set(begun);
        }
        if let Some(Poll::Ready(mut answer)) = this.second.as_mut().as_pin_mut().map(|second| second.poll(cx)) {
            this.second.set(None);
            let charged = this.charged.take();
            if next.is_failure(&answer) {
                // The first, there or still to come, is the better one to show.
                return this.failed.take().map_or(Poll::Pending, Poll::Ready);
            }
            this.first.set(None);
            hedge.answered(began.elapsed());
            if let Some(charged) = charged {
                charged.win();
            }
            next.sign(&mut answer);
            return Poll::Ready(answer);
        }
        Poll::Pending
    }
}
