//! Bodies, paths and heads that are too large.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::super::{Findings, Rehearsal, Touch};
use super::LIMIT;
use crate::client::{Connection, Ending, Failure, Request, Target, exchange, fetch};
use crate::context::Context;
use crate::finding::Finding;

pub(crate) const SIZES: Rehearsal = Rehearsal {
    name: "too large",
    covers: &["limits.body-413", "limits.early-answer-readable", "limits.uri-414", "limits.headers-431"],
    touch: Touch::Strain,
    run: |context| Box::pin(sizes(context)),
};

const MIB: usize = 1024 * 1024;

async fn sizes(context: &Context) -> Findings {
    let place = context.place().await?;
    let target = &place.target;
    let (body, early) = if let Some(path) = &context.survey.upload {
        (body(target, path).await, early_answer(target, path).await)
    } else {
        let why = "no path takes an upload: name a POST that reads its body with --upload-path";
        (Finding::not_proven("limits.body-413", why), Finding::not_proven("limits.early-answer-readable", why))
    };
    let safe = &context.survey.safe;
    let uri = Request::get(&format!("/drill-{}", "x".repeat(64 * 1024)));
    let head = Request::get(safe).header("x-drill", &"x".repeat(MIB));
    Ok(vec![
        body,
        early,
        oversized("limits.uri-414", target, safe, &uri).await,
        oversized("limits.headers-431", target, safe, &head).await,
    ])
}

/// Announces 10 GiB and sends 32 MiB of them at most.
async fn body(target: &Target, path: &str) -> Finding {
    const ID: &str = "limits.body-413";
    let request = Request::new("POST", path).header("content-type", "application/octet-stream");
    let mut connection = match Connection::open(target, LIMIT).await {
        Ok(connection) => connection,
        Err(failure) => return Finding::error(ID, failure.to_string()),
    };
    if let Err(failure) = connection.send(&request.head(target, Some(10 * 1024 * MIB)), LIMIT).await {
        return Finding::error(ID, failure.to_string());
    }
    let part = vec![b'x'; 64 * 1024];
    let mut sent = 0;
    while sent < 32 * MIB {
        match connection.ending(Duration::from_millis(1)).await {
            Ending::Open => {}
            Ending::Data => break,
            Ending::Closed | Ending::Reset => {
                return Finding::pass(ID, format!("the connection was ended after {} KiB of 10 GiB", sent / 1024));
            }
        }
        if connection.send(&part, LIMIT).await.is_err() {
            break;
        }
        sent += part.len();
    }
    let kib = sent / 1024;
    match connection.answer(&request, Instant::now() + Duration::from_secs(3)).await {
        Ok(answer) if (400..500).contains(&answer.status) => {
            Finding::pass(ID, format!("answered {} after {kib} KiB of 10 GiB", answer.status))
        }
        Ok(answer) => Finding::fail(ID, format!("answered {} after {kib} KiB of an upload of 10 GiB", answer.status)),
        Err(Failure::Timeout { .. }) => {
            Finding::fail(ID, format!("took {kib} KiB of an upload of 10 GiB and waited for more"))
        }
        Err(_) => Finding::pass(ID, format!("the connection was ended after {kib} KiB of 10 GiB")),
    }
}

/// Sends all of a refused upload before it reads.
async fn early_answer(target: &Target, path: &str) -> Finding {
    const ID: &str = "limits.early-answer-readable";
    let request = Request::new("POST", path).header("content-type", "application/octet-stream");
    let mut connection = match Connection::open(target, LIMIT).await {
        Ok(connection) => connection,
        Err(failure) => return Finding::error(ID, failure.to_string()),
    };
    let length = 4 * MIB;
    let mut sent = connection.send(&request.head(target, Some(length)), LIMIT).await;
    let part = vec![b'x'; 64 * 1024];
    for _ in 0..length / part.len() {
        if sent.is_err() {
            break;
        }
        sent = connection.send(&part, Duration::from_secs(3)).await;
        // A client on a real line is slower than loopback: the refusal comes while it is still sending.
        sleep(Duration::from_millis(5)).await;
    }
    match connection.answer(&request, Instant::now() + LIMIT).await {
        Ok(answer) if (400..500).contains(&answer.status) => {
            Finding::pass(ID, format!("{} could be read after 4 MiB had been sent", answer.status))
        }
        Ok(answer) => Finding::not_applicable(ID, format!("4 MiB are not refused (answered {})", answer.status)),
        Err(Failure::Timeout { .. }) => Finding::not_proven(ID, "no answer, and no end, to an upload of 4 MiB"),
        Err(failure) => {
            Finding::fail(ID, format!("an upload of 4 MiB was refused, but the answer could not be read: {failure}"))
        }
    }
}

/// Something far too long: refused in good order, and the service is well afterwards.
async fn oversized(id: &str, target: &Target, safe: &str, request: &Request) -> Finding {
    let answer = fetch(target, request, LIMIT).await;
    let after = exchange(target, &Request::get(safe), LIMIT).await;
    if after.outcome.is_loss() {
        return Finding::fail(id, format!("afterwards GET {safe} fails: {}", after.evidence(after.begun)));
    }
    match answer {
        Ok(answer) if (400..500).contains(&answer.status) => Finding::pass(id, format!("answered {}", answer.status)),
        Ok(answer) if answer.status == 501 || answer.status == 505 => {
            Finding::pass(id, format!("answered {}", answer.status))
        }
        Ok(answer) => Finding::fail(id, format!("answered {}", answer.status)),
        Err(Failure::Timeout { limit, .. }) => Finding::fail(id, format!("no answer within {limit:.0?}")),
        Err(failure) => Finding::pass(id, format!("ended without an answer: {failure}")),
    }
}
