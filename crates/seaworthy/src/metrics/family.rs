//! Families of metrics: one instrument for each set of label values, up to a limit.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use seaworthy_core::metric::{self, Exposition, Kind, OTHER};

use super::FamilyError;
use super::instrument::{Counter, Gauge, Histogram, Instrument};

/// A family of [`Counter`]s.
pub type Counters = Family<Counter>;
/// A family of [`Gauge`]s.
pub type Gauges = Family<Gauge>;
/// A family of [`Histogram`]s.
pub type Histograms = Family<Histogram>;

/// One instrument for each set of label values. Clones are the same family.
///
/// Beyond `max_series` no series is added: counters and histograms go on under the value `other` for every label, so that
/// a sum over the family stays right; gauges are lost, since the sum of strangers means nothing. How often that
/// happened is counted in `seaworthy_series_dropped_total`.
#[derive(Debug)]
pub struct Family<I: Instrument>(Arc<Inner<I>>);

impl<I: Instrument> Clone for Family<I> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[derive(Debug)]
struct Inner<I: Instrument> {
    name: Box<str>,
    help: Box<str>,
    labels: Box<[Box<str>]>,
    settings: I::Settings,
    most: usize,
    series: RwLock<Series<I>>,
}

#[derive(Debug)]
struct Series<I> {
    /// By their values, written one after the other; see [`key`].
    known: HashMap<Box<str>, Entry<I>>,
    other: Option<I>,
    beyond: u64,
}

#[derive(Debug)]
struct Entry<I> {
    values: Box<[Box<str>]>,
    instrument: I,
}

impl<I: Instrument> Family<I> {
    pub(super) fn new(
        name: &str,
        help: &str,
        labels: &[&str],
        settings: I::Settings,
        max_series: usize,
    ) -> Result<Self, FamilyError> {
        if !metric::is_metric_name(name) {
            return Err(FamilyError::Name(name.to_owned()));
        }
        if I::KIND == Kind::Counter && !name.ends_with("_total") {
            return Err(FamilyError::Suffix(name.to_owned()));
        }
        for (index, label) in labels.iter().enumerate() {
            let reserved = I::KIND == Kind::Histogram && *label == "le";
            if reserved || !metric::is_label_name(label) || labels[..index].contains(label) {
                return Err(FamilyError::Label { family: name.to_owned(), label: (*label).to_owned() });
            }
        }
        let series = Series { known: HashMap::new(), other: None, beyond: 0 };
        let most = (max_series / I::series(&settings)).max(1);
        Ok(Self(Arc::new(Inner {
            name: name.into(),
            help: help.into(),
            labels: labels.iter().map(|label| (*label).into()).collect(),
            settings,
            most,
            series: RwLock::new(series),
        })))
    }

    /// The instrument of these values, in the order of the labels. Looked up behind a lock: keep it where it is used often.
    ///
    /// Values beyond the labels are ignored, and missing ones are empty.
    #[must_use]
    pub fn with(&self, values: &[&str]) -> I {
        let key = key(values);
        let inner = &*self.0;
        if let Some(entry) = inner.series.read().unwrap_or_else(PoisonError::into_inner).known.get(&*key) {
            return entry.instrument.clone();
        }
        let mut series = inner.series.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = series.known.get(&*key) {
            return entry.instrument.clone();
        }
        if series.known.len() >= inner.most {
            series.beyond += 1;
            let other = series.other.get_or_insert_with(|| I::new(&inner.settings));
            return if I::KIND == Kind::Gauge { I::new(&inner.settings) } else { other.clone() };
        }
        let values = (0..inner.labels.len()).map(|index| values.get(index).copied().unwrap_or_default().into());
        let entry = Entry { values: values.collect(), instrument: I::new(&inner.settings) };
        let instrument = entry.instrument.clone();
        series.known.insert(key.into(), entry);
        instrument
    }

    /// Forgets the instrument of these values, of something that is gone. Whoever still has it counts into nowhere.
    pub fn remove(&self, values: &[&str]) {
        self.0.series.write().unwrap_or_else(PoisonError::into_inner).known.remove(&*key(values));
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether somebody who asks for a family like this one means this one.
    pub(super) fn is_like(&self, labels: &[&str], settings: &I::Settings) -> bool {
        self.0.labels.iter().map(|label| &**label).eq(labels.iter().copied()) && self.0.settings == *settings
    }
}

/// Values one after the other, each behind its length, so that no two sets have the same key.
fn key(values: &[&str]) -> String {
    match values {
        // No other value can be mistaken for it.
        [value] => (*value).to_owned(),
        values => values.iter().fold(String::new(), |key, value| key + &value.len().to_string() + ":" + value),
    }
}

/// A family of any kind, as a page sees it.
pub(super) trait Written: std::fmt::Debug + Send + Sync {
    fn write(&self, page: &mut Exposition);

    /// Times a series was not made.
    fn beyond(&self) -> u64;

    fn name(&self) -> &str;
}

impl<I: Instrument> Written for Family<I> {
    fn write(&self, page: &mut Exposition) {
        let inner = &*self.0;
        let kind = I::kind_of(&inner.name);
        let mut rows: Vec<(Box<[Box<str>]>, I)> = {
            let series = inner.series.read().unwrap_or_else(PoisonError::into_inner);
            let known = series.known.values().map(|entry| (entry.values.clone(), entry.instrument.clone()));
            let other = series.other.as_ref().filter(|_| I::KIND != Kind::Gauge);
            let other = other.map(|other| (inner.labels.iter().map(|_| OTHER.into()).collect(), other.clone()));
            known.chain(other).collect()
        };
        // Somebody may have named all labels `other` by hand: a series that stands twice breaks the page.
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        let name = page.free_name(&inner.name, kind).into_owned();
        let mut family = page.family(&name, kind, &inner.help);
        let mut last: Option<Box<[Box<str>]>> = None;
        for (values, instrument) in rows {
            if last.as_ref() == Some(&values) {
                continue;
            }
            let labels: Vec<(&str, &str)> =
                inner.labels.iter().zip(&values).map(|(name, value)| (&**name, &**value)).collect();
            instrument.write(&mut family, &labels);
            last = Some(values);
        }
    }

    fn beyond(&self) -> u64 {
        self.0.series.read().unwrap_or_else(PoisonError::into_inner).beyond
    }

    fn name(&self) -> &str {
        &self.0.name
    }
}
