//! Metrics: from facts to an exposition.
