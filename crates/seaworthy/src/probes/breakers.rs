//! Breakers as they are shown: what `GET /breakers` of the binary says of those that are a service's own.

use seaworthy_core::breaker::{Snapshot, Totals};
use seaworthy_core::refusal::Reason;
use serde::Serialize;

use super::answer::{Answer, JSON};
use crate::breaker::Breaker;

/// One of them. It shows no address: who may see probes may see this.
#[derive(Debug, Serialize)]
struct View<'a> {
    name: &'a str,
    state: &'static str,
    mode: &'static str,
    /// Seconds until a call may go out; none where that is now.
    retry_after: Option<f64>,
    /// Calls, failures and slow calls within the window.
    calls: u32,
    failures: u32,
    slow: u32,
    /// Probes that are out.
    probes: u32,
    /// Since the start.
    opened: u64,
    succeeded: u64,
    failed: u64,
    refused: u64,
}

impl<'a> View<'a> {
    fn of(breaker: &'a Breaker) -> Self {
        let Snapshot { state, mode, calls, failures, slow, probes, retry_after, opened, totals } = breaker.snapshot();
        let Totals { succeeded, failed, refused, .. } = totals;
        let retry_after = retry_after.map(|after| after.as_secs_f64());
        let (name, state, mode) = (&**breaker.name(), state.name(), mode.name());
        Self { name, state, mode, retry_after, calls, failures, slow, probes, opened, succeeded, failed, refused }
    }
}

#[derive(Debug, Serialize)]
struct Views<'a> {
    breakers: Vec<View<'a>>,
}

/// Whether `path` asks for breakers.
pub(super) fn are_at(path: &str) -> bool {
    path == "/breakers" || path.starts_with("/breakers/")
}

/// All of them, or the one that `path` names.
pub(super) fn answer(path: &str, breakers: &[Breaker]) -> Answer {
    let name = path.strip_prefix("/breakers/").filter(|name| !name.is_empty());
    let json = match name {
        None => super::endpoints::json(&Views { breakers: breakers.iter().map(View::of).collect() }),
        Some(name) => match breakers.iter().find(|breaker| &**breaker.name() == name) {
            Some(breaker) => super::endpoints::json(&View::of(breaker)),
            None => return Answer::refusal(Reason::NoRoute, "no breaker of this name: GET /breakers lists all"),
        },
    };
    Answer::verdict(true, JSON, json)
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http_body_util::BodyExt as _;
    use serde_json::Value as Json;

    use crate::breaker::{Outcome, Policy};
    use crate::metrics::Metrics;
    use crate::probes::Endpoints;
    use crate::{Health, Lifecycle};

    use super::*;

    #[tokio::test]
    async fn breakers_that_are_watched_are_shown_beside_the_metrics() {
        let (metrics, life) = (Metrics::new("shop"), Lifecycle::default());
        let endpoints = Endpoints::new("shop", Health::default(), life.clone()).scrape(metrics.scrape());
        let stripe = Breaker::new("stripe", Policy::stripe(), life.sink());
        metrics.watch_breaker(stripe.clone());
        metrics.watch_breaker(Breaker::new("mail", Policy::default(), life.sink()));
        for _ in 0..3 {
            stripe.acquire().unwrap().finish(Outcome::Failure);
        }
        let get = async |path: &str| {
            let (parts, body) = endpoints.answer(&Request::get(path).body(()).unwrap()).into_parts();
            let body: Json = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
            (parts.status.as_u16(), body)
        };
        let (status, all) = get("/breakers").await;
        assert_eq!((status, all["breakers"].as_array().unwrap().len()), (200, 2), "{all}");
        let (_, one) = get("/breakers/stripe").await;
        assert_eq!((&one["state"], &one["failed"], &one["opened"]), (&"open".into(), &3.into(), &1.into()), "{one}");
        assert!(one["retry_after"].as_f64().unwrap() > 0.0, "{one}");
        assert_eq!(get("/breakers/nobody").await.0, 404);
    }
}
