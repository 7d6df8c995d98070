//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

use crate::catalogue::Level;
use crate::report::Format;
use crate::units;

/// Rehearse start, load, failure and shutdown against a service, and report which promises do not hold.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "seaworthy drill", args_override_self = true)]
#[command(after_help = "Examples:
  seaworthy drill -- node server.js
  seaworthy drill --level must --format junit --report drill.xml -- gunicorn app:app --bind 127.0.0.1:{port}
  seaworthy drill --url http://127.0.0.1:8080 --only probes
  seaworthy drill --explain drain.ready-fails-first

Exit codes:
  0 nothing that counts is broken; 1 a promise that counts is broken; 2 usage; 3 the service could not be rehearsed.")]
#[allow(clippy::struct_excessive_bools, reason = "flags of a command line are independent of each other")]
pub struct Arguments {
    /// The program and its arguments; it gets its port as $PORT, and {port} in an argument is replaced.
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,

    /// Judge a service that runs already, by its address: what needs control of it is skipped.
    #[arg(long, value_name = "http[s]://HOST:PORT", conflicts_with = "command")]
    pub url: Option<String>,
    /// With --url: the process of the service, for checks of its memory and open files; with --destructive it is stopped at
    /// the end, and its drain judged.
    #[arg(long, requires = "url", value_parser = clap::value_parser!(u32).range(2..))]
    pub pid: Option<u32>,
    /// With --url: allow what could hurt it, such as floods and broken requests; with --pid also its stop.
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
    /// The program speaks TLS on its port; without this flag that is found out.
    #[arg(long, conflicts_with = "url")]
    pub https: bool,
    /// Under TLS, believe the certificates of the authorities in this PEM file [default: those that browsers believe].
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub ca_file: Option<PathBuf>,
    /// Under TLS, believe any certificate.
    #[arg(long)]
    pub insecure: bool,
    /// The name that certificate and Host header are for [default: localhost, or the host of --url].
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,
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
    /// Rehearsals at a time [default: by cores, 4 to 8].
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
    /// No progress on stderr
    #[arg(long, short)]
    pub quiet: bool,

    /// List all checks.
    #[arg(long)]
    pub list: bool,
    /// Explain a check.
    #[arg(long, value_name = "ID")]
    pub explain: Option<String>,
}
