//! The example as a process, against real databases, a real Redis and a real Prometheus.

mod alone;
mod bed;
mod observe;
mod payments;
mod postgres;
mod redis;
mod shutdown;
mod telemetry;
