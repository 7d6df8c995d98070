//! The binary as its users meet it: real programs behind it, real sockets before it.

mod bed;

mod app_metrics;
mod audit;
mod bad_input;
mod balancer;
mod bodies;
mod checks;
mod connections;
mod documents;
mod drain;
mod egress;
mod examples;
mod families;
mod init;
mod migrate;
mod observe;
mod programs;
mod protocols;
mod refusals;
mod reload;
mod scratch;
mod seeds;
mod servers;
mod start;
mod steer;
mod systemd;
mod telemetry;
