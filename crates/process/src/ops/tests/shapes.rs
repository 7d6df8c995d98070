//! Bodies in a shape of the configuration's own.

use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::probes::{Ask, Asker};
use super::*;
use crate::config::Verdict;
use crate::shape::{Known, Shape};

fn shape(source: &str) -> Shape {
    let checks = vec![Check { name: "database".to_owned(), kind: "postgres", ..Check::default() }];
    let known = Known { service: "api".to_owned(), checks, asks_app: true, ..Known::default() };
    Shape::new(source, Arc::new(known), "ready", Verdict::Ready.words()).unwrap()
}

fn shaped(source: &str) -> config::Probes {
    let mut settings = settings();
    settings.paths.insert("/ready".to_owned(), Verdict::Ready);
    settings.shapes.insert("/ready".to_owned(), shape(source));
    settings
}

const SOURCE: &str = r#"{"ready": {{ passes }}, "database": {{ checks.database.error }}}"#;

fn ask(probes: &Probes, path: &str, query: Option<&str>, accept: &str, facts: &Facts) -> Answer {
    let asker = Asker { address: None, local: true };
    probes.answer(&Ask { path, query, accept, asker }, facts).unwrap()
}

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {:?}", answer.body))
}

#[test]
fn a_shape_answers_its_own_path_with_the_status_of_the_verdict() {
    let (probes, facts) = (probes(shaped(SOURCE)), facts(State::Ready, vec![refused(moment())]));
    let answer = ask(&probes, "/ready", None, "", &facts);
    assert_eq!((answer.status.as_u16(), answer.content_type), (503, "application/json"));
    assert_eq!(body(&answer), json!({ "ready": false, "database": "10.0.0.7:5432: connection refused" }));
    assert_eq!(
        body(&ask(&probes, "/health/ready", None, "", &facts))["status"],
        "not_ready",
        "another path, another body"
    );
}

#[test]
fn whoever_takes_json_takes_the_shape_and_whoever_names_another_format_gets_that() {
    let (probes, facts) = (probes(shaped(SOURCE)), facts(State::Ready, vec![database(moment())]));
    let keys = |query: Option<&str>, accept: &str| ask(&probes, "/ready", query, accept, &facts).body;
    let shape = keys(None, "");
    assert_eq!(keys(None, "application/json, text/plain, */*"), shape);
    assert_eq!(keys(Some("verbose"), "*/*"), shape);
    assert_eq!(keys(None, "text/plain"), "ok");
    assert_eq!(keys(Some("format=kubernetes"), ""), "ok");
    assert!(keys(Some("format=default"), "").starts_with(b"{\"status\":\"ready\""));
}

#[test]
fn a_shape_that_fails_leaves_the_default_body_with_the_right_status_and_is_said_once() {
    let probes = probes(shaped("{{ (app.jobs or []) | length }}"));
    let mut facts = facts(State::Starting, Vec::new());
    assert_eq!(ask(&probes, "/ready", None, "", &facts).body, "0\n");
    let sample = crate::shape::Sample { app: Some(Arc::new(json!({ "jobs": 7 }))), ..Default::default() };
    facts.sample = Arc::new(sample);
    let answer = ask(&probes, "/ready", None, "", &facts);
    assert_eq!((answer.status.as_u16(), &body(&answer)["status"]), (503, &"not_ready".into()));
    assert!(answer.fault.is_some_and(|fault| fault.contains("length")));
    assert_eq!(ask(&probes, "/ready", None, "", &facts).fault, None);
}

#[test]
fn a_check_that_is_left_out_of_the_verdict_is_still_there_for_the_shape() {
    let (probes, facts) = (probes(shaped(SOURCE)), facts(State::Ready, vec![refused(moment())]));
    let answer = ask(&probes, "/ready", Some("exclude=database"), "", &facts);
    assert_eq!((answer.status.as_u16(), &body(&answer)["ready"]), (200, &true.into()));
    assert_eq!(body(&answer)["database"], "10.0.0.7:5432: connection refused");
}
