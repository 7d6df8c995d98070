//! What a request asks of the probes, read from its path and its query.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::Verdict;

/// The probes that are always there.
pub(super) const PATHS: [(&str, Verdict); 8] = [
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
    Check(Cow<'a, str>),
    Group(Cow<'a, str>),
    Dependencies,
}

impl<'a> Subject<'a> {
    /// What `path` asks about; `None` where it is no probe.
    pub(super) fn of(path: &'a str) -> Option<Self> {
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

/// The shape of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Shape {
    #[default]
    Json,
    Kubernetes,
}

/// How it is asked: the query, and what is accepted.
#[derive(Debug, Default)]
pub(super) struct Manner<'a> {
    pub(super) verbose: bool,
    pub(super) exclude: Vec<Cow<'a, str>>,
    pub(super) shape: Shape,
}

/// A format that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("format {0:?} is unknown: use default or kubernetes")]
pub(super) struct UnknownFormat(String);

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

impl<'a> Manner<'a> {
    /// What is unknown in the query is passed over: probes are often called with a parameter against caches.
    pub(super) fn of(query: Option<&'a str>, accept: &str) -> Result<Self, UnknownFormat> {
        let mut manner = Self::default();
        // The first that is named: a star names nothing, and who takes everything gets JSON.
        let named = accept.split(',').map(|range| range.split(';').next().unwrap_or_default().trim());
        if let Some("text/plain") = named.into_iter().find(|range| matches!(*range, "text/plain" | "application/json"))
        {
            manner.shape = Shape::Kubernetes;
        }
        for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match (&*key, &*value) {
                ("verbose" | "deep", value) => manner.verbose |= !matches!(value, "false" | "0"),
                ("exclude", _) => manner.exclude.push(value),
                ("format", "default" | "json") => manner.shape = Shape::Json,
                ("format", "kubernetes") => manner.shape = Shape::Kubernetes,
                ("format", name) => return Err(UnknownFormat(name.to_owned())),
                _ => {}
            }
        }
        Ok(manner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_be_percent_encoded() {
        assert_eq!(Subject::of("/health/check/main%20db"), Some(Subject::Check("main db".into())));
        assert_eq!(Subject::of("/health/group/a/b"), Some(Subject::Group("a/b".into())));
        for none in ["/health/", "/health/check", "/health/check/", "/healthy", "", "/health/dependencies/x"] {
            assert_eq!(Subject::of(none), None, "{none}");
        }
    }

    #[test]
    fn the_query_is_read_in_the_ways_people_write_it() {
        let manner = Manner::of(Some("verbose&exclude=a&exclude=main%20db&format=kubernetes&_=17"), "").unwrap();
        assert!(manner.verbose && manner.shape == Shape::Kubernetes);
        assert_eq!(manner.exclude, ["a", "main db"]);
        assert!(!Manner::of(Some("verbose=0"), "").unwrap().verbose);
        let refused = Manner::of(Some("format=xml"), "").unwrap_err().to_string();
        assert_eq!(refused, r#"format "xml" is unknown: use default or kubernetes"#);
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
    fn whoever_names_plain_text_gets_it_and_a_star_names_nothing() {
        let shape = |accept| Manner::of(None, accept).unwrap().shape;
        assert_eq!(shape("text/plain"), Shape::Kubernetes);
        assert_eq!(shape("application/json, text/plain"), Shape::Json);
        assert_eq!(shape("*/*"), Shape::Json);
        assert_eq!(shape("text/html, text/plain;q=0.5"), Shape::Kubernetes);
    }
}
