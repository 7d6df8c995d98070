//! Liveness while the service is busy.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Findings, Rehearsal, Touch};
use crate::client::{Exchange, Outcome, Request, exchange};
use crate::context::Context;
use crate::finding::Finding;
use crate::traffic::{Kind, Traffic};

pub(crate) const REHEARSAL: Rehearsal = Rehearsal {
    name: "liveness under load",
    covers: &["probes.live-under-load"],
    touch: Touch::Strain,
    run: |context| Box::pin(run(context)),
};

/// timeoutSeconds, periodSeconds (the shortest) and failureThreshold of a kubelet.
const TIMEOUT: Duration = Duration::from_secs(1);
const PERIOD: Duration = Duration::from_secs(1);
const IN_A_ROW: usize = 3;

const PROBES: usize = 6;
const QUICK_EVERY: Duration = Duration::from_millis(25);
const SLOW_AT_ONCE: usize = 8;

async fn run(context: &Context) -> Findings {
    const ID: &str = "probes.live-under-load";
    let Some(probe) = &context.survey.live else {
        return Ok(vec![Finding::not_proven(ID, "no liveness path among the known names: declare it with --live")]);
    };
    let place = context.place().await?;
    let mut traffic = Traffic::new(&place.target, Duration::from_secs(30));
    traffic.open_connections(&context.survey.safe, QUICK_EVERY);
    traffic.keep_connections(&context.survey.safe, SLOW_AT_ONCE, QUICK_EVERY);
    let since = Instant::now();
    let mut slow = JoinSet::new();
    if let Some(path) = context.survey.slow.as_ref().map(|slow| slow.path.clone()) {
        let until = since + PERIOD * u32::try_from(PROBES).unwrap_or(6);
        for _ in 0..SLOW_AT_ONCE {
            let (target, request) = (place.target.clone(), Request::get(&path));
            slow.spawn(async move {
                while Instant::now() < until {
                    exchange(&target, &request, Duration::from_secs(30)).await;
                }
            });
        }
    }
    sleep(Duration::from_millis(300)).await;
    let mut asking = JoinSet::new();
    for _ in 0..PROBES {
        let (target, request) = (place.target.clone(), Request::get(&probe.path));
        asking.spawn(async move { exchange(&target, &request, Duration::from_secs(5)).await });
        sleep(PERIOD).await;
    }
    let mut probed: Vec<Exchange> = asking.join_all().await;
    probed.sort_by_key(|exchange| exchange.begun);
    traffic.stop();
    slow.abort_all();
    let quick = traffic.journal.of(&[Kind::New, Kind::Kept]).len();
    let slow_path = context
        .survey
        .slow
        .as_ref()
        .map_or("no slow path known".to_owned(), |slow| format!("{SLOW_AT_ONCE} at once on {}", slow.path));
    let load = format!("{quick} quick requests in {:.0} s, {slow_path}", since.elapsed().as_secs_f64());
    let probed: Vec<(Exchange, Duration)> = probed
        .into_iter()
        .map(|probe| {
            let waited = place.kept_waiting(&probe);
            (probe, waited)
        })
        .collect();
    Ok(vec![judge(&probed, context.slack(since), &load)])
}

/// `probed` has, beside each probe, for how long others kept the service from the processors meanwhile; `slack` is how late the
/// drill itself was. Neither says anything about the service.
fn judge(probed: &[(Exchange, Duration)], slack: Duration, load: &str) -> Finding {
    const ID: &str = "probes.live-under-load";
    let answered = |probe: &Exchange| probe.status.is_some_and(|status| (200..300).contains(&status));
    let took = |probe: &Exchange| probe.took().saturating_sub(slack);
    let good = |(probe, _): &(Exchange, Duration)| answered(probe) && took(probe) <= TIMEOUT;
    // No answer at all may come later than anybody waited; another answer than yes is no matter of time.
    let excused = |(probe, waited): &(Exchange, Duration)| {
        let by_time = answered(probe) || probe.outcome == Outcome::Timeout;
        by_time && took(probe).saturating_sub(*waited) <= TIMEOUT
    };
    let slowest = probed.iter().map(|(probe, _)| probe.took()).max().unwrap_or_default().as_secs_f64();
    let zero = probed.first().map_or_else(Instant::now, |(first, _)| first.begun);
    let evidence = || probed.iter().filter(|probe| !good(probe)).map(|(probe, _)| probe.evidence(zero));
    if probed.windows(IN_A_ROW).any(|row| row.iter().all(|probe| !good(probe) && !excused(probe))) {
        let seen = format!("liveness failed {IN_A_ROW} times in a row, a second apart ({load}): it would be restarted");
        return Finding::fail(ID, seen).with(evidence());
    }
    if probed.windows(IN_A_ROW).any(|row| row.iter().all(|probe| !good(probe))) {
        let waited = probed.iter().map(|(_, waited)| *waited).max().unwrap_or_default().as_secs_f64();
        let seen = format!(
            "liveness was late {IN_A_ROW} times in a row ({load}), but others kept the service from the processors for {waited:.1} s of a probe: try it on a machine with less to do, or with --parallel 1"
        );
        return Finding::not_proven(ID, seen).with(evidence());
    }
    let late = probed.iter().filter(|probe| !good(probe)).count();
    if late == probed.len() {
        return Finding::error(ID, "liveness was not reached");
    }
    Finding::pass(
        ID,
        format!("{} of {} probes in time, the slowest in {slowest:.2} s ({load})", probed.len() - late, probed.len()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Failure;
    use crate::finding::Verdict;

    const SECOND: Duration = Duration::from_secs(1);

    /// A probe that took so long, was answered or not, and was kept waiting for so long.
    fn probe(took: f64, status: Option<u16>, waited: f64) -> (Exchange, Duration) {
        let begun = Instant::now();
        let ended = begun + Duration::from_secs_f64(took);
        let late = Failure::Timeout { limit: SECOND * 5, got: 0 };
        let exchange = Exchange {
            name: "GET /livez".to_owned(),
            begun,
            ended,
            outcome: if status.is_some() { Outcome::Ok } else { Outcome::Timeout },
            kept: false,
            status,
            told_to_close: false,
            failure: status.is_none().then_some(late),
        };
        (exchange, Duration::from_secs_f64(waited))
    }

    fn verdict(probe: &(Exchange, Duration)) -> Verdict {
        judge(&vec![probe.clone(); 6], Duration::ZERO, "some load").verdict
    }

    #[test]
    fn a_service_that_is_late_by_itself_fails_and_one_that_others_kept_waiting_is_not_proven() {
        assert_eq!(verdict(&probe(0.2, Some(200), 0.0)), Verdict::Pass);
        assert_eq!(verdict(&probe(3.0, Some(200), 0.1)), Verdict::Fail);
        assert_eq!(verdict(&probe(3.0, Some(200), 2.5)), Verdict::NotProven);
        assert_eq!(verdict(&probe(5.0, None, 0.3)), Verdict::Fail);
        assert_eq!(verdict(&probe(5.0, None, 4.5)), Verdict::NotProven);
        assert_eq!(verdict(&probe(0.2, Some(503), 9.0)), Verdict::Fail, "what says no is not late");
    }

    #[test]
    fn two_late_probes_restart_nothing() {
        let late = probe(3.0, Some(200), 0.0);
        let good = probe(0.1, Some(200), 0.0);
        let probed = [good.clone(), late.clone(), late.clone(), good.clone(), late, good];
        assert_eq!(judge(&probed, Duration::ZERO, "some load").verdict, Verdict::Pass);
    }
}
