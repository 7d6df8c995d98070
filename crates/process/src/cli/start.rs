//! The commands that start something.

#![allow(clippy::doc_markdown, reason = "these comments are the words of --help")]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::config::CommandLine;

/// Start a program, stand in front of it, watch it, and stop it in order
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "Examples:
  seaworthy run -- node server.js
  seaworthy run --listen :80 --admin :9090 -- gunicorn app:app --bind 127.0.0.1:{port}
  seaworthy run --upstream http://127.0.0.1:3000

{port} in an argument becomes the program's port, which PORT in its environment holds too.

Exit codes:
  0    stopped in order
  1    the stop was forced or failed
  2    usage
  64   the configuration is invalid
  65   an address is in use
  69   gave up on a dependency of the start
  70   the program did not become ready
  126  the program cannot be executed
  127  the program was not found
  Otherwise the program's own, or 128 + the signal that ended it.")]
pub(crate) struct Run {
    /// The config file [default: $SEAWORTHY_CONFIG, else seaworthy.toml where there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Where the public is served [default: 0.0.0.0:$PORT, else 0.0.0.0:8080]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,

    /// Where probes and metrics are served, or "off" [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin: Option<String>,

    /// The port that the program listens on, or "false" for a program without HTTP [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub(crate) app_port: Option<String>,

    /// Forward to something that is already running, instead of starting it
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Vec<String>,

    /// The program and its arguments, passed on unchanged: no shell is run
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

impl From<Run> for CommandLine {
    fn from(run: Run) -> Self {
        let Run { config, listen, admin, app_port, upstream, command } = run;
        Self { config, listen, admin, app_port, upstream, command }
    }
}

/// Run the whole thing with a built-in sample service; nothing to install
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "Examples:
  seaworthy demo
  seaworthy demo --listen 127.0.0.1:0 --admin 127.0.0.1:0     on free ports, which are printed

Exit codes:
  As of `seaworthy run`.")]
pub(crate) struct Demo {
    /// Where the public is served [default: 0.0.0.0:$PORT, else 0.0.0.0:8080]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,

    /// Where probes and metrics are served [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin: Option<String>,

    /// Be the sample service on this port, which is what the demo starts
    #[arg(long, value_name = "PORT", hide = true)]
    pub(crate) serve: Option<u16>,
}
