//! What the service depends on, and for what.
//!
//! Only what *every* request needs withholds readiness: without the database no replica can serve, and with it each can. Without Redis
//! orders are accepted and fulfilled later, and without the payment provider everything but payments works: were readiness to depend on
//! these, one of them would take all replicas out at once.

use std::time::Duration;

use seaworthy::health::{Affects, Dependency, Health};

use crate::payments::Payments;
use crate::queue::Queue;
use crate::store::Store;

/// The start is complete when this is done.
pub(crate) const MIGRATIONS: &str = "migrations";

/// What does not answer in this time would not answer a request either.
const WITHIN: Duration = Duration::from_secs(1);

pub(crate) fn health(store: &Store, queue: &Queue, payments: &Payments, every: Duration) -> Health {
    let (kind, store, payments) = (store.kind(), store.clone(), payments.clone());
    let database = Dependency::new(Affects::Ready, move || {
        let store = store.clone();
        async move { Ok(store.ping().await?) }
    });
    let provider = Dependency::new(Affects::Health, move || {
        let payments = payments.clone();
        async move { payments.ping().await }
    });
    let mut health = Health::builder()
        .initializes(MIGRATIONS)
        .dependency("database", database.kind(kind).group("storage").every(every).within(WITHIN).gates_start())
        .dependency("payments", provider.kind("http").every(every).within(WITHIN));
    if let Some(redis) = queue.redis() {
        let redis = Dependency::new(Affects::Health, move || {
            let redis = redis.clone();
            async move { Ok(redis.ping().await?) }
        });
        health = health.dependency("redis", redis.kind("redis").group("storage").every(every).within(WITHIN));
    }
    health.build()
}
