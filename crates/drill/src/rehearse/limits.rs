//! What is too much, too slow or ambiguous.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Findings, Rehearsal, Touch};
use crate::client::{Answer, Connection, Ending, Exchange, Failure, Outcome, Request, Target, exchange, fetch};
use crate::context::Context;
use crate::finding::Finding;

pub(crate) const SIZES: Rehearsal = Rehearsal {
    name: "too large",
    covers: &["limits.body-413", "limits.early-answer-readable", "limits.uri-414", "limits.headers-431"],
    touch: Touch::Strain,
    run: |context| Box::pin(sizes(context)),
};

pub(crate) const RATES: Rehearsal = Rehearsal {
    name: "too many",
    covers: &["limits.rate-429", "limits.retry-after", "limits.forwarded-for-not-spoofable", "limits.overload-sheds"],
    touch: Touch::Strain,
    run: |context| Box::pin(rates(context)),
};

pub(crate) const SLOW: Rehearsal = Rehearsal {
    name: "too slow",
    covers: &["limits.slowloris-cut"],
    touch: Touch::Strain,
    run: |context| Box::pin(slow(context)),
};

pub(crate) const STRANGE: Rehearsal = Rehearsal {
    name: "strange requests",
    covers: &["limits.method-405", "limits.type-415", "limits.ambiguous-length-safe"],
    touch: Touch::Strain,
    run: |context| Box::pin(strange(context)),
};

const LIMIT: Duration = Duration::from_secs(10);
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

async fn rates(context: &Context) -> Findings {
    const IDS: [&str; 3] = ["limits.rate-429", "limits.retry-after", "limits.forwarded-for-not-spoofable"];
    let place = context.place().await?;
    let target = &place.target;
    let request = Request::get(&context.survey.safe);
    let flood = flood(target, &request, 400).await;
    let refused: Vec<&Answer> = flood.iter().flatten().filter(|answer| answer.status == 429).collect();
    let mut findings = Vec::new();
    if flood.iter().all(Result::is_err) {
        findings.extend(IDS.map(|id| Finding::error(id, "no request of the flood was answered")));
    } else if refused.is_empty() {
        findings.extend(IDS.map(|id| Finding::not_applicable(id, "no limit was met in 400 requests")));
    } else {
        findings
            .push(Finding::pass(IDS[0], format!("{} of {} requests were answered 429", refused.len(), flood.len())));
        findings.push(retry_after(&refused));
        findings.push(spoof(target, &request).await);
    }
    findings.push(overload(context, target).await);
    Ok(findings)
}

async fn flood(target: &Target, request: &Request, count: usize) -> Vec<Result<Answer, Failure>> {
    let mut senders = JoinSet::new();
    for _ in 0..8 {
        let (target, request) = (target.clone(), request.clone());
        senders.spawn(async move {
            let mut answers = Vec::new();
            for _ in 0..count / 8 {
                answers.push(fetch(&target, &request, LIMIT).await);
            }
            answers
        });
    }
    senders.join_all().await.into_iter().flatten().collect()
}

fn retry_after(refused: &[&Answer]) -> Finding {
    const ID: &str = "limits.retry-after";
    let told = |answer: &&&Answer| {
        let value = answer.header("retry-after").unwrap_or_default().trim();
        // Seconds, or a date.
        value.parse::<u32>().is_ok() || value.ends_with("GMT")
    };
    let good = refused.iter().filter(told).count();
    let all = refused.len();
    if good == all {
        return Finding::pass(ID, format!("all {all} answers of 429 have Retry-After"));
    }
    Finding::fail(ID, format!("{} of {all} answers of 429 have no Retry-After of seconds or a date", all - good))
}

/// While the limit holds for us, tries other names.
async fn spoof(target: &Target, request: &Request) -> Finding {
    const ID: &str = "limits.forwarded-for-not-spoofable";
    for header in ["x-forwarded-for", "x-real-ip", "forwarded", "cf-connecting-ip", "true-client-ip"] {
        let (mut passed, mut held) = (0, 0);
        for number in 1..=20 {
            let address = format!("198.51.100.{number}");
            let value = if header == "forwarded" { format!("for={address}") } else { address };
            // First as ourselves: the limit must be on, or a pass means nothing.
            let own = fetch(target, request, LIMIT).await;
            if !own.is_ok_and(|answer| answer.status == 429) {
                continue;
            }
            held += 1;
            let other = fetch(target, &request.clone().header(header, &value), LIMIT).await;
            passed += usize::from(other.is_ok_and(|answer| answer.status < 400));
        }
        // A window may end between two requests, once or twice.
        if held >= 5 && passed * 2 > held {
            return Finding::fail(
                ID,
                format!("limited, {passed} of {held} requests passed with another {header} each"),
            );
        }
        if held == 0 {
            flood(target, request, 200).await;
        }
    }
    Finding::pass(ID, "other addresses in X-Forwarded-For and its like did not pass the limit")
}

async fn overload(context: &Context, target: &Target) -> Finding {
    const ID: &str = "limits.overload-sheds";
    const AT_ONCE: usize = 200;
    let Some(slow) = &context.survey.slow else {
        return Finding::not_proven(ID, "nothing slow is known: name a GET that takes 1 to 5 s with --slow-path");
    };
    let since = Instant::now();
    let mut asked = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (target, request) = (target.clone(), Request::get(&slow.path));
        asked.spawn(async move { exchange(&target, &request, Duration::from_secs(15)).await });
    }
    let asked: Vec<Exchange> = asked.join_all().await;
    let shed = asked.iter().filter(|asked| asked.status.is_some_and(|status| status == 503 || status == 429)).count();
    let bad: Vec<_> = asked.iter().filter(|asked| asked.status.is_none() || asked.status == Some(500)).collect();
    let after = exchange(target, &Request::get(&context.survey.safe), LIMIT).await;
    let seen = format!(
        "{AT_ONCE} slow requests at once: {} answered, {shed} shed, {} lost",
        AT_ONCE - shed - bad.len(),
        bad.len()
    );
    if !bad.is_empty() {
        return Finding::fail(ID, seen).with(bad.iter().take(3).map(|asked| asked.evidence(since)));
    }
    // A rate limit that still holds is no illness.
    if after.outcome != Outcome::Ok {
        return Finding::fail(ID, format!("{seen}; afterwards {}", after.evidence(since)));
    }
    Finding::pass(ID, seen)
}

async fn slow(context: &Context) -> Findings {
    const ID: &str = "limits.slowloris-cut";
    const PATIENCE: Duration = Duration::from_secs(65);
    let place = context.place().await?;
    let mut connection = match Connection::open(&place.target, LIMIT).await {
        Ok(connection) => connection,
        Err(failure) => return Ok(vec![Finding::error(ID, failure.to_string())]),
    };
    let head = format!("GET {} HTTP/1.1\r\nHost: {}\r\nX-Slow: ", context.survey.safe, place.target.host);
    let begun = Instant::now();
    let mut sent = connection.send(head.as_bytes(), LIMIT).await;
    while sent.is_ok() && begun.elapsed() < PATIENCE {
        if connection.ending(Duration::from_millis(500)).await != Ending::Open {
            break;
        }
        sent = connection.send(b"x", LIMIT).await;
    }
    let after = begun.elapsed();
    Ok(vec![if after < PATIENCE {
        Finding::pass(ID, format!("a head that does not end was cut after {:.0} s", after.as_secs_f64()))
    } else {
        Finding::fail(ID, format!("a head sent byte by byte was still waited for after {PATIENCE:.0?}"))
    }])
}

async fn strange(context: &Context) -> Findings {
    let place = context.place().await?;
    let target = &place.target;
    Ok(vec![
        method(target, &context.survey.safe).await,
        kind(context, target).await,
        ambiguous(target, &context.survey.safe).await,
    ])
}

async fn method(target: &Target, safe: &str) -> Finding {
    const ID: &str = "limits.method-405";
    match fetch(target, &Request::new("BREW", safe), LIMIT).await {
        Ok(answer) if answer.status < 400 => Finding::fail(ID, format!("BREW {safe} succeeded: {}", answer.status)),
        Ok(answer) if answer.status >= 500 && answer.status != 501 => {
            Finding::fail(ID, format!("BREW {safe} was answered {}", answer.status))
        }
        Ok(answer) => Finding::pass(ID, format!("BREW {safe} was answered {}", answer.status)),
        Err(Failure::Timeout { limit, .. }) => Finding::fail(ID, format!("BREW {safe}: no answer within {limit:.0?}")),
        Err(failure) => Finding::pass(ID, format!("BREW {safe} was refused: {failure}")),
    }
}

async fn kind(context: &Context, target: &Target) -> Finding {
    const ID: &str = "limits.type-415";
    let Some(path) = &context.plan.paths.json else {
        return Finding::not_applicable(ID, "no --json-path was declared");
    };
    match fetch(target, &Request::post(path, "text/plain", "{\"drill\":1}"), LIMIT).await {
        Ok(answer) if (400..500).contains(&answer.status) => {
            Finding::pass(ID, format!("text/plain was answered {}", answer.status))
        }
        Ok(answer) => Finding::fail(ID, format!("text/plain was answered {}", answer.status)),
        Err(failure) => Finding::error(ID, failure.to_string()),
    }
}

/// GETs, so that a handler that looks at no body would answer them with success.
async fn ambiguous(target: &Target, safe: &str) -> Finding {
    const ID: &str = "limits.ambiguous-length-safe";
    let forms = [
        ("two Content-Lengths", "Content-Length: 4\r\nContent-Length: 7\r\n\r\nabcdefg"),
        ("a signed Content-Length", "Content-Length: +4\r\n\r\nabcd"),
        ("a space before the colon", "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        ("chunked that is not last", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ];
    let (mut taken, mut told) = (Vec::new(), Vec::new());
    for (name, rest) in forms {
        let bytes = format!("GET {safe} HTTP/1.1\r\nHost: {}\r\n{rest}", target.host);
        let answer = async {
            let mut connection = Connection::open(target, LIMIT).await?;
            connection.send(bytes.as_bytes(), LIMIT).await?;
            connection.answer(&Request::get(safe), Instant::now() + Duration::from_secs(5)).await
        };
        match answer.await {
            Ok(answer) if answer.status < 400 => taken.push(format!("{name}: answered {}", answer.status)),
            Ok(answer) => told.push(format!("{name}: {}", answer.status)),
            Err(Failure::Refused | Failure::Unreachable(_)) => {
                return Finding::error(ID, "the service was not reached");
            }
            // Ended or left waiting: not taken.
            Err(_) => told.push(format!("{name}: no answer")),
        }
    }
    if taken.is_empty() {
        return Finding::pass(ID, told.join("; "));
    }
    Finding::fail(ID, "a request whose length can be read in two ways was accepted").with(taken)
}
