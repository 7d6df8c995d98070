//! Where calls to others go: `https://api.stripe.com`, `http://billing.internal:8080/v2`.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use http::uri::{Authority, PathAndQuery, Scheme};
use serde_json::Value;

use super::target::{Host, host_of, split_port};
use super::{Complaint, Kind, text};

const HOW: &str = "write \"https://api.example.com\", with a port or a path where it needs one";

/// The origin of a service, and the path below which all of it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host,
    pub(crate) authority: Authority,
    /// Without a slash at its end: empty, or `/v2`.
    pub(crate) base: String,
}

impl Destination {
    /// Whether the address that is to be called stands in the URL itself, or is known to everybody.
    pub(crate) fn names(&self, address: IpAddr) -> bool {
        match &self.host {
            Host::Address(named) => *named == address,
            // RFC 6761, 6.3: it is loopback, wherever it is asked for.
            Host::Name(name) => name == "localhost" && address.is_loopback(),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.base)
    }
}

impl Kind for Destination {
    fn name() -> Cow<'static, str> {
        "URL".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "type": "string", "pattern": "^https?://[!-~]+$" })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        let text = text(value, "a URL", "https://api.example.com")?.trim();
        let (scheme, rest) = text.split_once("://").ok_or_else(|| Complaint::new("has no scheme", HOW))?;
        let scheme = match scheme {
            "http" => Scheme::HTTP,
            "https" => Scheme::HTTPS,
            _ => return Err(Complaint::new("has another scheme than http and https", HOW)),
        };
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        if authority.contains('@') {
            let hint = "leave it out: the program sends its own headers";
            return Err(Complaint::new("carries a user or a password", hint));
        }
        if text.contains(['?', '#']) {
            return Err(Complaint::new("carries a query or a fragment", "leave it out: each call brings its own"));
        }
        let (host, port) = split_port(authority);
        if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
            return Err(Complaint::new("has no port from 1 to 65535", HOW));
        }
        let no_host = || Complaint::new("has no host", HOW);
        let host = host_of(host).ok_or_else(no_host)?;
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let authority = format!("{host}{port}").parse().map_err(|_| no_host())?;
        let base = path.trim_end_matches('/');
        let valid = base.is_empty() || base.parse::<PathAndQuery>().is_ok_and(|path| path.as_str() == base);
        if !valid || base.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(Complaint::new("has a path that is none", HOW));
        }
        Ok(Self { scheme, host, authority, base: base.to_owned() })
    }

    fn write(&self) -> Value {
        self.to_string().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Destination, String> {
        Destination::read(&text.into()).map_err(|complaint| complaint.message)
    }

    #[test]
    fn a_url_is_an_origin_and_a_path_below_which_all_is() {
        for (text, written, base) in [
            ("https://api.stripe.com", "https://api.stripe.com", ""),
            ("https://API.stripe.com/", "https://api.stripe.com", ""),
            ("http://127.0.0.1:8080/v2/", "http://127.0.0.1:8080/v2", "/v2"),
            ("https://[::1]:8443", "https://[::1]:8443", ""),
        ] {
            let destination = read(text).unwrap();
            assert_eq!((destination.to_string().as_str(), destination.base.as_str()), (written, base));
        }
    }

    #[test]
    fn what_is_no_origin_is_refused_with_why() {
        for (text, why) in [
            ("api.stripe.com", "has no scheme"),
            ("ftp://a", "has another scheme than http and https"),
            ("https://", "has no host"),
            ("https://a b", "has no host"),
            ("https://a:0", "has no port from 1 to 65535"),
            ("https://user:secret@a", "carries a user or a password"),
            ("https://a/?key=1", "carries a query or a fragment"),
            ("https://a/b/../c", "has a path that is none"),
            ("https://a/b c", "has a path that is none"),
        ] {
            assert_eq!(read(text).unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn only_an_address_that_stands_in_the_url_is_named_by_it() {
        let names = |text, address: &str| read(text).unwrap().names(address.parse().unwrap());
        assert!(names("http://10.0.0.5", "10.0.0.5"));
        assert!(!names("http://10.0.0.5", "10.0.0.6"));
        assert!(names("http://localhost:3000", "127.0.0.1") && names("http://localhost", "::1"));
        assert!(!names("http://localhost", "10.0.0.5"));
        assert!(!names("https://api.example.com", "127.0.0.1"));
    }
}
