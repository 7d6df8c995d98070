//! Builds every part, in an order in which a failure leaves nothing behind: what can be refused comes first, the program
//! last.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use seaworthy::core::event::{Event, Sink};
use seaworthy::core::health::Snapshot;
use seaworthy::health::Health;
use seaworthy::lifecycle::Lifecycle;
use seaworthy::otlp::Tracer;
use seaworthy_checks::Surroundings;
use seaworthy_checks::kinds::Spec;
use tokio::sync::mpsc;

use super::parts::{Parts, Program};
use super::{Inputs, banner, built, panics, upstream::Following};
use crate::commands::Output;
use crate::config::{Address, App, AppPort, Config, Loaded, LogFormat};
use crate::control::{Control, ControlRequest, ControlSocket, OpenError, ReloadStatus};
use crate::egress::{self, Board, Doors, Egress};
use crate::exit_code::ExitCode;
use crate::gateway::{
    BindError, Bound, Gateway, GatewaySetup, Listener, MakeObserver, Public, WorkerObserver, WorkerShare,
};
use crate::listen;
use crate::log::{self, Fanout, LogSetup, Logger};
use crate::metrics::{Metrics, MetricsSetup};
use crate::monitor::{self, Monitor, Record};
use crate::ops::{Endpoints, Ops, Probes, Sampler, Scrape, Vitals};
use crate::scrape::AppMetrics;
use crate::statsd::StatsD;
use crate::supervise::{self, Commands, HandedOver, Notifier, Reaper, Report, SpawnError, Supervisor};

use crate::telemetry::{Telemetry, TelemetryError};

/// How many requests of people may wait for the loop.
const REQUESTS: usize = 16;

/// Everything that was started, and where it is heard from.
pub(crate) struct Started {
    pub(crate) parts: Parts,
    pub(crate) reports: Option<mpsc::UnboundedReceiver<Report>>,
    pub(crate) requests: mpsc::Receiver<ControlRequest>,
    /// Where requests go, when that is not the program.
    pub(crate) following: Option<Following>,
    pub(crate) output: Output,
}

/// Why nothing runs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Control(#[from] OpenError),
    #[error(transparent)]
    Egress(#[from] egress::BuildError),
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error("{what} cannot be started: {source}")]
    System { what: &'static str, source: io::Error },
}

impl StartError {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Bind(BindError::InUse { .. }) | Self::Control(OpenError::Live { .. }) => ExitCode::AddressInUse,
            Self::Egress(_) => ExitCode::Config,
            Self::Spawn(error) => error.exit_code(),
            Self::Bind(BindError::Other { .. }) | Self::Control(_) | Self::Telemetry(_) | Self::System { .. } => {
                ExitCode::Failed
            }
        }
    }
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::System { what, source }
}

/// Builds all parts. The program is being started when this is done.
pub(crate) fn start(
    inputs: &Inputs,
    loaded: Loaded,
    handed_over: Vec<HandedOver>,
    output: Output,
) -> Result<Started, StartError> {
    let started = Instant::now();
    let config = &loaded.config;
    let serves = has_gateway(config);
    let mut handed_over = Inherited::of(handed_over)?;
    let public = if serves { handed_over.public(&config.listen)? } else { Vec::new() };
    let admin = config.admin.as_ref().map(|admin| handed_over.admin(admin)).transpose()?;
    let statsd = statsd(config)?;
    let doors = Egress::bind(config)?;

    let logger = logger(config, output).map_err(system("the log"))?;
    // The metrics ask for the processes of a program that is started after them.
    let program: Arc<OnceLock<Supervisor>> = Arc::default();
    let health = Health::default();
    let board = Board::default();
    let metrics = metrics(config, &logger, program.clone(), health.clone(), board.clone(), started);
    let mut sinks: Vec<Arc<dyn Sink>> = vec![Arc::new(logger.clone()), metrics.clone()];
    // It hears of facts, but not of what goes wrong with itself.
    let telemetry = Telemetry::start(config, &(Arc::new(Fanout::new(sinks.clone())) as Arc<dyn Sink>))?;
    metrics.show_telemetry(telemetry.counters());
    sinks.extend(telemetry.sinks());
    let sink: Arc<dyn Sink> = Arc::new(Fanout::new(sinks));
    panics::report_to(sink.clone());
    let control = ControlSocket::of(config, &*sink)?;

    board.set(board.build(&config.egress, &sink)?);

    let lifecycle = Lifecycle::new(sink.clone());
    health.publish(Snapshot { missing: missing(config), ..Snapshot::default() });
    let exposition = metrics.clone();
    let app_metrics = app_metrics(config, &metrics, statsd.as_ref(), &sink);
    let scrape = Scrape::new(move |format| exposition.exposition(format)).with_app(app_metrics.clone());
    let mut our_ports = Vec::new();
    let mut shares: Arc<[Arc<WorkerShare>]> = Arc::new([]);
    let gateway = if serves {
        our_ports.extend(public.iter().filter_map(|listener| port_of(&listener.bound)));
        let setup = gateway_setup(config, public, &lifecycle, &sink, (&logger, &metrics, &telemetry));
        let gateway = Gateway::start(setup).map_err(system("a worker"))?;
        shares = gateway.shares();
        Some(gateway)
    } else {
        None
    };
    let vitals = vitals(gateway.as_ref(), &lifecycle, &health, started, &sink);
    let ops = match admin {
        None => None,
        Some(listener) => {
            our_ports.extend(port_of(&listener.bound));
            let endpoints = Endpoints::new(Probes::of(config), vitals.clone(), scrape.clone(), sink.clone());
            let endpoints = endpoints.with_breakers(board.clone());
            let ops = Ops::serve(listener, Arc::new(endpoints), sink.clone());
            Some(ops.map_err(system("the ops listener"))?)
        }
    };
    let (ask, requests) = mpsc::channel(REQUESTS);
    let control = control.map(|socket| Control::serve(socket, ask, sink.clone())).transpose();
    let control = control.map_err(system("the control socket"))?;

    let reaper = Reaper::start(sink.clone()).map_err(system("the reaper"))?;
    let (egress, app) = serve_egress(config, doors, &board, telemetry.tracer(), &sink)?;
    our_ports.extend(egress.iter().flat_map(|egress| egress.places().all()).filter_map(port_of));
    let commands = Commands::of(&app, Arc::new(logger.clone()), sink.clone(), reaper)?;
    let surroundings = monitor::surroundings(commands.clone(), metrics.clone());
    // Before anybody waits for them: what was known counts from then.
    let record = record(config, &surroundings, &sink);
    let monitor = Monitor::start(&config.checks, surroundings.clone(), health.clone(), sink.clone());
    banner::listening(config, gateway.as_ref(), ops.as_ref(), control.as_ref(), &*sink, output, inputs.is_demo());
    let sampler = sampler(config, &vitals, program.clone(), &sink);
    let (supervisor, reports) = if config.app.command.is_empty() {
        (None, None)
    } else {
        let setup = supervised(config, app, output, our_ports, shares);
        let (supervisor, reports) = Supervisor::start(setup, commands.clone(), surroundings);
        // Nobody else sets it.
        let _ = program.set(supervisor.clone());
        (Some(supervisor), Some(reports))
    };
    let following = config.upstream.as_ref().filter(|_| serves).map(Following::new);
    let parts = Parts {
        inputs: inputs.clone(),
        loaded,
        started,
        lifecycle,
        health,
        sink,
        logger,
        vitals,
        scrape,
        gateway,
        ops,
        control,
        supervisor,
        app_metrics,
        _statsd: statsd,
        commands,
        egress,
        board,
        monitor,
        sampler,
        record,
        notifier: Notifier::of_process(),
        program: Program::default(),
        reloads: ReloadStatus::default(),
        telemetry,
    };
    if let Some(gateway) = &parts.gateway {
        gateway.reload(built::worker_settings(parts.config(), parts.public()));
    }
    Ok(Started { parts, reports, requests, following, output })
}

fn statsd(config: &Config) -> Result<Option<StatsD>, BindError> {
    let start = |address| StatsD::start(address, config.metrics.max_series.get());
    config.statsd.as_ref().map(start).transpose()
}

/// What heartbeats have said, kept where anybody waits for one.
fn record(config: &Config, surroundings: &Surroundings, sink: &Arc<dyn Sink>) -> Option<Record> {
    let directory = config.state_dir.as_ref().filter(|_| waits(config))?;
    Some(Record::keep(directory, surroundings.heartbeats.clone(), sink.clone()))
}

/// What the program is run by.
fn supervised(
    config: &Config,
    mut app: App,
    output: Output,
    our_ports: Vec<u16>,
    shares: Arc<[Arc<WorkerShare>]>,
) -> supervise::Setup {
    if config.upstream.is_some() {
        // Requests go elsewhere, so nobody waits for the program to take a port.
        app.port = AppPort::None;
    }
    supervise::Setup {
        app,
        start: config.start.clone(),
        stop: config.stop.clone(),
        restart: config.restart.clone(),
        migrations: config.migrate.clone(),
        output: program_output(config, output),
        our_ports,
        completed: Arc::new(move || shares.iter().map(|share| share.completed()).sum()),
    }
}

/// What probes are answered from.
fn vitals(
    gateway: Option<&Gateway>,
    lifecycle: &Lifecycle,
    health: &Health,
    started: Instant,
    sink: &Arc<dyn Sink>,
) -> Vitals {
    let (lifecycle, health, sink) = (lifecycle.clone(), health.clone(), sink.clone());
    match gateway {
        Some(gateway) => Vitals::new(lifecycle, health, started, sink, gateway.turning()),
        None => Vitals::new(lifecycle, health, started, sink, || true),
    }
}

/// Looks at the processes of the program, which is started later.
fn sampler(config: &Config, vitals: &Vitals, program: Arc<OnceLock<Supervisor>>, sink: &Arc<dyn Sink>) -> Sampler {
    let pids = Arc::new(move || program.get().map(Supervisor::pids).unwrap_or_default());
    let mut sampler = Sampler::new(vitals.samples().clone(), pids, sink.clone());
    sampler.set(&config.probes);
    sampler
}

/// What the program calls through us, and the program with what it has to know of that.
fn serve_egress(
    config: &Config,
    doors: Option<Doors>,
    board: &Board,
    tracer: Option<Tracer>,
    sink: &Arc<dyn Sink>,
) -> Result<(Option<Egress>, App), StartError> {
    let mut app = config.app.clone();
    let Some(doors) = doors else { return Ok((None, app)) };
    let egress = Egress::serve(doors, board.clone(), built::request_id(config), tracer, sink.clone());
    let egress = egress.map_err(system("egress"))?;
    egress.report(config, &**sink);
    for (name, value) in egress::variables(config, egress.places()) {
        // What somebody wrote down goes before what we know.
        app.env.entry(name).or_insert(value);
    }
    Ok((Some(egress), app))
}

/// Whether there is HTTP to stand in front of.
fn has_gateway(config: &Config) -> bool {
    // Without a program and an upstream, checks are all there is.
    config.upstream.is_some() || (!config.app.command.is_empty() && config.app.port != AppPort::None)
}

/// Whether there are heartbeats to keep.
fn waits(config: &Config) -> bool {
    config.checks.iter().any(|check| matches!(check.spec, Spec::Heartbeat(_)))
}

/// The sockets that a service manager listens on for us: `admin` by its name, all others for the public.
struct Inherited {
    public: Vec<Listener>,
    admin: Option<Listener>,
}

impl Inherited {
    fn of(handed_over: Vec<HandedOver>) -> Result<Self, BindError> {
        let (mut public, mut admin) = (Vec::new(), None);
        for HandedOver { socket, name } in handed_over {
            let listener = Listener::inherited(socket)?;
            if name.as_deref() == Some("admin") {
                admin = Some(listener);
            } else {
                public.push(listener);
            }
        }
        Ok(Self { public, admin })
    }

    /// What was handed over, or else `address`.
    fn public(&mut self, address: &Address) -> Result<Vec<Listener>, BindError> {
        let inherited = std::mem::take(&mut self.public);
        if inherited.is_empty() { Ok(vec![listen::on(address)?]) } else { Ok(inherited) }
    }

    fn admin(&mut self, address: &Address) -> Result<Listener, BindError> {
        self.admin.take().map_or_else(|| listen::on(address), Ok)
    }
}

fn port_of(bound: &Bound) -> Option<u16> {
    match bound {
        Bound::Tcp(address) => Some(address.port()),
        Bound::Unix(_) => None,
    }
}

fn logger(config: &Config, output: Output) -> io::Result<Logger> {
    Logger::start(LogSetup {
        service: config.service.clone(),
        version: config.version.clone(),
        log: config.log.clone(),
        colour: output.colour && output.terminal,
        output: log::stdout()?,
    })
}

fn metrics(
    config: &Config,
    logger: &Logger,
    program: Arc<OnceLock<Supervisor>>,
    health: Health,
    egress: Board,
    started: Instant,
) -> Arc<Metrics> {
    Metrics::new(MetricsSetup {
        service: config.service.clone(),
        version: config.version.clone(),
        max_series: config.metrics.max_series.get(),
        log: logger.clone(),
        app: Box::new(move || program.get().map(Supervisor::pids).unwrap_or_default()),
        health,
        egress,
        started,
    })
}

/// What the program shows of its own stands beside ours.
fn app_metrics(config: &Config, metrics: &Metrics, statsd: Option<&StatsD>, sink: &Arc<dyn Sink>) -> AppMetrics {
    if let Some(statsd) = statsd {
        metrics.collect(statsd.page());
        sink.emit(&Event::Notice { text: format!("StatsD is received on {}", statsd.bound()) });
    }
    let app = AppMetrics::new(&config.metrics, sink.clone());
    let shown = app.clone();
    // Last, so that it gives way to all others.
    metrics.collect_last(move |page| shown.write(page));
    app
}

fn gateway_setup(
    config: &Config,
    listeners: Vec<Listener>,
    lifecycle: &Lifecycle,
    sink: &Arc<dyn Sink>,
    (logger, metrics, telemetry): (&Logger, &Arc<Metrics>, &Telemetry),
) -> GatewaySetup {
    let workers = built::workers(config);
    let make_observer = |_| -> MakeObserver {
        let (log, metrics, telemetry) = (logger.clone(), metrics.clone(), telemetry.worker());
        Box::new(move |share| WorkerObserver::new(share.clone(), log.worker(), metrics.worker(share), telemetry))
    };
    GatewaySetup {
        workers,
        listeners,
        // What is answered here needs to know how the workers are, so it follows once they are there.
        settings: built::worker_settings(config, Public::new(|_, _| None)),
        upstream_connections: config.limits.upstream_connections.get(),
        lifecycle: lifecycle.clone(),
        sink: sink.clone(),
        observers: (0..workers).map(make_observer).collect(),
    }
}

/// The names that `[require]` demands and that are not set.
pub(crate) fn missing(config: &Config) -> Vec<String> {
    let is_set = |name: &String| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    config.require.env.iter().filter(|name| !is_set(name)).cloned().collect()
}

/// Whoever watches on a terminal sees what the program prints as it prints it.
fn program_output(config: &Config, output: Output) -> supervise::Output {
    if output.terminal && config.log.format == LogFormat::Pretty {
        supervise::Output::Inherited
    } else {
        supervise::Output::Captured
    }
}

/// Says that the configuration is unwise in places.
pub(crate) fn warn(loaded: &Loaded, sink: &dyn Sink) {
    for warning in &loaded.warnings {
        sink.emit(&Event::Warning { text: warning.to_string() });
    }
}
