//! What the tests stand on. Servers, clients and waiting are those of the binary's tests.

#[allow(dead_code, reason = "the tests of the binary, which share this file, need more of it")]
#[path = "../../../../../crates/cli/tests/it/bed/client.rs"]
mod client;
#[allow(dead_code, reason = "the tests of the binary, which share this file, need more of it")]
#[path = "../../../../../crates/cli/tests/it/bed/databases.rs"]
mod databases;
#[allow(dead_code, reason = "the tests of the binary, which share this file, need more of it")]
#[path = "../../../../../crates/cli/tests/it/bed/log.rs"]
mod log;
mod orders;
#[path = "../../../../../crates/cli/tests/it/bed/prometheus.rs"]
mod prometheus;
#[path = "../../../../../crates/cli/tests/it/bed/receiver.rs"]
mod receiver;
#[path = "../../../../../crates/cli/tests/it/bed/wait.rs"]
mod wait;

pub(crate) use client::{Answer, Client, get};
pub(crate) use databases::{PostgreSql, Redis, free_port};
pub(crate) use orders::{Orders, try_post};
pub(crate) use prometheus::{Prometheus, promtool};
pub(crate) use receiver::Receiver;

use log::Log;
use wait::{PATIENCE, until};

/// A program of the binary's tests.
fn program(name: &str) -> String {
    format!("{}/../../crates/cli/tests/it/programs/{name}", env!("CARGO_MANIFEST_DIR"))
}
