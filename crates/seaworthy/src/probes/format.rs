//! The shapes that a verdict can take: from a [`Report`](super::Report) to a body.
//!
//! ```
//! use seaworthy::core::health::{Live, Snapshot};
//! use seaworthy::core::lifecycle::State;
//! use seaworthy::probes::{Facts, Identity, Moment, Report, Verdict, format};
//!
//! let (snapshot, identity) = (Snapshot::default(), Identity { service: "orders".to_owned(), ..Identity::default() });
//! let facts = Facts {
//!     now: Moment::read(),
//!     uptime: std::time::Duration::from_secs(60),
//!     state: State::Ready,
//!     live: Live { workers_turn: true },
//!     snapshot: snapshot.clone().into(),
//! };
//! let report = Report::of_verdict(Verdict::Ready, &snapshot, &facts, &identity, false);
//! assert!(String::from_utf8(format::json::write(&report)).unwrap().contains(r#""status":"ready""#));
//! ```

pub mod json;
pub mod kubernetes;
