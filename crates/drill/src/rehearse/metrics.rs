//! The metrics page: valid, telling, bounded, and right.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{Findings, Rehearsal, Touch};
use crate::client::{Request, Target, fetch};
use crate::context::{Context, Trouble};
use crate::exposition::{self, Exposition, Sample};
use crate::finding::{Finding, Verdict};

const COVERS: &[&str] =
    &["metrics.exposition-valid", "metrics.red-present", "metrics.series-bounded", "metrics.counts-agree"];

pub(crate) const PAGE: Rehearsal =
    Rehearsal { name: "metrics", covers: COVERS, touch: Touch::Strain, run: |context| Box::pin(page(context)) };

pub(crate) const IN_DRAIN: Rehearsal = Rehearsal {
    name: "metrics in the drain",
    covers: &["metrics.last-scrape-in-drain"],
    touch: Touch::Control,
    run: |context| Box::pin(in_drain(context)),
};

const LIMIT: Duration = Duration::from_secs(10);
/// Who has not counted an answer by then does not count it.
const COUNTS: Duration = Duration::from_secs(3);

const SENT: u32 = 200;
const RANDOM: usize = 150;

/// Of 150 random paths; a few are new routes, statuses and methods.
const NEW_SERIES: usize = 20;

async fn scrape(target: &Target, path: &str) -> Result<(Exposition, String), Trouble> {
    let answer = fetch(target, &Request::get(path), LIMIT).await;
    let answer = answer.map_err(|failure| Trouble::Other(format!("GET {path}: {failure}")))?;
    if !answer.is_success() {
        return Err(Trouble::Other(format!("GET {path} answered {}", answer.status)));
    }
    let kind = answer.header("content-type").unwrap_or_default().to_owned();
    Ok((exposition::parse(&answer.text()), kind))
}

async fn page(context: &Context) -> Findings {
    let Some(path) = &context.survey.metrics else {
        let none =
            |id: &&str| Finding::not_applicable(id, "no metrics page among the known paths: declare it with --metrics");
        return Ok(COVERS.iter().map(none).collect());
    };
    let place = context.place().await?;
    let target = &place.target;
    let safe = Request::get(&context.survey.safe);
    for _ in 0..10 {
        let _ = fetch(target, &safe, LIMIT).await;
    }
    let (before, kind) = scrape(target, path).await?;
    let mut answered = 0;
    for _ in 0..SENT {
        answered += u32::from(fetch(target, &safe, LIMIT).await.is_ok());
    }
    // Some servers count after the answer has been sent; one without a processor later than others.
    let counted = Instant::now() + COUNTS;
    let after = loop {
        sleep(Duration::from_millis(300)).await;
        let (after, _) = scrape(target, path).await?;
        if agree(&before, &after, answered).verdict != Verdict::Fail || Instant::now() >= counted {
            break after;
        }
    };
    for _ in 0..RANDOM {
        let _ = fetch(target, &Request::get(&format!("/drill-{:016x}", fastrand::u64(..))), LIMIT).await;
    }
    for method in ["BREW", "DRILL", "FETCH"] {
        let _ = fetch(target, &Request::new(method, &context.survey.safe), LIMIT).await;
    }
    sleep(Duration::from_millis(300)).await;
    let (flooded, _) = scrape(target, path).await?;
    Ok(vec![valid(&flooded, &kind), red(&after), bounded(&after, &flooded), agree(&before, &after, answered)])
}

fn valid(page: &Exposition, kind: &str) -> Finding {
    const ID: &str = "metrics.exposition-valid";
    let mut problems = page.problems.clone();
    if !kind.starts_with("text/plain") && !kind.starts_with("application/openmetrics-text") {
        problems.push(format!("Content-Type is {kind:?}"));
    }
    if page.samples.is_empty() {
        problems.push("there is no sample".to_owned());
    }
    if problems.is_empty() {
        return Finding::pass(ID, format!("{} samples of {} families", page.samples.len(), page.types.len()));
    }
    Finding::fail(ID, format!("{} problems", problems.len())).with(problems)
}

fn is_requests(sample: &Sample) -> bool {
    let name = sample.name.to_ascii_lowercase();
    let status = sample.labels.keys().any(|label| {
        ["status", "code", "status_code", "http_status"].contains(&label.as_str()) || label.ends_with("status_code")
    });
    name.contains("request") && (name.ends_with("_total") || name.ends_with("_count")) && status
}

fn red(page: &Exposition) -> Finding {
    const ID: &str = "metrics.red-present";
    let counter = page.samples.iter().find(|sample| is_requests(sample));
    let duration = page.samples.iter().find(|sample| {
        let name = sample.name.to_ascii_lowercase();
        ["duration", "latency", "seconds", "time"].iter().any(|word| name.contains(word))
            && name.contains("request")
            && (name.ends_with("_bucket") || sample.labels.contains_key("quantile"))
    });
    match (counter, duration) {
        (Some(counter), Some(duration)) => Finding::pass(ID, format!("{} and {}", counter.name, duration.name)),
        (None, Some(_)) => Finding::fail(ID, "no counter of requests with a status"),
        (Some(_), None) => Finding::fail(ID, "no histogram or summary of the duration of requests"),
        (None, None) => {
            Finding::fail(ID, "neither a counter of requests with a status nor a histogram of their duration")
        }
    }
}

fn bounded(before: &Exposition, after: &Exposition) -> Finding {
    const ID: &str = "metrics.series-bounded";
    let new = after.samples.len().saturating_sub(before.samples.len());
    // A histogram has a dozen series for each set of labels; sets are what clients can make.
    let sets = |page: &Exposition| {
        let own = page.samples.iter().map(|sample| {
            let mut labels = sample.labels.clone();
            labels.remove("le");
            labels.remove("quantile");
            format!("{labels:?}")
        });
        own.collect::<std::collections::HashSet<_>>()
    };
    let made: Vec<String> = sets(after).difference(&sets(before)).cloned().collect();
    let seen = format!("{RANDOM} random paths made {} new sets of labels ({new} series)", made.len());
    if made.len() > NEW_SERIES {
        return Finding::fail(ID, seen).with(made.into_iter().take(3));
    }
    Finding::pass(ID, seen)
}

fn agree(before: &Exposition, after: &Exposition, sent: u32) -> Finding {
    const ID: &str = "metrics.counts-agree";
    let sums = |page: &Exposition| {
        let mut sums = std::collections::BTreeMap::<String, f64>::new();
        for sample in page.samples.iter().filter(|sample| is_requests(sample)) {
            *sums.entry(sample.name.clone()).or_default() += sample.value;
        }
        sums
    };
    let (before, after) = (sums(before), sums(after));
    let grown: Vec<(String, f64)> = after
        .into_iter()
        .map(|(name, value)| (name.clone(), value - before.get(&name).copied().unwrap_or(0.0)))
        .collect();
    if grown.is_empty() {
        return Finding::not_applicable(ID, "there is no counter of requests with a status");
    }
    // The scrapes themselves may be counted, and probes of others.
    let fits = |growth: f64| growth >= f64::from(sent) && growth <= f64::from(sent + 5);
    let shown: Vec<String> = grown.iter().map(|(name, growth)| format!("{name} grew by {growth}")).collect();
    if grown.iter().any(|(_, growth)| fits(*growth)) {
        return Finding::pass(ID, format!("{sent} requests were answered; {}", shown.join(", ")));
    }
    Finding::fail(ID, format!("{sent} requests were answered, but the counters say otherwise")).with(shown)
}

async fn in_drain(context: &Context) -> Findings {
    const ID: &str = "metrics.last-scrape-in-drain";
    let Some(path) = &context.survey.metrics else {
        return Ok(vec![Finding::not_applicable(
            ID,
            "no metrics page among the known paths: declare it with --metrics",
        )]);
    };
    let stage = context.fresh().await?;
    scrape(&stage.target, path).await?;
    let signal = stage.instance.signal(context.plan.stop_signal);
    let lag = context.plan.lag.max(Duration::from_secs(1));
    let (mut good, mut bad) = (0, Vec::new());
    while signal.elapsed() < lag {
        match scrape(&stage.target, path).await {
            Ok(_) => good += 1,
            Err(trouble) => bad.push(format!(
                "{} after the signal: {trouble}",
                crate::client::exchange::offset(Instant::now(), signal)
            )),
        }
        sleep(Duration::from_millis(100)).await;
    }
    stage.instance.kill().await;
    if bad.is_empty() {
        return Ok(vec![Finding::pass(ID, format!("{good} scrapes within {lag:.0?} of the signal"))]);
    }
    Ok(vec![
        Finding::fail(
            ID,
            format!("{} of {} scrapes within {lag:.0?} of the signal failed", bad.len(), bad.len() + good),
        )
        .with(bad),
    ])
}
