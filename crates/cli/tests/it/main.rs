//! The binary as its users meet it: real programs behind it, real sockets before it.

mod bed;

mod app_metrics;
mod audit;
mod bad_input;
mod balancer;
mod bodies;
mod checks;
mod connections;
mod cors;
mod documents;
mod drain;
mod egress;
mod egress_ways;
mod examples;
mod families;
mod hedge;
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
mod streams;
mod systemd;
mod telemetry;
