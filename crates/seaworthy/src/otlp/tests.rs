//! An exporter against a collector that only counts; what it sends is decoded by others in the tests of the binary.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use seaworthy_core::event::Memory;
use tokio::net::TcpListener;

use super::wire::{self, Content};
use super::*;

/// What a collector got, and what it answers.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    spans: Mutex<Vec<Vec<u8>>>,
    answers: Mutex<Vec<StatusCode>>,
}

impl Collector {
    pub(crate) async fn listen(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let collector = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let collector = collector.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let collector = collector.clone();
                    async move {
                        assert_eq!(request.uri().path(), "/v1/traces");
                        let body = request.into_body().collect().await?.to_bytes();
                        let status = collector.answers.lock().unwrap().pop().unwrap_or(StatusCode::OK);
                        if status.is_success() {
                            collector.spans.lock().unwrap().extend(spans_in(&body));
                        }
                        let answer =
                            Response::builder().status(status).header("retry-after", "0").body(Full::new(Bytes::new()));
                        Ok::<_, hyper::Error>(answer.unwrap())
                    }
                });
                let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(served);
            }
        });
        format!("http://{address}")
    }

    pub(crate) fn spans(&self) -> usize {
        self.spans.lock().unwrap().len()
    }

    /// The names of all spans, in the order of their arrival.
    pub(crate) fn names(&self) -> Vec<String> {
        let spans = self.spans.lock().unwrap();
        spans.iter().map(|span| String::from_utf8_lossy(within(span, 5)[0]).into_owned()).collect()
    }
}

/// The field `number` of a message.
fn within(message: &[u8], number: u32) -> Vec<&[u8]> {
    wire::fields(message)
        .filter_map(|field| match field {
            (found, Content::Bytes(bytes)) if found == number => Some(bytes),
            _ => None,
        })
        .collect()
}

fn spans_in(request: &[u8]) -> Vec<Vec<u8>> {
    let resource_spans = within(request, 1).remove(0);
    let scope_spans = within(resource_spans, 2).remove(0);
    within(scope_spans, 2).into_iter().map(<[u8]>::to_vec).collect()
}

const SOON: Duration = Duration::from_millis(1);

fn settings(endpoint: &str) -> Settings {
    Settings::new(endpoint, Protocol::Http, "orders").unwrap().batches(100, 10, SOON)
}

#[tokio::test]
async fn spans_of_all_threads_arrive_and_the_last_ones_at_the_end() {
    let collector = Arc::<Collector>::default();
    let settings = settings(&collector.listen().await).batches(100, 10, Duration::from_hours(1));
    let exporter = Exporter::start(settings, Arc::new(Memory::default())).unwrap();
    let tracer = exporter.tracer();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..7 {
                    tracer.begin("work", Kind::Internal, None).end();
                }
            });
        }
    });
    let counter = exporter.counter();
    exporter.close(Duration::from_secs(20)).await;
    assert_eq!(collector.spans(), 21);
    assert_eq!(counter.read(), SpanCounts { exported: 21, dropped: 0, failed: 0 });
}

#[tokio::test]
async fn a_child_names_its_parent() {
    let collector = Arc::<Collector>::default();
    let exporter = Exporter::start(settings(&collector.listen().await), Arc::new(Memory::default())).unwrap();
    let tracer = exporter.tracer();
    let parent = tracer.begin("parent", Kind::Server, None);
    let mut child = tracer.begin("child", Kind::Client, Some(&parent.traceparent().header()));
    child.set("answer", 42);
    child.end();
    parent.end();
    exporter.close(Duration::from_secs(20)).await;
    let spans = collector.spans.lock().unwrap();
    let [child, parent] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(within(child, 5), [b"child"]);
    assert_eq!((within(child, 1), within(child, 4)), (within(parent, 1), within(parent, 2)));
}

#[tokio::test]
async fn a_call_has_a_span_below_its_request_and_the_service_is_told() {
    use tower::{Layer as _, ServiceExt as _, service_fn};

    let collector = Arc::<Collector>::default();
    let exporter = Exporter::start(settings(&collector.listen().await), Arc::new(Memory::default())).unwrap();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let told = Arc::new(Mutex::new(Vec::new()));
    let hears = told.clone();
    let service = service_fn(move |call: Request<()>| {
        hears.lock().unwrap().push(call.headers()["traceparent"].to_str().unwrap().to_owned());
        async move {
            match call.uri().path() {
                "/lost" => Err(std::io::Error::other("no route to 10.0.0.1")),
                "/slow" => std::future::pending().await,
                _ => Ok(Response::builder().status(404).body(()).unwrap()),
            }
        }
    });
    let client = CallSpanLayer::new(Some(exporter.tracer()), "stripe").layer(service);
    let call = |path: &str| {
        let uri = format!("https://api.stripe.com:8443{path}?token=geheim");
        client.clone().oneshot(Request::get(uri).header("traceparent", parent).body(()).unwrap())
    };
    assert_eq!(call("/v1/charges").await.unwrap().status(), 404);
    assert!(call("/lost").await.is_err());
    assert!(tokio::time::timeout(SOON, call("/slow")).await.is_err());
    exporter.close(Duration::from_secs(20)).await;
    let spans = collector.spans.lock().unwrap();
    let texts: Vec<_> = spans.iter().map(|span| String::from_utf8_lossy(span).into_owned()).collect();
    assert_eq!(spans.len(), 3, "{texts:?}");
    for (span, told) in spans.iter().zip(&*told.lock().unwrap()) {
        let own = seaworthy_core::trace::Traceparent::parse(told.as_bytes()).unwrap();
        assert_eq!(own.parent.bytes(), within(span, 2)[0]);
        assert!(told.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{told}");
        assert_eq!(within(span, 4), [&[0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31][..]]);
    }
    for said in ["stripe", "api.stripe.com", "GET"] {
        assert!(texts.iter().all(|text| text.contains(said)), "{said} is not in {texts:?}");
    }
    assert!(!texts.iter().any(|text| text.contains("geheim") || text.contains("10.0.0.1")), "{texts:?}");
    assert!(texts[0].contains("404") && texts[1].contains("_OTHER") && texts[2].contains("cancelled"), "{texts:?}");
}

#[tokio::test]
async fn a_client_without_a_tracer_is_as_it_was() {
    use tower::{Layer as _, ServiceExt as _, service_fn};

    let service = service_fn(async |call: Request<()>| {
        assert!(call.headers().is_empty());
        Ok::<_, std::convert::Infallible>(Response::new(()))
    });
    let Ok(answer) = CallSpanLayer::new(None, "stripe").layer(service).oneshot(Request::new(())).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn what_is_not_sampled_is_seen_only_if_it_fails() {
    let collector = Arc::<Collector>::default();
    let never = Sampler::from_name("always_off", 1.0).unwrap();
    let settings = settings(&collector.listen().await).sampler(never);
    let exporter = Exporter::start(settings, Arc::new(Memory::default())).unwrap();
    let tracer = exporter.tracer();
    tracer.begin("good", Kind::Internal, None).end();
    let mut bad = tracer.begin("bad", Kind::Internal, None);
    bad.fail("it broke");
    bad.end();
    exporter.close(Duration::from_secs(20)).await;
    let spans = collector.spans.lock().unwrap();
    assert_eq!(spans.len(), 1);
    assert_eq!(within(&spans[0], 5), [b"bad"]);
}

#[tokio::test]
async fn a_collector_that_is_busy_is_asked_again() {
    let collector = Arc::<Collector>::default();
    *collector.answers.lock().unwrap() = vec![StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
    let memory = Arc::<Memory>::default();
    let exporter = Exporter::start(settings(&collector.listen().await), memory.clone()).unwrap();
    exporter.tracer().begin("work", Kind::Internal, None).end();
    let counter = exporter.counter();
    while counter.read().exported == 0 {
        tokio::time::sleep(SOON).await;
    }
    assert_eq!(collector.spans(), 1);
    let said = memory.said();
    assert!(said[0].contains("/v1/traces: it answers 429"), "{said:?}");
    assert!(said[1].ends_with("again; 0 were lost meanwhile") && said.len() == 2, "{said:?}");
    exporter.close(SOON).await;
}

#[tokio::test]
async fn a_batch_that_is_refused_is_not_sent_again() {
    let collector = Arc::<Collector>::default();
    *collector.answers.lock().unwrap() = vec![StatusCode::BAD_REQUEST];
    let exporter = Exporter::start(settings(&collector.listen().await), Arc::new(Memory::default())).unwrap();
    exporter.tracer().begin("work", Kind::Internal, None).end();
    let counter = exporter.counter();
    exporter.close(Duration::from_secs(20)).await;
    assert_eq!((collector.spans(), counter.read().failed), (0, 1));
}

#[tokio::test]
async fn a_collector_that_is_away_costs_bounded_memory_and_every_loss_is_counted() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let memory = Arc::<Memory>::default();
    let exporter = Exporter::start(settings(&format!("http://{address}")), memory.clone()).unwrap();
    let (tracer, counter) = (exporter.tracer(), exporter.counter());
    for _ in 0..10_000 {
        tracer.begin("work", Kind::Internal, None).end();
    }
    let fill = exporter.queue.fill();
    assert!(fill.spans <= 100 && fill.bytes <= MOST_BYTES, "{fill:?}");
    exporter.close(Duration::from_secs(20)).await;
    let SpanCounts { exported, dropped, failed } = counter.read();
    assert_eq!((exported, dropped + failed), (0, 10_000));
    let said = memory.said();
    assert!(said.len() == 1 && said[0].contains("do not reach http://127.0.0.1:"), "{said:?}");
}
