use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use seaworthy::core::event::Memory;
use seaworthy::core::metric::Format;

use super::*;
use crate::gateway::{Address, Protocol};

/// Answers each connection with the next of `answers`, as it stands; the last one again and again. Holds its
/// connections open.
fn program(answers: Vec<String>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut held: Vec<TcpStream> = Vec::new();
        for (index, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let mut lines = BufReader::new(&stream).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            drop(lines);
            // Whoever asked may have given up.
            let _ = (&stream).write_all(answers[index.min(answers.len() - 1)].as_bytes());
            held.push(stream);
        }
    });
    address
}

fn ok(page: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{page}", page.len())
}

fn metrics(timeout: Duration) -> Metrics {
    Metrics {
        allow: Vec::new(),
        scrape: Some("/metrics".to_owned()),
        scrape_timeout: timeout,
        max_series: std::num::NonZeroUsize::new(1000).unwrap(),
    }
}

fn aimed(address: SocketAddr, timeout: Duration) -> (AppMetrics, Arc<Memory>) {
    let memory = Arc::new(Memory::default());
    let app = AppMetrics::new(&metrics(timeout), memory.clone());
    app.aim(Some(&Upstream::new(Address::Tcp(address), Protocol::Auto)));
    (app, memory)
}

/// As if the last fetch were long ago.
fn forget(app: &AppMetrics) {
    app.lock().latest = None;
}

fn page(app: &AppMetrics) -> String {
    let mut page = Exposition::new(Format::Text);
    page.family("http_requests_total", Kind::Counter, "Ours.").sample(&[], 7_u64);
    app.write(&mut page);
    String::from_utf8(page.finish()).unwrap()
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn what_the_program_shows_stands_beside_ours() {
    let shown =
        "# TYPE orders_total counter\norders_total 3\n# TYPE http_requests_total counter\nhttp_requests_total 5\n";
    let (app, memory) = aimed(program(vec![ok(shown)]), LONG);
    app.fetch().await;
    let page = page(&app);
    for line in [
        "orders_total 3",
        "http_requests_total 7",
        "app_http_requests_total 5",
        r#"seaworthy_app_scrapes_total{outcome="ok"} 1"#,
        r#"seaworthy_app_scrape_samples{state="shown"} 2"#,
    ] {
        assert!(page.lines().any(|shown| shown == line), "{line}\n{page}");
    }
    app.fetch().await;
    assert!(self::page(&app).contains("{outcome=\"ok\"} 1\n"), "asked again at once, it is fresh");
    assert_eq!(memory.said(), Vec::<String>::new());
}

#[tokio::test]
async fn whatever_the_program_does_ours_are_shown_and_it_is_counted_and_said_once() {
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(LARGEST + 1));
    let answers = [
        ("status", "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned()),
        ("malformed", ok("<html>")),
        ("malformed", ok("a \u{fffd}\n")),
        ("too_large", endless),
        ("ok", ok("a 1\n")),
        ("timeout", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na 1\n".to_owned()),
    ];
    let address = program(answers.iter().map(|(_, answer)| answer.clone()).collect());
    let (app, memory) = aimed(address, LONG);
    for (outcome, _) in &answers {
        if *outcome == "timeout" {
            app.configure(&metrics(Duration::from_millis(50)));
        }
        forget(&app);
        app.fetch().await;
        let page = page(&app);
        assert!(page.contains("http_requests_total 7\n"));
        let counted = format!("seaworthy_app_scrapes_total{{outcome=\"{outcome}\"}} ");
        assert!(!page.contains(&format!("{counted}0\n")) && page.contains(&counted), "{outcome}\n{page}");
        assert_eq!(page.contains("\na 1\n"), *outcome == "ok", "nothing old is shown");
    }
    assert_eq!(
        memory.said(),
        [
            "the app's own metrics cannot be had: the answer is 404",
            "the app's own metrics are there again",
            "the app's own metrics cannot be had: no answer within 50ms",
        ]
    );
}

#[tokio::test]
async fn a_program_that_is_not_there_is_unreachable_or_not_asked_at_all() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (app, _) = aimed(gone, LONG);
    app.fetch().await;
    assert!(page(&app).contains("{outcome=\"unreachable\"} 1\n"));
    app.aim(None);
    app.fetch().await;
    assert!(page(&app).contains("{outcome=\"unreachable\"} 1\n"), "it is being started");
}
