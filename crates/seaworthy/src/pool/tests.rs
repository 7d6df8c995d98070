use std::sync::Mutex;

use seaworthy_core::metric::Format;
use tokio::sync::Semaphore;

use super::*;

/// A pool of permits.
#[derive(Clone)]
struct Permits(Arc<Semaphore>, u64);

impl Permits {
    fn new(max: u32) -> Self {
        Self(Arc::new(Semaphore::new(max as usize)), u64::from(max))
    }
}

impl Pool for Permits {
    fn read(&self) -> Reading {
        Reading { size: self.1, idle: self.0.available_permits() as u64, max: self.1, waiting: 0 }
    }
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Sink for Heard {
    fn emit(&self, event: &Event) {
        self.0.lock().unwrap().push(event.to_string());
    }
}

fn sample(metrics: &Metrics, sample: &str) -> String {
    let page = String::from_utf8(metrics.exposition(Format::Text)).unwrap();
    let found = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {sample} in\n{page}")).to_owned()
}

#[tokio::test]
async fn a_pool_is_shown_as_it_is_and_says_once_when_it_gets_tight() {
    let (metrics, heard) = (Metrics::new("shop"), Arc::new(Heard::default()));
    let pool = Permits::new(10);
    let observed = observe(&pool).name("orders").sink(heard.clone()).register(&metrics).unwrap();
    let eight = pool.0.acquire_many(8).await.unwrap();
    for (gauge, expected) in [("total", "10"), ("idle", "2"), ("active", "8"), ("waiting", "0"), ("max", "10")] {
        assert_eq!(sample(&metrics, &format!(r#"db_pool_size_{gauge}{{pool="orders"}}"#)), expected, "{gauge}");
    }
    let two = pool.0.acquire_many(2).await.unwrap();
    let mut waits = Box::pin(observed.acquiring(pool.0.acquire()));
    assert!(once(&mut waits).await.is_pending());
    assert_eq!(sample(&metrics, r#"db_pool_size_waiting{pool="orders"}"#), "1");
    drop((eight, two));
    drop(waits.await.unwrap());
    assert_eq!(sample(&metrics, r#"db_pool_size_waiting{pool="orders"}"#), "0");
    assert_eq!(sample(&metrics, r#"db_pool_wait_seconds_count{pool="orders"}"#), "1");
    assert_eq!(
        *heard.0.lock().unwrap(),
        [
            "pool orders is nearly used up: 8 of 10 connections are in use",
            "pool orders is exhausted: all 10 connections are in use, and 1 wait for one",
            "pool orders is at ease again: 0 of 10 connections are in use",
        ]
    );
}

#[tokio::test]
async fn whoever_gives_up_waiting_is_not_counted_any_more() {
    let metrics = Metrics::new("shop");
    let pool = Permits::new(1);
    let observed = observe(&pool).register(&metrics).unwrap();
    let _all = pool.0.acquire().await.unwrap();
    let mut waits = Box::pin(observed.acquiring(pool.0.acquire()));
    assert!(once(&mut waits).await.is_pending());
    assert_eq!(observed.read().waiting, 1);
    drop(waits);
    assert_eq!(observed.read().waiting, 0);
}

async fn once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut *future).poll(context))).await
}

/// Holds all connections of a pool, and looks.
#[cfg(any(feature = "bb8", feature = "deadpool", feature = "sqlx"))]
async fn is_exhausted<P: Pool, C>(observed: &Observed<P>, connections: Vec<C>, waits: impl Future) {
    let reading = observed.read();
    assert_eq!((reading.size, reading.idle, reading.max), (2, 0, 2));
    let mut waits = Box::pin(observed.acquiring(waits));
    assert!(once(&mut waits).await.is_pending());
    assert_eq!(observed.read().waiting, 1);
    drop(waits);
    drop(connections);
}

#[cfg(feature = "sqlx")]
#[tokio::test]
async fn a_pool_of_sqlx_is_read_and_asked() {
    let options = ::sqlx::sqlite::SqlitePoolOptions::new().max_connections(2);
    let pool = options.connect("sqlite::memory:").await.unwrap();
    let observed = observe(&pool).register(&Metrics::new("shop")).unwrap();
    observed.ping().await.unwrap();
    let held = vec![pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    is_exhausted(&observed, held, pool.acquire()).await;
    pool.close().await;
    assert!(observed.ping().await.is_err());
}

#[cfg(feature = "deadpool")]
#[tokio::test]
async fn a_pool_of_deadpool_is_read_and_asked() {
    use ::deadpool::managed::{Manager, Metrics as Used, Pool as Deadpool, RecycleResult};
    struct Numbers;
    impl Manager for Numbers {
        type Type = u8;
        type Error = std::io::Error;
        async fn create(&self) -> Result<u8, Self::Error> {
            Ok(7)
        }
        async fn recycle(&self, _: &mut u8, _: &Used) -> RecycleResult<Self::Error> {
            Ok(())
        }
    }
    let pool: Deadpool<Numbers> = Deadpool::builder(Numbers).max_size(2).build().unwrap();
    let observed = observe(&pool).register(&Metrics::new("shop")).unwrap();
    observed.ping().await.unwrap();
    let held = vec![pool.get().await.unwrap(), pool.get().await.unwrap()];
    is_exhausted(&observed, held, pool.get()).await;
    pool.close();
    assert!(observed.ping().await.is_err());
}

#[cfg(feature = "bb8")]
#[tokio::test]
async fn a_pool_of_bb8_is_read_and_asked() {
    struct Numbers;
    impl ::bb8::ManageConnection for Numbers {
        type Connection = u8;
        type Error = std::io::Error;
        async fn connect(&self) -> Result<u8, Self::Error> {
            Ok(7)
        }
        async fn is_valid(&self, _: &mut u8) -> Result<(), Self::Error> {
            Ok(())
        }
        fn has_broken(&self, _: &mut u8) -> bool {
            false
        }
    }
    let pool = ::bb8::Pool::builder().max_size(2).build(Numbers).await.unwrap();
    let observed = observe(&pool).register(&Metrics::new("shop")).unwrap();
    observed.ping().await.unwrap();
    let held = vec![pool.get().await.unwrap(), pool.get().await.unwrap()];
    is_exhausted(&observed, held, pool.get()).await;
}
