//! `nats`: NATS answers PING, and how far named consumers of JetStream are behind
//! (<https://docs.nats.io/reference/reference-protocols/nats-protocol>).

use seaworthy_core::health::Measure;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::endpoint::{Endpoint, EndpointError, Expected};
use crate::kept::{Conversation, Question};
use crate::net::Stream;
use crate::probe::{Failure, Report};
use crate::surroundings::Surroundings;
use crate::tls::{self, Tls};

const EXPECTED: Expected = Expected { schemes: &[("nats", 4222), ("tls", 4222)], example: "nats://localhost:4222" };

/// INFO lists the whole cluster.
const LONGEST_LINE: u64 = 64 * 1024;
const BUFFER: usize = 1024;
const LARGEST_MESSAGE: usize = 1024 * 1024;

/// Where our answers come in. One question at a time, so that one is enough.
const INBOX: &str = "_INBOX.seaworthy.check";

/// Where NATS is, and as whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    endpoint: Endpoint,
    tls: Tls,
}

impl Server {
    /// Reads `nats://user:password@host:4222`; a user without a password is a token, as elsewhere.
    pub fn new(url: &str, tls: impl Into<Tls>) -> Result<Self, EndpointError> {
        Ok(Self { endpoint: EXPECTED.parse(url)?, tls: tls.into() })
    }

    async fn connect(&self, surroundings: &Surroundings) -> Result<Connection, Failure> {
        let Self { endpoint, tls } = self;
        let mut connection = Connection::new(endpoint.place.dial(surroundings).await?);
        let greeting = connection.line().await?;
        let info = greeting.strip_prefix("INFO ").and_then(|info| serde_json::from_str::<Value>(info).ok());
        let info = info.ok_or_else(|| Failure::protocol("what answers does not speak the protocol of NATS"))?;
        let wanted = endpoint.scheme == "tls";
        if wanted && info["tls_required"] != true && info["tls_available"] != true {
            return Err(Failure::tls("the server offers no TLS"));
        }
        if wanted || info["tls_required"] == true {
            let stream = connection.0.into_inner();
            let stream: Stream = Box::new(tls::connect(stream, tls, endpoint.host(), &[]).await?);
            connection = Connection::new(stream);
        }
        let mut hello = json!({
            "verbose": false, "pedantic": false, "name": "seaworthy", "lang": "rust",
            "version": env!("CARGO_PKG_VERSION"), "headers": true, "no_responders": true,
        });
        match (&endpoint.user, endpoint.password()) {
            (Some(user), Some(password)) => (hello["user"], hello["pass"]) = (user.as_str().into(), password.into()),
            (Some(token), None) => hello["auth_token"] = token.as_str().into(),
            (None, _) => {}
        }
        connection.send(&format!("CONNECT {hello}\r\nPING\r\n")).await?;
        connection.pong().await?;
        connection.send(&format!("SUB {INBOX} 1\r\n")).await?;
        Ok(connection)
    }
}

/// A consumer of JetStream: `STREAM/CONSUMER`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    pub stream: String,
    pub name: String,
}

/// Text that names no consumer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("names no consumer: write it as \"STREAM/CONSUMER\"")]
pub struct ConsumerError;

impl std::str::FromStr for Consumer {
    type Err = ConsumerError;

    fn from_str(text: &str) -> Result<Self, ConsumerError> {
        // Both become part of a subject, where these would mean something else.
        let plain =
            |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || ".*>/\\".contains(c));
        let (stream, name) = text.split_once('/').ok_or(ConsumerError)?;
        let both = plain(stream) && plain(name);
        both.then(|| Self { stream: stream.to_owned(), name: name.to_owned() }).ok_or(ConsumerError)
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub server: Server,
    pub consumers: Vec<Consumer>,
    /// More messages that wait for a consumer are a warning.
    pub warn_pending: Option<u64>,
}

pub(crate) struct Connection(BufReader<Stream>);

impl Conversation for Settings {
    type Connection = Connection;

    async fn connect(&self, surroundings: &Surroundings) -> Result<Connection, Failure> {
        self.server.connect(surroundings).await
    }

    async fn ask(&self, connection: &mut Connection, _: Question) -> Result<Report, Failure> {
        connection.send("PING\r\n").await?;
        connection.pong().await?;
        let mut report = Report::default();
        for consumer in &self.consumers {
            let Consumer { stream, name } = consumer;
            let info = connection.request(&format!("$JS.API.CONSUMER.INFO.{stream}.{name}")).await?;
            if let Some(error) = info["error"]["description"].as_str() {
                return Err(Failure::condition(format!("the consumer {stream}/{name}: {error}")));
            }
            let number = |key: &str| info[key].as_u64().unwrap_or(0);
            let pending = number("num_pending");
            let measure =
                |metric, value: u64| Measure::new(metric, value as f64).with("consumer", format!("{stream}/{name}"));
            report.measures.push(measure("health_nats_consumer_pending", pending));
            report.measures.push(measure("health_nats_consumer_unacknowledged", number("num_ack_pending")));
            if let Some(most) = self.warn_pending.filter(|most| pending > *most) {
                report.warn(format!("{pending} messages wait for {stream}/{name}, more than {most}"));
            }
        }
        Ok(report)
    }
}

impl Connection {
    fn new(stream: Stream) -> Self {
        // At rest nearly always, so small; the greeting of a large cluster is read in several turns.
        Self(BufReader::with_capacity(BUFFER, stream))
    }

    async fn send(&mut self, text: &str) -> Result<(), Failure> {
        self.0.write_all(text.as_bytes()).await?;
        self.0.flush().await?;
        Ok(())
    }

    async fn line(&mut self) -> Result<String, Failure> {
        let mut line = Vec::new();
        (&mut self.0).take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Err(Failure::refused("the connection was closed before an answer came"));
        }
        let line = String::from_utf8(line).map_err(|_| nonsense())?;
        line.strip_suffix("\r\n").map(str::to_owned).ok_or_else(nonsense)
    }

    /// The next line that is an answer to us.
    async fn answer(&mut self) -> Result<String, Failure> {
        loop {
            let line = self.line().await?;
            match line.split(' ').next() {
                // A server that leaves a cluster says so by another INFO.
                Some("INFO" | "+OK") => {}
                Some("PING") => self.send("PONG\r\n").await?,
                Some("-ERR") => {
                    let said = line.trim_start_matches("-ERR").trim().trim_matches('\'').to_owned();
                    let auth = said.contains("Authorization") || said.contains("Authentication");
                    return Err(if auth { Failure::auth(said) } else { Failure::condition(said) });
                }
                _ => return Ok(line),
            }
        }
    }

    async fn pong(&mut self) -> Result<(), Failure> {
        match self.answer().await?.as_str() {
            "PONG" => Ok(()),
            _ => Err(Failure::protocol("PING was not answered by PONG")),
        }
    }

    async fn request(&mut self, subject: &str) -> Result<Value, Failure> {
        self.send(&format!("PUB {subject} {INBOX} 0\r\n\r\n")).await?;
        let head = self.answer().await?;
        let mut words = head.split(' ');
        let with_headers = match words.next() {
            Some("MSG") => false,
            Some("HMSG") => true,
            _ => return Err(nonsense()),
        };
        let total = words.next_back().and_then(|total| total.parse().ok()).filter(|total| *total <= LARGEST_MESSAGE);
        let total: usize = total.ok_or_else(nonsense)?;
        let mut payload = vec![0; total + 2];
        self.0.read_exact(&mut payload).await?;
        payload.truncate(total);
        if with_headers {
            // Nobody listens: JetStream is not on.
            return Err(Failure::condition("the server has no JetStream"));
        }
        serde_json::from_slice(&payload).map_err(|_| nonsense())
    }
}

fn nonsense() -> Failure {
    Failure::protocol("what answers does not speak the protocol of NATS")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_is_named_with_its_stream() {
        let consumer: Consumer = "ORDERS/mailer".parse().unwrap();
        assert_eq!((consumer.stream.as_str(), consumer.name.as_str()), ("ORDERS", "mailer"));
        for wrong in ["", "ORDERS", "ORDERS/", "/mailer", "A.B/c", "A/>", "A/b c", "A/b\r\nPUB"] {
            assert_eq!(wrong.parse::<Consumer>(), Err(ConsumerError), "{wrong}");
        }
    }

    #[test]
    fn fuzz_any_server_is_understood_or_refused() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        seaworthy_fuzz::drive("nats", |said| {
            let (ours, mut theirs) = tokio::io::duplex(1 << 20);
            runtime.block_on(async {
                theirs.write_all(said).await.unwrap();
                theirs.shutdown().await.unwrap();
                let mut connection = Connection(BufReader::new(Box::new(ours)));
                let _ = connection.pong().await;
                let _ = connection.request("$JS.API.CONSUMER.INFO.ORDERS.mailer").await;
            });
        });
    }

    #[test]
    fn fuzz_a_consumer_has_a_stream_and_a_name() {
        seaworthy_fuzz::drive_text("nats-consumer", |text| {
            if let Ok(consumer) = text.parse::<Consumer>() {
                assert!(!consumer.stream.is_empty() && !consumer.name.is_empty());
                let line = format!("{}{}", consumer.stream, consumer.name);
                assert!(!line.contains(['\r', '\n', ' ']), "{line:?} would begin another command");
            }
        });
    }
}
