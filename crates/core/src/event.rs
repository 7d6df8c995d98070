//! The closed list of facts that the rest of the system reports.
//!
//! Gateway, supervisor, monitor and library emit facts; log, metrics, history, audit, alerts and dashboard consume
//! them. A fact is described once, here, so that a metric and the log line beside it cannot disagree.
//!
//! A fact says its own [`Event::name`], [`Event::level`], message (`Display`) and fields ([`Event::each_field`]);
//! whoever writes it out adds the time. The one on the path of every request, [`RequestFinished`], borrows all that
//! it says and stands apart, so that it costs no allocation.
//!
//! ```
//! use seaworthy_core::event::{Event, Level, Value};
//! use seaworthy_core::lifecycle::Cause;
//!
//! let event = Event::StopBegan { cause: Cause::Sigterm };
//! assert_eq!(event.to_string(), "SIGTERM received, starting graceful shutdown");
//! assert_eq!(event.level(), Level::Info);
//! ```

mod memory;
mod request;
mod sink;

use std::fmt;
use std::time::Duration;

pub use memory::Memory;
pub use request::{Protocol, RequestFinished, UpstreamFacts};
pub use sink::{Nowhere, Sink};

use crate::breaker::{Mode as BreakerMode, State as BreakerState};
use crate::lifecycle::{Cause, State};
use crate::refusal::Reason;

/// How much a fact matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    /// As it stands in a log line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl std::str::FromStr for Level {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let levels = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error];
        let text = text.trim().to_ascii_lowercase();
        let known = levels.into_iter().find(|level| level.name() == text);
        known.or((text == "warning").then_some(Self::Warn)).ok_or(LevelError(text))
    }
}

/// A level that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown level {0:?}: use trace, debug, info, warn or error")]
pub struct LevelError(String);

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    Text(&'a str),
    Integer(i64),
    Float(f64),
    Flag(bool),
    /// Written in seconds.
    Seconds(Duration),
}

impl From<Duration> for Value<'_> {
    fn from(duration: Duration) -> Self {
        Self::Seconds(duration)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

macro_rules! integers {
    ($($integer:ty),+) => {$(
        impl From<$integer> for Value<'_> {
            fn from(integer: $integer) -> Self {
                Self::Integer(i64::from(integer))
            }
        }
    )+};
}
integers!(u8, u16, u32, i32, i64);

/// Which output of a program a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    Exited(i32),
    Signalled(i32),
}

impl Ending {
    /// The code that a shell reports for it: the program's own, or 128 + signal.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Exited(code) => code,
            Self::Signalled(signal) => 128 + signal,
        }
    }

    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Signalled(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// How a stop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Graceful,
    Forced,
}

impl Outcome {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Graceful => "graceful",
            Self::Forced => "forced",
        }
    }
}

macro_rules! events {
    ($(
        $(#[$doc:meta])*
        $variant:ident $({ $($field:ident : $kind:ty),+ $(,)? })? = $name:literal, $level:ident,
            $message:literal $(, $argument:expr)* $(; $($label:literal => $value:expr),+)?;
    )+) => {
        /// A fact. Match its variants with `..` for the fields: further ones may be added.
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub enum Event {
            $($(#[$doc])* $variant $({ $($field: $kind),+ })?,)+
        }

        impl Event {
            /// The stable name, for consumers and for whoever searches a log.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $name,)+ }
            }

            /// How much it matters.
            #[must_use]
            pub fn level(&self) -> Level {
                match self { $(Self::$variant { .. } => Level::$level,)+ }
            }

            /// Gives each field beyond the message to `field`, but for those of which nothing is known: their text is empty.
            #[allow(unused_variables, reason = "not every fact has fields beyond its message")]
            pub fn each_field(&self, mut field: impl FnMut(&'static str, Value<'_>)) {
                match self { $(Self::$variant $({ $($field),+ })? => { $($(known(&mut field, $label, Value::from($value));)+)? })+ }
            }
        }

        /// The name of every field.
        #[cfg(test)]
        const LABELS: &[&str] = &[$($($($label,)+)?)+];

        impl fmt::Display for Event {
            #[allow(unused_variables, reason = "not every message quotes every field")]
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Self::$variant $({ $($field),+ })? => write!(f, $message $(, $argument)*),)+ }
            }
        }
    };
}

/// Gives a field of which something is known.
fn known(field: &mut impl FnMut(&'static str, Value<'_>), name: &'static str, value: Value<'_>) {
    if value != Value::Text("") {
        field(name, value);
    }
}

// name of the fact, its level, its message; then label => value for each field.
events! {
    /// The state of the service changed.
    StateChanged { from: State, to: State } = "state_changed", Debug, "{} → {}", from.name(), to.name();
        "from" => from.name(), "to" => to.name();
    /// A drain began.
    StopBegan { cause: Cause } = "stop_began", Info, "{} received, starting graceful shutdown", cause.name();
        "cause" => cause.name();
    /// Readiness is withdrawn; the listener stays open for a while.
    Draining { delay: Duration } = "draining", Info, "draining: readiness withdrawn, listener open for {}", Plain(*delay);
        "delay" => *delay;
    /// Nothing new is accepted any more.
    ListenersClosed { in_flight: u32 } = "listeners_closed", Info, "HTTP server closed";
        "in_flight" => *in_flight;
    /// Requests were cut because their time was over.
    RequestCut { method: String, path: String, after: Duration } = "request_cut", Warn, "request cut after {after:.1?}: {method} {path}";
        "method" => method.as_str(), "path" => path.as_str(), "after" => *after;
    /// The program is told to stop.
    AppStopping { pid: u32, signal: String, patience: Duration } = "app_stopping", Info, "stopping app";
        "pid" => *pid, "signal" => signal.as_str(), "patience" => *patience;
    /// The program ended after it was told to.
    AppStopped { ending: Ending, took: Duration } = "app_stopped", Info, "app stopped";
        "code" => ending.code(), "took" => *took;
    /// The program did not end in time.
    AppKilled { pid: u32, patience: Duration } = "app_killed", Error, "app killed: it had not ended {patience:?} after its signal";
        "pid" => *pid, "patience" => *patience;
    /// The last hooks run.
    CleaningUp = "cleaning_up", Info, "cleaning up resources";
    /// Somebody insists: what is left of the stop is cut short.
    StopForced = "stop_forced", Warn, "signal repeated: ending now";
    /// Everything has ended.
    StopEnded { outcome: Outcome, took: Duration, requests_cut: u32 } = "stop_ended", Info, "{}", match outcome { Outcome::Graceful => "Graceful shutdown complete", Outcome::Forced => "Forced shutdown after timeout" };
        "outcome" => outcome.name(), "took" => *took, "requests_cut" => *requests_cut;
    /// What is listened on.
    Listening { public: String, admin: String, control: String } = "listening", Info, "{}", Places { public, admin };
        "public" => public.as_str(), "admin" => admin.as_str(), "control" => control.as_str();
    /// An upstream that somebody else started accepts connections.
    UpstreamReady { upstream: String, took: Duration } = "upstream_ready", Info, "upstream {upstream} is there after {took:.1?}";
        "upstream" => upstream.as_str(), "took" => *took;
    /// An upstream that somebody else started is not there.
    UpstreamAbsent { upstream: String, reason: String } = "upstream_absent", Warn, "upstream {upstream} is not there: {reason}";
        "upstream" => upstream.as_str(), "reason" => reason.as_str();
    /// An upstream failed requests. Said at most once a second by each worker.
    UpstreamFailed { upstream: String, reason: String, suppressed: u32 } = "upstream_failed", Warn, "upstream {upstream} failed: {reason}";
        "upstream" => upstream.as_str(), "reason" => reason.as_str(), "suppressed" => *suppressed;
    /// An upstream is at another address now.
    UpstreamMoved { upstream: String, address: String } = "upstream_moved", Info, "upstream {upstream} is at {address} now";
        "upstream" => upstream.as_str(), "address" => address.as_str();
    /// The program was started.
    AppStarted { pid: u32, port: Option<u16>, command: String } = "app_started", Info, "app started: {command}";
        "pid" => *pid, "port" => port.map_or(0, i64::from);
    /// There will be no program any more.
    ProgramFailed { reason: String } = "program_failed", Error, "{reason}";
    /// The program accepts requests.
    AppReady { pid: u32, took: Duration } = "app_ready", Info, "app ready after {took:.1?}";
        "pid" => *pid, "took" => *took;
    /// The program did not get ready.
    AppNotReady { reason: String } = "app_not_ready", Error, "the app did not become ready: {reason}";
        "reason" => reason.as_str();
    /// The program ended although nobody asked it to.
    AppDied { pid: u32, ending: Ending, uptime: Duration } = "app_died", Error, "app ended unexpectedly with {ending} after {uptime:.1?}";
        "pid" => *pid, "code" => ending.code(), "uptime" => *uptime;
    /// The program answers nothing although nothing else keeps it busy.
    AppHangs { pid: u32, failures: u32 } = "app_hangs", Error, "app hangs: {failures} probes in a row unanswered";
        "pid" => *pid, "failures" => *failures;
    /// The program comes back after a pause.
    AppRestarting { delay: Duration, deaths: u32 } = "app_restarting", Warn, "restarting app in {delay:.1?}";
        "delay" => *delay, "deaths" => *deaths;
    /// The program died too often.
    AppGaveUp { deaths: u32, window: Duration } = "app_gave_up", Error, "giving up on the app: {deaths} deaths in {window:?}";
        "deaths" => *deaths, "window" => *window;
    /// A child that was not ours any more, or never, ended and was reaped.
    OrphanReaped { pid: u32 } = "orphan_reaped", Debug, "reaped an orphan";
        "pid" => *pid;
    /// A hook or migration ended well.
    CommandRan { what: String, took: Duration } = "command_ran", Info, "{what} done in {took:.1?}";
        "command" => what.as_str(), "took" => *took;
    /// Another replica migrates.
    MigrationWaits { migration: String, check: String } = "migration_waits", Info, "migration {migration} waits: another replica holds its lock";
        "migration" => migration.as_str(), "check" => check.as_str();
    /// A hook or migration failed.
    CommandFailed { what: String, reason: String } = "command_failed", Error, "{what} failed: {reason}";
        "command" => what.as_str(), "reason" => reason.as_str();
    /// A new config is in force. The values are those of every changed key, before and after; secrets are masked.
    ConfigReloaded { by: String, changed: Vec<String>, needs_restart: Vec<String>, values: Vec<String> } = "config_reloaded", Info, "config reloaded: {} changed, {} need a restart", changed.len(), needs_restart.len();
        "by" => by.as_str(), "changed" => changed.join(" ").as_str(), "needs_restart" => needs_restart.join(" ").as_str(), "values" => values.join("; ").as_str();
    /// A new config was refused; the old one stays in force.
    ConfigRefused { reason: String } = "config_refused", Error, "config refused, the old one stays in force: {reason}";
        "reason" => reason.as_str();
    /// New requests are held.
    Paused { by: String } = "paused", Warn, "paused by {by}";
        "by" => by.as_str();
    /// Requests go on.
    Resumed { by: String } = "resumed", Info, "resumed by {by}";
        "by" => by.as_str();
    /// The level of the log changed.
    LogLevelChanged { level: Level, expires: Option<Duration> } = "log_level_changed", Info, "log level is {} now", level.name();
        "log_level" => level.name();
    /// A client sent what is not HTTP, or left in the middle of it.
    ClientError { client: String, problem: String, status: u16 } = "client_error", Warn, "{problem}";
        "client" => client.as_str(), "status" => *status;
    /// A probe began to answer that something is wrong. Its repeats are not reported.
    ProbeFailed { probe: &'static str, answer: &'static str } = "probe_failed", Warn, "the {probe} probe answers {answer}";
        "probe" => *probe, "answer" => *answer;
    /// A probe answers well again.
    ProbeRecovered { probe: &'static str, answer: &'static str } = "probe_recovered", Info, "the {probe} probe answers {answer} again";
        "probe" => *probe, "answer" => *answer;
    /// A body of the configuration's own could not be made. Said once until it can be made again.
    ShapeFailed { path: String, reason: String } = "shape_failed", Error, "{path} answers the default body: {reason}";
        "path" => path.as_str(), "reason" => reason.as_str();
    /// A check fails: so many failures in a row came that it is no accident.
    CheckFailed { check: String, kind: &'static str, affects: &'static str, class: &'static str, error: String, because_of: String } = "check_failed", Error, "check {check} fails: {error}";
        "check" => check.as_str(), "kind" => *kind, "affects" => *affects, "class" => *class, "error" => error.as_str(), "because_of" => because_of.as_str();
    /// A check holds, but not well.
    CheckDegraded { check: String, kind: &'static str, affects: &'static str, class: &'static str, error: String, because_of: String } = "check_degraded", Warn, "check {check} is degraded: {error}";
        "check" => check.as_str(), "kind" => *kind, "affects" => *affects, "class" => *class, "error" => error.as_str(), "because_of" => because_of.as_str();
    /// A check holds: for the first time, or again.
    CheckPassed { check: String, kind: &'static str, latency: Duration, after: Option<Duration> } = "check_passed", Info, "check {check} {}", match after { Some(after) => format!("holds again after {after:.0?}"), None => "holds".to_owned() };
        "check" => check.as_str(), "kind" => *kind, "latency" => *latency;
    /// A service that we call fails: no call goes to it for a while.
    BreakerOpened { service: String, from: BreakerState, cause: String, open_for: Duration } = "breaker_opened", Error, "breaker {service} opened for {open_for:.0?}: {cause}";
        "peer_service" => service.as_str(), "from" => from.name(), "cause" => cause.as_str(), "open_for" => *open_for;
    /// The open time of a breaker is over: a few calls go out, to see whether the service is back.
    BreakerHalfOpen { service: String } = "breaker_half_open", Info, "breaker {service} is half-open: probing";
        "peer_service" => service.as_str();
    /// Calls go through again.
    BreakerClosed { service: String, from: BreakerState, cause: String } = "breaker_closed", Info, "breaker {service} closed: {cause}";
        "peer_service" => service.as_str(), "from" => from.name(), "cause" => cause.as_str();
    /// Somebody overruled a breaker, or gave it back to its calls.
    BreakerOverruled { service: String, mode: BreakerMode } = "breaker_overruled", Warn, "breaker {service} is {} now", mode.name();
        "peer_service" => service.as_str(), "mode" => mode.name();
    /// A call was not tried again, since too many were lately. Said at most once in ten seconds for each service.
    RetryBudgetExhausted { service: String } = "retry_budget_exhausted", Warn, "retries of {service} are beyond their budget: calls fail that would be tried again";
        "peer_service" => service.as_str();
    /// A call was refused, since as many run and wait as may. Said at most once in ten seconds for each service.
    BulkheadFull { service: String, running: u32, waiting: u32 } = "bulkhead_full", Warn, "bulkhead {service} is full: {running} calls run, {waiting} wait";
        "peer_service" => service.as_str(), "running" => *running, "waiting" => *waiting;
    /// Somebody closed a breaker by hand.
    BreakerReset { service: String, by: String } = "breaker_reset", Warn, "breaker {service} reset by {by}";
        "peer_service" => service.as_str(), "by" => by.as_str();
    /// Calls of the program to a service go through us, here.
    EgressListening { service: String, place: String } = "egress_listening", Info, "calls to {service} go through {place}";
        "peer_service" => service.as_str(), "place" => place.as_str();
    /// The program called a service through us: it was answered, by a second attempt where it is `hedged`, or refused by us.
    EgressCalled { service: String, method: String, status: u16, refusal: Option<Reason>, attempts: u32, hedged: bool, took: Duration, breaker: BreakerState, request_id: String } = "egress_called", Info, "called {service}: {status}{}", Because(*refusal);
        "peer_service" => service.as_str(), "method" => method.as_str(), "status" => *status, "refusal" => refusal.map_or("", Reason::name), "attempts" => *attempts, "hedged" => *hedged, "duration" => *took, "breaker" => breaker.name(), "request_id" => request_id.as_str();
    /// The program called a service through us, and it gave no answer.
    EgressFailed { service: String, method: String, reason: Reason, error: String, attempts: u32, took: Duration, breaker: BreakerState, request_id: String } = "egress_failed", Warn, "called {service}: {error}";
        "peer_service" => service.as_str(), "method" => method.as_str(), "reason" => reason.name(), "attempts" => *attempts, "duration" => *took, "breaker" => breaker.name(), "request_id" => request_id.as_str();
    /// Something that the ops listener was asked for was refused.
    OpsRequestRefused { client: String, method: String, path: String, status: u16 } = "ops_request_refused", Debug, "refused on the ops listener: {method} {path}";
        "client" => client.as_str(), "method" => method.as_str(), "path" => path.as_str(), "status" => *status;
    /// Somebody asked for a change over the control socket.
    ControlAsked { what: &'static str, by: String } = "control_asked", Info, "{by} asked: {what}";
        "what" => *what, "by" => by.as_str();
    /// A connection to the control socket was refused.
    ControlRefused { by: String } = "control_refused", Warn, "refused on the control socket: {by} is neither root nor our own user";
        "by" => by.as_str();
    /// Connections cannot be accepted for the moment.
    AcceptFailed { reason: String } = "accept_failed", Error, "cannot accept connections: {reason}";
        "reason" => reason.as_str();
    /// A limit on connections was reached.
    ConnectionLimitHit { limit: u32 } = "connection_limit_hit", Warn, "{limit} connections are open: more wait in the backlog";
        "limit" => *limit;
    /// The program's own metrics cannot be shown. Repeats are counted and not reported.
    AppScrapeFailed { reason: String } = "app_scrape_failed", Warn, "the app's own metrics cannot be had: {reason}";
        "reason" => reason.as_str();
    /// They are there again.
    AppScrapeRecovered = "app_scrape_recovered", Info, "the app's own metrics are there again";
    /// A pool of connections is nearly used up.
    PoolStrained { pool: String, active: u64, max: u64 } = "pool_strained", Warn, "pool {pool} is nearly used up: {active} of {max} connections are in use";
        "pool" => pool.as_str(), "active" => count(*active), "max" => count(*max);
    /// A pool of connections is used up, and somebody waits.
    PoolExhausted { pool: String, max: u64, waiting: u64 } = "pool_exhausted", Error, "pool {pool} is exhausted: all {max} connections are in use, and {waiting} wait for one";
        "pool" => pool.as_str(), "max" => count(*max), "waiting" => count(*waiting);
    /// A pool of connections has some left again.
    PoolAtEase { pool: String, active: u64, max: u64 } = "pool_at_ease", Info, "pool {pool} is at ease again: {active} of {max} connections are in use";
        "pool" => pool.as_str(), "active" => count(*active), "max" => count(*max);
    /// A worker thread of ours was lost.
    WorkerLost { worker: u32 } = "worker_lost", Error, "worker {worker} was lost";
        "worker" => *worker;
    /// The service gave an error in the place of an answer.
    ServiceFailed { error: String, request_id: String } = "service_failed", Error, "the service failed a request: {error}";
        "error" => error.as_str(), "request_id" => request_id.as_str();
    /// A panic was caught. The id is empty where no request met it.
    Panicked { message: String, place: String, request_id: String } = "panicked", Error, "panic: {message}";
        "place" => place.as_str(), "request_id" => request_id.as_str();
    /// Lines of the log were dropped because its output did not take them.
    LogLinesDropped { lines: u32 } = "log_lines_dropped", Warn, "{lines} log lines were dropped: stdout did not take them in time";
        "lines" => *lines;
    /// The audit trail is kept from here on. Its last hash stands in the log, which is kept elsewhere.
    AuditOpened { path: String, entry: i64, hash: String } = "audit_opened", Info, "audit trail {path} goes on after entry {entry}";
        "path" => path.as_str(), "entry" => *entry, "hash" => hash.as_str();
    /// The audit trail was damaged while nobody wrote it.
    AuditDamaged { path: String, problem: String } = "audit_damaged", Error, "audit trail {path} was damaged: {problem}";
        "path" => path.as_str(), "problem" => problem.as_str();
    /// The audit trail cannot be written. Said once, until it can be again.
    AuditFailed { path: String, reason: String } = "audit_failed", Error, "audit trail {path} cannot be written: {reason}";
        "path" => path.as_str(), "reason" => reason.as_str();
    /// The audit trail is written again.
    AuditResumed { path: String, lost: u32 } = "audit_resumed", Warn, "audit trail {path} is written again; {lost} entries were lost";
        "path" => path.as_str(), "lost" => *lost;
    /// What we tell others does not reach them. Said once, until it does again.
    ExportFailed { what: &'static str, to: String, reason: String } = "export_failed", Warn, "{what} do not reach {to}: {reason}";
        "what" => *what, "to" => to.as_str(), "reason" => reason.as_str();
    /// What we tell others reaches them again.
    ExportResumed { what: &'static str, to: String, lost: u32 } = "export_resumed", Info, "{what} reach {to} again; {lost} were lost meanwhile";
        "what" => *what, "to" => to.as_str(), "lost" => *lost;
    /// Something worth knowing that needs no reaction by a machine.
    Notice { text: String } = "notice", Info, "{text}";
    /// Something that somebody should mend.
    Warning { text: String } = "warning", Warn, "{text}";
}

/// A count as a field, which has a sign.
fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Why an answer is one of ours.
struct Because(Option<Reason>);

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |reason| write!(f, " ({})", reason.name()))
    }
}

/// Where the public is served, and where probes and metrics are; either may be `off`.
struct Places<'a> {
    public: &'a str,
    admin: &'a str,
}

impl fmt::Display for Places<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { public, admin } = self;
        match (*public, *admin) {
            ("off", "off") => f.write_str("listening nowhere"),
            ("off", admin) => write!(f, "probes and metrics on {admin}"),
            (public, "off") => write!(f, "listening on {public}"),
            (public, admin) => write!(f, "listening on {public}, probes and metrics on {admin}"),
        }
    }
}

/// A time as people write it: none is `0s`, not `0ns`.
struct Plain(Duration);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_zero() { f.write_str("0s") } else { write!(f, "{:?}", self.0) }
    }
}

#[cfg(test)]
mod tests;
