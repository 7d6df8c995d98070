use super::*;

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn daily() -> Schedule {
    Schedule::cron("0 3 * * *", "UTC").unwrap()
}

fn pulse() -> Pulse {
    Pulse::new(at("2026-03-01T12:00:00Z"))
}

fn trouble(pulse: &Pulse, now: &str) -> Option<Trouble> {
    pulse.trouble(&daily(), 10 * MINUTE, None, at(now))
}

#[test]
fn a_job_is_late_when_its_time_and_its_grace_have_passed() {
    let mut pulse = pulse();
    assert_eq!(trouble(&pulse, "2026-03-02T03:10:00Z"), None);
    let late = Trouble::Late { ago: 15 * HOUR + 11 * MINUTE, due: at("2026-03-02T03:00:00Z"), ever: false };
    assert_eq!(trouble(&pulse, "2026-03-02T03:11:00Z"), Some(late));
    pulse.take(Signal::Success { took: None }, at("2026-03-02T03:12:00Z"));
    assert_eq!(trouble(&pulse, "2026-03-03T03:09:00Z"), None);
    assert!(matches!(trouble(&pulse, "2026-03-03T03:11:00Z"), Some(Trouble::Late { ever: true, .. })));
}

#[test]
fn a_success_a_little_early_stands_for_none_that_is_still_due() {
    let mut pulse = pulse();
    pulse.take(Signal::Success { took: None }, at("2026-03-02T02:59:59Z"));
    assert!(trouble(&pulse, "2026-03-02T03:11:00Z").is_some());
}

#[test]
fn a_job_that_runs_is_not_late_and_its_time_is_measured() {
    let mut pulse = pulse();
    pulse.take(Signal::Start, at("2026-03-02T03:00:05Z"));
    assert_eq!(trouble(&pulse, "2026-03-02T05:00:00Z"), None);
    let limited = pulse.trouble(&daily(), MINUTE, Some(HOUR), at("2026-03-02T05:00:05Z"));
    assert_eq!(limited, Some(Trouble::TooLong { ago: 2 * HOUR }));
    assert!(matches!(trouble(&pulse, "2026-03-03T03:11:00Z"), Some(Trouble::TooLong { .. })), "the next one is due");
    pulse.take(Signal::Success { took: None }, at("2026-03-02T04:00:05Z"));
    assert_eq!((pulse.took, pulse.started), (Some(HOUR), None));
    pulse.take(Signal::Success { took: Some(MINUTE) }, at("2026-03-02T04:00:06Z"));
    assert_eq!(pulse.took, Some(MINUTE), "it knows better");
}

#[test]
fn a_failure_stands_until_a_success_and_not_until_the_next_start() {
    let mut pulse = pulse();
    pulse.take(Signal::Failure { code: Some(3) }, at("2026-03-02T03:00:00Z"));
    pulse.take(Signal::Start, at("2026-03-02T03:30:00Z"));
    let failed = Trouble::Failed { ago: HOUR, code: Some(3) };
    assert_eq!(trouble(&pulse, "2026-03-02T04:00:00Z"), Some(failed));
    pulse.take(Signal::Success { took: None }, at("2026-03-02T04:00:00Z"));
    assert_eq!(trouble(&pulse, "2026-03-02T04:00:01Z"), None);
}

#[test]
fn a_schedule_follows_the_clocks_of_its_zone() {
    let berlin = Schedule::cron("30 2 * * *", "Europe/Berlin").unwrap();
    assert_eq!(berlin.after(at("2026-01-10T00:00:00Z")), Some(at("2026-01-10T01:30:00Z")), "an hour ahead in winter");
    assert_eq!(berlin.after(at("2026-07-10T00:00:00Z")), Some(at("2026-07-10T00:30:00Z")), "two in summer");
    let spring = berlin.after(at("2026-03-28T02:00:00Z")).unwrap();
    assert!(
        spring < at("2026-03-29T02:00:00Z"),
        "half past two does not exist that night, and the job is due: {spring}"
    );
    let every = Schedule::Every(HOUR);
    assert_eq!(every.after(at("2026-01-10T00:00:00Z")), Some(at("2026-01-10T01:00:00Z")));
}

#[test]
fn what_is_no_schedule_is_refused_with_what_to_write() {
    let refused = |text: &str, zone: &str| Schedule::cron(text, zone).unwrap_err().to_string();
    for text in ["", "often", "* * * *", "61 * * * *", "* * * * * *"] {
        assert!(refused(text, "UTC").contains("as in \"0 3 * * MON-FRI\""), "{text}: {}", refused(text, "UTC"));
    }
    assert_eq!(refused("0 3 31 2 *", "UTC"), "is never due: no such day exists");
    assert!(refused("0 3 * * *", "Europe/Berln").contains("\"Europe/Berln\", which is unknown"));
}

#[test]
fn a_clock_that_was_set_back_makes_no_time_negative() {
    let mut pulse = pulse();
    pulse.take(Signal::Start, at("2026-03-02T03:00:00Z"));
    pulse.take(Signal::Success { took: None }, at("2026-03-02T02:00:00Z"));
    assert_eq!(pulse.took, Some(Duration::ZERO));
}

#[tokio::test]
async fn what_was_known_before_a_restart_is_known_when_its_check_is_there() {
    let heartbeats = Heartbeats::default();
    let known = Pulse { last: Some(at("2026-03-02T03:00:00Z")), ..pulse() };
    heartbeats.restore([("backup".to_owned(), known)].into());
    assert!(!heartbeats.take("backup", Signal::Start), "nobody waits for it");
    heartbeats.expect("backup");
    assert_eq!(heartbeats.pulse("backup"), Some(known));
    heartbeats.changed().await;
    assert!(heartbeats.take("backup", Signal::Success { took: None }));
    heartbeats.changed().await;
    assert!(heartbeats.all()["backup"].last > known.last);
}
