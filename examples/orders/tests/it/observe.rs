//! What operators ask, of a real Prometheus.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

use crate::bed::{Orders, PostgreSql, Prometheus, get, promtool};

/// Keeps a table to itself until it is dropped: whoever wants to write to it waits, with a connection.
struct Lock(std::process::Child);

impl Lock {
    fn of(database: &PostgreSql) -> Self {
        let mut psql = Command::new("psql");
        psql.args(["--quiet", "--no-psqlrc", &database.url()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut psql = psql.spawn().expect("psql is there: `cargo xtask test` installs it");
        let stdin = psql.stdin.as_mut().expect("it is piped");
        stdin.write_all(b"BEGIN; LOCK TABLE signups;\n\\echo locked\n").expect("it reads");
        let mut said = std::io::BufReader::new(psql.stdout.take().expect("it is piped"));
        let mut line = String::new();
        std::io::BufRead::read_line(&mut said, &mut line).expect("it answers");
        assert_eq!(line, "locked\n");
        Self(psql)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_exposition_passes_promtool() {
    let orders = Orders::ready(&[]);
    orders.place();
    orders.post("/payments", "");
    orders.post("/signups", "");
    let page = get(orders.admin, "/metrics").body;
    assert_eq!(promtool(&page), Ok(()), "{}", String::from_utf8_lossy(&page));
}

#[test]
fn a_real_prometheus_answers_what_operators_ask() {
    let database = PostgreSql::start();
    let orders = Orders::ready(&[("DATABASE_URL", &database.url()), ("DATABASE_CONNECTIONS", "5")]);
    let directory = tempfile::tempdir().expect("a directory");
    let prometheus = Prometheus::scraping(orders.admin, directory.path());

    orders.payments("fail");
    assert_eq!(orders.post("/payments", "").status, 502);
    orders.post("/signups", "{\"plan_type\":\"pro\"}");
    let is = |query: &str, expected: f64| {
        let found = prometheus.value(&format!("{query} == {expected}"));
        assert!((found - expected).abs() < 1e-9, "{query} is {found}");
    };
    is("circuit_breaker_state{service=\"stripe\"}", 2.0);
    is("user_signups_total{plan_type=\"pro\"}", 1.0);
    is("up", 1.0);

    // All connections wait for a table that somebody keeps to himself. That is no attack on the database, and looks like one.
    let lock = Lock::of(&database);
    let public = orders.public;
    let waiting: Vec<_> =
        (0..5).map(|_| thread::spawn(move || crate::bed::try_post(public, "/signups", "", "{}"))).collect();
    let saturated = prometheus.value("(db_pool_size_active / db_pool_size_total) > 0.8");
    assert!(saturated > 0.8, "{saturated}");
    orders
        .log
        .line("that the pool is tight", |line| line["event"] == "pool_strained" || line["event"] == "pool_exhausted");
    drop(lock);
    for client in waiting {
        // Served in the end, or told that there was no connection in time.
        let status = client.join().expect("no panic").expect("an answer").status;
        assert!([201, 503, 504].contains(&status), "{status}");
    }

    orders.get("/orders");
    let mean = "rate(http_request_duration_seconds_sum[5m]) / rate(http_request_duration_seconds_count[5m])";
    assert!(prometheus.value(&format!("{mean} > 0")) > 0.0);
    let slowest = "histogram_quantile(0.99, sum by (le, route) (rate(http_request_duration_seconds_bucket[5m])))";
    assert!(prometheus.value(&format!("{slowest} > 0")) > 0.0);
}
