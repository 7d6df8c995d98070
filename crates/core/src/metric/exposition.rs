//! Families and samples, written out in one of the formats.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write;
use std::time::Duration;

use super::Format;

/// What a family measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Only grows. Its name ends in `_total`.
    Counter,
    Gauge,
    Histogram,
    /// Quantiles, which only others calculate.
    Summary,
    /// For names that somebody's queries know and that break the rules of any other kind.
    Untyped,
}

/// The value of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Number {
    Integer(u64),
    Float(f64),
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Number {
    fn from(flag: bool) -> Self {
        Self::Integer(flag.into())
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<Duration> for Number {
    fn from(duration: Duration) -> Self {
        Self::Float(duration.as_secs_f64())
    }
}

/// One observation that stands for the others of its bucket. Only OpenMetrics shows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar {
    pub trace_id: u128,
    pub value: f64,
    /// Since 1970.
    pub time: Duration,
}

/// What a histogram observed.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'o> {
    /// Upper bounds, ascending, without the infinite one.
    pub bounds: &'o [f64],
    /// How many fell into each bucket: one more than bounds, and not cumulated.
    pub counts: &'o [u64],
    pub sum: f64,
    pub exemplar: Option<Exemplar>,
}

/// A page of metrics.
#[derive(Debug)]
pub struct Exposition {
    format: Format,
    out: String,
    /// Of families and their samples, in either format.
    names: HashSet<String>,
}

impl Exposition {
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self { format, out: String::with_capacity(16 * 1024), names: HashSet::new() }
    }

    /// The format of this page.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The name under which a family can stand on this page: its own, or with `app_` before it where that is taken.
    #[must_use]
    pub fn free_name<'n>(&self, name: &'n str, kind: Kind) -> Cow<'n, str> {
        let mut free = Cow::Borrowed(name);
        while names(&free, kind).any(|name| self.names.contains(&*name)) {
            free = Cow::Owned(format!("app_{free}"));
        }
        free
    }

    /// Begins a family; its samples follow at once, and together.
    pub fn family<'e>(&'e mut self, name: &'e str, kind: Kind, help: &str) -> Family<'e> {
        let (described, kind_name) = match (self.format, kind) {
            // OpenMetrics gives the suffix to the sample, not to the family.
            (Format::OpenMetrics, Kind::Counter) => (name.strip_suffix("_total").unwrap_or(name), "counter"),
            (Format::Text, Kind::Counter) => (name, "counter"),
            (_, Kind::Gauge) => (name, "gauge"),
            (_, Kind::Histogram) => (name, "histogram"),
            (_, Kind::Summary) => (name, "summary"),
            (Format::OpenMetrics, Kind::Untyped) => (name, "unknown"),
            (Format::Text, Kind::Untyped) => (name, "untyped"),
        };
        self.names.extend(names(name, kind).map(Cow::into_owned));
        let out = &mut self.out;
        out.push_str("# HELP ");
        out.push_str(described);
        out.push(' ');
        escape(out, help, self.format == Format::OpenMetrics);
        out.push_str("\n# TYPE ");
        out.push_str(described);
        out.push(' ');
        out.push_str(kind_name);
        out.push('\n');
        Family { name, exposition: self }
    }

    /// The page as it goes out.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out.into_bytes()
    }
}

/// Every name that a family takes. Those of both formats, so that a family is called the same in each.
fn names(name: &str, kind: Kind) -> impl Iterator<Item = Cow<'_, str>> {
    let suffixes: &[&str] = match kind {
        Kind::Histogram => &["_bucket", "_count", "_sum"],
        Kind::Summary => &["_count", "_sum"],
        Kind::Counter | Kind::Gauge | Kind::Untyped => &[],
    };
    let bare = name.strip_suffix("_total").filter(|_| kind == Kind::Counter);
    let of_samples = suffixes.iter().map(move |suffix| Cow::Owned(format!("{name}{suffix}")));
    std::iter::once(Cow::Borrowed(name)).chain(bare.map(Cow::Borrowed)).chain(of_samples)
}

/// A family under way.
#[derive(Debug)]
pub struct Family<'e> {
    name: &'e str,
    exposition: &'e mut Exposition,
}

impl Family<'_> {
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<Number>) -> &mut Self {
        self.head("", labels, None);
        self.value(value.into());
        self.exposition.out.push('\n');
        self
    }

    pub fn histogram(&mut self, labels: &[(&str, &str)], observed: &Observed<'_>) -> &mut Self {
        let mut cumulated = 0;
        let bounds = observed.bounds.iter().copied().chain(std::iter::once(f64::INFINITY));
        let mut exemplar = observed.exemplar.filter(|_| self.exposition.format == Format::OpenMetrics);
        for (bound, count) in bounds.zip(observed.counts) {
            cumulated += count;
            self.head("_bucket", labels, Some(bound));
            self.value(cumulated.into());
            if let Some(exemplar) = exemplar.take_if(|exemplar| exemplar.value <= bound) {
                let Exemplar { trace_id, value, time } = exemplar;
                let time = time.as_secs_f64();
                // A write into memory does not fail.
                let _ = write!(self.exposition.out, " # {{trace_id=\"{trace_id:032x}\"}} {value} {time:.3}");
            }
            self.exposition.out.push('\n');
        }
        self.head("_sum", labels, None);
        self.value(observed.sum.into());
        self.exposition.out.push('\n');
        self.head("_count", labels, None);
        self.value(cumulated.into());
        self.exposition.out.push('\n');
        self
    }

    /// A sample of somebody else's: `suffix` is what its name has beyond the family's, and `value` a number as both formats
    /// spell it.
    pub(super) fn as_is(&mut self, suffix: &str, labels: &[(&str, &str)], value: &str) {
        self.head(suffix, labels, None);
        self.exposition.out.push_str(value);
        self.exposition.out.push('\n');
    }

    fn head(&mut self, suffix: &str, labels: &[(&str, &str)], bound: Option<f64>) {
        let Exposition { format, out, .. } = &mut *self.exposition;
        out.push_str(self.name);
        out.push_str(suffix);
        if labels.is_empty() && bound.is_none() {
            out.push(' ');
            return;
        }
        let mut separator = '{';
        for (name, value) in labels {
            out.push(separator);
            out.push_str(name);
            out.push_str("=\"");
            escape(out, value, true);
            out.push('"');
            separator = ',';
        }
        if let Some(bound) = bound {
            out.push(separator);
            out.push_str("le=\"");
            match format {
                // The canonical form of a float there, so that `le` is the same for every exposer.
                Format::OpenMetrics if bound.is_finite() => {
                    let _ = write!(out, "{bound:?}");
                }
                _ => float(out, bound),
            }
            out.push('"');
        }
        out.push_str("} ");
    }

    fn value(&mut self, value: Number) {
        let out = &mut self.exposition.out;
        match value {
            Number::Integer(integer) => {
                let _ = write!(out, "{integer}");
            }
            Number::Float(number) => float(out, number),
        }
    }
}

fn float(out: &mut String, number: f64) {
    // Written with a sign: that is how both formats spell it, and Rust does not.
    if number == f64::INFINITY {
        out.push_str("+Inf");
    } else if number == f64::NEG_INFINITY {
        out.push_str("-Inf");
    } else {
        let _ = write!(out, "{number}");
    }
}

fn escape(out: &mut String, text: &str, quotes: bool) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(format: Format) -> String {
        let mut exposition = Exposition::new(format);
        exposition.family("a_total", Kind::Counter, "With \"quotes\"\nand \\.").sample(&[], 1_u64);
        exposition.family("b", Kind::Gauge, "B.").sample(&[("x", "a\"b\\c\nd")], 0.5).sample(&[], f64::NEG_INFINITY);
        exposition.family("size_total", Kind::Untyped, "Known by this name.").sample(&[], true);
        let exemplar = Exemplar { trace_id: 0xabc, value: 0.7, time: Duration::from_millis(1_500) };
        let observed = Observed { bounds: &[0.5, 1.0], counts: &[1, 2, 3], sum: 9.5, exemplar: Some(exemplar) };
        exposition.family("d_seconds", Kind::Histogram, "D.").histogram(&[("r", "/")], &observed);
        String::from_utf8(exposition.finish()).expect("UTF-8")
    }

    #[test]
    fn text_is_as_the_format_has_it() {
        let text = [
            r#"# HELP a_total With "quotes"\nand \\."#,
            "# TYPE a_total counter",
            "a_total 1",
            "# HELP b B.",
            "# TYPE b gauge",
            r#"b{x="a\"b\\c\nd"} 0.5"#,
            "b -Inf",
            "# HELP size_total Known by this name.",
            "# TYPE size_total untyped",
            "size_total 1",
            "# HELP d_seconds D.",
            "# TYPE d_seconds histogram",
            r#"d_seconds_bucket{r="/",le="0.5"} 1"#,
            r#"d_seconds_bucket{r="/",le="1"} 3"#,
            r#"d_seconds_bucket{r="/",le="+Inf"} 6"#,
            r#"d_seconds_sum{r="/"} 9.5"#,
            r#"d_seconds_count{r="/"} 6"#,
            "",
        ];
        assert_eq!(page(Format::Text), text.join("\n"));
    }

    #[test]
    fn openmetrics_moves_the_suffix_shows_exemplars_and_ends() {
        let page = page(Format::OpenMetrics);
        for line in [
            r#"# HELP a With \"quotes\"\nand \\."#,
            "# TYPE a counter",
            "a_total 1",
            "# TYPE size_total unknown",
            r#"d_seconds_bucket{r="/",le="1.0"} 3 # {trace_id="00000000000000000000000000000abc"} 0.7 1.500"#,
        ] {
            assert!(page.lines().any(|shown| shown == line), "{line}\n{page}");
        }
        assert!(page.ends_with("\n# EOF\n"));
    }

    #[test]
    fn a_name_that_is_taken_gives_way_in_either_format() {
        let mut exposition = Exposition::new(Format::Text);
        exposition.family("a_total", Kind::Counter, "A.");
        exposition.family("d", Kind::Histogram, "D.");
        exposition.family("app_d_sum", Kind::Gauge, "D.");
        for (name, kind, free) in [
            ("a_total", Kind::Counter, "app_a_total"),
            ("a", Kind::Gauge, "app_a"),
            ("d_sum", Kind::Gauge, "app_app_d_sum"),
            ("app_d", Kind::Histogram, "app_app_d"),
            ("e", Kind::Histogram, "e"),
        ] {
            assert_eq!(exposition.free_name(name, kind), free);
        }
    }

    proptest! {
        #[test]
        fn no_value_of_a_label_adds_a_line_or_ends_its_quotes(value in any::<String>()) {
            let mut exposition = Exposition::new(Format::Text);
            exposition.family("a", Kind::Gauge, "A.").sample(&[("x", &value)], 1_u64);
            let page = String::from_utf8(exposition.finish()).expect("UTF-8");
            prop_assert_eq!(page.matches('\n').count(), 3);
            let inside = page.split_once("{x=\"").and_then(|(_, rest)| rest.strip_suffix("\"} 1\n"));
            let inside = inside.expect("the label stands last");
            prop_assert_eq!(inside.replace("\\\\", "").replace("\\\"", "").matches('"').count(), 0);
        }
    }
}
