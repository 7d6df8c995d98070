//! What a request asks of the probes, read from its path and its query.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::Verdict;

/// The probes that are always there, and what they answer.
pub const PATHS: [(&str, Verdict); 8] = [
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
///
/// ```
/// use seaworthy::probes::{Subject, Verdict};
///
/// assert_eq!(Subject::of("/readyz"), Some(Subject::Verdict(Verdict::Ready)));
/// assert_eq!(Subject::of("/health/check/main%20db"), Some(Subject::Check("main db".into())));
/// assert_eq!(Subject::of("/orders"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject<'a> {
    /// One of [`PATHS`].
    Verdict(Verdict),
    /// `/health/check/NAME`
    Check(Cow<'a, str>),
    /// `/health/group/NAME`
    Group(Cow<'a, str>),
    /// `/health/dependencies`
    Dependencies,
}

impl<'a> Subject<'a> {
    /// What `path` asks about; `None` where it is no probe.
    #[must_use]
    pub fn of(path: &'a str) -> Option<Self> {
        if let Some((_, verdict)) = PATHS.iter().find(|(known, _)| *known == path) {
            return Some(Self::Verdict(*verdict));
        }
        if path == "/health/dependencies" {
            return Some(Self::Dependencies);
        }
        match path.strip_prefix("/health/")?.split_once('/')? {
            ("check", name) if !name.is_empty() => Some(Self::Check(percent_decode_str(name).decode_utf8_lossy())),
            ("group", name) if !name.is_empty() => Some(Self::Group(percent_decode_str(name).decode_utf8_lossy())),
            _ => None,
        }
    }
}

/// How it is asked: the query. `F` is a format that an answer can have.
#[derive(Debug)]
pub struct Manner<'a, F> {
    /// `?verbose` or `?deep=true`: every check, also those that decide nothing here.
    pub verbose: bool,
    /// `?exclude=NAME`, each time it was given.
    pub exclude: Vec<Cow<'a, str>>,
    /// `?format=NAME`
    pub format: Option<F>,
}

/// A format that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("format {0:?} is unknown")]
pub struct UnknownFormat(String);

/// A format of metrics that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("format {0:?} is unknown: use prometheus, openmetrics or json")]
pub(super) struct UnknownPage(String);

/// What is accepted of metrics: what the query says, or else the header.
pub(super) fn accepted<'a>(query: Option<&str>, accept: &'a str) -> Result<&'a str, UnknownPage> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let Some((_, format)) = pairs.find(|(key, _)| key == "format") else { return Ok(accept) };
    match &*format {
        "json" => Ok("application/json"),
        "prometheus" | "text" => Ok("text/plain"),
        "openmetrics" => Ok("application/openmetrics-text"),
        _ => Err(UnknownPage(format.into_owned())),
    }
}

impl<'a, F> Manner<'a, F> {
    /// Reads a query; `by_name` knows the formats that there are. What is unknown in it is passed over: probes are often called with a
    /// parameter against caches.
    ///
    /// # Errors
    ///
    /// [`UnknownFormat`] if a format is asked for that is none. It does not say which there are: only `by_name` knows.
    pub fn of(query: Option<&'a str>, by_name: impl Fn(&str) -> Option<F>) -> Result<Self, UnknownFormat> {
        let mut manner = Self { verbose: false, exclude: Vec::new(), format: None };
        for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match (&*key, &*value) {
                ("verbose" | "deep", value) => manner.verbose |= !matches!(value, "false" | "0"),
                ("exclude", _) => manner.exclude.push(value),
                ("format", name) => {
                    manner.format = Some(by_name(name).ok_or_else(|| UnknownFormat(name.to_owned()))?);
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

    fn manner(query: &str) -> Result<Manner<'_, usize>, UnknownFormat> {
        Manner::of(Some(query), |name| ["default", "kubernetes"].iter().position(|known| *known == name))
    }

    #[test]
    fn names_may_be_percent_encoded() {
        assert_eq!(Subject::of("/health/check/main%20db"), Some(Subject::Check("main db".into())));
        assert_eq!(Subject::of("/health/group/a/b"), Some(Subject::Group("a/b".into())));
        assert_eq!(Subject::of("/health/dependencies"), Some(Subject::Dependencies));
        for none in ["/health/", "/health/check", "/health/check/", "/healthy", "", "/health/dependencies/x"] {
            assert_eq!(Subject::of(none), None, "{none}");
        }
    }

    #[test]
    fn the_query_is_read_in_the_ways_people_write_it() {
        let asked = manner("verbose&exclude=a&exclude=main%20db&format=kubernetes&_=17").unwrap();
        assert!(asked.verbose);
        assert_eq!(asked.exclude, ["a", "main db"]);
        assert_eq!(asked.format, Some(1));
        assert!(!manner("verbose=0").unwrap().verbose);
        assert!(manner("deep=true").unwrap().verbose);
        assert_eq!(manner("").unwrap().format, None);
        assert_eq!(manner("format=xml").unwrap_err().to_string(), r#"format "xml" is unknown"#);
    }

    #[test]
    fn the_query_says_more_about_metrics_than_the_header() {
        assert_eq!(accepted(None, "text/plain"), Ok("text/plain"));
        assert_eq!(accepted(Some("_=1&format=json"), "text/plain"), Ok("application/json"));
        assert_eq!(accepted(Some("format=openmetrics"), ""), Ok("application/openmetrics-text"));
        let refused = accepted(Some("format=xml"), "").unwrap_err().to_string();
        assert_eq!(refused, r#"format "xml" is unknown: use prometheus, openmetrics or json"#);
    }

    #[test]
    fn fuzz_any_request_target_asks_for_something_or_nothing() {
        seaworthy_fuzz::drive_text("probe-target", |target| {
            let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
            if Subject::of(path).is_some() {
                assert!(path.starts_with('/'));
            }
            if let Err(unknown) = Manner::of(query, |_| None::<()>) {
                assert!(!unknown.to_string().contains(['\n', '\r', '\x1b']), "{unknown}");
            }
        });
    }
}
