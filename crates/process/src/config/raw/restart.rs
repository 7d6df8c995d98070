//! The table `[restart]`.

use std::num::NonZeroU32;
use std::time::Duration;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Time, seconds};
use crate::config::units::As;

/// When a program that died is started again, and when we give up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Restart {
    /// Which exits lead to a restart; after any other we exit with the program's code.
    pub(crate) policy: RestartPolicy,

    /// How long to wait before the first restart. Doubled each time, with jitter.
    pub(crate) backoff: Time,

    /// The longest wait.
    pub(crate) max_backoff: Time,

    /// After this many deaths within `window` we give up and exit with the program's code, so that the platform sees it.
    pub(crate) deaths: NonZeroU32,

    /// The time in which `deaths` are counted.
    pub(crate) window: Time,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            policy: RestartPolicy::Always,
            backoff: As(Duration::from_millis(500)),
            max_backoff: seconds(10),
            deaths: NonZeroU32::new(3).expect("3 is not 0"),
            window: seconds(60),
        }
    }
}

/// Which exits of the program lead to a restart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RestartPolicy {
    /// Every exit that we did not ask for.
    #[default]
    Always,
    /// A signal, or a code other than 0.
    OnFailure,
    /// None.
    Never,
}
