//! How fast the bodies of one connection come: that of its one request over HTTP/1, those of all its streams over HTTP/2.
//!
//! A body is entered when the client is waited for the first time. One that came with its head costs nothing here.

use std::cell::{Cell, RefCell};
use std::task::Waker;
use std::time::Duration;

use seaworthy_core::pace::{Arrived, MinRate, Pace};
use slab::Slab;

/// The bodies that were waited for and have not ended.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    meters: RefCell<Slab<Meter>>,
    /// What was given to all bodies, in bytes.
    given: Cell<u64>,
}

/// One body.
#[derive(Debug, Default)]
struct Meter {
    pace: Pace,
    /// What was given to it since it was entered, in bytes.
    given: u64,
    /// It came too slowly: the next read of it fails.
    expired: bool,
    /// Whoever reads it.
    reader: Option<Waker>,
}

/// What came on the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Read {
    /// For the one body that there is.
    Http1(u64),
    /// For any stream.
    Http2(u64),
}

impl Read {
    fn of(self, body: u64, bodies: u64) -> Arrived {
        match self {
            Self::Http1(bytes) => Arrived::alone(bytes),
            Self::Http2(connection) => Arrived { body, bodies, connection },
        }
    }
}

impl Meters {
    /// Somebody waits for the body that is entered under `key`; it is entered where it is not yet.
    pub(crate) fn wait(&self, key: Option<usize>, now: Duration, read: Read, reader: &Waker) -> usize {
        let mut meters = self.meters.borrow_mut();
        let key = key.unwrap_or_else(|| meters.insert(Meter::default()));
        if let Some(meter) = meters.get_mut(key) {
            meter.pace.wait(now, read.of(meter.given, self.given.get()));
            match &mut meter.reader {
                Some(known) => known.clone_from(reader),
                none => *none = Some(reader.clone()),
            }
        }
        key
    }

    /// So much is given to a body, entered or not.
    pub(crate) fn give(&self, key: Option<usize>, now: Duration, bytes: usize) {
        self.given.set(self.given.get() + bytes as u64);
        let Some(key) = key else { return };
        if let Some(meter) = self.meters.borrow_mut().get_mut(key) {
            meter.given += bytes as u64;
            meter.pace.go_on(now);
        }
    }

    pub(crate) fn is_expired(&self, key: usize) -> bool {
        self.meters.borrow().get(key).is_some_and(|meter| meter.expired)
    }

    /// It ended, or nobody wants it any more.
    pub(crate) fn leave(&self, key: usize) {
        self.meters.borrow_mut().try_remove(key);
    }

    /// Lets the reads of those fail that came too slowly.
    pub(crate) fn expire(&self, min: MinRate, now: Duration, read: Read) {
        for (_, meter) in self.meters.borrow_mut().iter_mut().filter(|(_, meter)| !meter.expired) {
            meter.expired = meter.pace.is_too_slow(min, now, read.of(meter.given, self.given.get()));
            if meter.expired
                && let Some(reader) = meter.reader.take()
            {
                // It runs later, on this thread.
                reader.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: MinRate = MinRate { bytes_a_second: 100, over: Duration::from_secs(5) };
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn of_two_streams_the_slow_one_expires_alone() {
        let (meters, mut read) = (Meters::default(), 0);
        let [fast, slow] = [(); 2].map(|()| meters.wait(None, Duration::ZERO, Read::Http2(0), Waker::noop()));
        for passed in 1..60 {
            let now = passed * SECOND;
            for (key, bytes) in [(fast, 100_000), (slow, 1)] {
                read += bytes as u64;
                meters.give(Some(key), now, bytes);
                meters.wait(Some(key), now, Read::Http2(read), Waker::noop());
            }
            meters.expire(MIN, now, Read::Http2(read));
            assert_eq!((meters.is_expired(fast), meters.is_expired(slow)), (false, passed >= 5), "after {passed} s");
        }
    }

    #[test]
    fn a_body_that_ended_leaves_nothing_to_the_next() {
        let meters = Meters::default();
        let first = meters.wait(None, Duration::ZERO, Read::Http1(0), Waker::noop());
        meters.expire(MIN, 5 * SECOND, Read::Http1(0));
        assert!(meters.is_expired(first));
        meters.leave(first);
        let next = meters.wait(None, 6 * SECOND, Read::Http1(0), Waker::noop());
        meters.expire(MIN, 10 * SECOND, Read::Http1(0));
        assert!(!meters.is_expired(next));
    }
}
