use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::exchange::Verdict;
use super::*;
use crate::cli::Reach;

/// A server for one connection, which answers `pieces` and tells what it was asked.
fn server(pieces: &'static [&'static str], hang: bool) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, question) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0; 1];
            if stream.read(&mut byte).unwrap() == 0 {
                return;
            }
            request.push(byte[0]);
        }
        for piece in pieces {
            stream.write_all(piece.as_bytes()).unwrap();
        }
        asked.send(String::from_utf8(request).unwrap()).unwrap();
        if hang {
            // Until the client has had enough.
            let _ = stream.read(&mut [0; 1]);
        }
    });
    (address, question)
}

fn of(target: &str) -> Probe {
    let (target, timeout) = (target.parse().unwrap(), Duration::from_millis(500));
    Probe { target, timeout, admin: None, reach: Reach::default() }
}

fn verdict(probe: &Probe) -> io::Result<Verdict> {
    ask(&question(probe).unwrap(), Instant::now() + probe.timeout)
}

#[test]
fn a_verdict_is_asked_on_the_ops_listener_and_its_word_is_read() {
    let body = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n";
    let (address, asked) = server(Box::leak(Box::new([body, "{\"status\":", "\"not_ready\"}"])), true);
    let probe = Probe { admin: Some(address.to_string()), ..of("ready") };
    let verdict = verdict(&probe).unwrap();
    assert_eq!(verdict, Verdict { status: 503, word: Some("not_ready".to_owned()) });
    assert!(!verdict.is_good());
    assert!(asked.recv().unwrap().starts_with("GET /readyz?format=default HTTP/1.1\r\n"));
}

#[test]
fn a_url_may_be_anything_that_answers_http() {
    let (address, asked) = server(&["HTTP/1.1 204 No Content\r\n\r\n"], true);
    let verdict = verdict(&of(&format!("http://localhost:{}/up?x=1", address.port()))).unwrap();
    assert_eq!(verdict, Verdict { status: 204, word: None });
    let request = asked.recv().unwrap();
    assert!(request.starts_with("GET /up?x=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("Host: localhost:{}\r\n", address.port())), "{request}");
}

#[test]
fn a_server_that_never_ends_its_head_is_given_up_in_time() {
    let (address, _asked) = server(&["HTTP/1.1 200 OK\r\nX: "], true);
    let began = Instant::now();
    let error = verdict(&of(&format!("http://{address}/"))).unwrap_err();
    assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{error:?}");
    assert!(began.elapsed() >= Duration::from_millis(500));
}

#[test]
fn what_is_not_http_or_breaks_off_is_no_good_answer() {
    let (address, _asked) = server(&["SSH-2.0-OpenSSH\r\n"], true);
    assert_eq!(verdict(&of(&format!("http://{address}"))).unwrap_err().kind(), io::ErrorKind::InvalidData);
    let (address, _asked) = server(&["HTTP/1.1 200"], false);
    assert_eq!(verdict(&of(&format!("http://{address}"))).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn nobody_listening_is_said_at_once() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = verdict(&of(&format!("http://{address}"))).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn what_cannot_be_probed_is_refused_with_what_to_write() {
    let refused = |text: &str| text.parse::<ProbeTarget>().unwrap_err().to_string();
    assert!(refused("liveness").contains("use live, ready"));
    assert!(refused("https://127.0.0.1/").contains("only http://"));
    assert!(refused("http://example.com/").contains("write its address"));
    assert!(!refused("http://user:hunter2@127.0.0.1/").contains("hunter2"));
    assert!(refused("http://").contains("no URL"));
    assert!(refused("/a b").contains("no probe"));
}

#[test]
fn what_is_bound_everywhere_is_asked_over_loopback() {
    let reached = |text: &str| reachable(text.parse().unwrap()).to_string();
    assert_eq!(reached("0.0.0.0:9090"), "127.0.0.1:9090");
    assert_eq!(reached("[::]:9090"), "[::1]:9090");
    assert_eq!(reached("10.0.0.1:9090"), "10.0.0.1:9090");
}

#[test]
fn a_good_answer_is_one_that_the_kubelet_would_take() {
    let good = |status| Verdict { status, word: None }.is_good();
    assert!(good(200) && good(399) && !good(199) && !good(400) && !good(503));
}

#[test]
fn our_own_ops_listener_is_understood() {
    use std::sync::Arc;

    use seaworthy::core::event::Nowhere;
    use seaworthy::health::Health;
    use seaworthy::lifecycle::Lifecycle;

    use crate::config::{self, Sources};
    use crate::gateway::{Bound, Listener};
    use crate::ops::{Endpoints, Ops, Probes, Scrape, Vitals};

    let config = config::load(&Sources::default()).unwrap().config;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (address, done) = mpsc::channel();
    let (finish, finished) = tokio::sync::oneshot::channel::<()>();
    let server = thread::spawn(move || {
        runtime.block_on(async {
            let (lifecycle, sink) = (Lifecycle::new(Arc::new(Nowhere)), Arc::new(Nowhere));
            let vitals = Vitals::new(lifecycle, Health::default(), Instant::now(), sink.clone(), || true);
            let endpoints = Endpoints::new(Probes::of(&config), vitals, Scrape::new(|_| Vec::new()), sink.clone());
            let listener = Listener::tcp("127.0.0.1:0".parse().unwrap()).unwrap();
            let ops = Ops::serve(listener, Arc::new(endpoints), sink).unwrap();
            let Bound::Tcp(bound) = *ops.bound() else { panic!("a TCP address") };
            address.send(bound).unwrap();
            let _ = finished.await;
            ops.close().await;
        });
    });
    let admin = Some(done.recv().unwrap().to_string());
    let asked = |target: &str| verdict(&Probe { admin: admin.clone(), timeout: Duration::from_secs(5), ..of(target) });
    let said = |status, word: &str| Verdict { status, word: Some(word.to_owned()) };
    assert_eq!(asked("live").unwrap(), said(200, "alive"));
    assert_eq!(asked("startup").unwrap(), said(503, "starting"));
    assert_eq!(asked("ready").unwrap(), said(503, "not_ready"));
    assert_eq!(asked("health").unwrap(), said(503, "unhealthy"));
    assert_eq!(asked("/metrics").unwrap(), Verdict { status: 200, word: None });
    finish.send(()).unwrap();
    server.join().unwrap();
}
