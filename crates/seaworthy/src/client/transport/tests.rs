use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers the first request on each connection with `answer`, and closes.
async fn server(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

async fn get(builder: &TransportBuilder, url: &str) -> Result<String, TransportError> {
    let transport: Transport<Full<Bytes>> = builder.build().unwrap();
    let answer = transport.send(Request::get(url).body(Full::default()).unwrap()).await?;
    Ok(String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

fn loopback() -> Resolver {
    Resolver::new(|_| async { Ok::<_, BoxError>(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]) })
}

#[tokio::test]
async fn names_are_resolved_by_whoever_was_handed_in() {
    let port = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.port();
    let builder = Transport::builder().resolver(loopback());
    assert_eq!(get(&builder, &format!("http://payments.invalid:{port}/")).await.unwrap(), "ok");
}

#[tokio::test]
async fn an_address_that_is_not_permitted_is_not_connected_to() {
    let port = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.port();
    let builder = Transport::builder().resolver(loopback().permit(|address| !address.is_loopback()));
    let refused = get(&builder, &format!("http://payments.invalid:{port}/")).await.unwrap_err();
    assert_eq!(refused.failure(), Failure::Forbidden);
    assert_eq!(
        refused.to_string(),
        "cannot connect: dns error: \"payments.invalid\" has only addresses that may not be called"
    );
    assert!(!refused.failure().may_have_arrived());
}

#[tokio::test]
async fn each_failure_says_what_it_was() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let unknown = Resolver::new(|_| async { Err::<Vec<IpAddr>, _>("no such name") });
    let builder = Transport::builder().resolver(unknown);
    for (url, failure) in [
        ("http://nowhere.invalid/".to_owned(), Failure::Resolve),
        (format!("http://{closed}/"), Failure::Connect),
        (format!("http://{}/", server("").await), Failure::Closed),
        (format!("http://{}/", server("SSH-2.0-OpenSSH\r\n\r\n").await), Failure::Invalid),
        (format!("https://{}/", server("SSH-2.0-OpenSSH\r\n\r\n").await), Failure::Tls),
        ("/relative".to_owned(), Failure::Request),
    ] {
        let error = get(&builder, &url).await.unwrap_err();
        assert_eq!(error.failure(), failure, "{url}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_given_up_within_the_connect_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let builder = Transport::builder().connect_timeout(Duration::from_millis(50));
    assert_eq!(get(&builder, &url).await.unwrap_err().failure(), Failure::ConnectTimeout);
}

#[test]
fn what_holds_no_certificate_is_no_root() {
    assert!(matches!(Roots::none().and_pem(b"# nothing"), Err(RootsError::Empty)));
    let nonsense = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(Roots::none().and_pem(nonsense), Err(RootsError::Certificate { number: 1, .. })));
}
