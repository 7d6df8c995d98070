//! What every rehearsal is given.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::client::tls::TlsError;
use crate::client::{Exchange, Request, Target, Tls, fetch};
use crate::plan::{Plan, Subject};
use crate::program::meter::Meter;
use crate::program::{Exit, Instance, Launch, StartError, ports, proc};
use crate::pulse::Pulse;
use crate::survey::{Survey, SurveyError, until_ready};
use crate::timeline::Timeline;

/// Why a rehearsal could not be held. No verdict on the service.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Survey(#[from] SurveyError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("it needs control of the program: give its command after --")]
    NoControl,
    #[error("{0}")]
    Other(String),
}

/// Plan and survey, and instances to rehearse with.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) plan: Plan,
    pub(crate) survey: Survey,
    pub(crate) pulse: Pulse,
    /// Where the service speaks TLS.
    pub(crate) tls: Option<Tls>,
    timeline: Mutex<Option<Timeline>>,
}

/// An instance and how it is reached.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) instance: Instance,
    pub(crate) target: Target,
    meter: Meter,
}

impl Stage {
    pub(crate) fn new(instance: Instance, target: Target) -> Self {
        let meter = instance.meter();
        Self { instance, target, meter }
    }

    /// How long it was kept from the processors by others while this was asked of it.
    pub(crate) fn kept_waiting(&self, asked: &Exchange) -> Duration {
        self.meter.between(asked.begun, asked.ended)
    }
}

/// Where a service can be asked.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) target: Target,
    /// The instance, where it is ours.
    pub(crate) stage: Option<Stage>,
}

impl Place {
    /// How long it was kept from the processors by others while this was asked of it. Unknown where it is not ours.
    pub(crate) fn kept_waiting(&self, asked: &Exchange) -> Duration {
        self.stage.as_ref().map_or(Duration::ZERO, |stage| stage.kept_waiting(asked))
    }
}

impl Context {
    /// Before anything is known of the service.
    pub(crate) fn new(plan: Plan, pulse: Pulse) -> Self {
        Self { plan, survey: Survey::default(), pulse, tls: None, timeline: Mutex::default() }
    }

    /// Keeps the timeline of the drain for the report.
    pub(crate) fn timeline(&self, timeline: Timeline) {
        *self.timeline.lock().unwrap_or_else(PoisonError::into_inner) = Some(timeline);
    }

    pub(crate) fn take_timeline(&self) -> Option<Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Starts an instance on a port of its own; returns before it listens.
    pub(crate) fn spawn(&self, port: Option<u16>, env: &[(String, String)]) -> Result<Instance, Trouble> {
        self.spawn_behind(&[], port, env)
    }

    fn spawn_behind(
        &self,
        prefix: &[String],
        port: Option<u16>,
        env: &[(String, String)],
    ) -> Result<Instance, Trouble> {
        let Subject::Program(launch) = &self.plan.subject else { return Err(Trouble::NoControl) };
        let port = match self.plan.port.or(port) {
            Some(port) => port,
            None => ports::free()?,
        };
        let argv = prefix.iter().map(OsString::from).chain(launch.argv.iter().cloned()).collect();
        Ok(Instance::spawn(&Launch { argv, ..launch.clone() }, port, env)?)
    }

    /// Where a service can be asked: the one that runs, or a fresh instance.
    pub(crate) async fn place(&self) -> Result<Place, Trouble> {
        match &self.plan.subject {
            Subject::Program(_) => {
                let stage = self.fresh().await?;
                Ok(Place { target: stage.target.clone(), stage: Some(stage) })
            }
            Subject::Running { address, host, .. } => {
                Ok(Place { target: self.target_at(*address, host.clone()), stage: None })
            }
        }
    }

    /// How long we ourselves stood still since `since`: what was measured meanwhile may be too long by as much.
    pub(crate) fn slack(&self, since: Instant) -> Duration {
        self.pulse.worst_since(since)
    }

    /// How long we and the instance were kept from the processors since `since`: so much later than on a machine that has time
    /// for them may anything be that was seen of it.
    pub(crate) fn late(&self, stage: &Stage, since: Instant) -> Duration {
        self.pulse.total_since(since) + stage.meter.since(since)
    }

    /// Waits for the exit of an instance that was signalled, for the grace and for as long as it was kept from the processors.
    pub(crate) async fn exit_in_grace(&self, stage: &Stage, signal: Instant) -> Option<Exit> {
        let mut allowed = self.plan.grace;
        loop {
            let exit = stage.instance.exited(signal + allowed).await;
            // At most as much again: what never ends must come to an end here.
            let longer = self.plan.grace + self.late(stage, signal).min(self.plan.grace);
            if exit.is_some() || longer <= allowed {
                return exit;
            }
            allowed = longer;
        }
    }

    /// A fresh instance that serves, and says that it is ready where it can.
    pub(crate) async fn fresh(&self) -> Result<Stage, Trouble> {
        self.fresh_on(None, &[]).await
    }

    /// An instance to be stopped: a fresh one, or the one that runs.
    pub(crate) async fn to_be_stopped(&self) -> Result<Stage, Trouble> {
        let Subject::Running { address, host, pid: Some(pid), .. } = &self.plan.subject else {
            return self.fresh().await;
        };
        let instance = Instance::adopt(*pid, *address)?;
        let pids: Vec<u32> = instance.processes().iter().map(|process| process.pid).collect();
        let ports = proc::listening_ports(&pids);
        // None are seen where it listens in a network namespace of its own, as in a container.
        if !ports.is_empty() && !ports.contains(&address.port()) {
            return Err(Trouble::Other(format!(
                "process {pid} listens on port {}, not on {}: is --pid that of the service?",
                ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                address.port()
            )));
        }
        Ok(Stage::new(instance, self.target_at(*address, host.clone())))
    }

    /// One whose command stands behind another, as `unshare`.
    pub(crate) async fn fresh_behind(&self, prefix: &[String]) -> Result<Stage, Trouble> {
        self.served(self.spawn_behind(prefix, None, &[])?).await
    }

    pub(crate) async fn fresh_on(&self, port: Option<u16>, env: &[(String, String)]) -> Result<Stage, Trouble> {
        self.served(self.spawn(port, env)?).await
    }

    async fn served(&self, mut instance: Instance) -> Result<Stage, Trouble> {
        instance.listening(self.plan.start_timeout).await?;
        let target = self.target(&instance);
        let deadline = instance.spawned + self.plan.start_timeout;
        let served = async {
            match self.survey.ready_path() {
                Some(path) => Ok(until_ready(&target, path, deadline, self.plan.start_timeout).await?),
                None => self.until_served(&target, deadline).await,
            }
        };
        tokio::select! {
            served = served => served?,
            exit = instance.ended() => {
                let tail = instance.tail();
                return Err(StartError::Ended { exit: exit.to_string(), port: instance.port, tail }.into());
            }
        }
        Ok(Stage::new(instance, target))
    }

    /// Where an instance is reached.
    pub(crate) fn target(&self, instance: &Instance) -> Target {
        let name = self.plan.server_name.as_deref().unwrap_or("localhost");
        self.target_at(instance.address, format!("{name}:{}", instance.port))
    }

    /// The service at this address.
    pub(crate) fn target_at(&self, address: SocketAddr, host: String) -> Target {
        Target { address, host, headers: self.plan.headers.clone(), tls: self.tls.clone() }
    }

    async fn until_served(&self, target: &Target, deadline: Instant) -> Result<(), Trouble> {
        let path = &self.survey.safe;
        loop {
            match fetch(target, &Request::get(path), Duration::from_secs(10)).await {
                Ok(answer) if answer.status < 500 => return Ok(()),
                Ok(answer) if Instant::now() >= deadline => {
                    return Err(SurveyError::Broken { path: path.clone(), status: answer.status }.into());
                }
                Err(failure) if Instant::now() >= deadline => {
                    return Err(SurveyError::Silent { path: path.clone(), failure }.into());
                }
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}
