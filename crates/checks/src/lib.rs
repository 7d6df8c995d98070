//! Dependency checks: whether what a service depends on can be reached, and answers.
//!
//! # Rules
//!
//! - One file a protocol under [`kinds`], one row in the [catalogue].
//! - A [`Probe`] holds at most one connection to what it asks, dials anew after any error, and lets go of it when it is
//!   dropped: a check must not exhaust what it watches.
//! - [`run`] ends the work when its time is over, wherever it stands: a probe takes its connection out of itself for a
//!   run and puts it back at the end, so that a run that is cut short leaves none behind.
//! - No password and no key is in any error, page or debug print.
//! - Names are resolved by whoever is handed in as [`Resolve`]: a static binary has no NSS.
//!
//! When results are believed is decided by `seaworthy_core::health`, when to run by `seaworthy_core::schedule`.

pub mod catalogue;
mod certificate;
mod condition;
mod cursor;
mod database;
mod endpoint;
pub mod heartbeat;
mod kept;
pub mod kinds;
mod net;
mod probe;
mod secret;
mod surroundings;
mod tls;

pub use condition::{Condition, ConditionError};
pub use endpoint::{Endpoint, EndpointError};
pub use heartbeat::Heartbeats;
pub use net::{Place, PlaceError, Resolve, Resolving};
pub use probe::{Fact, Failure, Probe, Report, Running, examine, run};
pub use secret::Secret;
pub use surroundings::{Commands, Finished, Finishing, Gateway, Idle, Surroundings, Traffic};
pub use tls::{Identity, Tls, Trust};
