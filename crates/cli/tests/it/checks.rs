//! Checks of dependencies: in the background, in probes and metrics, and by `seaworthy doctor`.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::bed::{Client, Seaworthy, Upstream, get, until};

/// A check that connects to a port of this machine.
fn tcp(name: &str, port: u16, more: &str) -> String {
    format!("[[check]]\nname = \"{name}\"\nkind = \"tcp\"\naddress = \"127.0.0.1:{port}\"\n{more}\n")
}

const READY: &str = "affects = \"ready\"\ninterval = \"100ms\"";

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, port)
}

fn monitor(config: &str) -> Seaworthy {
    Seaworthy::run(Vec::<String>::new()).controlled().config(config).listening()
}

fn answers(service: &Seaworthy, probe: &str, status: u16) {
    until(&format!("{probe} answers {status}"), || (get(service.ops, probe).status == status).then_some(()));
}

#[test]
fn a_file_with_nothing_but_checks_is_a_monitor_that_sees_an_outage_and_its_end() {
    let (api, port) = listener();
    let service = monitor(&tcp("api", port, READY));
    answers(&service, "/health/ready", 200);
    assert_eq!(get(service.ops, "/health/startup").status, 200);
    drop(api);
    answers(&service, "/health/ready", 503);
    assert_eq!(get(service.ops, "/health/live").status, 200, "a restart mends no dependency");
    assert_eq!(get(service.ops, "/health").status, 503);
    let failed = service.log.event("check_failed");
    assert_eq!((&failed["check"], &failed["class"]), (&"api".into(), &"refused".into()), "{failed}");
    let summary = get(service.ops, "/metrics?format=json").json();
    assert_eq!((&summary["services"], &summary["unhealthy"]), (&1.into(), &1.into()), "{summary}");
    assert!(service.metric("health_check_failures_total{name=\"api\",class=\"refused\"}") >= 2.0);
    let _api = TcpListener::bind(("127.0.0.1", port)).expect("its port is still free");
    answers(&service, "/health/ready", 200);
    service.stop().with_code(0);
}

#[test]
fn ten_thousand_probes_ask_nothing_of_what_is_checked() {
    let (api, port) = listener();
    let service = monitor(&tcp("api", port, "affects = \"ready\"\ninterval = \"10m\""));
    answers(&service, "/health/ready", 200);
    let runs = service.metric("health_checks_run_total");
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let ops = service.ops;
            std::thread::spawn(move || {
                let mut client = Client::connect(ops);
                for _ in 0..2500 {
                    assert_eq!(client.get("/health/ready?verbose&deep=true").status, 200);
                }
            })
        })
        .collect();
    for thread in asking {
        thread.join().expect("every probe is answered");
    }
    assert!((service.metric("health_checks_run_total") - runs).abs() < f64::EPSILON);
    api.set_nonblocking(true).expect("a socket can be told so");
    assert_eq!(api.incoming().take_while(Result::is_ok).count(), 1, "the one run of the start");
}

#[test]
fn a_reload_that_adds_a_check_takes_readiness_from_nobody_before_it_has_failed() {
    let (api, port) = listener();
    let first = tcp("api", port, READY);
    let service = monitor(&first);
    answers(&service, "/health/ready", 200);
    // Accepts, and says nothing: pending until its time is over.
    let (_silent, silent) = listener();
    let more = "affects = \"ready\"\ngates-start = true\ntimeout = \"2s\"\nfailure-threshold = 1\nexpect = \"220\"";
    service.configure(&(first + &tcp("smtp", silent, more)));
    service.signal(Signal::HUP);
    service.log.event("config_reloaded");
    let pending = get(service.ops, "/health/ready?verbose");
    assert_eq!((pending.status, &pending.json()["checks"]["smtp"]["status"]), (200, &"pending".into()));
    assert_eq!(get(service.ops, "/health/startup").status, 200);
    answers(&service, "/health/ready", 503);
    assert_eq!(get(service.ops, "/health/startup").status, 200, "what is started stays started");
    drop(api);
}

#[test]
fn a_start_waits_for_the_check_that_gates_it_and_not_for_its_interval() {
    let (reserved, port) = listener();
    drop(reserved);
    let service = monitor(&tcp("database", port, "gates-start = true\ninterval = \"10m\""));
    service.log.event("check_failed");
    assert_eq!(get(service.ops, "/health/startup").status, 503);
    let _database = TcpListener::bind(("127.0.0.1", port)).expect("its port is still free");
    answers(&service, "/health/startup", 200);
}

#[test]
fn a_dependency_that_never_answers_delays_no_probe() {
    let (_silent, port) = listener();
    let silent = tcp("silent", port, "expect = \"hello\"\ntimeout = \"1m\"\naffects = \"ready\"");
    let service = monitor(&silent);
    let began = Instant::now();
    for _ in 0..100 {
        assert_eq!(get(service.ops, "/health/live").status, 200);
        assert_eq!(get(service.ops, "/health/ready").status, 503, "it is not known yet");
    }
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(get(service.ops, "/health/check/silent").json()["status"], "pending");
    service.stop().with_code(0);
}

#[test]
fn a_reload_adds_checks_and_takes_them_away() {
    let (_api, port) = listener();
    let service = monitor(&tcp("api", port, READY));
    answers(&service, "/health/check/api", 200);
    let control = format!("control = {:?}\n", service.control_path());
    service.configure(&(control.clone() + &tcp("worker", port, READY)));
    service.signal(Signal::HUP);
    answers(&service, "/health/check/worker", 200);
    assert_eq!(get(service.ops, "/health/check/api").status, 404);
    service.configure(&(control + &tcp("worker", port, "affects = \"live\"")));
    service.signal(Signal::HUP);
    let refused = service.log.event("config_refused");
    assert!(refused.to_string().contains("would restart the service when a dependency fails"), "{refused}");
    answers(&service, "/health/check/worker", 200);
}

#[test]
fn a_sign_of_life_comes_in_over_the_control_socket() {
    let service =
        monitor("[[check]]\nname = \"backup\"\nkind = \"heartbeat\"\nwithin = \"1d\"\ninterval = \"100ms\"\n");
    service.tell(&["heartbeat", "backup", "--took", "12m"]).with_code(0).saying(&["backup is alive"]);
    let series = "health_heartbeat_duration_seconds{name=\"backup\"}";
    until("it is measured", || (service.metric(series) > 719.0).then_some(()));
    service.tell(&["heartbeat", "bakcup"]).with_code(1).saying(&["did you mean \"backup\"?"]);
}

#[test]
fn a_sign_of_life_comes_in_from_the_public_and_is_known_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let state = directory.path().display();
    let config = format!(
        "state-dir = \"{state}\"\n[[check]]\nname = \"backup\"\nkind = \"heartbeat\"\nschedule = \"0 3 * * *\"\n\
         time-zone = \"Europe/Berlin\"\ninterval = \"100ms\"\ntoken = {{ env = \"BACKUP_TOKEN\" }}\n"
    );
    let start = || Seaworthy::app().variable("BACKUP_TOKEN", "0123456789abcdef").config(&config);
    let service = start().ready();
    let tell = |target: &str, token: &str| {
        let mut client = service.client();
        client.request("POST", target, &format!("Authorization: Bearer {token}\r\nContent-Length: 0\r\n"));
        client.answer()
    };
    let refused = tell("/heartbeat/backup", "fedcba9876543210");
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(tell("/heartbeat/backup/start", "0123456789abcdef").status, 200);
    assert_eq!(tell("/heartbeat/backup/3", "0123456789abcdef").status, 200);
    let failed = service.log.event("check_failed");
    assert!(failed["message"].as_str().is_some_and(|message| message.ends_with("with exit code 3")), "{failed}");
    service.stop().with_code(0);

    let service = start().ready();
    answers(&service, "/health/check/backup", 503);
    service.stop().with_code(0);
}

#[test]
fn an_upstream_that_fails_its_requests_withholds_readiness_until_it_answers_them() {
    let upstream = Upstream::answering(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n");
    let check = "[[check]]\nname = \"requests\"\nkind = \"upstream\"\naffects = \"ready\"\ninterval = \"100ms\"\n\
                 window = \"2s\"\nmin-requests = 5\n";
    let service = Seaworthy::before(&upstream.url()).config(check).ready();
    until("so many failures are seen", || {
        assert_eq!(service.get("/").status, 500);
        (get(service.ops, "/health/ready").status == 503).then_some(())
    });
    let failed = service.log.event("check_failed");
    assert!(
        failed["message"].as_str().is_some_and(|message| message.ends_with("requests failed within 2s")),
        "{failed}"
    );
    assert!(service.metric("health_upstream_failed_percent{name=\"requests\"}") > 99.0);
    // Nothing comes any more, as behind a balancer that looked.
    answers(&service, "/health/ready", 200);
}

#[test]
fn the_doctor_says_what_is_wrong_and_what_to_do() {
    let (api, port) = listener();
    let service = monitor(&tcp("api", port, READY));
    let file = service.config_path();
    let doctor = |format: &str| service.tell(&["doctor", "--config", &file, "--format", format]);
    doctor("text").with_code(0).saying(&["✓ api"]);
    drop(api);
    doctor("text").with_code(1).saying(&["✗ api", "refused: 127.0.0.1:", "→ is it running"]);
    let told = doctor("json").with_code(1);
    let findings: serde_json::Value = serde_json::from_str(&told.output).expect("JSON");
    assert_eq!((&findings["ok"], &findings["checks"][0]["class"]), (&false.into(), &"refused".into()), "{findings}");
}
