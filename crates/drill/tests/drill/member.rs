//! A service with named defects; without one it keeps its promises.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// The listener stays open for so long after the signal; longer than the lag of the tests.
const PAUSE: Duration = Duration::from_millis(900);
const DEADLINE: Duration = Duration::from_millis(1200);
const SLOW: Duration = Duration::from_millis(900);

struct Member {
    defect: String,
    begun: std::time::Instant,
    draining: AtomicBool,
    drain: watch::Sender<bool>,
}

impl Member {
    fn has(&self, defect: &str) -> bool {
        self.defect == defect
    }

    async fn answer(self: Arc<Self>, mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let draining = self.draining.load(Ordering::Acquire);
        let text = |status: StatusCode, text: &'static str| {
            let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
            *response.status_mut() = status;
            response
        };
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        let http1 = request.version() < hyper::Version::HTTP_2;
        let mut response = match (request.method(), request.uri().path()) {
            // As a gateway does whose program is still starting.
            _ if self.has("starts-behind-gateway") && self.begun.elapsed() < Duration::from_millis(500) => {
                text(unavailable, "starting")
            }
            (_, "/livez") if draining && self.has("probes-swapped") => text(unavailable, "dead"),
            (_, "/livez") => text(StatusCode::OK, "alive"),
            (_, "/readyz") if draining && !self.has("probes-swapped") => text(unavailable, "draining"),
            (_, "/readyz") => text(StatusCode::OK, "ready"),
            (_, "/slow") if !self.has("no-slow-path") => {
                tokio::time::sleep(SLOW).await;
                text(StatusCode::OK, "slow")
            }
            (&Method::POST, "/upload") => match request.body_mut().collect().await {
                Ok(_) => text(StatusCode::OK, "taken"),
                Err(_) => text(StatusCode::BAD_REQUEST, "broken"),
            },
            (_, "/websocket") => self.clone().websocket(request),
            (_, "/") => text(StatusCode::OK, "hello"),
            _ => text(StatusCode::NOT_FOUND, "not found"),
        };
        if draining && http1 && !self.has("no-farewell") && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert("connection", hyper::header::HeaderValue::from_static("close"));
        }
        Ok(response)
    }

    fn websocket(self: Arc<Self>, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
        let mut drain = self.drain.subscribe();
        tokio::spawn(async move {
            let Ok(upgraded) = hyper::upgrade::on(&mut request).await else { return };
            let mut stream = TokioIo::new(upgraded);
            let _ = drain.wait_for(|draining| *draining).await;
            // A close frame with code 1001.
            let _ = stream.write_all(&[0x88, 2, 0x03, 0xe9]).await;
            let _ = stream.shutdown().await;
        });
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        for (name, value) in [("upgrade", "websocket"), ("connection", "Upgrade")] {
            response.headers_mut().insert(name, hyper::header::HeaderValue::from_static(value));
        }
        response
    }
}

pub(crate) fn serve(defect: &str) -> ! {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run(defect));
    std::process::exit(if defect == "exit-code" { 5 } else { 0 });
}

/// Answers a handshake by an alert, and anything else by nothing, as servers of TLS do.
async fn tls(listener: &TcpListener) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { continue };
        if matches!(stream.read_u8().await, Ok(0x16)) {
            let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 50]).await;
        }
    }
}

/// With the certificate that the test made, and HTTP/2 by ALPN.
fn acceptor() -> TlsAcceptor {
    let directory = std::path::PathBuf::from(std::env::var("TLS").expect("a directory"));
    let certificates = CertificateDer::pem_file_iter(directory.join("cert.pem")).expect("a file");
    let certificates = certificates.collect::<Result<Vec<_>, _>>().expect("PEM");
    let key = PrivateKeyDer::from_pem_file(directory.join("key.pem")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().expect("versions");
    let mut config = builder.with_no_client_auth().with_single_cert(certificates, key).expect("a pair");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn run(defect: &str) {
    let member = Arc::new(Member {
        defect: defect.to_owned(),
        begun: std::time::Instant::now(),
        draining: AtomicBool::new(false),
        drain: watch::Sender::new(false),
    });
    let mut term = signal(SignalKind::terminate()).expect("a handler");
    let mut int = signal(SignalKind::interrupt()).expect("a handler");
    let port = std::env::var("PORT").expect("a port").parse().expect("a number");
    let port = if defect == "other-port" { 0 } else { port };
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
    if defect == "tls" {
        return tls(&listener).await;
    }
    let tls = (defect == "https").then(acceptor);
    let graceful = GracefulShutdown::new();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_mins(1));
    let mut stop = None;
    loop {
        let until = async {
            match stop {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let member = member.clone();
                let service = service_fn(move |request| member.clone().answer(request));
                let (builder, watcher, tls) = (builder.clone(), graceful.watcher(), tls.clone());
                tokio::spawn(async move {
                    if let Some(tls) = tls {
                        let Ok(stream) = tls.accept(stream).await else { return };
                        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
                        let _ = watcher.watch(connection).await;
                    } else {
                        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
                        let _ = watcher.watch(connection).await;
                    }
                });
            }
            () = async { tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} } } => {
                match defect {
                    "ignores-signal" => continue,
                    "exits-at-once" => std::process::exit(0),
                    "closes-listener" => break,
                    _ => {}
                }
                if stop.is_some() {
                    std::process::exit(1);
                }
                member.draining.store(true, Ordering::Release);
                let _ = member.drain.send(true);
                stop = Some(tokio::time::Instant::now() + PAUSE);
            }
            () = until => break,
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(DEADLINE, graceful.shutdown()).await;
}
