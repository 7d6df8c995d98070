//! Every kind against the real server that it asks: one contract for all of them, and for each what is its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

mod amqp;
mod bed;
mod contract;
mod grpc;
mod http;
mod mysql;
mod pgbouncer;
mod postgres;
mod queues;
mod redis;
mod small;
mod tls;
