//! `tcp`: something accepts connections, and perhaps says what it should.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::net::Place;
use crate::probe::{Failure, Probe, Report, Running};
use crate::surroundings::Surroundings;

/// More is not waited for.
const MOST: usize = 64 * 1024;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub place: Place,
    /// Sent as soon as the connection is there.
    pub send: Option<String>,
    /// What the answer must contain.
    pub expect: Option<String>,
}

/// Connects each time: whether it can is what is asked.
#[derive(Debug)]
pub(super) struct Tcp {
    settings: Settings,
    surroundings: Surroundings,
}

impl Tcp {
    pub(super) fn new(settings: Settings, surroundings: Surroundings) -> Self {
        Self { settings, surroundings }
    }

    async fn ask(&self) -> Result<Report, Failure> {
        let mut stream = self.settings.place.dial(&self.surroundings).await?;
        if let Some(send) = &self.settings.send {
            stream.write_all(send.as_bytes()).await?;
            stream.flush().await?;
        }
        let Some(expect) = &self.settings.expect else { return Ok(Report::default()) };
        let mut answer = Vec::new();
        loop {
            let read = stream.read_buf(&mut answer).await?;
            if contains(&answer, expect.as_bytes()) {
                return Ok(Report::default());
            }
            if read == 0 && answer.is_empty() {
                return Err(Failure::refused("the connection was closed before an answer came"));
            }
            if read == 0 || answer.len() > MOST {
                return Err(Failure::condition(format!(
                    "the answer of {} bytes does not hold {expect:?}",
                    answer.len()
                )));
            }
        }
    }
}

fn contains(answer: &[u8], expected: &[u8]) -> bool {
    expected.is_empty() || answer.windows(expected.len()).any(|window| window == expected)
}

impl Probe for Tcp {
    fn run(&mut self, _: Duration) -> Running<'_> {
        Box::pin(self.ask())
    }
}
