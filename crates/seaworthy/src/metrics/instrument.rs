//! What a family is made of: counters, gauges and histograms that any thread may add to.
//!
//! Each is a handle on atomic numbers: looked up once, it costs an addition. Clones are the same number.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use seaworthy_core::metric::{DURATIONS, Exemplar, Family as Page, Kind, Observed};

use super::FamilyError;

/// A kind of number; there are [`Counter`], [`Gauge`] and [`Histogram`].
pub trait Instrument: private::Sealed + Clone + Debug + Send + Sync + 'static {
    /// What all of a family have in common.
    type Settings: Clone + Debug + PartialEq + Send + Sync;

    #[doc(hidden)]
    const KIND: Kind;

    #[doc(hidden)]
    fn new(settings: &Self::Settings) -> Self;

    /// How many series one of them has.
    #[doc(hidden)]
    fn series(_: &Self::Settings) -> usize {
        1
    }

    #[doc(hidden)]
    fn kind_of(_: &str) -> Kind {
        Self::KIND
    }

    #[doc(hidden)]
    fn write(&self, page: &mut Page<'_>, labels: &[(&str, &str)]);
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::Counter {}
    impl Sealed for super::Gauge {}
    impl Sealed for super::Histogram {}
}

/// Only grows.
#[derive(Debug, Clone)]
pub struct Counter(Arc<CounterCell>);

/// Whole numbers are the rule, and cost no loop.
#[derive(Debug, Default)]
struct CounterCell {
    whole: AtomicU64,
    /// The bits of a float.
    rest: AtomicU64,
}

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// `by` more.
    pub fn add(&self, by: u64) {
        self.0.whole.fetch_add(by, Ordering::Relaxed);
    }

    /// An amount that need not be whole, such as money. What is negative or no number is ignored: a counter never falls.
    pub fn add_amount(&self, by: f64) {
        if by.is_finite() && by > 0.0 {
            add_float(&self.0.rest, by);
        }
    }

    /// What it stands at.
    #[must_use]
    pub fn get(&self) -> f64 {
        self.0.whole.load(Ordering::Relaxed) as f64 + f64::from_bits(self.0.rest.load(Ordering::Relaxed))
    }
}

impl Instrument for Counter {
    type Settings = ();
    const KIND: Kind = Kind::Counter;

    fn new((): &()) -> Self {
        Self(Arc::default())
    }

    fn write(&self, page: &mut Page<'_>, labels: &[(&str, &str)]) {
        let whole = self.0.whole.load(Ordering::Relaxed);
        match f64::from_bits(self.0.rest.load(Ordering::Relaxed)) {
            0.0 => page.sample(labels, whole),
            rest => page.sample(labels, whole as f64 + rest),
        };
    }
}

/// Goes up and down.
#[derive(Debug, Clone)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Puts `value` in the place of the last.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Adds `by`, which may be negative.
    pub fn add(&self, by: f64) {
        add_float(&self.0, by);
    }

    /// One more, until what is returned is dropped: whatever happens in between, nothing is left counted.
    #[must_use = "it is counted for as long as this lives"]
    pub fn hold(&self) -> Held {
        self.add(1.0);
        Held(self.clone())
    }

    /// What it stands at.
    #[must_use]
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

impl Instrument for Gauge {
    type Settings = ();
    const KIND: Kind = Kind::Gauge;

    fn new((): &()) -> Self {
        Self(Arc::default())
    }

    /// Some gauges have had a counter's name for so long that dashboards know them by it (`db_pool_size_total`).
    fn kind_of(name: &str) -> Kind {
        if name.ends_with("_total") { Kind::Untyped } else { Kind::Gauge }
    }

    fn write(&self, page: &mut Page<'_>, labels: &[(&str, &str)]) {
        page.sample(labels, self.get());
    }
}

/// One that a [`Gauge`] counts; see [`Gauge::hold`].
#[derive(Debug)]
#[must_use = "it is counted for as long as this lives"]
pub struct Held(Gauge);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.add(-1.0);
    }
}

/// Upper bounds of the buckets of a [`Histogram`], ascending, without the infinite one. [`DURATIONS`] by default.
#[derive(Debug, Clone, PartialEq)]
pub struct Buckets(Arc<[f64]>);

impl Buckets {
    /// # Errors
    ///
    /// [`FamilyError::Buckets`] unless they are finite and ascend, and are 1 to 64.
    pub fn new(bounds: &[f64]) -> Result<Self, FamilyError> {
        let ascend = bounds.windows(2).all(|pair| pair[0] < pair[1]);
        if !(1..=64).contains(&bounds.len()) || !ascend || bounds.iter().any(|bound| !bound.is_finite()) {
            return Err(FamilyError::Buckets(bounds.to_vec()));
        }
        Ok(Self(bounds.into()))
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self(Arc::new(DURATIONS))
    }
}

/// How what was observed is distributed.
#[derive(Debug, Clone)]
pub struct Histogram(Arc<HistogramCell>);

#[derive(Debug)]
struct HistogramCell {
    bounds: Arc<[f64]>,
    /// One more than bounds.
    counts: Box<[AtomicU64]>,
    /// The bits of a float.
    sum: AtomicU64,
    exemplar: Mutex<Option<Exemplar>>,
}

impl Histogram {
    /// Adds an observation. What is no number is ignored, since it would make the sum none for good.
    pub fn observe(&self, value: f64) {
        self.observe_many(value, 1);
    }

    /// Adds a duration, in seconds.
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    /// Adds an observation that belongs to a trace; it may be shown as an exemplar (OpenMetrics 1.0).
    pub fn observe_traced(&self, value: f64, trace_id: u128) {
        self.observe(value);
        // It is only an example: somebody else's is as good.
        if let Ok(mut exemplar) = self.0.exemplar.try_lock() {
            let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            *exemplar = Some(Exemplar { trace_id, value, time });
        }
    }

    /// Adds the same observation several times, as a client does that sends one for many.
    pub fn observe_many(&self, value: f64, times: u64) {
        if !value.is_finite() {
            return;
        }
        let cell = &*self.0;
        let bucket = cell.bounds.iter().position(|bound| value <= *bound).unwrap_or(cell.bounds.len());
        cell.counts[bucket].fetch_add(times, Ordering::Relaxed);
        add_float(&cell.sum, value * times as f64);
    }

    /// How many observations there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

impl Instrument for Histogram {
    type Settings = Buckets;
    const KIND: Kind = Kind::Histogram;

    fn new(buckets: &Buckets) -> Self {
        let counts = (0..=buckets.0.len()).map(|_| AtomicU64::new(0)).collect();
        let (sum, exemplar) = Default::default();
        Self(Arc::new(HistogramCell { bounds: buckets.0.clone(), counts, sum, exemplar }))
    }

    fn series(buckets: &Buckets) -> usize {
        buckets.0.len() + 3
    }

    fn write(&self, page: &mut Page<'_>, labels: &[(&str, &str)]) {
        let cell = &*self.0;
        let counts: Vec<u64> = cell.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let sum = f64::from_bits(cell.sum.load(Ordering::Relaxed));
        let exemplar = *super::lock(&cell.exemplar);
        page.histogram(labels, &Observed { bounds: &cell.bounds, counts: &counts, sum, exemplar });
    }
}

fn add_float(bits: &AtomicU64, by: f64) {
    let add = |bits| Some((f64::from_bits(bits) + by).to_bits());
    let _ = bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
}
