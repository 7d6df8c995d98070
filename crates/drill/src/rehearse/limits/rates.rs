//! Too many requests: from one address, and at once.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::super::{Findings, Rehearsal, Touch};
use super::LIMIT;
use crate::client::{Answer, Exchange, Failure, Outcome, Request, Target, exchange, fetch};
use crate::context::Context;
use crate::finding::Finding;

pub(crate) const RATES: Rehearsal = Rehearsal {
    name: "too many",
    covers: &["limits.rate-429", "limits.retry-after", "limits.forwarded-for-not-spoofable", "limits.overload-sheds"],
    touch: Touch::Strain,
    run: |context| Box::pin(rates(context)),
};

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
