//! Probes: from what is asked and what is known to an answer.
//!
//! | path | answers |
//! | --- | --- |
//! | `/health/startup`, `/startupz` | 200 once the start is complete |
//! | `/health/live`, `/livez` | 200 while the process can do its work; no check has a say in it |
//! | `/health/ready`, `/readyz` | 200 while requests should be sent here |
//! | `/health`, `/healthz` | 200 while healthy or degraded |
//! | `/health/check/NAME`, `/health/group/NAME` | one check, or all of a group |
//! | `/health/dependencies` | what the service depends on, name by name |
//! | `/metrics` | the exposition, where one was given |
//! | `/breakers`, `/breakers/NAME` | the breakers that these metrics [watch](crate::metrics::Metrics::watch_breaker), and how they are |
//!
//! `/metrics?format=json` (or `Accept: application/json`) gives the health of all checks as a few numbers, `?format=openmetrics` the other
//! text format.
//!
//! `?verbose` shows every check, `?exclude=NAME` leaves one out, `?format=kubernetes` (or `Accept: text/plain`) is what Kubernetes' own
//! components answer. Texts of errors are shown to clients on loopback only; everybody else sees the class.
//!
//! A probe reads the last snapshot and costs microseconds. [`Endpoints`] is a tower service, to be mounted wherever probes should
//! be answered; [`Builder::admin`](crate::production::Builder::admin) serves it on a listener of its own, on a thread that requests
//! cannot starve, which is the better place: a readiness probe that waits behind requests takes a busy service out.
//!
//! # Example
//!
//! ```
//! use http::Request;
//! use seaworthy::core::lifecycle::Change;
//! use seaworthy::{Health, Lifecycle, probes::Endpoints};
//!
//! let life = Lifecycle::default();
//! let probes = Endpoints::new("orders", Health::default(), life.clone());
//! let status = |path| probes.answer(&Request::get(path).body(()).unwrap()).status().as_u16();
//! assert_eq!((status("/livez"), status("/readyz")), (200, 503)); // it is starting
//! life.apply(Change::ProgramReady);
//! assert_eq!((status("/livez"), status("/readyz")), (200, 200));
//! ```
//!
//! Source: the Kubernetes page "Liveness, Readiness, and Startup Probes".

mod answer;
mod breakers;
mod endpoints;
mod facts;
#[doc(hidden)]
pub mod format;
mod question;
mod report;
mod shape;
#[cfg(test)]
mod tests;

pub use endpoints::{Endpoints, Scrape};
#[doc(hidden)]
pub use facts::{Facts, Identity, Moment, Vitals};
#[doc(hidden)]
pub use question::{Manner, PATHS, Subject, UnknownFormat};
pub use report::{Report, Verdict, holds, together, without};
