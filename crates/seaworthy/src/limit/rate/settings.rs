//! What a rate limit is set to.

use std::sync::Arc;

use http::HeaderName;
use ipnet::IpNet;
use seaworthy_core::limit::{Algorithm, Limit, LimitError, Rate};

/// Paths that no limit is about unless it is said.
const EXEMPT: [&str; 6] = ["/health", "/health/*", "/livez", "/readyz", "/startupz", "/metrics"];

/// Most keys that are known at a time.
const KEYS: usize = 1_000_000;

/// A limit that nobody gave a name is about all requests.
const NAME: &str = "all";

/// What a rate limit is set to. A [`Rate`] alone becomes one by `into`.
#[derive(Debug, Clone)]
pub struct RateLimit {
    pub(super) limit: Limit,
    pub(super) by: Option<HeaderName>,
    pub(super) paths: Paths,
    pub(super) networks: Vec<IpNet>,
    pub(super) keys: usize,
    pub(super) dry_run: bool,
    pub(super) name: Arc<str>,
}

impl RateLimit {
    /// So many in such a time, all of which may come at once; then evenly.
    pub fn new(rate: Rate) -> Self {
        Self {
            limit: Limit::new(rate),
            by: None,
            paths: EXEMPT.into_iter().collect(),
            networks: Vec::new(),
            keys: KEYS,
            dry_run: false,
            name: NAME.into(),
        }
    }

    /// How many may come at once. Default: the count of the rate.
    ///
    /// # Errors
    ///
    /// [`LimitError`] if it is 0, or takes more than a day to come back.
    pub fn burst(mut self, burst: u32) -> Result<Self, LimitError> {
        self.limit = self.limit.burst(burst)?;
        Ok(self)
    }

    /// How requests are counted. Default: [`Algorithm::Gcra`].
    #[must_use]
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.limit = self.limit.algorithm(algorithm);
        self
    }

    /// A client is whoever sends the same value of this header, such as a key of an API. Without it, or with one that cannot be
    /// believed because nothing has checked it yet, put the limit behind what checks it. Requests without the header go by address.
    #[must_use]
    pub fn by_header(mut self, name: HeaderName) -> Self {
        self.by = Some(name);
        self
    }

    /// Not for this path; with a `*` at its end, for none that begins so. Always exempt: probes and `/metrics`.
    #[must_use]
    pub fn exempt(mut self, path: &str) -> Self {
        self.paths.add(path);
        self
    }

    /// Not for clients of this network.
    #[must_use]
    pub fn exempt_network(mut self, network: IpNet) -> Self {
        self.networks.push(network);
        self
    }

    /// How many keys are known at a time; what is more shares some allowances. Default: 1,000,000, which take up to 50 MB when that many
    /// are busy.
    #[must_use]
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.keys = keys;
        self
    }

    /// What it is about, as the label `endpoint` of its metrics: the path, or the kind of request. Default: `all`.
    #[must_use]
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Counts whom it would refuse, and refuses nobody.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }
}

impl From<Rate> for RateLimit {
    fn from(rate: Rate) -> Self {
        Self::new(rate)
    }
}

/// Paths, and beginnings of paths.
#[derive(Debug, Clone, Default)]
pub(super) struct Paths {
    whole: Vec<Box<str>>,
    beginnings: Vec<Box<str>>,
}

impl Paths {
    fn add(&mut self, path: &str) {
        match path.strip_suffix('*') {
            Some(beginning) => self.beginnings.push(beginning.into()),
            None => self.whole.push(path.into()),
        }
    }

    pub(super) fn have(&self, path: &str) -> bool {
        self.whole.iter().any(|whole| **whole == *path)
            || self.beginnings.iter().any(|beginning| path.starts_with(&**beginning))
    }
}

impl<'p> FromIterator<&'p str> for Paths {
    fn from_iter<I: IntoIterator<Item = &'p str>>(paths: I) -> Self {
        let mut all = Self::default();
        paths.into_iter().for_each(|path| all.add(path));
        all
    }
}
