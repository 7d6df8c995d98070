//! What probes answer, without a socket.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::probes::{Ask, Asker};
use super::*;
use crate::config::{Cidr, Kind as _, Verdict};

const NEIGHBOUR: &str = "10.0.0.5";

fn asker(address: &str) -> Asker {
    let address: IpAddr = address.parse().unwrap();
    Asker { address: Some(address), local: address.is_loopback() }
}

/// Asks as somebody on this machine.
fn ask(settings: config::Probes, target: &str, facts: &Facts) -> Answer {
    ask_from(settings, "127.0.0.1", target, facts)
}

fn ask_from(settings: config::Probes, from: &str, target: &str, facts: &Facts) -> Answer {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let ask = Ask { path, query, accept: "", asker: asker(from) };
    probes(settings).answer(&ask, facts).unwrap_or_else(|| panic!("{target} is no probe"))
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

fn verdict(target: &str, facts: &Facts) -> (u16, String) {
    let answer = ask(settings(), target, facts);
    (answer.status.as_u16(), body(&answer)["status"].as_str().unwrap().to_owned())
}

fn said(code: u16, word: &str) -> (u16, String) {
    (code, word.to_owned())
}

#[test]
fn the_default_body_is_the_one_of_the_guide_to_the_letter() {
    let mut facts = facts(State::Ready, Vec::new());
    let database = Check { group: None, ..database(facts.known.now) };
    facts.known.snapshot = Arc::new(Snapshot { checks: vec![database], ..Snapshot::default() });
    assert_eq!(
        text(&ask(settings(), "/health/ready", &facts)),
        "{\"status\":\"ready\",\"service\":\"api\",\"version\":\"1.4.2\",\
         \"timestamp\":\"2026-01-02T03:04:05.678Z\",\"uptime\":3600.2,\"lifecycle\":\"ready\",\
         \"checks\":{\"database\":{\"status\":\"healthy\",\"latency_ms\":1.3,\"affects\":\"ready\",\
         \"since\":\"2026-01-02T03:04:00.678Z\",\"last_checked\":\"2026-01-02T03:04:04.678Z\",\
         \"consecutive_failures\":0}}}\n"
    );
}

#[test]
fn each_state_answers_what_the_lifecycle_promises() {
    let of = |state| {
        let facts = facts(state, vec![database(moment())]);
        ["/startupz", "/livez", "/readyz", "/healthz"].map(|path| verdict(path, &facts).0)
    };
    assert_eq!(of(State::Starting), [503, 200, 503, 503]);
    assert_eq!(of(State::Ready), [200, 200, 200, 200]);
    assert_eq!(of(State::Draining), [200, 200, 503, 503]);
    assert_eq!(of(State::Stopping), [200, 200, 503, 503]);
}

#[test]
fn a_dependency_that_is_down_withholds_readiness_and_nothing_else() {
    let facts = facts(State::Ready, vec![refused(moment())]);
    assert_eq!(verdict("/health/ready", &facts), said(503, "not_ready"));
    assert_eq!(verdict("/health/live", &facts), said(200, "alive"));
    assert_eq!(verdict("/health/startup", &facts), said(200, "started"));
    assert_eq!(verdict("/health", &facts), said(503, "unhealthy"));
}

#[test]
fn degraded_is_shown_and_is_no_outage() {
    let facts = facts(State::Ready, vec![Check { affects: Affects::Health, ..refused(moment()) }]);
    assert_eq!(verdict("/health", &facts), said(200, "degraded"));
    assert_eq!(verdict("/health/ready", &facts), said(200, "ready"));
}

#[test]
fn a_worker_that_hangs_is_the_one_thing_that_makes_the_process_dead() {
    let mut facts = facts(State::Ready, Vec::new());
    facts.known.live = Live { workers_turn: false };
    assert_eq!(verdict("/livez", &facts), said(503, "dead"));
}

#[test]
fn liveness_names_no_check_however_it_is_asked() {
    let facts = facts(State::Ready, vec![refused(moment())]);
    for target in ["/livez", "/livez?verbose", "/livez?deep=true"] {
        assert_eq!(body(&ask(settings(), target, &facts))["checks"], json!({}), "{target}");
    }
    let lines = text(&ask(settings(), "/livez?verbose&format=kubernetes", &facts));
    assert_eq!(lines, "[+]workers ok\n[+]lifecycle ok\nlive check passed\n");
}

#[test]
fn what_is_required_and_missing_is_named_and_withholds_readiness() {
    let mut facts = facts(State::Ready, Vec::new());
    facts.known.snapshot = Arc::new(Snapshot { missing: vec!["DATABASE_URL".to_owned()], ..Snapshot::default() });
    let answer = ask(settings(), "/health/ready", &facts);
    assert_eq!(answer.status, 503);
    assert_eq!(body(&answer)["config"], json!({ "status": "incomplete", "missing": ["DATABASE_URL"] }));
    assert_eq!(verdict("/livez", &facts), said(200, "alive"));
    assert_eq!(body(&ask(settings(), "/livez", &facts)).get("config"), None);
    let lines = text(&ask(settings(), "/readyz?format=kubernetes", &facts));
    assert_eq!(lines, "[+]lifecycle ok\n[-]config failed: missing DATABASE_URL\nready check failed\n");
}

#[test]
fn a_check_that_is_left_out_decides_nothing() {
    let facts = facts(State::Ready, vec![refused(moment())]);
    let answer = ask(settings(), "/readyz?exclude=database", &facts);
    assert_eq!((answer.status.as_u16(), body(&answer)["checks"].clone()), (200, json!({})));
    assert_eq!(ask(settings(), "/readyz?exclude=redis", &facts).status, 503);
}

#[test]
fn verbose_shows_the_checks_that_decide_nothing_too() {
    let info = Check { name: "disk".to_owned(), affects: Affects::Info, ..database(moment()) };
    let facts = facts(State::Ready, vec![database(moment()), info]);
    let names = |target: &str| -> Vec<String> {
        body(&ask(settings(), target, &facts))["checks"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(names("/health/ready"), ["database"]);
    assert_eq!(names("/health/ready?verbose"), ["database", "disk"]);
    assert_eq!(names("/health?deep=true"), ["database", "disk"]);
}

#[test]
fn strangers_see_the_class_of_a_failure_and_only_this_machine_its_text() {
    let facts = facts(State::Ready, vec![refused(moment())]);
    let shown = |details, from| {
        let answer = ask_from(config::Probes { details, ..settings() }, from, "/readyz?verbose", &facts);
        let check = body(&answer)["checks"]["database"].clone();
        assert_eq!(check["class"], "refused");
        check.get("error").is_some()
    };
    assert!(shown(Details::Loopback, "127.0.0.1") && shown(Details::Loopback, "::1"));
    assert!(!shown(Details::Loopback, NEIGHBOUR));
    assert!(shown(Details::Always, NEIGHBOUR));
    assert!(!shown(Details::Never, "127.0.0.1"));
    let lines = text(&ask_from(settings(), NEIGHBOUR, "/readyz?format=kubernetes", &facts));
    assert_eq!(lines, "[+]lifecycle ok\n[-]database failed: refused\nready check failed\n");
}

#[test]
fn only_the_allowed_networks_are_answered() {
    let allow = vec![Cidr::read(&"10.0.0.0/8".into()).unwrap()];
    let facts = facts(State::Ready, Vec::new());
    let status = |from| {
        let allow = allow.clone();
        ask_from(config::Probes { allow, ..settings() }, from, "/livez", &facts).status.as_u16()
    };
    assert_eq!(status(NEIGHBOUR), 200);
    assert_eq!(status("192.0.2.1"), 403);
    assert_eq!(status("127.0.0.1"), 403);
}

#[test]
fn kubernetes_gets_ok_and_lines_only_where_something_is_wrong_or_somebody_asks() {
    let kubernetes = || config::Probes { format: ProbeFormat::Kubernetes, ..settings() };
    let good = facts(State::Ready, vec![database(moment())]);
    assert_eq!(text(&ask(kubernetes(), "/readyz", &good)), "ok");
    let lines = text(&ask(kubernetes(), "/readyz?verbose", &good));
    assert_eq!(lines, "[+]lifecycle ok\n[+]database ok\nready check passed\n");
    let starting = facts(State::Starting, Vec::new());
    let answer = ask(kubernetes(), "/readyz", &starting);
    assert_eq!(answer.status, 503);
    assert_eq!(text(&answer), "[-]lifecycle failed: starting\nready check failed\n");
}

#[test]
fn a_text_of_an_error_cannot_forge_a_line() {
    let error = Some("gone\n[+]database ok".to_owned());
    let facts = facts(State::Ready, vec![Check { error, ..refused(moment()) }]);
    let lines = text(&ask(settings(), "/readyz?format=kubernetes", &facts));
    assert_eq!(lines.lines().filter(|line| line.starts_with("[+]")).count(), 1, "{lines}");
}

#[test]
fn one_check_or_a_group_can_be_asked_for_alone() {
    let redis = Check { name: "main redis".to_owned(), ..refused(moment()) };
    let other = Check { name: "mail".to_owned(), group: None, status: Status::Pending, ..database(moment()) };
    let facts = facts(State::Ready, vec![database(moment()), redis, other]);
    assert_eq!(verdict("/health/check/database", &facts), said(200, "healthy"));
    assert_eq!(verdict("/health/check/main%20redis", &facts), said(503, "unhealthy"));
    assert_eq!(verdict("/health/check/mail", &facts), said(503, "pending"));
    assert_eq!(verdict("/health/group/storage", &facts), said(503, "unhealthy"));
    assert_eq!(verdict("/health/group/storage?exclude=main%20redis", &facts), said(200, "healthy"));
    let unknown = ask(settings(), "/health/check/redis", &facts);
    assert_eq!(unknown.status, 404);
    assert!(text(&unknown).contains("there are: database, main redis, mail"), "{}", text(&unknown));
    assert!(text(&ask(settings(), "/health/group/x", &facts)).contains("there are: storage"));
}

#[test]
fn dependencies_are_checks_and_what_is_required() {
    let mut facts = facts(State::Ready, Vec::new());
    let redis = Check { name: "redis".to_owned(), ..refused(facts.known.now) };
    let checks = vec![database(facts.known.now), redis];
    facts.known.snapshot = Arc::new(Snapshot { checks, missing: vec!["API_KEY".to_owned()], runs: 0 });
    let answer = ask(settings(), "/health/dependencies", &facts);
    assert_eq!(answer.status, 503);
    assert_eq!(
        text(&answer),
        "{\"satisfied\":false,\"missing\":[\"redis\",\"API_KEY\"],\"details\":{\"database\":true,\
         \"redis\":false,\"DATABASE_URL\":true,\"API_KEY\":false}}\n"
    );
}

#[test]
fn a_path_of_the_config_answers_the_verdict_that_it_names() {
    let facts = facts(State::Draining, Vec::new());
    let paths = [("/ready".to_owned(), Verdict::Ready), ("/health".to_owned(), Verdict::Live)];
    let configured = || config::Probes { paths: paths.clone().into(), ..settings() };
    assert_eq!(body(&ask(configured(), "/ready", &facts))["status"], "not_ready");
    assert_eq!(body(&ask(configured(), "/health", &facts))["status"], "alive");
}

#[test]
fn an_unknown_format_is_refused_with_those_that_there_are() {
    let answer = ask(settings(), "/readyz?format=xml", &facts(State::Ready, Vec::new()));
    assert_eq!(answer.status, 400);
    assert!(text(&answer).contains("use default, kubernetes, actuator, microprofile or ietf"));
}

#[test]
fn free_values_are_shown_where_there_are_some() {
    let identity = Identity { info: [("mode".to_owned(), "primary".to_owned())].into(), ..Identity::default() };
    let probes = Probes::new(settings(), Vec::new(), identity);
    let ask = Ask { path: "/livez", query: None, accept: "", asker: asker(NEIGHBOUR) };
    let answer = probes.answer(&ask, &facts(State::Ready, Vec::new())).unwrap();
    assert_eq!(body(&answer)["info"], json!({ "mode": "primary" }));
}

#[test]
fn what_is_no_probe_is_left_to_others() {
    let ask = Ask { path: "/orders", query: None, accept: "", asker: asker(NEIGHBOUR) };
    assert_eq!(probes(settings()).answer(&ask, &facts(State::Ready, Vec::new())), None);
}

#[test]
fn the_actuator_shape_is_the_one_of_spring_boot() {
    let facts = facts(State::Ready, vec![database(moment())]);
    let up = ask(settings(), "/health?format=actuator", &facts);
    assert_eq!((up.status.as_u16(), up.content_type), (200, "application/vnd.spring-boot.actuator.v3+json"));
    let component = json!({ "database": { "status": "UP", "details": { "latencyMs": 1.3 } } });
    let groups = json!(["liveness", "readiness", "storage"]);
    assert_eq!(body(&up), json!({ "status": "UP", "components": component, "groups": groups }));
    assert_eq!(body(&ask(settings(), "/livez?format=actuator", &facts)), json!({ "status": "UP" }));

    let down = super::facts(State::Ready, vec![refused(moment())]);
    let answer = ask_from(settings(), NEIGHBOUR, "/readyz?format=actuator", &down);
    assert_eq!((answer.status.as_u16(), body(&answer)["status"].as_str()), (503, Some("DOWN")));
    let details = json!({ "latencyMs": 1.3, "class": "refused" });
    assert_eq!(body(&answer)["components"]["database"], json!({ "status": "DOWN", "details": details }));

    let leaving = super::facts(State::Draining, vec![database(moment())]);
    let answer = ask(settings(), "/readyz?format=actuator", &leaving);
    assert_eq!((answer.status.as_u16(), body(&answer)["status"].as_str()), (503, Some("OUT_OF_SERVICE")));
}

#[test]
fn the_microprofile_shape_has_two_words_and_flat_data() {
    let facts = facts(State::Ready, vec![refused(moment())]);
    let answer = ask(settings(), "/readyz?format=microprofile", &facts);
    let data = json!({
        "status": "unhealthy", "latency_ms": 1.3, "class": "refused", "error": "10.0.0.7:5432: connection refused",
    });
    let checks = json!([{ "name": "database", "status": "DOWN", "data": data }]);
    assert_eq!((answer.status.as_u16(), body(&answer)), (503, json!({ "status": "DOWN", "checks": checks })));
}

#[test]
fn the_ietf_shape_is_keyed_by_component_and_measurement() {
    let measures = vec![Measure::new("health_db_connections_max", 100.0)];
    let degraded = Check { affects: Affects::Health, kind: "postgres", measures, ..refused(moment()) };
    let facts = facts(State::Ready, vec![degraded]);
    let answer = ask(settings(), "/health?format=ietf", &facts);
    let said = body(&answer);
    assert_eq!((answer.status.as_u16(), answer.content_type), (200, "application/health+json"));
    assert_eq!((said["status"].as_str(), said["releaseId"].as_str()), (Some("warn"), Some("1.4.2")));
    assert_eq!(
        said["checks"]["database:responseTime"],
        json!([{
            "componentType": "datastore", "time": said["checks"]["database:responseTime"][0]["time"],
            "observedValue": 1.3, "observedUnit": "ms", "status": "fail", "output": "10.0.0.7:5432: connection refused",
        }])
    );
    assert_eq!(said["checks"]["database:db_connections_max"][0]["observedValue"], 100.0);
    let stranger = body(&ask_from(settings(), NEIGHBOUR, "/health?format=ietf", &facts));
    assert_eq!(stranger["checks"]["database:responseTime"][0]["output"], "refused");
    assert_eq!(stranger["checks"].get("database:db_connections_max"), None);
}

#[test]
fn a_result_that_is_too_old_is_not_believed() {
    let now = moment();
    let old = Check { stale_at: Some(now.instant), ..database(now) };
    let mut facts = facts(State::Ready, vec![old]);
    facts.known.snapshot = believed(facts.known.snapshot, now.instant);
    assert_eq!(verdict("/readyz", &facts), said(503, "not_ready"));
    assert_eq!(body(&ask(settings(), "/readyz", &facts))["checks"]["database"]["class"], "stale");
}
