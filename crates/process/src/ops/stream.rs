//! A connection of the ops listener, with the three times that it may take.
//!
//! hyper's own timer for heads is also its timer between requests: a scraper that comes every ten seconds would meet it
//! at the very moment it closes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What a client may take its time for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From the first byte of a head to its last; also for the first byte on a new connection.
    pub(super) head: Duration,
    /// Between an answer and the next request.
    pub(super) idle: Duration,
    /// Without taking a byte of the answer.
    pub(super) send: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Head,
    Blocked,
}

/// A stream that fails with [`io::ErrorKind::TimedOut`] when its client takes too long.
#[derive(Debug)]
pub(super) struct Patient<S> {
    inner: S,
    patience: Patience,
    phase: Phase,
    deadline: Pin<Box<Sleep>>,
}

impl<S> Patient<S> {
    pub(super) fn new(inner: S, patience: Patience) -> Self {
        let deadline = Box::pin(sleep_until(Instant::now() + patience.head));
        Self { inner, patience, phase: Phase::Idle, deadline }
    }

    fn enter(&mut self, phase: Phase) {
        let patience = match phase {
            Phase::Idle => self.patience.idle,
            Phase::Head => self.patience.head,
            Phase::Blocked => self.patience.send,
        };
        self.phase = phase;
        self.deadline.as_mut().reset(Instant::now() + patience);
    }

    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut this.inner).poll_read(cx, buffer) {
            Poll::Ready(result) => {
                // Only the first byte starts the clock: one byte at a time must not hold it off.
                if buffer.filled().len() > before && this.phase == Phase::Idle {
                    this.enter(Phase::Head);
                }
                Poll::Ready(result)
            }
            Poll::Pending => this.wait(cx),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_write(cx, data) {
            Poll::Ready(result) => {
                this.enter(Phase::Idle);
                Poll::Ready(result)
            }
            Poll::Pending => {
                if this.phase != Phase::Blocked {
                    this.enter(Phase::Blocked);
                }
                this.wait(cx)
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    const PATIENCE: Patience =
        Patience { head: Duration::from_secs(10), idle: Duration::from_secs(75), send: Duration::from_secs(20) };

    /// How long `what` took to time out, on a paused clock.
    async fn timed_out<T: std::fmt::Debug>(what: impl Future<Output = io::Result<T>>) -> u64 {
        let began = Instant::now();
        assert_eq!(what.await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        began.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_head_is_given_ten_seconds_from_its_first_byte_however_it_drips() {
        let (mut client, server) = duplex(64);
        let mut server = Patient::new(server, PATIENCE);
        client.write_all(b"G").await.unwrap();
        server.read_u8().await.unwrap();
        let drip = async {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                client.write_all(b"x").await.unwrap();
            }
        };
        let mut sink = Vec::new();
        let read = timed_out(server.read_to_end(&mut sink));
        assert_eq!(tokio::select! { () = drip => 0, seconds = read => seconds }, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn between_requests_a_client_may_be_silent_for_longer() {
        let (mut client, server) = duplex(64);
        let mut server = Patient::new(server, PATIENCE);
        client.write_all(b"G").await.unwrap();
        server.read_u8().await.unwrap();
        server.write_all(b"ok").await.unwrap();
        assert_eq!(timed_out(server.read_u8()).await, 75);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_given_up() {
        let (_client, server) = duplex(4);
        let mut server = Patient::new(server, PATIENCE);
        assert_eq!(timed_out(server.write_all(b"more than fits")).await, 20);
    }
}
