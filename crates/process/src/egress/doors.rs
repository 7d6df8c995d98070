//! Where services are called: one listener for most, and some of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{self, Config};
use crate::gateway::{BindError, Bound, Listener};
use crate::listen;

/// Where the services are called.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    shared: Option<Bound>,
    own: BTreeMap<String, Bound>,
}

impl Places {
    /// The end of the variable that tells it, and what it tells.
    pub(super) fn of(&self, name: &str) -> Option<(&'static str, String)> {
        match (self.own.get(name), &self.shared) {
            (Some(Bound::Tcp(address)), _) => Some(("URL", format!("http://{address}"))),
            (Some(Bound::Unix(path)), _) | (None, Some(Bound::Unix(path))) => {
                Some(("SOCKET", path.display().to_string()))
            }
            (None, Some(Bound::Tcp(address))) => Some(("URL", format!("http://{address}/{name}"))),
            (None, None) => None,
        }
    }

    /// Whether what `service` wants to be called on is listened on.
    pub(super) fn fits(&self, service: &config::Egress) -> bool {
        let own = self.own.contains_key(&service.name);
        own == service.listen.is_some() && self.of(&service.name).is_some()
    }

    /// All that is listened on.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Bound> {
        self.shared.iter().chain(self.own.values())
    }
}

/// What a listener is for.
pub(super) enum Door {
    /// The first segment of the path names the service.
    Shared,
    Own(Arc<str>),
}

/// Sockets that were bound, and are not served yet.
pub(crate) struct Doors {
    pub(super) doors: Vec<(Door, Listener)>,
    pub(super) places: Places,
}

impl Doors {
    /// Binds all that `config` names.
    pub(super) fn open(config: &Config) -> Result<Self, BindError> {
        let (mut doors, mut places) = (Vec::new(), Places::default());
        if config.egress.iter().any(|service| service.listen.is_none()) {
            let listener = listen::on(&config.egress_listen)?;
            places.shared = Some(listener.bound.clone());
            doors.push((Door::Shared, listener));
        }
        for service in &config.egress {
            if let Some(address) = &service.listen {
                let listener = listen::on(address)?;
                places.own.insert(service.name.clone(), listener.bound.clone());
                doors.push((Door::Own(service.name.as_str().into()), listener));
            }
        }
        Ok(Self { doors, places })
    }
}
