//! The page of metrics: every family, its help, and where its numbers come from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use seaworthy::core::metric::{Exposition, Format, Kind};
use seaworthy::metrics::cell::Total;
use seaworthy::metrics::requests::observed;
use seaworthy::metrics::{CLIENT_ERRORS, Connections, Usage};

use super::facts::RESTARTS;
use super::health;
use super::{Metrics, lock};
use seaworthy_gateway::metrics::{Cells, OUTCOMES};

use Kind::{Counter, Gauge, Histogram};

pub(super) fn write(metrics: &Metrics, format: Format) -> Vec<u8> {
    let shards: Vec<Arc<Cells>> = lock(&metrics.shards).clone();
    metrics.library.exposition_with(format, |page| {
        connections(page, &shards);
        upstream(page, &shards);
        metrics.setup.egress.write(page);
        life(page, metrics);
        processes(page, &(metrics.setup.app)());
        health::write(page, &metrics.setup.health, metrics.setup.max_series);
        ours(page, metrics, &shards);
    })
}

fn sum(shards: &[Arc<Cells>], of: impl Fn(&Cells) -> u64) -> u64 {
    shards.iter().map(|cells| of(cells)).sum()
}

fn read(number: &AtomicU64) -> u64 {
    number.load(Ordering::Relaxed)
}

fn connections(page: &mut Exposition, shards: &[Arc<Cells>]) {
    let mut client_errors = [0; CLIENT_ERRORS.len()];
    for (index, count) in client_errors.iter_mut().enumerate() {
        *count = sum(shards, |cells| cells.client_errors[index].get());
    }
    Connections {
        http1: sum(shards, |cells| cells.http1.get()),
        http2: sum(shards, |cells| cells.http2.get()),
        websockets: sum(shards, |cells| cells.share.tunnels.get() as u64),
        websockets_closed: sum(shards, |cells| cells.tunnels_closed.get()),
        websockets_cut: sum(shards, |cells| cells.tunnels_cut.get()),
        limit_hits: sum(shards, |cells| cells.connection_limit_hits.get()),
        client_errors,
    }
    .write(page);
}

fn upstream(page: &mut Exposition, shards: &[Arc<Cells>]) {
    let mut upstreams: BTreeMap<Arc<str>, ([u64; OUTCOMES.len()], Total)> = BTreeMap::new();
    for cells in shards {
        let series = cells.upstreams().clone();
        for series in series {
            let (outcomes, total) = upstreams.entry(series.name.clone()).or_default();
            for (sum, count) in outcomes.iter_mut().zip(&series.outcomes) {
                *sum += count.get();
            }
            total.add(&series.durations);
        }
    }
    let help = "Requests to an upstream, by how they ended: an answer, a 5xx answer, or what kept it from coming.";
    let mut family = page.family("upstream_requests_total", Counter, help);
    for (name, (outcomes, _)) in &upstreams {
        // The two that every upstream has are there from the beginning, so that a rate over them is never empty.
        for (index, outcome) in OUTCOMES.iter().enumerate().filter(|(index, _)| *index < 2 || outcomes[*index] > 0) {
            family.sample(&[("upstream", name), ("outcome", outcome)], outcomes[index]);
        }
    }
    let help = "Time from the first attempt to the head of the upstream's answer.";
    let mut family = page.family("upstream_duration_seconds", Histogram, help);
    for (name, (_, total)) in &upstreams {
        family.histogram(&[("upstream", name)], &observed(total, None));
    }
    let (open, idle) = (sum(shards, |cells| cells.upstream_open.get()), sum(shards, |cells| cells.upstream_idle.get()));
    page.family("upstream_connections", Gauge, "Open connections to upstreams.")
        // What became idle is counted with the next tick, and may have been closed before.
        .sample(&[("state", "active")], open.saturating_sub(idle))
        .sample(&[("state", "idle")], idle.min(open));
    page.family("upstream_retries_total", Counter, "Requests that were tried again, by why the first attempt failed.")
        .sample(&[("reason", "closed")], sum(shards, |cells| cells.upstream_retries.get()));
}

fn life(page: &mut Exposition, metrics: &Metrics) {
    let facts = &metrics.facts;
    let mut family = page.family("app_restarts_total", Counter, "Restarts of the program, by how it had died.");
    for (reason, count) in RESTARTS.iter().zip(&facts.restarts) {
        family.sample(&[("reason", reason)], read(count));
    }
    page.family("app_up", Gauge, "Whether the program, or the upstream in its stead, accepts requests.")
        .sample(&[], read(&facts.app_up));
}

fn processes(page: &mut Exposition, app: &[u32]) {
    let ours = Usage::of_self();
    let tree = Usage::of_tree(app);
    if !app.is_empty() {
        page.family("app_process_cpu_seconds_total", Counter, "CPU time of the program and its children.")
            .sample(&[], tree.cpu);
        page.family("app_process_resident_memory_bytes", Gauge, "Resident memory of the program and its children.")
            .sample(&[], tree.resident);
        page.family("app_process_open_fds", Gauge, "Open files of the program and its children.")
            .sample(&[], tree.files);
        page.family("app_process_threads", Gauge, "Threads of the program and its children.").sample(&[], tree.threads);
        page.family("app_processes", Gauge, "Processes of the program.").sample(&[], app.len() as u64);
    }
    page.family("memory_usage_bytes", Gauge, "Resident memory of the program, its children and Seaworthy.")
        .sample(&[], tree.resident + ours.map_or(0, |usage| usage.resident));
}

fn ours(page: &mut Exposition, metrics: &Metrics, shards: &[Arc<Cells>]) {
    let facts = &metrics.facts;
    page.family("log_lines_dropped_total", Counter, "Lines of the log that stdout did not take.")
        .sample(&[], metrics.setup.log.dropped());
    page.family("seaworthy_config_reloads_total", Counter, "Reloads of the configuration.")
        .sample(&[], read(&facts.reloads));
    page.family("seaworthy_config_reload_failures_total", Counter, "Configurations that were refused.")
        .sample(&[], read(&facts.reload_failures));
    page.family("seaworthy_idle_races_total", Counter, "Requests that crossed the closing of their idle connection.")
        .sample(&[], sum(shards, |cells| cells.idle_races.get()));
    page.family("seaworthy_workers_lost_total", Counter, "Worker threads that were lost.")
        .sample(&[], read(&facts.workers_lost));
}
