//! The layers that people put together: the same work, as their documentation has it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum_prometheus::PrometheusMetricLayer;
use http::{HeaderName, HeaderValue, StatusCode, header};
use tower_governor::GovernorLayer;
use tower_governor::governor::GovernorConfigBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer};
use tracing::Level;

use crate::{Stacked, app, null, ready, whole};

const ID: HeaderName = HeaderName::from_static("x-request-id");

pub(crate) fn stack() -> Result<Stacked> {
    let subscriber = tracing_subscriber::fmt().json().with_writer(std::sync::Mutex::new(null()?)).finish();
    // Set by whoever built it first: there is one subscriber a process.
    let _ = tracing::subscriber::set_global_default(subscriber);
    let (metrics, _exposition) = PrometheusMetricLayer::pair();
    // More than anybody can ask for, so that nothing is refused: what is measured is the looking.
    let limit = GovernorConfigBuilder::default().per_nanosecond(1).burst_size(u32::MAX).finish();
    let limit = GovernorLayer::new(Arc::new(limit.context("the limit is none")?));
    let header = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
    };
    let app = app()
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(60)))
        .layer(RequestBodyLimitLayer::new(100 * 1024 * 1024))
        .layer(limit)
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::X_FRAME_OPTIONS, "DENY"))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
        .layer(header(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
        .layer(metrics)
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(DefaultMakeSpan::new().level(Level::INFO).include_headers(false))
                .on_response(DefaultOnResponse::new().level(Level::INFO)),
        )
        .layer(PropagateRequestIdLayer::new(ID))
        .layer(SetRequestIdLayer::new(ID, MakeRequestUuid))
        .layer(CatchPanicLayer::new());
    Ok(whole(ready(app)))
}
