//! `redis`: Redis or Valkey answers PING, and how it is. Sentinel and Cluster are understood.

mod resp;

pub(crate) use self::resp::{Connection, Reply};

use crate::endpoint::{Endpoint, EndpointError, Expected};
use crate::kept::{Conversation, Question};
use crate::net::{Place, Stream};
use crate::probe::{Failure, Report};
use crate::surroundings::Surroundings;
use crate::tls::{self, Tls};

pub(super) const EXPECTED: Expected = Expected {
    schemes: &[("redis", 6379), ("rediss", 6379), ("valkey", 6379), ("valkeys", 6379), ("redis+unix", 0), ("unix", 0)],
    example: "redis://localhost:6379/0",
};

/// Where Redis is, and as whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    endpoint: Endpoint,
    database: Option<u32>,
    tls: Tls,
    /// The name of the master, where the URL is that of a Sentinel.
    sentinel: Option<String>,
}

/// Why a server cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("names a database that is no number: end it in /0, or in nothing")]
    Database,
}

impl Server {
    pub fn new(url: &str, tls: impl Into<Tls>, sentinel: Option<String>) -> Result<Self, ServerError> {
        let endpoint = EXPECTED.parse(url)?;
        let database = endpoint.query.get("db").unwrap_or(&endpoint.path);
        let database = match database.as_str() {
            "" => None,
            number => Some(number.parse().map_err(|_| ServerError::Database)?),
        };
        Ok(Self { endpoint, database, tls: tls.into(), sentinel })
    }

    /// Whether it is always the same one. A Sentinel may know another master by the next time.
    pub(crate) fn is_fixed(&self) -> bool {
        self.sentinel.is_none()
    }

    /// Connects and signs in; over a Sentinel to the master that it knows.
    pub(crate) async fn connect(&self, surroundings: &Surroundings) -> Result<Connection, Failure> {
        let Some(master) = &self.sentinel else {
            let mut connection = self.dial(&self.endpoint.place, surroundings).await?;
            self.sign_in(&mut connection).await?;
            return Ok(connection);
        };
        let mut sentinel = self.dial(&self.endpoint.place, surroundings).await?;
        let place = match sentinel.ask(&["SENTINEL", "get-master-addr-by-name", master]).await? {
            Reply::List(parts) => match parts.as_slice() {
                [Reply::Text(host), Reply::Text(port)] => {
                    let port = port.parse().map_err(|_| Failure::protocol("the sentinel's port is no number"))?;
                    Place::Tcp { host: host.clone(), port }
                }
                _ => return Err(Failure::protocol("the sentinel's answer is no address")),
            },
            Reply::Nothing => return Err(Failure::condition(format!("the sentinel knows no master {master:?}"))),
            _ => return Err(Failure::protocol("the sentinel's answer is no address")),
        };
        let mut connection = self.dial(&place, surroundings).await?;
        self.sign_in(&mut connection).await?;
        Ok(connection)
    }

    async fn dial(&self, place: &Place, surroundings: &Surroundings) -> Result<Connection, Failure> {
        let stream = place.dial(surroundings).await?;
        let secure = matches!(self.endpoint.scheme.as_str(), "rediss" | "valkeys");
        let stream: Stream = if secure {
            let host = match place {
                Place::Tcp { host, .. } => host,
                Place::Unix(_) => self.endpoint.host(),
            };
            Box::new(tls::connect(stream, &self.tls, host, &[]).await?)
        } else {
            stream
        };
        Ok(Connection::new(stream))
    }

    async fn sign_in(&self, connection: &mut Connection) -> Result<(), Failure> {
        if let Some(password) = self.endpoint.password() {
            // The form with one argument is the only one that knows no users (before Redis 6).
            match &self.endpoint.user {
                Some(user) => connection.ask(&["AUTH", user, password]).await?,
                None => connection.ask(&["AUTH", password]).await?,
            };
        }
        if let Some(database) = self.database.filter(|database| *database != 0) {
            connection.ask(&["SELECT", &database.to_string()]).await?;
        }
        Ok(())
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub server: Server,
    /// More memory in use, or more clients, is a warning. In percent of what is allowed; default 80.
    pub warn_percent: u8,
}

impl Conversation for Settings {
    type Connection = Connection;

    async fn connect(&self, surroundings: &Surroundings) -> Result<Connection, Failure> {
        self.server.connect(surroundings).await
    }

    async fn ask(&self, connection: &mut Connection, _: Question) -> Result<Report, Failure> {
        connection.send(&[&["PING"], &["INFO"]]).await?;
        match connection.answer().await? {
            Reply::Text(pong) if pong == "PONG" => {}
            _ => return Err(Failure::protocol("PING was not answered by PONG")),
        }
        let info = match connection.answer().await {
            Ok(Reply::Text(text)) => text,
            Ok(_) => return Err(Failure::protocol("INFO was not answered by text")),
            // Whoever may only PING has seen that it works.
            Err(failure) if failure.message.starts_with("NOPERM") => String::new(),
            Err(failure) => return Err(failure),
        };
        let info = Info::read(&info);
        if info.text("cluster_enabled") == Some("1")
            && let Reply::Text(cluster) = connection.ask(&["CLUSTER", "INFO"]).await?
            && let Some(state) = Info::read(&cluster).text("cluster_state").filter(|state| *state != "ok")
        {
            return Err(Failure::condition(format!("the state of the cluster is {state:?}")));
        }
        Ok(judge(&info, self.warn_percent))
    }

    fn keeps(&self) -> bool {
        self.server.is_fixed()
    }
}

/// What INFO says: lines of `name:value`, some two hundred of them.
#[derive(Debug)]
struct Info<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Info<'a> {
    fn read(text: &'a str) -> Self {
        Self(text.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim())).collect())
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    fn number(&self, name: &str) -> Option<f64> {
        // `NaN` and `inf` are numbers to Rust, and none that Redis counts.
        self.text(name)?.parse().ok().filter(|value: &f64| value.is_finite())
    }
}

fn judge(info: &Info<'_>, warn_percent: u8) -> Report {
    let mut report = Report::default();
    for (name, metric) in [
        ("used_memory", "health_redis_used_memory_bytes"),
        ("maxmemory", "health_redis_max_memory_bytes"),
        ("connected_clients", "health_redis_connected_clients"),
        ("maxclients", "health_redis_max_clients"),
    ] {
        if let Some(value) = info.number(name) {
            report = report.measure(metric, value);
        }
    }
    for (used, most, what) in
        [("used_memory", "maxmemory", "of its memory"), ("connected_clients", "maxclients", "of its connections")]
    {
        // `maxmemory` 0 means as much as there is.
        if let (Some(used), Some(most)) = (info.number(used), info.number(most).filter(|most| *most > 0.0)) {
            let percent = used / most * 100.0;
            if percent > f64::from(warn_percent) {
                report.warn(format!("{percent:.0}% {what} are in use"));
            }
        }
    }
    if let Some(role) = info.text("role") {
        report = report.measure("health_redis_master", f64::from(u8::from(role == "master"))).fact("role", role);
    }
    if let Some(link) = info.text("master_link_status") {
        let up = link == "up";
        report = report.measure("health_redis_replication_up", f64::from(u8::from(up)));
        if !up {
            report.warn("the link to its master is down");
        }
    }
    if let Some(version) = info.text("valkey_version").or_else(|| info.text("redis_version")) {
        report = report.fact("version", version);
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Trust;

    #[test]
    fn what_is_full_or_cut_off_is_a_warning() {
        let info = "# Memory\r\nused_memory:90\r\nmaxmemory:100\r\nconnected_clients:5\r\nmaxclients:10\r\n\
                    role:slave\r\nmaster_link_status:down\r\nredis_version:7.0.15\r\n";
        let report = judge(&Info::read(info), 80);
        assert_eq!(report.warning.as_deref(), Some("90% of its memory are in use; the link to its master is down"));
        assert!(report.measures.iter().any(|m| m.name == "health_redis_master" && m.value == 0.0));
        let unlimited = judge(&Info::read("used_memory:90\r\nmaxmemory:0\r\nrole:master\r\n"), 80);
        assert_eq!(unlimited.warning, None);
    }

    #[test]
    fn a_url_names_a_database_or_none() {
        let database = |url| Server::new(url, Trust::Public, None).map(|server| server.database);
        assert_eq!(database("redis://h/3"), Ok(Some(3)));
        assert_eq!(database("rediss://h"), Ok(None));
        assert_eq!(database("unix:///run/redis.sock?db=2"), Ok(Some(2)));
        assert_eq!(database("redis://h/main"), Err(ServerError::Database));
    }

    #[test]
    fn fuzz_any_info_is_judged() {
        seaworthy_fuzz::drive_text("redis-info", |info| {
            for measure in judge(&Info::read(info), 80).measures {
                assert!(measure.value.is_finite(), "{measure:?}");
            }
        });
    }
}
