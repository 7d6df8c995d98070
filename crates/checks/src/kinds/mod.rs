//! The kinds of checks: one file each.

pub mod amqp;
pub mod bullmq;
pub mod command;
pub mod disk;
pub mod dns;
pub mod encryption;
pub mod grpc;
pub mod heartbeat;
pub mod http;
pub mod memory;
pub mod mysql;
pub mod nats;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod redis;
pub mod tcp;
pub mod tls;
pub mod unset;
pub mod upstream;

use crate::kept::Kept;
use crate::probe::Probe;
use crate::surroundings::Surroundings;

/// What a check asks: its kind, with the settings of that kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    Http(Box<http::Settings>),
    Tcp(tcp::Settings),
    #[cfg(feature = "postgres")]
    Postgres(Box<postgres::Settings>),
    Mysql(Box<mysql::Settings>),
    Redis(Box<redis::Settings>),
    Dns(dns::Settings),
    Tls(tls::Settings),
    Disk(disk::Settings),
    Memory(memory::Settings),
    Command(command::Settings),
    Heartbeat(heartbeat::Settings),
    Encryption(encryption::Settings),
    Grpc(Box<grpc::Settings>),
    Nats(Box<nats::Settings>),
    Amqp(Box<amqp::Settings>),
    Bullmq(Box<bullmq::Settings>),
    Upstream(upstream::Settings),
    /// Of any kind, without what it would need to ask.
    Unset(unset::Settings),
}

impl Spec {
    /// The name of the kind, as in the [catalogue](crate::catalogue).
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Tcp(_) => "tcp",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "postgres",
            Self::Mysql(_) => "mysql",
            Self::Redis(_) => "redis",
            Self::Dns(_) => "dns",
            Self::Tls(_) => "tls",
            Self::Disk(_) => "disk",
            Self::Memory(_) => "memory",
            Self::Command(_) => "command",
            Self::Heartbeat(_) => "heartbeat",
            Self::Encryption(_) => "encryption",
            Self::Grpc(_) => "grpc",
            Self::Nats(_) => "nats",
            Self::Amqp(_) => "amqp",
            Self::Bullmq(_) => "bullmq",
            Self::Upstream(_) => "upstream",
            Self::Unset(settings) => settings.kind,
        }
    }

    /// Makes the one that asks. Nothing is asked, and nothing opened, before its first run.
    #[must_use]
    pub fn probe(self, surroundings: Surroundings) -> Box<dyn Probe> {
        match self {
            Self::Http(settings) => Box::new(http::Http::new(*settings, surroundings)),
            Self::Tcp(settings) => Box::new(tcp::Tcp::new(settings, surroundings)),
            #[cfg(feature = "postgres")]
            Self::Postgres(settings) => Box::new(Kept::new(*settings, surroundings)),
            Self::Mysql(settings) => Box::new(Kept::new(*settings, surroundings)),
            Self::Redis(settings) => Box::new(Kept::new(*settings, surroundings)),
            Self::Dns(settings) => Box::new(dns::Dns::new(settings, surroundings)),
            Self::Tls(settings) => Box::new(tls::Certificate::new(settings, surroundings)),
            Self::Disk(settings) => Box::new(disk::Disk::new(settings)),
            Self::Memory(settings) => Box::new(memory::Memory::new(settings)),
            Self::Command(settings) => Box::new(command::Command::new(settings, surroundings)),
            Self::Heartbeat(settings) => Box::new(heartbeat::Heartbeat::new(settings, surroundings)),
            Self::Encryption(settings) => Box::new(encryption::Encryption::new(settings)),
            Self::Grpc(settings) => Box::new(grpc::Grpc::new(*settings, surroundings)),
            Self::Nats(settings) => Box::new(Kept::new(*settings, surroundings)),
            Self::Amqp(settings) => Box::new(Kept::new(*settings, surroundings)),
            Self::Bullmq(settings) => Box::new(Kept::new(*settings, surroundings)),
            Self::Upstream(settings) => Box::new(upstream::Upstream::new(settings, surroundings)),
            Self::Unset(settings) => Box::new(unset::Unset::new(settings)),
        }
    }
}
