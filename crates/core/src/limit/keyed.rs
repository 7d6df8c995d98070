//! Many clients in bounded memory.

use std::hash::BuildHasher;
use std::time::Duration;

use super::decide::{Decision, Limit, State};
use super::key::Key;

/// Buckets that new keys share when all places are taken by busy ones.
pub const OVERFLOW: usize = 64;

/// Places of one bucket: three cache lines.
const WAYS: usize = 8;

/// The buckets that a table begins with.
const FIRST: usize = 8;

/// A key and its state. As plain numbers, so that a table of zeros is made by the system, page by page when it is used.
type Place = [u64; 3];

/// What is known of many clients. Each may be in one of two buckets, which the hash of its key tells; what stands there and is
/// idle is written over. 24 bytes a place. It begins small and doubles when a key finds no place, until it is as large as it may be.
///
/// `S` makes the hash, by a secret: whoever can guess it can have others share his buckets.
#[derive(Debug, Clone)]
pub struct Keyed<S> {
    limit: Limit,
    hasher: S,
    places: Vec<Place>,
    most: usize,
    overflow: Box<[State; OVERFLOW]>,
    overflowed: u64,
}

impl<S: BuildHasher> Keyed<S> {
    /// Holds `keys` busy keys at a time, give or take some; what is more shares [`OVERFLOW`] buckets.
    #[must_use]
    pub fn new(limit: Limit, keys: usize, hasher: S) -> Self {
        // A quarter more: by two choices nearly all of a table can be used before a key finds no place.
        let most = keys.saturating_add(keys / 4).min(1 << 40).next_power_of_two().max(WAYS * FIRST);
        let overflow = Box::new([State::default(); OVERFLOW]);
        Self { limit, hasher, places: vec![[0; 3]; WAYS * FIRST], most, overflow, overflowed: 0 }
    }

    /// Decides on one request of `key` at `now`.
    pub fn decide(&mut self, key: Key, now: Duration) -> Decision {
        self.decide_hashed(key, self.hasher.hash_one(key), now)
    }

    /// The same for whoever knows the hash already, because it chose among several tables by the highest bits of it.
    pub fn decide_hashed(&mut self, key: Key, hash: u64, now: Duration) -> Decision {
        loop {
            if let Some(found) = self.find(key, hash, now) {
                let place = &mut self.places[found];
                let mut state = if place[..2] == key.0 { State::of(place[2]) } else { State::default() };
                let decision = self.limit.decide(&mut state, now);
                *place = [key.0[0], key.0[1], state.number()];
                return decision;
            }
            if self.places.len() >= self.most {
                break;
            }
            self.grow(now);
        }
        self.overflowed += 1;
        let shared = &mut self.overflow[usize::from(hash.to_be_bytes()[1]) % OVERFLOW];
        self.limit.decide(shared, now)
    }

    /// Requests that were decided on by a bucket that their client shared.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        self.overflowed
    }

    /// Keys whose allowance is not whole at `now`; what is forgotten of the others nobody misses. Looks at every place.
    #[must_use]
    pub fn busy(&self, now: Duration) -> usize {
        self.places.iter().filter(|place| !self.limit.idle(State::of(place[2]), now)).count()
    }

    /// The memory that is taken, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>() + size_of::<[State; OVERFLOW]>() + self.places.capacity() * size_of::<Place>()
    }

    /// The place of `key`: where it stands, or where it may.
    fn find(&self, key: Key, hash: u64, now: Duration) -> Option<usize> {
        let mut free = [None; 2];
        let mut idle = [0; 2];
        for (choice, bucket) in buckets(hash, self.places.len()).into_iter().enumerate() {
            for (way, place) in self.places[bucket..bucket + WAYS].iter().enumerate() {
                if place[..2] == key.0 && place[2] != 0 {
                    return Some(bucket + way);
                }
                if self.limit.idle(State::of(place[2]), now) {
                    free[choice].get_or_insert(bucket + way);
                    idle[choice] += 1;
                }
            }
        }
        // The emptier one: so both fill evenly.
        let [one, other] = free;
        if idle[1] > idle[0] { other.or(one) } else { one.or(other) }
    }

    /// Twice as many places, with what is busy. It costs some ten nanoseconds a place, so whoever decides for many keeps several
    /// small tables.
    fn grow(&mut self, now: Duration) {
        let places = vec![[0; 3]; self.places.len() * 2];
        for place in std::mem::replace(&mut self.places, places) {
            let key = Key([place[0], place[1]]);
            if self.limit.idle(State::of(place[2]), now) {
                continue;
            }
            // At half of its places a table by two choices has one for each; else the key would be taken for a new one.
            if let Some(free) = self.find(key, self.hasher.hash_one(key), now) {
                self.places[free] = place;
            }
        }
    }
}

/// Where the two buckets of a hash begin.
fn buckets(hash: u64, places: usize) -> [usize; 2] {
    let last = places / WAYS - 1;
    // Half of the hash each.
    let half = |hash: u64| usize::try_from(hash & u64::from(u32::MAX)).unwrap_or(usize::MAX) & last;
    let (first, second) = (half(hash), half(hash >> 32));
    [first * WAYS, if first == second { second ^ 1 } else { second } * WAYS]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::hash::RandomState;
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    const NOW: Duration = Duration::from_secs(1);

    fn table(rate: &str, keys: usize) -> Keyed<RandomState> {
        Keyed::new(Limit::new(rate.parse().unwrap()), keys, RandomState::new())
    }

    fn client(number: u32) -> Key {
        Key::address(Ipv4Addr::from_bits(number).into())
    }

    #[test]
    fn a_million_addresses_need_64_bytes_each_and_none_shares_a_bucket() {
        const MILLION: u32 = 1_000_000;
        let mut table = table("1/h", MILLION as usize);
        for number in 0..MILLION {
            assert!(table.decide(client(number), NOW).allowed, "{number}");
        }
        assert_eq!(table.overflowed(), 0);
        assert!(table.size() <= 64 * MILLION as usize, "{} bytes", table.size());
        // Each of them is remembered.
        assert!((0..MILLION).step_by(997).all(|number| !table.decide(client(number), NOW).allowed));
    }

    #[test]
    fn a_table_that_few_use_is_small() {
        let mut table = table("100/min", 1_000_000);
        for number in 0..40 {
            let _ = table.decide(client(number), NOW);
        }
        assert!(table.size() < 4096, "{} bytes", table.size());
    }

    #[test]
    fn idle_keys_give_way_and_the_table_does_not_grow_for_them() {
        let mut table = table("1/s", 1_000_000);
        let size = table.size();
        for number in 0..10_000 {
            let now = Duration::from_millis(u64::from(number) * 1_100);
            assert!(table.decide(client(number), now).allowed);
        }
        assert_eq!(table.size(), size);
    }

    #[test]
    fn more_keys_than_allowed_share_buckets_and_take_no_more_memory() {
        let mut table = table("5/h", 1_000);
        for number in 0..100_000 {
            let _ = table.decide(client(number), NOW);
        }
        assert!(table.overflowed() > 90_000, "{}", table.overflowed());
        assert!(table.size() <= 64 * 1_000 + 1_024, "{} bytes", table.size());
        // Those that were there first are not refused because of it.
        assert!((0..500).all(|number| table.decide(client(number), NOW).allowed));
    }

    proptest! {
        #[test]
        fn a_table_decides_as_a_map_without_bounds_does(
            steps in prop::collection::vec((0_u32..300, 0_u64..2_000), 1..600),
        ) {
            let limit = Limit::new("3/10s".parse().unwrap());
            let mut table = Keyed::new(limit, 10_000, RandomState::new());
            let (mut map, mut now) = (HashMap::new(), Duration::ZERO);
            for (number, gap) in steps {
                now += Duration::from_millis(gap);
                let expected = limit.decide(map.entry(number).or_insert_with(State::default), now);
                prop_assert_eq!(table.decide(client(number), now), expected);
            }
        }
    }
}
