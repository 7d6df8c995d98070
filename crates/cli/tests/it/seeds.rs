//! The examples of the five systems: their paths, bodies and statuses come out as their clients know them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::bed::{Answer, PostgreSql, Redis, Seaworthy, Starting, Upstream, free_port, get, until};

fn example(name: &str) -> String {
    format!("{}/../../examples/seeds/{name}.toml", env!("CARGO_MANIFEST_DIR"))
}

/// The example in front of the tests' own program.
fn service(name: &str) -> Starting {
    Seaworthy::app().file(example(name)).variable("SEAWORTHY_DRAIN__DELAY", "0s")
}

/// Asks the public listener until it answers `status`.
fn answers(service: &Seaworthy, path: &str, status: u16) -> Answer {
    until(&format!("{path} answers {status}"), || Some(service.get(path)).filter(|answer| answer.status == status))
}

/// The names of all that is in `value`, with dots between.
fn keys(value: &Value) -> BTreeSet<String> {
    fn collect(value: &Value, path: &str, all: &mut BTreeSet<String>) {
        for (key, value) in value.as_object().into_iter().flatten() {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            collect(value, &path, all);
            all.insert(path);
        }
    }
    let mut all = BTreeSet::new();
    collect(value, "", &mut all);
    all
}

/// Both have the same keys, and values of the same types: numbers that are whole are so in both.
#[track_caller]
fn same_shape(given: &Value, wanted: &Value) {
    fn types(given: &Value, wanted: &Value, path: &str) {
        let same = match (given, wanted) {
            (Value::Object(given), Value::Object(wanted)) => {
                for (key, wanted) in wanted {
                    types(&given[key], wanted, &format!("{path}.{key}"));
                }
                true
            }
            (Value::Number(given), Value::Number(wanted)) => given.is_u64() == wanted.is_u64(),
            (given, wanted) => std::mem::discriminant(given) == std::mem::discriminant(wanted),
        };
        assert!(same, "{path} is {given}, and was {wanted}");
    }
    assert_eq!(keys(given), keys(wanted), "{given:#}");
    types(given, wanted, "");
}

#[test]
fn medbuilder_tells_what_is_degraded_from_what_is_unhealthy() {
    let mut database = PostgreSql::start();
    let key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let service = service("medbuilder").variable("DATABASE_URL", &database.url()).variable("ENCRYPTION_KEY", key);
    let service = service.variable("SEAWORTHY_ENVIRONMENT", "staging").listening();
    let ready = answers(&service, "/ready", 200).json();
    same_shape(&ready, &json!({ "ready": true, "timestamp": "t", "checks": { "database": true, "server": true } }));
    assert_eq!(ready["checks"], json!({ "database": true, "server": true }));
    let live = service.get("/live").json();
    same_shape(&live, &json!({ "alive": true, "timestamp": "t", "uptime": 120 }));
    let health = until("everything was looked at", || {
        let health = answers(&service, "/health", 200).json();
        (health["checks"]["memory"]["total"] != 0 && health["checks"]["encryption"]["keySet"] == true).then_some(health)
    });
    let seed = json!({
        "status": "healthy",
        "timestamp": "2025-10-27T05:34:00.000Z",
        "uptime": 120,
        "checks": {
            "database": { "status": "connected", "responseTime": 15 },
            "encryption": {
                "enabled": false, "keySet": false, "keyValid": true, "testPassed": true,
                "algorithm": "aes-256-gcm", "keyLength": 32, "environment": "development",
            },
            "memory": { "used": 473, "total": 507, "percentage": 93 },
        },
        "environment": "development",
    });
    // `true` and `false` are one type to whoever reads them.
    same_shape(&health, &seed);
    assert_eq!(health["checks"]["database"]["status"], "connected");
    assert_eq!((&health["environment"], &health["checks"]["encryption"]["enabled"]), (&"staging".into(), &true.into()));
    database.stop();
    let ready = answers(&service, "/ready", 503).json();
    assert_eq!((&ready["ready"], &ready["checks"]["database"]), (&false.into(), &false.into()), "{ready}");
    let health = answers(&service, "/health", 200).json();
    assert_eq!(
        (&health["status"], &health["checks"]["database"]["status"]),
        (&"degraded".into(), &"disconnected".into()),
        "{health}"
    );
    assert_eq!(service.get("/live").status, 200);
    service.stop().with_code(0);
}

#[test]
fn the_monitor_of_the_mcp_platform_sees_all_four_and_shows_them_in_both_forms() {
    let (database, redis) = (PostgreSql::start(), Redis::start());
    let api = Upstream::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let worker = format!("http://127.0.0.1:{}", free_port());
    let monitor = Seaworthy::run(Vec::<String>::new()).file(example("mcp-platform"));
    let monitor = monitor.variable("DATABASE_URL", &database.url()).variable("REDIS_URL", &redis.url());
    let monitor = monitor.variable("API_HEALTH_URL", &api.url()).variable("WORKER_HEALTH_URL", &worker);
    let monitor = monitor.listening();
    let asked = |path: &str, status: u16| {
        until(&format!("{path} answers {status}"), || {
            Some(get(monitor.ops, path)).filter(|answer| answer.status == status)
        })
    };
    let startup = asked("/health/startup", 200).json();
    same_shape(&startup, &json!({ "status": "started", "timestamp": "t", "uptime": 1 }));
    let ready = asked("/health/ready", 200).json();
    assert_eq!(ready["services"], json!({ "api": true, "worker": false, "redis": true, "postgres": true }));
    assert_eq!(asked("/health/live", 200).json()["status"], "alive");
    let health = until("the worker is seen to be down", || {
        let health = asked("/health", 200).json();
        (health["status"] == "degraded").then_some(health)
    });
    assert_eq!(health["services"]["worker"]["status"], "unhealthy", "{health}");
    assert_eq!(keys(&health["services"]).len(), 4 * 4, "{health}");
    let numbers = get(monitor.ops, "/metrics?format=json").json();
    same_shape(
        &numbers,
        &json!({ "uptime": 1.5, "services": 4, "healthy": 3, "unhealthy": 1, "degraded": 0, "checks_total": 9 }),
    );
    assert_eq!((&numbers["services"], &numbers["unhealthy"]), (&4.into(), &1.into()), "{numbers}");
    for (series, value) in [
        ("health_services_total", 4.0),
        ("health_services_healthy", 3.0),
        ("health_check_status{name=\"worker\"}", 0.0),
        ("health_check_status{name=\"postgres\"}", 1.0),
    ] {
        assert!((monitor.metric(series) - value).abs() < f64::EPSILON, "{series} is {}", monitor.metric(series));
    }
    monitor.stop().with_code(0);
}

#[test]
fn mpanel_shows_what_it_showed_also_what_only_the_program_knows() {
    let database = PostgreSql::start();
    let service = service("mpanel").variable("DATABASE_URL", &database.url());
    let service = service.variable("SEAWORTHY_EGRESS_LISTEN", "127.0.0.1:0").listening();
    answers(&service, "/api/ready", 200);
    assert_eq!(service.get("/api/ready").json(), json!({ "status": "ready" }));
    assert_eq!(service.get("/api/live").json(), json!({ "status": "alive" }));
    let health = until("the program was asked", || {
        let health = answers(&service, "/api/health", 200).json();
        (health["memory"]["heapTotal"] != 0).then_some(health)
    });
    let seed = json!({
        "status": "healthy",
        "timestamp": "2025-11-17T15:25:14.776Z",
        "version": "v1",
        "uptime": 36,
        "uptimeHuman": "36s",
        "memory": { "rss": 154, "heapTotal": 83, "heapUsed": 79, "unit": "MB" },
        "cpu": { "user": 3098, "system": 452, "unit": "ms" },
        "system": {
            "platform": "linux", "arch": "x64", "nodeVersion": "v22.21.1", "hostname": "host", "cpus": 16,
            "totalMemory": 31, "freeMemory": 21, "unit": "GB",
        },
        "features": ["billing", "hosting"],
    });
    same_shape(&health, &seed);
    assert_eq!(health["features"].as_array().map(Vec::len), Some(12), "{health}");
    assert!(health["system"]["nodeVersion"].as_str().is_some_and(|version| version.starts_with('v')), "{health}");
    assert_eq!(service.get("/json").status, 200, "the program has requests of its own to be measured");
    let scrape = until("the request is counted", || {
        let scrape = service.get("/metrics").text();
        scrape.contains("http_request_duration_seconds_bucket").then_some(scrape)
    });
    for family in ["http_requests_total", "http_request_duration_seconds_bucket", "circuit_breaker_state{"] {
        assert!(scrape.contains(family), "{family} is not in what loopback may scrape:\n{scrape}");
    }
    service.stop().with_code(0);
}

#[test]
fn mais_is_ready_with_its_database_and_says_what_is_missing_without() {
    let database = PostgreSql::start();
    let complete = service("mais").variable("DATABASE_URL", &database.url()).listening();
    let ready = answers(&complete, "/health/ready", 200).json();
    let seed = json!({
        "status": "ready",
        "timestamp": "2025-11-19T17:00:00.000Z",
        "checks": {
            "mode": "real", "database": { "status": "healthy", "latency": 45 }, "config": { "status": "complete" },
        },
    });
    same_shape(&ready, &seed);
    assert_eq!(ready["checks"]["database"]["status"], "healthy");
    let live = json!({ "status": "ok", "timestamp": "t", "uptime": 3600, "service": "mais-api", "version": "1.0.0" });
    for path in ["/health/live", "/health"] {
        let given = complete.get(path).json();
        same_shape(&given, &live);
        assert_eq!((&given["status"], &given["version"]), (&"ok".into(), &"1.0.0".into()));
    }
    complete.stop().with_code(0);

    let incomplete = service("mais").listening();
    let ready = until("the check was tried", || {
        let ready = answers(&incomplete, "/health/ready", 503).json();
        (ready["checks"]["database"]["error"] == "condition").then_some(ready)
    });
    assert_eq!(ready["status"], "not_ready");
    assert_eq!(ready["checks"]["config"], json!({ "status": "incomplete", "missing": ["DATABASE_URL"] }));
    assert_eq!(answers(&incomplete, "/health", 200).json()["status"], "ok", "it runs, and is live");
    incomplete.stop().with_code(0);
}

#[test]
fn phase_09_is_ready_with_all_three_and_alive_without_any() {
    let (database, redis) = (PostgreSql::start(), Redis::start());
    // As BullMQ leaves an empty queue behind.
    redis.tell(&["HSET", "bull:documents:meta", "opts.maxLenEvents", "10000"]);
    redis.tell(&["LPUSH", "bull:documents:wait", "1"]);
    let service = service("phase-09").variable("DATABASE_URL", &database.url()).variable("REDIS_URL", &redis.url());
    let service = service.listening();
    let ready = answers(&service, "/ready", 200).json();
    let up = json!({ "status": "up", "latency": 1 });
    let seed = json!({
        "status": "ready", "timestamp": "t", "checks": { "database": up, "redis": up, "queue": up },
    });
    same_shape(&ready, &seed);
    until("the queue is measured", || {
        let scrape = service.get("/metrics").text();
        let series = "queue_size{name=\"queue\",queue_name=\"documents\",status=\"waiting\"} 1";
        scrape.contains(series).then_some(())
    });
    drop(redis);
    let ready = answers(&service, "/ready", 503).json();
    assert_eq!((&ready["checks"]["database"]["status"], &ready["status"]), (&"up".into(), &"not_ready".into()));
    assert_eq!(service.get("/health").json(), json!({ "status": "ok" }));
    assert_eq!(service.get("/live").json(), json!({ "status": "alive" }));
    service.stop().with_code(0);
}
