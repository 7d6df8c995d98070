//! Settings from the environment: read once, and refused all at once.

use std::env::{self, VarError};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use seaworthy::core::redact::Redactor;
use seaworthy::limit::rate::Rate;
use seaworthy::server::port;
use tempfile::TempDir;
use url::Url;

/// A client may make so many requests when nobody says.
const RATE_LIMIT: &str = "100/min";

/// Connections to the database when nobody says.
const CONNECTIONS: NonZeroU32 = NonZeroU32::new(10).expect("it is not 0");

/// Seconds from one run of a check to the next when nobody says.
const CHECKS_EVERY: NonZeroU32 = NonZeroU32::new(5).expect("it is not 0");

/// What the environment says. There is no `Debug`: URLs carry passwords.
pub(crate) struct Settings {
    /// `PORT`, 8080.
    pub(crate) port: u16,
    /// `ADMIN_PORT`, 9090.
    pub(crate) admin_port: u16,
    /// `DATABASE_URL`, or a file of SQLite in `DATA_DIR`.
    pub(crate) database: Database,
    /// `DATABASE_CONNECTIONS`, 10.
    pub(crate) connections: NonZeroU32,
    /// `REDIS_URL`. Without it the queue is a table.
    pub(crate) redis: Option<Url>,
    /// `PAYMENTS_URL`. Without it a payment server is started that fails on demand.
    pub(crate) payments: Option<Url>,
    /// `ALERT_WEBHOOK`. Without it nobody is told.
    pub(crate) alerts: Option<Uri>,
    /// `AUDIT_FILE`. Without it no trail is kept.
    pub(crate) audit: Option<PathBuf>,
    /// `CHECKS_EVERY`, 5 s.
    pub(crate) checks_every: Duration,
    /// `RATE_LIMIT`, 100/min.
    pub(crate) rate_limit: Rate,
}

/// Where orders are kept.
pub(crate) enum Database {
    PostgreSql(Url),
    Sqlite {
        file: PathBuf,
        /// Goes with the process, and what was stored with it.
        _scratch: Option<TempDir>,
    },
}

/// All that is wrong with the environment.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub(crate) struct SettingsError(Vec<Problem>);

/// A variable that cannot be used. Values are quoted without the passwords that stand in them.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Port(#[from] seaworthy::server::PortError),
    #[error("{variable} is {value:?}: use {wanted}")]
    Value { variable: &'static str, value: String, wanted: &'static str },
    /// One whose value is a secret as a whole.
    #[error("{variable} cannot be used: use {wanted}")]
    Secret { variable: &'static str, wanted: &'static str },
    #[error("{variable} is not UTF-8")]
    Encoding { variable: &'static str },
    #[error("no directory for the database: {0}; name one by DATA_DIR")]
    Directory(std::io::Error),
}

impl Settings {
    pub(crate) fn from_environment() -> Result<Self, SettingsError> {
        let mut problems = Vec::new();
        let mut note = |problem: Problem| problems.push(problem);
        let port_of = |variable, default| port(variable, default).map_err(Problem::from);
        let settings = (
            port_of("PORT", 8080).map_err(&mut note),
            port_of("ADMIN_PORT", 9090).map_err(&mut note),
            Database::from_environment().map_err(&mut note),
            number("DATABASE_CONNECTIONS", CONNECTIONS).map_err(&mut note),
            url("REDIS_URL", &["redis"], "redis://HOST:PORT").map_err(&mut note),
            url("PAYMENTS_URL", &["http", "https"], "http://HOST:PORT or https://HOST").map_err(&mut note),
            webhook().map_err(&mut note),
            text("AUDIT_FILE").map_err(&mut note),
            number("CHECKS_EVERY", CHECKS_EVERY).map_err(&mut note),
            rate_limit().map_err(&mut note),
        );
        match settings {
            (
                Ok(port),
                Ok(admin_port),
                Ok(database),
                Ok(connections),
                Ok(redis),
                Ok(payments),
                Ok(alerts),
                Ok(audit),
                Ok(seconds),
                Ok(rate_limit),
            ) => {
                let (audit, checks_every) = (audit.map(PathBuf::from), Duration::from_secs(seconds.get().into()));
                Ok(Self {
                    port,
                    admin_port,
                    database,
                    connections,
                    redis,
                    payments,
                    alerts,
                    audit,
                    checks_every,
                    rate_limit,
                })
            }
            _ => Err(SettingsError(problems)),
        }
    }
}

impl Database {
    fn from_environment() -> Result<Self, Problem> {
        let wanted = "postgres://USER:PASSWORD@HOST/DATABASE, or leave it unset for a file of SQLite";
        if let Some(url) = url("DATABASE_URL", &["postgres", "postgresql"], wanted)? {
            return Ok(Self::PostgreSql(url));
        }
        let (directory, scratch) = if let Some(directory) = text("DATA_DIR")? {
            std::fs::create_dir_all(&directory).map_err(Problem::Directory)?;
            (PathBuf::from(directory), None)
        } else {
            let scratch = tempfile::Builder::new().prefix("orders-").tempdir().map_err(Problem::Directory)?;
            (scratch.path().to_owned(), Some(scratch))
        };
        Ok(Self::Sqlite { file: directory.join("orders.db"), _scratch: scratch })
    }

    /// As checks call it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::PostgreSql(_) => "postgres",
            Self::Sqlite { .. } => "sqlite",
        }
    }

    /// As `sqlx` wants it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::PostgreSql(url) => url.to_string(),
            Self::Sqlite { file, .. } => sqlite_url(file),
        }
    }
}

/// The file is made where there is none.
fn sqlite_url(file: &Path) -> String {
    format!("sqlite://{}?mode=rwc", file.display())
}

fn number(variable: &'static str, default: NonZeroU32) -> Result<NonZeroU32, Problem> {
    let Some(value) = text(variable)? else { return Ok(default) };
    value.parse().map_err(|_| Problem::Value { variable, value, wanted: "a number from 1 on" })
}

fn rate_limit() -> Result<Rate, Problem> {
    let variable = "RATE_LIMIT";
    let value = text(variable)?.unwrap_or_else(|| RATE_LIMIT.to_owned());
    value.parse().map_err(|_| Problem::Value { variable, value, wanted: "a count and a time, such as 100/min or 10/s" })
}

fn webhook() -> Result<Option<Uri>, Problem> {
    let variable = "ALERT_WEBHOOK";
    let Some(value) = text(variable)? else { return Ok(None) };
    let webhook = value.parse::<Uri>().ok();
    match webhook.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()) {
        Some(webhook) => Ok(Some(webhook)),
        None => Err(Problem::Secret { variable, wanted: "an address that begins with https:// or http://" }),
    }
}

fn url(variable: &'static str, schemes: &[&str], wanted: &'static str) -> Result<Option<Url>, Problem> {
    let Some(value) = text(variable)? else { return Ok(None) };
    match Url::parse(&value) {
        Ok(url) if schemes.contains(&url.scheme()) && url.has_host() => Ok(Some(url)),
        _ => {
            let value = Redactor::default().text(&value).into_owned();
            Err(Problem::Value { variable, value, wanted })
        }
    }
}

/// The value of a variable; empty is unset, as platforms mean it.
fn text(variable: &'static str) -> Result<Option<String>, Problem> {
    match env::var(variable) {
        Ok(value) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Problem::Encoding { variable }),
    }
}
