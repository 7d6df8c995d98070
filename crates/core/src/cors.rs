//! Which pages of other origins may read our answers: cross-origin resource sharing.
//!
//! # Rules
//!
//! - An origin is allowed if it is listed: as it is, by a pattern for the hosts below one (`https://*.example.com`) or for any port
//!   (`http://localhost:*`), or with all others by `*`.
//! - `*` and credentials together cannot be: any page could act as whoever is logged in. Browsers refuse it, too, but only when it is too
//!   late to tell anybody. The origin `null` cannot be listed either, since every sandboxed frame has it.
//! - `*` for methods or for headers that pages may read cannot be together with credentials either: there it is the name of a method or
//!   of a header like any other, which nobody has. `*` for headers of requests can, since those are named one by one.
//! - An explicit default port and capitals are taken as what browsers make of them.
//!
//! # In production
//!
//! It protects nothing: it loosens what browsers forbid. Whoever is no browser is not asked.
//!
//! Source: the Fetch standard, "CORS protocol", <https://fetch.spec.whatwg.org/#http-cors-protocol>; RFC 6454, 6.
//!
//! # Example
//!
//! ```
//! use seaworthy_core::cors::{CorsError, Policy};
//!
//! let policy = Policy::new(["https://app.example.com", "https://*.preview.example.com"])?.credentials(true)?;
//! assert!(policy.allows(b"https://pr-7.preview.example.com"));
//! assert!(!policy.allows(b"https://preview.example.com.evil.example"));
//!
//! let refused = Policy::new(["*"])?.credentials(true).unwrap_err();
//! assert_eq!(refused, CorsError::AnybodyWithCredentials);
//! # Ok::<(), CorsError>(())
//! ```

mod origin;

use std::time::Duration;

use self::origin::Origin;

/// Why a [`Policy`] cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CorsError {
    #[error("no origin is allowed: name one, as \"https://app.example.com\", or leave CORS out")]
    NoOrigin,
    #[error(
        "{0:?} is no origin: write a scheme, a host and a port unless it is the default one, without a path, as in \
         \"https://app.example.com\", \"https://*.example.com\" or \"http://localhost:*\""
    )]
    Origin(String),
    #[error("\"null\" would allow every sandboxed frame and every file: name the origins that are meant")]
    Null,
    #[error("\"*\" stands beside other origins: leave one or the others out")]
    AnybodyBesideOthers,
    #[error("\"*\" with credentials would let any page act as whoever is logged in: name the origins that may")]
    AnybodyWithCredentials,
    #[error("\"*\" among the {0} with credentials would be one of that very name: name those that are meant")]
    EachWithCredentials(&'static str),
    #[error("{0:?} is no method: write it as requests have it, in capitals, such as \"PUT\"")]
    Method(String),
    #[error("{0:?} is no name of a header: use letters, digits and hyphens")]
    Header(String),
}

/// The methods that are allowed when nobody says.
pub const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// The headers of requests that are allowed when nobody says, besides those that browsers always allow.
pub const HEADERS: &[&str] = &["authorization", "content-type"];

/// The headers of answers that pages may read when nobody says: what a refusal has to tell them.
pub const EXPOSED: &[&str] = &[
    "retry-after",
    "x-request-id",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "ratelimit",
    "ratelimit-policy",
];

/// Who may read what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// `None` for anybody.
    origins: Option<Vec<Origin>>,
    methods: Vec<String>,
    /// `None` for whatever a page asks for.
    headers: Option<Vec<String>>,
    exposed: Vec<String>,
    credentials: bool,
    max_age: Duration,
}

impl Policy {
    /// For these origins; see the [module](self) for how they are written.
    ///
    /// # Errors
    ///
    /// [`CorsError`] if there is none, one is none, or `*` stands beside others.
    pub fn new<O: AsRef<str>>(origins: impl IntoIterator<Item = O>) -> Result<Self, CorsError> {
        let (mut listed, mut anybody) = (Vec::new(), false);
        for origin in origins {
            match origin.as_ref().trim() {
                "*" => anybody = true,
                "null" => return Err(CorsError::Null),
                text => listed.push(Origin::parse(text).ok_or_else(|| CorsError::Origin(text.to_owned()))?),
            }
        }
        let origins = match (anybody, listed.is_empty()) {
            (true, true) => None,
            (true, false) => return Err(CorsError::AnybodyBesideOthers),
            (false, false) => Some(listed),
            (false, true) => return Err(CorsError::NoOrigin),
        };
        Ok(Self {
            origins,
            methods: owned(METHODS),
            headers: Some(owned(HEADERS)),
            exposed: owned(EXPOSED),
            credentials: false,
            max_age: Duration::from_mins(10),
        })
    }

    /// Which methods; `*` for any. Default: [`METHODS`].
    ///
    /// # Errors
    ///
    /// [`CorsError::Method`] if one is none, [`CorsError::EachWithCredentials`] if any is allowed with credentials.
    pub fn methods<M: AsRef<str>>(mut self, methods: impl IntoIterator<Item = M>) -> Result<Self, CorsError> {
        self.methods = tokens(methods, CorsError::Method)?;
        // Methods are compared as they are, and browsers send those that they know in capitals.
        if let Some(method) = self.methods.iter().find(|method| method.bytes().any(|byte| byte.is_ascii_lowercase())) {
            return Err(CorsError::Method(method.clone()));
        }
        self.coherent()
    }

    /// Which headers of requests; `*` for whatever a page asks for. Default: [`HEADERS`].
    ///
    /// # Errors
    ///
    /// [`CorsError::Header`] if one is none.
    pub fn headers<H: AsRef<str>>(mut self, headers: impl IntoIterator<Item = H>) -> Result<Self, CorsError> {
        let headers = tokens(headers, CorsError::Header)?;
        self.headers = if headers.iter().any(|header| header == "*") { None } else { Some(headers) };
        Ok(self)
    }

    /// Which headers of answers a page may read, besides those that it always may; `*` for all. Default: [`EXPOSED`].
    ///
    /// # Errors
    ///
    /// [`CorsError::Header`] if one is none, [`CorsError::EachWithCredentials`] if all are with credentials.
    pub fn exposed<H: AsRef<str>>(mut self, headers: impl IntoIterator<Item = H>) -> Result<Self, CorsError> {
        self.exposed = tokens(headers, CorsError::Header)?;
        self.coherent()
    }

    /// Whether pages may act as whoever is logged in: with cookies, or with certificates. Default: no.
    ///
    /// # Errors
    ///
    /// [`CorsError::AnybodyWithCredentials`] if every origin is allowed, [`CorsError::EachWithCredentials`] if every method is, or if
    /// all headers of answers may be read.
    pub fn credentials(mut self, credentials: bool) -> Result<Self, CorsError> {
        self.credentials = credentials;
        self.coherent()
    }

    /// What `*` may not stand beside (Fetch, "CORS protocol and credentials").
    fn coherent(self) -> Result<Self, CorsError> {
        let each = |names: &[String]| names.iter().any(|name| name == "*");
        match self {
            Self { credentials: false, .. } => Ok(self),
            Self { origins: None, .. } => Err(CorsError::AnybodyWithCredentials),
            Self { ref methods, .. } if each(methods) => Err(CorsError::EachWithCredentials("methods")),
            Self { ref exposed, .. } if each(exposed) => Err(CorsError::EachWithCredentials("exposed headers")),
            Self { .. } => Ok(self),
        }
    }

    /// How long a browser may remember what it was allowed, in whole seconds. Chrome remembers it for two hours at most, Firefox for a
    /// day. Default: 10 min.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Whether pages of `origin` may read answers.
    #[must_use]
    pub fn allows(&self, origin: &[u8]) -> bool {
        let Some(origins) = &self.origins else { return true };
        let Ok(origin) = std::str::from_utf8(origin) else { return false };
        origins.iter().any(|known| known.is(origin))
    }

    /// Whether every page may, so that no origin has to be named.
    #[must_use]
    pub fn allows_anybody(&self) -> bool {
        self.origins.is_none()
    }

    /// The methods, as they stand in the header.
    #[must_use]
    pub fn method_list(&self) -> String {
        self.methods.join(", ")
    }

    /// The headers of requests, as they stand in the header; `None` for whatever a page asks for.
    #[must_use]
    pub fn header_list(&self) -> Option<String> {
        self.headers.as_ref().map(|headers| headers.join(", "))
    }

    /// The headers of answers, as they stand in the header.
    #[must_use]
    pub fn exposed_list(&self) -> String {
        self.exposed.join(", ")
    }

    /// Whether pages may act as whoever is logged in.
    #[must_use]
    pub fn allows_credentials(&self) -> bool {
        self.credentials
    }

    /// How long a browser may remember it.
    #[must_use]
    pub fn remembered_for(&self) -> Duration {
        self.max_age
    }
}

/// Names as HTTP has them: tokens (RFC 9110, 5.6.2), of which `*` is one.
fn tokens<T: AsRef<str>>(
    names: impl IntoIterator<Item = T>,
    refused: impl Fn(String) -> CorsError,
) -> Result<Vec<String>, CorsError> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let name = |name: T| {
        let name = name.as_ref().trim();
        let fine = !name.is_empty() && name.bytes().all(known);
        if fine { Ok(name.to_owned()) } else { Err(refused(name.to_owned())) }
    };
    names.into_iter().map(name).collect()
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(origins: &[&str]) -> CorsError {
        Policy::new(origins).unwrap_err()
    }

    #[test]
    fn what_would_let_everybody_in_is_refused() {
        assert_eq!(refused(&[]), CorsError::NoOrigin);
        assert_eq!(refused(&["https://a.example", "null"]), CorsError::Null);
        assert_eq!(refused(&["*", "https://a.example"]), CorsError::AnybodyBesideOthers);
        let anybody = Policy::new(["*"]).unwrap();
        assert!(anybody.allows(b"https://anything") && anybody.allows_anybody());
        assert_eq!(anybody.credentials(true).unwrap_err(), CorsError::AnybodyWithCredentials);
    }

    #[test]
    fn a_star_that_would_be_a_mere_name_is_refused_in_whichever_order_it_comes() {
        let policy = || Policy::new(["https://a.example"]).unwrap();
        let with = || policy().credentials(true).unwrap();
        let any_method = Err(CorsError::EachWithCredentials("methods"));
        assert_eq!(with().methods(["*"]), any_method);
        assert_eq!(policy().methods(["*"]).unwrap().credentials(true), any_method);
        let all_read = Err(CorsError::EachWithCredentials("exposed headers"));
        assert_eq!(with().exposed(["x-a", "*"]), all_read);
        assert_eq!(policy().exposed(["*"]).unwrap().credentials(true), all_read);
        assert!(with().headers(["*"]).is_ok(), "they are named one by one");
    }

    #[test]
    fn names_that_no_request_can_have_are_refused_and_quoted() {
        let policy = || Policy::new(["https://a.example"]).unwrap();
        assert_eq!(policy().methods(["PUT", "GET, POST"]).unwrap_err(), CorsError::Method("GET, POST".to_owned()));
        assert_eq!(policy().methods(["put"]).unwrap_err(), CorsError::Method("put".to_owned()));
        assert_eq!(policy().headers(["x y"]).unwrap_err(), CorsError::Header("x y".to_owned()));
        assert_eq!(policy().exposed([""]).unwrap_err(), CorsError::Header(String::new()));
        assert_eq!(policy().headers(["x-a", "*"]).unwrap().header_list(), None);
        assert_eq!(policy().methods(["GET", "PUT"]).unwrap().method_list(), "GET, PUT");
    }
}
