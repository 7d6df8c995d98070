//! The production layer for HTTP services in Rust.

pub mod health;
pub mod lifecycle;

pub use seaworthy_core as core;
