//! Where services are called: one listener for most, and some of their own.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use http::uri::Authority;

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

/// A listener, and what it is for.
pub(super) struct Door {
    /// The service that is called here; `None` where the first segment of the path names it.
    pub(super) service: Option<Arc<str>>,
    place: Bound,
}

impl Door {
    /// Whether a target that names a server names this listener: clients that call through a proxy, and have us for one, name us
    /// as well when they mean us (RFC 9112, 3.2.2).
    pub(super) fn is_at(&self, authority: &Authority) -> bool {
        let Bound::Tcp(place) = &self.place else { return false };
        let host = authority.host().trim_matches(['[', ']']);
        let same = match host.parse::<IpAddr>() {
            Ok(address) => address == place.ip() || (place.ip().is_unspecified() && address.is_loopback()),
            Err(_) => host == "localhost" && (place.ip().is_loopback() || place.ip().is_unspecified()),
        };
        same && authority.port_u16().unwrap_or(80) == place.port()
    }
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
            doors.push((Door { service: None, place: listener.bound.clone() }, listener));
        }
        for service in &config.egress {
            if let Some(address) = &service.listen {
                let listener = listen::on(address)?;
                places.own.insert(service.name.clone(), listener.bound.clone());
                let door = Door { service: Some(service.name.as_str().into()), place: listener.bound.clone() };
                doors.push((door, listener));
            }
        }
        Ok(Self { doors, places })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_known_by_its_address_and_by_no_other() {
        let at = |place: &str, authority: &str| {
            let door = Door { service: None, place: Bound::Tcp(place.parse().unwrap()) };
            door.is_at(&authority.parse().unwrap())
        };
        for (place, authority) in [
            ("127.0.0.1:9091", "127.0.0.1:9091"),
            ("127.0.0.1:9091", "localhost:9091"),
            ("[::1]:9091", "[::1]:9091"),
            ("0.0.0.0:9091", "127.0.0.1:9091"),
            ("127.0.0.1:80", "localhost"),
        ] {
            assert!(at(place, authority), "{place} {authority}");
        }
        for authority in
            ["127.0.0.1:9092", "127.0.0.2:9091", "localhost", "evil.example:9091", "localhost.evil.example:9091"]
        {
            assert!(!at("127.0.0.1:9091", authority), "{authority}");
        }
        assert!(!at("10.0.0.7:9091", "localhost:9091"));
        let socket = Door { service: None, place: Bound::Unix("/run/app.sock".into()) };
        assert!(!socket.is_at(&"localhost".parse().unwrap()));
    }
}
