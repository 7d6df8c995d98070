//! What the answer of an open breaker costs: run by `cargo xtask bench --only breaker`, and by hand with
//! `cargo run --release -p seaworthy --example breaker_cost`. Prints nanoseconds a call, alone and with two threads at once.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use seaworthy::breaker::{Breaker, Mode, Outcome, Policy};
use seaworthy::core::event::Nowhere;

const CALLS: u32 = 2_000_000;

fn open() -> Breaker {
    let mut policy = Policy::default();
    if let Some(failures) = &mut policy.failures {
        failures.count = NonZeroU32::MIN;
    }
    let breaker = Breaker::new("service", policy, Arc::new(Nowhere));
    if let Ok(lease) = breaker.acquire() {
        lease.finish(Outcome::Failure);
    }
    breaker
}

/// Nanoseconds a call, the best of several rounds: what disturbs a round only makes it longer.
fn cost(call: impl Fn()) -> f64 {
    let round = || {
        let began = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        began.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    };
    (0..5).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn main() {
    let breaker = open();
    let refused = || {
        black_box(black_box(&breaker).acquire().is_err());
    };
    println!("open {:.0}", cost(refused));
    let both = std::thread::scope(|scope| {
        let other = scope.spawn(|| cost(refused));
        let ours = cost(refused);
        other.join().map_or(ours, |other| ours.max(other))
    });
    println!("open_two_threads {both:.0}");
    breaker.set_mode(Mode::Automatic);
    breaker.reset();
    println!(
        "closed {:.0}",
        cost(|| {
            if let Ok(lease) = black_box(&breaker).acquire() {
                lease.finish(black_box(Outcome::Success));
            }
        })
    );
}
