//! A strict reader of the Prometheus text format.
//!
//! Lenient readers accept what a scrape throws away; this one names the line.

use std::collections::{BTreeMap, HashMap, HashSet};

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    /// Sorted by name.
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// A page of metrics.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Exposition {
    pub(crate) samples: Vec<Sample>,
    /// Family → `counter`, `gauge`, `histogram`, `summary`, `untyped`.
    pub(crate) types: HashMap<String, String>,
    /// What is wrong, with its line.
    pub(crate) problems: Vec<String>,
}

/// Reads a page; what is wrong with it is collected, and reading goes on.
pub(crate) fn parse(text: &str) -> Exposition {
    let mut page = Exposition::default();
    let mut reader = Reader::default();
    for (index, line) in text.lines().enumerate() {
        if let Err(problem) = reader.line(line, &mut page) {
            page.problems.push(format!(
                "line {}: {problem}: {}",
                index + 1,
                line.chars().take(100).collect::<String>()
            ));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        page.problems.push("the last line does not end in a line feed".to_owned());
    }
    histograms(&mut page);
    page
}

#[derive(Debug, Default)]
struct Reader {
    helped: HashSet<String>,
    seen: HashSet<String>,
    /// Families whose block has ended.
    closed: HashSet<String>,
    family: Option<String>,
}

impl Reader {
    fn line(&mut self, line: &str, page: &mut Exposition) -> Result<(), String> {
        if line.trim().is_empty() {
            return Ok(());
        }
        if let Some(comment) = line.strip_prefix('#') {
            return self.comment(comment.trim_start(), page);
        }
        let sample = sample(line)?;
        let family = family_of(&sample.name, &page.types);
        self.enter(&family)?;
        let identity = format!("{}{:?}", sample.name, sample.labels);
        let again = !self.seen.insert(identity);
        page.samples.push(sample);
        if again { Err("this series stands twice".to_owned()) } else { Ok(()) }
    }

    fn comment(&mut self, comment: &str, page: &mut Exposition) -> Result<(), String> {
        let mut words = comment.splitn(3, ' ');
        let (keyword, name, rest) = (words.next().unwrap_or_default(), words.next(), words.next().unwrap_or_default());
        if !matches!(keyword, "HELP" | "TYPE") {
            return Ok(());
        }
        let name = name.filter(|name| is_name(name, true)).ok_or_else(|| format!("{keyword} without a metric name"))?;
        self.enter(name)?;
        if keyword == "HELP" {
            return if self.helped.insert(name.to_owned()) { Ok(()) } else { Err("a second HELP".to_owned()) };
        }
        if !matches!(
            rest,
            "counter"
                | "gauge"
                | "histogram"
                | "summary"
                | "untyped"
                | "unknown"
                | "info"
                | "stateset"
                | "gaugehistogram"
        ) {
            return Err(format!("{rest:?} is no type"));
        }
        let late = page.samples.iter().any(|sample| sample.name == name);
        match page.types.insert(name.to_owned(), rest.to_owned()) {
            Some(_) => Err("a second TYPE".to_owned()),
            None if late => Err("TYPE after the first sample".to_owned()),
            None => Ok(()),
        }
    }

    /// All lines of a family stand together.
    fn enter(&mut self, family: &str) -> Result<(), String> {
        if self.family.as_deref() == Some(family) {
            return Ok(());
        }
        if let Some(left) = self.family.replace(family.to_owned()) {
            self.closed.insert(left);
        }
        if self.closed.contains(family) { Err(format!("{family} stands in two places")) } else { Ok(()) }
    }
}

/// `x_bucket` belongs to `x` where that is a histogram.
fn family_of(name: &str, types: &HashMap<String, String>) -> String {
    for suffix in ["_bucket", "_sum", "_count", "_total", "_created", "_info"] {
        if let Some(base) = name.strip_suffix(suffix)
            && !types.contains_key(name)
            && types.contains_key(base)
        {
            return base.to_owned();
        }
    }
    name.to_owned()
}

fn is_name(name: &str, colon: bool) -> bool {
    let mut chars = name.chars();
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || (colon && c == ':');
    chars.next().is_some_and(first) && chars.all(|c| first(c) || c.is_ascii_digit())
}

fn sample(line: &str) -> Result<Sample, String> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace()).ok_or("no value")?;
    let (name, mut rest) = line.split_at(end);
    if !is_name(name, true) {
        return Err(format!("{name:?} is no metric name"));
    }
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = read_labels(inside, &mut labels)?;
    }
    let mut words = rest.split_whitespace();
    let value = words.next().ok_or("no value")?;
    let value = number(value).ok_or_else(|| format!("{value:?} is no value"))?;
    if let Some(timestamp) = words.next()
        && timestamp != "#"
        && timestamp.parse::<f64>().is_err()
    {
        return Err(format!("{timestamp:?} is no timestamp"));
    }
    Ok(Sample { name: name.to_owned(), labels, value })
}

/// The labels up to the closing brace; what follows it.
fn read_labels<'a>(mut rest: &'a str, labels: &mut BTreeMap<String, String>) -> Result<&'a str, String> {
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            return Ok(after);
        }
        let (name, after) = rest.split_once('=').ok_or("labels without an end")?;
        let name = name.trim();
        if !is_name(name, false) {
            return Err(format!("{name:?} is no label name"));
        }
        let mut chars = after.trim_start().strip_prefix('"').ok_or("a label value without quotes")?.chars();
        let mut value = String::new();
        loop {
            match chars.next().ok_or("a label value without an end")? {
                '"' => break,
                '\\' => match chars.next() {
                    Some('n') => value.push('\n'),
                    Some(c @ ('"' | '\\')) => value.push(c),
                    _ => return Err("an escape other than \\\\, \\\" and \\n".to_owned()),
                },
                c => value.push(c),
            }
        }
        rest = chars.as_str();
        if !rest.starts_with(['}', ',', ' ']) {
            return Err("labels are not separated by a comma".to_owned());
        }
        if labels.insert(name.to_owned(), value).is_some() {
            return Err(format!("label {name} stands twice"));
        }
    }
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" | "Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" | "Nan" => Some(f64::NAN),
        // Rust reads `inf` and `nan` in other spellings; the format does not.
        _ if text.chars().all(|c| c.is_ascii_digit() || "+-.eExX_abcdfABCDF".contains(c)) => text.parse().ok(),
        _ => None,
    }
}

/// Buckets are cumulative and end in +Inf, which is the count.
fn histograms(page: &mut Exposition) {
    let names: Vec<String> =
        page.types.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name.clone()).collect();
    for name in names {
        let mut groups: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for sample in page.samples.iter().filter(|sample| sample.name == format!("{name}_bucket")) {
            let mut labels = sample.labels.clone();
            let Some(bound) = labels.remove("le").as_deref().and_then(number) else {
                page.problems.push(format!("{name}_bucket without a number as le"));
                continue;
            };
            groups.entry(format!("{labels:?}")).or_default().push((bound, sample.value));
        }
        for (labels, mut buckets) in groups {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            if buckets.windows(2).any(|pair| pair[0].1 > pair[1].1) {
                page.problems.push(format!("{name}: buckets are not cumulative"));
            }
            let last = buckets.last().copied().unwrap_or((0.0, 0.0));
            if last.0 != f64::INFINITY {
                page.problems.push(format!("{name}: no bucket le=\"+Inf\""));
            }
            let count =
                page.samples.iter().find(|s| s.name == format!("{name}_count") && format!("{:?}", s.labels) == labels);
            match count {
                None => page.problems.push(format!("{name}: buckets without {name}_count")),
                Some(count) if (count.value - last.1).abs() > 0.5 => {
                    page.problems.push(format!("{name}: the last bucket is {}, the count {}", last.1, count.value));
                }
                Some(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        parse(text).problems
    }

    #[test]
    fn a_valid_page_has_no_problem() {
        let page = "# HELP a_total Things.\n# TYPE a_total counter\na_total{path=\"/x\\\"\\n\",} 3 1700000000000\n\
                    # TYPE t histogram\nt_bucket{le=\"0.1\"} 1\nt_bucket{le=\"+Inf\"} 2\nt_sum 0.3\nt_count 2\n\
                    # a comment\n\nb 1e3\nc NaN\n";
        assert_eq!(problems(page), Vec::<String>::new());
        assert_eq!(parse(page).samples[0].labels["path"], "/x\"\n");
    }

    #[test]
    fn what_a_scrape_throws_away_is_named() {
        for (page, problem) in [
            ("a{x=/} 1\n", "without quotes"),
            ("a 1\na 2\n", "twice"),
            ("# TYPE a counter\n# TYPE a counter\na 1\n", "second TYPE"),
            ("a 1\nb 1\na{x=\"y\"} 1\n", "two places"),
            ("a one\n", "no value"),
            ("1a 1\n", "no metric name"),
            ("a{x=\"y\",x=\"z\"} 1\n", "stands twice"),
            ("a{x=\"\\d\"} 1\n", "escape"),
            ("a 1", "line feed"),
            ("a 1\n# TYPE a gauge\n", "after the first sample"),
            ("# TYPE t histogram\nt_bucket{le=\"1\"} 2\nt_bucket{le=\"+Inf\"} 1\nt_sum 1\nt_count 1\n", "cumulative"),
            ("# TYPE t histogram\nt_bucket{le=\"1\"} 2\nt_sum 1\nt_count 2\n", "+Inf"),
        ] {
            let found = problems(page);
            assert!(found.iter().any(|found| found.contains(problem)), "{page:?}: {found:?}");
        }
    }

    #[test]
    fn fuzz_any_page_is_read_and_what_is_wrong_with_it_is_said() {
        seaworthy_fuzz::drive_text("exposition", |text| {
            let page = parse(text);
            let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).count();
            assert!(page.samples.len() <= lines);
            assert!(page.samples.len() == lines || !page.problems.is_empty(), "a line is passed over in silence");
        });
    }
}
