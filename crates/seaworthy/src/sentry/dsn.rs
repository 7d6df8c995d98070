//! The address of a project in Sentry, with the key that lets one report to it.

use std::fmt;
use std::str::FromStr;

use http::Uri;

/// `https://KEY@HOST/PROJECT`. Nothing that prints it shows the key.
#[derive(Clone, PartialEq, Eq)]
pub struct Dsn {
    key: String,
    /// Where envelopes are posted to.
    envelopes: Uri,
    /// As it may be shown.
    shown: String,
}

/// Why a text is no DSN. It never quotes the text, which holds a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DsnError {
    /// It is no URL of HTTP.
    #[error("it does not begin with https:// or http://")]
    Scheme,
    /// It names no key, or one with other characters than keys have.
    #[error("it has no key before an @")]
    Key,
    /// It names no host.
    #[error("it has no host")]
    Host,
    /// It names no project.
    #[error("it has no project at its end")]
    Project,
}

impl FromStr for Dsn {
    type Err = DsnError;

    fn from_str(text: &str) -> Result<Self, DsnError> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(DsnError::Scheme)?;
        if !matches!(scheme, "http" | "https") {
            return Err(DsnError::Scheme);
        }
        let (keys, rest) = rest.split_once('@').ok_or(DsnError::Key)?;
        // Old ones have a second key behind a colon, which nobody wants to see any more.
        let key = keys.split(':').next().unwrap_or_default();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return Err(DsnError::Key);
        }
        let rest = rest.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let (place, project) = rest.rsplit_once('/').ok_or(DsnError::Project)?;
        if project.is_empty() || !project.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(DsnError::Project);
        }
        let (host, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        let envelopes =
            Uri::builder().scheme(scheme).authority(host).path_and_query(format!("{path}/api/{project}/envelope/"));
        let envelopes = envelopes.build().map_err(|_| DsnError::Host)?;
        if envelopes.host().is_none_or(str::is_empty) {
            return Err(DsnError::Host);
        }
        Ok(Self { key: key.to_owned(), envelopes, shown: format!("{scheme}://***@{host}{path}/{project}") })
    }
}

impl Dsn {
    pub(super) fn envelopes(&self) -> &Uri {
        &self.envelopes
    }

    /// What identifies us to Sentry: `X-Sentry-Auth`.
    pub(super) fn authorization(&self) -> String {
        format!("Sentry sentry_version=7, sentry_client={}, sentry_key={}", crate::post::USER_AGENT, self.key)
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dsn({})", self.shown)
    }
}

impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dsn_says_where_envelopes_go_and_hides_its_key() {
        let dsn: Dsn = "https://abracadabra@o1.ingest.sentry.io/42".parse().unwrap();
        assert_eq!(dsn.envelopes(), "https://o1.ingest.sentry.io/api/42/envelope/");
        assert!(dsn.authorization().ends_with("sentry_key=abracadabra"));
        assert_eq!(dsn.to_string(), "https://***@o1.ingest.sentry.io/42");
        assert_eq!(format!("{dsn:?}"), "Dsn(https://***@o1.ingest.sentry.io/42)");
        let own: Dsn = "http://a:b@localhost:9000/behind/a/path/7/".parse().unwrap();
        assert_eq!(own.envelopes(), "http://localhost:9000/behind/a/path/api/7/envelope/");
    }

    #[test]
    fn what_is_none_is_refused_without_being_quoted() {
        for (text, error) in [
            ("", DsnError::Scheme),
            ("ftp://a@b/1", DsnError::Scheme),
            ("https://sentry.io/1", DsnError::Key),
            ("https://@sentry.io/1", DsnError::Key),
            ("https://a b@sentry.io/1", DsnError::Key),
            ("https://a@sentry.io", DsnError::Project),
            ("https://a@sentry.io/p q", DsnError::Project),
            ("https://a@/1", DsnError::Host),
            ("https://a@ b/1", DsnError::Host),
        ] {
            assert_eq!(text.parse::<Dsn>(), Err(error), "{text}");
        }
    }
}
