//! The program's own metrics, fetched when ours are asked for and shown beside them.
//!
//! # Rules
//!
//! - Ours are shown whatever becomes of the program's: one that is slow, down or talks nonsense costs its own families,
//!   `metrics.scrape-timeout` at most, and one count in `seaworthy_app_scrapes_total`.
//! - Nothing old is shown: an answer that failed takes the one before away.
//! - On the public listener, whose workers wait for nobody, what is shown is what the scrape before asked for.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use seaworthy::core::event::{Event, Sink};
use seaworthy::core::metric::{Exposition, Kind, Scraped, Unreadable};

use crate::ask::Question;
use crate::config::Metrics;
use crate::gateway::Upstream;

/// A page of more is not read. Some 100,000 series fit into it.
const LARGEST: usize = 8 * 1024 * 1024;

/// Whoever asks within this time after another sees the same: two scrapers make no more work than one.
const FRESH: Duration = Duration::from_millis(500);

/// What was fetched longer ago is not shown: longer than anybody's interval.
const OLD: Duration = Duration::from_secs(90);

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("{0}")]
    Unreachable(String),
    #[error("the answer is {0}")]
    Status(u16),
    #[error("the page is larger than {LARGEST} bytes")]
    TooLarge,
    #[error("the page is malformed: {0}")]
    Malformed(#[from] Unreadable),
    #[error("the page is malformed: it is not UTF-8")]
    Encoding,
}

/// How a scrape can end.
const OUTCOMES: [&str; 6] = ["ok", "timeout", "unreachable", "status", "too_large", "malformed"];

impl Failure {
    fn outcome(&self) -> usize {
        match self {
            Self::Timeout(_) => 1,
            Self::Unreachable(_) => 2,
            Self::Status(_) => 3,
            Self::TooLarge => 4,
            Self::Malformed(_) | Self::Encoding => 5,
        }
    }
}

/// Fetches the program's metrics. Clones are the same.
#[derive(Clone)]
pub(crate) struct AppMetrics(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// Held while somebody fetches: the others wait and find it fresh.
    fetching: tokio::sync::Mutex<()>,
    sink: Arc<dyn Sink>,
    max_series: usize,
    runtime: tokio::runtime::Handle,
}

#[derive(Default)]
struct State {
    path: Option<String>,
    timeout: Duration,
    target: Option<Upstream>,
    latest: Option<Latest>,
    outcomes: [u64; OUTCOMES.len()],
    took: Duration,
    failing: bool,
}

struct Latest {
    at: Instant,
    /// `None` where the fetch failed.
    page: Option<Arc<Scraped>>,
}

impl AppMetrics {
    /// Fetches on the runtime of the caller, as `metrics` says.
    pub(crate) fn new(metrics: &Metrics, sink: Arc<dyn Sink>) -> Self {
        let app = Self(Arc::new(Inner {
            state: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
            sink,
            max_series: metrics.max_series.get(),
            runtime: tokio::runtime::Handle::current(),
        }));
        app.configure(metrics);
        app
    }

    /// Does as `metrics` says from now on.
    pub(crate) fn configure(&self, metrics: &Metrics) {
        let mut state = self.lock();
        state.path.clone_from(&metrics.scrape);
        state.timeout = metrics.scrape_timeout;
    }

    /// Where the program is from now on; `None` while it is not there.
    pub(crate) fn aim(&self, target: Option<&Upstream>) {
        let mut state = self.lock();
        state.target = target.cloned();
        state.latest = None;
    }

    /// Fetches, unless that was done a moment ago. Completes within the timeout, whatever the program does.
    pub(crate) fn fetch(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let app = self.clone();
        Box::pin(async move {
            let _turn = app.0.fetching.lock().await;
            let (path, timeout, target) = {
                let state = app.lock();
                let fresh = state.latest.as_ref().is_some_and(|latest| latest.at.elapsed() < FRESH);
                match (&state.path, &state.target) {
                    (Some(path), Some(target)) if !fresh => (path.clone(), state.timeout, target.clone()),
                    _ => return,
                }
            };
            let began = Instant::now();
            let fetched = tokio::time::timeout(timeout, page(&target, &path, app.0.max_series)).await;
            app.record(fetched.unwrap_or(Err(Failure::Timeout(timeout))), began.elapsed());
        })
    }

    /// Fetches for whoever asks next, where nobody can wait for it.
    pub(crate) fn fetch_later(&self) {
        if self.lock().path.is_some() {
            self.0.runtime.spawn(self.fetch());
        }
    }

    fn record(&self, fetched: Result<Scraped, Failure>, took: Duration) {
        let event = {
            let mut state = self.lock();
            state.outcomes[fetched.as_ref().map_or_else(Failure::outcome, |_| 0)] += 1;
            state.took = took;
            let failed = std::mem::replace(&mut state.failing, fetched.is_err());
            // Said when it begins and when it is over; in between it is counted.
            let event = match &fetched {
                Err(failure) if !failed => Some(Event::AppScrapeFailed { reason: failure.to_string() }),
                Ok(_) if failed => Some(Event::AppScrapeRecovered),
                _ => None,
            };
            state.latest = Some(Latest { at: Instant::now(), page: fetched.ok().map(Arc::new) });
            event
        };
        if let Some(event) = event {
            self.0.sink.emit(&event);
        }
    }

    /// Writes what was fetched, and how that went.
    pub(crate) fn write(&self, page: &mut Exposition) {
        let (outcomes, took, scraped) = {
            let state = self.lock();
            if state.path.is_none() {
                return;
            }
            let latest = state.latest.as_ref().filter(|latest| latest.at.elapsed() < OLD);
            (state.outcomes, state.took, latest.and_then(|latest| latest.page.clone()))
        };
        let help = "Fetches of the program's own metrics, by how they ended.";
        let mut family = page.family("seaworthy_app_scrapes_total", Kind::Counter, help);
        for (outcome, count) in OUTCOMES.iter().zip(outcomes) {
            family.sample(&[("outcome", outcome)], count);
        }
        page.family("seaworthy_app_scrape_duration_seconds", Kind::Gauge, "How long the last fetch took.")
            .sample(&[], took);
        let help = "Samples of the program's that are shown, and those that stood twice or were too many.";
        let (shown, dropped) = scraped.as_ref().map_or((0, 0), |page| (page.samples() as u64, page.dropped()));
        page.family("seaworthy_app_scrape_samples", Kind::Gauge, help)
            .sample(&[("state", "shown")], shown)
            .sample(&[("state", "dropped")], dropped);
        if let Some(scraped) = scraped {
            scraped.write(page);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for AppMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppMetrics")
    }
}

async fn page(target: &Upstream, path: &str, max_series: usize) -> Result<Scraped, Failure> {
    let text = fetch(target, path).await?;
    // A large page takes a while to read, and probes are answered on this thread.
    let read = move || {
        Scraped::parse(std::str::from_utf8(&text).map_err(|_| Failure::Encoding)?, max_series).map_err(Failure::from)
    };
    tokio::task::spawn_blocking(read).await.map_err(|error| Failure::Unreachable(error.to_string()))?
}

async fn fetch(target: &Upstream, path: &str) -> Result<Bytes, Failure> {
    let accept = Some("text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5");
    let answer = Question { path, accept }.ask(target, read).await;
    answer.map_err(|error| Failure::Unreachable(error.to_string()))?
}

async fn read(answer: Response<Incoming>) -> Result<Bytes, Failure> {
    if answer.status() != StatusCode::OK {
        return Err(Failure::Status(answer.status().as_u16()));
    }
    let body = Limited::new(answer.into_body(), LARGEST).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { Failure::TooLarge } else { Failure::Unreachable(error.to_string()) }
    })?;
    Ok(body.to_bytes())
}

#[cfg(test)]
mod tests;
