//! How RabbitMQ is connected to.

use std::path::PathBuf;

use super::frame::{Frames, LARGEST, nonsense};
use super::method::{Arguments, Method, Value, long};
use super::{Connection, LONGEST_NAME};
use crate::cursor::Cursor;
use crate::endpoint::{Endpoint, EndpointError, Expected};
use crate::net::Stream;
use crate::probe::Failure;
use crate::surroundings::Surroundings;
use crate::tls::{self, Identity, Tls, Trust};

const EXPECTED: Expected =
    Expected { schemes: &[("amqp", 5672), ("amqps", 5671)], example: "amqp://user:password@localhost:5672/vhost" };

/// What clients say who say nothing.
const GUEST: &str = "guest";

/// Where RabbitMQ is, and as whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    endpoint: Endpoint,
    vhost: String,
    mechanism: Mechanism,
    tls: Option<Tls>,
}

/// How to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mechanism {
    /// By user and password.
    Plain,
    /// By the certificate that we show.
    External,
}

/// Why a server cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("has auth_mechanism={0:?}: use plain or external")]
    Mechanism(String),
    #[error("has auth_mechanism=external without a certificate: use amqps, cert-file and key-file")]
    NoCertificate,
    #[error("names a virtual host of {0} bytes: use at most {LONGEST_NAME}")]
    LongHost(usize),
}

impl Server {
    /// Reads a URL as clients of RabbitMQ do (<https://www.rabbitmq.com/docs/uri-query-parameters>). Without a path it is
    /// the virtual host `/`, without a user `guest`. Parameters that others know are passed over.
    pub fn new(url: &str, tls: impl Into<Tls>) -> Result<Self, ServerError> {
        let endpoint = EXPECTED.parse(url)?;
        let file = |name: &str| endpoint.query.get(name).map(PathBuf::from);
        let mut tls = tls.into();
        if let (Trust::Public, Some(authorities)) = (&tls.trust, file("cacertfile")) {
            tls.trust = Trust::File(authorities);
        }
        if let (None, Some(certificate), Some(key)) = (&tls.identity, file("certfile"), file("keyfile")) {
            tls.identity = Some(Identity { certificate, key });
        }
        let tls = Some(tls).filter(|_| endpoint.scheme == "amqps");
        let mechanism = match endpoint.query.get("auth_mechanism").map_or("plain", String::as_str) {
            "plain" | "PLAIN" => Mechanism::Plain,
            "external" | "EXTERNAL" if tls.as_ref().is_some_and(|tls| tls.identity.is_some()) => Mechanism::External,
            "external" | "EXTERNAL" => return Err(ServerError::NoCertificate),
            other => return Err(ServerError::Mechanism(other.to_owned())),
        };
        let vhost = Some(endpoint.path.clone()).filter(|path| !path.is_empty()).unwrap_or_else(|| "/".to_owned());
        if vhost.len() > LONGEST_NAME {
            return Err(ServerError::LongHost(vhost.len()));
        }
        Ok(Self { endpoint, vhost, mechanism, tls })
    }

    pub(super) async fn connect(&self, surroundings: &Surroundings) -> Result<Connection, Failure> {
        let mut stream: Stream = self.endpoint.place.dial(surroundings).await?;
        if let Some(tls) = &self.tls {
            stream = Box::new(tls::connect(stream, tls, self.endpoint.host(), &[]).await?);
        }
        let mut frames = Frames::begin(stream).await?;
        let start = frames.expect(0, Method::ConnectionStart).await?;
        let start = Start::read(&start).ok_or_else(nonsense)?;
        frames.write(0, &self.credentials(&start)?).await?;
        let tune = frames.expect(0, Method::ConnectionTune).await?;
        frames.write(0, &tuned(&tune).ok_or_else(nonsense)?).await?;
        frames.write(0, &Arguments::of(Method::ConnectionOpen).short(&self.vhost).short("").byte(0)).await?;
        frames.expect(0, Method::ConnectionOpenOk).await?;
        Ok(Connection { frames, version: start.version })
    }

    fn credentials(&self, start: &Start<'_>) -> Result<Arguments, Failure> {
        let (name, response) = match self.mechanism {
            Mechanism::External => ("EXTERNAL", Vec::new()),
            Mechanism::Plain => {
                let user = self.endpoint.user.as_deref().unwrap_or(GUEST);
                let password = self.endpoint.password().unwrap_or(if user == GUEST { GUEST } else { "" });
                ("PLAIN", [b"\0", user.as_bytes(), b"\0", password.as_bytes()].concat())
            }
        };
        if !start.mechanisms.split(|byte| *byte == b' ').any(|known| known == name.as_bytes()) {
            let known = String::from_utf8_lossy(start.mechanisms);
            return Err(Failure::auth(format!("the server lets nobody in by {name}, but by {known}")));
        }
        let abilities = [
            // Or it closes the connection without a word to whom it does not let in.
            ("authentication_failure_close", Value::True),
        ];
        let properties = [
            ("product", Value::Text("seaworthy")),
            ("version", Value::Text(env!("CARGO_PKG_VERSION"))),
            ("connection_name", Value::Text("seaworthy")),
            ("capabilities", Value::Table(&abilities)),
        ];
        Ok(Arguments::of(Method::ConnectionStartOk).table(&properties).short(name).long(&response).short("en_US"))
    }
}

/// What the server says first.
#[derive(Debug, PartialEq, Eq)]
struct Start<'a> {
    mechanisms: &'a [u8],
    version: Option<String>,
}

impl<'a> Start<'a> {
    fn read(arguments: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor(arguments);
        let [major, minor] = cursor.array()?;
        let properties = long(&mut cursor)?;
        let mechanisms = long(&mut cursor)?;
        ((major, minor) == (0, 9)).then(|| Self { mechanisms, version: version(properties) })
    }
}

/// The text behind the name `version`, which nothing else in the table of a broker looks like.
fn version(properties: &[u8]) -> Option<String> {
    const NAME: &[u8] = b"\x07versionS";
    let at = properties.windows(NAME.len()).position(|window| window == NAME)?;
    let text = long(&mut Cursor(&properties[at + NAME.len()..]))?;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// One channel, frames that are no larger than both sides take, and no heartbeats: between two runs nobody would send them.
fn tuned(tune: &[u8]) -> Option<Arguments> {
    let mut cursor = Cursor(tune);
    let _channels = cursor.take(2)?;
    let theirs = u32::from_be_bytes(cursor.array()?);
    let largest = if theirs == 0 { LARGEST } else { theirs.min(LARGEST) };
    Some(Arguments::of(Method::ConnectionTuneOk).short_number(super::CHANNEL).long_number(largest).short_number(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_urls_of_other_clients_are_read() {
        let vhost = |url: &str| Server::new(url, Trust::Public).unwrap().vhost;
        assert_eq!(["amqp://h", "amqp://h/", "amqp://h/%2F", "amqp://h/%2Fshop"].map(vhost), ["/", "/", "/", "/shop"]);
        let url =
            "amqps://h/shop?auth_mechanism=external&cacertfile=/ca.pem&certfile=/c.pem&keyfile=/c.key&heartbeat=10";
        let server = Server::new(url, Trust::Public).unwrap();
        let identity = Identity { certificate: "/c.pem".into(), key: "/c.key".into() };
        assert_eq!(server.tls, Some(Tls { trust: Trust::File("/ca.pem".into()), identity: Some(identity) }));
        assert_eq!(server.mechanism, Mechanism::External);
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        let refused = |url: &str| Server::new(url, Trust::Public).unwrap_err().to_string();
        assert_eq!(
            refused("amqp://h?auth_mechanism=amqplain"),
            "has auth_mechanism=\"amqplain\": use plain or external"
        );
        let external = "has auth_mechanism=external without a certificate: use amqps, cert-file and key-file";
        assert_eq!(refused("amqps://h?auth_mechanism=external"), external);
        assert_eq!(
            refused(&format!("amqp://h/{}", "v".repeat(256))),
            "names a virtual host of 256 bytes: use at most 255"
        );
    }

    #[test]
    fn the_smaller_frame_of_both_sides_counts() {
        let largest = |theirs: u32| {
            let tune = [&[0, 0][..], &theirs.to_be_bytes(), &[0, 60]].concat();
            tuned(&tune).unwrap().bytes()[6..10].to_vec()
        };
        assert_eq!(largest(0), LARGEST.to_be_bytes());
        assert_eq!(largest(8192), 8192_u32.to_be_bytes());
        assert_eq!(largest(u32::MAX), LARGEST.to_be_bytes());
        assert!(tuned(b"\0\0").is_none());
    }

    #[test]
    fn fuzz_any_start_and_any_tune_is_read_or_refused() {
        seaworthy_fuzz::drive("amqp-start", |arguments| {
            let _ = (Start::read(arguments), tuned(arguments), super::super::close::reason(arguments));
        });
    }
}
