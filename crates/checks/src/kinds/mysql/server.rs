//! How MySQL is connected to.

use std::path::PathBuf;

use super::Connection;
use super::handshake::{Abilities, Greeting, Login, Verdict};
use super::packet::{Packets, nonsense};
use super::password::{Method, in_full};
use super::refusal;
use crate::endpoint::{Endpoint, EndpointError, Expected};
use crate::net::{Place, Stream};
use crate::probe::Failure;
use crate::surroundings::Surroundings;
use crate::tls::{self, Encryption, Tls, Trust};

const EXPECTED: Expected = Expected {
    schemes: &[("mysql", 3306), ("mariadb", 3306)],
    example: "mysql://user:password@localhost:3306/database",
};

/// MariaDB put it in front of its version, for the sake of old clients.
const OLD_CLIENTS: &str = "5.5.5-";

/// Where MySQL or MariaDB is, and as whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    endpoint: Endpoint,
    user: String,
    encryption: Encryption,
}

/// Why a server cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("has ssl-mode={0:?}: use DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY")]
    SslMode(String),
    #[error("names no user: write it as \"mysql://user@host/database\"")]
    NoUser,
}

impl Server {
    /// Reads a URL as clients of MySQL do: `ssl-mode`, `ssl-ca`, `socket`. Parameters that others know are passed over.
    pub fn new(url: &str, tls: impl Into<Tls>) -> Result<Self, ServerError> {
        let mut endpoint = EXPECTED.parse(url)?;
        let parameter = |names: &[&str]| names.iter().find_map(|name| endpoint.query.get(*name));
        let user = endpoint.user.clone().ok_or(ServerError::NoUser)?;
        let mut tls = tls.into();
        if let (Trust::Public, Some(file)) = (&tls.trust, parameter(&["ssl-ca", "sslca"])) {
            tls.trust = Trust::File(file.into());
        }
        let mode = parameter(&["ssl-mode", "sslmode", "ssl_mode"]).map_or("PREFERRED", String::as_str);
        let encryption = match mode.to_ascii_uppercase().replace('-', "_").as_str() {
            "DISABLED" | "DISABLE" => Encryption::Never,
            "PREFERRED" | "PREFER" => Encryption::Preferred(tls.lenient()),
            "REQUIRED" | "REQUIRE" => Encryption::Required(tls.lenient()),
            "VERIFY_CA" | "VERIFY_IDENTITY" => Encryption::Required(tls),
            _ => return Err(ServerError::SslMode(mode.to_owned())),
        };
        let socket = parameter(&["socket"]).filter(|path| path.starts_with('/')).map(PathBuf::from);
        if let Some(path) = socket {
            endpoint.place = Place::Unix(path);
        }
        // A socket is as private as TLS.
        let local = matches!(endpoint.place, Place::Unix(_));
        Ok(Self { encryption: if local { Encryption::Never } else { encryption }, user, endpoint })
    }

    pub(super) async fn connect(&self, surroundings: &Surroundings) -> Result<Connection, Failure> {
        let stream = self.endpoint.place.dial(surroundings).await?;
        let mut packets = Packets::new(stream);
        let first = packets.read().await?;
        // One that is full, or that does not want this host, says so in place of a greeting.
        if let Some(failure) = refusal::read(&first) {
            return Err(failure);
        }
        let greeting = Greeting::read(&first).filter(|greeting| greeting.abilities.has(Abilities::NEEDED));
        let greeting = greeting.ok_or_else(nonsense)?;
        let tls = match &self.encryption {
            Encryption::Never => None,
            Encryption::Preferred(tls) => Some(tls).filter(|_| greeting.abilities.has(Abilities::TLS)),
            Encryption::Required(tls) if greeting.abilities.has(Abilities::TLS) => Some(tls),
            Encryption::Required(_) => {
                return Err(Failure::tls("the server offers no TLS, and ssl-mode demands it"));
            }
        };
        let database = Some(self.endpoint.path.as_str()).filter(|name| !name.is_empty());
        let login = Login { user: &self.user, database, with_tls: tls.is_some() };
        if let Some(tls) = tls {
            packets.write(&login.head()).await?;
            let (stream, next) = packets.map_into();
            let stream: Stream = Box::new(tls::connect(stream, tls, self.endpoint.host(), &[]).await?);
            packets = Packets::resume(stream, next);
        }
        self.sign_in(&mut packets, &greeting, login).await?;
        let version = greeting.version.strip_prefix(OLD_CLIENTS).unwrap_or(&greeting.version).to_owned();
        let is_mariadb = version.contains("MariaDB");
        let mut connection = Connection { packets, version, is_mariadb, patience: None, may_ask_for_replication: None };
        connection.query("SET SESSION TRANSACTION READ ONLY").await?;
        Ok(connection)
    }

    async fn sign_in(&self, packets: &mut Packets, greeting: &Greeting, login: Login<'_>) -> Result<(), Failure> {
        let password = self.endpoint.password().unwrap_or_default();
        let private = login.with_tls || matches!(self.endpoint.place, Place::Unix(_));
        // A method that we do not know may be the server's own and not that of the user: it will say so.
        let method = greeting.method.unwrap_or(Method::Native);
        let proof = method.prove(password, &greeting.challenge, private)?;
        packets.write(&login.answer(method, &proof)).await?;
        // Another method may be asked for once, and the password once: nobody is led in circles.
        let (mut may_change, mut may_ask) = (true, true);
        loop {
            let packet = packets.read().await?;
            if let Some(failure) = refusal::read(&packet) {
                return Err(failure);
            }
            match Verdict::read(&packet).ok_or_else(nonsense)? {
                Verdict::Welcome => return Ok(()),
                Verdict::Known => {}
                Verdict::Instead { method: name, challenge } if may_change => {
                    may_change = false;
                    let method = Method::of(name).ok_or_else(|| unknown(name))?;
                    packets.write(&method.prove(password, challenge, private)?).await?;
                }
                Verdict::InFull if may_ask => {
                    may_ask = false;
                    packets.write(&in_full(password.as_bytes(), private)?).await?;
                }
                Verdict::Instead { .. } | Verdict::InFull => return Err(nonsense()),
            }
        }
    }
}

fn unknown(method: &[u8]) -> Failure {
    Failure::auth(format!(
        "the user signs in by {:?}, which is not known here: use caching_sha2_password or mysql_native_password",
        String::from_utf8_lossy(method)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Server {
        Server::new(url, Trust::Public).unwrap()
    }

    #[test]
    fn the_urls_of_other_clients_are_read() {
        assert_eq!(server("mysql://app:p@db/shop").encryption, Encryption::Preferred(Trust::Anyone.into()));
        assert_eq!(server("mariadb://app@db?ssl-mode=REQUIRED").encryption, Encryption::Required(Trust::Anyone.into()));
        let verified = server("mysql://app@db/shop?sslmode=verify_identity&ssl-ca=/ca.pem");
        assert_eq!(verified.encryption, Encryption::Required(Trust::File("/ca.pem".into()).into()));
        let socket = server("mysql://app@localhost/shop?socket=/run/mysqld/mysqld.sock&ssl-mode=REQUIRED");
        assert_eq!(socket.endpoint.place, Place::Unix("/run/mysqld/mysqld.sock".into()));
        assert_eq!(socket.encryption, Encryption::Never);
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        let refused = |url: &str| Server::new(url, Trust::Public).unwrap_err().to_string();
        assert!(refused("mysql://app@db?ssl-mode=on").starts_with("has ssl-mode=\"on\": use DISABLED"));
        assert_eq!(refused("mysql://db/shop"), "names no user: write it as \"mysql://user@host/database\"");
        assert!(refused("postgres://app@db").starts_with("begins with \"postgres:\""));
    }
}
