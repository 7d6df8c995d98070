//! A real Prometheus scrapes the page, in both formats, and answers what people ask it.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Child;
use std::time::Instant;

use serde_json::Value;

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

/// A child that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves the page: as text at `/text`, elsewhere as `Accept` has it. There is one more request with each scrape.
fn serve(metrics: &Arc<Metrics>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let (metrics, worker) = (metrics.clone(), metrics.worker(Arc::default()));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let trace_id = TraceId::parse(b"4bf92f3577b34da6a3ce929d0e0e4736");
            worker.tick();
            worker.started();
            worker.finished(&RequestFinished { trace_id, ..request(Some("/orders/{id}")) });
            // Prometheus asks again when an answer breaks off.
            let _ = answer(&stream, &metrics);
        }
    });
    address
}

fn answer(mut stream: &TcpStream, metrics: &Metrics) -> std::io::Result<()> {
    let mut head = BufReader::new(stream).lines();
    let request = head.next().transpose()?.unwrap_or_default();
    let mut format = Format::Text;
    for line in head {
        let line = line?;
        if let Some(accept) = line.to_ascii_lowercase().strip_prefix("accept:") {
            format = Format::accepted(accept);
        }
        if line.is_empty() {
            break;
        }
    }
    if request.contains("/text") {
        format = Format::Text;
    }
    let kind = format.media_type();
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n")?;
    stream.write_all(&metrics.exposition(format))
}

/// Starts Prometheus on a port that was free a moment ago.
fn prometheus(scraped: SocketAddr, directory: &std::path::Path) -> (Running, SocketAddr) {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let config = directory.join("prometheus.yml");
    let job = |name: &str| {
        format!("- {{job_name: {name}, metrics_path: /{name}, static_configs: [{{targets: ['{scraped}']}}]}}")
    };
    let jobs = [job("text"), job("openmetrics")].join("\n");
    std::fs::write(
        &config,
        format!("global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\nscrape_configs:\n{jobs}\n"),
    )
    .expect("written");
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", directory.join("data").display()))
        .arg(format!("--web.listen-address={free}"))
        .arg("--enable-feature=exemplar-storage")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus runs; install it with `apt install prometheus` or from https://prometheus.io/download");
    (Running(child), free)
}

/// What the API says to a query, once it says something.
fn ask(prometheus: SocketAddr, path: &str, query: &str, deadline: Instant) -> Value {
    loop {
        match get(prometheus, &format!("/api/v1/{path}?{}", encoded(query))) {
            Ok(answer) if settled(&answer) => return answer,
            answer => assert!(Instant::now() < deadline, "{query}: {answer:?}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether there is a result with nothing in it that is not a number yet.
fn settled(answer: &Value) -> bool {
    let results = answer["data"]["result"].as_array().or_else(|| answer["data"].as_array());
    results.is_some_and(|results| !results.is_empty() && results.iter().all(|result| result["value"][1] != "NaN"))
}

fn get(address: SocketAddr, path: &str) -> std::io::Result<Value> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    Ok(serde_json::from_str(body)?)
}

fn encoded(query: &str) -> String {
    let (name, value) = query.split_once('=').expect("name=value");
    format!("{name}={}", percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC))
}

#[test]
fn a_real_prometheus_scrapes_both_formats_and_answers_the_usual_queries() {
    let metrics = metrics(100);
    let _workers = lived(&metrics);
    let directory = tempfile::tempdir().expect("a directory");
    let (_running, address) = prometheus(serve(&metrics), directory.path());
    let deadline = Instant::now() + PATIENCE;
    let number = |query: &str| -> f64 {
        let answer = ask(address, "query", &format!("query={query}"), deadline);
        let value = answer["data"]["result"][0]["value"][1].as_str().expect("a number");
        value.parse().unwrap_or_else(|_| panic!("{query}: {answer}"))
    };
    let near = |query: &str, expected: f64| {
        let number = number(query);
        assert!((number - expected).abs() < 1e-6, "{query}: {number}");
    };
    for job in ["text", "openmetrics"] {
        let of = format!(r#"{{job="{job}",route="/orders/{{id}}"}}"#);
        // Everything takes 20 ms, within the bucket from 10 to 25.
        let family = "http_request_duration_seconds";
        near(&format!("rate({family}_sum{of}[5m]) / rate({family}_count{of}[5m])"), 0.02);
        let quantile = format!("histogram_quantile(0.99, sum by (le, route) (rate({family}_bucket{of}[5m])))");
        near(&quantile, 0.02485);
        near(&format!(r#"up{{job="{job}"}}"#), 1.0);
        near(&format!(r#"build_info{{job="{job}"}}"#), 1.0);
    }
    let exemplars = ask(address, "query_exemplars", "query=http_request_duration_seconds_bucket", deadline);
    let trace_id = &exemplars["data"][0]["exemplars"][0]["labels"]["trace_id"];
    assert_eq!(trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
}
