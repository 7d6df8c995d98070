//! Holds the rehearsals: as many at a time as the machine can bear, and reported in one order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::catalogue::{self, Level};
use crate::context::{Context, Trouble};
use crate::finding::Finding;
use crate::plan::{Plan, Subject};
use crate::progress::Progress;
use crate::rehearse::{ALL, Rehearsal, Touch};

/// No rehearsal takes longer than its waits; one that does is the drill's own fault, and reported as that.
const SLACK: Duration = Duration::from_secs(90);

/// Holds what the plan asks for. One finding a check, in the order of the catalogue.
pub(crate) async fn hold(context: Arc<Context>, progress: &Progress) -> Vec<Finding> {
    let chosen = ALL.iter().filter(|rehearsal| is_chosen(&context.plan, rehearsal)).copied();
    // What stops the only instance that there is comes when nothing else needs it any more.
    let stops = |rehearsal: &Rehearsal| {
        rehearsal.touch == Touch::Stop && matches!(context.plan.subject, Subject::Running { .. })
    };
    let (last, chosen): (Vec<_>, Vec<_>) = chosen.partition(stops);
    progress.expect(chosen.len() + last.len());
    let room = Arc::new(Semaphore::new(context.plan.parallel));
    let mut running = JoinSet::new();
    for rehearsal in chosen {
        let (context, room, progress) = (context.clone(), room.clone(), progress.clone());
        running.spawn(async move {
            let _permit = room.acquire().await;
            play(&context, rehearsal, &progress).await
        });
    }
    let mut findings = skipped(&context.plan);
    while let Some(found) = running.join_next().await {
        // One that broke off has no findings: each of its checks is reported as an error below.
        findings.extend(found.unwrap_or_default());
    }
    for rehearsal in last {
        findings.extend(play(&context, rehearsal, progress).await);
    }
    let plan = &context.plan;
    let mut seen = std::collections::HashSet::new();
    let mut ordered: Vec<Finding> = Vec::new();
    for check in catalogue::all().filter(|check| plan.selects(check)) {
        // A check that is skipped by name is reported as that, though its rehearsal was held for another.
        let own = findings.iter().find(|finding| finding.check.id == check.id);
        if let Some(finding) = own
            && seen.insert(check.id)
        {
            ordered.push(finding.clone());
        } else if own.is_none() && ALL.iter().any(|r| is_chosen(plan, r) && r.covers.contains(&check.id)) {
            ordered.push(Finding::error(check.id, "its rehearsal broke off"));
        }
    }
    ordered
}

/// One rehearsal, within its time.
async fn play(context: &Context, rehearsal: Rehearsal, progress: &Progress) -> Vec<Finding> {
    progress.begin(rehearsal.name);
    let limit = context.plan.start_timeout * 2 + context.plan.grace * 3 + SLACK;
    let begun = Instant::now();
    let found = match tokio::time::timeout(limit, (rehearsal.run)(context)).await {
        Ok(found) => found,
        Err(_) => Err(Trouble::Other(format!("the rehearsal did not end within {limit:.0?}"))),
    };
    let findings = complete(rehearsal.covers, found);
    progress.done(rehearsal.name, begun.elapsed(), &findings);
    findings
}

/// A finding for each check that the rehearsal covers, whatever happened.
fn complete(covers: &[&str], found: Result<Vec<Finding>, Trouble>) -> Vec<Finding> {
    match found {
        Ok(mut findings) => {
            for id in covers {
                if !findings.iter().any(|finding| finding.check.id == *id) {
                    findings.push(Finding::error(id, "the rehearsal ended without a verdict"));
                }
            }
            findings
        }
        Err(trouble) => covers.iter().map(|id| Finding::error(id, trouble.to_string())).collect(),
    }
}

fn skipped(plan: &Plan) -> Vec<Finding> {
    let checks = catalogue::all().filter(|check| plan.selects(check));
    let skipped = checks.filter_map(|check| Some(Finding::skipped(check.id, plan.skipped(check)?)));
    let control = |check: &&catalogue::Check| {
        ALL.iter().any(|r| r.covers.contains(&check.id) && !is_allowed(plan, r) && wanted(plan, r))
            && plan.skipped(check).is_none()
    };
    let refused = catalogue::all().filter(|check| plan.selects(check)).filter(control).map(|check| {
        let touch = ALL.iter().find(|r| r.covers.contains(&check.id)).map(|rehearsal| rehearsal.touch);
        Finding::skipped(
            check.id,
            match touch {
                Some(Touch::Strain) => "it could hurt a service that runs: say --destructive where that is allowed",
                Some(Touch::Stop) => "it stops the service: say --pid and --destructive where that is allowed",
                _ => "it needs fresh instances: give the command after --",
            },
        )
    });
    skipped.chain(refused).collect()
}

fn is_chosen(plan: &Plan, rehearsal: &Rehearsal) -> bool {
    wanted(plan, rehearsal) && is_allowed(plan, rehearsal)
}

/// Held when one of its checks is asked for, and not all of those are skipped. Without names the level decides; what
/// such a rehearsal shows of lower levels is reported as well, since it costs nothing.
fn wanted(plan: &Plan, rehearsal: &Rehearsal) -> bool {
    let checks = rehearsal.covers.iter().filter_map(|id| catalogue::find(id));
    let mut asked = checks.filter(|check| plan.selects(check) && plan.skipped(check).is_none());
    if plan.only.is_empty() {
        asked.any(|check| check.level <= plan.level.max(if rehearsal.cheap() { Level::May } else { Level::Must }))
    } else {
        asked.next().is_some()
    }
}

fn is_allowed(plan: &Plan, rehearsal: &Rehearsal) -> bool {
    match (&plan.subject, rehearsal.touch) {
        (Subject::Program(_), _) | (_, Touch::Ask) => true,
        (Subject::Running { destructive, .. }, Touch::Strain) => *destructive,
        (Subject::Running { destructive, pid, .. }, Touch::Stop) => *destructive && pid.is_some(),
        (Subject::Running { .. }, Touch::Control) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_of_the_catalogue_is_covered_by_exactly_one_rehearsal() {
        for check in catalogue::all() {
            let count = ALL.iter().filter(|rehearsal| rehearsal.covers.contains(&check.id)).count();
            assert_eq!(count, 1, "{}", check.id);
        }
        for id in ALL.iter().flat_map(|rehearsal| rehearsal.covers) {
            assert!(catalogue::find(id).is_some(), "{id} is covered and not in the catalogue");
        }
    }

    #[test]
    fn a_rehearsal_that_failed_gives_an_error_and_never_a_pass() {
        let covers = &["drain.exits-in-grace", "drain.no-orphans"];
        let findings = complete(covers, Err(Trouble::Other("no start".to_owned())));
        assert_eq!(findings.len(), 2);
        assert!(findings.iter().all(|finding| finding.verdict == crate::finding::Verdict::Error));
        let findings = complete(covers, Ok(vec![Finding::pass("drain.no-orphans", "none")]));
        assert_eq!(findings.iter().filter(|f| f.verdict == crate::finding::Verdict::Error).count(), 1);
    }
}
