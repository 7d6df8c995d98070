//! Services that the program calls through us: one table `[egress.NAME]` each.
//!
//! # Rules
//!
//! - Only what is configured can be called: below `/NAME/` on one listener, on a listener of its own, or by its own address, as of a
//!   proxy. A destination that the caller names is looked for among those that are configured, and no redirect is followed.
//! - Addresses that are not public are refused unless they are named, and that is asked of the address that will be connected
//!   to: a name that changes its address leads nowhere else.
//! - The path of a call is [`seaworthy::client::Stack`]; nothing of it is written twice here.
//! - It goes on during a drain, and until the program has exited: requests that still run need what they call.
//! - It has a thread of its own: a service that hangs takes neither a worker nor a probe along.
//!
//! # Parts
//!
//! [`Board`] knows the services and how they are, for probes, metrics and the control socket; [`Egress`] serves them.

mod board;
mod doors;
mod metrics;
mod resolver;
mod route;
mod serve;
mod service;
mod trace;
mod view;

use std::collections::BTreeMap;

pub(crate) use self::board::Board;
pub(crate) use self::doors::{Doors, Places};
pub(crate) use self::serve::Egress;
pub(crate) use self::service::BuildError;
pub(crate) use self::view::BreakerView;

use crate::config::{Config, Secret};

/// What tells the program where its services are: `EGRESS_STRIPE_URL`, or `EGRESS_STRIPE_SOCKET` for a unix socket.
pub(crate) fn variables(config: &Config, places: &Places) -> BTreeMap<String, Secret> {
    let variable = |name: &str| {
        let (ending, value) = places.of(name)?;
        let name = name.to_ascii_uppercase().replace('-', "_");
        Some((format!("EGRESS_{name}_{ending}"), Secret::new(value)))
    };
    config.egress.iter().filter_map(|service| variable(&service.name)).collect()
}
