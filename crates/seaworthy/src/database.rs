//! How long queries take: `database_query_duration_seconds`, by operation.
//!
//! An operation is what the code calls a query (`select_user`), never its text: texts carry values, and there is no end of
//! them.
//!
//! ```
//! use seaworthy::database::Queries;
//! use seaworthy::metrics::Metrics;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! # async fn fetch(id: u64) -> Result<String, std::io::Error> { Ok(id.to_string()) }
//! let metrics = Metrics::new("shop");
//! let queries = Queries::register(&metrics)?;
//! let user = queries.timed("select_user", fetch(7)).await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

use std::time::Instant;

use crate::metrics::{FamilyError, Histogram, Metrics, histogram};

histogram! {
    /// How long queries took, by operation, in seconds.
    struct QueryDuration("database_query_duration_seconds") [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]
        { operation: &str }
}

/// Times queries. Clones add to the same family.
#[derive(Debug, Clone)]
pub struct Queries(QueryDuration);

impl Queries {
    /// # Errors
    ///
    /// If the service has a family of another kind under this name.
    pub fn register(metrics: &Metrics) -> Result<Self, FamilyError> {
        QueryDuration::register(metrics).map(Self)
    }

    /// Waits for `query`, and measures how long it took. One that is given up before its end counts too, with the time until
    /// then: the slowest are the first to be given up.
    pub async fn timed<F: Future>(&self, operation: &str, query: F) -> F::Output {
        let _timing = Timing { durations: self.0.with(operation), began: Instant::now() };
        query.await
    }
}

struct Timing {
    durations: Histogram,
    began: Instant,
}

impl Drop for Timing {
    fn drop(&mut self) {
        self.durations.observe_duration(self.began.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use seaworthy_core::metric::Format;

    use super::*;

    #[tokio::test]
    async fn a_query_that_is_given_up_counts_too() {
        let metrics = Metrics::new("shop");
        let queries = Queries::register(&metrics).unwrap();
        assert_eq!(queries.timed("select_user", async { 7 }).await, 7);
        let hangs = queries.timed("select_user", std::future::pending::<()>());
        assert!(tokio::time::timeout(Duration::ZERO, hangs).await.is_err());
        let page = String::from_utf8(metrics.exposition(Format::Text)).unwrap();
        assert!(page.contains("database_query_duration_seconds_count{operation=\"select_user\"} 2\n"), "{page}");
    }
}
