use super::Check;
use super::Level::{May, Must, Should};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "metrics.exposition-valid",
        level: Should,
        title: "The exposition is valid",
        does: "Parses the metrics page strictly: names, labels, escapes, types, one block a family, no series twice, histograms complete and cumulative.",
        why: "A scrape with one bad line is thrown away as a whole.",
        source: "Prometheus: Exposition formats; OpenMetrics 1.0",
        mend: "Use the client library of your language, and one registry.",
    },
    Check {
        id: "metrics.red-present",
        level: Should,
        title: "Rate, errors and duration of requests are measured",
        does: "Looks for a counter of requests with a status label and for a histogram or summary of durations.",
        why: "No alert can tell that users see errors, or wait.",
        source: "Google SRE Book, ch. 6 (four golden signals); Mercari production-readiness checklist",
        mend: "Count requests by method, route and status, and measure their duration in a histogram.",
    },
    Check {
        id: "metrics.series-bounded",
        level: Must,
        title: "Clients cannot make series",
        does: "Asks 150 random paths (and unknown methods) and counts the series before and after: no more than 20 may be new.",
        why: "A scanner fills the memory of the service and of Prometheus.",
        source: "Prometheus: Metric and label naming (cardinality)",
        mend: "Label by the route's pattern, not by the path, and put everything unknown into one label.",
    },
    Check {
        id: "metrics.counts-agree",
        level: Should,
        title: "The counters count what was sent",
        does: "Sends 200 requests and compares the growth of the counter of requests with that number.",
        why: "Alerts and objectives are computed from wrong numbers.",
        source: "Google SRE Book, ch. 6; Prometheus: Instrumentation",
        mend: "Count each request once, at its end, in one process-wide registry; with several worker processes use the multi-process mode.",
    },
    Check {
        id: "metrics.last-scrape-in-drain",
        level: May,
        title: "Metrics are served during the drain",
        does: "Asks for the metrics page after the stop signal, through the lag.",
        why: "What happens in a stop is never seen, and neither are the last counts.",
        source: "Prometheus: pull model; Kubernetes: Pod Lifecycle",
        mend: "Keep the metrics page up until the listener closes, or on a port of its own until the exit.",
    },
];
