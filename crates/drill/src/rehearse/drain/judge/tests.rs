use std::time::{Duration, Instant};

use super::*;
use crate::client::{Failure, Request};
use crate::finding::Verdict;
use crate::program::Exit;

/// Milliseconds from the signal.
struct Clock(Instant);

impl Clock {
    fn at(&self, millis: i64) -> Instant {
        let offset = Duration::from_millis(millis.unsigned_abs());
        if millis < 0 { self.0.checked_sub(offset).expect("the machine is older") } else { self.0 + offset }
    }

    fn exchange(&self, begun: i64, ended: i64, outcome: Outcome, kept: bool, status: Option<u16>) -> Exchange {
        Exchange {
            name: Request::get("/").to_string(),
            begun: self.at(begun),
            ended: self.at(ended),
            outcome,
            kept,
            status,
            told_to_close: false,
            failure: (outcome != Outcome::Ok).then_some(Failure::Refused),
        }
    }

    fn ok(&self, begun: i64, ended: i64) -> Exchange {
        self.exchange(begun, ended, Outcome::Ok, false, Some(200))
    }

    fn lost(&self, begun: i64, ended: i64, outcome: Outcome) -> Exchange {
        self.exchange(begun, ended, outcome, false, None)
    }
}

/// A drain as it should be: served for the lag, slow requests answered, exit 0.
fn clean(clock: &Clock) -> Facts {
    let probe = |from, to, status| clock.exchange(from, to, Outcome::Ok, false, Some(status));
    Facts {
        signal: clock.0,
        stopped: clock.at(2000),
        late: Duration::ZERO,
        exit: Some(Exit { code: Some(0), signal: None, at: clock.at(2500) }),
        grace: Duration::from_secs(10),
        lag: Duration::from_secs(2),
        new: vec![clock.ok(-500, -490), clock.ok(100, 110), clock.ok(1900, 1910)],
        kept: vec![clock.exchange(-400, -390, Outcome::Ok, true, Some(200))],
        slow: vec![clock.ok(-200, 900)],
        slow_takes: Duration::from_millis(1100),
        uploads: vec![clock.ok(-900, 1100)],
        ready: Some(vec![probe(-100, -99, 200), probe(10, 12, 503)]),
        live: Some(vec![probe(-100, -99, 200), probe(500, 502, 200)]),
        partings: vec![Parting::Told],
        orphans: Vec::new(),
        unclear: Vec::new(),
        tail: Vec::new(),
    }
}

fn verdict(facts: &Facts, id: &str) -> Verdict {
    judge(facts).into_iter().find(|finding| finding.check.id == id).expect("each check is judged").verdict
}

#[test]
fn a_clean_drain_passes_everything() {
    let clock = Clock(Instant::now());
    for finding in judge(&clean(&clock)) {
        assert_eq!(finding.verdict, Verdict::Pass, "{finding:?}");
    }
}

#[test]
fn on_a_machine_that_is_late_only_what_was_lost_in_time_is_a_loss() {
    let clock = Clock(Instant::now());
    let mut facts = clean(&clock);
    facts.new.push(clock.lost(2100, 2600, Outcome::CutBeforeBytes));
    facts.uploads.push(clock.lost(-900, 4600, Outcome::CutBeforeBytes));
    facts.slow.push(clock.lost(-200, 4600, Outcome::CutBeforeBytes));
    let ids = ["drain.new-connections-served-during-lag", "drain.upload-completes", "drain.inflight-completes"];
    assert!(ids.iter().all(|id| verdict(&facts, id) == Verdict::Fail), "nobody was late");
    facts.late = Duration::from_millis(700);
    facts.ready = Some(vec![clock.ok(-100, -99), clock.lost(2600, 2601, Outcome::Refused)]);
    assert_eq!(verdict(&facts, "drain.ready-fails-first"), Verdict::NotProven, "nobody asked in time");
    assert!(ids.iter().all(|id| verdict(&facts, id) == Verdict::NotProven));
    facts.new.push(clock.lost(900, 2600, Outcome::CutBeforeBytes));
    assert_eq!(verdict(&facts, ids[0]), Verdict::Fail, "it had a second to be answered in");
    facts.new.pop();
    // A service that has no time closes later, and never earlier.
    facts.new.push(clock.lost(300, 301, Outcome::Refused));
    facts.uploads.push(clock.lost(-900, 400, Outcome::CutBeforeBytes));
    facts.slow.push(clock.lost(-200, 400, Outcome::CutBeforeBytes));
    assert!(ids.iter().all(|id| verdict(&facts, id) == Verdict::Fail));
}

#[test]
fn a_kept_connection_that_crossed_with_a_close_is_no_loss() {
    let clock = Clock(Instant::now());
    let mut facts = clean(&clock);
    facts.kept.push(clock.exchange(1500, 1501, Outcome::IdleRace, true, None));
    assert_eq!(verdict(&facts, "drain.inflight-completes"), Verdict::Pass);
    assert_eq!(verdict(&facts, "drain.new-connections-served-during-lag"), Verdict::Pass);
}

#[test]
fn a_connection_that_is_refused_within_the_lag_is_a_loss() {
    let clock = Clock(Instant::now());
    let mut facts = clean(&clock);
    facts.new.push(clock.lost(1999, 2000, Outcome::Refused));
    assert_eq!(verdict(&facts, "drain.new-connections-served-during-lag"), Verdict::Fail);
}

#[test]
fn a_service_that_failed_before_the_signal_is_not_judged_by_its_drain() {
    let clock = Clock(Instant::now());
    let mut facts = clean(&clock);
    facts.new.push(clock.lost(-300, -299, Outcome::ServerError(500)));
    facts.new.push(clock.lost(300, 301, Outcome::ServerError(500)));
    assert_eq!(verdict(&facts, "drain.new-connections-served-during-lag"), Verdict::NotProven);
}

#[test]
fn a_slow_request_that_was_cut_is_a_loss_and_none_at_all_proves_nothing() {
    let clock = Clock(Instant::now());
    let mut facts = clean(&clock);
    facts.slow.push(clock.lost(-200, 300, Outcome::CutBeforeBytes));
    assert_eq!(verdict(&facts, "drain.inflight-completes"), Verdict::Fail);
    facts.slow.clear();
    assert_eq!(verdict(&facts, "drain.inflight-completes"), Verdict::NotProven);
}

#[test]
fn readiness_that_says_no_only_after_the_first_refusal_fails() {
    let clock = Clock(Instant::now());
    let mut facts = clean(&clock);
    facts.new.push(clock.lost(5, 6, Outcome::Refused));
    assert_eq!(verdict(&facts, "drain.ready-fails-first"), Verdict::Fail);
}

#[test]
fn readiness_that_only_stops_answering_never_said_no() {
    let clock = Clock(Instant::now());
    let mut facts = clean(&clock);
    facts.ready = Some(vec![clock.ok(-100, -99), clock.lost(10, 11, Outcome::Refused)]);
    assert_eq!(verdict(&facts, "drain.ready-fails-first"), Verdict::Fail);
}

#[test]
fn a_refused_liveness_probe_after_the_listener_closed_is_no_failure_of_liveness() {
    let clock = Clock(Instant::now());
    let mut facts = clean(&clock);
    facts.live.as_mut().expect("asked").push(clock.lost(2400, 2401, Outcome::Refused));
    assert_eq!(verdict(&facts, "drain.live-holds"), Verdict::Pass);
}

#[test]
fn a_jvm_that_exits_by_143_is_only_noted_and_a_kill_by_the_signal_is_not() {
    let clock = Clock(Instant::now());
    let mut facts = clean(&clock);
    let level = |facts: &Facts| {
        let finding =
            judge(facts).into_iter().find(|finding| finding.check.id == "drain.exit-code-zero").expect("judged");
        assert_eq!(finding.verdict, Verdict::Fail);
        finding.level
    };
    facts.exit = Some(Exit { code: Some(143), signal: None, at: clock.at(2500) });
    assert_eq!(level(&facts), Level::May);
    facts.exit = Some(Exit { code: None, signal: Some(15), at: clock.at(5) });
    assert_eq!(level(&facts), Level::Should);
}

#[test]
fn a_pre_stop_as_long_as_the_lag_leaves_nothing_to_serve_after_the_signal() {
    let clock = Clock(Instant::now());
    let mut facts = clean(&clock);
    facts.lag = Duration::ZERO;
    facts.new.push(clock.lost(1, 2, Outcome::Refused));
    assert_eq!(verdict(&facts, "drain.new-connections-served-during-lag"), Verdict::NotApplicable);
}
