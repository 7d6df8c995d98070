//! A service with real sockets, from its first request to its last word.

mod counted;
#[cfg(all(feature = "audit", feature = "otlp", feature = "sentry"))]
mod telemetry;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use seaworthy_core::event::Event;
use seaworthy_core::lifecycle::{Cause, State};
use seaworthy_core::refusal::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tower::service_fn;

use super::*;
use crate::context::Correlation;
use crate::health::Affects;
use crate::refusal::Refusal;
use crate::server::ConnectionLimits;
use crate::{Health, Lifecycle, Phase, RequestBody};

/// A service that runs, and what it said.
struct Running {
    address: SocketAddr,
    life: Lifecycle,
    said: Arc<Mutex<Vec<String>>>,
    /// Lets requests to `/slow` go on.
    go_on: Arc<Notify>,
    /// A request to `/slow` is being served.
    slow: Arc<Notify>,
    served: JoinHandle<Result<(), ServeError>>,
}

fn quick() -> Drain {
    let millis = Duration::from_millis;
    Drain::default().grace(millis(10_000)).delay(millis(50)).timeout(millis(3_000)).spread(millis(100))
}

async fn run<O: crate::access::Observer + Send + 'static>(builder: Builder<O>) -> Running {
    let said: Arc<Mutex<Vec<String>>> = Arc::default();
    let memory = said.clone();
    let builder = builder.on_event(move |event| memory.lock().unwrap().push(event.to_string()));
    run_built(builder.build().unwrap(), said).await
}

async fn run_built<O>(production: Production<O>, said: Arc<Mutex<Vec<String>>>) -> Running
where
    O: crate::access::Observer + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let life = Lifecycle::default();
    let (go_on, slow): (Arc<Notify>, Arc<Notify>) = Default::default();
    let (gate, reached) = (go_on.clone(), slow.clone());
    let app = service_fn(move |request: Request<RequestBody>| {
        let (gate, reached) = (gate.clone(), reached.clone());
        async move {
            match request.uri().path() {
                "/slow" => {
                    reached.notify_one();
                    gate.notified().await;
                }
                "/panic" => panic!("asked to"),
                "/secret" => return Ok(Refusal::new(Reason::Unauthenticated).respond(&Correlation::of(&request))),
                "/upload" => drop(http_body_util::BodyExt::collect(request.into_body()).await),
                _ => {}
            }
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
        }
    });
    let served = tokio::spawn(production.serve(app, listener, life.clone()));
    life.reached(|state| *state >= State::Ready).await;
    Running { address, life, said, go_on, slow, served }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn ended(&mut self) -> Result<(), ServeError> {
        (&mut self.served).await.unwrap()
    }

    fn said(&self, what: &str) -> bool {
        self.said.lock().unwrap().iter().any(|said| said.contains(what))
    }
}

/// Sends a request; the answer is read by [`answer`].
async fn ask(client: &mut TcpStream, path: &str) {
    client.write_all(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
}

/// Reads one answer with the body `hello`, or whatever comes until the end.
async fn answer(client: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"hello") {
        if client.read_buf(&mut read).await.unwrap_or(0) == 0 {
            break;
        }
    }
    String::from_utf8(read).unwrap()
}

fn service() -> Builder {
    Production::builder("orders", "1.2.3").drain(quick())
}

#[tokio::test]
async fn a_request_in_flight_ends_and_the_service_after_it() {
    let mut running = run(service()).await;
    let mut client = running.connect().await;
    ask(&mut client, "/slow").await;
    running.slow.notified().await;
    running.life.stop(Cause::Command);
    running.life.reached(|state| *state == State::Stopping).await;
    running.go_on.notify_one();
    let answer = answer(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(running.ended().await.is_ok());
    let said = running.said.lock().unwrap().join("\n");
    let fixed = [
        "starting graceful shutdown",
        "readiness withdrawn",
        "HTTP server closed",
        "cleaning up resources",
        "Graceful shutdown complete",
    ];
    let places = fixed.map(|message| said.find(message).unwrap_or_else(|| panic!("{message} is not in\n{said}")));
    assert!(places.is_sorted(), "{said}");
}

#[tokio::test]
async fn a_new_connection_is_served_during_the_delay() {
    let mut running = run(service().drain(quick().delay(Duration::from_secs(2)))).await;
    running.life.stop(Cause::Command);
    let mut client = running.connect().await;
    ask(&mut client, "/").await;
    let answer = answer(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    assert_eq!(running.life.state(), State::Draining);
    running.ended().await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_one_with_half_a_head_is_served() {
    let mut running = run(service()).await;
    let (mut idle, mut half) = (running.connect().await, running.connect().await);
    for client in [&mut idle, &mut half] {
        ask(client, "/").await;
        assert!(answer(client).await.ends_with("hello"));
    }
    half.write_all(b"GET / HT").await.unwrap();
    // Both are told apart only once the server has read it; another request shows that its loop has turned.
    let mut other = running.connect().await;
    ask(&mut other, "/").await;
    answer(&mut other).await;
    running.life.stop(Cause::Command);
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
    running.life.reached(|state| *state == State::Stopping).await;
    half.write_all(b"TP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let answer = answer(&mut half).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    running.ended().await.unwrap();
}

#[tokio::test]
async fn what_outlasts_the_drain_is_cut_and_named() {
    let mut running = run(service().drain(quick().timeout(Duration::from_millis(200)))).await;
    let mut client = running.connect().await;
    ask(&mut client, "/slow").await;
    running.slow.notified().await;
    running.life.stop(Cause::Command);
    assert_eq!(answer(&mut client).await, "");
    let ended = running.ended().await.unwrap_err();
    assert!(matches!(ended, ServeError::Forced { requests_cut: 1, failed: 0, forced: false }), "{ended:?}");
    let said = running.said.lock().unwrap().join("\n");
    assert!(said.contains("request cut after") && said.contains("GET /slow"), "{said}");
    assert!(said.contains("Forced shutdown after timeout"), "{said}");
}

#[tokio::test]
async fn somebody_who_insists_does_not_wait() {
    let mut running =
        run(service().drain(quick().delay(Duration::from_secs(5)).timeout(Duration::from_millis(500)))).await;
    let mut client = running.connect().await;
    ask(&mut client, "/slow").await;
    running.slow.notified().await;
    running.life.force(Cause::Sigint);
    assert_eq!(answer(&mut client).await, "");
    assert!(matches!(running.ended().await, Err(ServeError::Forced { forced: true, .. })));
    assert!(running.said("signal repeated"));
}

#[tokio::test]
async fn hooks_run_phase_by_phase_and_a_bad_one_stops_nothing_else() {
    let order: Arc<Mutex<Vec<&str>>> = Arc::default();
    let note = |name: &'static str| {
        let order = order.clone();
        move || async move {
            order.lock().unwrap().push(name);
            Ok(())
        }
    };
    let builder = service()
        .on_shutdown(Phase::Databases, note("databases"))
        .on_shutdown(Phase::Queues.then("exports"), note("exports"))
        .on_shutdown(Phase::Workers, note("workers"))
        .on_shutdown(Phase::Workers, || async { Err("postgres://app:hunter2@db is gone".into()) })
        .on_shutdown(Phase::Queues, || async { panic!("in a hook") })
        .on_shutdown(Phase::Caches, std::future::pending)
        .phase_timeout(Phase::Caches, Duration::from_millis(100));
    let mut running = run(builder).await;
    running.life.stop(Cause::Command);
    let ended = running.ended().await.unwrap_err();
    assert!(matches!(ended, ServeError::Forced { requests_cut: 0, failed: 3, forced: false }), "{ended:?}");
    assert_eq!(*order.lock().unwrap(), ["workers", "exports", "databases"]);
    let said = running.said.lock().unwrap().join("\n");
    assert!(said.contains("postgres://app:***@db is gone") && !said.contains("hunter2"), "{said}");
    assert!(said.contains("panicked: in a hook") && said.contains("had not ended after 100.0ms"), "{said}");
    assert!(said.contains("phase queues at crates/seaworthy/src/production/tests.rs:"), "{said}");
}

#[tokio::test]
async fn background_work_is_asked_to_end_and_waited_for() {
    let mut running = run(service()).await;
    let (told, ended): (Arc<Notify>, Arc<Mutex<bool>>) = Default::default();
    let (tell, end) = (told.clone(), ended.clone());
    running.life.spawn("outbox", |work| async move {
        work.draining().await;
        tell.notify_one();
        work.stopping().await;
        *end.lock().unwrap() = true;
    });
    running.life.stop(Cause::Command);
    told.notified().await;
    running.ended().await.unwrap();
    assert!(*ended.lock().unwrap());
}

#[tokio::test]
async fn background_work_that_does_not_end_is_left_behind_by_name() {
    let mut running = run(service().phase_timeout(Phase::Workers, Duration::from_millis(100))).await;
    let _held = running.life.background_work("import of orders");
    running.life.stop(Cause::Command);
    assert!(matches!(running.ended().await, Err(ServeError::Forced { failed: 1, .. })));
    assert!(running.said("background work \"import of orders\" failed: had not ended"));
}

#[tokio::test]
async fn a_panic_of_background_work_is_said_when_it_happens() {
    let mut running = run(service()).await;
    let worker = running.life.spawn("mailer", |_work| async { panic!("no mail server") });
    assert!(worker.stop().await.unwrap_err().to_string().contains("panicked: no mail server"));
    assert!(running.said("background work \"mailer\" failed: panicked: no mail server"));
    running.life.stop(Cause::Command);
    running.ended().await.unwrap();
}

#[tokio::test]
async fn a_panic_costs_its_request_and_nothing_else() {
    let mut running = run(service()).await;
    let mut client = running.connect().await;
    ask(&mut client, "/panic").await;
    let refused = answer(&mut client).await;
    assert!(refused.starts_with("HTTP/1.1 500") && refused.contains("x-request-id: "), "{refused}");
    assert!(running.said("panic: asked to"));
    assert_eq!(running.life.state(), State::Ready);
    running.life.stop(Cause::Command);
    running.ended().await.unwrap();
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_408_whatever_the_service_makes_of_it() {
    let limits = ConnectionLimits { body_grace: Duration::from_millis(200), ..ConnectionLimits::default() };
    let mut running = run(service().connections(limits)).await;
    let mut client = running.connect().await;
    client.write_all(b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
    let refused = answer(&mut client).await;
    assert!(refused.starts_with("HTTP/1.1 408") && refused.contains("problem:request_too_slow"), "{refused}");
    assert!(refused.contains("x-request-id: ") && refused.contains("connection: close"), "{refused}");
    running.life.stop(Cause::Command);
    running.ended().await.unwrap();
}

#[tokio::test]
async fn a_page_of_another_origin_can_read_what_it_was_refused() {
    let sharing = crate::cors::Policy::new(["https://app.example.com"]).unwrap();
    let mut running = run(service().cors(&sharing).rate_limit("1/min".parse().unwrap())).await;
    let mut client = running.connect().await;
    // A preflight is no request of the page, and not counted as one.
    for _ in 0..3 {
        let asked = "OPTIONS / HTTP/1.1\r\nhost: a\r\norigin: https://app.example.com\r\naccess-control-request-method: PUT\r\n\r\n";
        client.write_all(asked.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            assert!(client.read_buf(&mut head).await.unwrap() > 0);
        }
        assert!(head.starts_with(b"HTTP/1.1 204"), "{}", String::from_utf8_lossy(&head));
    }
    ask(&mut client, "/").await;
    answer(&mut client).await;
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\norigin: https://app.example.com\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let refused = answer(&mut client).await;
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("retry-after: "), "{refused}");
    assert!(refused.contains("access-control-allow-origin: https://app.example.com\r\n"), "{refused}");
    running.life.stop(Cause::Command);
    running.ended().await.unwrap();
}

#[tokio::test]
async fn by_option_a_panic_drains() {
    let mut running = run(service().on_panic(OnPanic::Shutdown)).await;
    let mut client = running.connect().await;
    ask(&mut client, "/panic").await;
    assert!(answer(&mut client).await.starts_with("HTTP/1.1 500"));
    running.ended().await.unwrap();
    assert!(running.said("fault received, starting graceful shutdown"));
    assert!(running.said("panic: asked to"));
}

#[tokio::test]
async fn probes_are_answered_on_a_listener_of_their_own_until_the_end() {
    let admin = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = admin.local_addr().unwrap();
    let health = Health::builder().check("database", Affects::Ready, || async { Ok(()) }).build();
    let hook_asked: Arc<Mutex<String>> = Arc::default();
    let asked = hook_asked.clone();
    let builder =
        service().health(health.clone()).admin_listener(admin).on_shutdown(Phase::Databases, move || async move {
            *asked.lock().unwrap() = probe(address, "/livez").await + &probe(address, "/readyz").await;
            Ok(())
        });
    let mut running = run(builder).await;
    health.follow().wait_for(|snapshot| snapshot.checks.iter().all(|check| check.passed_once)).await.unwrap();
    let ready = probe(address, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.0 200 OK") && ready.contains(r#""version":"1.2.3""#), "{ready}");
    assert!(ready.contains(r#""database":{"status":"healthy""#), "{ready}");
    running.life.stop(Cause::Command);
    running.ended().await.unwrap();
    let asked = hook_asked.lock().unwrap().clone();
    assert!(asked.starts_with("HTTP/1.0 200") && asked.contains("HTTP/1.0 503"), "{asked}");
    assert!(TcpStream::connect(address).await.is_err());
}

async fn probe(address: SocketAddr, path: &str) -> String {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
    let mut read = String::new();
    client.read_to_string(&mut read).await.unwrap();
    read
}

#[tokio::test]
async fn all_that_makes_no_sense_is_said_at_once() {
    let check = || async { Ok(()) };
    let health = Health::builder().check("db", Affects::Ready, check).check("db", Affects::Ready, check).build();
    let refused = Production::builder(" ", "1")
        .health(health)
        .timeout(Duration::ZERO)
        .drain(quick().grace(Duration::from_secs(1)))
        .build()
        .unwrap_err();
    let (message, lines) = (refused.to_string(), format!("{refused:?}"));
    for part in
        ["the service has no name", "two checks are called \"db\"", "the drain needs", "the request timeout is 0s"]
    {
        assert!(message.contains(part), "{part} is not in {message}");
        // What a `main` shows that returns the error.
        assert!(lines.contains(&format!("\n- {part}")), "{part} is not in {lines}");
    }
}

#[tokio::test]
async fn a_stop_that_came_before_the_start_is_not_forgotten() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let life = Lifecycle::default();
    life.stop(Cause::Sigterm);
    let app =
        service_fn(|_: Request<RequestBody>| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) });
    let said: Arc<Mutex<Vec<String>>> = Arc::default();
    let memory = said.clone();
    let production = service().on_event(move |event: &Event| memory.lock().unwrap().push(event.to_string()));
    production.build().unwrap().serve(app, listener, life).await.unwrap();
    assert_eq!(said.lock().unwrap()[0], "SIGTERM received, starting graceful shutdown");
}

#[tokio::test]
async fn metrics_and_log_know_of_each_request_and_an_alert_of_what_went_wrong() {
    let admin = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = admin.local_addr().unwrap();
    let (heard, file) = (Arc::new(Mutex::new(Vec::new())), tempfile::NamedTempFile::new().unwrap());
    let memory = heard.clone();
    let logger = crate::log::Logger::builder("orders").format(crate::log::Format::Json);
    let builder = service()
        .metrics(crate::metrics::Metrics::new("orders"))
        .log(logger.output(file.reopen().unwrap()).start().unwrap())
        .alert_hook(move |event| {
            memory.lock().unwrap().push(event.name());
            std::future::ready(())
        })
        .admin_listener(admin);
    let mut running = run(builder).await;
    let mut client = running.connect().await;
    ask(&mut client, "/panic").await;
    assert!(answer(&mut client).await.starts_with("HTTP/1.1 500"));
    let page = probe(at, "/metrics").await;
    assert!(page.contains("http_requests_total{") && page.contains("500"), "{page}");
    assert!(page.contains("service=\"orders\",service_version=\"1.2.3\""), "{page}");
    let page = probe(at, "/metrics?format=json").await;
    assert!(page.contains("application/json") && page.contains("\"checks_total\":0"), "{page}");
    assert!(probe(at, "/metrics?format=xml").await.starts_with("HTTP/1.0 400"));
    running.life.stop(Cause::Command);
    running.ended().await.unwrap();
    let log = std::fs::read_to_string(file.path()).unwrap();
    let panic = log.lines().find(|line| line.contains("\"event\":\"panicked\"")).unwrap();
    assert!(panic.contains("\"request_id\":\"") && panic.contains("src/production/tests.rs:"), "{panic}");
    assert!(log.contains("\"path\":\"/panic\"") && log.contains("Graceful shutdown complete"), "{log}");
    assert_eq!(*heard.lock().unwrap(), ["panicked"]);
}
