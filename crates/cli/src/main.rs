//! The binary.
mod config;
mod gateway;

fn main() {}
