//! Packets: a length of three bytes, a number, and what is said.

use std::fmt;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};

use crate::net::{self, Stream};
use crate::probe::Failure;

/// A row of what a check asks is far smaller. What does not speak the protocol mostly claims more than this.
const LARGEST: usize = 1024 * 1024;

/// A thousand checks hold a thousand of them, nearly always at rest.
const BUFFER: usize = 1024;

const QUIT: [u8; 5] = [1, 0, 0, 0, 1];

/// A connection, packet by packet.
pub(super) struct Packets {
    stream: BufReader<Stream>,
    /// The number of the next packet of this exchange, whoever sends it.
    next: u8,
}

impl fmt::Debug for Packets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Packets")
    }
}

impl Packets {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream: BufReader::with_capacity(BUFFER, stream), next: 0 }
    }

    /// The same exchange over another stream: TLS begins amid the handshake.
    pub(super) fn map_into(self) -> (Stream, u8) {
        (self.stream.into_inner(), self.next)
    }

    pub(super) fn resume(stream: Stream, next: u8) -> Self {
        Self { next, ..Self::new(stream) }
    }

    /// Begins an exchange: a command.
    pub(super) async fn command(&mut self, command: u8, argument: &[u8]) -> Result<(), Failure> {
        self.next = 0;
        let mut payload = Vec::with_capacity(argument.len() + 1);
        payload.push(command);
        payload.extend_from_slice(argument);
        self.write(&payload).await
    }

    pub(super) async fn write(&mut self, payload: &[u8]) -> Result<(), Failure> {
        let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= LARGEST);
        let length = length.ok_or_else(|| Failure::condition("the query is longer than a packet"))?;
        let [low, middle, high, _] = length.to_le_bytes();
        let mut packet = Vec::with_capacity(payload.len() + 4);
        packet.extend_from_slice(&[low, middle, high, self.next]);
        packet.extend_from_slice(payload);
        self.next = self.next.wrapping_add(1);
        self.stream.write_all(&packet).await?;
        self.stream.flush().await?;
        Ok(())
    }

    pub(super) async fn read(&mut self) -> Result<Vec<u8>, Failure> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).await?;
        let [low, middle, high, number] = head;
        let length = u32::from_le_bytes([low, middle, high, 0]) as usize;
        if length == 0 || length > LARGEST {
            return Err(nonsense());
        }
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await?;
        // A server that shuts down says so unasked, with a number of its own.
        if number != self.next && payload.first() != Some(&super::refusal::MARK) {
            return Err(nonsense());
        }
        self.next = number.wrapping_add(1);
        Ok(payload)
    }

    /// Says goodbye, if the socket takes it at once; it nearly always does, and nobody waits for it.
    pub(super) fn quit(&mut self) {
        net::post(&mut self.stream, &QUIT);
    }
}

pub(super) fn nonsense() -> Failure {
    Failure::protocol("what answers does not speak the protocol of MySQL")
}
