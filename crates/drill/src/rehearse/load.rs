//! Liveness while the service is busy.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Findings, Rehearsal, Touch};
use crate::client::{Exchange, Request, exchange};
use crate::context::Context;
use crate::finding::Finding;
use crate::program::proc;
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

/// Where somebody waits for a processor for more than this share of the time, lateness may be the machine's own.
const CROWDED: f64 = 0.92;

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
    let (since, waited) = (Instant::now(), proc::waited_for_processor());
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
    let finding = judge(&probed, TIMEOUT + context.slack(since), &load);
    if let (true, Some(before), Some(after)) = (finding.is_broken(), waited, proc::waited_for_processor()) {
        let share = after.saturating_sub(before).as_secs_f64() / since.elapsed().as_secs_f64();
        if share > CROWDED {
            let seen = format!(
                "the processors of this machine were waited for {:.0}% of the time: no second can be judged",
                share * 100.0
            );
            return Ok(vec![Finding::not_proven(ID, seen)]);
        }
    }
    Ok(vec![finding])
}

fn judge(probed: &[Exchange], timeout: Duration, load: &str) -> Finding {
    const ID: &str = "probes.live-under-load";
    let good =
        |probe: &Exchange| probe.status.is_some_and(|status| (200..300).contains(&status)) && probe.took() <= timeout;
    let slowest = probed.iter().map(Exchange::took).max().unwrap_or_default().as_secs_f64();
    if probed.windows(IN_A_ROW).any(|row| row.iter().all(|probe| !good(probe))) {
        let zero = probed.first().map_or_else(Instant::now, |first| first.begun);
        let bad = probed.iter().filter(|probe| !good(probe));
        let seen = format!("liveness failed {IN_A_ROW} times in a row, a second apart ({load}): it would be restarted");
        return Finding::fail(ID, seen).with(bad.map(|probe| probe.evidence(zero)));
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
