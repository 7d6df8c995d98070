use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use proptest::prelude::*;
use seaworthy_core::event::Nowhere;
use tokio::time::sleep;
use tower::{Layer as _, ServiceBuilder, ServiceExt, service_fn};

use super::*;
use crate::breaker::{self, Breaker, BreakerLayer};
use crate::bulkhead::{self, Bulkhead, BulkheadLayer};
use crate::retry::{self, BudgetPolicy, RetryBody, RetryLayer};

const MILLISECOND: Duration = Duration::from_millis(1);
const ONE: std::num::NonZeroU32 = std::num::NonZeroU32::MIN;

/// Answers the next of `answers` to each attempt: so late, with this status. The last one ever after.
#[derive(Clone)]
struct Server {
    answers: Arc<Vec<(u32, u16)>>,
    attempts: Arc<AtomicU32>,
    /// In flight now, and the most that ever were.
    in_flight: Arc<AtomicU32>,
    most: Arc<AtomicU32>,
}

/// A request in flight: given back however it ends.
struct Flight(Arc<AtomicU32>);

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Server {
    fn answering(answers: impl IntoIterator<Item = (u32, u16)>) -> Self {
        let answers = Arc::new(answers.into_iter().collect());
        Self { answers, attempts: Arc::default(), in_flight: Arc::default(), most: Arc::default() }
    }

    async fn answer(self) -> Response<Full<Bytes>> {
        self.most.fetch_max(self.in_flight.fetch_add(1, SeqCst) + 1, SeqCst);
        let _flight = Flight(self.in_flight.clone());
        let number = self.attempts.fetch_add(1, SeqCst) as usize;
        let (late, status) = self.answers[number.min(self.answers.len() - 1)];
        sleep(late * MILLISECOND).await;
        Response::builder().status(status).body(Full::from(number.to_string())).unwrap()
    }

    fn attempts(&self) -> u32 {
        self.attempts.load(SeqCst)
    }
}

/// All that stands around a server.
struct Client {
    hedge: Hedge,
    retries: RetryLayer,
    breaker: Breaker,
    bulkhead: Bulkhead,
    server: Server,
}

impl Client {
    fn of(server: Server, budget: BudgetPolicy, methods: Methods) -> Self {
        let none = retry::Policy { retries: 0, ..retry::Policy::default() };
        let retry = Retry::within(budget, "test", none, Arc::new(Nowhere));
        let retries = RetryLayer::new(retry.clone()).hedged(true);
        let hedge = Hedge::new(Policy { after: After::Delay(50 * MILLISECOND), methods }, retry);
        let breaker = Breaker::new("test", breaker::Policy::default(), Arc::new(Nowhere));
        let bulkhead = Bulkhead::new("test", bulkhead::Policy::default(), Arc::new(Nowhere));
        Self { hedge, retries, breaker, bulkhead, server }
    }

    async fn asked(&self, method: Method) -> Response<Full<Bytes>> {
        let server = self.server.clone();
        let inner = service_fn(move |_: Request<RetryBody<Full<Bytes>>>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer().await) }
        });
        let service = ServiceBuilder::new()
            .layer(HedgeLayer::new(self.hedge.clone()))
            .layer(BreakerLayer::new(self.breaker.clone()))
            .layer(BulkheadLayer::new(self.bulkhead.clone()))
            .service(inner);
        let request = Request::builder().method(method).uri("http://a.example/").body(Full::from("body")).unwrap();
        let Ok(answer) = self.retries.layer(service).oneshot(request).await;
        answer
    }

    /// Nothing is left behind.
    fn assert_at_rest(&self) {
        assert_eq!(self.server.in_flight.load(SeqCst), 0, "the one that came too late is dropped");
        assert_eq!(self.bulkhead.occupancy().running, 0, "its place is free");
        assert_eq!(self.breaker.snapshot().probes, 0, "its lease came back");
    }
}

fn client(answers: impl IntoIterator<Item = (u32, u16)>) -> Client {
    Client::of(Server::answering(answers), BudgetPolicy::default(), Methods::Safe)
}

#[tokio::test(start_paused = true)]
async fn a_quick_answer_is_asked_for_once() {
    let client = client([(49, 200)]);
    let answer = client.asked(Method::GET).await;
    assert_eq!((answer.status().as_u16(), answer.extensions().get::<Hedged>()), (200, None));
    assert_eq!((client.server.attempts(), client.hedge.counts()), (1, Counts::default()));
}

#[tokio::test(start_paused = true)]
async fn a_slow_one_is_overtaken_and_dropped_with_its_lease() {
    let client = client([(5_000, 200), (10, 201)]);
    let began = Instant::now();
    let answer = client.asked(Method::GET).await;
    assert_eq!((answer.status().as_u16(), answer.extensions().get()), (201, Some(&Hedged)));
    assert!(began.elapsed() < 100 * MILLISECOND, "{:?}", began.elapsed());
    assert_eq!(client.hedge.counts(), Counts { begun: 1, won: 1, lost: 0, exhausted: 0 });
    client.assert_at_rest();
    assert_eq!(client.breaker.snapshot().totals.succeeded, 1, "the one that was dropped counts neither way");
}

#[tokio::test(start_paused = true)]
async fn a_first_that_comes_in_the_end_wins_and_the_second_is_dropped() {
    let client = client([(60, 200), (5_000, 201)]);
    assert_eq!(client.asked(Method::GET).await.status().as_u16(), 200);
    assert_eq!(client.hedge.counts(), Counts { begun: 1, won: 0, lost: 1, exhausted: 0 });
    client.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_takes_both_attempts_along() {
    let client = client([(5_000, 200)]);
    assert!(tokio::time::timeout(100 * MILLISECOND, client.asked(Method::GET)).await.is_err());
    assert_eq!(client.server.attempts(), 2);
    assert_eq!(client.hedge.counts(), Counts { begun: 1, won: 0, lost: 1, exhausted: 0 });
    client.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_failure_does_not_win_while_the_other_is_on_its_way() {
    // The second fails at once; the first fails before the second.
    for answers in [[(200, 200), (1, 503)], [(60, 503), (100, 200)]] {
        let client = client(answers);
        assert_eq!(client.asked(Method::GET).await.status().as_u16(), 200, "{answers:?}");
        client.assert_at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn where_both_fail_the_answer_is_that_of_the_first() {
    for answers in [[(200, 503), (1, 502)], [(60, 503), (100, 502)]] {
        assert_eq!(client(answers).asked(Method::GET).await.status().as_u16(), 503, "{answers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_ours_does_not_win() {
    let client = client([(200, 200)]);
    let one = bulkhead::Policy { concurrency: ONE, queue: 0, ..bulkhead::Policy::default() };
    let client = Client { bulkhead: Bulkhead::new("test", one, Arc::new(Nowhere)), ..client };
    assert_eq!(client.asked(Method::GET).await.status().as_u16(), 200);
    assert_eq!((client.server.attempts(), client.hedge.counts().begun), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_changes_something_is_never_sent_twice_unless_that_is_wanted() {
    for methods in [Methods::Safe, Methods::Idempotent] {
        for method in [Method::POST, Method::PATCH, Method::PUT, Method::DELETE] {
            let client = Client::of(Server::answering([(200, 200)]), BudgetPolicy::default(), methods);
            client.asked(method.clone()).await;
            let twice = methods == Methods::Idempotent && matches!(method, Method::PUT | Method::DELETE);
            assert_eq!(client.server.attempts(), 1 + u32::from(twice), "{method}, {methods:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_percentile_is_learnt_from_what_is_answered() {
    let retry = Retry::new("test", retry::Policy::default(), Arc::new(Nowhere));
    let hedge = Hedge::new(Policy::default(), retry);
    let took = Arc::new(AtomicU32::new(10));
    for call in 0..41 {
        let slow = call == 40;
        let mut attempts = 0;
        let answered = hedge.call(|| {
            attempts += 1;
            let late = if slow && attempts == 1 { 10_000 } else { 10 };
            async move {
                sleep(late * MILLISECOND).await;
                Ok::<_, Infallible>(())
            }
        });
        let began = Instant::now();
        answered.await.unwrap();
        took.store(u32::try_from(began.elapsed().as_millis()).unwrap(), SeqCst);
    }
    // Ten milliseconds and an eighth until the second begins, and ten for itself.
    assert!(took.load(SeqCst) < 30, "{took:?}");
    assert_eq!(hedge.counts(), Counts { begun: 1, won: 1, lost: 0, exhausted: 0 });
}

#[tokio::test(start_paused = true)]
async fn retries_and_second_attempts_draw_on_one_budget() {
    let budget = BudgetPolicy { percent: 0, at_least: 1 };
    let client = Client::of(Server::answering([(60, 200)]), budget, Methods::Safe);
    for _ in 0..50 {
        assert_eq!(client.asked(Method::GET).await.status().as_u16(), 200);
    }
    assert_eq!(client.hedge.counts(), Counts { begun: 10, won: 0, lost: 10, exhausted: 40 });
    assert!(!client.hedge.inner.retry.withdraw(), "nothing is left for a retry either");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_the_budget_holds_one_more_is_in_flight_and_nothing_is_left_behind(
        answers in prop::collection::vec((0_u32..300, prop::sample::select(vec![200_u16, 404, 500, 503])), 1..60),
        percent in 0_u32..50,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let calls = answers.len();
            let budget = BudgetPolicy { percent, at_least: 0 };
            let client = Client::of(Server::answering(answers), budget, Methods::Safe);
            let began = Instant::now();
            for _ in 0..calls {
                client.asked(Method::GET).await;
                client.assert_at_rest();
            }
            let Counts { begun, won, lost, exhausted } = client.hedge.counts();
            prop_assert!(client.server.most.load(SeqCst) <= 2);
            prop_assert_eq!(u64::from(client.server.attempts()), calls as u64 + begun - refused(&client));
            prop_assert!(won + lost == begun && begun + exhausted <= calls as u64);
            // A part of the calls of ten seconds; all of them, where it took no longer.
            if began.elapsed() < Duration::from_secs(9) {
                prop_assert!(begun <= calls as u64 * u64::from(percent) / 100, "{} of {}", begun, calls);
            }
            Ok(())
        })?;
    }
}

/// Attempts that the breaker answered.
fn refused(client: &Client) -> u64 {
    client.breaker.snapshot().totals.refused
}
