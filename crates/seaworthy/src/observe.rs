//! Observers of requests that are none, or perhaps one. Two are one as a pair; see [`Observer`].
//!
//! ```
//! use seaworthy::access::{AccessLayer, Observer};
//! use seaworthy::core::event::RequestFinished;
//!
//! #[derive(Clone)]
//! struct Printed;
//!
//! impl Observer for Printed {
//!     fn finished(&self, request: &RequestFinished<'_>) {
//!         println!("{} {} {}", request.method, request.path, request.status);
//!     }
//! }
//! AccessLayer::new((Printed, Printed));
//! ```

use seaworthy_core::event::RequestFinished;

use crate::access::Observer;

/// Nobody looks.
impl Observer for () {
    fn finished(&self, _: &RequestFinished<'_>) {}
}

/// It is there, or nobody looks.
impl<A: Observer> Observer for Option<A> {
    fn started(&self) {
        if let Some(observer) = self {
            observer.started();
        }
    }

    fn finished(&self, request: &RequestFinished<'_>) {
        if let Some(observer) = self {
            observer.finished(request);
        }
    }
}
