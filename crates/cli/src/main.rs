//! The binary.

mod cli;
mod commands;
mod config;
mod control;
mod demo;
mod egress;
mod exit_code;
mod gateway;
mod log;
mod metrics;
mod monitor;
mod names;
mod ops;
mod run;
mod scrape;
mod shape;
mod sockets;
mod statsd;
mod supervise;
mod telemetry;

fn main() -> std::process::ExitCode {
    cli::main()
}
