//! All services, for whoever calls them, looks at them or resets them.

use std::sync::{Arc, PoisonError, RwLock};

use seaworthy::core::event::Sink;
use seaworthy::core::metric::Exposition;

use super::metrics;
use super::service::{BuildError, Service};
use super::view::BreakerView;
use crate::config;

/// All services. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Board(Arc<RwLock<Arc<Vec<Arc<Service>>>>>);

/// Services that were built, and are not in force yet: a reload is refused whole where one of them cannot be.
#[derive(Debug)]
pub(crate) struct Rebuilt(Vec<Arc<Service>>);

impl Board {
    /// Builds `services` anew, but for those that are as they were.
    pub(crate) fn build(&self, services: &[config::Egress], sink: &Arc<dyn Sink>) -> Result<Rebuilt, BuildError> {
        let old = self.services();
        let build = |config: &config::Egress| {
            let old = old.iter().find(|old| old.name() == config.name);
            // A CA file may have changed although its name has not.
            match old.filter(|old| old.config == *config && config.ca_file.is_none()) {
                Some(same) => Ok(same.clone()),
                None => Service::build(config, old.map(|old| &**old), sink).map(Arc::new),
            }
        };
        services.iter().map(build).collect::<Result<_, _>>().map(Rebuilt)
    }

    /// From the next call on.
    pub(crate) fn set(&self, rebuilt: Rebuilt) {
        let old = self.services();
        for service in &rebuilt.0 {
            let old = old.iter().find(|old| old.name() == service.name());
            if old.is_none_or(|old| !Arc::ptr_eq(old, service)) {
                service.take_over(old.map(|old| &**old));
            }
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rebuilt.0);
    }

    /// As they are now. Nobody holds the lock for longer than that.
    pub(super) fn services(&self) -> Arc<Vec<Arc<Service>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn service(&self, name: &str) -> Option<Arc<Service>> {
        self.services().iter().find(|service| service.name() == name).cloned()
    }

    /// How the breakers are.
    pub(crate) fn views(&self) -> Vec<BreakerView> {
        self.services().iter().map(|service| service.view()).collect()
    }

    /// Closes a breaker. `None` where there is none of that name, else whether it was not closed before.
    pub(crate) fn reset(&self, name: &str) -> Option<bool> {
        self.service(name).map(|service| service.reset())
    }

    pub(crate) fn write(&self, page: &mut Exposition) {
        metrics::write(page, &self.services());
    }
}
