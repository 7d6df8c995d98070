//! The shapes that a verdict can take: from a [`Report`](super::Report) to a body.

pub mod json;
pub mod kubernetes;
