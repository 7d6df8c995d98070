//! Rehearsals: each plays one scene with instances of its own, and judges the checks that the scene shows.

use std::future::Future;
use std::pin::Pin;

use crate::context::{Context, Trouble};
use crate::finding::Finding;

pub(crate) mod config;
pub(crate) mod dependency;
pub(crate) mod deploy;
pub(crate) mod drain;
pub(crate) mod headers;
pub(crate) mod limits;
pub(crate) mod load;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod probes;
pub(crate) mod resources;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod streams;

/// What a rehearsal found.
pub(crate) type Findings = Result<Vec<Finding>, Trouble>;

/// One scene.
#[derive(Clone, Copy)]
pub(crate) struct Rehearsal {
    /// What the progress line says.
    pub(crate) name: &'static str,
    /// The checks that it judges: it returns a finding for each.
    pub(crate) covers: &'static [&'static str],
    /// What it does to the service.
    pub(crate) touch: Touch,
    pub(crate) run: for<'a> fn(&'a Context) -> Pin<Box<dyn Future<Output = Findings> + Send + 'a>>,
}

impl Rehearsal {
    /// Asking costs a moment: it is done at any level.
    pub(crate) fn cheap(&self) -> bool {
        self.touch == Touch::Ask
    }
}

/// What a rehearsal does to the service, and so where it may be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touch {
    /// Asks as any client might.
    Ask,
    /// Sends what could hurt: floods, uploads, broken requests.
    Strain,
    /// Signals one instance to stop: with its pid also one that runs, at the very end.
    Stop,
    /// Starts, signals and kills.
    Control,
}

/// All rehearsals, longest first, so that the short ones fill the gaps.
pub(crate) const ALL: &[Rehearsal] = &[
    limits::SLOW,
    dependency::REHEARSAL,
    deploy::ROLLING,
    stop::IDLE,
    stop::HALF_SENT,
    deploy::PID_1,
    drain::REHEARSAL,
    load::REHEARSAL,
    start::REHEARSAL,
    stop::SIGINT,
    stop::SECOND,
    stop::EARLY,
    deploy::KILL,
    streams::HTTP2,
    streams::WEBSOCKET,
    logs::LINES,
    logs::BLOCKED,
    limits::RATES,
    limits::SIZES,
    limits::STRANGE,
    metrics::PAGE,
    metrics::IN_DRAIN,
    resources::GROWTH,
    resources::NEEDS,
    config::REHEARSAL,
    probes::AT_REST,
    headers::REHEARSAL,
    logs::IDS,
];
