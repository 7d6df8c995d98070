//! `tls` against nginx.

use seaworthy_checks::kinds::Spec;
use seaworthy_checks::kinds::tls::{Settings, Validity};
use seaworthy_checks::{Place, Trust};
use seaworthy_core::health::{Class, Run};

use crate::bed::{Certificates, Server, failure, measured, once, passed};
use crate::contract::{Subject, hold};

/// nginx with these `places`, over TLS with the certificate of this name where there is one.
pub(crate) async fn nginx(tls: Option<(&Certificates, &str)>, places: &str) -> Server {
    Server::start(|directory, port| {
        let listen = match tls {
            None => format!("listen 127.0.0.1:{port};"),
            Some((certificates, name)) => {
                let path = |end: &str| certificates.path(&format!("{name}.{end}")).display().to_string();
                let (pem, key) = (path("pem"), path("key"));
                format!("listen 127.0.0.1:{port} ssl; ssl_certificate {pem}; ssl_certificate_key {key};")
            }
        };
        let config = directory.join("nginx.conf");
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary: String = temporary.map(|name| format!("{name}_temp_path {name};\n")).concat();
        let text = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr;
             events {{ worker_connections 64; }}
             http {{ access_log off; {temporary} server {{ {listen} {places} }} }}"
        );
        std::fs::write(&config, text).unwrap();
        let prefix = directory.to_str().unwrap();
        ["nginx", "-p", prefix, "-c", config.to_str().unwrap()].map(str::to_owned).to_vec()
    })
    .await
}

async fn asked(port: u16, certificates: &Certificates, settings: impl FnOnce(&mut Settings)) -> Run {
    let mut asked = at(port, certificates);
    settings(&mut asked);
    once(Spec::Tls(asked)).await
}

fn at(port: u16, certificates: &Certificates) -> Settings {
    Settings {
        place: Place::Tcp { host: "localhost".to_owned(), port },
        server_name: None,
        tls: Trust::File(certificates.path("ca.pem")).into(),
        validity: Validity::default(),
    }
}

#[tokio::test]
async fn the_contract_holds() {
    let certificates = Certificates::make();
    let server = nginx(Some((&certificates, "server")), "").await;
    hold(Subject {
        server,
        spec: Box::new(move |port| Spec::Tls(at(port, &certificates))),
        keeps: false,
        quick: true,
        garbage: Class::Tls,
        closed: Class::Tls,
        secret: "nothing is secret here",
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_is_not_the_right_one_is_refused_with_the_reason() {
    let certificates = Certificates::make();
    let good = nginx(Some((&certificates, "server")), "").await;
    let run = asked(good.port, &certificates, |_| ()).await;
    assert!(passed(&run), "{run:?}");
    assert!(measured(&run, "health_tls_days_left").is_some_and(|days| days > 29.0));
    let named = asked(good.port, &certificates, |settings| settings.server_name = Some("other.test".to_owned())).await;
    let (class, error) = failure(&named);
    assert_eq!((class, error.contains("not valid for name")), (Class::Tls, true), "{error}");

    let other = nginx(Some((&certificates, "other")), "").await;
    assert_eq!(failure(&asked(other.port, &certificates, |_| ()).await).0, Class::Tls);
    let named =
        asked(other.port, &certificates, |settings| settings.server_name = Some("elsewhere.test".to_owned())).await;
    assert!(passed(&named), "{named:?}");

    let old = nginx(Some((&certificates, "old")), "").await;
    let run = asked(old.port, &certificates, |_| ()).await;
    let (class, error) = failure(&run);
    assert_eq!((class, error.to_lowercase().contains("expired")), (Class::Tls, true), "{error}");

    let brief = nginx(Some((&certificates, "brief")), "").await;
    let run = asked(brief.port, &certificates, |_| ()).await;
    let (class, error) = failure(&run);
    assert_eq!((class, error.ends_with("fewer than 3")), (Class::Tls, true), "{error}");

    let plain = nginx(None, "").await;
    assert_eq!(failure(&asked(plain.port, &certificates, |_| ()).await).0, Class::Tls);
}
