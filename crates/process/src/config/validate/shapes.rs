//! Bodies of probes as templates: tried here, so that a mistake in one is an error of the configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use seaworthy::core::health;
use seaworthy::probes::Verdict;

use super::Review;
use super::observe::probe_paths;
use super::top::Top;
use crate::config::raw::{self, Root};
use crate::config::tree;
use crate::shape::{Known, Shape};

impl Review<'_> {
    pub(super) fn shapes(&mut self, root: &Root, top: &Top) -> BTreeMap<String, Shape> {
        let probes = &root.probes;
        if probes.app_path.is_some() && probes.shapes.is_empty() {
            let hint = "use it in probes.shapes as {{ app.name }}, or take it out";
            self.warn("probes.app-path", "is asked by nobody: no template uses `app`", hint);
        }
        let known = Arc::new(Known {
            service: top.service.clone(),
            version: root.version.clone(),
            environment: top.environment.to_string(),
            info: root.info.clone(),
            // Those that are wrong too: a template that names one is not wrong for it.
            checks: root.check.iter().map(described).collect(),
            asks_app: probes.app_path.is_some() || self.broken.contains("probes.app-path"),
        });
        let mut shapes = BTreeMap::new();
        for (path, source) in &probes.shapes {
            let key = tree::join("probes.shapes", path);
            let Some(verdict) = verdict_at(probes, path) else {
                let hint = format!("name it in probes.paths, or choose from {}", probe_paths());
                self.refuse(&[&key], "is the path of no probe", hint);
                continue;
            };
            match Shape::new(source, known.clone(), verdict.name(), verdict.words()) {
                Ok(shape) => {
                    shapes.insert(path.clone(), shape);
                }
                // Where the checks could not be read, any of their names may be missing.
                Err(_) if self.broken.contains("check") => {}
                Err(error) => self.refuse(&[&key], format!("is no template for a body: {}", error.message), error.hint),
            }
        }
        shapes
    }
}

fn verdict_at(probes: &raw::Probes, path: &str) -> Option<Verdict> {
    let built_in = || match path {
        "/health" | "/healthz" => Some(Verdict::Health),
        "/health/live" | "/livez" => Some(Verdict::Live),
        "/health/ready" | "/readyz" => Some(Verdict::Ready),
        "/health/startup" | "/startupz" => Some(Verdict::Startup),
        _ => None,
    };
    probes.paths.get(path).map(|verdict| (*verdict).into()).or_else(built_in)
}

/// What a template is tried with.
fn described(raw: &raw::Check) -> health::Check {
    health::Check {
        name: raw.name.clone(),
        kind: raw.kind.name(),
        group: raw.group.clone(),
        labels: raw.labels.clone().into_iter().collect(),
        ..health::Check::default()
    }
}
