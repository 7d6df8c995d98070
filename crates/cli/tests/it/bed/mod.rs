//! What the tests stand on.

mod build;
mod client;
mod databases;
mod flaky;
mod log;
mod process;
mod prometheus;
mod receiver;
mod seaworthy;
mod servers;
mod upstream;
mod wait;

pub(crate) use build::{example, go};
pub(crate) use client::{Answer, Client, Closed, get};
pub(crate) use databases::{PostgreSql, Redis, free_port};
pub(crate) use flaky::{Authority, Flaky};
pub(crate) use log::Log;
pub(crate) use process::{children, descendants, open_files, output, resident};
pub(crate) use prometheus::{Prometheus, promtool};
pub(crate) use receiver::Receiver;
pub(crate) use seaworthy::{Seaworthy, Starting, program};
pub(crate) use servers::{Nginx, gunicorn, nginx, npm, shell};
pub(crate) use upstream::Upstream;
pub(crate) use wait::{PATIENCE, until};
