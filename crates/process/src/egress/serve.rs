//! Listens for calls of the program, and makes them.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use http::{HeaderValue, Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use seaworthy::client::{AnswerBody, Cause};
use seaworthy::context::Correlation;
use seaworthy::core::event::{Event, Sink};
use seaworthy::core::refusal::{Reason, Side};
use seaworthy::hedge::Hedged;
use seaworthy::otlp::Tracer;
use seaworthy::refusal::Refusal;
use seaworthy::request_id::RequestIdLayer;
use seaworthy::retry::Attempts;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use super::board::Board;
use super::doors::{Door, Doors, Places};
use super::route;
use super::service::Service;
use super::trace::CallSpan;
use crate::config::Config;
use crate::gateway::{BindError, Listener, Socket};
use crate::ops::Acceptor;

/// Connections of the program at a time; more wait in the backlog.
const CONNECTIONS: usize = 4096;

/// When the process is out of file descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// For answers under way when all ends: the program has exited, so that nobody waits for most of them.
const LAST_ANSWERS: Duration = Duration::from_millis(250);

const HEAD_SIZE: usize = 64 * 1024;

/// Everything that the program calls through us, as it is being served.
#[derive(Debug)]
pub(crate) struct Egress {
    places: Places,
    closing: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Egress {
    /// Listens where `config` says; `None` where it names no service.
    pub(crate) fn bind(config: &Config) -> Result<Option<Doors>, BindError> {
        if config.egress.is_empty() { Ok(None) } else { Doors::open(config).map(Some) }
    }

    /// Serves what was bound, on a thread of its own, until [`Egress::close`].
    pub(crate) fn serve(
        doors: Doors,
        board: Board,
        request_id: RequestIdLayer,
        tracer: Option<Tracer>,
        sink: Arc<dyn Sink>,
    ) -> io::Result<Self> {
        let Doors { doors, places } = doors;
        let closing = watch::Sender::new(false);
        let desk = Desk { board, request_id, tracer, sink, closing: closing.subscribe() };
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        // Made and ended on its thread: a runtime must not be dropped where another one runs.
        let serve = move || match inside(doors) {
            Ok((runtime, acceptors)) => {
                // Whoever started us waits for this.
                let _ = tell.send(Ok(()));
                runtime.block_on(desk.run(acceptors));
            }
            Err(error) => {
                let _ = tell.send(Err(error));
            }
        };
        let thread = std::thread::Builder::new().name("egress".to_owned()).spawn(serve)?;
        told.recv().map_err(|_| io::Error::other("its thread ended"))??;
        Ok(Self { places, closing, thread })
    }

    /// Says where each service is called.
    pub(crate) fn report(&self, config: &Config, sink: &dyn Sink) {
        for service in &config.egress {
            if let Some((_, place)) = self.places.of(&service.name) {
                sink.emit(&Event::EgressListening { service: service.name.clone(), place });
            }
        }
    }

    /// Says for which services of a new `config` nothing is listened on.
    pub(crate) fn missing(&self, config: &Config, sink: &dyn Sink) {
        for service in &config.egress {
            if !self.places.fits(service) {
                let text = format!("egress.{} needs a restart: it is to be called elsewhere", service.name);
                sink.emit(&Event::Warning { text });
            }
        }
    }

    /// Where the services are called.
    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    /// Accepts nothing more, and ends.
    pub(crate) async fn close(self) {
        self.closing.send_replace(true);
        // A thread that panicked has ended too.
        let _ = tokio::task::spawn_blocking(move || self.thread.join()).await;
    }
}

/// A runtime for this thread, and the listeners on it.
fn inside(doors: Vec<(Door, Listener)>) -> io::Result<(Runtime, Vec<(Door, Acceptor)>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let acceptors = {
        let _inside = runtime.enter();
        let accept = |(door, listener)| Acceptor::of(listener).map(|acceptor| (door, acceptor));
        doors.into_iter().map(accept).collect::<io::Result<Vec<_>>>()?
    };
    Ok((runtime, acceptors))
}

#[derive(Clone)]
struct Desk {
    board: Board,
    request_id: RequestIdLayer,
    /// Where spans are exported.
    tracer: Option<Tracer>,
    sink: Arc<dyn Sink>,
    closing: watch::Receiver<bool>,
}

impl Desk {
    async fn run(self, acceptors: Vec<(Door, Acceptor)>) {
        let seats = Arc::new(Semaphore::new(CONNECTIONS));
        let mut accepting = JoinSet::new();
        for (door, acceptor) in acceptors {
            accepting.spawn(self.clone().accept(Arc::new(door), acceptor, seats.clone()));
        }
        while accepting.join_next().await.is_some() {}
        // Each connection holds one seat; what is left after its time is dropped with the runtime.
        let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(LAST_ANSWERS, seats.acquire_many(all)).await;
    }

    async fn accept(mut self, door: Arc<Door>, acceptor: Acceptor, seats: Arc<Semaphore>) {
        let mut failing = false;
        let mut closing = self.closing.clone();
        loop {
            let accept = async {
                // The semaphore is never closed.
                let seat = seats.clone().acquire_owned().await;
                (acceptor.accept().await, seat)
            };
            let (accepted, seat) = tokio::select! {
                biased;
                _ = self.closing.wait_for(|closing| *closing) => return,
                accepted = accept => accepted,
            };
            match accepted {
                Ok((socket, _)) => {
                    failing = false;
                    let connection = self.clone().connection(socket, door.clone());
                    tokio::spawn(async move {
                        connection.await;
                        drop(seat);
                    });
                }
                Err(error) => {
                    // Once, and not ten times a second for as long as it lasts.
                    if !std::mem::replace(&mut failing, true) {
                        self.sink.emit(&Event::AcceptFailed { reason: format!("for egress: {error}") });
                    }
                    tokio::select! {
                        () = tokio::time::sleep(BREATH) => {}
                        _ = closing.wait_for(|closing| *closing) => return,
                    }
                }
            }
        }
    }

    /// The program closes its connections, or its end does: there is nobody here to be protected against.
    async fn connection(self, socket: Socket, door: Arc<Door>) {
        let mut closing = self.closing.clone();
        let service = service_fn(|request| self.call(&door, request));
        let mut http = http1::Builder::new();
        http.header_read_timeout(None).max_buf_size(HEAD_SIZE).max_headers(128);
        let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(socket), service));
        tokio::select! {
            // A program that breaks HTTP or leaves in the middle of it finds out by itself.
            _ = connection.as_mut() => return,
            () = async { drop(closing.wait_for(|closing| *closing).await) } => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }

    async fn call(&self, door: &Door, mut request: Request<Incoming>) -> Result<Response<AnswerBody>, Infallible> {
        // The answer keeps the id that the service gave it: its support will ask for that one.
        let request_id = self.request_id.identify(&mut request);
        let to = Correlation::of(&request);
        let refused = |refusal: Refusal| Ok(refusal.respond(&to));
        if let Err(refusal) = route::refuse(&request) {
            return refused(refusal);
        }
        let Wanted { service, rest, prefix } = match self.wanted(door, request.uri()) {
            Ok(wanted) => wanted,
            Err(refusal) => return refused(refusal),
        };
        if let Err(refusal) = route::send_to(&mut request, &service.config.url, &rest) {
            return refused(refusal);
        }
        service.authorize(request.headers_mut());
        let called = Called::of(request.method(), &request_id);
        let span = CallSpan::begin(self.tracer.as_ref(), &service, &mut request);
        let running = service.counted.measured.begin();
        let Ok(mut answer) = service.client.clone().oneshot(request).await;
        drop(running);
        span.end(&answer);
        self.report(&service, called, &answer);
        route::bring_back(answer.headers_mut(), &service.config.url, prefix.as_deref());
        // The program speaks HTTP/1.1 to us, whatever the service spoke.
        *answer.version_mut() = http::Version::HTTP_11;
        Ok(answer)
    }

    /// Which service a call is for: by the address of the service itself, as of a proxy, by its listener, or by the first segment of
    /// the path.
    fn wanted(&self, door: &Door, target: &Uri) -> Result<Wanted, Refusal> {
        if target.authority().is_some_and(|authority| !door.is_at(authority)) {
            return self.proxied(door, target);
        }
        let (name, rest, prefix) = match &door.service {
            None => {
                let (name, rest) = route::split(target.path());
                (name, rest, format!("/{name}"))
            }
            Some(name) => (&**name, target.path(), String::new()),
        };
        let unknown = || Refusal::new(Reason::NoRoute).detail("no service of this name: see [egress.NAME]");
        let service = self.board.service(name).ok_or_else(unknown)?;
        Ok(Wanted { service, rest: rest.to_owned(), prefix: Some(prefix) })
    }

    /// The service below whose URL `target` is; of several the one with the longest path.
    fn proxied(&self, door: &Door, target: &Uri) -> Result<Wanted, Refusal> {
        let services = self.board.services();
        let known = services.iter().filter(|service| door.service.as_deref().is_none_or(|name| service.name() == name));
        let within = known.filter_map(|service| Some((service, route::within(target, &service.config.url)?)));
        let forbidden = || {
            let detail = "no service in plain text is configured at this address: see [egress.NAME]";
            Refusal::new(Reason::DestinationForbidden).detail(detail)
        };
        let (service, rest) = within.min_by_key(|(_, rest)| rest.len()).ok_or_else(forbidden)?;
        Ok(Wanted { service: service.clone(), rest: rest.to_owned(), prefix: None })
    }

    fn report(&self, service: &Service, called: Called, answer: &Response<AnswerBody>) {
        let took = called.began.elapsed();
        let (status, refusal) = (answer.status().as_u16(), answer.extensions().get::<Reason>().copied());
        service.counted.measured.answered(status, refusal, took);
        let attempts = answer.extensions().get().map_or(1, |Attempts(attempts)| *attempts);
        let Called { method, request_id, .. } = called;
        let (name, breaker) = (service.name().to_owned(), service.state());
        self.sink.emit(&match refusal.filter(|refusal| refusal.side() == Side::Upstream) {
            Some(reason) => {
                let error = answer.extensions().get().map(|Cause(error)| error.to_string());
                let error = error.unwrap_or_else(|| reason.row().title.to_owned());
                Event::EgressFailed { service: name, method, reason, error, attempts, took, breaker, request_id }
            }
            None => Event::EgressCalled {
                service: name,
                method,
                status,
                refusal,
                attempts,
                hedged: answer.extensions().get::<Hedged>().is_some(),
                took,
                breaker,
                request_id,
            },
        });
    }
}

/// What the program asked for.
struct Wanted {
    service: Arc<Service>,
    /// The path below that of the service.
    rest: String,
    /// The path of the service on our listener; `None` where the program called it by its own address.
    prefix: Option<String>,
}

/// What is told of a call. Not its path: those of webhooks and of some services carry secrets.
struct Called {
    method: String,
    request_id: String,
    began: Instant,
}

impl Called {
    fn of(method: &Method, request_id: &HeaderValue) -> Self {
        let request_id = request_id.to_str().unwrap_or_default().to_owned();
        Self { method: method.to_string(), request_id, began: Instant::now() }
    }
}
