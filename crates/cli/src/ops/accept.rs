//! Which of several forms a client would rather have: the header `Accept` (RFC 9110, 12.5.1).

/// One entry of the header.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    weight: f32,
}

/// What a client accepts. Without the header it accepts everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Accept<'a>(Vec<Range<'a>>);

impl<'a> Accept<'a> {
    /// Reads the header. Entries that are none are passed over, as parameters are.
    pub(super) fn parse(header: &'a str) -> Self {
        Self(header.split(',').filter_map(Range::parse).collect())
    }

    /// The first of `offers` (media types, the server's favourite first) among those that the client likes best; `None`
    /// where it wants none of them.
    pub(super) fn best<'o>(&self, offers: &[&'o str]) -> Option<&'o str> {
        if self.0.is_empty() {
            return offers.first().copied();
        }
        self.preferred(offers, |_| true)
    }

    /// As [`Accept::best`], but only what the client names: `*/*` chooses nothing.
    pub(super) fn named<'o>(&self, offers: &[&'o str]) -> Option<&'o str> {
        self.preferred(offers, |range| range.subtype != "*")
    }

    fn preferred<'o>(&self, offers: &[&'o str], counts: impl Fn(&Range<'_>) -> bool) -> Option<&'o str> {
        let mut best: Option<(&str, f32)> = None;
        for offer in offers {
            // The most specific range decides, whatever its weight.
            let ranges = self.0.iter().filter(|range| counts(range) && range.matches(offer));
            let weight = ranges.max_by_key(|range| range.specificity()).map_or(0.0, |range| range.weight);
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
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut weight = 1.0;
        for parameter in parts {
            if let Some(text) = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")) {
                weight = text.trim().parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight))?;
            }
        }
        Some(Self { kind: kind.trim(), subtype: subtype.trim(), weight })
    }

    fn matches(&self, offer: &str) -> bool {
        let Some((kind, subtype)) = offer.split_once('/') else { return false };
        let fits = |range: &str, offered: &str| range == "*" || range.eq_ignore_ascii_case(offered);
        fits(self.kind, kind) && fits(self.subtype, subtype)
    }

    fn specificity(&self) -> u8 {
        u8::from(self.kind != "*") + u8::from(self.subtype != "*")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERS: [&str; 2] = ["text/plain", "application/openmetrics-text"];

    #[test]
    fn without_the_header_or_with_any_the_first_offer_is_taken() {
        assert_eq!(Accept::default().best(&OFFERS), Some("text/plain"));
        assert_eq!(Accept::parse("*/*").best(&OFFERS), Some("text/plain"));
    }

    #[test]
    fn the_weights_of_prometheus_are_followed() {
        let header = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Accept::parse(header).best(&OFFERS), Some("application/openmetrics-text"));
        let header = "application/openmetrics-text;q=0.2, text/plain;q=0.9";
        assert_eq!(Accept::parse(header).best(&OFFERS), Some("text/plain"));
    }

    #[test]
    fn a_refused_type_is_not_given_although_everything_else_is_welcome() {
        assert_eq!(Accept::parse("text/plain;q=0, */*").best(&OFFERS), Some("application/openmetrics-text"));
        assert_eq!(Accept::parse("image/png").best(&OFFERS), None);
    }

    #[test]
    fn a_star_names_nothing() {
        assert_eq!(Accept::parse("*/*, text/*").named(&OFFERS), None);
        assert_eq!(Accept::parse("TEXT/plain").named(&OFFERS), Some("text/plain"));
    }

    #[test]
    fn what_is_no_media_type_is_passed_over() {
        for header in ["", ",,;", "text", "text/plain;q=2", "text/plain;q=NaN", "/;q="] {
            assert_eq!(Accept::parse(header).named(&OFFERS), None, "{header}");
        }
    }
}
