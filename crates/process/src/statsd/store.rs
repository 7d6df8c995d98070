//! What was said by `StatsD`, within bounds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use seaworthy::core::metric::{Exposition, Kind as Family};
use seaworthy::metrics::{Buckets, Counter, Gauge, Histogram, Instrument as _};
use seaworthy_core::statsd::{self, Kind, Line, Malformed, Value};

/// How many families there may be: names too are somebody's to choose.
pub(super) const FAMILIES: usize = 1000;

/// How many series all families may have together, so that many names are no way around the limit of one.
const SERIES: usize = 100_000;

/// How many members all sets may have together; each takes 8 bytes and its place in a table.
const MEMBERS: usize = 100_000;

/// How long a member of a set is remembered, at least.
const WINDOW: Duration = Duration::from_mins(1);

/// Upper bounds for distributions whose unit nobody knows.
const WIDE: [f64; 17] =
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1e3, 5e3, 1e4, 1e5, 1e6];

/// All that was said. Written by one thread, and read by whoever scrapes.
#[derive(Debug)]
pub(super) struct Store {
    max_series: usize,
    state: Mutex<State>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct State {
    families: BTreeMap<String, Series>,
    samples: [u64; Kind::ALL.len()],
    malformed: [u64; Malformed::ALL.len()],
    /// Names that came with one type and then with another.
    conflicts: u64,
    beyond: HashMap<String, u64>,
    beyond_families: u64,
    members: usize,
    series: usize,
}

/// The series of a family, by their labels.
#[derive(Debug)]
struct Series {
    kind: Kind,
    by_labels: HashMap<Labels, Number>,
}

/// Sorted by name, so that the order in which tags come makes no difference.
type Labels = Vec<(String, String)>;

#[derive(Debug)]
enum Number {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
    Set(Box<Set>),
}

/// Members of this window and of the one before.
#[derive(Debug)]
struct Set {
    began: Instant,
    now: HashSet<u64>,
    before: HashSet<u64>,
}

impl Set {
    /// Turns windows over; gives how many members were forgotten.
    fn turn(&mut self, now: Instant) -> usize {
        let elapsed = now.saturating_duration_since(self.began);
        if elapsed < WINDOW {
            return 0;
        }
        self.began = now;
        let last = std::mem::take(&mut self.now);
        let mut forgotten = self.before.len();
        if elapsed < 2 * WINDOW {
            self.before = last;
        } else {
            forgotten += last.len();
            self.before = HashSet::new();
        }
        forgotten
    }

    /// The members of the last minute or two.
    fn count(&self) -> usize {
        self.now.union(&self.before).count()
    }
}

impl Store {
    pub(super) fn new(max_series: usize) -> Self {
        Self { max_series, state: Mutex::default(), hasher: RandomState::new() }
    }

    /// Counts what a packet says.
    pub(super) fn packet(&self, packet: &[u8], now: Instant) {
        let mut state = self.lock();
        for line in statsd::lines(packet) {
            match line {
                Ok(Some(line)) => self.line(&mut state, &line, now),
                Ok(None) => {}
                Err(malformed) => state.malformed[malformed as usize] += 1,
            }
        }
    }

    fn line(&self, state: &mut State, line: &Line<'_>, now: Instant) {
        let name = family_name(line);
        if !state.families.contains_key(&name) {
            if state.families.len() >= FAMILIES {
                state.beyond_families += 1;
                return;
            }
            state.families.insert(name.clone(), Series { kind: line.kind, by_labels: HashMap::new() });
        }
        let State { families, samples, conflicts, beyond, members, series: total, .. } = state;
        let Some(series) = families.get_mut(&name) else { return };
        if series.kind != line.kind {
            *conflicts += 1;
            return;
        }
        let labels = labels(line);
        if !series.by_labels.contains_key(&labels) {
            let most = (self.max_series / series_of(line.kind, &name)).max(1);
            if series.by_labels.len() >= most || *total >= SERIES {
                *beyond.entry(name).or_default() += 1;
                return;
            }
            *total += 1;
            series.by_labels.insert(labels.clone(), number(line.kind, &name, now));
        }
        let Some(number) = series.by_labels.get_mut(&labels) else { return };
        samples[line.kind as usize] += 1;
        for value in line.values() {
            match (value, &mut *number) {
                (Value::Amount(amount), Number::Counter(counter)) => add(counter, amount * line.weight),
                (Value::Amount(amount), Number::Gauge(gauge)) => gauge.set(amount),
                (Value::Change(by), Number::Gauge(gauge)) => gauge.add(by),
                (Value::Amount(amount), Number::Histogram(histogram)) => {
                    let amount = if line.kind == Kind::Time { amount / 1e3 } else { amount };
                    histogram.observe_many(amount, whole(line.weight));
                }
                (Value::Member(member), Number::Set(set)) => {
                    *members = members.saturating_sub(set.turn(now));
                    if *members >= MEMBERS {
                        *beyond.entry(name.clone()).or_default() += 1;
                    } else if set.now.insert(self.hasher.hash_one(member)) {
                        *members += 1;
                    }
                }
                // The type of a line says which values it has, and the type of a family which numbers.
                _ => {}
            }
        }
    }

    /// Writes all families, and how it went.
    pub(super) fn write(&self, page: &mut Exposition, now: Instant) {
        let mut state = self.lock();
        let help = "Lines of StatsD that were counted, by type.";
        let mut family = page.family("seaworthy_statsd_samples_total", Family::Counter, help);
        for kind in Kind::ALL {
            family.sample(&[("type", kind.name())], state.samples[kind as usize]);
        }
        let help = "Lines of StatsD that were not counted, by why.";
        let mut family = page.family("seaworthy_statsd_rejected_total", Family::Counter, help);
        for malformed in Malformed::ALL {
            family.sample(&[("reason", malformed.name())], state.malformed[malformed as usize]);
        }
        family
            .sample(&[("reason", "conflict")], state.conflicts)
            .sample(&[("reason", "families")], state.beyond_families);
        let beyond = state.beyond.values().sum::<u64>();
        family.sample(&[("reason", "series")], beyond);
        let mut forgotten = 0;
        for (name, series) in &mut state.families {
            let kind = match series.kind {
                Kind::Count => Family::Counter,
                Kind::Time | Kind::Distribution => Family::Histogram,
                // Some gauges have had a counter's name for so long that dashboards know them by it.
                Kind::Gauge | Kind::Set if name.ends_with("_total") => Family::Untyped,
                Kind::Gauge | Kind::Set => Family::Gauge,
            };
            let shown = page.free_name(name, kind).into_owned();
            let mut family = page.family(&shown, kind, "Told by the program over StatsD.");
            let mut sorted: Vec<_> = series.by_labels.iter_mut().collect();
            sorted.sort_unstable_by(|a, b| a.0.cmp(b.0));
            for (labels, number) in sorted {
                let labels: Vec<_> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                match number {
                    Number::Counter(counter) => counter.write(&mut family, &labels),
                    Number::Gauge(gauge) => gauge.write(&mut family, &labels),
                    Number::Histogram(histogram) => histogram.write(&mut family, &labels),
                    Number::Set(set) => {
                        forgotten += set.turn(now);
                        family.sample(&labels, set.count() as u64);
                    }
                }
            }
        }
        state.members = state.members.saturating_sub(forgotten);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole counts stay whole, as long as they are.
fn add(counter: &Counter, amount: f64) {
    if amount.fract() == 0.0 { counter.add(whole(amount)) } else { counter.add_amount(amount) }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

fn number(kind: Kind, name: &str, now: Instant) -> Number {
    match kind {
        Kind::Count => Number::Counter(Counter::new(&())),
        Kind::Gauge => Number::Gauge(Gauge::new(&())),
        Kind::Time | Kind::Distribution => Number::Histogram(Histogram::new(&buckets(kind, name))),
        Kind::Set => Number::Set(Box::new(Set { began: now, now: HashSet::new(), before: HashSet::new() })),
    }
}

fn series_of(kind: Kind, name: &str) -> usize {
    if matches!(kind, Kind::Time | Kind::Distribution) { Histogram::series(&buckets(kind, name)) } else { 1 }
}

fn buckets(kind: Kind, name: &str) -> Buckets {
    if kind == Kind::Time || name.ends_with("_seconds") {
        return Buckets::default();
    }
    Buckets::new(&WIDE).unwrap_or_default()
}

/// The name as Prometheus wants it, with the suffix that its type has there.
fn family_name(line: &Line<'_>) -> String {
    let mut name = sanitised(line.name, true);
    let suffix = match line.kind {
        Kind::Count => "_total",
        Kind::Time => "_seconds",
        Kind::Gauge | Kind::Distribution | Kind::Set => "",
    };
    if !name.ends_with(suffix) {
        name.push_str(suffix);
    }
    name
}

fn labels(line: &Line<'_>) -> Labels {
    let mut labels: Labels = line
        .tags()
        .map(|(name, value)| {
            let mut name = sanitised(name.trim_start_matches('_'), false);
            if name.is_empty() || matches!(name.as_str(), "le" | "quantile") {
                name.insert_str(0, "tag_");
            }
            (name, if value.is_empty() { "true".to_owned() } else { value.to_owned() })
        })
        .collect();
    labels.sort_unstable();
    // A label stands once: the first value in order, so that the series is the same whatever the order of the tags.
    labels.dedup_by(|later, first| later.0 == first.0);
    labels
}

/// `_` for each character that a name may not have, and before a digit at its beginning.
fn sanitised(name: &str, colons: bool) -> String {
    let allowed = |character: char| character.is_ascii_alphanumeric() || character == '_' || colons && character == ':';
    let mut sanitised: String =
        name.chars().map(|character| if allowed(character) { character } else { '_' }).collect();
    if sanitised.starts_with(|character: char| character.is_ascii_digit()) {
        sanitised.insert(0, '_');
    }
    sanitised
}
