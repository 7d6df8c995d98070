use seaworthy::core::health::{Affects, Class, Measure, Status};
use serde_json::{Value as Json, json};

use super::contract::{CHECK, Node, ROOT};
use super::*;

const WORDS: &[(&str, bool)] = &[("ready", true), ("not_ready", false)];

fn known() -> Arc<Known> {
    let check = |name: &str, kind: &'static str| Check { name: name.to_owned(), kind, ..Check::default() };
    let labels = vec![("team".to_owned(), "payments".to_owned())];
    Arc::new(Known {
        service: "mais-api".to_owned(),
        version: Some("1.0.0".to_owned()),
        environment: "production".to_owned(),
        info: [("mode".to_owned(), "real".to_owned())].into(),
        checks: vec![
            Check { labels, ..check("database", "postgres") },
            check("memory", "memory"),
            check("jobs", "bullmq"),
        ],
        asks_app: true,
    })
}

fn shape(source: &str) -> Result<Shape, ShapeError> {
    Shape::new(source, known(), "ready", WORDS)
}

fn refused(source: &str) -> String {
    let error = shape(source).expect_err(source);
    format!("{} | {}", error.message, error.hint)
}

fn view() -> View {
    let instant = Instant::now();
    let earlier = instant.checked_sub(Duration::from_secs(5)).unwrap();
    let database = Check {
        name: "database".to_owned(),
        kind: "postgres",
        status: Status::Unhealthy,
        affects: Affects::Ready,
        class: Some(Class::Refused),
        error: Some("say \"no\"".to_owned()),
        latency: Some(Duration::from_micros(44_600)),
        since: Some(earlier),
        ..Check::default()
    };
    let memory = Check {
        name: "memory".to_owned(),
        kind: "memory",
        status: Status::Degraded,
        measures: vec![
            Measure::new("health_memory_used_bytes", 473.0 * 1_048_576.0),
            Measure::new("health_memory_used_percent", 93.25),
        ],
        ..Check::default()
    };
    let jobs = Check {
        name: "jobs".to_owned(),
        kind: "bullmq",
        measures: vec![Measure::new("queue_size", 7.0).with("queue_name", "mail").with("status", "waiting")],
        ..Check::default()
    };
    let (checks, missing) = (vec![database, memory, jobs], vec!["DATABASE_URL".to_owned()]);
    View {
        verdict: "ready",
        status: "not_ready",
        passes: false,
        lifecycle: "ready",
        instant,
        wall: "2026-01-02T03:04:05.678912Z".parse().unwrap(),
        uptime: Duration::from_millis(93_784_567),
        snapshot: Arc::new(Snapshot { checks, missing, runs: 3 }),
        details: false,
        sample: Arc::new(Sample {
            process: Some(Process { rss: 161_480_704, user: Duration::from_millis(3098), ..Process::default() }),
            system: Some(System { cpus: 16, ..System::default() }),
            app: Some(Arc::new(json!({ "heap": { "used": 79 }, "jobs": ["a", "b"] }))),
        }),
    }
}

fn body(source: &str, view: View) -> Json {
    let shape = shape(source).unwrap_or_else(|error| panic!("{source}: {error:?}"));
    serde_json::from_str(&shape.render(view).unwrap()).unwrap()
}

fn value(expression: &str) -> Json {
    body(&format!("{{{{ {expression} }}}}"), view())
}

#[test]
fn values_are_printed_as_json_whatever_is_in_them() {
    assert_eq!(value("status"), "not_ready");
    assert_eq!(value("passes"), false);
    assert_eq!(value("service ~ '\"'"), "mais-api\"");
    assert_eq!(value("checks.database.error"), Json::Null, "strangers do not see texts");
    let trusted = View { details: true, ..view() };
    assert_eq!(body("{\"e\": {{ checks.database.error }}}", trusted), json!({ "e": "say \"no\"" }));
}

#[test]
fn the_shape_of_a_readiness_probe_comes_out_as_its_readers_know_it() {
    let source = r#"{
      "status": {{ status }},
      "timestamp": {{ timestamp }},
      "checks": {
        "mode": {{ info.mode }},
        "database": {"status": {{ "healthy" if checks.database.ok else "unhealthy" }}, "latency": {{ checks.database.latency_ms }}
          {%- if not checks.database.ok %}, "error": {{ checks.database.error or checks.database.class }}{% endif %}},
        "config": {"status": {{ "complete" if require.satisfied else "incomplete" }}
          {%- if require.missing %}, "missing": {{ require.missing }}{% endif %}}
      }
    }"#;
    assert_eq!(
        body(source, view()),
        json!({
            "status": "not_ready",
            "timestamp": "2026-01-02T03:04:05.678Z",
            "checks": {
                "mode": "real",
                "database": { "status": "unhealthy", "latency": 45, "error": "refused" },
                "config": { "status": "incomplete", "missing": ["DATABASE_URL"] },
            },
        })
    );
}

#[test]
fn times_numbers_and_measures_come_as_people_write_them() {
    assert_eq!(value("uptime.seconds"), 93_784);
    assert_eq!(value("uptime.exact"), 93_784.567);
    assert_eq!(value("uptime.human"), "1d 2h 3m 4s");
    assert_eq!(value("unix"), 1_767_323_045);
    assert_eq!(value("checks.database.since"), "2026-01-02T03:04:00.678Z");
    assert_eq!(value("(checks.memory.measures.health_memory_used_bytes or 0) // 1048576"), 473);
    assert_eq!(value("checks.memory.measures.health_memory_used_percent"), 93.25);
    assert_eq!(value("checks.memory.measures.health_memory_total_bytes"), Json::Null, "it was not measured");
    let sizes = json!([{ "queue_name": "mail", "status": "waiting", "value": 7 }]);
    assert_eq!(value("checks.jobs.measures.queue_size"), sizes);
    assert_eq!(value("process.rss // 1048576"), 154);
    assert_eq!(value("(process.cpu.user * 1000) | int"), 3098);
    assert_eq!(value("system.cpus"), 16);
}

#[test]
fn a_check_of_which_nothing_is_known_yet_is_pending() {
    let nothing = View { snapshot: Arc::default(), ..view() };
    assert_eq!(body("{{ checks.database.status }}", nothing), "pending");
}

#[test]
fn all_checks_can_be_walked_through() {
    let source = "{ {% for name, check in checks | items %}{{ name }}: {{ check.status }}{% if not loop.last %}, {% endif %}{% endfor %} }";
    assert_eq!(body(source, view()), json!({ "database": "unhealthy", "memory": "degraded", "jobs": "pending" }));
}

#[test]
fn what_the_program_did_not_say_is_null_however_deep() {
    assert_eq!(value("app.heap.used"), 79);
    assert_eq!(value("app.heap"), json!({ "used": 79 }));
    assert_eq!(value("app.jobs | length if app.jobs else 0"), 2);
    assert_eq!(value("app.heap.limit.soft"), Json::Null);
    assert_eq!(value("app.jobs.first.name"), Json::Null);
    assert_eq!(value("app.rss or process.rss"), 161_480_704);
}

#[test]
fn a_name_that_does_not_exist_is_found_in_every_branch_with_its_place() {
    assert_eq!(
        refused("{\n  \"a\": {% if passes %}1{% else %}{{ check.database }}{% endif %}}"),
        "line 2, column 37: there is no `check` | did you mean `checks`?"
    );
    assert_eq!(
        refused("{{ checks.databse.status }}"),
        "line 1, column 4: no check has the name `databse` | did you mean `database`?"
    );
    assert_eq!(refused("{{ uptime.second }}"), "line 1, column 4: `uptime` has no `second` | did you mean `seconds`?");
    assert_eq!(
        refused("{{ status.word }}"),
        "line 1, column 4: `status` is one value, and has no `word` | write {{ status }}"
    );
    assert!(refused("{{ info.modes }}").contains("did you mean `mode`?"));
    let measure = refused("{{ checks.memory.measures.health_db_connections }}");
    assert!(measure.contains("a check of the kind \"memory\" measures no `health_db_connections`"), "{measure}");
    assert!(refused("{{ checks['nobody'].status }}").contains("undefined value"), "it is found when it is tried");
}

#[test]
fn a_template_that_asks_a_program_which_is_not_asked_is_refused() {
    let known = Arc::new(Known { asks_app: false, ..Known::clone(&known()) });
    let error = Shape::new("{{ app.jobs }}", known, "ready", WORDS).unwrap_err();
    assert_eq!(error.hint, "name a path of it in probes.app-path");
}

#[test]
fn what_is_no_template_or_gives_no_json_is_refused_with_its_place() {
    assert!(refused("{\"a\": {{ status }").starts_with("line 1, column "), "{}", refused("{\"a\": {{ status }"));
    let quoted = refused("{\n\"status\": \"{{ status }}\"}");
    assert!(
        quoted.starts_with("line 2, column 13 of what it gives is no JSON") && quoted.contains("brings its own quotes"),
        "{quoted}"
    );
    let last = refused("{\"a\": 1{% if not passes %},{% endif %}}");
    assert!(last.contains("when the status is not_ready"), "only one of the words breaks it: {last}");
    let null = refused("{{ checks.memory.measures.health_memory_used_bytes // 2 }}");
    assert!(null.contains("with its checks not yet run") && null.contains("null: write what stands for it"), "{null}");
    assert!(refused("{{ nonsense(1) }}").contains("there is no `nonsense`"));
    assert!(refused("{{ status | nonsense }}").contains("unknown filter"));
}

#[test]
fn a_template_that_would_not_end_is_refused() {
    let endless = "[{% for a in range(9999) %}{% for b in range(9999) %}{{ b }},{% endfor %}{% endfor %}0]";
    assert!(refused(endless).contains("take the loop out"), "{}", refused(endless));
}

#[test]
fn a_failure_is_news_once_until_it_succeeds_again() {
    let shape = shape("{{ (app.jobs or []) | length }}").unwrap();
    let number =
        View { sample: Arc::new(Sample { app: Some(Arc::new(json!({ "jobs": 7 }))), ..Sample::default() }), ..view() };
    assert!(shape.render(number).is_err(), "a number has no length");
    assert_eq!([shape.failed(true), shape.failed(true)], [true, false]);
    assert!(!shape.failed(false));
    assert!(shape.failed(true));
}

#[test]
fn only_what_a_template_uses_is_looked_at() {
    let uses = |source: &str| shape(source).unwrap().uses();
    assert_eq!(uses("{{ status }}"), Uses::default());
    assert_eq!(uses("{{ system.cpus }}"), Uses { usage: true, app: false });
    assert_eq!(uses("{{ app }}"), Uses { usage: false, app: true });
}

/// Every name of the contract, with a check, a metric, a label and a value of `[info]` that exist.
fn names(prefix: &str, nodes: &[(&str, Node)], all: &mut Vec<String>) {
    for (name, node) in nodes {
        let path = if prefix.is_empty() { (*name).to_owned() } else { format!("{prefix}.{name}") };
        match node {
            Node::Value => all.push(path),
            Node::Table(nodes) => names(&path, nodes, all),
            Node::Checks => names(&format!("{path}.database"), CHECK, all),
            Node::Measures => all.push(format!("{path}.health_db_connections_max")),
            Node::Labels => all.push(format!("{path}.team")),
            Node::Info => all.push(format!("{path}.mode")),
            Node::App => all.push(format!("{path}.jobs")),
        }
    }
}

#[test]
fn every_name_of_the_contract_has_a_value_and_stands_in_the_guide() {
    let mut all = Vec::new();
    names("", ROOT, &mut all);
    let entries: Vec<_> = all.iter().map(|name| format!("{{{{ {name} }}}}")).collect();
    assert_eq!(body(&format!("[{}]", entries.join(", ")), view()).as_array().unwrap().len(), all.len());
    let guide = include_str!("../../../../docs/shapes.md");
    for name in all {
        let written = name.replace(".database", ".NAME").replace(".health_db_connections_max", ".METRIC");
        let written = written.replace("labels.team", "labels.KEY").replace("info.mode", "info.KEY");
        let written = written.replace("app.jobs", "app.…");
        assert!(guide.contains(&format!("`{written}`")), "{written} is not in docs/shapes.md");
    }
}
