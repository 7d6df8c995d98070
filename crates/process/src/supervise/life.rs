//! The life of the program: migrations, start, ready, death, start again, stop.

use std::time::{Duration, Instant};

use rustix::process::Signal as RawSignal;
use seaworthy_checks::Surroundings;
use seaworthy_core::event::{Ending, Event};
use seaworthy_core::restart::{Policy, Restarts, Verdict, When};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{sleep, sleep_until};

use super::command::Commands;
use super::diagnosis::{self, EarlyEnd, Facts, Obstacle};
use super::hang::Question;
use super::migration::{self, MigrationError};
use super::orders::{Order, Orders, Want};
use super::ready::Readiness;
use super::running::Running;
use super::stop::{self, Stop, Stopped};
use super::{Failure, FailureKind, Report, Setup};
use crate::config::{AppPort, RestartPolicy};
use crate::exit_code::ExitCode;

/// How one life of the program ended.
enum End {
    Died { ending: Ending, running: Running, hung: bool, obstacle: Obstacle },
    Failed(Failure),
    Wanted(Want),
}

/// Lives the lives of the program, one after another.
pub(super) struct Life {
    setup: Setup,
    commands: Commands,
    /// For the locks of migrations.
    surroundings: Surroundings,
    orders: Orders,
    forced: watch::Receiver<bool>,
    reports: mpsc::UnboundedSender<Report>,
    restarts: Restarts,
}

impl Life {
    pub(super) fn new(
        setup: Setup,
        commands: Commands,
        surroundings: Surroundings,
        orders: mpsc::UnboundedReceiver<Order>,
        forced: watch::Receiver<bool>,
        reports: mpsc::UnboundedSender<Report>,
    ) -> Self {
        let policy = Policy {
            when: match setup.restart.policy {
                RestartPolicy::Always => When::Always,
                RestartPolicy::OnFailure => When::OnFailure,
                RestartPolicy::Never => When::Never,
            },
            backoff: setup.restart.backoff,
            max_backoff: setup.restart.max_backoff,
            deaths: setup.restart.deaths,
            window: setup.restart.window,
        };
        let orders = Orders::new(orders);
        Self { setup, commands, surroundings, orders, forced, reports, restarts: Restarts::new(policy) }
    }

    pub(super) async fn run(mut self) {
        loop {
            let want = match self.once().await {
                End::Failed(failure) => return self.fail(failure),
                End::Wanted(want) => Some(want),
                End::Died { ending, running, hung, obstacle } => {
                    match self.died(ending, running, hung, &obstacle).await {
                        Err(failure) => return self.fail(failure),
                        Ok(pause) => tokio::select! {
                            () = sleep(pause) => None,
                            want = self.orders.next(None) => Some(want),
                        },
                    }
                }
            };
            match want {
                None => {}
                Some(Want::Stop { answer, .. }) => return stopped(answer, Stopped::default()),
                Some(Want::Rest) => return,
            }
        }
    }

    fn fail(&self, failure: Failure) {
        if failure.kind == FailureKind::NotReady {
            self.commands.sink.emit(&Event::AppNotReady { reason: failure.reason.clone() });
        }
        self.report(Report::Failed(failure));
    }

    fn report(&self, report: Report) {
        // Whoever does not listen any more will not miss it.
        let _ = self.reports.send(report);
    }

    /// From the migrations to the end. An order to stop is carried out, and then reported as done.
    async fn once(&mut self) -> End {
        if let Err(end) = self.migrate().await {
            return end;
        }
        let mut running = match Running::launch(&self.setup, &self.commands) {
            Ok(running) => running,
            Err(error) => {
                let code = error.exit_code();
                return End::Failed(failure(FailureKind::CannotStart, code, error.to_string(), Vec::new()));
            }
        };
        self.report(Report::Started { pid: running.pid(), port: running.port });
        let end = self.watch(&mut running).await;
        self.commands.program.ended();
        match end {
            Watched::Died { hung, obstacle } => {
                let ending = running.child.ended().await;
                End::Died { ending, running, hung, obstacle }
            }
            Watched::NotReady(obstacle) => End::Failed(self.not_ready(running, &obstacle).await),
            Watched::Wanted(Want::Rest) => End::Wanted(Want::Rest),
            Watched::Wanted(Want::Stop { patience, answer }) => {
                let outcome = self.stop(running, patience).await;
                stopped(answer, outcome);
                End::Wanted(Want::Stop { patience, answer: None })
            }
        }
    }

    async fn migrate(&mut self) -> Result<(), End> {
        for migration in &self.setup.migrations {
            let interrupt = Notify::new();
            let mut running = std::pin::pin!(migration::run(&self.commands, &self.surroundings, migration, &interrupt));
            let done = tokio::select! {
                done = &mut running => done,
                want = self.orders.next(None) => {
                    interrupt.notify_one();
                    let patience = match &want {
                        Want::Stop { patience, .. } => *patience,
                        Want::Rest => self.setup.stop.timeout,
                    };
                    tokio::select! {
                        _ = running => {}
                        () = sleep(patience) => {}
                        () = stop::forced(&mut self.forced) => {}
                    }
                    return Err(End::Wanted(want));
                }
            };
            if let Err(error) = done {
                return Err(End::Failed(migration_failed(&migration.name, &error)));
            }
        }
        Ok(())
    }

    /// Waits until it is ready, then until something happens to it.
    async fn watch(&mut self, running: &mut Running) -> Watched {
        let mut child = running.child.clone();
        let mut address = None;
        let mut obstacle = Obstacle::Refused;
        if let Some(port) = running.port {
            let (path, protocol) = (self.setup.app.ready_path.as_deref(), self.setup.app.protocol);
            let mut readiness =
                Readiness { port, path, protocol, family: &running.family, sink: &self.commands.sink, obstacle };
            let deadline = running.started + self.setup.start.timeout;
            let waited = tokio::select! {
                biased;
                _ = child.ended() => Err(None),
                want = self.orders.next(Some(&running.family)) => Err(Some(want)),
                ready = readiness.wait() => Ok(Some(ready)),
                () = sleep_until(deadline.into()) => Ok(None),
            };
            obstacle = readiness.obstacle;
            match waited {
                Ok(Some(ready)) => address = Some(ready),
                Ok(None) => return Watched::NotReady(obstacle),
                Err(None) => return Watched::Died { hung: false, obstacle },
                Err(Some(want)) => return Watched::Wanted(want),
            }
        }
        running.ready = true;
        let (pid, took) = (running.pid(), running.started.elapsed());
        self.commands.sink.emit(&Event::AppReady { pid, took });
        self.report(Report::Ready { pid, address, took });

        let app = &self.setup.app;
        let question = app.live_path.as_deref().zip(running.port).map(|(path, port)| Question {
            port,
            path,
            protocol: app.protocol,
            every: app.live_interval,
            failures: app.live_failures,
        });
        let hangs = async {
            match question {
                Some(question) => question.unanswered(&*self.setup.completed).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = child.ended() => Watched::Died { hung: false, obstacle },
            want = self.orders.next(Some(&running.family)) => Watched::Wanted(want),
            () = hangs => {
                self.commands.sink.emit(&Event::AppHangs { pid, failures: app.live_failures.get() });
                // It had its chance to hear us.
                self.commands.reaper.signal_group(&running.child, RawSignal::KILL);
                Watched::Died { hung: true, obstacle }
            }
        }
    }

    /// Says after which pause it comes back, or why it does not.
    async fn died(
        &mut self,
        ending: Ending,
        running: Running,
        hung: bool,
        obstacle: &Obstacle,
    ) -> Result<Duration, Failure> {
        let (uptime, ready, port) = (running.started.elapsed(), running.ready, running.port);
        self.commands.sink.emit(&Event::AppDied { pid: running.pid(), ending, uptime });
        let verdict = if self.orders.winding_down() {
            Verdict::Leave
        } else {
            self.restarts.died(Instant::now(), uptime, ending, fastrand::f64())
        };
        let restarting_in = match verdict {
            Verdict::Restart { after, .. } => Some(after),
            Verdict::Leave | Verdict::GiveUp { .. } => None,
        };
        self.report(Report::Died { ending, hung, restarting_in });
        let left = !running.family.is_gone();
        let last_lines = self.clear_away(running).await;
        let early =
            (!ready).then(|| diagnosis::early_end(&self.facts(port), obstacle, ending, uptime, &last_lines, left));
        let reason = match early {
            Some(EarlyEnd { reason, hopeless: true }) => {
                return Err(failure(FailureKind::NotReady, ExitCode::NotReady, reason, last_lines));
            }
            Some(EarlyEnd { reason, hopeless: false }) => reason,
            None => format!("it ended with {ending} after {uptime:.1?}"),
        };
        match verdict {
            Verdict::Restart { after, deaths } => {
                self.commands.sink.emit(&Event::AppRestarting { delay: after, deaths });
                Ok(after)
            }
            Verdict::GiveUp { deaths } => {
                let window = self.restarts.policy().window;
                self.commands.sink.emit(&Event::AppGaveUp { deaths, window });
                let reason = format!("it died {deaths} times in {window:?}; the last time {reason}");
                // A 0 would tell the platform that all is well.
                let code = if ending.success() && !ready { ExitCode::NotReady } else { ending.into() };
                Err(failure(FailureKind::GaveUp, code, reason, last_lines))
            }
            Verdict::Leave => Err(failure(FailureKind::Ended, ending.into(), reason, last_lines)),
        }
    }

    async fn not_ready(&mut self, mut running: Running, obstacle: &Obstacle) -> Failure {
        let listens = running.family.listens();
        let reason = diagnosis::too_late(&self.facts(running.port), obstacle, &listens, self.setup.start.timeout);
        let patience = self.setup.stop.timeout;
        self.end(&mut running).run(patience).await;
        let last_lines = running.capture.finish().await;
        failure(FailureKind::NotReady, ExitCode::NotReady, reason, last_lines)
    }

    /// Ends what a dead program left behind, and reads what it still had to say.
    async fn clear_away(&mut self, mut running: Running) -> Vec<String> {
        let deadline = Instant::now() + self.setup.stop.timeout;
        self.end(&mut running).sweep(deadline).await;
        running.capture.finish().await
    }

    async fn stop(&mut self, mut running: Running, patience: Duration) -> Stopped {
        let stopped = self.end(&mut running).run(patience).await;
        running.capture.finish().await;
        stopped
    }

    fn end<'a>(&'a mut self, running: &'a mut Running) -> Stop<'a> {
        Stop {
            child: &mut running.child,
            family: &running.family,
            reaper: &self.commands.reaper,
            settings: &self.setup.stop,
            forced: &mut self.forced,
            sink: &*self.commands.sink,
        }
    }

    fn facts(&self, port: Option<u16>) -> Facts<'_> {
        let app = &self.setup.app;
        Facts {
            port,
            fixed: matches!(app.port, AppPort::Fixed(_)),
            ready_path: app.ready_path.as_deref(),
            our_ports: &self.setup.our_ports,
            command: &app.command,
        }
    }
}

/// What ended the watch over a program.
enum Watched {
    Died { hung: bool, obstacle: Obstacle },
    NotReady(Obstacle),
    Wanted(Want),
}

fn failure(kind: FailureKind, code: ExitCode, reason: String, last_lines: Vec<String>) -> Failure {
    Failure { kind, code, reason, last_lines }
}

fn migration_failed(name: &str, error: &MigrationError) -> Failure {
    let reason = format!("migration {name} failed: {error}");
    failure(FailureKind::MigrationFailed, ExitCode::NotReady, reason, error.last_lines().to_vec())
}

fn stopped(answer: Option<oneshot::Sender<Stopped>>, stopped: Stopped) {
    if let Some(answer) = answer {
        // Whoever asked may not wait for it any more.
        let _ = answer.send(stopped);
    }
}
