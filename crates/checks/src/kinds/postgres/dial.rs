//! How PostgreSQL is connected to.

use std::fmt;
use std::path::PathBuf;

use seaworthy_core::health::Class;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{Client, Config, NoTls};

use super::failed;
use crate::endpoint::{Endpoint, EndpointError, Expected};
use crate::net::{Place, Stream};
use crate::probe::Failure;
use crate::surroundings::Surroundings;
use crate::tls::{self, Encryption, Identity, Tls, Trust};

const EXPECTED: Expected = Expected {
    schemes: &[("postgres", 5432), ("postgresql", 5432)],
    example: "postgres://user:password@localhost:5432/database",
};

/// Asks whether TLS may begin (PostgreSQL, 55.2.11).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Where PostgreSQL is, and as whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    endpoint: Endpoint,
    encryption: Encryption,
}

/// Why a server cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("has sslmode={0:?}: use disable, allow, prefer, require, verify-ca or verify-full")]
    SslMode(String),
    #[error("names no user: write it as \"postgres://user@host/database\"")]
    NoUser,
}

impl Server {
    /// Reads a URL as libpq does. Parameters that other clients know are passed over, as those do with ours.
    pub fn new(url: &str, tls: impl Into<Tls>) -> Result<Self, ServerError> {
        let endpoint = EXPECTED.parse(url)?;
        if user(&endpoint).is_none() {
            return Err(ServerError::NoUser);
        }
        let mut tls = tls.into();
        let file = |name: &str| endpoint.query.get(name).map(PathBuf::from);
        if let (Trust::Public, Some(authorities)) = (&tls.trust, file("sslrootcert")) {
            tls.trust = Trust::File(authorities);
        }
        if let (None, Some(certificate), Some(key)) = (&tls.identity, file("sslcert"), file("sslkey")) {
            tls.identity = Some(Identity { certificate, key });
        }
        let encryption = match endpoint.query.get("sslmode").map_or("prefer", String::as_str) {
            "disable" | "allow" => Encryption::Never,
            // Without authorities to believe, libpq believes anybody below `verify-ca` (34.19.1).
            "prefer" => Encryption::Preferred(tls.lenient()),
            "require" => Encryption::Required(tls.lenient()),
            "verify-ca" | "verify-full" => Encryption::Required(tls),
            other => return Err(ServerError::SslMode(other.to_owned())),
        };
        // A socket is as private as TLS, and the server offers none there.
        let local = matches!(endpoint.place, Place::Unix(_));
        Ok(Self { encryption: if local { Encryption::Never } else { encryption }, endpoint })
    }

    pub(super) fn database(&self) -> Option<&str> {
        Some(self.endpoint.path.as_str()).filter(|name| !name.is_empty())
    }

    pub(super) async fn connect(&self, surroundings: &Surroundings) -> Result<Connection, Failure> {
        let stream = self.place().dial(surroundings).await?;
        let stream = self.encrypted(stream).await?;
        let mut config = Config::new();
        config.ssl_mode(SslMode::Disable).application_name("seaworthy");
        if let Some(user) = user(&self.endpoint) {
            config.user(user);
        }
        if let Some(password) =
            self.endpoint.password().or_else(|| self.endpoint.query.get("password").map(String::as_str))
        {
            config.password(password);
        }
        if let Some(database) = self.database() {
            config.dbname(database);
        }
        if let Some(options) = self.endpoint.query.get("options") {
            config.options(options);
        }
        let (client, driver) = config.connect_raw(stream, NoTls).await.map_err(|error| {
            let failure = failed(&error);
            let refused = failure.class == Class::Protocol && self.endpoint.password().is_none();
            if refused { Failure::auth(failure.message) } else { failure }
        })?;
        Ok(Connection { client, driver })
    }

    /// The directory of a socket holds one file a port.
    fn place(&self) -> Place {
        match &self.endpoint.place {
            Place::Unix(path) if !path.to_string_lossy().contains(".s.PGSQL.") => {
                let port = self.endpoint.query.get("port").map_or("5432", String::as_str);
                Place::Unix(path.join(format!(".s.PGSQL.{port}")))
            }
            place => place.clone(),
        }
    }

    async fn encrypted(&self, mut stream: Stream) -> Result<Stream, Failure> {
        let (tls, required) = match &self.encryption {
            Encryption::Never => return Ok(stream),
            Encryption::Preferred(tls) => (tls, false),
            Encryption::Required(tls) => (tls, true),
        };
        stream.write_all(&SSL_REQUEST).await?;
        stream.flush().await?;
        match stream.read_u8().await? {
            b'S' => Ok(Box::new(tls::connect(stream, tls, self.endpoint.host(), &["postgresql"]).await?)),
            b'N' if required => Err(Failure::tls("the server offers no TLS, and sslmode demands it")),
            b'N' => Ok(stream),
            _ => Err(Failure::protocol("what answers does not speak the protocol of PostgreSQL")),
        }
    }
}

fn user(endpoint: &Endpoint) -> Option<&str> {
    endpoint.user.as_deref().or_else(|| endpoint.query.get("user").map(String::as_str))
}

/// A client and what moves its connection; the connection rests while nobody drives it.
pub(crate) struct Connection {
    pub(super) client: Client,
    pub(super) driver: tokio_postgres::Connection<Stream, NoTlsStream>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encryption(url: &str) -> Encryption {
        Server::new(url, Trust::Public).unwrap().encryption
    }

    #[test]
    fn sslmode_means_what_it_means_to_libpq() {
        assert_eq!(encryption("postgres://u@h/d"), Encryption::Preferred(Trust::Anyone.into()));
        assert_eq!(encryption("postgres://u@h/d?sslmode=require"), Encryption::Required(Trust::Anyone.into()));
        assert_eq!(encryption("postgres://u@h/d?sslmode=verify-full"), Encryption::Required(Trust::Public.into()));
        let file = encryption("postgres://u@h/d?sslmode=require&sslrootcert=/ca.pem");
        assert_eq!(file, Encryption::Required(Trust::File("/ca.pem".into()).into()));
        assert_eq!(encryption("postgres://u@%2Frun%2Fpg/d?sslmode=require"), Encryption::Never);
        let refused = Server::new("postgres://u@h/d?sslmode=on", Trust::Public).unwrap_err().to_string();
        assert_eq!(refused, "has sslmode=\"on\": use disable, allow, prefer, require, verify-ca or verify-full");
    }

    #[test]
    fn the_urls_of_other_clients_are_read() {
        let server =
            Server::new("postgresql://u:p@h/db?schema=public&connection_limit=5&pgbouncer=true", Trust::Public)
                .unwrap();
        assert_eq!(server.database(), Some("db"));
        let socket = Server::new("postgres://u@%2Frun%2Fpg:5433/d?port=5433", Trust::Public).unwrap();
        assert_eq!(socket.place(), Place::Unix("/run/pg/.s.PGSQL.5433".into()));
        assert_eq!(Server::new("postgres://h/db", Trust::Public), Err(ServerError::NoUser));
    }
}
