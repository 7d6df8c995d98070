//! What the binary `seaworthy` is besides its gateway. [`main`] is all that can be called.

mod ask;
mod cli;
mod commands;
mod config;
mod control;
mod demo;
mod egress;
mod exit_code;
mod listen;
mod log;
mod metrics;
mod monitor;
mod names;
mod ops;
mod run;
mod scrape;
mod shape;
mod statsd;
mod supervise;
mod telemetry;

use seaworthy_gateway as gateway;
use seaworthy_gateway::sockets;

/// Runs the process as its command line says; how it ended comes back.
pub fn main() -> std::process::ExitCode {
    cli::main()
}
