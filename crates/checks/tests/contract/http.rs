//! `http` against nginx.

use seaworthy_checks::kinds::Spec;
use seaworthy_checks::kinds::http::{Settings, Target};
use seaworthy_checks::kinds::tls::Validity;
use seaworthy_checks::{Tls, Trust};
use seaworthy_core::health::{Class, Outcome};

use crate::bed::{Certificates, Server, failure, measured, once, passed};
use crate::contract::{Subject, hold};
use crate::tls::nginx;

const SECRET: &str = "hunter2-http";

/// What nginx answers, beside `/`.
const PLACES: &str = r#"
    location = /health { default_type application/json; return 200 '{"status":"ok","checks":[{"depth":7}]}'; }
    location = /broken { return 503; }
    location = /private { return 401; }
    location = /moved { return 302 /health; }
    location = /away { return 302 http://169.254.169.254/; }
    location = /circle { return 302 /circle; }
    location = /basic { if ($http_authorization = "Basic bWU6aHVudGVyMi1odHRw") { return 204; } return 401; }
    location = /header { if ($http_x_token = "abc") { return 204; } return 403; }
"#;

fn at(url: &str) -> Settings {
    Settings {
        target: Target::new(url).unwrap(),
        method: "GET".parse().unwrap(),
        headers: Vec::new(),
        status: vec![200..=299],
        condition: None,
        json: None,
        tls: Tls::default(),
        validity: Validity::default(),
    }
}

async fn asked(settings: Settings) -> seaworthy_core::health::Run {
    once(Spec::Http(Box::new(settings))).await
}

async fn server() -> Server {
    nginx(None, PLACES).await
}

#[tokio::test]
async fn the_contract_holds() {
    hold(Subject {
        keeps: false,
        ..Subject::new(
            server().await,
            |port| Spec::Http(Box::new(at(&format!("http://me:{SECRET}@127.0.0.1:{port}/basic")))),
            SECRET,
        )
    })
    .await;
}

#[tokio::test]
async fn status_header_and_body_are_judged() {
    let server = server().await;
    let url = |path: &str| format!("http://localhost:{}{path}", server.port);
    let broken = asked(at(&url("/broken"))).await;
    assert_eq!(failure(&broken), (Class::Condition, "answers 503 Service Unavailable"));
    assert_eq!(failure(&asked(at(&url("/private"))).await).0, Class::Auth);
    assert!(passed(&asked(Settings { status: vec![503..=503], ..at(&url("/broken")) }).await));

    let headers = vec![("x-token".parse().unwrap(), seaworthy_checks::Secret::new("abc"))];
    assert!(passed(&asked(Settings { headers, ..at(&url("/header")) }).await));
    let json = async |path: &str, condition: &str| {
        let json = Some(path.to_owned());
        asked(Settings { json, condition: Some(condition.parse().unwrap()), ..at(&url("/health")) }).await
    };
    assert!(passed(&json("status", "= ok").await) && passed(&json("checks.0.depth", "< 10").await));
    let deep = json("checks.0.depth", "< 5").await;
    assert_eq!(failure(&deep), (Class::Condition, "`checks.0.depth` is not \"< 5\", it is \"7\""));
    assert_eq!(failure(&json("nothing", "= 1").await), (Class::Condition, "its body has no `nothing`"));
    let condition = Some("contains \"status\":\"ok\"".parse().unwrap());
    assert!(passed(&asked(Settings { condition, ..at(&url("/health")) }).await));
}

#[tokio::test]
async fn redirects_are_followed_on_the_same_host_only() {
    let server = server().await;
    let url = |path: &str| format!("http://localhost:{}{path}", server.port);
    assert!(passed(&asked(at(&url("/moved"))).await));
    let away = asked(at(&url("/away"))).await;
    let expected = "redirects to another host, \"169.254.169.254\", which is not followed";
    assert_eq!(failure(&away), (Class::Condition, expected));
    assert_eq!(failure(&asked(at(&url("/circle"))).await), (Class::Condition, "redirects more than 5 times"));
}

#[tokio::test]
async fn tls_is_verified_and_its_end_foreseen() {
    let certificates = Certificates::make();
    let server = nginx(Some((&certificates, "server")), PLACES).await;
    let trust = || Trust::File(certificates.path("ca.pem"));
    let url = format!("https://localhost:{}/health", server.port);
    let run = asked(Settings { tls: trust().into(), ..at(&url) }).await;
    assert!(passed(&run), "{run:?}");
    let days = measured(&run, "health_tls_days_left").unwrap();
    assert!((29.0..=30.0).contains(&days), "{days}");
    let validity = Validity { warn_days: 40, fail_days: 3 };
    let soon = asked(Settings { tls: trust().into(), validity, ..at(&url) }).await;
    assert!(
        matches!(&soon.outcome, Outcome::Passed { warning: Some(text) } if text.contains("fewer than 40")),
        "{soon:?}"
    );
    assert_eq!(failure(&asked(at(&url)).await).0, Class::Tls);
    for (name, reason) in [("old", "expired"), ("other", "not valid for name")] {
        let wrong = nginx(Some((&certificates, name)), PLACES).await;
        let url = format!("https://localhost:{}/health", wrong.port);
        let run = asked(Settings { tls: trust().into(), ..at(&url) }).await;
        let (class, error) = failure(&run);
        assert_eq!((class, error.to_lowercase().contains(reason)), (Class::Tls, true), "{name}: {error}");
    }
    let plain = asked(at(&url.replace("https", "http"))).await;
    assert_eq!(failure(&plain), (Class::Condition, "answers 400 Bad Request"));
}
