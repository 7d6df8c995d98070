//! Bodies, paths and heads that are too large.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::super::{Findings, Rehearsal, Touch};
use super::LIMIT;
use crate::catalogue::Level;
use crate::client::{Connection, Ending, Failure, Request, Target, exchange, fetch};
use crate::context::Context;
use crate::finding::{Finding, Verdict};

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

/// Announces 10 GiB and sends a part of them.
async fn body(target: &Target, path: &str) -> Finding {
    const ID: &str = "limits.body-413";
    match upload(target, path, 10 * 1024 * MIB).await {
        Uploaded::Unreached(failure) => Finding::error(ID, failure.to_string()),
        Uploaded::Ended { sent } => {
            Finding::pass(ID, format!("the connection was ended after {} KiB of 10 GiB", sent / 1024))
        }
        Uploaded::Answered { sent, status } if (400..500).contains(&status) => {
            Finding::pass(ID, format!("answered {status} after {} KiB of 10 GiB", sent / 1024))
        }
        Uploaded::Answered { sent, status } => {
            Finding::fail(ID, format!("answered {status} after {} KiB of an upload of 10 GiB", sent / 1024))
        }
        // Some frameworks read a refused body to its end before they say so: then an end must be offered.
        Uploaded::Unanswered => match upload(target, path, SENT).await {
            Uploaded::Answered { status, .. } if (400..500).contains(&status) => {
                Finding::pass(ID, format!("answered {status} to 128 MiB, but only after reading them"))
            }
            Uploaded::Ended { sent } => {
                Finding::pass(ID, format!("the connection was ended after {} KiB", sent / 1024))
            }
            Uploaded::Answered { status, .. } => Finding::fail(
                ID,
                format!("answered {status} to an upload of 128 MiB, and goes on reading one of 10 GiB"),
            ),
            Uploaded::Unanswered => Finding::fail(ID, "took 128 MiB without an answer"),
            Uploaded::Unreached(failure) => Finding::error(ID, failure.to_string()),
        },
    }
}

/// Of an upload, at most so much is sent.
const SENT: usize = 128 * MIB;

/// What became of an upload.
enum Uploaded {
    Answered {
        sent: usize,
        status: u16,
    },
    Ended {
        sent: usize,
    },
    /// All was taken, and nothing said.
    Unanswered,
    Unreached(Failure),
}

async fn upload(target: &Target, path: &str, length: usize) -> Uploaded {
    let request = Request::new("POST", path).header("content-type", "application/octet-stream");
    let mut connection = match Connection::open(target, LIMIT).await {
        Ok(connection) => connection,
        Err(failure) => return Uploaded::Unreached(failure),
    };
    if let Err(failure) = connection.send(&request.head(target, Some(length)), LIMIT).await {
        return Uploaded::Unreached(failure);
    }
    let part = vec![b'x'; 256 * 1024];
    let mut sent = 0;
    while sent < length.min(SENT) {
        match connection.ending(Duration::from_millis(1)).await {
            Ending::Open => {}
            Ending::Data => break,
            Ending::Closed | Ending::Reset => return Uploaded::Ended { sent },
        }
        if connection.send(&part, LIMIT).await.is_err() {
            break;
        }
        sent += part.len();
    }
    match connection.answer(&request, Instant::now() + Duration::from_secs(3)).await {
        Ok(answer) => Uploaded::Answered { sent, status: answer.status },
        Err(Failure::Timeout { .. }) => Uploaded::Unanswered,
        Err(_) => Uploaded::Ended { sent },
    }
}

/// Sends all of a refused upload before it reads. What a busy machine leaves open is tried again.
async fn early_answer(target: &Target, path: &str) -> Finding {
    let mut finding = refused_upload(target, path).await;
    for _ in 0..2 {
        if finding.verdict == Verdict::NotProven {
            finding = refused_upload(target, path).await;
        }
    }
    finding
}

/// Who goes on reading for so long after an answer lingers.
const LINGERS: Duration = Duration::from_millis(250);

async fn refused_upload(target: &Target, path: &str) -> Finding {
    const ID: &str = "limits.early-answer-readable";
    let request = Request::new("POST", path).header("content-type", "application/octet-stream");
    let mut connection = match Connection::open(target, LIMIT).await {
        Ok(connection) => connection,
        Err(failure) => return Finding::error(ID, failure.to_string()),
    };
    let length = 4 * MIB;
    let mut cut = connection.send(&request.head(target, Some(length)), LIMIT).await.err();
    let part = vec![b'x'; 64 * 1024];
    // The last moment at which nothing had been answered, and what was sent after that.
    let (mut unanswered, mut sent, mut sent_after) = (Instant::now(), 0, 0);
    let mut answered = false;
    while sent < length && cut.is_none() {
        // A client on a real line is slower than loopback: the refusal comes while it is still sending.
        let looked = Instant::now();
        if answered {
            sleep(Duration::from_millis(5)).await;
        } else {
            answered = connection.ending(Duration::from_millis(5)).await != Ending::Open;
        }
        if !answered {
            unanswered = looked;
        }
        cut = connection.send(&part, Duration::from_secs(3)).await.err();
        sent += part.len();
        sent_after += if answered { part.len() } else { 0 };
    }
    let lingered = unanswered.elapsed();
    match (connection.answer(&request, Instant::now() + LIMIT).await, cut) {
        (Ok(answer), cut) if (400..500).contains(&answer.status) => {
            let status = answer.status;
            match cut {
                None => Finding::pass(ID, format!("{status} could be read after 4 MiB had been sent")),
                // Here the answer is kept in spite of the reset; other systems throw it away, and many clients report their
                // own failure to send instead of reading on.
                Some(cut) if lingered < LINGERS => {
                    let seen = format!(
                        "answered {status}, and reset {:.0} ms later, while it was sent to: {cut}",
                        lingered.as_secs_f64() * 1000.0
                    );
                    Finding::fail(ID, seen).at(Level::May)
                }
                Some(_) if sent_after >= 8 * part.len() => {
                    let seen =
                        format!("{status} could be read; it went on reading for {:.1} s", lingered.as_secs_f64());
                    Finding::pass(ID, seen)
                }
                Some(_) => {
                    Finding::not_proven(ID, "this machine was too busy to see how long it reads after its answer")
                }
            }
        }
        (Ok(answer), _) => Finding::not_applicable(ID, format!("4 MiB are not refused (answered {})", answer.status)),
        (Err(Failure::Timeout { .. }), _) => Finding::not_proven(ID, "no answer, and no end, to an upload of 4 MiB"),
        (Err(failure), _) => {
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
