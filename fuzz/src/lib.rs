//! Drives a parser with inputs that are nearly right: the seeds under `fuzz/seeds`, and what becomes of them by mutation.
//!
//! # Rules
//!
//! - A target is a test whose name begins with `fuzz_`, beside the parser that it judges, so that private ones have theirs too.
//!   It calls [`drive`] with the name of its directory of seeds; a panic is a finding.
//! - `cargo test` runs every seed, and then the same few hundred mutants each time: quick, and never red by chance.
//! - `cargo xtask fuzz --seconds N` drives each target for as long with other mutants each time. A finding is made
//!   shorter and kept as one more seed, so that it is tried for good.
//!
//! # Why not libFuzzer
//!
//! What coverage would find, seeds have to bring along here: a mutant is only as near to a branch as its seed. In return
//! the targets run on the stable toolchain in every test, reach private parsers of the binary, and need neither a C++ compiler nor
//! `unsafe`.

mod mutant;
mod seeds;
mod shorten;
mod watchdog;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use crate::mutant::Breeder;
use crate::seeds::Seeds;
use crate::watchdog::Watchdog;

/// How many mutants a test tries, unless time is up.
const QUICK: u32 = 400;
const QUICK_TIME: Duration = Duration::from_millis(400);

/// Longer ones take time and show nothing that a shorter one does not; long lines come from repetition.
const LONGEST: usize = 64 * 1024;

/// Sets how many seconds [`drive`] takes for a target.
pub const SECONDS: &str = "FUZZ_SECONDS";

/// Calls `judge` with every seed of `target` and with mutants of them.
///
/// # Panics
///
/// If the target has no seeds, and with whatever `judge` panics.
pub fn drive(target: &str, mut judge: impl FnMut(&[u8])) {
    let seeds = Seeds::of(target);
    let watchdog = Watchdog::start(target);
    let mut tried = 0_u64;
    let mut attempt = |input: &[u8], keep: bool| {
        tried += 1;
        watchdog.watch(input);
        let judged = catch_unwind(AssertUnwindSafe(|| judge(input)));
        watchdog.rest();
        if let Err(panic) = judged {
            let shorter = if keep { shorten::shorten(input, &mut judge) } else { input.to_vec() };
            let kept = if keep { seeds.keep(&shorter) } else { String::new() };
            eprintln!("{target}: this input is a finding{kept}:\n{}", shorter.escape_ascii());
            resume_unwind(panic);
        }
    };
    for seed in &seeds.all {
        attempt(seed, false);
    }
    let seconds = std::env::var(SECONDS).ok().and_then(|seconds| seconds.parse().ok());
    let began = Instant::now();
    if let Some(seconds) = seconds {
        let mut breeder = Breeder::new(&seeds.all, fastrand::u64(..));
        while began.elapsed() < Duration::from_secs(seconds) {
            attempt(&breeder.next(LONGEST), true);
        }
        println!("{target}: {tried} inputs from {} seeds in {:.1?}, no finding", seeds.all.len(), began.elapsed());
    } else {
        // The same each time: a test that fails by chance says nothing about the change that it fails for.
        let mut breeder = Breeder::new(&seeds.all, 7);
        for _ in 0..QUICK {
            if began.elapsed() > QUICK_TIME {
                break;
            }
            attempt(&breeder.next(LONGEST), false);
        }
    }
}

/// The same for parsers of text. What is not UTF-8 is made so, as most readers do.
///
/// # Panics
///
/// As [`drive`].
pub fn drive_text(target: &str, mut judge: impl FnMut(&str)) {
    drive(target, |bytes| judge(&String::from_utf8_lossy(bytes)));
}
