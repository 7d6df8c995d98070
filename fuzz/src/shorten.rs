//! A finding without what it does not need.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(5);

/// Takes pieces out, large ones first, for as long as `judge` still panics without them.
pub(crate) fn shorten(input: &[u8], judge: &mut impl FnMut(&[u8])) -> Vec<u8> {
    let deadline = Instant::now() + PATIENCE;
    // Each attempt would say the same again.
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let mut shortest = input.to_vec();
    let mut size = shortest.len() / 2;
    while size > 0 {
        let mut start = 0;
        while start < shortest.len() && Instant::now() < deadline {
            let mut shorter = shortest.clone();
            shorter.drain(start..shortest.len().min(start + size));
            if catch_unwind(AssertUnwindSafe(|| judge(&shorter))).is_err() {
                shortest = shorter;
            } else {
                start += size;
            }
        }
        size /= 2;
    }
    set_hook(hook);
    shortest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_finding_does_not_need_is_gone() {
        let mut judge = |input: &[u8]| assert!(!input.windows(3).any(|three| three == b"bad"));
        assert_eq!(shorten(b"something bad, and something else", &mut judge), b"bad");
    }
}
