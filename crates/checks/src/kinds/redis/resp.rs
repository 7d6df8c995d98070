//! The protocol of Redis, as much of it as a question and its answer need: RESP2
//! (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
//!
//! A client library would bring pools, pipelines and its own way of connecting; none of that is of use here.

use std::future::Future;
use std::io::Write;
use std::pin::Pin;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::net::Stream;
use crate::probe::Failure;

/// INFO has some 10 KB; more than this is none of Redis' answers.
const LARGEST: usize = 1024 * 1024;
const BUFFER: usize = 1024;
const MOST_ITEMS: usize = 1024;
const LONGEST_LINE: u64 = 64 * 1024;
const DEEPEST: u8 = 4;

/// An answer. Errors are [`Failure`]s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Text(String),
    Number(i64),
    List(Vec<Reply>),
    Nothing,
}

/// A connection, one question at a time.
pub(crate) struct Connection(BufReader<Stream>);

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

type Reading<'a> = Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send + 'a>>;

impl Connection {
    pub(crate) fn new(stream: Stream) -> Self {
        // A thousand checks hold a thousand of them, nearly always at rest.
        Self(BufReader::with_capacity(BUFFER, stream))
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn ask(&mut self, command: &[&str]) -> Result<Reply, Failure> {
        self.send(&[command]).await?;
        self.answer().await
    }

    /// Asks several things at once. Each has its [`answer`](Self::answer), in this order.
    pub(crate) async fn send(&mut self, commands: &[&[&str]]) -> Result<(), Failure> {
        let mut bytes = Vec::with_capacity(64);
        for command in commands {
            // Writing to memory cannot fail.
            let _ = write!(bytes, "*{}\r\n", command.len());
            for part in *command {
                let _ = write!(bytes, "${}\r\n{part}\r\n", part.len());
            }
        }
        self.0.write_all(&bytes).await?;
        self.0.flush().await?;
        Ok(())
    }

    pub(crate) async fn answer(&mut self) -> Result<Reply, Failure> {
        self.read(0).await
    }

    fn read(&mut self, depth: u8) -> Reading<'_> {
        Box::pin(async move {
            let line = self.line().await?;
            let (kind, rest) = line.split_at_checked(1).ok_or_else(nonsense)?;
            match kind {
                "+" => Ok(Reply::Text(rest.to_owned())),
                "-" => Err(refusal(rest)),
                ":" => rest.parse().map(Reply::Number).map_err(|_| nonsense()),
                "$" => match length(rest, LARGEST)? {
                    None => Ok(Reply::Nothing),
                    Some(length) => {
                        let mut bytes = vec![0; length + 2];
                        self.0.read_exact(&mut bytes).await?;
                        bytes.truncate(length);
                        Ok(Reply::Text(text(bytes)))
                    }
                },
                "*" if depth < DEEPEST => match length(rest, MOST_ITEMS)? {
                    None => Ok(Reply::Nothing),
                    Some(length) => {
                        let mut items = Vec::with_capacity(length);
                        for _ in 0..length {
                            items.push(self.read(depth + 1).await?);
                        }
                        Ok(Reply::List(items))
                    }
                },
                _ => Err(nonsense()),
            }
        })
    }

    async fn line(&mut self) -> Result<String, Failure> {
        let mut line = Vec::new();
        (&mut self.0).take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Err(Failure::refused("the connection was closed before an answer came"));
        }
        let line = line.strip_suffix(b"\r\n").ok_or_else(nonsense)?;
        String::from_utf8(line.to_vec()).map_err(|_| nonsense())
    }
}

/// As it is, where it is UTF-8: it nearly always is, and INFO need not be copied then.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn length(text: &str, most: usize) -> Result<Option<usize>, Failure> {
    match text.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(length) => {
            let length = usize::try_from(length).ok().filter(|length| *length <= most);
            length.map(Some).ok_or_else(|| Failure::protocol("an answer is larger than any of Redis"))
        }
        Err(_) => Err(nonsense()),
    }
}

fn nonsense() -> Failure {
    Failure::protocol("what answers does not speak the protocol of Redis")
}

/// The first word of an error says what it is about.
fn refusal(text: &str) -> Failure {
    let word = text.split(' ').next().unwrap_or_default();
    match word {
        "NOAUTH" | "WRONGPASS" | "NOPERM" => Failure::auth(text),
        // What older servers say to a wrong password, and to any password where none is set.
        "ERR" if text.contains("password") || text.contains("AUTH") => Failure::auth(text),
        _ => Failure::condition(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use seaworthy_core::health::Class;

    use super::*;

    fn answered(answer: &[u8]) -> Result<Reply, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (ours, mut theirs) = tokio::io::duplex(1 << 20);
            let answer = answer.to_vec();
            let answering = async move {
                let _ = theirs.write_all(&answer).await;
                // Read until the question is over, so that it can be written.
                let _ = theirs.shutdown().await;
                let _ = theirs.read(&mut [0; 64]).await;
                theirs
            };
            let mut connection = Connection::new(Box::new(ours));
            let (_theirs, reply) = tokio::join!(answering, connection.ask(&["PING"]));
            reply
        })
    }

    #[test]
    fn every_type_of_answer_is_read() {
        assert_eq!(answered(b"+PONG\r\n"), Ok(Reply::Text("PONG".to_owned())));
        assert_eq!(answered(b":7\r\n"), Ok(Reply::Number(7)));
        assert_eq!(answered(b"$3\r\na\r\n\r\n"), Ok(Reply::Text("a\r\n".to_owned())));
        assert_eq!(answered(b"$-1\r\n"), Ok(Reply::Nothing));
        let list = Reply::List(vec![Reply::Text("h".to_owned()), Reply::Number(1)]);
        assert_eq!(answered(b"*2\r\n$1\r\nh\r\n:1\r\n"), Ok(list));
    }

    #[test]
    fn refusals_have_classes() {
        let class = |text: &[u8]| answered(text).unwrap_err().class;
        assert_eq!(class(b"-NOAUTH Authentication required.\r\n"), Class::Auth);
        assert_eq!(class(b"-WRONGPASS invalid\r\n"), Class::Auth);
        assert_eq!(class(b"-LOADING Redis is loading the dataset in memory\r\n"), Class::Condition);
        assert_eq!(class(b"HTTP/1.1 400 Bad Request\r\n"), Class::Protocol);
        assert_eq!(class(b""), Class::Refused);
        assert_eq!(class(b"$99999999999\r\n"), Class::Protocol);
        assert_eq!(class(b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"), Class::Protocol);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn garbage_is_an_error_and_never_a_panic(garbage in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = answered(&garbage);
        }
    }

    #[test]
    fn fuzz_any_answer_is_a_reply_or_a_failure() {
        seaworthy_fuzz::drive("resp", |answer| drop(answered(answer)));
    }
}
