//! What programs say by `StatsD`, with the extensions of `DogStatsD`: read strictly, so that garbage is counted instead of
//! shown.
//!
//! # Grammar
//!
//! ```text
//! packet  = line *( LF line ) [ LF ]
//! line    = name ":" value *( ":" value ) "|" type *( "|" section )
//! name    = 1*200 of printable ASCII without ":" "|" "@" "#" and space
//! type    = "c" (count) / "g" (gauge) / "ms" (time in ms) / "h" / "d" (distribution) / "s" (set)
//! value   = number, from 0 for "c"; with a sign, "g" changes the gauge instead of setting it
//! section = "@" rate        above 0, to 1; "c", "ms", "h" and "d" count for 1/rate
//!         / "#" tag *( "," tag )
//!         / "c:" … / "T" … / "e:" … / "card:" …     of DogStatsD: passed over
//! tag     = name [ ":" value ]
//! ```
//!
//! Several values in a line are those of `DogStatsD` 1.1; a set has one. Events (`_e{`) and service checks (`_sc|`) are known
//! and passed over.
//!
//! Sources: <https://github.com/statsd/statsd/blob/master/docs/metric_types.md>,
//! <https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/>.
//!
//! ```
//! use seaworthy_core::statsd::{self, Kind, Value};
//!
//! let line = statsd::lines(b"signups:2|c|@0.5|#plan:pro").next().unwrap()?.unwrap();
//! assert_eq!((line.name, line.kind, line.weight), ("signups", Kind::Count, 2.0));
//! assert_eq!(line.values().collect::<Vec<_>>(), [Value::Amount(2.0)]);
//! assert_eq!(line.tags().collect::<Vec<_>>(), [("plan", "pro")]);
//! # Ok::<(), statsd::Malformed>(())
//! ```

/// Longer names and tags are garbage.
const LONGEST: usize = 200;

/// What a line measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Count,
    Gauge,
    /// In milliseconds.
    Time,
    Distribution,
    Set,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Count, Self::Gauge, Self::Time, Self::Distribution, Self::Set];

    /// As it stands in a label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Gauge => "gauge",
            Self::Time => "time",
            Self::Distribution => "distribution",
            Self::Set => "set",
        }
    }
}

/// One value of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'p> {
    /// Of a count, a time, a distribution; what a gauge is set to.
    Amount(f64),
    /// By how much a gauge changes.
    Change(f64),
    /// Of a set.
    Member(&'p str),
}

/// A line that can be counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line<'p> {
    pub name: &'p str,
    pub kind: Kind,
    /// How many observations each value stands for: at least 1, by its sample rate.
    pub weight: f64,
    values: &'p str,
    tags: &'p str,
}

impl<'p> Line<'p> {
    /// What was measured.
    pub fn values(&self) -> impl Iterator<Item = Value<'p>> + use<'p> {
        let kind = self.kind;
        self.values.split(values_end(kind)).filter_map(move |text| value(text, kind))
    }

    /// Name and value of each tag; a tag without a value has an empty one.
    pub fn tags(&self) -> impl Iterator<Item = (&'p str, &'p str)> + use<'p> {
        self.tags.split(',').filter(|tag| !tag.is_empty()).map(|tag| tag.split_once(':').unwrap_or((tag, "")))
    }
}

/// Why a line cannot be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    #[error("it is not UTF-8")]
    Encoding,
    #[error("it is not name:value|type")]
    Shape,
    #[error("its name is empty, longer than 200 characters, or has a character that names have not")]
    Name,
    #[error("its type is none of c, g, ms, h, d and s")]
    Kind,
    #[error("a value is no number, or a negative count")]
    Value,
    #[error("its sample rate is not above 0 and at most 1")]
    Rate,
    #[error("a section begins with none of @, #, c:, T, e: and card:")]
    Section,
    #[error("a tag has no name, or is longer than 200 characters")]
    Tag,
}

impl Malformed {
    pub const ALL: [Self; 8] =
        [Self::Encoding, Self::Shape, Self::Name, Self::Kind, Self::Value, Self::Rate, Self::Section, Self::Tag];

    /// As it stands in a label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Encoding => "encoding",
            Self::Shape => "shape",
            Self::Name => "name",
            Self::Kind => "type",
            Self::Value => "value",
            Self::Rate => "rate",
            Self::Section => "section",
            Self::Tag => "tag",
        }
    }
}

/// The lines of a packet: `None` for what is known and passed over. One that is malformed spoils no other.
pub fn lines(packet: &[u8]) -> impl Iterator<Item = Result<Option<Line<'_>>, Malformed>> {
    packet
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
        .map(line)
}

fn line(line: &[u8]) -> Result<Option<Line<'_>>, Malformed> {
    let line = std::str::from_utf8(line).map_err(|_| Malformed::Encoding)?;
    if line.starts_with("_e{") || line.starts_with("_sc|") {
        return Ok(None);
    }
    let (name, rest) = line.split_once(':').ok_or(Malformed::Shape)?;
    let mut sections = rest.split('|');
    let values = sections.next().ok_or(Malformed::Shape)?;
    let kind = match sections.next().ok_or(Malformed::Shape)? {
        "c" => Kind::Count,
        "g" => Kind::Gauge,
        "ms" => Kind::Time,
        "h" | "d" => Kind::Distribution,
        "s" => Kind::Set,
        _ => return Err(Malformed::Kind),
    };
    let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'@' | b'#');
    if name.is_empty() || name.len() > LONGEST || !name.bytes().all(fits) {
        return Err(Malformed::Name);
    }
    if !values.split(values_end(kind)).all(|text| value(text, kind).is_some()) {
        return Err(Malformed::Value);
    }
    let (mut weight, mut tags) = (1.0, "");
    for section in sections {
        match section.as_bytes() {
            [b'@', ..] => weight = 1.0 / rate(&section[1..])?,
            [b'#', ..] => tags = &section[1..],
            [b'T', ..] => {}
            _ if ["c:", "e:", "card:"].iter().any(|known| section.starts_with(known)) => {}
            _ => return Err(Malformed::Section),
        }
    }
    let bad = |tag: &str| tag.len() > LONGEST || tag.starts_with(':');
    if tags.split(',').any(bad) {
        return Err(Malformed::Tag);
    }
    Ok(Some(Line { name, kind, weight, values, tags }))
}

/// Where one value ends; a member of a set may hold colons.
fn values_end(kind: Kind) -> impl Fn(char) -> bool {
    move |character| character == ':' && kind != Kind::Set
}

fn value(text: &str, kind: Kind) -> Option<Value<'_>> {
    match kind {
        Kind::Set => (!text.is_empty() && text.len() <= LONGEST).then_some(Value::Member(text)),
        Kind::Count => number(text).filter(|count| *count >= 0.0).map(Value::Amount),
        Kind::Gauge if text.starts_with(['+', '-']) => number(text).map(Value::Change),
        Kind::Gauge | Kind::Time | Kind::Distribution => number(text).map(Value::Amount),
    }
}

fn rate(text: &str) -> Result<f64, Malformed> {
    // A rate below one in a million would let one packet count for more than anybody sends.
    number(text).filter(|rate| (1e-6..=1.0).contains(rate)).ok_or(Malformed::Rate)
}

/// A finite number in digits; Rust would read `inf` and `nan` too.
fn number(text: &str) -> Option<f64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse().ok().filter(|number: &f64| digits && number.is_finite())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(text: &str) -> Result<Line<'_>, Malformed> {
        let mut all = lines(text.as_bytes());
        let first = all.next().expect("a line").map(|line| line.expect("one that counts"));
        assert_eq!(all.next(), None, "{text}");
        first
    }

    fn values(text: &str) -> Vec<Value<'_>> {
        one(text).expect(text).values().collect()
    }

    #[test]
    fn each_type_is_read_as_it_is_meant() {
        use Value::{Amount, Change, Member};
        assert_eq!(values("a:1|c"), [Amount(1.0)]);
        assert_eq!(values("a:0.5|c"), [Amount(0.5)]);
        assert_eq!(values("a:12|g"), [Amount(12.0)]);
        assert_eq!((values("a:+3|g"), values("a:-3|g")), (vec![Change(3.0)], vec![Change(-3.0)]));
        assert_eq!(values("a:1:2.5:3|ms"), [Amount(1.0), Amount(2.5), Amount(3.0)]);
        assert_eq!(values("a:-1e2|d"), [Amount(-100.0)]);
        assert_eq!(values("a:user:7|s"), [Member("user:7")]);
    }

    #[test]
    fn sections_come_in_any_order_and_what_is_datadogs_own_is_passed_over() {
        let line = one("a.b-c:1|c|#x:y,flag,u:v:w|@0.1|c:ci-1|T1656581400|e:it-false|card:low").expect("read");
        assert!((line.weight - 10.0).abs() < 1e-9);
        assert_eq!(line.tags().collect::<Vec<_>>(), [("x", "y"), ("flag", ""), ("u", "v:w")]);
        assert_eq!(lines(b"_e{5,4}:title|text\n_sc|name|0\n").collect::<Vec<_>>(), [Ok(None), Ok(None)]);
    }

    #[test]
    fn garbage_says_what_is_wrong_with_it_and_spoils_no_other_line() {
        for (text, why) in [
            ("a", Malformed::Shape),
            ("a:1", Malformed::Shape),
            (":1|c", Malformed::Name),
            ("a b:1|c", Malformed::Name),
            ("a:1|x", Malformed::Kind),
            ("a:|c", Malformed::Value),
            ("a:-1|c", Malformed::Value),
            ("a:nan|g", Malformed::Value),
            ("a:inf|d", Malformed::Value),
            ("a:1:x|ms", Malformed::Value),
            ("a:1|c|@0", Malformed::Rate),
            ("a:1|c|@2", Malformed::Rate),
            ("a:1|c|", Malformed::Section),
            ("a:1|c|what", Malformed::Section),
            ("a:1|c|#:v", Malformed::Tag),
        ] {
            assert_eq!(one(text), Err(why), "{text}");
        }
        let packet = b"a:1|c\n\xff:1|c\r\n\nb:2|c\n";
        let read: Vec<_> = lines(packet).map(|line| line.map(|line| line.expect("counts").name)).collect();
        assert_eq!(read, [Ok("a"), Err(Malformed::Encoding), Ok("b")]);
    }

    proptest! {
        #[test]
        fn no_packet_panics_and_what_is_read_has_values(packet in prop::collection::vec(any::<u8>(), 0..200)) {
            for line in lines(&packet).flatten().flatten() {
                prop_assert!(line.values().count() > 0);
                prop_assert!(line.weight.is_finite() && line.weight >= 1.0);
            }
        }

        #[test]
        fn what_looks_like_a_line_is_read_or_refused_whole(
            text in "[a-z._]{0,4}:[-+0-9.:a-z]{0,6}\\|(c|g|ms|h|d|s|x)(\\|[@#cT][0-9.:a-z,]{0,6}){0,3}"
        ) {
            if let Ok(line) = one(&text) {
                let parts = if line.kind == Kind::Set { 1 } else { line.values.split(':').count() };
                prop_assert_eq!(line.values().count(), parts);
                let finite = line.values().all(|value| match value {
                    Value::Amount(number) | Value::Change(number) => number.is_finite(),
                    Value::Member(member) => !member.is_empty(),
                });
                prop_assert!(finite);
            }
        }
    }
}
