//! Which shape an answer of the library's probes takes.

use seaworthy_core::accept::Accept;

/// The shape of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Json,
    Kubernetes,
}

impl Shape {
    /// The names of all, for people.
    pub(super) const NAMES: &'static str = "default or kubernetes";

    /// As `?format=` names it.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        match name {
            "default" | "json" => Some(Self::Json),
            "kubernetes" => Some(Self::Kubernetes),
            _ => None,
        }
    }

    /// The one that `Accept` names. A star names nothing, and who takes everything gets JSON.
    pub(super) fn accepted(accept: &str) -> Self {
        match Accept::parse(accept).named(&["application/json", "text/plain"]) {
            Some("text/plain") => Self::Kubernetes,
            _ => Self::Json,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_names_plain_text_gets_it_and_a_star_names_nothing() {
        assert_eq!(Shape::accepted("text/plain"), Shape::Kubernetes);
        assert_eq!(Shape::accepted("application/json, text/plain"), Shape::Json);
        assert_eq!(Shape::accepted("*/*"), Shape::Json);
        assert_eq!(Shape::accepted(""), Shape::Json);
        assert_eq!(Shape::accepted("text/html, text/plain;q=0.5"), Shape::Kubernetes);
        assert_eq!(Shape::accepted("text/plain;q=0.5, application/json"), Shape::Json);
    }
}
