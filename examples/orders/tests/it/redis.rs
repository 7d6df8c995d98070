//! With Redis as the queue.

use crate::bed::{Orders, PostgreSql, Redis};

#[test]
fn orders_are_accepted_while_redis_is_away_and_fulfilled_when_it_is_back() {
    let (database, mut redis) = (PostgreSql::start(), Redis::start());
    let orders = Orders::ready(&[("DATABASE_URL", &database.url()), ("REDIS_URL", &redis.url())]);
    let id = orders.place();
    orders.fulfilled(&id);
    orders.stands("redis", "healthy");

    redis.stop();
    let forgotten = orders.place();
    orders.log.line("that the queue did not take it", |line| {
        line["message"] == "the queue did not take an order" && line["order"] == forgotten.as_str()
    });
    orders.stands("redis", "unhealthy");
    // Whoever waits for Redis would take all replicas out at once.
    orders.probes("/readyz", 200);
    assert_eq!(orders.get("/orders").status, 200);

    redis.start_again();
    orders.stands("redis", "healthy");
    orders.fulfilled(&forgotten);
    orders.log.line("that it was forgotten", |line| line["order"] == forgotten.as_str() && line["level"] == "warn");
}

#[test]
fn a_redis_that_is_not_there_keeps_nobody_from_starting() {
    let mut redis = Redis::start();
    redis.stop();
    let orders = Orders::ready(&[("REDIS_URL", &redis.url())]);
    orders.stands("redis", "unhealthy");
    let id = orders.place();
    redis.start_again();
    orders.fulfilled(&id);
}
