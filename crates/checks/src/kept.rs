//! A connection that is kept from one run to the next: dialled when it is needed, asked, and put back.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use seaworthy_core::health::Class;

use crate::probe::{Failure, Probe, Report, Running};
use crate::surroundings::Surroundings;

/// What is wanted of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    /// How long the caller will wait.
    pub(crate) limit: Duration,
    /// Whether to look at more than is worth asking every time.
    pub(crate) closely: bool,
}

/// How a kind connects, and what it asks over its connection.
pub(crate) trait Conversation: fmt::Debug + Send + Sync {
    type Connection: Send;

    /// Dials and signs in.
    fn connect(&self, surroundings: &Surroundings) -> impl Future<Output = Result<Self::Connection, Failure>> + Send;

    /// Asks over a connection that nobody else uses.
    fn ask(
        &self,
        connection: &mut Self::Connection,
        question: Question,
    ) -> impl Future<Output = Result<Report, Failure>> + Send;

    /// Whether the next run may go over the same connection.
    fn keeps(&self) -> bool {
        true
    }

    /// Says goodbye over a connection that is at rest, where the protocol has a word for it; without waiting.
    fn farewell(&self, _connection: &mut Self::Connection) {}
}

/// A probe that keeps one connection. It is out of its place during a run, so that a run that is cut short or that fails
/// leaves none behind.
pub(crate) struct Kept<C: Conversation> {
    settings: C,
    surroundings: Surroundings,
    connection: Option<C::Connection>,
}

impl<C: Conversation> Kept<C> {
    pub(crate) fn new(settings: C, surroundings: Surroundings) -> Self {
        Self { settings, surroundings, connection: None }
    }

    async fn ask(&mut self, question: Question) -> Result<Report, Failure> {
        if let Some(connection) = self.connection.take() {
            match self.over(connection, question).await {
                // Closed while it was at rest, by a restart perhaps: that by itself is no outage.
                Err(failure) if failure.class == Class::Refused => {}
                result => return result,
            }
        }
        let connection = self.settings.connect(&self.surroundings).await?;
        self.over(connection, question).await
    }

    async fn over(&mut self, mut connection: C::Connection, question: Question) -> Result<Report, Failure> {
        let result = self.settings.ask(&mut connection, question).await;
        match &result {
            Ok(_) if self.settings.keeps() => self.connection = Some(connection),
            // It answered, if not as demanded, and so would hear a goodbye.
            Ok(_) | Err(Failure { class: Class::Condition, .. }) => self.settings.farewell(&mut connection),
            Err(_) => {}
        }
        result
    }
}

impl<C: Conversation> Probe for Kept<C> {
    fn run(&mut self, limit: Duration) -> Running<'_> {
        Box::pin(self.ask(Question { limit, closely: false }))
    }

    fn examine(&mut self, limit: Duration) -> Running<'_> {
        Box::pin(self.ask(Question { limit, closely: true }))
    }
}

impl<C: Conversation> Drop for Kept<C> {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection {
            self.settings.farewell(connection);
        }
    }
}

impl<C: Conversation> fmt::Debug for Kept<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.connection.is_some();
        f.debug_struct("Kept").field("settings", &self.settings).field("connected", &kept).finish_non_exhaustive()
    }
}
