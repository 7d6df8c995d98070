use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use seaworthy_core::backoff::Backoff;
use seaworthy_core::event::Nowhere;
use seaworthy_core::refusal::Reason;
use seaworthy_core::timeout::Parts;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::*;
use crate::client::{AnswerBody, AnswerBodyError, Cause, Failure, Transport};
use crate::retry::Attempts;

/// Sends the next of `answers` on each connection, the last one ever after, and keeps silent connections open.
async fn server(answers: &'static [&'static str]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let number = counted.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(answers[number].as_bytes()).await;
            if !answers[number].is_empty() {
                open.push(stream);
            }
        }
    });
    (url, count)
}

const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

fn stack() -> Stack {
    let quick = retry::Policy {
        backoff: Backoff { first: Duration::from_millis(1), ..Backoff::default() },
        ..retry::Policy::default()
    };
    Stack::new("test", Policy::default(), Arc::new(Nowhere)).retries(quick, BudgetPolicy::default(), 1024)
}

async fn get(stack: &Stack, url: &str) -> Response<AnswerBody> {
    let client: Client<Full<Bytes>> = stack.over(&Transport::builder()).unwrap();
    let Ok(answer) = client.oneshot(Request::get(url).body(Full::default()).unwrap()).await;
    answer
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again_and_the_answer_says_so() {
    let (url, connections) = server(&["", "", FINE]).await;
    let answer = get(&stack(), &url).await;
    assert_eq!((answer.status().as_u16(), answer.extensions().get()), (200, Some(&Attempts(3))));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn what_gives_no_answer_is_a_refusal_with_its_cause_and_opens_the_breaker() {
    let (url, connections) = server(&[""]).await;
    let mut policy = Policy::default();
    policy.failures.as_mut().unwrap().count = NonZeroU32::new(2).unwrap();
    let none = retry::Policy { retries: 0, ..retry::Policy::default() };
    let stack = Stack::new("test", policy, Arc::new(Nowhere)).retries(none, BudgetPolicy::default(), 0);
    for _ in 0..2 {
        let answer = get(&stack, &url).await;
        assert_eq!(answer.extensions().get(), Some(&Reason::UpstreamClosed));
        assert_eq!(answer.extensions().get().map(|Cause(error)| error.failure()), Some(Failure::Closed));
    }
    let refused = get(&stack, &url).await;
    assert_eq!((refused.status().as_u16(), refused.extensions().get()), (503, Some(&Reason::BreakerOpen)));
    assert_eq!(connections.load(Ordering::SeqCst), 2, "the third call was not made");
}

#[tokio::test]
async fn a_body_of_which_nothing_comes_any_more_breaks_off() {
    let (url, _) = server(&["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"]).await;
    let idle = Timeouts::new(Parts { idle: Some(Duration::from_millis(50)), ..Parts::default() }).unwrap();
    let answer = get(&stack().timeouts(idle), &url).await;
    assert_eq!(answer.status(), 200);
    let error = answer.into_body().collect().await.unwrap_err();
    assert!(matches!(error, AnswerBodyError::Idle(_)), "{error}");
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_given_up_and_so_is_the_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let parts =
        Parts { attempt: Some(Duration::from_millis(30)), total: Some(Duration::from_secs(20)), ..Parts::default() };
    let stack = stack().timeouts(Timeouts::new(parts).unwrap());
    let answer = get(&stack, &url).await;
    assert_eq!((answer.status().as_u16(), answer.extensions().get()), (504, Some(&Reason::UpstreamTimeout)));
    assert_eq!(answer.extensions().get(), Some(&Attempts(4)));
    assert_eq!(stack.breaker().snapshot().totals.failed, 4, "each attempt counts");
}

#[tokio::test]
async fn a_machine_that_says_nothing_is_overtaken_by_a_second_attempt_and_its_connection_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let silent = tokio::spawn(async move {
        let (mut silent, _) = listener.accept().await.unwrap();
        let (mut other, _) = listener.accept().await.unwrap();
        let _ = other.read(&mut [0; 4096]).await.unwrap();
        other.write_all(FINE.as_bytes()).await.unwrap();
        // What was asked, and then the end.
        let mut asked = Vec::new();
        silent.read_to_end(&mut asked).await.unwrap();
        asked
    });
    let after = hedge::After::Delay(Duration::from_millis(20));
    let stack = stack().hedge(hedge::Policy { after, ..hedge::Policy::default() });
    let answer = get(&stack, &url).await;
    assert_eq!((answer.status().as_u16(), answer.extensions().get()), (200, Some(&hedge::Hedged)));
    assert_eq!(stack.hedges().map(Hedge::counts), Some(hedge::Counts { begun: 1, won: 1, lost: 0, exhausted: 0 }));
    assert!(silent.await.unwrap().starts_with(b"GET / HTTP/1.1"));
    assert_eq!((stack.places().occupancy().running, stack.breaker().snapshot().totals.succeeded), (0, 1));
}
