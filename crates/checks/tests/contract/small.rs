//! `tcp` and `dns`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use seaworthy_checks::Place;
use seaworthy_checks::kinds::{Spec, dns, tcp};
use seaworthy_core::health::{Class, Run};

use crate::bed::{Server, failure, free_port, once, passed, probe};
use crate::contract::{Subject, hold};

async fn redis() -> Server {
    Server::start(|_, port| {
        let port = port.to_string();
        ["redis-server", "--port", &port, "--bind", "127.0.0.1", "--save", ""].map(str::to_owned).to_vec()
    })
    .await
}

async fn tcp(host: &str, port: u16, send: Option<&str>, expect: Option<&str>) -> Run {
    let place = Place::Tcp { host: host.to_owned(), port };
    let text = |text: Option<&str>| text.map(str::to_owned);
    once(Spec::Tcp(tcp::Settings { place, send: text(send), expect: text(expect) })).await
}

#[tokio::test]
async fn whoever_accepts_and_says_the_right_thing_passes() {
    let server = redis().await;
    assert!(passed(&tcp("localhost", server.port, None, None).await));
    assert!(passed(&tcp("127.0.0.1", server.port, Some("PING\r\n"), Some("+PONG")).await));
    let run = tcp("127.0.0.1", server.port, Some("PING\r\nQUIT\r\n"), Some("nothing like it")).await;
    let (class, error) = failure(&run);
    assert_eq!((class, error.ends_with("does not hold \"nothing like it\"")), (Class::Condition, true), "{error}");
    let refused = tcp("127.0.0.1", free_port(), None, None).await;
    assert_eq!(failure(&refused).0, Class::Refused);
    assert!(failure(&refused).1.starts_with("127.0.0.1:"), "{refused:?}");
}

#[tokio::test]
async fn the_contract_holds_for_tcp() {
    hold(Subject {
        server: redis().await,
        spec: Box::new(|port| {
            let place = Place::Tcp { host: "127.0.0.1".to_owned(), port };
            let (send, expect) = (Some("PING\r\n".to_owned()), Some("+PONG".to_owned()));
            Spec::Tcp(tcp::Settings { place, send, expect })
        }),
        keeps: false,
        quick: true,
        garbage: Class::Condition,
        closed: Class::Refused,
        secret: "nothing is secret here",
    })
    .await;
}

#[tokio::test]
async fn a_server_of_names_that_never_answers_is_a_timeout() {
    let brief = Duration::from_millis(50);
    let place = Place::Tcp { host: "stuck.test".to_owned(), port: 1 };
    let mut asked = probe(Spec::Tcp(tcp::Settings { place, send: None, expect: None }));
    assert_eq!(failure(&seaworthy_checks::run(&mut *asked, brief).await).0, Class::Timeout);
    let mut asked = probe(Spec::Dns(dns::Settings { host: "stuck.test".to_owned(), addresses: BTreeSet::new() }));
    assert_eq!(failure(&seaworthy_checks::run(&mut *asked, brief).await).0, Class::Timeout);
}

#[tokio::test]
async fn the_next_address_is_tried_when_the_first_leads_nowhere() {
    let server = redis().await;
    assert!(passed(&tcp("two.test", server.port, None, None).await));
    let unknown = tcp("unknown.test", server.port, None, None).await;
    assert_eq!(failure(&unknown), (Class::Refused, "\"unknown.test\" cannot be resolved"));
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_refused_by_its_path() {
    let place = Place::Unix("/nonexistent/app.sock".into());
    let run = once(Spec::Tcp(tcp::Settings { place, send: None, expect: None })).await;
    let (class, error) = failure(&run);
    assert_eq!((class, error.starts_with("unix:/nonexistent/app.sock: ")), (Class::Refused, true), "{error}");
}

#[tokio::test]
async fn a_name_must_have_the_addresses_that_it_should() {
    let asked = async |host: &str, addresses: &[&str]| {
        let addresses: BTreeSet<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        once(Spec::Dns(dns::Settings { host: host.to_owned(), addresses })).await
    };
    assert!(passed(&asked("localhost", &[]).await) && passed(&asked("localhost", &["127.0.0.1"]).await));
    let moved = asked("localhost", &["10.0.0.7"]).await;
    assert_eq!(failure(&moved), (Class::Condition, "\"localhost\" is at 127.0.0.1, not at 10.0.0.7"));
    assert_eq!(failure(&asked("unknown.test", &[]).await).0, Class::Refused);
}
