//! The binary.
mod gateway;
fn main() {}
