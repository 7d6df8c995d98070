//! The production layer for HTTP services in Rust.
//!
//! Every layer can be used alone in any tower stack; [`stack`] puts them into the one order in which refusals carry
//! an id and the headers of every other answer.

pub mod access;
pub mod breaker;
pub mod bulkhead;
#[cfg(feature = "client")]
pub mod client;
pub mod client_address;
pub mod context;
pub mod database;
pub mod gate;
pub mod headers;
pub mod health;
pub mod lifecycle;
pub mod limit;
pub mod log;
pub mod metrics;
pub mod panic;
pub mod pool;
pub mod refusal;
pub mod request_id;
pub mod retry;
pub mod stack;
pub mod trace;

pub use seaworthy_core as core;
