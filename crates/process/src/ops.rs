//! The ops listener: probes and metrics, read-only.
//!
//! # Rules
//!
//! - A probe is answered from the last snapshot: its cost depends neither on how many ask nor on how stuck a dependency
//!   is. It runs on a thread that the public's load cannot starve.
//! - Nothing here changes anything; that is what [`control`](crate::control) is for. So the listener may be bound
//!   wherever the kubelet and Prometheus reach it.
//! - Texts of errors are shown as `probes.details` says; everybody else sees the class of a failure.
//! - It outlives the public listener, and answers until the last flush.
//!
//! # Parts
//!
//! [`Probes`] decides, and knows neither socket nor clock; [`Endpoints`] adds the paths around it; [`Ops`] serves them on
//! the ops listener, and [`public`] on the public one.

mod answer;
mod endpoints;
mod facts;
mod format;
mod heartbeat;
mod listener;
mod probes;
mod public;
mod samples;
mod stream;
#[cfg(test)]
mod tests;
mod token;
mod turns;

pub(crate) use self::endpoints::{Endpoints, Scrape};
pub(crate) use self::facts::{Facts, Vitals, believed};
pub(crate) use self::listener::{Acceptor, Ops};
pub(crate) use self::probes::Probes;
pub(crate) use self::public::public;
pub(crate) use self::samples::Sampler;
