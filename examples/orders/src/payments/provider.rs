//! Whoever makes the payments, as we call it.

use std::num::NonZeroU32;
use std::time::Duration;

use anyhow::Context as _;
use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use seaworthy::Lifecycle;
use seaworthy::breaker::{Breaker, Policy, State};
use seaworthy::bulkhead;
use seaworthy::client::{Cause, Client, Parts, Stack, Timeouts, Transport};
use seaworthy::core::backoff::Backoff;
use seaworthy::core::refusal::Reason;
use seaworthy::health::{CheckError, CheckResult};
use seaworthy::metrics::Metrics;
use seaworthy::otlp::{CallSpanLayer, Tracer};
use seaworthy::propagation::Propagation;
use seaworthy::retry::{self, BudgetPolicy};
use serde::{Deserialize, Serialize};
use tower::{Layer as _, ServiceExt as _};
use url::Url;

use super::IDEMPOTENCY_KEY;
use crate::labels::Currency;
use crate::problem::Problem;

/// What the calls are called in events, metrics and spans.
const NAME: &str = "stripe";

/// The largest answer that is read, and the largest request that is kept to be sent again, in bytes.
const LARGEST: usize = 64 * 1024;

/// Calls under way, and as many again that wait. More would only wait for the same provider.
const CALLS: NonZeroU32 = NonZeroU32::new(16).expect("it is not 0");

/// The payment provider. Clones share the breaker, the budget and the connections.
#[derive(Clone)]
pub(crate) struct Payments {
    client: Client<Full<Bytes>>,
    /// A span of each call, once it is known who carries them.
    spans: CallSpanLayer,
    breaker: Breaker,
    /// For the check of health, which is no payment: neither is it refused by the breaker, nor does it close it.
    plain: Transport<Full<Bytes>>,
    charges: Uri,
    health: Uri,
}

#[derive(Serialize)]
struct Charge {
    amount: u32,
    currency: Currency,
}

#[derive(Deserialize)]
struct Charged {
    id: String,
}

impl Payments {
    pub(crate) fn new(provider: &Url, metrics: &Metrics, life: &Lifecycle) -> anyhow::Result<Self> {
        let seconds = Duration::from_secs;
        // Somebody waits for it, so that all of it fits into the time of a request.
        let timeouts = Parts { attempt: Some(seconds(1)), total: Some(seconds(4)), ..Parts::default() };
        let backoff = Backoff { first: Duration::from_millis(100), factor: 2, longest: seconds(1) };
        let retries = retry::Policy { retries: 2, backoff, ..retry::Policy::default() };
        let stack = Stack::new(NAME, Policy::stripe(), life.sink())
            .timeouts(Timeouts::new(timeouts)?)
            .retries(retries, BudgetPolicy::default(), LARGEST as u64)
            .bulkhead(bulkhead::Policy { concurrency: CALLS, queue: CALLS.get(), ..bulkhead::Policy::default() });
        metrics.watch_breaker(stack.breaker().clone());
        metrics.watch_retry(stack.retry().clone());
        let transport = Transport::builder();
        let base = provider.as_str().trim_end_matches('/');
        let uri = |path: &str| format!("{base}/{path}").parse().context("PAYMENTS_URL");
        Ok(Self {
            client: stack.over(&transport)?,
            spans: CallSpanLayer::new(None, NAME),
            breaker: stack.breaker().clone(),
            plain: transport.build()?,
            charges: uri("v1/charges")?,
            health: uri("health")?,
        })
    }

    /// The same, whose calls have spans. Checks know the payments before the service is built, and with it who carries spans.
    pub(crate) fn traced(self, tracer: Option<Tracer>) -> Self {
        Self { spans: CallSpanLayer::new(tracer, NAME), ..self }
    }

    /// Asks for a payment and gives what the provider calls it. It may be asked for again: whoever knows the key makes it once.
    pub(super) async fn charge(
        &self,
        key: &str,
        amount: u32,
        currency: Currency,
        caller: &Propagation,
    ) -> Result<String, Problem> {
        let body = serde_json::to_vec(&Charge { amount, currency }).map_err(|_| Problem::upstream("it has no JSON"))?;
        let mut request = Request::builder().method(Method::POST).uri(self.charges.clone());
        request = request.header(header::CONTENT_TYPE, "application/json").header(IDEMPOTENCY_KEY, key);
        let mut request = request.body(Full::from(body)).map_err(|_| Problem::invalid("the key is no header"))?;
        caller.onto(&mut request);
        let Ok(answer) = self.spans.layer(self.client.clone()).oneshot(request).await;
        let (head, body) = answer.into_parts();
        if let Some(reason) = head.extensions.get::<Reason>() {
            let cause = head.extensions.get::<Cause>().map(|Cause(error)| error.to_string());
            tracing::warn!(reason = reason.name(), cause, "a payment was not made");
            return Err(Problem::refused(http::Response::from_parts(head, Body::new(body))));
        }
        if !head.status.is_success() {
            tracing::warn!(status = head.status.as_u16(), "the provider refused a payment");
            return Err(Problem::upstream(format!("the provider answered {}", head.status)));
        }
        let body =
            Limited::new(body, LARGEST).collect().await.map_err(|_| Problem::upstream("the answer broke off"))?;
        let charged: Result<Charged, _> = serde_json::from_slice(&body.to_bytes());
        charged.map(|charged| charged.id).map_err(|_| Problem::upstream("the answer of the provider makes no sense"))
    }

    /// What the check of health asks. Well, but with a breaker that is not closed, is degraded.
    pub(crate) async fn ping(&self) -> CheckResult {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = self.health.clone();
        let status = self.plain.send(request).await?.status();
        if !status.is_success() {
            return Err(CheckError::condition(format!("the provider answers {status}")));
        }
        match self.breaker.snapshot().state {
            State::Closed => Ok(()),
            state => Err(CheckError::warning(format!("the provider is there, and its breaker still {}", state.name()))),
        }
    }
}
