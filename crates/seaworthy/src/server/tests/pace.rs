//! Bodies that come too slowly.

use hyper::client::conn::http2::{SendRequest, handshake};
use tokio::sync::mpsc;

use super::*;

/// So much in any three tenths of a second.
fn impatient() -> ConnectionLimits {
    let (body_min_rate, body_grace) = (Some(1000), Duration::from_millis(300));
    ConnectionLimits { body_min_rate, body_grace, ..ConnectionLimits::default() }
}

const UPLOAD: &str = "POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n";

#[tokio::test]
async fn a_body_that_drips_breaks_off_and_one_that_comes_does_not() {
    let (_server, address, _) = start(impatient()).await;
    let mut client = connect(address, UPLOAD).await;
    let (mut read, mut drops) = (Vec::new(), 0);
    // Each byte comes well within the grace.
    while tokio::time::timeout(Duration::from_millis(20), client.read_buf(&mut read)).await.is_err() {
        drops += 1;
        client.write_all(b"x").await.unwrap();
    }
    let answer = String::from_utf8_lossy(&read).into_owned() + &read_to_end(&mut client).await;
    assert!(answer.ends_with("the request body came too slowly") && drops > 3, "{answer} after {drops}");

    let mut client = connect(address, UPLOAD).await;
    // Longer than the grace, but fast enough.
    let mut read = Vec::new();
    for _ in 0..100 {
        client.write_all(&[b'x'; 1000]).await.unwrap();
        let _ = tokio::time::timeout(Duration::from_millis(5), client.read_buf(&mut read)).await;
    }
    while !read.ends_with(b"hello") {
        assert!(client.read_buf(&mut read).await.unwrap() > 0, "{}", String::from_utf8_lossy(&read));
    }
}

/// A body that is sent bit by bit.
struct Fed(mpsc::Receiver<&'static [u8]>);

impl Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|data| data.map(|data| Ok(Frame::data(Bytes::from_static(data)))))
    }
}

/// A stream of an upload, and its answer: its status, and its body, or `None` where the stream was reset.
fn upload(send: &SendRequest<Fed>) -> (mpsc::Sender<&'static [u8]>, tokio::task::JoinHandle<Option<Bytes>>) {
    let (feed, body) = mpsc::channel(1);
    let mut send = send.clone();
    let answer = tokio::spawn(async move {
        let request = Request::post("http://a/upload").body(Fed(body)).unwrap();
        let answer = send.send_request(request).await.ok()?;
        Some(answer.into_body().collect().await.ok()?.to_bytes())
    });
    (feed, answer)
}

#[tokio::test]
async fn of_two_streams_of_a_connection_the_one_that_drips_breaks_off_alone() {
    // A machine that stalls for a while stalls the fast one as well.
    let limits = ConnectionLimits { body_grace: Duration::from_secs(1), ..impatient() };
    let (_server, address, memory) = start(limits).await;
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (send, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let ((fast, fast_answer), (slow, slow_answer)) = (upload(&send), upload(&send));
    let mut rest = std::time::Instant::now() + Duration::from_secs(30);
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    // Both come well within the grace, each time; the fast one goes on for some windows longer than the slow one.
    while std::time::Instant::now() < rest {
        tick.tick().await;
        fast.send(&[b'x'; 1000]).await.unwrap();
        let _ = slow.try_send(b"x");
        if slow_answer.is_finished() {
            rest = rest.min(std::time::Instant::now() + Duration::from_millis(2500));
        }
    }
    assert!(slow_answer.is_finished(), "it hides behind the fast one");
    assert_eq!(slow_answer.await.unwrap().unwrap(), "the request body came too slowly");
    drop(fast);
    assert_eq!(fast_answer.await.unwrap().unwrap(), "hello");
    // And the connection serves on.
    let (feed, answer) = upload(&send);
    drop(feed);
    assert_eq!(answer.await.unwrap().unwrap(), "hello");
    assert!(!connection.is_finished() && memory.said().is_empty());
}
