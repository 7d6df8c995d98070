//! The command line of the drill.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::catalogue::Level;
use crate::client::Target;
use crate::context::{Context, Trouble};
use crate::finding::Verdict;
use crate::plan::{Paths, Plan, Subject};
use crate::program::{Launch, end_all};
use crate::progress::Progress;
use crate::pulse::Pulse;
use crate::report::{Format, Report, json, text};
use crate::settings::{Settings, SettingsError, known};
use crate::{explain, runner, survey, units, waiver};

/// Rehearse start, load, failure and shutdown against a service, and report which promises do not hold.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "seaworthy drill", args_override_self = true)]
#[allow(clippy::struct_excessive_bools, reason = "flags of a command line are independent of each other")]
pub struct Arguments {
    /// The program and its arguments; it gets its port as $PORT, and {port} in an argument is replaced.
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,

    /// Judge a service that runs already, by its address: what needs control of it is skipped.
    #[arg(long, value_name = "http://HOST:PORT", conflicts_with = "command")]
    pub url: Option<String>,
    /// With --url: the process of the service, for checks of its memory and open files.
    #[arg(long, requires = "url")]
    pub pid: Option<u32>,
    /// With --url: allow what could hurt it, such as floods and broken requests.
    #[arg(long, requires = "url")]
    pub destructive: bool,

    /// A GET that is safe to repeat.
    #[arg(long, value_parser = units::path)]
    pub path: Option<String>,
    /// The liveness path.
    #[arg(long, value_parser = units::path)]
    pub live: Option<String>,
    /// The readiness path.
    #[arg(long, value_parser = units::path)]
    pub ready: Option<String>,
    /// A GET that takes 1 to 5 s.
    #[arg(long, value_parser = units::path)]
    pub slow_path: Option<String>,
    /// A POST that reads its body to the end.
    #[arg(long, value_parser = units::path)]
    pub upload_path: Option<String>,
    /// The Prometheus exposition.
    #[arg(long, value_parser = units::path)]
    pub metrics: Option<String>,
    /// A path that opens a WebSocket.
    #[arg(long, value_parser = units::path)]
    pub websocket_path: Option<String>,
    /// A GET that fails with 500.
    #[arg(long, value_parser = units::path)]
    pub error_path: Option<String>,
    /// A POST that takes JSON and nothing else.
    #[arg(long, value_parser = units::path)]
    pub json_path: Option<String>,
    /// A header for every request, 'Name: value'. May be repeated.
    #[arg(long, value_parser = units::header)]
    pub header: Vec<(String, String)>,
    /// A variable for the program, NAME=VALUE. May be repeated.
    #[arg(long, value_parser = units::variable)]
    pub env: Vec<(String, String)>,
    /// The directory to start the program in.
    #[arg(long)]
    pub directory: Option<PathBuf>,

    /// What the platform allows from signal to kill [default: 30s].
    #[arg(long, value_parser = units::duration)]
    pub grace: Option<Duration>,
    /// How long balancers still send after they were told [default: 2s].
    #[arg(long, value_parser = units::duration)]
    pub lag: Option<Duration>,
    /// The preStop sleep of your platform: so much of the lag is over when the signal comes [default: 0s].
    #[arg(long, value_parser = units::duration)]
    pub pre_stop: Option<Duration>,
    /// The signal that the platform stops it by [default: TERM].
    #[arg(long, value_parser = units::signal)]
    pub stop_signal: Option<Signal>,
    /// How long a start may take [default: 60s].
    #[arg(long, value_parser = units::duration)]
    pub start_timeout: Option<Duration>,
    /// The port of a program that listens on no other; instances then run one after another.
    #[arg(long)]
    pub port: Option<u16>,
    /// Rehearsals at a time [default: by cores, 2 to 4].
    #[arg(long)]
    pub parallel: Option<usize>,

    /// What is rehearsed, and what is fatal [default: must].
    #[arg(long)]
    pub level: Option<Level>,
    /// Only these checks: an id, a group, or a prefix with *. May be repeated.
    #[arg(long, value_name = "CHECK")]
    pub only: Vec<String>,
    /// Leave these checks out, with --reason. May be repeated.
    #[arg(long, value_name = "CHECK", requires = "reason")]
    pub skip: Vec<String>,
    /// Why checks are left out.
    #[arg(long)]
    pub reason: Option<String>,
    /// Waivers and what cannot be found out [default: drill.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The form of the report.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Write the report here instead of to stdout.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// A JSON report of before: what was broken in it is not fatal.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write the timeline of the drain as SVG.
    #[arg(long, value_name = "FILE")]
    pub timeline: Option<PathBuf>,
    /// No progress on stderr.
    #[arg(long, short)]
    pub quiet: bool,

    /// List all checks.
    #[arg(long)]
    pub list: bool,
    /// Explain a check.
    #[arg(long, value_name = "ID")]
    pub explain: Option<String>,
}

/// How a drill ended, as an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// 0: nothing that counts is broken.
    Held,
    /// 1: a promise that counts is broken.
    Broken,
    /// 2: the command line or a file makes no sense.
    Usage,
    /// 3: the service could not be rehearsed.
    NotRun,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(match ending {
            Ending::Held => 0,
            Ending::Broken => 1,
            Ending::Usage => 2,
            Ending::NotRun => 3,
        })
    }
}

/// Holds the drill. Reports to stdout, progress and errors to stderr.
pub fn run(arguments: &Arguments) -> Ending {
    if arguments.list {
        return say(&explain::list());
    }
    if let Some(id) = &arguments.explain {
        return match crate::catalogue::find(id) {
            Some(check) => say(&explain::page(check)),
            None => usage(&SettingsError::Invalid(format!("{id:?} names no check: see --list"))),
        };
    }
    let plan = match plan(arguments) {
        Ok(plan) => plan,
        Err(error) => return usage(&error),
    };
    let known_broken = match baseline(arguments) {
        Ok(known) => known,
        Err(error) => return usage(&error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: no runtime: {error}");
            return Ending::NotRun;
        }
    };
    let ending = runtime.block_on(async {
        tokio::select! {
            ending = hold(arguments, plan, known_broken) => ending,
            () = interrupted() => {
                let _ = writeln!(std::io::stderr(), "interrupted: what was started is being killed");
                end_all();
                Ending::NotRun
            }
        }
    });
    // What still runs in the runtime is dropped with it, and each instance kills its group when it is dropped.
    drop(runtime);
    ending
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

async fn hold(arguments: &Arguments, plan: Plan, known: Vec<String>) -> Ending {
    let begun = Instant::now();
    let progress = Progress::new(arguments.quiet);
    let subject = subject_name(&plan.subject);
    let (level, waivers) = (plan.level, plan.waivers.clone());
    let context = match survey_subject(plan).await {
        Ok(context) => Arc::new(context),
        Err(trouble) => {
            progress.finish();
            let _ = writeln!(std::io::stderr(), "error: {}", text::clean(&trouble.to_string()));
            return Ending::NotRun;
        }
    };
    let mut findings = runner::hold(context.clone(), &progress).await;
    progress.finish();
    waiver::apply(&waivers, jiff::Zoned::now().date(), &mut findings);
    let timeline = context.take_timeline();
    let report = Report {
        subject,
        level,
        findings,
        notes: context.survey.notes.clone(),
        timeline,
        took: begun.elapsed(),
        known,
    };
    match deliver(arguments, &report) {
        Ok(()) => ending(&report),
        Err(error) => usage(&error),
    }
}

fn ending(report: &Report) -> Ending {
    if report.fatal().next().is_some() {
        return Ending::Broken;
    }
    let unjudged =
        report.findings.iter().any(|finding| finding.verdict == Verdict::Error && finding.level <= report.level);
    // Nothing that was asked for is there: a typing error in --only must not look like success.
    if unjudged || report.findings.is_empty() { Ending::NotRun } else { Ending::Held }
}

fn deliver(arguments: &Arguments, report: &Report) -> Result<(), SettingsError> {
    let write = |path: &PathBuf, text: &str| {
        let written = std::fs::write(path, text);
        written.map_err(|error| SettingsError::Invalid(format!("{} cannot be written: {error}", path.display())))
    };
    if let (Some(path), Some(timeline)) = (&arguments.timeline, &report.timeline) {
        write(path, &timeline.svg())?;
    }
    if let Some(path) = &arguments.report {
        write(path, &report.render(arguments.format))?;
        // Whoever looks at the terminal is told all the same.
        if !arguments.quiet {
            say(&text::render(report, std::io::stdout().is_terminal()));
        }
        return Ok(());
    }
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let rendered =
        if arguments.format == Format::Text { text::render(report, colour) } else { report.render(arguments.format) };
    say(&rendered);
    Ok(())
}

/// Starts the service once and looks around.
async fn survey_subject(plan: Plan) -> Result<Context, Trouble> {
    let pulse = Pulse::start();
    let mut context = Context::new(plan, pulse);
    if let Subject::Running { address, host, .. } = &context.plan.subject {
        let target = Target { address: *address, host: host.clone(), headers: context.plan.headers.clone() };
        context.survey = survey::survey(&target, &context.plan, Instant::now()).await?;
        return Ok(context);
    }
    let mut instance = context.spawn(None, &[])?;
    instance.listening(context.plan.start_timeout).await?;
    let target = context.target(&instance);
    let found = tokio::select! {
        found = survey::survey(&target, &context.plan, instance.spawned) => found,
        exit = instance.ended() => return Err(Trouble::Other(format!("the program ended ({exit}) while it was looked at{}", instance.tail()))),
    };
    let found = match found {
        Ok(found) => found,
        Err(error) => return Err(Trouble::Other(format!("{error}{}", instance.tail()))),
    };
    context.survey = found;
    instance.kill().await;
    Ok(context)
}

fn subject_name(subject: &Subject) -> String {
    match subject {
        Subject::Program(launch) => {
            let words: Vec<_> = launch.argv.iter().map(|word| word.to_string_lossy()).collect();
            words.join(" ")
        }
        Subject::Running { host, .. } => format!("http://{host}"),
    }
}

fn baseline(arguments: &Arguments) -> Result<Vec<String>, SettingsError> {
    let Some(path) = &arguments.baseline else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Read { path: path.clone(), source })?;
    json::broken_in(&text)
        .map_err(|error| SettingsError::Invalid(format!("{} is no JSON report of a drill: {error}", path.display())))
}

fn plan(arguments: &Arguments) -> Result<Plan, SettingsError> {
    let default = PathBuf::from("drill.toml");
    let settings = match &arguments.config {
        Some(path) => Settings::read(path)?,
        None if default.exists() => Settings::read(&default)?,
        None => Settings::default(),
    };
    let invalid = |error: String| SettingsError::Invalid(error);
    let duration = |given: Option<Duration>, written: &Option<String>, default: u64| match (given, written) {
        (Some(given), _) => Ok(given),
        (None, Some(written)) => units::duration(written).map_err(invalid),
        (None, None) => Ok(Duration::from_secs(default)),
    };
    let stop_signal = match (arguments.stop_signal, &settings.stop_signal) {
        (Some(signal), _) => signal,
        (None, Some(written)) => units::signal(written).map_err(invalid)?,
        (None, None) => Signal::TERM,
    };
    let reason = arguments.reason.clone().unwrap_or_default();
    let skip = arguments.skip.iter().map(|check| (check.clone(), reason.clone()));
    let skip: Vec<_> = skip.chain(settings.skip.iter().map(|skip| (skip.check.clone(), skip.reason.clone()))).collect();
    for pattern in arguments.only.iter().chain(skip.iter().map(|(pattern, _)| pattern)) {
        known(pattern)?;
    }
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let port = arguments.port.or(settings.port);
    let parallel = arguments.parallel.or(settings.parallel).unwrap_or(cores.clamp(2, 4)).max(1);
    let headers =
        settings.headers.iter().map(|(name, value)| units::header(&format!("{name}: {value}")).map_err(invalid));
    let mut headers = headers.collect::<Result<Vec<_>, _>>()?;
    headers.extend(arguments.header.iter().cloned());
    Ok(Plan {
        subject: subject(arguments, &settings)?,
        paths: paths(arguments, &settings)?,
        headers,
        grace: duration(arguments.grace, &settings.grace, 30)?,
        lag: duration(arguments.lag, &settings.lag, 2)?,
        pre_stop: duration(arguments.pre_stop, &settings.pre_stop, 0)?,
        stop_signal,
        start_timeout: duration(arguments.start_timeout, &settings.start_timeout, 60)?,
        port,
        // Two instances cannot have one port.
        parallel: if port.is_some() { 1 } else { parallel },
        level: arguments.level.or(settings.level).unwrap_or(Level::Must),
        only: arguments.only.clone(),
        skip,
        waivers: settings.waivers()?,
        dependencies: settings.dependencies(&arguments.env)?,
        grpc: settings.grpc,
        config: settings.config(),
    })
}

fn paths(arguments: &Arguments, settings: &Settings) -> Result<Paths, SettingsError> {
    let written = settings.paths();
    let choose = |given: &Option<String>, written: Option<String>| match (given, written) {
        (Some(given), _) => Ok(Some(given.clone())),
        (None, Some(written)) => units::path(&written).map(Some).map_err(SettingsError::Invalid),
        (None, None) => Ok(None),
    };
    Ok(Paths {
        safe: choose(&arguments.path, written.safe)?,
        live: choose(&arguments.live, written.live)?,
        ready: choose(&arguments.ready, written.ready)?,
        slow: choose(&arguments.slow_path, written.slow)?,
        upload: choose(&arguments.upload_path, written.upload)?,
        metrics: choose(&arguments.metrics, written.metrics)?,
        websocket: choose(&arguments.websocket_path, written.websocket)?,
        error: choose(&arguments.error_path, written.error)?,
        json: choose(&arguments.json_path, written.json)?,
    })
}

fn subject(arguments: &Arguments, settings: &Settings) -> Result<Subject, SettingsError> {
    if let Some(url) = &arguments.url {
        let (address, host) = address(url)?;
        return Ok(Subject::Running { address, host, pid: arguments.pid, destructive: arguments.destructive });
    }
    let written = settings.command.iter().flatten().map(OsString::from);
    let argv: Vec<OsString> = if arguments.command.is_empty() { written.collect() } else { arguments.command.clone() };
    if argv.is_empty() {
        let message = "nothing to rehearse: give a command after --, or an address with --url".to_owned();
        return Err(SettingsError::Invalid(message));
    }
    let env =
        settings.env.iter().map(|(name, value)| (name.clone(), value.clone())).chain(arguments.env.iter().cloned());
    Ok(Subject::Program(Launch { argv, env: env.collect(), dir: arguments.directory.clone() }))
}

/// `http://127.0.0.1:8080`. A name other than localhost is not resolved: who means a machine can say which.
fn address(url: &str) -> Result<(SocketAddr, String), SettingsError> {
    let bad = |why: &str| SettingsError::Invalid(format!("--url {url:?}: {why}"));
    let rest = url.strip_prefix("http://").ok_or_else(|| bad("it starts with http:// (the drill speaks no TLS)"))?;
    let host = rest.trim_end_matches('/');
    if host.contains('/') {
        return Err(bad("give the path by --path"));
    }
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().map_err(|_| bad("the port is no number"))?),
        _ => (host, 80),
    };
    let ip: IpAddr = match name.trim_start_matches('[').trim_end_matches(']') {
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        name => name.parse().map_err(|_| bad("the host is an IP address or localhost"))?,
    };
    Ok((SocketAddr::new(ip, port), host.to_owned()))
}

fn say(text: &str) -> Ending {
    // A reader that has gone away (`| head`) is no error of ours.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ending::Held
}

fn usage(error: &SettingsError) -> Ending {
    let _ = writeln!(std::io::stderr(), "error: {error}");
    Ending::Usage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_ip_or_localhost_over_plain_http() {
        let (found, host) = address("http://localhost:8080/").unwrap();
        assert_eq!((found.to_string().as_str(), host.as_str()), ("127.0.0.1:8080", "localhost:8080"));
        assert_eq!(address("http://[::1]:81").unwrap().0.to_string(), "[::1]:81");
        for bad in ["https://localhost", "http://example.org", "http://localhost:x", "http://localhost/a"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_command_line_is_coherent() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }
}
