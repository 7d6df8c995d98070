//! Limits on one request: [`body`] and [`time`].

pub mod body;
pub mod time;
