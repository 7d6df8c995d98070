//! How many requests a client may make: a [`Rate`], what it comes to for one of them, and for many in bounded memory.
//!
//! # Rules
//!
//! - [`Algorithm::Gcra`] (the generic cell rate algorithm, ITU-T I.371) spreads: after a burst, one more is allowed each time
//!   `period / count` has passed. It needs one number a client and has no window whose edge lets twice as many through.
//! - [`Algorithm::Window`] counts from a client's first request: `count` within a `period`, and the next is refused until that is over.
//! - A client that has its whole allowance is the same as one that is not known. So an idle key needs no place, and what stood in it
//!   is written over: nothing sweeps.
//! - [`Keyed`] never holds more than it was allowed to. When it is full of busy keys, new ones share overflow buckets, and
//!   that is counted.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use seaworthy_core::limit::{Limit, Rate};
//!
//! let limit = Limit::new("2/min".parse::<Rate>()?);
//! let (mut state, now) = (Default::default(), Duration::ZERO);
//! assert!(limit.decide(&mut state, now).allowed);
//! assert_eq!(limit.decide(&mut state, now).remaining, 0);
//! let refused = limit.decide(&mut state, now);
//! assert_eq!((refused.allowed, refused.retry_after), (false, Duration::from_secs(30)));
//! # Ok::<(), seaworthy_core::limit::RateError>(())
//! ```

mod decide;
mod key;
mod keyed;
mod rate;

pub use decide::{Algorithm, Decision, Limit, LimitError, State};
pub use key::Key;
pub use keyed::{Keyed, OVERFLOW};
pub use rate::{Rate, RateError};
