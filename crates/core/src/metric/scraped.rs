//! The metrics of somebody else, read from the text format and written onto a page of ours.
//!
//! # Rules
//!
//! - A page is read whole or refused whole, with the line that is wrong: half of a page would look like a truth.
//! - What `OpenMetrics` adds is read too, and what has no place on our page is passed over: units, exemplars, timestamps (our page
//!   says what is now) and the times at which series were created.
//! - A series that stands twice is taken once; a family has at most as many as one of ours. Both are counted.
//! - A family whose name is taken comes as `app_` and its name.

use std::collections::{HashMap, HashSet};

use super::exposition::{Exposition, Kind};
use super::format::Format;
use super::name::{is_label_name, is_metric_name};

/// A page that was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scraped {
    families: Vec<ScrapedFamily>,
    samples: usize,
    dropped: u64,
}

#[derive(Debug, Clone, PartialEq)]
struct ScrapedFamily {
    name: String,
    help: String,
    kind: Kind,
    samples: Vec<Sample>,
}

#[derive(Debug, Clone, PartialEq)]
struct Sample {
    /// What its name has beyond that of its family.
    suffix: String,
    labels: Vec<(String, String)>,
    /// As it was written: a count beyond 2^53 would not survive being a float.
    value: String,
}

/// What is wrong with a page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct Unreadable {
    pub line: usize,
    pub problem: &'static str,
}

impl Scraped {
    /// Reads a page, with at most `max_series` series a family.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] if a line is neither a comment nor a sample.
    pub fn parse(page: &str, max_series: usize) -> Result<Self, Unreadable> {
        let mut reader = Reader::default();
        for (index, line) in page.split('\n').enumerate() {
            let line = line.strip_suffix('\r').unwrap_or(line).trim_start_matches([' ', '\t']);
            let read = match line.strip_prefix('#') {
                None if line.is_empty() => Ok(()),
                None => reader.sample(line, max_series),
                Some(comment) => reader.comment(comment),
            };
            read.map_err(|problem| Unreadable { line: index + 1, problem })?;
        }
        Ok(reader.finish())
    }

    /// How many samples it has.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// How many stood twice or were too many.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Writes it onto a page, behind what stands there.
    pub fn write(&self, page: &mut Exposition) {
        for family in &self.families {
            let nameless = family.kind == Kind::Counter && !family.name.ends_with("_total");
            // The text format has counters without the suffix, and OpenMetrics has not.
            let kind = if nameless && page.format() == Format::OpenMetrics { Kind::Untyped } else { family.kind };
            let name = page.free_name(&family.name, kind).into_owned();
            let mut written = page.family(&name, kind, &family.help);
            for sample in &family.samples {
                let labels: Vec<_> =
                    sample.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                written.as_is(&sample.suffix, &labels, &sample.value);
            }
        }
    }
}

#[derive(Default)]
struct Reader {
    families: Vec<ScrapedFamily>,
    by_name: HashMap<String, usize>,
    /// Those that a comment gave a type; the others may still get one.
    typed: HashSet<usize>,
    known: HashSet<(String, Vec<(String, String)>)>,
    dropped: u64,
}

impl Reader {
    fn comment(&mut self, comment: &str) -> Result<(), &'static str> {
        let mut words = comment.trim_start_matches([' ', '\t']).splitn(3, [' ', '\t']);
        match (words.next(), words.next(), words.next()) {
            (Some("HELP"), Some(name), help) => {
                let family = self.family(name)?;
                self.families[family].help = unescaped(help.unwrap_or_default());
            }
            (Some("TYPE"), Some(name), Some(kind)) => {
                let kind = match kind.trim() {
                    "counter" => Kind::Counter,
                    "gauge" => Kind::Gauge,
                    "histogram" => Kind::Histogram,
                    "summary" => Kind::Summary,
                    "untyped" | "unknown" | "info" | "stateset" | "gaugehistogram" => Kind::Untyped,
                    _ => return Err("is no type that we know"),
                };
                let family = self.family(name)?;
                self.families[family].kind = kind;
                self.typed.insert(family);
            }
            (Some("TYPE"), ..) => return Err("a TYPE needs a name and a type"),
            _ => {}
        }
        Ok(())
    }

    fn family(&mut self, name: &str) -> Result<usize, &'static str> {
        if let Some(index) = self.by_name.get(name) {
            return Ok(*index);
        }
        if !is_metric_name(name) {
            return Err("is no name of a metric");
        }
        let index = self.families.len();
        let (name, help) = (name.to_owned(), String::new());
        self.by_name.insert(name.clone(), index);
        self.families.push(ScrapedFamily { name, help, kind: Kind::Untyped, samples: Vec::new() });
        Ok(index)
    }

    /// The family that a sample belongs to, and what its name has beyond the family's.
    fn family_of(&mut self, name: &str) -> Result<(usize, String), &'static str> {
        if let Some(index) = self.by_name.get(name) {
            return Ok((*index, String::new()));
        }
        for suffix in ["_bucket", "_sum", "_count", "_total", "_created", "_info", "_gsum", "_gcount"] {
            let Some(index) = name.strip_suffix(suffix).and_then(|family| self.by_name.get(family)) else { continue };
            let belongs = match self.families[*index].kind {
                Kind::Histogram => matches!(suffix, "_bucket" | "_sum" | "_count" | "_created"),
                Kind::Summary => matches!(suffix, "_sum" | "_count" | "_created"),
                Kind::Counter => matches!(suffix, "_total" | "_created"),
                Kind::Gauge => false,
                Kind::Untyped => {
                    matches!(suffix, "_info" | "_bucket" | "_gsum" | "_gcount") && self.typed.contains(index)
                }
            };
            if belongs {
                return Ok((*index, suffix.to_owned()));
            }
        }
        Ok((self.family(name)?, String::new()))
    }

    fn sample(&mut self, line: &str, max_series: usize) -> Result<(), &'static str> {
        let end = line.find(['{', ' ', '\t']).ok_or("a sample needs a value")?;
        let (name, rest) = line.split_at(end);
        if !is_metric_name(name) {
            return Err("is no name of a metric");
        }
        let (labels, rest) = match rest.trim_start_matches([' ', '\t']).strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None => (Vec::new(), rest),
        };
        let mut words = rest.split([' ', '\t']).filter(|word| !word.is_empty());
        let value = words.next().and_then(number).ok_or("has no number for a value")?;
        // A timestamp may follow, and what begins with a hash is an exemplar.
        match words.next() {
            None | Some("#") => {}
            Some(time) if time.parse::<f64>().is_ok() => match words.next() {
                None | Some("#") => {}
                Some(_) => return Err("has more than a value and a time"),
            },
            Some(_) => return Err("has a time that is no number"),
        }
        let (index, suffix) = self.family_of(name)?;
        if suffix == "_created" {
            return Ok(());
        }
        let mut key = (name.to_owned(), labels.clone());
        key.1.sort_unstable();
        let family = &mut self.families[index];
        if family.samples.len() >= max_series || !self.known.insert(key) {
            self.dropped += 1;
            return Ok(());
        }
        family.samples.push(Sample { suffix, labels, value });
        Ok(())
    }

    fn finish(self) -> Scraped {
        let mut families: Vec<_> = self.families.into_iter().filter(|family| !family.samples.is_empty()).collect();
        for family in &mut families {
            // OpenMetrics gives the suffix to the sample, we to the family.
            if family.kind == Kind::Counter && family.samples.iter().all(|sample| sample.suffix == "_total") {
                family.name.push_str("_total");
                family.samples.iter_mut().for_each(|sample| sample.suffix.clear());
            }
        }
        let samples = families.iter().map(|family| family.samples.len()).sum();
        Scraped { families, samples, dropped: self.dropped }
    }
}

/// Labels behind their opening brace, and what follows the closing one.
type Labelled<'l> = (Vec<(String, String)>, &'l str);

fn labels(mut rest: &str) -> Result<Labelled<'_>, &'static str> {
    let mut labels: Vec<(String, String)> = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok((labels, rest));
        }
        let (name, quoted) = rest.split_once('=').ok_or("has a label without a value")?;
        let name = name.trim_end_matches([' ', '\t']);
        if !is_label_name(name) || labels.iter().any(|(known, _)| known == name) {
            return Err("has a label that may not be called so, or stands twice");
        }
        let quoted = quoted.trim_start_matches([' ', '\t']).strip_prefix('"').ok_or("has a value without quotes")?;
        let end = closing(quoted).ok_or("has a value whose quotes are not closed")?;
        labels.push((name.to_owned(), unescaped(&quoted[..end])));
        rest = quoted[end + 1..].trim_start_matches([' ', '\t']);
        if let Some(next) = rest.strip_prefix(',') {
            rest = next;
        } else if !rest.starts_with('}') {
            return Err("has labels without a comma between them");
        }
    }
}

/// Where the quotes end.
fn closing(quoted: &str) -> Option<usize> {
    let mut escaped = false;
    quoted.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            (_, true) => match characters.next() {
                Some('n') => out.push('\n'),
                Some(other @ ('\\' | '"')) => out.push(other),
                // What is no escape is meant as it stands.
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            (other, false) => out.push(other),
        }
    }
    out
}

/// A value as both formats spell it.
fn number(text: &str) -> Option<String> {
    let number: f64 = text.parse().ok()?;
    Some(if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        text.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: &str = concat!(
        "# HELP orders_total Orders\\nby \\\\.\n",
        "# TYPE orders_total counter\n",
        "orders_total{kind=\"a\\\"b\\\\\\n\", x = \"1\" ,} 12345678901234567890 1700000000000\n",
        "# a remark\n",
        "\n",
        "# TYPE rpc_seconds summary\n",
        "rpc_seconds{quantile=\"0.5\"} 4.7e-05\n",
        "rpc_seconds_sum 1.5\n",
        "rpc_seconds_count 3\n",
        "# TYPE http_requests_total counter\n",
        "http_requests_total 5\n",
        "# TYPE took histogram\n",
        "took_bucket{le=\"1\"} 1\n",
        "took_bucket{le=\"+Inf\"} 2\n",
        "took_sum NaN\n",
        "took_count 2\n",
        "odd Inf\n",
        "odd Inf\n",
    );

    fn page(format: Format, scraped: &Scraped) -> String {
        let mut page = Exposition::new(format);
        page.family("http_requests_total", Kind::Counter, "Ours.").sample(&[], 7_u64);
        scraped.write(&mut page);
        String::from_utf8(page.finish()).expect("UTF-8")
    }

    #[test]
    fn what_was_read_is_written_as_it_was_and_gives_way_where_names_clash() {
        let scraped = Scraped::parse(PAGE, 100).expect("readable");
        assert_eq!((scraped.samples(), scraped.dropped()), (10, 1));
        let page = page(Format::Text, &scraped);
        for line in [
            r"# HELP orders_total Orders\nby \\.",
            r#"orders_total{kind="a\"b\\\n",x="1"} 12345678901234567890"#,
            "# TYPE rpc_seconds summary",
            r#"rpc_seconds{quantile="0.5"} 4.7e-05"#,
            "rpc_seconds_count 3",
            "http_requests_total 7",
            "# TYPE app_http_requests_total counter",
            "app_http_requests_total 5",
            r#"took_bucket{le="+Inf"} 2"#,
            "took_sum NaN",
            "odd +Inf",
        ] {
            assert!(page.lines().any(|shown| shown == line), "{line}\n{page}");
        }
    }

    #[test]
    fn openmetrics_is_read_and_written() {
        let given = concat!(
            "# TYPE jobs counter\n# UNIT took_seconds seconds\njobs_total 3 # {trace_id=\"a\"} 1 1.5\njobs_created 1.5\n",
            "# TYPE build info\nbuild_info{v=\"1\"} 1\n# EOF\n"
        );
        let scraped = Scraped::parse(given, 100).expect("readable");
        assert!(page(Format::Text, &scraped).contains("# TYPE jobs_total counter\njobs_total 3\n"));
        assert!(page(Format::OpenMetrics, &scraped).contains("# TYPE jobs counter\njobs_total 3\n"));
        assert!(page(Format::Text, &scraped).contains("build_info{v=\"1\"} 1\n"));
        let bare = Scraped::parse("# TYPE jobs counter\njobs 3\n", 100).expect("readable");
        assert!(page(Format::OpenMetrics, &bare).contains("# TYPE jobs unknown\njobs 3\n"));
    }

    #[test]
    fn a_page_that_is_none_is_refused_whole_with_its_line() {
        for (text, line) in [
            ("a 1\n<html>\n", 2),
            ("a", 1),
            ("a x", 1),
            ("a 1 x", 1),
            ("a 1 2 3", 1),
            ("a{b} 1", 1),
            ("a{b=\"c} 1", 1),
            ("a{b=\"c\" d=\"e\"} 1", 1),
            ("a{b=\"c\",b=\"d\"} 1", 1),
            ("a{__b=\"c\"} 1", 1),
            ("1a 1", 1),
            ("# TYPE a strange", 1),
        ] {
            assert_eq!(Scraped::parse(text, 10).expect_err(text).line, line, "{text}");
        }
    }

    #[test]
    fn a_family_has_no_more_series_than_one_of_ours() {
        let lines: Vec<_> = (0..50).map(|number| format!("a{{n=\"{number}\"}} 1\n")).collect();
        let text = lines.concat();
        let scraped = Scraped::parse(&text, 10).expect("readable");
        assert_eq!((scraped.samples(), scraped.dropped()), (10, 40));
    }

    proptest! {
        #[test]
        fn no_page_panics(text in any::<String>()) {
            let _ = Scraped::parse(&text, 10);
        }

        #[test]
        fn what_is_written_can_be_read_again(
            text in "(# TYPE (a|b|b_sum) (counter|gauge|histogram|summary)\n|(a|b|b_sum|b_bucket|a_total)(\\{x=\"[a-z\\\\\"n]{0,3}\"\\})? [0-9.]{1,3}\n){0,8}"
        ) {
            if let Ok(scraped) = Scraped::parse(&text, 100) {
                for format in [Format::Text, Format::OpenMetrics] {
                    let written = page(format, &scraped);
                    let again = Scraped::parse(&written, 100).expect("ours is readable");
                    prop_assert_eq!(again.samples(), scraped.samples() + 1, "{}", written);
                }
            }
        }
    }
}
