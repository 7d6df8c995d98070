//! Which of several forms a client asks for by name: the header `Accept` (RFC 9110, 12.5.1).
//!
//! ```
//! use seaworthy_core::accept::Accept;
//!
//! let accept = Accept::parse("text/html, text/plain;q=0.5, */*;q=0.1");
//! assert_eq!(accept.named(&["application/json", "text/plain"]), Some("text/plain"));
//! ```

/// One entry of the header.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Range<'a> {
    media_type: &'a str,
    weight: f32,
}

/// What a client accepts.
#[derive(Debug, Clone, Default)]
pub struct Accept<'a>(Vec<Range<'a>>);

impl<'a> Accept<'a> {
    /// Reads the header. Entries that are none are passed over, as parameters other than the weight are.
    #[must_use]
    pub fn parse(header: &'a str) -> Self {
        Self(header.split(',').filter_map(Range::parse).collect())
    }

    /// The one of `offers` (media types, the favourite first) that the client likes best, of those that it names. `*/*`
    /// names nothing: a client that takes everything gets what is the default.
    #[must_use]
    pub fn named<'o>(&self, offers: &[&'o str]) -> Option<&'o str> {
        let mut best: Option<(&str, f32)> = None;
        for offer in offers {
            let range = self.0.iter().find(|range| range.media_type.eq_ignore_ascii_case(offer));
            let weight = range.map_or(0.0, |range| range.weight);
            if weight > best.map_or(0.0, |(_, weight)| weight) {
                best = Some((offer, weight));
            }
        }
        best.map(|(offer, _)| offer)
    }
}

impl<'a> Range<'a> {
    fn parse(entry: &'a str) -> Option<Self> {
        let mut parts = entry.split(';').map(str::trim);
        let media_type = parts.next().filter(|media_type| media_type.contains('/'))?;
        let mut weight = 1.0;
        for parameter in parts {
            if let Some(text) = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")) {
                weight = text.trim().parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight))?;
            }
        }
        Some(Self { media_type, weight })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERS: [&str; 2] = ["text/plain", "application/json"];

    fn named(header: &str) -> Option<&'static str> {
        Accept::parse(header).named(&OFFERS)
    }

    #[test]
    fn the_one_with_the_greatest_weight_is_taken_and_among_equals_our_favourite() {
        assert_eq!(named("application/json"), Some("application/json"));
        assert_eq!(named("text/plain;q=0.5, application/json;q=0.6"), Some("application/json"));
        assert_eq!(named("application/json, TEXT/plain"), Some("text/plain"));
        assert_eq!(named("text/html, application/json;version=1;q=0.9, */*;q=0.8"), Some("application/json"));
    }

    #[test]
    fn a_star_names_nothing_and_neither_does_what_is_refused() {
        for header in ["*/*", "text/*", "text/plain;q=0", "image/png"] {
            assert_eq!(named(header), None, "{header}");
        }
    }

    #[test]
    fn what_is_no_media_type_is_passed_over() {
        for header in ["", ",,;", "text", "text/plain;q=2", "text/plain;q=NaN", "text/plain;q=", "/;q="] {
            assert_eq!(named(header), None, "{header}");
        }
    }
}
