//! A service as a whole: orders, a database, a queue with a worker, a payment provider that fails now and then, and all that it takes to
//! run that in production.
//!
//! `cargo run -p orders` works with nothing installed, and says what to try. Each file is about one thing:
//!
//! | file | shows |
//! | --- | --- |
//! | `main.rs` | the order in which the parts are made, and let go of |
//! | `settings.rs` | settings from the environment, with all that is wrong with them at once |
//! | `store.rs` | a pool that is watched, queries that are timed, migrations that wait for the database |
//! | `queue.rs`, `worker.rs` | work that is no request, and that a shutdown waits for |
//! | `payments.rs` | calls to somebody else: breaker, retries, timeouts |
//! | `checks.rs` | what readiness depends on, and what it does not |
//! | `pager.rs` | who is told when something is wrong |
//! | `business.rs` | metrics of the service's own |
//! | `problem.rs` | one place where errors become answers |

mod business;
mod checks;
mod clock;
mod guide;
mod input;
mod invoices;
mod labels;
mod orders;
mod pager;
mod payments;
mod problem;
mod queue;
mod routes;
mod settings;
mod signups;
mod store;
mod worker;

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use anyhow::Context as _;
use seaworthy::log::{Logger, tracing::LogLayer};
use seaworthy::metrics::Metrics;
use seaworthy::server::Listener;
use seaworthy::{Lifecycle, Phase, Production, Security};
use tracing_subscriber::layer::SubscriberExt as _;

use business::Business;
use guide::Guide;
use pager::Pager;
use payments::{Payments, flaky};
use queue::Queue;
use routes::App;
use settings::Settings;
use store::Store;
use worker::Fulfilment;

const NAME: &str = env!("CARGO_PKG_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How often the pool is looked at, besides by whoever scrapes.
const POOL_WATCH: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // First of all: a signal that comes during the start is not lost.
    let life = Lifecycle::from_signals();
    let settings = Settings::from_environment()?;
    let logger = Logger::builder(NAME).version(VERSION).start()?;
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(LogLayer::new(logger.clone())))?;
    let metrics = Metrics::builder(NAME).version(VERSION).build();

    // What requests need, from the inside out. None of it waits for anybody: a database that is not there yet is a start that is not complete.
    let store = Store::open(&settings.database, settings.connections, &metrics, life.sink())?;
    let queue = Queue::open(settings.redis.as_ref(), &store)?;
    let bundled = match &settings.payments {
        Some(_) => None,
        None => Some(flaky::start().await.context("the bundled payment server")?),
    };
    let provider = settings.payments.as_ref().or(bundled.as_ref()).context("a payment provider")?;
    let payments = Payments::new(provider, &metrics, &life)?;
    let business = Business::register(&metrics)?;
    let health = checks::health(&store, &queue, &payments, settings.checks_every);
    let ready = health.guard("worker")?;

    let fulfilment = Fulfilment { store: store.clone(), queue: queue.clone(), business: business.clone() };
    let worker = life.spawn("orders", |work| fulfilment.run(work, health.clone(), ready));
    tokio::spawn(store.pool().clone().watch(POOL_WATCH));

    let public = listen("PORT", settings.port)?;
    let admin = listen("ADMIN_PORT", settings.admin_port)?;
    Guide::new(&public, &admin, bundled)?.print();
    let (closing, last) = (queue.clone(), store.clone());
    let mut production = Production::builder(NAME, VERSION)
        .log(logger)
        .metrics(metrics)
        .health(health)
        .security(Security::api())
        .rate_limit(settings.rate_limit)
        .body_limit(64 * 1024)
        // Longer than a payment with its retries takes, or its client would hear of a timeout that nobody had.
        .timeout(Duration::from_secs(10))
        // HTTP has ended when the first of these runs. What comes first uses what comes later.
        .on_shutdown(Phase::Workers, || worker.stop())
        .on_shutdown(Phase::Queues, move || async move {
            closing.close().await;
            Ok(())
        })
        .on_shutdown(Phase::Databases, move || async move {
            last.close().await;
            Ok(())
        })
        .admin_listener(admin)
        // Off where OTEL_* and SENTRY_* ask for nothing.
        .otlp_from_env()
        .sentry_from_env();
    if let Some(path) = settings.audit {
        production = production.audit(path);
    }
    if let Some(webhook) = settings.alerts {
        let pager = Pager::new(webhook)?;
        production = production.alert_hook(move |fact| pager.clone().page(fact));
    }
    let production = production.build()?;
    let payments = payments.traced(production.tracer());
    let app = App { store, queue, payments, business, life: life.clone(), trail: production.trail() };
    production.serve(routes::router(app), Listener::try_from(public)?, life).await?;
    Ok(())
}

/// On all addresses of the machine.
fn listen(variable: &str, port: u16) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port));
    listener.with_context(|| format!("port {port} cannot be listened on: set {variable} to another one"))
}
