//! What checks have measured, as metrics.

use std::time::Instant;

use seaworthy::core::health::Measure;
use seaworthy::core::metric::{Exposition, Kind};
use seaworthy::health::Health;
use seaworthy_checks::catalogue;

pub(super) fn write(page: &mut Exposition, health: &Health, max_series: usize) {
    let snapshot = crate::ops::believed(health.snapshot(), Instant::now());
    // No more series than any other family may have.
    let checks = &snapshot.checks[..snapshot.checks.len().min(max_series)];
    for metric in catalogue::metrics() {
        let of_metric = |measure: &&Measure| measure.name == metric.name;
        let mut found = checks
            .iter()
            .flat_map(|check| check.measures.iter().filter(of_metric).map(move |measure| (check, measure)))
            .take(max_series)
            .peekable();
        if found.peek().is_none() {
            continue;
        }
        let mut family = page.family(metric.name, Kind::Gauge, metric.help);
        for (check, measure) in found {
            let own = measure.labels.iter().map(|(name, value)| (*name, value.as_str()));
            let labels: Vec<_> = std::iter::once(("name", check.name.as_str())).chain(own).collect();
            family.sample(&labels, measure.value);
        }
    }
}
