//! Frames: a type, a channel, a length, what is said, and a mark at the end.

use std::fmt;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};

use super::close;
use super::method::{Arguments, Method};
use crate::net::{self, Stream};
use crate::probe::Failure;

const METHOD: u8 = 1;
const HEARTBEAT: u8 = 8;
const END: u8 = 0xce;

/// What we are ready to take.
pub(super) const LARGEST: u32 = 128 * 1024;

/// A thousand checks hold a thousand of them, nearly always at rest.
const BUFFER: usize = 1024;

/// What a client says first, and a server that speaks another version answers.
const HEADER: &[u8; 8] = b"AMQP\x00\x00\x09\x01";

/// A connection, frame by frame.
pub(super) struct Frames(BufReader<Stream>);

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Frames")
    }
}

impl Frames {
    /// Begins: the server speaks next.
    pub(super) async fn begin(stream: Stream) -> Result<Self, Failure> {
        let mut stream = BufReader::with_capacity(BUFFER, stream);
        stream.write_all(HEADER).await?;
        stream.flush().await?;
        Ok(Self(stream))
    }

    pub(super) async fn write(&mut self, channel: u16, method: &Arguments) -> Result<(), Failure> {
        self.0.write_all(&framed(channel, method)).await?;
        self.0.flush().await?;
        Ok(())
    }

    /// Says `method` on the connection itself, without waiting.
    pub(super) fn post(&mut self, method: &Arguments) {
        net::post(&mut self.0, &framed(0, method));
    }

    /// Waits for `method` on `channel`, and gives its arguments. A server that closes instead says why.
    pub(super) async fn expect(&mut self, channel: u16, method: Method) -> Result<Vec<u8>, Failure> {
        loop {
            let (kind, on, mut payload) = self.read().await?;
            if kind == HEARTBEAT {
                continue;
            }
            let numbers = payload.split_at_checked(4).filter(|_| kind == METHOD).ok_or_else(nonsense)?.0;
            let is = |method: Method| numbers == Arguments::of(method).bytes();
            let (ours, connection, closes) = (is(method), is(Method::ConnectionClose), is(Method::ChannelClose));
            payload.drain(..4);
            if ours && on == channel {
                return Ok(payload);
            }
            let answer = match (connection, closes) {
                (true, _) => Arguments::of(Method::ConnectionCloseOk),
                (_, true) => Arguments::of(Method::ChannelCloseOk),
                _ => return Err(nonsense()),
            };
            let reason = close::reason(&payload).ok_or_else(nonsense)?;
            // It may be gone before it hears that we have understood.
            let _ = self.write(on, &answer).await;
            return Err(reason);
        }
    }

    async fn read(&mut self) -> Result<(u8, u16, Vec<u8>), Failure> {
        let mut head = [0; 7];
        self.0.read_exact(&mut head).await?;
        if head.starts_with(&HEADER[..4]) {
            return Err(Failure::protocol("the server speaks another version of AMQP than 0-9-1"));
        }
        let [kind, channel @ .., a, b, c, d] = head;
        let length = u32::from_be_bytes([a, b, c, d]);
        if !matches!(kind, METHOD | HEARTBEAT) || length > LARGEST {
            return Err(nonsense());
        }
        let mut payload = vec![0; length as usize + 1];
        self.0.read_exact(&mut payload).await?;
        if payload.pop() != Some(END) {
            return Err(nonsense());
        }
        Ok((kind, u16::from_be_bytes(channel), payload))
    }
}

fn framed(channel: u16, method: &Arguments) -> Vec<u8> {
    let payload = method.bytes();
    let mut frame = Vec::with_capacity(payload.len() + 8);
    frame.push(METHOD);
    frame.extend_from_slice(&channel.to_be_bytes());
    frame.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(payload);
    frame.push(END);
    frame
}

pub(super) fn nonsense() -> Failure {
    Failure::protocol("what answers does not speak AMQP 0-9-1")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use seaworthy_core::health::Class;

    use super::*;

    fn heard(answer: &[u8], method: Method) -> Result<Vec<u8>, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (ours, mut theirs) = tokio::io::duplex(4096);
            theirs.write_all(answer).await.unwrap();
            theirs.shutdown().await.unwrap();
            let mut frames = Frames::begin(Box::new(ours)).await.unwrap();
            frames.expect(1, method).await
        })
    }

    #[test]
    fn heartbeats_are_passed_over_and_the_answer_is_read() {
        let answer = b"\x08\x00\x00\x00\x00\x00\x00\xce\x01\x00\x01\x00\x00\x00\x05\x00\x14\x00\x0bx\xce";
        assert_eq!(heard(answer, Method::ChannelOpenOk), Ok(b"x".to_vec()));
    }

    #[test]
    fn another_answer_is_nonsense_and_another_version_is_named() {
        let answer = b"\x01\x00\x01\x00\x00\x00\x04\x00\x14\x00\x0b\xce";
        assert_eq!(heard(answer, Method::QueueDeclareOk), Err(nonsense()));
        assert!(
            heard(b"AMQP\x00\x01\x00\x00", Method::ConnectionStart).unwrap_err().message.contains("another version")
        );
        assert_eq!(heard(b"HTTP/1.1 400 Bad", Method::ConnectionStart), Err(nonsense()));
        assert_eq!(heard(b"", Method::ConnectionStart).unwrap_err().class, Class::Refused);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn garbage_is_an_error_and_never_a_panic(garbage in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(heard(&garbage, Method::ConnectionStart).is_err());
        }
    }

    #[test]
    fn fuzz_any_broker_is_understood_or_refused() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        seaworthy_fuzz::drive("amqp", |said| {
            let (ours, mut theirs) = tokio::io::duplex(1 << 20);
            runtime.block_on(async {
                theirs.write_all(said).await.unwrap();
                theirs.shutdown().await.unwrap();
                let mut frames = Frames::begin(Box::new(ours)).await.unwrap();
                if let Ok(arguments) = frames.expect(1, Method::QueueDeclareOk).await {
                    assert!(arguments.len() < said.len());
                }
                let _ = frames.expect(0, Method::ConnectionTune).await;
            });
        });
    }
}
