//! What programs write.

use std::time::Instant;

use super::*;

#[tokio::test]
async fn both_streams_arrive_line_by_line_and_what_has_no_end_at_the_end() {
    let mut harness = worker("echo out; echo err >&2; printf 'no end'; exit 1").start();
    harness.failure().await;
    let lines = harness.recorder.lines.lock().unwrap().clone();
    for expected in [(Stream::Stdout, "out"), (Stream::Stderr, "err"), (Stream::Stdout, "no end")] {
        let expected = (expected.0, expected.1.as_bytes().to_vec());
        assert_eq!(lines.iter().filter(|line| **line == expected).count(), 3, "{lines:?}");
    }
}

#[tokio::test]
async fn a_flood_arrives_whole_and_a_long_line_in_pieces() {
    let script = "seq 1 50000; head -c 200000 /dev/zero | tr '\\0' x; echo; exec sleep 300";
    let harness = worker(script).start();
    harness
        .recorder
        .until(|r| r.lines.lock().unwrap().iter().any(|(_, line)| line.len() == 200_000 % lines::LONGEST).then_some(()))
        .await;
    let lines = harness.recorder.lines();
    assert!((1..=50_000).map(|n: u32| n.to_string()).eq(lines[..50_000].iter().cloned()));
    let pieces: Vec<usize> = lines[50_000..].iter().map(String::len).collect();
    assert_eq!(pieces, [lines::LONGEST, lines::LONGEST, lines::LONGEST, 200_000 % lines::LONGEST]);
    harness.stop(LONG).await;
}

#[tokio::test]
async fn a_stranger_who_holds_the_pipe_does_not_hold_the_end_up_for_long() {
    // It leaves group and session, and here, where orphans do not come to us, our sight.
    // It is waited for, because whoever dies takes along what has not left yet.
    let script = "f=$(mktemp -u); mkfifo $f; \
                  setsid sh -c \"echo holder \\$\\$; echo >$f; exec sleep 20\" & read x <$f; rm $f; exit 1";
    let mut built = worker(script);
    built.setup.restart.policy = RestartPolicy::Never;
    let mut harness = built.start();
    let holder = harness.recorder.said_after("holder ").await;
    let began = Instant::now();
    let failure = harness.failure().await;
    assert_eq!(failure.code, ExitCode::Program(1));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let holder = rustix::process::Pid::from_raw(holder.parse().unwrap()).unwrap();
    let _ = rustix::process::kill_process(holder, rustix::process::Signal::KILL);
}
