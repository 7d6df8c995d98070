//! Request ids, and what the program writes while requests run.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Findings, Rehearsal, Touch};
use crate::catalogue::Level;
use crate::client::{Request, Target, fetch};
use crate::context::{Context, Stage};
use crate::finding::Finding;
use crate::program::log::{Line, Stream};

pub(crate) const IDS: Rehearsal = Rehearsal {
    name: "request ids",
    covers: &["logs.request-id-made", "logs.request-id-echoed", "logs.request-id-validated"],
    touch: Touch::Ask,
    run: |context| Box::pin(ids(context)),
};

pub(crate) const LINES: Rehearsal = Rehearsal {
    name: "log lines",
    covers: &[
        "logs.traceparent-continued",
        "logs.json-on-stdout",
        "logs.one-line-a-request",
        "logs.secret-not-logged",
        "logs.no-forged-line",
    ],
    touch: Touch::Control,
    run: |context| Box::pin(lines(context)),
};

pub(crate) const BLOCKED: Rehearsal = Rehearsal {
    name: "stalled log pipe",
    covers: &["logs.blocked-stdout-does-not-stop-it"],
    touch: Touch::Control,
    run: |context| Box::pin(blocked(context)),
};

const LIMIT: Duration = Duration::from_secs(10);
const NAMES: [&str; 4] = ["x-request-id", "request-id", "x-correlation-id", "x-amzn-requestid"];

async fn id_of(target: &Target, request: &Request) -> Result<Option<(&'static str, String)>, crate::client::Failure> {
    let answer = fetch(target, request, LIMIT).await?;
    Ok(NAMES.iter().find_map(|name| Some((*name, answer.header(name)?.to_owned()))))
}

async fn ids(context: &Context) -> Findings {
    let place = context.place().await?;
    let target = &place.target;
    let request = Request::get(&context.survey.safe);
    let trouble = |failure| crate::context::Trouble::Other(format!("GET {}: {failure}", context.survey.safe));
    let mut made = Vec::new();
    for _ in 0..3 {
        made.extend(id_of(target, &request).await.map_err(trouble)?);
    }
    let mut distinct: Vec<&String> = made.iter().map(|(_, id)| id).collect();
    distinct.sort();
    distinct.dedup();
    let finding = match made.first() {
        None => Finding::fail("logs.request-id-made", format!("none of {} on the answers", NAMES.join(", "))),
        Some((name, _)) if distinct.len() == 3 => {
            Finding::pass("logs.request-id-made", format!("three answers, three different {name}"))
        }
        Some((name, _)) => {
            Finding::fail("logs.request-id-made", format!("three answers, {} different {name}", distinct.len()))
        }
    };
    let name = made.first().map_or(NAMES[0], |(name, _)| *name);
    let mine = format!("drill-{:016x}", fastrand::u64(..));
    let echo = id_of(target, &request.clone().header(name, &mine)).await.map_err(trouble)?;
    let echoed = match echo {
        Some((_, id)) if id == mine => Finding::pass("logs.request-id-echoed", format!("{name} came back")),
        Some(_) => Finding::fail("logs.request-id-echoed", format!("a well-formed {name} was replaced")),
        None => Finding::fail("logs.request-id-echoed", format!("{name} did not come back")),
    };
    let bad = format!("\"><script>drill</script>'{}", "x".repeat(570));
    let kept = id_of(target, &request.header(name, &bad)).await;
    let validated = match kept {
        Ok(Some((_, id))) if id == bad => {
            Finding::fail("logs.request-id-validated", format!("600 bytes with markup came back as {name}"))
        }
        Ok(_) => {
            Finding::pass("logs.request-id-validated", format!("600 bytes with markup did not come back as {name}"))
        }
        Err(failure) => Finding::pass("logs.request-id-validated", format!("the request was refused: {failure}")),
    };
    Ok(vec![finding, echoed, validated])
}

/// What was written since `before`, once nothing more comes.
async fn settled(stage: &Stage, before: usize) -> Vec<Line> {
    let deadline = Instant::now() + Duration::from_secs(3);
    let mut total = stage.instance.log.total();
    loop {
        sleep(Duration::from_millis(300)).await;
        let now = stage.instance.log.total();
        if now == total || Instant::now() > deadline {
            return stage.instance.log.lines_after(before);
        }
        total = now;
    }
}

async fn lines(context: &Context) -> Findings {
    let stage = context.fresh().await?;
    let target = &stage.target;
    let path = &context.survey.safe;
    let query = if path.contains('?') { '&' } else { '?' };
    let mark = format!("{:016x}", fastrand::u64(..));
    let trace = format!("{:032x}", fastrand::u128(1..));
    // What was written while it started is not about requests.
    let before = settled(&stage, 0).await.len();
    let mut answered = 0;
    let mut continued = false;
    for turn in 0..10 {
        let request = Request::get(&format!("{path}{query}drill={mark}-{turn}-"))
            .header("user-agent", &format!("drill-{mark}-{turn}-"))
            .header("traceparent", &format!("00-{trace}-{:016x}-01", fastrand::u64(1..)));
        if let Ok(answer) = fetch(target, &request, LIMIT).await {
            answered += 1;
            continued |= answer.headers.iter().any(|(_, value)| value.contains(&trace));
        }
    }
    if answered == 0 {
        return Err(crate::context::Trouble::Other(format!("GET {path} gave no answer")));
    }
    let plain = settled(&stage, before).await;
    let marked = |turn: usize| plain.iter().filter(|line| line.text.contains(&format!("{mark}-{turn}-"))).count();
    let per_request: Vec<usize> = (0..10).map(marked).collect();
    let secret = secrets(&stage, context, &mark).await;
    let forged = forged(&stage, path, &mark).await;
    Ok(vec![
        traceparent(continued, plain.iter().any(|line| line.text.contains(&trace))),
        json(&plain),
        one_line(&per_request),
        secret,
        forged,
    ])
}

fn traceparent(answered: bool, logged: bool) -> Finding {
    const ID: &str = "logs.traceparent-continued";
    match (answered, logged) {
        (true, _) => Finding::pass(ID, "the trace id is on the answer"),
        (_, true) => Finding::pass(ID, "the trace id is in the log"),
        _ => Finding::not_proven(
            ID,
            "the trace id is neither on answers nor in the log; whether it is passed on cannot be seen from here",
        ),
    }
}

fn json(lines: &[Line]) -> Finding {
    const ID: &str = "logs.json-on-stdout";
    let stdout: Vec<&Line> =
        lines.iter().filter(|line| line.stream == Stream::Stdout && !line.text.is_empty()).collect();
    let other = lines.len() - stdout.len();
    if stdout.is_empty() {
        let seen = format!("nothing on stdout during requests ({other} lines on stderr)");
        return Finding::not_applicable(ID, seen);
    }
    let is_object = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.is_object());
    let bad: Vec<String> =
        stdout.iter().filter(|line| !is_object(&line.text)).map(|line| shortened(&line.text)).collect();
    if bad.is_empty() {
        return Finding::pass(ID, format!("{} lines, each a JSON object", stdout.len()));
    }
    Finding::fail(ID, format!("{} of {} lines on stdout are no JSON objects", bad.len(), stdout.len()))
        .with(bad.into_iter().take(3))
}

fn one_line(per_request: &[usize]) -> Finding {
    const ID: &str = "logs.one-line-a-request";
    let (least, most) =
        (per_request.iter().min().copied().unwrap_or(0), per_request.iter().max().copied().unwrap_or(0));
    match (least, most) {
        (_, 0) => Finding::not_applicable(ID, "no line names a request by its query or its user agent"),
        (1, 1) => Finding::pass(ID, "ten requests, one line for each"),
        _ => Finding::fail(ID, format!("ten requests left {least} to {most} lines each")),
    }
}

async fn secrets(stage: &Stage, context: &Context, mark: &str) -> Finding {
    const ID: &str = "logs.secret-not-logged";
    let target = &stage.target;
    let path = &context.survey.safe;
    let query = if path.contains('?') { '&' } else { '?' };
    let secret = |place: &str| format!("s3cret-{place}-{mark}");
    let before = stage.instance.log.total();
    let get = Request::get(path)
        .header("authorization", &format!("Bearer {}", secret("authorization")))
        .header("cookie", &format!("session={}", secret("cookie")))
        .header("x-api-key", &secret("key"));
    let in_query = Request::get(&format!("{path}{query}token={0}&password={0}", secret("query")));
    let body = format!("{{\"user\":\"drill\",\"password\":\"{}\"}}", secret("body"));
    let mut answered = 0;
    for upload in [Some(path), context.survey.upload.as_ref()].into_iter().flatten() {
        let post = Request::post(upload, "application/json", body.clone());
        answered += usize::from(fetch(target, &post, LIMIT).await.is_ok());
    }
    for request in [get, in_query] {
        answered += usize::from(fetch(target, &request, LIMIT).await.is_ok());
    }
    if answered == 0 {
        return Finding::error(ID, "no request with a secret was answered");
    }
    let written = settled(stage, before).await;
    let shown: Vec<&str> = ["authorization", "cookie", "key", "body", "query"]
        .into_iter()
        .filter(|place| written.iter().any(|line| line.text.contains(&secret(place))))
        .collect();
    let places = |places: &[&str]| {
        places.iter().map(|place| format!("the secret of the {place} was written")).collect::<Vec<_>>()
    };
    match shown.as_slice() {
        [] => Finding::pass(
            ID,
            format!("{answered} requests with secrets, {} lines written, none with one", written.len()),
        ),
        ["query"] => Finding::fail(ID, "the query with its token and password was written").at(Level::Should),
        shown => Finding::fail(ID, format!("secrets of {} places were written", shown.len())).with(places(shown)),
    }
}

async fn forged(stage: &Stage, path: &str, mark: &str) -> Finding {
    const ID: &str = "logs.no-forged-line";
    let target = &stage.target;
    let forged = format!("{{\"level\":\"error\",\"message\":\"forged-{mark}\"}}");
    let escaped = forged.bytes().fold(String::new(), |escaped, byte| format!("{escaped}%{byte:02X}"));
    let before = stage.instance.log.total();
    let mut answered = 0;
    for path in [
        format!("/drill%0D%0A{escaped}"),
        format!("{path}?drill=%0A{escaped}"),
        format!("/drill%E2%80%A8%0A{escaped}%0A"),
    ] {
        let request = Request::get(&path)
            .header("user-agent", &format!("drill\\n{forged}"))
            .header("referer", &format!("http://x/%0A{escaped}"));
        answered += usize::from(fetch(target, &request, LIMIT).await.is_ok());
    }
    if answered == 0 {
        return Finding::error(ID, "no request with a line break was answered");
    }
    let written = settled(stage, before).await;
    // A line that begins with what was sent was made by the request; within a line it was only quoted.
    let made = written.iter().filter(|line| line.text.trim_start().starts_with(&forged));
    let made: Vec<String> = made.map(|line| shortened(&line.text)).collect();
    if made.is_empty() {
        return Finding::pass(ID, format!("{answered} attempts, {} lines written, none forged", written.len()));
    }
    Finding::fail(ID, format!("{} lines were written by requests", made.len())).with(made.into_iter().take(3))
}

/// Far more than a pipe (64 KiB) and our own reader hold.
const FULL: usize = 400 * 1024;

/// Requests that the size of a line is measured by.
const MEASURED: usize = 20;

async fn blocked(context: &Context) -> Findings {
    const ID: &str = "logs.blocked-stdout-does-not-stop-it";
    let stage = context.fresh().await?;
    let request = Request::get(&context.survey.safe);
    let before = settled(&stage, 0).await.len();
    for _ in 0..MEASURED {
        let _ = fetch(&stage.target, &request, LIMIT).await;
    }
    let bytes: usize = settled(&stage, before).await.iter().map(|line| line.text.len() + 1).sum();
    let each = bytes / MEASURED;
    if each < 20 {
        return Ok(vec![Finding::not_applicable(
            ID,
            format!("it writes {each} bytes for a request: a pipe does not fill"),
        )]);
    }
    stage.instance.log.pause();
    let needed = FULL / each;
    let mut senders = JoinSet::new();
    for _ in 0..8 {
        let (target, request) = (stage.target.clone(), request.clone());
        senders.spawn(async move {
            let mut sent = 0;
            // The first that is not answered in time is the sign.
            while sent < needed / 8 && fetch(&target, &request, Duration::from_secs(3)).await.is_ok() {
                sent += 1;
            }
            sent
        });
    }
    let sent: usize = senders.join_all().await.iter().sum();
    let after = fetch(&stage.target, &request, Duration::from_secs(5)).await;
    stage.instance.log.resume();
    let kib = sent * each / 1024;
    Ok(vec![match after {
        Ok(_) => Finding::pass(ID, format!("with nobody reading {kib} KiB of log it still answers")),
        Err(failure) => {
            let seen =
                format!("with nobody reading its log it stopped after {sent} requests (about {kib} KiB): {failure}");
            Finding::fail(ID, seen)
        }
    }])
}

fn shortened(text: &str) -> String {
    text.chars().take(160).collect()
}
