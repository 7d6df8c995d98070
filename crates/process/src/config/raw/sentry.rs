//! The table `[sentry]`.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Time;
use crate::config::units::{As, FilePath, Ratio, SecretSource};

/// Reports for Sentry: panics, answers of 5xx that are ours, deaths of the program, breakers that open, every shutdown, and
/// checks that fail for long. Secrets are redacted, and one cause is reported once a minute at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Sentry {
    /// Where reports go; without one there are none.
    #[cfg_attr(test, schemars(extend("x-default" = "`SENTRY_DSN`, else none", "x-restart" = true, "examples" = [{ "file": "/run/secrets/sentry-dsn" }])))]
    pub(crate) dsn: Option<As<SecretSource>>,

    /// The environment that reports name.
    #[cfg_attr(test, schemars(extend("x-default" = "`SENTRY_ENVIRONMENT`, else `environment`", "x-restart" = true, "examples" = ["production"])))]
    pub(crate) environment: Option<String>,

    /// The release that reports name.
    #[cfg_attr(test, schemars(extend("x-default" = "`SENTRY_RELEASE`, else `service@version` where there is a version", "x-restart" = true, "examples" = ["orders@1.4.2"])))]
    pub(crate) release: Option<String>,

    /// What part of all requests is sent as transactions; else `SENTRY_TRACES_SAMPLE_RATE`.
    #[cfg_attr(test, schemars(extend("x-restart" = true)))]
    pub(crate) traces_sample_rate: As<Ratio>,

    /// How long a check must fail before it is reported.
    #[cfg_attr(test, schemars(extend("x-restart" = true)))]
    pub(crate) check_failed_after: Time,

    /// The authorities, in PEM, whose certificates are believed besides the public ones.
    #[cfg_attr(test, schemars(extend("x-default" = "none", "x-restart" = true, "examples" = ["/etc/ssl/sentry-ca.pem"])))]
    pub(crate) ca_file: Option<As<FilePath>>,
}

impl Default for Sentry {
    fn default() -> Self {
        Self {
            dsn: None,
            environment: None,
            release: None,
            traces_sample_rate: As(Ratio(0.0)),
            check_failed_after: super::seconds(5 * 60),
            ca_file: None,
        }
    }
}
