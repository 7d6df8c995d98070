//! When a pool of connections is nearly used up, and when it is.
//!
//! # Rules
//!
//! - A pool is strained when the share of its connections that are in use reaches the threshold, and exhausted when all are
//!   and somebody waits.
//! - It is at ease again a tenth below the threshold, so that one connection more or less is not news each time.
//!
//! ```
//! use seaworthy_core::pool::{Reading, Strain, Watch};
//!
//! let mut watch = Watch::default();
//! let in_use = |active: u64| Reading { size: 10, idle: 10 - active, max: 10, waiting: 0 };
//! assert_eq!(watch.judge(in_use(7)), None);
//! assert_eq!(watch.judge(in_use(8)), Some(Strain::Strained));
//! assert_eq!(watch.judge(in_use(8)), None, "said once");
//! ```

/// A pool at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// Connections that there are.
    pub size: u64,
    /// Those of them that wait to be used.
    pub idle: u64,
    /// How many there may be.
    pub max: u64,
    /// Who waits for one.
    pub waiting: u64,
}

impl Reading {
    /// Connections in use.
    #[must_use]
    pub fn active(&self) -> u64 {
        self.size.saturating_sub(self.idle)
    }

    /// The share in use of all that there may be, from 0 to 1; 1 for a pool that may have none.
    #[must_use]
    pub fn share(&self) -> f64 {
        if self.max == 0 { 1.0 } else { (self.active() as f64 / self.max as f64).min(1.0) }
    }
}

/// How hard a pool is pressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Strain {
    #[default]
    AtEase,
    Strained,
    /// All are in use, and somebody waits.
    Exhausted,
}

/// A threshold that is no share.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a pool is strained at a share between 0.1 and 1, not at {0}: use 0.8 for 80%")]
pub struct ThresholdError(f64);

/// How far below the threshold a pool is at ease again.
const EASE: f64 = 0.1;

/// Judges one pool. A copy judges on its own.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    threshold: f64,
    strain: Strain,
}

impl Default for Watch {
    /// Strained at 80%.
    fn default() -> Self {
        Self { threshold: 0.8, strain: Strain::AtEase }
    }
}

impl Watch {
    /// # Errors
    ///
    /// [`ThresholdError`] unless the threshold lies between 0.1 and 1.
    pub fn new(threshold: f64) -> Result<Self, ThresholdError> {
        // What is no number lies nowhere.
        if (0.1..=1.0).contains(&threshold) {
            Ok(Self { threshold, strain: Strain::AtEase })
        } else {
            Err(ThresholdError(threshold))
        }
    }

    /// How hard the pool is pressed, if that is not what was said last.
    pub fn judge(&mut self, reading: Reading) -> Option<Strain> {
        let share = reading.share();
        let strain = if share >= 1.0 && reading.waiting > 0 {
            Strain::Exhausted
        } else if share >= self.threshold || self.strain != Strain::AtEase && share > self.threshold - EASE {
            Strain::Strained
        } else {
            Strain::AtEase
        };
        (std::mem::replace(&mut self.strain, strain) != strain).then_some(strain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(active: u64, waiting: u64) -> Reading {
        Reading { size: 20, idle: 20 - active, max: 20, waiting }
    }

    #[test]
    fn each_change_is_said_once_and_ease_comes_a_tenth_below() {
        use Strain::{AtEase, Exhausted, Strained};

        let mut watch = Watch::default();
        let said: Vec<_> = [(15, 0), (16, 0), (15, 0), (20, 0), (20, 3), (20, 1), (19, 0), (14, 0), (16, 0)]
            .map(|(active, waiting)| watch.judge(reading(active, waiting)))
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(said, [Strained, Exhausted, Strained, AtEase, Strained]);
    }

    #[test]
    fn a_pool_that_grows_is_judged_by_what_it_may_have() {
        let mut watch = Watch::default();
        assert_eq!(watch.judge(Reading { size: 5, idle: 0, max: 20, waiting: 0 }), None);
        assert_eq!(watch.judge(Reading { size: 0, idle: 0, max: 0, waiting: 1 }), Some(Strain::Exhausted));
    }

    #[test]
    fn a_threshold_that_is_no_share_is_quoted() {
        for threshold in [0.0, 80.0, f64::NAN] {
            let refused = Watch::new(threshold).unwrap_err().to_string();
            assert!(refused.contains(&threshold.to_string()), "{refused}");
        }
    }
}
