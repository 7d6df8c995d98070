//! A service from its first request to its last word.

use std::any::Any;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use seaworthy_core::event::{Event, Nowhere, Outcome, Sink};
use seaworthy_core::lifecycle::{Change, FLUSH};
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};
use tower_layer::Layer;
use tower_service::Service;

use super::Production;
use super::admin::Admin;
use super::app::App;
use super::builder::Parts;
use super::drain::Fitting;
use super::panics::{OnPanic, Watch};
use super::problem::ServeError;
use crate::access::Observer;
use crate::alert::{self, AlertHook};
use crate::body::RequestBody;
use crate::health::Health;
use crate::lifecycle::Lifecycle;
use crate::limit::rate::RateLimitLayer;
use crate::metrics::Metrics;
use crate::panic::remember_places;
use crate::phase::Phase;
use crate::probes::{Endpoints, Identity, Scrape, Vitals};
use crate::server::{Counts, Listener, ListenerError, Server, Setup};
use crate::shutdown::Shutdown;
use crate::sink::Fanout;
use crate::stack::Stack;

/// How often the runtime shows that it turns.
const PULSE: Duration = Duration::from_secs(1);

/// How long it may fail to, before the process counts as dead.
const TURNS_WITHIN: Duration = Duration::from_secs(10);

impl<O: Observer + Send + 'static> Production<O> {
    /// Serves `app` until `life` is asked to stop, and then lets go of everything in order; see the [module](super).
    ///
    /// `app` is any tower service over HTTP: an axum `Router`, a tonic `Routes`, a `service_fn`. Its requests have bodies of type
    /// [`RequestBody`], and a [`RequestContext`](crate::context::RequestContext) among their extensions. An error of it becomes a 500.
    ///
    /// Dropping the future cuts everything at once, and runs no hook.
    ///
    /// # Errors
    ///
    /// [`ServeError`] if nothing could be served, or if the end was not graceful.
    pub async fn serve<S, B>(self, app: S, listener: impl Into<Listener>, life: Lifecycle) -> Result<(), ServeError>
    where
        S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let Self { parts, observer } = self;
        let Parts { service, version, health, mut stack, connections, drain, hooks, phases, .. } = parts;
        let Parts { mut sinks, admin, scrape, on_panic, rate, alerts, metrics, logger, mut telemetry, .. } = parts;
        let Some(Fitting { budget, spread }) = drain else { return Ok(()) };
        if let Some(error) = life.signals_error() {
            return Err(ServeError::Signals(error));
        }
        let (alerts, silent) = start_alerts(alerts);
        sinks.extend(telemetry.sinks());
        sinks.extend(alerts.iter().map(|hook| Arc::new(hook.clone()) as Arc<dyn Sink>));
        let sink: Arc<dyn Sink> = Arc::new(Fanout::new(sinks));
        telemetry.start(&sink);
        for text in silent {
            sink.emit(&Event::Warning { text });
        }
        let listener = listener.into();
        let admin = admin.map(super::admin::Place::bind).transpose()?;
        life.report_to(&sink);
        remember_places();
        let watch = (on_panic == OnPanic::Shutdown).then(|| Watch::start(life.clone(), sink.clone()));
        health.start(sink.clone());
        let pulse = Pulse::start();
        let public = listener.to_string();
        let shown = admin.as_ref().and_then(|admin| admin.local_addr().ok());
        let identity = Identity { service, version: Some(version), ..Identity::default() };
        let endpoints = endpoints(identity, &health, &life, pulse.turning(), scrape);
        let admin = admin.map(|listener| Admin::start(listener, endpoints, sink.clone()));
        let admin = admin.transpose().map_err(|source| {
            ServeError::Admin(ListenerError { address: shown.map_or_else(String::new, |at| at.to_string()), source })
        })?;
        // Where every panic of the process is reported, the guard need not do it again.
        let guard: Arc<dyn Sink> = if watch.is_some() { Arc::new(Nowhere) } else { sink.clone() };
        if let Some(rate) = rate {
            stack.rate = RateLimitLayer::reporting(rate, sink.clone());
        }
        if let Some(metrics) = &metrics {
            let watched = [metrics.watch_credentials(), metrics.watch_rate_limit(&stack.rate)];
            for error in watched.into_iter().filter_map(Result::err) {
                sink.emit(&Event::Warning { text: format!("some refusals are not in the metrics: {error}") });
            }
        }
        let app = App::new(labelled(app), sink.clone());
        let service = Stack::new(stack, life.clone(), observer, guard).layer(app);
        let counts = Counts::new(metrics.as_ref().map(Metrics::observer));
        let mut server =
            Server::start(Setup { listener, limits: connections, service, sink: sink.clone(), counts, evict: false });
        if let Some(metrics) = &metrics {
            metrics.watch_connections(server.connections());
        }
        let shown = shown.map_or_else(|| "off".to_owned(), |at| at.to_string());
        sink.emit(&Event::Listening { public, admin: shown, control: "off".to_owned() });
        let became_ready = life.apply(Change::ProgramReady).is_some();

        life.stop_asked().await;
        let began = Instant::now();
        let patience = phases.get(&Phase::Telemetry).map_or(FLUSH, |stated| FLUSH.min(*stated));
        let mut shutdown = Shutdown::new(hooks, phases, life.clone(), sink.clone(), began + budget.grace());
        // A service that was not ready had no balancer send to it.
        let delay = if became_ready { budget.delay() } else { Duration::ZERO };
        let requests_cut = drain_server(&mut server, &life, &*sink, delay, budget.timeout(), spread).await;
        sink.emit(&Event::CleaningUp);
        let mut failed = shutdown.run_before(Phase::Telemetry).await;
        health.stop();
        let forced = life.is_forced();
        let graceful = !forced && requests_cut == 0 && failed == 0;
        let outcome = if graceful { Outcome::Graceful } else { Outcome::Forced };
        // Said before the last phase, so that this is among what it carries out.
        sink.emit(&Event::StopEnded { outcome, took: began.elapsed(), requests_cut });
        // Beside the hooks of this phase rather than behind them: one that hangs must not cost what is to be sent.
        let (late, ()) = tokio::join!(shutdown.run_rest(), telemetry.flush(patience));
        failed += late + telemetry.close().await;
        life.apply(Change::Ended);
        if let Some(admin) = admin {
            admin.close().await;
        }
        for hook in &alerts {
            // What it has not heard by now it will not hear.
            let _ = hook.flush(FLUSH).await;
        }
        if let Some(logger) = logger {
            // On a thread that may wait. Lines that stdout does not take in this time are lost, and were counted.
            let _ = spawn_blocking(move || logger.flush(std::time::Instant::now() + FLUSH)).await;
        }
        if graceful && failed == 0 { Ok(()) } else { Err(ServeError::Forced { requests_cut, failed, forced }) }
    }
}

/// Starts the hooks that can be, and says what of the others.
fn start_alerts(setups: Vec<alert::Setup>) -> (Vec<AlertHook>, Vec<String>) {
    let (mut hooks, mut silent) = (Vec::new(), Vec::new());
    for setup in setups {
        match AlertHook::of(setup) {
            Ok(hook) => hooks.push(hook),
            // A service is not kept from serving by it.
            Err(error) => silent.push(format!("an alert hook cannot be started: {error}")),
        }
    }
    (hooks, silent)
}

/// Lets clients go. Gives the number of requests that were cut.
async fn drain_server(
    server: &mut Server,
    life: &Lifecycle,
    sink: &dyn Sink,
    delay: Duration,
    patience: Duration,
    spread: Duration,
) -> u32 {
    sink.emit(&Event::Draining { delay });
    server.farewell(delay);
    tokio::select! {
        () = sleep(delay) => {}
        () = life.forced() => {}
    }
    server.close_listener().await;
    life.apply(Change::DelayOver);
    sink.emit(&Event::ListenersClosed { in_flight: server.in_flight() });
    server.finish(spread);
    let emptied = tokio::select! {
        emptied = timeout(patience, server.empty()) => emptied.is_ok(),
        () = life.forced() => false,
    };
    if emptied {
        return 0;
    }
    let cut = server.cut().await;
    for request in cut.shown {
        let (method, path) = (request.method, request.path);
        sink.emit(&Event::RequestCut { method, path, after: request.after });
    }
    cut.count
}

fn endpoints(
    identity: Identity,
    health: &Health,
    life: &Lifecycle,
    turning: impl Fn() -> bool + Send + Sync + 'static,
    scrape: Option<Scrape>,
) -> Endpoints {
    let vitals = Vitals::new(life.clone(), health.clone(), turning);
    let endpoints = Endpoints::of(identity, health.clone(), vitals);
    match scrape {
        Some(scrape) => endpoints.scrape(scrape),
        None => endpoints,
    }
}

/// Says whether the runtime that serves requests turns: all that liveness is made of.
struct Pulse {
    /// Milliseconds since the start at which it last did.
    last: Arc<AtomicU64>,
    began: std::time::Instant,
    task: AbortHandle,
}

impl Pulse {
    fn start() -> Self {
        let (last, began) = (Arc::new(AtomicU64::new(0)), std::time::Instant::now());
        let beat = last.clone();
        let task = tokio::spawn(async move {
            loop {
                beat.store(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX), Relaxed);
                sleep(PULSE).await;
            }
        });
        Self { last, began, task: task.abort_handle() }
    }

    fn turning(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let (last, began) = (self.last.clone(), self.began);
        move || began.elapsed().saturating_sub(Duration::from_millis(last.load(Relaxed))) < TURNS_WITHIN
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The same service. A router of axum says which of its routes it took, so that metrics and logs have a label that does not
/// grow with every path.
fn labelled<S: Any>(app: S) -> S {
    #[cfg(feature = "axum")]
    let app = crate::axum::labelled(app);
    app
}
