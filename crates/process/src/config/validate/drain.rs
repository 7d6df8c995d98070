//! The drain's budget: its parts must fit into what the platform allows.

use std::time::Duration;

use super::Review;
use crate::config::raw;
use crate::config::units::{As, HookCommand, duration};
use crate::config::validated::{Drain, FLUSH, Hook, Restart, Start, Stop};

/// Docker's default, and the shortest of the common ones. No platform says what it allows: `terminationGracePeriodSeconds` is
/// no field of the downward API, and systemd puts `TimeoutStopSec` into no variable.
const GRACE: Duration = Duration::from_secs(10);
const GRACE_KUBERNETES: Duration = Duration::from_secs(30);

/// A little more than the two seconds that a balancer is usually said to take, and than `seaworthy drill` gives it: with
/// exactly as much the last connection would find a closed listener.
const DELAY: Duration = Duration::from_millis(2_500);
const DELAY_KUBERNETES: Duration = Duration::from_secs(5);

const LONGEST_SPREAD: Duration = Duration::from_secs(5);

/// The time limit of a hook that states none. One fits into the reserve of the shortest common grace; more are refused
/// at load, rather than found not to fit at the stop.
const HOOK_TIMEOUT: Duration = Duration::from_secs(2);

impl Review<'_> {
    pub(super) fn start(&mut self, raw: &raw::Start) -> Start {
        Start {
            timeout: self.positive("start.timeout", &raw.timeout),
            hold: raw.hold.0,
            hold_after_crash: raw.hold_after_crash.0,
        }
    }

    pub(super) fn drain_and_stop(&mut self, drain: &mut raw::Drain, stop: &mut raw::Stop) -> (Drain, Stop) {
        let kubernetes = self.sources.kubernetes();
        let grace = fill(&mut drain.grace, || if kubernetes { GRACE_KUBERNETES } else { GRACE });
        let delay = fill(&mut drain.delay, || match self.sources.terminal {
            _ if kubernetes => DELAY_KUBERNETES,
            true => Duration::ZERO,
            false => DELAY,
        });
        if kubernetes && delay.is_zero() {
            let message = "= \"0s\" closes the listener while Kubernetes still sends new connections to it";
            self.warn("drain.delay", message, "write a few seconds: endpoints are withdrawn while the signal is sent");
        }
        let reserve = fill(&mut stop.timeout, || written_up(grace / 3));
        let left = grace.saturating_sub(delay).saturating_sub(reserve).saturating_sub(FLUSH);
        // With nothing left, the requests in flight would be cut at once: nobody who left the key out meant that.
        let starved = drain.timeout.is_none() && left.is_zero();
        let timeout = fill(&mut drain.timeout, || left);
        let sum = delay.saturating_add(timeout).saturating_add(reserve).saturating_add(FLUSH);
        if sum > grace || starved {
            let [grace, delay, timeout, reserve, flush, sum] =
                [grace, delay, timeout, reserve, FLUSH, sum].map(duration::written);
            let what = if starved { "leaves no time for requests in flight" } else { "does not fit" };
            let message = format!(
                "{what}: drain.delay {delay} + drain.timeout {timeout} + stop.timeout {reserve} + {flush} to write out logs \
                 = {sum}, and drain.grace is {grace}"
            );
            let hint = "shorten a part, or raise drain.grace together with what the platform allows before it kills";
            self.refuse(&["drain.timeout", "drain.delay", "stop.timeout", "drain.grace"], message, hint);
        }
        let spread = fill(&mut drain.websocket_spread, || written_up(timeout / 2).min(LONGEST_SPREAD));
        let hint = "they must be closed before the drain is over";
        self.at_most(("drain.websocket-spread", spread), ("drain.timeout", timeout), hint);
        let on_start = hooks(&drain.on_start);
        for hook in &on_start {
            self.at_most(("drain.on-start", hook.timeout), ("drain.grace", grace), "a hook must end before the kill");
        }
        let drain = Drain { grace, delay, timeout, policy: drain.policy, on_start, websocket_spread: spread };
        (drain, self.stop(stop, reserve))
    }

    fn stop(&mut self, raw: &raw::Stop, reserve: Duration) -> Stop {
        let (before, after) = (hooks(&raw.before), hooks(&raw.after));
        let total = before.iter().chain(&after).fold(Duration::ZERO, |sum, hook| sum.saturating_add(hook.timeout));
        if total >= reserve && !total.is_zero() {
            let (total, reserve) = (duration::written(total), duration::written(reserve));
            let message =
                format!("leaves the program no time: the hooks may take {total}, and stop.timeout is {reserve}");
            let hint = "shorten the hooks' timeouts (2s unless stated), or raise stop.timeout";
            self.refuse(&["stop.before", "stop.after", "stop.timeout", "drain.grace"], message, hint);
        }
        Stop { signal: raw.signal.0, scope: raw.scope, timeout: reserve, before, after }
    }

    pub(super) fn restart(&mut self, raw: &raw::Restart) -> Restart {
        let (backoff, max) = (raw.backoff.0, raw.max_backoff.0);
        let window = self.positive("restart.window", &raw.window);
        let hint = "the first wait cannot be longer than the longest";
        self.at_most(("restart.backoff", backoff), ("restart.max-backoff", max), hint);
        // Deaths that waiting alone spreads wider than the window are never counted together.
        let waits = (1..raw.deaths.get()).map(|n| backoff.saturating_mul(2_u32.saturating_pow(n - 1)).min(max));
        let waiting = waits.take_while(|wait| !wait.is_zero()).try_fold(Duration::ZERO, |sum, wait| {
            let sum = wait.saturating_add(sum);
            (sum < window).then_some(sum)
        });
        if waiting.is_none() {
            let window = duration::written(window);
            let message = format!(
                "never gives up: the waits between {} deaths alone take the whole restart.window of {window}",
                raw.deaths
            );
            let paths = ["restart.window", "restart.deaths", "restart.backoff", "restart.max-backoff"];
            self.refuse(&paths, message, "raise restart.window, or lower restart.deaths or restart.max-backoff");
        }
        Restart { policy: raw.policy, backoff, max_backoff: max, deaths: raw.deaths, window }
    }
}

fn hooks(raw: &[As<HookCommand>]) -> Vec<Hook> {
    let hook = |hook: &As<HookCommand>| Hook {
        command: hook.0.command.0.clone(),
        timeout: hook.0.timeout.unwrap_or(HOOK_TIMEOUT),
    };
    raw.iter().map(hook).collect()
}

/// The value of a key, which is `default` unless it was given; from then on it counts as given.
fn fill(key: &mut Option<raw::Time>, default: impl FnOnce() -> Duration) -> Duration {
    key.get_or_insert_with(|| As(default())).0
}

/// Up to the next millisecond: nothing is written finer, and the parts that are shown must add up to the sum shown.
fn written_up(time: Duration) -> Duration {
    let millis = time.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}
