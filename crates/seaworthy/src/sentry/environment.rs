//! What the variables `SENTRY_*` say.
//!
//! Their names are those that the SDKs read: <https://docs.sentry.io/platforms/python/configuration/options/>. The names are not ours
//! alone: but for the DSN, what cannot be read is told and passed over, and never stops a service.
//!
//! ```
//! use seaworthy::sentry::Environment;
//!
//! let variables = |name: &str| (name == "SENTRY_DSN").then(|| "https://key@o1.ingest.sentry.io/42".to_owned());
//! let settings = Environment::read(variables).settings("orders")?.expect("there is a DSN");
//! assert!(!format!("{settings:?}").contains("key@"));
//! # Ok::<(), seaworthy::sentry::DsnError>(())
//! ```

use std::fmt;

use super::{DsnError, Settings};

/// What the environment says of Sentry. What it does not say is `None`.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Environment {
    /// `SENTRY_DSN`. It holds a key: nothing that prints this shows it.
    pub dsn: Option<String>,
    /// `SENTRY_ENVIRONMENT`, as `staging`.
    pub environment: Option<String>,
    /// `SENTRY_RELEASE`, as `orders@1.4.2`.
    pub release: Option<String>,
    /// `SENTRY_TRACES_SAMPLE_RATE`, from 0 to 1.
    pub traces_sample_rate: Option<f64>,
    /// Variables that say nothing that can be used, each with what is wrong.
    pub misread: Vec<(&'static str, &'static str)>,
}

/// How the variable of the sample rate is called.
const RATE: &str = "SENTRY_TRACES_SAMPLE_RATE";

impl Environment {
    /// Reads it through `variable`, which knows the values. An empty one is none.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name: &str| variable(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let rate = text(RATE).map(|text| text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate)));
        let mut misread = Vec::new();
        if rate == Some(None) {
            misread.push((RATE, "is not a number from 0 to 1"));
        }
        Self {
            dsn: text("SENTRY_DSN"),
            environment: text("SENTRY_ENVIRONMENT"),
            release: text("SENTRY_RELEASE"),
            traces_sample_rate: rate.flatten(),
            misread,
        }
    }

    /// The settings that it makes for the service `service`; `None` where there is no DSN.
    ///
    /// # Errors
    ///
    /// [`DsnError`] if the DSN is none: a service whose reports go nowhere should not look as if they arrived.
    pub fn settings(&self, service: &str) -> Result<Option<Settings>, DsnError> {
        let Some(dsn) = &self.dsn else { return Ok(None) };
        let mut settings = Settings::new(dsn.parse()?, service).release(self.release.clone());
        if let Some(environment) = &self.environment {
            settings = settings.environment(environment);
        }
        if let Some(rate) = self.traces_sample_rate {
            settings = settings.traces_sample_rate(rate);
        }
        Ok(Some(settings))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("dsn", &self.dsn.as_ref().map(|_| "***"))
            .field("environment", &self.environment)
            .field("release", &self.release)
            .field("traces_sample_rate", &self.traces_sample_rate)
            .field("misread", &self.misread)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Environment {
        Environment::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_a_dsn_nothing_is_reported_and_one_that_is_none_is_an_error() {
        assert!(read(&[("SENTRY_DSN", " ")]).settings("orders").unwrap().is_none());
        let refused = read(&[("SENTRY_DSN", "abracadabra")]);
        assert_eq!(refused.settings("orders").unwrap_err(), DsnError::Scheme);
        assert!(!format!("{refused:?}").contains("abracadabra"));
    }

    #[test]
    fn a_rate_that_cannot_be_read_is_told_and_passed_over() {
        for (text, rate) in [("0.25", Some(0.25)), ("2", None), ("all", None), ("NaN", None)] {
            let found = read(&[(RATE, text)]);
            assert_eq!((found.traces_sample_rate, found.misread.is_empty()), (rate, rate.is_some()), "{text}");
        }
    }
}
