//! Just enough WebSocket (RFC 6455) to see how a server ends one.

use std::time::{Duration, Instant};

use super::{Connection, Ending, Failure, Request, Target};

/// An open WebSocket.
#[derive(Debug)]
pub(crate) struct WebSocket {
    connection: Connection,
}

/// How the server ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// A close frame, with its code where it had one.
    Close(Option<u16>),
    /// The connection ended without one.
    Cut,
    /// Still open at the end of the time.
    Open,
}

impl WebSocket {
    pub(crate) async fn open(target: &Target, path: &str, limit: Duration) -> Result<Self, Failure> {
        let mut connection = Connection::open(target, limit).await?;
        // The key proves nothing here: what counts is the 101.
        let request = Request::get(path)
            .header("upgrade", "websocket")
            .header("connection", "Upgrade")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "c2Vhd29ydGh5LWRyaWxsIQ==");
        connection.send(&request.bytes(target), limit).await?;
        let answer = connection.answer(&request, Instant::now() + limit).await?;
        if answer.status == 101 {
            Ok(Self { connection })
        } else {
            Err(Failure::Malformed(format!("status {} instead of 101", answer.status)))
        }
    }

    /// Waits for the end of it; other frames are passed over.
    pub(crate) async fn farewell(&mut self, limit: Duration) -> Farewell {
        let deadline = Instant::now() + limit;
        let mut buffer = Vec::new();
        loop {
            while let Some((opcode, payload)) = take(&mut buffer) {
                if opcode == 8 {
                    let code = payload.first_chunk::<2>().map(|code| u16::from_be_bytes(*code));
                    return Farewell::Close(code);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.connection.raw(left).await {
                Err(Failure::Timeout { .. }) => return Farewell::Open,
                Err(_) => return Farewell::Cut,
                Ok(bytes) if bytes.is_empty() => return Farewell::Cut,
                Ok(bytes) => buffer.extend(bytes),
            }
        }
    }

    /// Whether it is still open just now.
    pub(crate) async fn is_open(&mut self) -> bool {
        matches!(self.connection.ending(Duration::from_millis(1)).await, Ending::Open | Ending::Data)
    }
}

/// Opcode and payload of an unmasked frame at the start of `buffer`, once all of it has come.
fn take(buffer: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let (opcode, short) = (buffer.first()? & 0x0f, buffer.get(1)? & 0x7f);
    let (length, start) = match short {
        126 => (u64::from(u16::from_be_bytes(*buffer.get(2..)?.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*buffer.get(2..)?.first_chunk()?), 10),
        short => (u64::from(short), 2),
    };
    let end = usize::try_from(length).ok()?.checked_add(start)?;
    let payload = buffer.get(start..end)?.to_vec();
    buffer.drain(..end);
    Some((opcode, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_one_by_one() {
        let mut buffer = vec![0x81, 2, b'h', b'i', 0x88, 2, 0x03, 0xe9];
        assert_eq!(take(&mut buffer), Some((1, b"hi".to_vec())));
        assert_eq!(take(&mut buffer), Some((8, vec![0x03, 0xe9])));
        assert_eq!(take(&mut buffer), None);
    }

    #[test]
    fn fuzz_frames_are_taken_whole() {
        seaworthy_fuzz::drive("websocket-frames", |bytes| {
            let mut rest = bytes.to_vec();
            while let Some((_, payload)) = take(&mut rest) {
                assert!(payload.len() + rest.len() < bytes.len());
            }
            assert!(bytes.ends_with(&rest));
        });
    }
}
