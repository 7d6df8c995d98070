//! An HTTP/1 client that sends any bytes and sees how a connection ends.

use std::io::{BufRead as _, BufReader, ErrorKind, Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::PATIENCE;

/// An answer as it came.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    pub(crate) fn trailer(&self, name: &str) -> Option<&str> {
        find(&self.trailers, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// In order.
    Ended,
    /// By a reset, which takes back what was sent before it.
    Reset,
}

/// How long an answer is looked out for between two other things.
const SHORT_LOOK: Duration = Duration::from_millis(10);

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    #[track_caller]
    pub(crate) fn connect(to: SocketAddr) -> Self {
        Self::try_connect(to).unwrap_or_else(|error| panic!("cannot connect to {to}: {error}"))
    }

    pub(crate) fn try_connect(to: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the connection takes what is sent");
    }

    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    /// Whether something has come that was not read yet, after a short look.
    pub(crate) fn has_answer(&mut self) -> bool {
        let stream = self.stream.get_ref();
        stream.set_read_timeout(Some(SHORT_LOOK)).expect("a time that is not zero is taken");
        let came = stream.peek(&mut [0]).is_ok();
        stream.set_read_timeout(Some(PATIENCE)).expect("a time that is not zero is taken");
        came
    }

    /// Sends a request without a body.
    #[track_caller]
    pub(crate) fn request(&mut self, method: &str, target: &str, headers: &str) {
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: service.example\r\n{headers}\r\n"));
    }

    /// `GET`, and its answer.
    #[track_caller]
    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.request("GET", target, "");
        self.answer()
    }

    /// Reads an answer whole.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        self.read_answer(true).expect("a whole answer")
    }

    /// Reads a head, which is all there is after `HEAD`, before the body of a stream, or at a 100.
    #[track_caller]
    pub(crate) fn head(&mut self) -> Answer {
        self.read_answer(false).expect("the head of an answer")
    }

    pub(crate) fn read_answer(&mut self, whole: bool) -> std::io::Result<Answer> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| invalid(&format!("no status in {first:?}")))?;
        let mut answer = Answer { status, headers: self.fields()?, body: Vec::new(), trailers: Vec::new() };
        if !whole || status == 204 || status == 304 {
            return Ok(answer);
        }
        if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            while let chunk @ 1.. = self.chunk_size()? {
                self.take(chunk, &mut answer.body)?;
                self.line()?;
            }
            answer.trailers = self.fields()?;
        } else if let Some(length) = answer.header("content-length") {
            let length = length.parse().map_err(|_| invalid(length))?;
            self.take(length, &mut answer.body)?;
        } else {
            self.stream.read_to_end(&mut answer.body)?;
        }
        Ok(answer)
    }

    /// Reads one line, without its end.
    pub(crate) fn line(&mut self) -> std::io::Result<String> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::Error::new(ErrorKind::UnexpectedEof, "the connection ended"));
        }
        String::from_utf8(line).map(|line| line.trim_end().to_owned()).map_err(|_| invalid("a line is not text"))
    }

    fn fields(&mut self) -> std::io::Result<Vec<(String, String)>> {
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(fields);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid(&line))?;
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    fn chunk_size(&mut self) -> std::io::Result<u64> {
        let line = self.line()?;
        u64::from_str_radix(&line, 16).map_err(|_| invalid(&line))
    }

    fn take(&mut self, bytes: u64, into: &mut Vec<u8>) -> std::io::Result<()> {
        let read = self.stream.by_ref().take(bytes).read_to_end(into)? as u64;
        if read < bytes {
            let message = format!("the connection ended {} bytes before the body", bytes - read);
            return Err(std::io::Error::new(ErrorKind::UnexpectedEof, message));
        }
        Ok(())
    }

    /// Sends no more, and goes on reading.
    pub(crate) fn finish_sending(&mut self) {
        self.stream.get_ref().shutdown(Shutdown::Write).expect("a connection can be half-closed");
    }

    /// Waits until the other side closes, and returns how, with what it still sent.
    #[track_caller]
    pub(crate) fn closed(&mut self) -> (Closed, Vec<u8>) {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => (Closed::Ended, rest),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => (Closed::Reset, rest),
            Err(error) => panic!("the connection did not close: {error}; it sent {:?}", String::from_utf8_lossy(&rest)),
        }
    }
}

fn invalid(what: &str) -> std::io::Error {
    std::io::Error::new(ErrorKind::InvalidData, what.to_owned())
}

/// `GET` on a connection of its own.
#[track_caller]
pub(crate) fn get(from: SocketAddr, target: &str) -> Answer {
    let mut client = Client::connect(from);
    client.request("GET", target, "Connection: close\r\n");
    client.answer()
}
