//! A service that others call, over TCP or TLS, and that fails when a test wants it to.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use super::until;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

#[derive(Debug)]
struct Shared {
    status: AtomicU16,
    released: AtomicBool,
    left: AtomicBool,
    hurried: AtomicBool,
    seen: Mutex<Vec<Seen>>,
    location: Mutex<String>,
}

/// Answers with a status that can be changed. `/redirect` redirects, `/echo` sends the body back, `/held` answers when it
/// is released, `/stream` sends one part at once and another when it is released, `/hang` waits until its client leaves, and of the
/// requests to `/tardy` the first does. `/sharing` says whose pages may read it.
#[derive(Debug, Clone)]
pub(crate) struct Flaky {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Flaky {
    pub(crate) fn http() -> Self {
        Self::start(None)
    }

    pub(crate) fn https(authority: &Authority) -> Self {
        Self::start(Some(authority.server()))
    }

    fn start(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            status: AtomicU16::new(200),
            released: AtomicBool::new(false),
            left: AtomicBool::new(false),
            hurried: AtomicBool::new(false),
            seen: Mutex::default(),
            location: Mutex::default(),
        });
        let flaky = Self { address, shared };
        let served = flaky.clone();
        // Both kinds of threads end with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (served, tls) = (served.clone(), tls.clone());
                std::thread::spawn(move || match tls {
                    None => served.serve(stream),
                    Some(config) => {
                        if let Ok(connection) = ServerConnection::new(config) {
                            served.serve(StreamOwned::new(connection, stream));
                        }
                    }
                });
            }
        });
        flaky
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on.
    pub(crate) fn answers(&self, status: u16) {
        self.shared.status.store(status, Ordering::SeqCst);
    }

    pub(crate) fn redirects_to(&self, location: &str) {
        location.clone_into(&mut self.shared.location.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Lets what is held go on.
    pub(crate) fn release(&self) {
        self.shared.released.store(true, Ordering::SeqCst);
    }

    /// The next request to `/tardy` hangs like the first.
    pub(crate) fn is_tardy_again(&self) {
        self.shared.hurried.store(false, Ordering::SeqCst);
    }

    /// Whether the client of one that hangs has left.
    pub(crate) fn was_left(&self) -> bool {
        self.shared.left.load(Ordering::SeqCst)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn serve<S: Read + Write>(&self, stream: S) {
        let mut stream = BufReader::new(stream);
        while let Some(seen) = read(&mut stream) {
            let path = seen.target.split('?').next().unwrap_or_default().to_owned();
            let body = seen.body.clone();
            self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
            let released = || self.shared.released.load(Ordering::SeqCst).then_some(());
            let out = stream.get_mut();
            let written = match path.rsplit('/').next().unwrap_or_default() {
                "redirect" => {
                    let location = self.shared.location.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    answer(out, 302, &format!("location: {location}\r\n"), b"")
                }
                "echo" => answer(out, 200, "x-request-id: of-the-service\r\n", &body),
                "held" => {
                    until("it is released", released);
                    answer(out, 200, "", b"released")
                }
                "stream" => {
                    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n";
                    let _ = out.write_all(head.as_bytes()).and_then(|()| out.flush());
                    until("it is released", released);
                    out.write_all(b"4\r\nlast\r\n0\r\n\r\n").and_then(|()| out.flush())
                }
                "tardy" if self.shared.hurried.swap(true, Ordering::SeqCst) => answer(out, 200, "", b"in time"),
                "sharing" => answer(out, 200, "access-control-allow-origin: *\r\nvary: Accept\r\n", b"answered"),
                "hang" | "tardy" => {
                    // Ends when the other side does.
                    let _ = stream.read(&mut [0; 64]);
                    self.shared.left.store(true, Ordering::SeqCst);
                    return;
                }
                _ => answer(out, self.shared.status.load(Ordering::SeqCst), "", b"answered"),
            };
            if written.is_err() {
                return;
            }
        }
    }
}

fn answer(out: &mut impl Write, status: u16, headers: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status} Whatever\r\n{headers}content-length: {}\r\n\r\n", body.len());
    out.write_all(head.as_bytes())?;
    out.write_all(body)?;
    out.flush()
}

/// A request whole; `None` where there is none any more.
fn read(stream: &mut BufReader<impl Read>) -> Option<Seen> {
    let mut line = || {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut seen = Seen { method, target, headers, body: Vec::new() };
    if seen.header("transfer-encoding").is_some() {
        loop {
            let mut size = String::new();
            stream.read_line(&mut size).ok()?;
            let size = u64::from_str_radix(size.trim(), 16).ok()?;
            stream.by_ref().take(size).read_to_end(&mut seen.body).ok()?;
            stream.read_line(&mut String::new()).ok()?;
            if size == 0 {
                return Some(seen);
            }
        }
    }
    let length = seen.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    stream.take(length).read_to_end(&mut seen.body).ok()?;
    Some(seen)
}

/// An authority of the tests' own, and a certificate for `localhost` and 127.0.0.1.
#[derive(Debug)]
pub(crate) struct Authority(TempDir);

impl Authority {
    pub(crate) fn make() -> Self {
        let authority = Self(tempfile::tempdir().expect("a directory can be made"));
        let names = authority.path("server.ext");
        std::fs::write(&names, "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
            .expect("it can be written");
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let root =
            ["req", "-x509", "-days", "30", "-subj", "/CN=Test Authority", "-keyout", "ca.key", "-out", "ca.pem"];
        let server = ["req", "-subj", "/CN=test", "-keyout", "server.key", "-out", "server.csr"];
        let sign = ["x509", "-req", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30"];
        let files = ["-in", "server.csr", "-out", "server.pem", "-extfile", "server.ext"];
        for arguments in [[&root[..], &key[..]], [&server[..], &key[..]], [&sign[..], &files[..]]] {
            let made = Command::new("openssl").args(arguments.concat()).current_dir(authority.0.path()).output();
            let made = made.expect("openssl runs");
            assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
        }
        authority
    }

    /// The certificate of the authority.
    pub(crate) fn file(&self) -> PathBuf {
        self.path("ca.pem")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn server(&self) -> Arc<ServerConfig> {
        let certificate = CertificateDer::from_pem_file(self.path("server.pem")).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(self.path("server.key")).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("ring knows TLS 1.3").with_no_client_auth();
        Arc::new(config.with_single_cert(vec![certificate], key).expect("they belong together"))
    }
}
