//! What a request asks of the probes, read from its path and its query.

use std::borrow::Cow;
use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use super::format::{self, Row};
use crate::config::Verdict;

/// The probes that are always there.
pub(super) const BUILT_IN: [(&str, Verdict); 8] = [
    ("/health", Verdict::Health),
    ("/health/live", Verdict::Live),
    ("/health/ready", Verdict::Ready),
    ("/health/startup", Verdict::Startup),
    ("/healthz", Verdict::Health),
    ("/livez", Verdict::Live),
    ("/readyz", Verdict::Ready),
    ("/startupz", Verdict::Startup),
];

/// What is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject<'a> {
    Verdict(Verdict),
    /// `/health/check/NAME`
    Check(Cow<'a, str>),
    /// `/health/group/NAME`
    Group(Cow<'a, str>),
    /// `/health/dependencies`
    Dependencies,
}

impl<'a> Subject<'a> {
    /// What `path` asks about; `None` where it is no probe. Paths of the config go before the built-in ones.
    pub(super) fn of(path: &'a str, paths: &BTreeMap<String, Verdict>) -> Option<Self> {
        if let Some(verdict) = paths.get(path) {
            return Some(Self::Verdict(*verdict));
        }
        if let Some((_, verdict)) = BUILT_IN.iter().find(|(known, _)| *known == path) {
            return Some(Self::Verdict(*verdict));
        }
        match path.strip_prefix("/health/")?.split_once('/') {
            Some(("check", name)) if !name.is_empty() => {
                Some(Self::Check(percent_decode_str(name).decode_utf8_lossy()))
            }
            Some(("group", name)) if !name.is_empty() => {
                Some(Self::Group(percent_decode_str(name).decode_utf8_lossy()))
            }
            None if path == "/health/dependencies" => Some(Self::Dependencies),
            _ => None,
        }
    }
}

/// How it is asked: the query.
#[derive(Debug, Default)]
pub(super) struct Manner<'a> {
    /// `?verbose` or `?deep=true`: every check, also those that decide nothing here.
    pub(super) verbose: bool,
    /// `?exclude=NAME`, each time it was given
    pub(super) exclude: Vec<Cow<'a, str>>,
    /// `?format=NAME`
    pub(super) format: Option<&'static Row>,
}

/// A format that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("format {0:?} is unknown: use {known}", known = format::names())]
pub(super) struct UnknownFormat(pub(super) String);

impl<'a> Manner<'a> {
    /// Reads a query. What is unknown in it is passed over: probes are often called with a parameter against caches.
    pub(super) fn of(query: Option<&'a str>) -> Result<Self, UnknownFormat> {
        let mut manner = Self::default();
        for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match (&*key, &*value) {
                ("verbose" | "deep", value) => manner.verbose |= !matches!(value, "false" | "0"),
                ("exclude", _) => manner.exclude.push(value),
                ("format", name) => {
                    manner.format = Some(format::by_name(name).ok_or_else(|| UnknownFormat(name.to_owned()))?);
                }
                _ => {}
            }
        }
        Ok(manner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(path: &str) -> Option<Subject<'_>> {
        Subject::of(path, &BTreeMap::new())
    }

    #[test]
    fn the_built_in_paths_are_those_that_the_config_knows() {
        assert_eq!(BUILT_IN.map(|(path, _)| path), crate::config::PROBE_PATHS);
    }

    #[test]
    fn a_path_of_the_config_goes_before_a_built_in_one() {
        let paths = BTreeMap::from([("/health".to_owned(), Verdict::Live)]);
        assert_eq!(Subject::of("/health", &paths), Some(Subject::Verdict(Verdict::Live)));
        assert_eq!(Subject::of("/healthz", &paths), Some(Subject::Verdict(Verdict::Health)));
    }

    #[test]
    fn names_may_be_percent_encoded() {
        assert_eq!(subject("/health/check/main%20db"), Some(Subject::Check("main db".into())));
        assert_eq!(subject("/health/group/a/b"), Some(Subject::Group("a/b".into())));
        assert_eq!(subject("/health/dependencies"), Some(Subject::Dependencies));
        for none in ["/health/", "/health/check", "/health/check/", "/healthy", "", "/health/dependencies/x"] {
            assert_eq!(subject(none), None, "{none}");
        }
    }

    #[test]
    fn the_query_is_read_in_the_ways_people_write_it() {
        let manner = Manner::of(Some("verbose&exclude=a&exclude=main%20db&format=kubernetes&_=17")).unwrap();
        assert!(manner.verbose);
        assert_eq!(manner.exclude, ["a", "main db"]);
        assert_eq!(manner.format.map(|row| row.name), Some("kubernetes"));
        assert!(!Manner::of(Some("verbose=0")).unwrap().verbose);
        assert!(Manner::of(Some("deep=true")).unwrap().verbose);
        let refused = Manner::of(Some("format=xml")).unwrap_err().to_string();
        assert_eq!(refused, r#"format "xml" is unknown: use default, kubernetes, actuator, microprofile or ietf"#);
    }

    #[test]
    fn fuzz_any_request_target_asks_for_something_or_nothing() {
        seaworthy_fuzz::drive_text("probe-target", |target| {
            let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
            if Subject::of(path, &BTreeMap::new()).is_some() {
                assert!(path.starts_with('/'));
            }
            if let Err(unknown) = Manner::of(query) {
                assert!(!unknown.to_string().contains(['\n', '\r', '\x1b']), "{unknown}");
            }
        });
    }
}
