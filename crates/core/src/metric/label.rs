//! Values of labels, kept within bounds.

use std::collections::HashSet;
use std::hash::Hash;

/// Stands for what has no name of its own: a method that no RFC knows, a route beyond the limit.
pub const OTHER: &str = "other";

/// The route of a path that nobody claimed.
pub const UNMATCHED: &str = "unmatched";

/// Longer routes are taken for URLs, of which there is no end.
const LONGEST_ROUTE: usize = 200;

/// Every value of the label `method` (RFC 9110, 9; RFC 5789).
pub const METHODS: [&str; 10] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", OTHER];

/// Where a method stands in [`METHODS`].
#[must_use]
pub fn method(method: &str) -> usize {
    METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len() - 1)
}

/// The label of a route as somebody told it.
#[must_use]
pub fn route(told: Option<&str>) -> &str {
    told.filter(|route| !route.is_empty() && route.len() <= LONGEST_ROUTE).unwrap_or(UNMATCHED)
}

/// Admits as many different keys as it may, and remembers which.
#[derive(Debug, Clone)]
pub struct SeriesLimit<K> {
    known: HashSet<K>,
    most: usize,
}

impl<K: Eq + Hash> SeriesLimit<K> {
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { known: HashSet::new(), most }
    }

    /// Whether this key may have a series. One that was admitted stays so.
    pub fn admit(&mut self, key: K) -> bool {
        if self.known.len() < self.most {
            self.known.insert(key);
            return true;
        }
        self.known.contains(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_no_rfc_knows_is_other() {
        let label = |name| METHODS[method(name)];
        assert_eq!(["GET", "PATCH", "get", "PROPFIND", ""].map(label), ["GET", "PATCH", OTHER, OTHER, OTHER]);
    }

    #[test]
    fn a_route_that_says_nothing_is_unmatched() {
        let long = "/x".repeat(150);
        assert_eq!([None, Some(""), Some(&*long), Some("/a")].map(route), [UNMATCHED, UNMATCHED, UNMATCHED, "/a"]);
    }

    #[test]
    fn a_limit_that_is_reached_still_knows_whom_it_admitted() {
        let mut limit = SeriesLimit::new(2);
        assert_eq!(["a", "b", "a", "c", "b", "c"].map(|key| limit.admit(key)), [true, true, true, false, true, false]);
    }
}
