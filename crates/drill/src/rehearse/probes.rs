//! Probes of a service at rest: they answer, stay here, and keep secrets.

use std::time::{Duration, Instant};

use super::{Findings, Rehearsal, Touch};
use crate::client::http2::Http2;
use crate::client::{Outcome, Request, Target, exchange, fetch};
use crate::context::{Context, Place};
use crate::finding::Finding;
use crate::secrets;

pub(crate) const AT_REST: Rehearsal = Rehearsal {
    name: "probes at rest",
    covers: &[
        "probes.live-answers",
        "probes.no-cross-host-redirect",
        "probes.probe-hides-secrets",
        "probes.grpc-health",
    ],
    touch: Touch::Ask,
    run: |context| Box::pin(at_rest(context)),
};

/// timeoutSeconds of a kubelet.
const TIMEOUT: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(5);

async fn at_rest(context: &Context) -> Findings {
    let place = context.place().await?;
    let target = &place.target;
    Ok(vec![
        live_answers(context, &place).await,
        redirects(context, target).await,
        hides_secrets(context, target).await,
        grpc(context, target).await,
    ])
}

async fn live_answers(context: &Context, place: &Place) -> Finding {
    const ID: &str = "probes.live-answers";
    let Some(probe) = &context.survey.live else {
        return Finding::not_proven(ID, "no liveness path among the known names: declare it with --live");
    };
    let since = Instant::now();
    let (mut slowest, mut in_time, mut bad, mut late) = (Duration::ZERO, 0_usize, Vec::new(), Vec::new());
    for _ in 0..10 {
        let asked = exchange(&place.target, &Request::get(&probe.path), LIMIT).await;
        slowest = slowest.max(asked.took());
        in_time += usize::from(asked.took() <= TIMEOUT);
        let yes = asked.status.is_some_and(|status| (200..300).contains(&status));
        let kept = context.slack(since) + place.kept_waiting(&asked);
        if asked.took().saturating_sub(kept) > TIMEOUT {
            late.push(asked.evidence(since));
        } else if !yes && asked.outcome != Outcome::Timeout {
            bad.push(asked.evidence(since));
        }
    }
    // One late answer restarts nothing; another answer than yes is never right at rest.
    if late.len() > 1 {
        bad.append(&mut late);
    }
    if bad.is_empty() {
        return Finding::pass(
            ID,
            format!("GET {} answered 2xx {in_time} times of 10 in time, the slowest in {slowest:.1?}", probe.path),
        );
    }
    Finding::fail(ID, format!("{} of 10 answers were late or not 2xx", bad.len())).with(bad)
}

/// The probe paths that were found or declared.
fn paths(context: &Context) -> Vec<String> {
    let probes = [&context.survey.live, &context.survey.ready].into_iter().flatten();
    let mut paths: Vec<String> = probes.map(|probe| probe.path.clone()).collect();
    paths.dedup();
    paths
}

async fn redirects(context: &Context, target: &Target) -> Finding {
    const ID: &str = "probes.no-cross-host-redirect";
    let paths = paths(context);
    if paths.is_empty() {
        return Finding::not_applicable(ID, "no probe path was found: declare it with --live or --ready");
    }
    // As a kubelet asks: by address, without the name of the site.
    let bare = Target { host: target.address.to_string(), ..target.clone() };
    let (mut away, mut unanswered) = (Vec::new(), Vec::new());
    for path in &paths {
        match fetch(&bare, &Request::get(path), LIMIT).await {
            Ok(answer) if (300..400).contains(&answer.status) => {
                let to = answer.header("location").unwrap_or_default();
                if leads_away(to, bare.scheme(), &bare.host) {
                    away.push(format!("GET {path} answers {} to {to}", answer.status));
                }
            }
            Ok(_) => {}
            Err(failure) => unanswered.push(format!("GET {path}: {failure}")),
        }
    }
    if !away.is_empty() {
        return Finding::fail(ID, "a probe is redirected to another host or scheme").with(away);
    }
    if !unanswered.is_empty() {
        return Finding::error(ID, "a probe path gave no answer").with(unanswered);
    }
    Finding::pass(ID, format!("{} are answered here", paths.join(" and ")))
}

fn leads_away(location: &str, scheme: &str, host: &str) -> bool {
    match location.split_once("://") {
        Some((own, rest)) if own == scheme => rest.split('/').next() != Some(host),
        Some(_) => true,
        None => location.starts_with("//") && location.trim_start_matches('/').split('/').next() != Some(host),
    }
}

async fn hides_secrets(context: &Context, target: &Target) -> Finding {
    const ID: &str = "probes.probe-hides-secrets";
    let paths = paths(context);
    if paths.is_empty() {
        return Finding::not_applicable(ID, "no probe path was found: declare it with --live or --ready");
    }
    let (mut seen, mut read) = (Vec::new(), 0);
    for path in paths.iter().flat_map(|path| [path.clone(), format!("{path}?verbose")]) {
        let Ok(answer) = fetch(target, &Request::get(&path), LIMIT).await else { continue };
        read += 1;
        let headers = answer.headers.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("\n");
        let text = format!("{}\n{headers}", answer.text());
        seen.extend(secrets::in_text(&text, &context.plan).into_iter().map(|what| format!("GET {path} shows {what}")));
        seen.extend(secrets::stack_trace(&text).map(|language| format!("GET {path} shows a {language} stack trace")));
    }
    if read == 0 {
        return Finding::error(ID, "no probe gave an answer to read");
    }
    if seen.is_empty() {
        return Finding::pass(ID, format!("{read} answers were read"));
    }
    Finding::fail(ID, "probe answers show what they must not").with(seen)
}

async fn grpc(context: &Context, target: &Target) -> Finding {
    const ID: &str = "probes.grpc-health";
    if !context.plan.grpc {
        return Finding::not_applicable(ID, "no `grpc = true` was declared");
    }
    let status = async {
        let mut http2 = Http2::open(target, LIMIT).await?;
        http2.grpc(target, "/grpc.health.v1.Health/Check", LIMIT).await
    };
    match status.await {
        // HealthCheckResponse { status: SERVING } is field 1, varint 1.
        Ok(message) if message == [8, 1] => Finding::pass(ID, "Health/Check answers SERVING"),
        Ok(message) => Finding::fail(ID, format!("Health/Check answers {message:?}, not SERVING")),
        Err(failure) => Finding::fail(ID, format!("Health/Check: {failure}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_away_by_host_or_by_scheme() {
        for away in ["https://127.0.0.1:80/livez", "http://login.example/", "//other/livez"] {
            assert!(leads_away(away, "http", "127.0.0.1:80"), "{away}");
        }
        for here in ["/livez/", "http://127.0.0.1:80/livez/", "livez"] {
            assert!(!leads_away(here, "http", "127.0.0.1:80"), "{here}");
        }
    }
}
