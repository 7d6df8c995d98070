//! What is asked in the background.

use std::time::Duration;

use seaworthy::core::health::{Affects, Policy};
use seaworthy_checks::kinds::Spec;

use crate::config::units::Secret;

/// A check, ready to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    /// Unique.
    pub(crate) name: String,
    pub(crate) spec: Spec,
    pub(crate) affects: Affects,
    pub(crate) group: Option<String>,
    pub(crate) gates_start: bool,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) policy: Policy,
    /// Names of other checks; free of circles.
    pub(crate) depends_on: Vec<String>,
    pub(crate) labels: Vec<(String, String)>,
    /// By which signs of life are taken on the public listener; `None` means that they are not.
    pub(crate) token: Option<Secret>,
}
