//! The table `[cors]`.

use std::time::Duration;

use http::{HeaderName, Method};
#[cfg(test)]
use schemars::JsonSchema;
use seaworthy::cors::{EXPOSED, HEADERS, METHODS};
use serde::{Deserialize, Serialize};

use super::Time;
use crate::config::units::{As, Kind, Origin};

/// Which pages of other origins may read answers, those of refusals included: cross-origin resource sharing. Preflights are
/// answered without asking the program, and what the program itself says of sharing is taken off. Without an origin nothing is
/// added, asked or taken off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Cors {
    /// Whose pages: an origin as it is, all hosts below one (`https://*.example.com`), any port of one (`http://localhost:*`), or
    /// `*` alone for every page.
    #[cfg_attr(test, schemars(extend("examples" = [["https://app.example.com", "https://*.preview.example.com"]])))]
    pub(crate) origins: Vec<As<Origin>>,

    /// With which methods. `GET`, `HEAD` and plain forms need no leave.
    pub(crate) methods: Vec<As<Method>>,

    /// With which headers; `*` for whatever a page asks for.
    pub(crate) headers: Vec<As<HeaderName>>,

    /// Which headers of answers they may read, besides those that pages always may.
    pub(crate) exposed_headers: Vec<As<HeaderName>>,

    /// Whether they may act as whoever is logged in: with cookies, or with certificates. Never together with `*`.
    pub(crate) credentials: bool,

    /// How long a browser may remember what it was allowed, in whole seconds. Chrome remembers it for two hours at most.
    pub(crate) max_age: Time,
}

impl Default for Cors {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            methods: read(METHODS),
            headers: read(HEADERS),
            exposed_headers: read(EXPOSED),
            credentials: false,
            max_age: As(Duration::from_mins(10)),
        }
    }
}

/// The library's own defaults.
fn read<T: Kind>(names: &[&str]) -> Vec<As<T>> {
    names.iter().filter_map(|name| T::read(&(*name).into()).ok().map(As)).collect()
}
