//! What a URL says about where to connect, as whom, and how.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::net::Place;
use crate::secret::Secret;

/// A URL taken apart: its secrets apart from what may be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub(crate) scheme: String,
    pub(crate) place: Place,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    /// Without the slash in front; decoded.
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
}

/// Why a URL cannot be used. Never quotes it: it may carry a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("is not a URL ({0}); write it as \"{1}\", and percent-encode what is special in a password")]
    NotAUrl(url::ParseError, &'static str),
    #[error("begins with \"{found}:\", not with {expected}")]
    Scheme { found: String, expected: String },
    #[error("names no host: write it as \"{0}\"")]
    NoHost(&'static str),
    #[error("carries text that is not UTF-8")]
    NotUtf8,
}

/// What a kind expects of its URL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    /// The schemes with their ports; the first is the usual one.
    pub(crate) schemes: &'static [(&'static str, u16)],
    pub(crate) example: &'static str,
}

impl Expected {
    /// Takes a URL apart. A socket is named by a path in place of the host (`postgres://%2Frun%2Fpostgresql/db`), by
    /// `?host=/run/postgresql`, or by a scheme that ends in `unix`.
    pub(crate) fn parse(&self, text: &str) -> Result<Endpoint, EndpointError> {
        let url = Url::parse(&with_host(text.trim())).map_err(|error| EndpointError::NotAUrl(error, self.example))?;
        let scheme = url.scheme().to_owned();
        let Some((_, port)) = self.schemes.iter().find(|(known, _)| *known == scheme) else {
            let names: Vec<_> = self.schemes.iter().map(|(name, _)| format!("\"{name}:\"")).collect();
            return Err(EndpointError::Scheme { found: scheme, expected: names.join(" or ") });
        };
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8().map_err(|_| EndpointError::NotUtf8)?;
            Ok::<_, EndpointError>(text.into_owned())
        };
        let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let mut path = decoded(url.path().trim_start_matches('/'))?;
        let socket = query.get("host").filter(|host| host.starts_with('/')).map(PathBuf::from);
        let place = if scheme.ends_with("unix") {
            if path.is_empty() {
                return Err(EndpointError::NoHost(self.example));
            }
            Place::Unix(format!("/{}", std::mem::take(&mut path)).into())
        } else if let Some(socket) = socket {
            Place::Unix(socket)
        } else {
            let host = match url.host().ok_or(EndpointError::NoHost(self.example))? {
                Host::Domain(name) => decoded(name)?,
                Host::Ipv4(address) => address.to_string(),
                Host::Ipv6(address) => address.to_string(),
            };
            match host.is_empty() {
                true => return Err(EndpointError::NoHost(self.example)),
                false if host.starts_with('/') => Place::Unix(host.into()),
                false => Place::Tcp { host, port: url.port().unwrap_or(*port) },
            }
        };
        let user = Some(decoded(url.username())?).filter(|user| !user.is_empty());
        let password = url.password().map(decoded).transpose()?.map(Secret::new);
        Ok(Endpoint { scheme, place, user, password, path, query })
    }
}

/// Credentials without a host are those for this machine (libpq, 34.1.1.2); a URL has no such thing.
fn with_host(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else { return text.into() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.ends_with('@') { format!("{scheme}://{authority}localhost{path}").into() } else { text.into() }
}

impl Endpoint {
    /// Where it listens.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The name that a certificate must be for.
    pub(crate) fn host(&self) -> &str {
        match &self.place {
            Place::Tcp { host, .. } => host,
            Place::Unix(_) => "localhost",
        }
    }

    pub(crate) fn password(&self) -> Option<&str> {
        self.password.as_ref().map(Secret::expose)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.place)
    }
}

/// Parameters may carry anything, so only the place is shown.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REDIS: Expected = Expected {
        schemes: &[("redis", 6379), ("rediss", 6379), ("redis+unix", 0)],
        example: "redis://localhost:6379/0",
    };

    #[test]
    fn a_url_is_taken_apart_and_its_password_decoded() {
        let endpoint = REDIS.parse("redis://me:p%40ss@[::1]/2?x=1").unwrap();
        assert_eq!(endpoint.to_string(), "redis://[::1]:6379");
        assert_eq!((endpoint.user.as_deref(), endpoint.password()), (Some("me"), Some("p@ss")));
        assert_eq!((endpoint.path.as_str(), endpoint.query["x"].as_str()), ("2", "1"));
    }

    #[test]
    fn sockets_are_named_in_the_ways_people_write_them() {
        let place = |text: &str| REDIS.parse(text).unwrap().place;
        let socket = Place::Unix("/run/redis".into());
        assert_eq!(place("redis+unix:///run/redis"), socket);
        assert_eq!(place("redis://%2Frun%2Fredis/0"), socket);
        assert_eq!(place("redis://ignored/0?host=/run/redis"), socket);
        assert_eq!(place("redis+unix://:secret@/run/redis"), socket);
        assert_eq!(place("redis://:secret@/0").to_string(), "localhost:6379");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_url() {
        let refused = |text: &str| REDIS.parse(text).unwrap_err().to_string();
        assert_eq!(
            refused("postgres://me:hunter2@db"),
            "begins with \"postgres:\", not with \"redis:\" or \"rediss:\" or \"redis+unix:\""
        );
        assert!(refused("redis://me:hunter2@db:port").starts_with("is not a URL (invalid port number)"));
        assert_eq!(refused("redis:///0"), "names no host: write it as \"redis://localhost:6379/0\"");
    }

    proptest! {
        #[test]
        fn no_password_shows_up_anywhere(password in "[a-z]{12}", host in "[a-z]{1,8}") {
            let url = format!("redis://me:{password}@{host}:1/0?token={password}");
            let shown = match REDIS.parse(&url) {
                Ok(endpoint) => format!("{endpoint} {endpoint:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            prop_assert!(!shown.contains(&password));
        }

        #[test]
        fn any_text_is_judged(text in "\\PC{0,60}", password in "\\PC{0,20}") {
            let _ = REDIS.parse(&text);
            let _ = REDIS.parse(&format!("redis://u:{password}@h/{text}"));
        }
    }

    #[test]
    fn fuzz_no_url_shows_its_password() {
        const PASSWORD: &str = "hunter2hunter2";
        seaworthy_fuzz::drive_text("endpoint", |text| {
            for url in [text.to_owned(), format!("redis://me:{PASSWORD}@{text}")] {
                let shown = match REDIS.parse(&url) {
                    Ok(endpoint) => format!("{endpoint} {endpoint:?}"),
                    Err(error) => format!("{error} {error:?}"),
                };
                assert!(!shown.contains(PASSWORD), "{shown}");
            }
        });
    }
}
