//! Everything that runs, and what it was made from.

use std::sync::Arc;
use std::time::Instant;

use seaworthy::core::event::{Event, Sink};
use seaworthy::health::Health;
use seaworthy::lifecycle::Lifecycle;

use super::inputs::Inputs;
use crate::config::{Config, Loaded};
use crate::control::{Control, ReloadStatus};
use crate::egress::{Board, Egress};
use crate::gateway::{Gateway, Public, Upstream};
use crate::log::Logger;
use crate::monitor::{Monitor, Record};
use crate::ops::{Ops, Sampler, Scrape, Vitals};
use crate::scrape::AppMetrics;
use crate::statsd::StatsD;
use crate::supervise::{Commands, Notifier, Supervisor};
use crate::telemetry::Telemetry;

/// Everything that runs.
pub(crate) struct Parts {
    pub(crate) inputs: Inputs,
    /// In force; replaced by a reload.
    pub(crate) loaded: Loaded,
    pub(crate) started: Instant,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) health: Health,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) logger: Logger,
    pub(crate) vitals: Vitals,
    pub(crate) scrape: Scrape,
    /// `None` for a program without HTTP.
    pub(crate) gateway: Option<Gateway>,
    pub(crate) ops: Option<Ops>,
    pub(crate) control: Option<Control>,
    /// `None` where somebody else runs the program.
    pub(crate) supervisor: Option<Supervisor>,
    /// The program's own metrics.
    pub(crate) app_metrics: AppMetrics,
    /// Listens for as long as it is kept.
    pub(crate) _statsd: Option<StatsD>,
    /// For the hooks where there is no program.
    pub(crate) commands: Commands,
    /// What the program calls through us; `None` where that is nothing.
    pub(crate) egress: Option<Egress>,
    pub(crate) board: Board,
    pub(crate) monitor: Monitor,
    pub(crate) sampler: Sampler,
    /// `None` where there is nowhere to keep them.
    pub(crate) record: Option<Record>,
    pub(crate) notifier: Notifier,
    pub(crate) program: Program,
    pub(crate) reloads: ReloadStatus,
    pub(crate) telemetry: Telemetry,
}

/// What is known of the program that we run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Program {
    pub(crate) pid: Option<u32>,
    pub(crate) port: Option<u16>,
    pub(crate) started: Option<Instant>,
    pub(crate) restarts: u32,
}

impl Parts {
    pub(crate) fn config(&self) -> &Config {
        &self.loaded.config
    }

    pub(crate) fn emit(&self, event: &Event) {
        self.sink.emit(event);
    }

    /// Requests go to `upstream` from now on; without one there is nowhere to go.
    pub(crate) fn forward_to(&self, upstream: Option<&Upstream>) {
        if let Some(gateway) = &self.gateway {
            gateway.forward_to(upstream);
        }
        self.sampler.forward_to(upstream);
        self.app_metrics.aim(upstream);
    }

    /// What the public listener answers by itself, by the configuration in force.
    pub(crate) fn public(&self) -> Public {
        let heartbeats = self.monitor.heartbeats().clone();
        crate::ops::public(self.config(), self.vitals.clone(), self.scrape.clone(), heartbeats)
    }
}
