//! Spans of requests, carried to a collector by a thread of their own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use seaworthy::core::event::Nowhere;
use seaworthy::otlp::{Exporter, Protocol, Sampler, Settings, SpanCounter, Spans};

use crate::{collector, runtime};

/// Fewer than wait at most, so that nothing is dropped: what is lost costs nothing.
const AT_ONCE: u64 = 1000;

/// What is kept back in the buffer of a thread.
const KEPT_BACK: u64 = 64;

static COUNTER: OnceLock<SpanCounter> = OnceLock::new();
static SERVED: AtomicU64 = AtomicU64::new(0);

/// An exporter for the rest of the process.
pub(crate) fn exporter(sampler: Sampler) -> Result<Spans> {
    let endpoint = format!("http://{}", collector::listen()?);
    let settings = Settings::new(&endpoint, Protocol::Http, "bench")?.sampler(sampler);
    let settings = settings.batches(4096, 512, Duration::from_millis(5));
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let Ok(runtime) = runtime() else { return };
        runtime.block_on(async {
            // Whoever waits for it sees that there is none.
            let Ok(exporter) = Exporter::start(settings, Arc::new(Nowhere)) else { return };
            if tell.send((exporter.spans(), exporter.counter())).is_ok() {
                std::future::pending::<()>().await;
            }
        });
    });
    let (spans, counter) = told.recv().context("the exporter did not start")?;
    if sampler.samples(None, seaworthy::core::trace::TraceId::from_random(1)) {
        // Only one stack of the process has spans that are sampled.
        let _ = COUNTER.set(counter);
    }
    Ok(spans)
}

/// After each sampled request: waits now and then, without work, until the spans of those before are away.
pub(crate) fn served() -> Result<()> {
    let served = SERVED.fetch_add(1, Ordering::Relaxed) + 1;
    if !served.is_multiple_of(AT_ONCE) {
        return Ok(());
    }
    let counter = COUNTER.get().context("nobody counts the spans")?;
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let counts = counter.read();
        ensure!(counts.dropped + counts.failed == 0, "spans were lost: {counts:?}");
        if counts.exported + KEPT_BACK >= served {
            return Ok(());
        }
        ensure!(Instant::now() < patience, "{} of {served} spans arrived", counts.exported);
        std::thread::sleep(Duration::from_millis(1));
    }
}
