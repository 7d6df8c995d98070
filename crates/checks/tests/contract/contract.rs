//! What holds for every kind that goes over the network, whatever it asks.

use std::time::{Duration, Instant};

use seaworthy_checks::kinds::Spec;
use seaworthy_core::health::Class;

use crate::bed::{Gate, LONG, Mode, Server, failure, free_port, once, passed, probe, run, until};

/// A kind, as the contract sees it.
pub(crate) struct Subject {
    pub(crate) server: Server,
    /// The check of the server as it is reached at a port.
    pub(crate) spec: Box<dyn Fn(u16) -> Spec>,
    /// Whether it keeps its connection.
    pub(crate) keeps: bool,
    /// Whether it starts in a moment; a second restart is only played where it does not.
    pub(crate) quick: bool,
    /// What it says to garbage: over TLS nothing else is ever seen.
    pub(crate) garbage: Class,
    /// What it says to a connection that is closed at once.
    pub(crate) closed: Class,
    /// What must never be seen.
    pub(crate) secret: &'static str,
}

impl Subject {
    /// As most are: it keeps its connection, starts in a moment, and has a protocol of its own to be violated.
    pub(crate) fn new(server: Server, spec: impl Fn(u16) -> Spec + 'static, secret: &'static str) -> Self {
        let (garbage, closed) = (Class::Protocol, Class::Refused);
        Self { server, spec: Box::new(spec), keeps: true, quick: true, garbage, closed, secret }
    }
}

const BRIEF: Duration = Duration::from_millis(300);

/// Holds the whole contract.
pub(crate) async fn hold(mut subject: Subject) {
    let gate = Gate::before(subject.server.port).await;
    healthy(&subject, &gate).await;
    refused(&subject).await;
    black_holed(&subject, &gate).await;
    slow(&subject, &gate).await;
    nonsense(&subject, &gate).await;
    cancelled(&subject, &gate).await;
    restarted(&mut subject, &gate).await;
}

async fn healthy(subject: &Subject, gate: &Gate) {
    let mut probe = probe((subject.spec)(gate.port));
    for _ in 0..3 {
        let run = run(&mut *probe).await;
        assert!(passed(&run), "healthy: {run:?}");
    }
    assert_eq!(gate.accepted(), if subject.keeps { 1 } else { 3 }, "connections of three runs");
    drop(probe);
    nobody_left(gate).await;
}

async fn refused(subject: &Subject) {
    let run = once((subject.spec)(free_port())).await;
    let (class, error) = failure(&run);
    assert_eq!(class, Class::Refused, "{error}");
    quiet(subject, error);
}

async fn black_holed(subject: &Subject, gate: &Gate) {
    gate.set(Mode::BlackHole);
    let mut probe = probe((subject.spec)(gate.port));
    let began = Instant::now();
    let cut = seaworthy_checks::run(&mut *probe, BRIEF).await;
    assert!(began.elapsed() >= BRIEF && began.elapsed() < LONG, "{:?}", began.elapsed());
    assert_eq!(failure(&cut).0, Class::Timeout);
    // The probe still lives, and yet nothing of the run is left.
    nobody_left(gate).await;
    gate.set(Mode::Open);
    let run = run(&mut *probe).await;
    assert!(passed(&run), "after a black hole: {run:?}");
}

async fn slow(subject: &Subject, gate: &Gate) {
    gate.set(Mode::Slow(BRIEF));
    let mut probe = probe((subject.spec)(gate.port));
    let cut = seaworthy_checks::run(&mut *probe, BRIEF / 3).await;
    assert_eq!(failure(&cut).0, Class::Timeout);
    let run = run(&mut *probe).await;
    assert!(passed(&run), "slow, with time: {run:?}");
    gate.set(Mode::Open);
}

async fn nonsense(subject: &Subject, gate: &Gate) {
    for (mode, expected) in [(Mode::Garbage, subject.garbage), (Mode::Closed, subject.closed)] {
        gate.set(mode);
        let run = once((subject.spec)(gate.port)).await;
        let (class, error) = failure(&run);
        assert_eq!(class, expected, "{mode:?}: {error}");
        quiet(subject, error);
    }
    gate.set(Mode::Open);
}

async fn cancelled(subject: &Subject, gate: &Gate) {
    gate.set(Mode::BlackHole);
    let before = gate.accepted();
    let mut probe = probe((subject.spec)(gate.port));
    {
        let mut running = probe.run(LONG);
        until("it has connected", async || {
            tokio::select! {
                _ = &mut running => panic!("a black hole has answered"),
                () = tokio::task::yield_now() => {}
            }
            (gate.accepted() > before).then_some(())
        })
        .await;
    }
    nobody_left(gate).await;
    gate.set(Mode::Open);
    let run = run(&mut *probe).await;
    assert!(passed(&run), "after a run that was cancelled: {run:?}");
}

async fn restarted(subject: &mut Subject, gate: &Gate) {
    let mut probe = probe((subject.spec)(gate.port));
    let first = run(&mut *probe).await;
    assert!(passed(&first), "before the restart: {first:?}");
    subject.server.down();
    let down = run(&mut *probe).await;
    let (class, error) = failure(&down);
    assert_eq!(class, subject.closed, "while it is down: {error}");
    subject.server.up().await;
    until("it recovers", async || passed(&run(&mut *probe).await).then_some(())).await;
    // Held by the probe, and closed by the server: the next run must not stumble over it.
    if subject.quick {
        subject.server.down();
        subject.server.up().await;
    } else {
        gate.cut();
    }
    until("the server is there again", async || passed(&once((subject.spec)(gate.port)).await).then_some(())).await;
    let after = run(&mut *probe).await;
    assert!(passed(&after), "after a restart between two runs: {after:?}");
}

async fn nobody_left(gate: &Gate) {
    until("every connection is closed", async || (gate.open() == 0).then_some(())).await;
}

fn quiet(subject: &Subject, error: &str) {
    assert!(!error.contains(subject.secret), "{error}");
}
