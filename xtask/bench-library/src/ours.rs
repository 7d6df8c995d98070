//! Our layers.

use std::sync::Arc;

use anyhow::Result;
use seaworthy::access::AccessLayer;
use seaworthy::axum::RouteLabelLayer;
use seaworthy::core::event::Nowhere;
use seaworthy::core::lifecycle::Change;
use seaworthy::headers::Preset;
use seaworthy::lifecycle::Lifecycle;
use seaworthy::limit::rate::{RateLimit, RateLimitLayer};
use seaworthy::log::{Format, LogObserver, Logger};
use seaworthy::metrics::{Metrics, RequestObserver};
use seaworthy::otlp::Sampler;
use seaworthy::request_id::RequestIdLayer;
use seaworthy::stack::{Settings, Stack};
use seaworthy::trace::TraceContextLayer;
use tower::{Layer as _, ServiceBuilder};

use crate::{Stacked, app, null, ready, spans, whole};

/// Metrics and a log line, kept for as long as the process lives.
fn observer() -> Result<(RequestObserver, LogObserver)> {
    let metrics = Metrics::new("bench");
    let logger = Logger::builder("bench").format(Format::Json).output(null()?).start()?;
    let observer = (metrics.observer(), logger.observer()?);
    std::mem::forget((metrics, logger));
    Ok(observer)
}

pub(crate) fn observed() -> Result<Stacked> {
    let layers = ServiceBuilder::new()
        .layer(RequestIdLayer::default())
        .layer(TraceContextLayer::default().begin(true))
        .layer(AccessLayer::new(observer()?));
    Ok(whole(layers.service(ready(app().layer(RouteLabelLayer::default())))))
}

/// The same, and a share of its requests in spans.
pub(crate) fn spanned(ratio: f64) -> Result<Stacked> {
    let sampler = Sampler::from_name("traceidratio", ratio)?;
    let layers = ServiceBuilder::new()
        .layer(RequestIdLayer::default())
        .layer(TraceContextLayer::default().spans(sampler))
        .layer(AccessLayer::new((observer()?, spans::exporter(sampler)?)));
    Ok(whole(layers.service(ready(app().layer(RouteLabelLayer::default())))))
}

pub(crate) fn full() -> Result<Stacked> {
    let life = Lifecycle::new(Arc::new(Nowhere));
    life.apply(Change::ProgramReady);
    let trace = TraceContextLayer::default().begin(true);
    let mut settings = Settings::default();
    settings.headers = Preset::Api;
    settings.trace = trace;
    settings.rate = RateLimitLayer::new(RateLimit::new("1000/s".parse()?));
    let stack = Stack::new(settings, life, observer()?, Arc::new(Nowhere));
    Ok(whole(stack.layer(ready(app().layer(RouteLabelLayer::default())))))
}
