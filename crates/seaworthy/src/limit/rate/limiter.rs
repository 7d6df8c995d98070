//! The allowances of all clients, shared by threads.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue};
use seaworthy_core::event::{Event, Nowhere, Sink};
use seaworthy_core::limit::{Decision, Key, Keyed};

use super::settings::RateLimit;
use super::stamp;
use crate::clock;
use crate::context::RequestContext;

/// So many tables, so that threads rarely meet at one, and none takes long to grow. A power of two, at most 64.
const SHARDS: usize = 64;

/// What a rate limit has done since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Requests that were refused, or would have been.
    pub refused: u64,
    /// Requests of clients that shared an allowance, because too many were known.
    pub overflowed: u64,
}

pub(crate) struct Limiter {
    pub(super) settings: RateLimit,
    /// What it allows at most, as headers say it.
    pub(super) most: HeaderValue,
    shards: Box<[Mutex<Keyed<RandomState>>]>,
    hasher: RandomState,
    /// For the other half of hashed keys.
    second: RandomState,
    began: Instant,
    refused: AtomicU64,
    warned: AtomicBool,
    sink: Arc<dyn Sink>,
}

impl Limiter {
    pub(super) fn new(settings: RateLimit, sink: Option<Arc<dyn Sink>>) -> Self {
        let hasher = RandomState::new();
        let table = || Mutex::new(Keyed::new(settings.limit, settings.keys.div_ceil(SHARDS), hasher.clone()));
        Self {
            shards: (0..SHARDS).map(|_| table()).collect(),
            second: RandomState::new(),
            began: clock::now(),
            refused: AtomicU64::new(0),
            warned: AtomicBool::new(false),
            sink: sink.unwrap_or_else(|| Arc::new(Nowhere)),
            hasher,
            most: stamp::constant(settings.limit.most()),
            settings,
        }
    }

    /// `None` where no limit is about the request.
    pub(super) fn decide(
        &self,
        path: &str,
        context: Option<&RequestContext>,
        headers: &HeaderMap,
        now: Instant,
    ) -> Option<Decision> {
        if self.settings.paths.have(path) {
            return None;
        }
        let client = context.and_then(|context| context.client);
        if client.is_some_and(|client| self.settings.networks.iter().any(|network| network.contains(&client))) {
            return None;
        }
        let decision = self.of_key(self.key(client, headers), now.saturating_duration_since(self.began));
        if !decision.allowed {
            self.refused.fetch_add(1, Relaxed);
            self.warn(headers, context.is_some_and(|context| context.peer_trusted), client);
        }
        Some(decision)
    }

    fn of_key(&self, key: Key, now: Duration) -> Decision {
        let hash = self.hasher.hash_one(key);
        // The highest bits: a table looks at others.
        let shard = &self.shards[usize::from(hash.to_be_bytes()[0] >> 2) % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner).decide_hashed(key, hash, now)
    }

    fn key(&self, client: Option<IpAddr>, headers: &HeaderMap) -> Key {
        if let Some(value) = self.settings.by.as_ref().and_then(|name| headers.get(name)) {
            return Key::hashed([self.hasher.hash_one(value.as_bytes()), self.second.hash_one(value.as_bytes())]);
        }
        client.map_or_else(Key::default, Key::address)
    }

    /// All clients behind a proxy that is not trusted are one: whoever set that up did not mean it.
    fn warn(&self, headers: &HeaderMap, trusted: bool, client: Option<IpAddr>) {
        if trusted || !headers.contains_key("x-forwarded-for") || self.warned.swap(true, Relaxed) {
            return;
        }
        let from = client.map_or_else(|| "somebody without an address".to_owned(), |client| client.to_string());
        let text = format!(
            "a request of {from} was refused by its rate, and carries X-Forwarded-For: if that is a proxy of yours, all its clients \
             share one allowance until it is among the trusted proxies"
        );
        self.sink.emit(&Event::Warning { text });
    }

    /// Clients that have used some of their allowance.
    pub(crate) fn keys(&self) -> usize {
        let now = clock::now().saturating_duration_since(self.began);
        // One table after the other, so that no request waits for more than its own to be read.
        let busy = |shard: &Mutex<Keyed<RandomState>>| shard.lock().unwrap_or_else(PoisonError::into_inner).busy(now);
        self.shards.iter().map(busy).sum()
    }

    pub(crate) fn counts(&self) -> Counts {
        let overflowed =
            |shard: &Mutex<Keyed<RandomState>>| shard.lock().unwrap_or_else(PoisonError::into_inner).overflowed();
        Counts { refused: self.refused.load(Relaxed), overflowed: self.shards.iter().map(overflowed).sum() }
    }
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limiter")
            .field("settings", &self.settings)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
