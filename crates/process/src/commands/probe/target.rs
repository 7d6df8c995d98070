//! What can be probed, and how it is written.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// What is probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProbeTarget {
    /// One of the four verdicts, on the ops listener.
    Verdict(&'static str),
    /// A path on the ops listener.
    Path(String),
    /// Anything that answers HTTP.
    Url { url: String, addresses: Vec<SocketAddr>, host: String, path: String },
}

/// Why something cannot be probed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("{0:?} is no probe: use live, ready, startup, health, a path as in /health/ready, or a URL")]
    Unknown(String),
    #[error("{0:?} is no URL: write it as in http://127.0.0.1:8080/health")]
    NotAUrl(String),
    #[error("{0:?} asks for {1}: only http:// can be probed")]
    Scheme(String, String),
    // Not quoted: it holds a secret, and would stand in every process list too.
    #[error("the URL carries a user or a password: leave it out, and probe a path that needs none")]
    Credentials,
    #[error("{0:?} names the host {1}: names are not resolved here, write its address")]
    Name(String, String),
}

/// The paths where the verdicts are, whatever `probes.paths` does to the others.
pub(super) const VERDICTS: [(&str, &str); 4] =
    [("live", "/livez"), ("ready", "/readyz"), ("startup", "/startupz"), ("health", "/healthz")];

impl FromStr for ProbeTarget {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if let Some((verdict, _)) = VERDICTS.iter().find(|(verdict, _)| *verdict == text) {
            return Ok(Self::Verdict(verdict));
        }
        if text.starts_with('/') {
            let path = text.parse::<http::uri::PathAndQuery>();
            return path.map(|_| Self::Path(text.to_owned())).map_err(|_| TargetError::Unknown(text.to_owned()));
        }
        let Some((scheme, _)) = text.split_once("://") else { return Err(TargetError::Unknown(text.to_owned())) };
        if text.contains('@') {
            return Err(TargetError::Credentials);
        }
        if scheme != "http" {
            return Err(TargetError::Scheme(text.to_owned(), format!("{scheme}://")));
        }
        let malformed = || TargetError::NotAUrl(text.to_owned());
        let url: http::Uri = text.parse().map_err(|_| malformed())?;
        let authority = url.authority().ok_or_else(malformed)?;
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        let hosts = match name.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) if name.eq_ignore_ascii_case("localhost") => {
                vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            }
            Err(_) => return Err(TargetError::Name(text.to_owned(), name.to_owned())),
        };
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self::Url {
            url: text.to_owned(),
            addresses: hosts.into_iter().map(|host| SocketAddr::new(host, port)).collect(),
            host: authority.to_string(),
            path: url.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }
}

impl fmt::Display for ProbeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verdict(verdict) => verdict,
            Self::Path(path) => path,
            Self::Url { url, .. } => url,
        })
    }
}
