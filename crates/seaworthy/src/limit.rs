//! Limits on requests: [`body`], [`time`] and [`rate`].

pub mod body;
pub mod rate;
pub mod time;
