//! The page of metrics: every family, its help, and where its numbers come from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use seaworthy::core::metric::{DURATIONS, Exemplar, Exposition, Format, Kind, METHODS, Observed};
use seaworthy::core::refusal::Reason;

use super::cell::Total;
use super::cells::{CLIENT_ERRORS, Cells, OUTCOMES, RequestKey};
use super::facts::{RESTARTS, STATES};
use super::health;
use super::process::{self, Usage};
use super::{Metrics, lock};

use Kind::{Counter, Gauge, Histogram};

pub(super) fn write(metrics: &Metrics, format: Format, now: Instant) -> Vec<u8> {
    let shards: Vec<Arc<Cells>> = lock(&metrics.shards).clone();
    let mut page = Exposition::new(format);
    http(&mut page, &shards);
    upstream(&mut page, &shards);
    metrics.setup.egress.write(&mut page);
    life(&mut page, metrics, now);
    processes(&mut page, &(metrics.setup.app)());
    health::write(&mut page, &metrics.setup, now);
    ours(&mut page, metrics, &shards);
    page.finish()
}

fn sum(shards: &[Arc<Cells>], of: impl Fn(&Cells) -> u64) -> u64 {
    shards.iter().map(|cells| of(cells)).sum()
}

fn read(number: &AtomicU64) -> u64 {
    number.load(Ordering::Relaxed)
}

fn http(page: &mut Exposition, shards: &[Arc<Cells>]) {
    let mut requests: BTreeMap<RequestKey, (Total, Option<Exemplar>)> = BTreeMap::new();
    for cells in shards {
        // Copied out, so that a worker with a new series does not wait for the sums.
        let series = lock(&cells.requests).clone();
        for series in series {
            let (total, exemplar) = requests.entry(series.key.clone()).or_default();
            total.add(&series.durations);
            let latest = series.traced.get().and_then(|traced| traced.get());
            *exemplar = [*exemplar, latest].into_iter().flatten().max_by_key(|exemplar| exemplar.time);
        }
    }
    let requests: Vec<_> =
        requests.into_iter().map(|(key, (total, exemplar))| (key.status.to_string(), key, total, exemplar)).collect();
    let mut family =
        page.family("http_requests_total", Counter, "Requests that are over, by method, route and status.");
    for (status, key, total, _) in &requests {
        let labels = [("method", METHODS[key.method]), ("route", &*key.route), ("status", status)];
        family.sample(&labels, total.count());
    }
    let help = "Time from the head of a request to the end of its answer.";
    let mut family = page.family("http_request_duration_seconds", Histogram, help);
    for (status, key, total, exemplar) in &requests {
        let labels = [("method", METHODS[key.method]), ("route", &*key.route), ("status", status)];
        family.histogram(&labels, &observed(total, *exemplar));
    }
    page.family("http_active_requests", Gauge, "Requests being served.").sample(&[], sum(shards, |c| c.active.get()));
    page.family("http_active_connections", Gauge, "Open connections of clients.")
        .sample(&[("protocol", "http1")], sum(shards, |cells| cells.http1.get()))
        .sample(&[("protocol", "http2")], sum(shards, |cells| cells.http2.get()));
    page.family("active_connections", Gauge, "Open WebSockets.")
        .sample(&[], sum(shards, |cells| cells.share.tunnels.get() as u64));
    page.family("http_request_bytes_total", Counter, "Bytes of bodies of requests.")
        .sample(&[], sum(shards, |cells| cells.bytes_in.get()));
    page.family("http_response_bytes_total", Counter, "Bytes of bodies of answers.")
        .sample(&[], sum(shards, |cells| cells.bytes_out.get()));
    let mut family = page.family("http_requests_refused_total", Counter, "Requests that were not served, by reason.");
    for (index, reason) in Reason::ALL.iter().enumerate() {
        family.sample(&[("reason", reason.name())], sum(shards, |cells| cells.refused[index].get()));
    }
    page.family("connection_limit_hits_total", Counter, "Times a limit on connections was reached.")
        .sample(&[], sum(shards, |cells| cells.connection_limit_hits.get()));
}

fn observed(total: &Total, exemplar: Option<Exemplar>) -> Observed<'_> {
    Observed { bounds: &DURATIONS, counts: &total.counts, sum: total.seconds(), exemplar }
}

fn upstream(page: &mut Exposition, shards: &[Arc<Cells>]) {
    let mut upstreams: BTreeMap<Arc<str>, ([u64; OUTCOMES.len()], Total)> = BTreeMap::new();
    for cells in shards {
        let series = lock(&cells.upstreams).clone();
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

fn life(page: &mut Exposition, metrics: &Metrics, now: Instant) {
    let facts = &metrics.facts;
    page.family("graceful_shutdowns_total", Counter, "Shutdowns, by whether their time sufficed.")
        .sample(&[("outcome", "graceful")], read(&facts.graceful))
        .sample(&[("outcome", "forced")], read(&facts.forced));
    page.family("drain_duration_seconds", Gauge, "How long the shutdown takes so far, or took; 0 before it.")
        .sample(&[], facts.drain(now));
    page.family("seaworthy_requests_cut_total", Counter, "Requests that a shutdown cut.")
        .sample(&[], read(&facts.requests_cut));
    let mut family = page.family("app_restarts_total", Counter, "Restarts of the program, by how it had died.");
    for (reason, count) in RESTARTS.iter().zip(&facts.restarts) {
        family.sample(&[("reason", reason)], read(count));
    }
    page.family("app_up", Gauge, "Whether the program, or the upstream in its stead, accepts requests.")
        .sample(&[], read(&facts.app_up));
    let state = facts.state();
    let mut family = page.family("seaworthy_lifecycle_state", Gauge, "1 for the state that the service is in.");
    for known in STATES {
        family.sample(&[("state", known.name())], known == state);
    }
    let version = metrics.setup.version.as_deref().unwrap_or_default();
    let labels =
        [("version", env!("CARGO_PKG_VERSION")), ("service", &metrics.setup.service), ("service_version", version)];
    page.family("build_info", Gauge, "Always 1; the labels say what runs.").sample(&labels, 1_u64);
}

fn processes(page: &mut Exposition, app: &[u32]) {
    let ours = Usage::of_self();
    if let Some(usage) = ours {
        page.family("process_cpu_seconds_total", Counter, "CPU time of Seaworthy, user and system.")
            .sample(&[], usage.cpu);
        page.family("process_resident_memory_bytes", Gauge, "Resident memory of Seaworthy.")
            .sample(&[], usage.resident);
        page.family("process_virtual_memory_bytes", Gauge, "Address space of Seaworthy.")
            .sample(&[], usage.virtual_size);
        page.family("process_open_fds", Gauge, "Open files of Seaworthy.").sample(&[], usage.files);
        if let Some(most) = process::most_files() {
            page.family("process_max_fds", Gauge, "How many files Seaworthy may open.").sample(&[], most);
        }
        page.family("process_threads", Gauge, "Threads of Seaworthy.").sample(&[], usage.threads);
        if let Some(boot) = process::boot() {
            page.family("process_start_time_seconds", Gauge, "When Seaworthy started, since 1970.")
                .sample(&[], boot + usage.started);
        }
    }
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
    page.family("seaworthy_series_dropped_total", Counter, "Observations beyond the limit of series, by family.")
        .sample(&[("family", "http_requests")], read(&metrics.requests.beyond))
        .sample(&[("family", "upstream_requests")], read(&metrics.upstreams.beyond));
    page.family("seaworthy_idle_races_total", Counter, "Requests that crossed the closing of their idle connection.")
        .sample(&[], sum(shards, |cells| cells.idle_races.get()));
    let help = "Clients that broke HTTP, by the status that they were answered.";
    let mut family = page.family("seaworthy_client_errors_total", Counter, help);
    for (index, (_, status)) in CLIENT_ERRORS.iter().enumerate() {
        family.sample(&[("status", status)], sum(shards, |cells| cells.client_errors[index].get()));
    }
    page.family("seaworthy_websockets_total", Counter, "WebSockets that ended, by who ended them.")
        .sample(&[("ending", "closed")], sum(shards, |cells| cells.tunnels_closed.get()))
        .sample(&[("ending", "cut")], sum(shards, |cells| cells.tunnels_cut.get()));
    page.family("seaworthy_accept_failures_total", Counter, "Times connections could not be accepted.")
        .sample(&[], read(&facts.accept_failures));
    page.family("seaworthy_panics_total", Counter, "Panics that were caught.").sample(&[], read(&facts.panics));
    page.family("seaworthy_workers_lost_total", Counter, "Worker threads that were lost.")
        .sample(&[], read(&facts.workers_lost));
}
