//! Services that the program calls through us.

mod credentials;
mod hedge;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use seaworthy::breaker::{Failures, Fallback, Mode, OpenTime, Percent, Policy, PolicyError, Rates, Slow, Window};
use seaworthy::bulkhead;
use seaworthy::client::{Parts, TimeoutError, Timeouts};
use seaworthy::core::backoff::Backoff;
use seaworthy::retry::{self, BudgetPolicy};

use super::{Review, plain};
use crate::config::raw::{self, BreakerMode, EgressPreset, Root, Time};
use crate::config::tree;
use crate::config::units::{Address, As, Bind, StatusRange};
use crate::config::validated::Egress;

pub(super) use self::credentials::withheld;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PORT: u16 = 9091;

/// Longer names make no variable that anybody reads.
const LONGEST_NAME: usize = 63;

/// Open times add so much at random at most.
const JITTER: Percent = Percent::new(10).expect("10 is between 1 and 100");

/// A lease of a probe that is not heard of for so long is taken back, unless calls may take longer.
const PROBE_TIMEOUT: Duration = Duration::from_mins(1);

impl Review<'_> {
    /// The shared listener, and the services.
    pub(super) fn egress(&mut self, raw: &mut Root, others: [Option<&Address>; 2]) -> (Address, Vec<Egress>) {
        let shared = raw.egress_listen.take().map_or(Bind::Port(PORT), |bind| bind.0).resolve(HOST);
        raw.egress_listen = Some(As(Bind::To(shared.clone())));
        let mut services = Vec::new();
        for (name, egress) in &mut raw.egress {
            let path = tree::join("egress", name);
            self.egress_name(&path, name);
            services.extend(Entry { review: self, path, name }.service(egress));
        }
        self.egress_listeners(&shared, &services, others);
        (shared, services)
    }

    fn egress_name(&mut self, path: &str, name: &str) {
        let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !letters || name.len() > LONGEST_NAME || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
            let hint = "write a-z, 0-9 and -, a letter first: it becomes a path and a variable";
            self.refuse(&[path], "is no name for a service", hint);
        }
    }

    fn egress_listeners(&mut self, shared: &Address, services: &[Egress], others: [Option<&Address>; 2]) {
        let mut taken: Vec<(String, &Address)> = Vec::new();
        for (key, other) in ["listen", "admin"].into_iter().zip(others) {
            taken.extend(other.map(|address| (key.to_owned(), address)));
        }
        let own = services.iter().filter_map(|service| {
            let path = format!("{}.listen", tree::join("egress", &service.name));
            Some((path, service.listen.as_ref()?))
        });
        let is_shared = services.iter().any(|service| service.listen.is_none());
        let ours: Vec<_> = is_shared.then(|| ("egress-listen".to_owned(), shared)).into_iter().chain(own).collect();
        for (path, address) in ours {
            if let Some((other, _)) = taken.iter().find(|(_, other)| super::top::collide(other, address)) {
                let message = format!("= \"{address}\" cannot be bound beside {other}");
                self.refuse(&[&path, other], message, "give one of them another port");
            }
            if matches!(address, Address::Tcp(address) if !address.ip().is_loopback()) {
                let message = format!("= \"{address}\" lets other machines call these services as the program does");
                self.warn(&path, message, "listen on 127.0.0.1, or on a unix socket");
            }
            taken.push((path, address));
        }
    }
}

/// What is to be read of one service.
struct Entry<'r, 's, 'n> {
    review: &'r mut Review<'s>,
    path: String,
    name: &'n str,
}

impl Entry<'_, '_, '_> {
    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    fn refuse(&mut self, keys: &[&str], message: impl Into<String>, hint: impl Into<String>) {
        let paths: Vec<_> = keys.iter().map(|key| self.key(key)).collect();
        let paths: Vec<_> = paths.iter().map(String::as_str).collect();
        self.review.refuse(&paths, message, hint);
    }

    fn service(mut self, raw: &mut raw::Egress) -> Option<Egress> {
        let timeouts = self.timeouts(raw)?;
        let breaker = self.breaker(raw, &timeouts);
        let hedge = self.hedge(raw, &timeouts);
        let credentials = self.credentials(raw);
        let listen = raw.listen.take().map(|bind| bind.0.resolve(HOST));
        raw.listen = listen.clone().map(|listen| As(Bind::To(listen)));
        let fallback = self.fallback(raw);
        self.at_most("retry-backoff", &raw.retry_backoff, "retry-backoff-max", &raw.retry_backoff_max);
        Some(Egress {
            name: self.name.to_owned(),
            url: raw.url.0.clone(),
            listen,
            private: plain(&raw.private),
            ca_file: raw.ca_file.as_ref().map(|file| file.0.0.clone()),
            credentials,
            mode: match raw.breaker {
                BreakerMode::Automatic => Mode::Automatic,
                BreakerMode::ForcedOpen => Mode::ForcedOpen,
                BreakerMode::MetricsOnly => Mode::MetricsOnly,
                BreakerMode::Disabled => Mode::Disabled,
            },
            breaker: breaker?,
            ignored: statuses(&raw.ignore_status),
            retry: retry::Policy {
                retries: raw.retries,
                backoff: Backoff { first: raw.retry_backoff.0, factor: 2, longest: raw.retry_backoff_max.0 },
                longest_retry_after: raw.retry_after_max.0,
                statuses: statuses(&raw.retry_status),
            },
            budget: BudgetPolicy { percent: raw.retry_budget_percent.into(), ..BudgetPolicy::default() },
            retry_body: raw.retry_body.0.0,
            hedge,
            timeouts,
            bulkhead: bulkhead::Policy {
                concurrency: raw.concurrency,
                queue: raw.queue,
                patience: raw.queue_timeout.0,
            },
            fallback,
        })
    }

    fn at_most(&mut self, shorter: &str, short: &Time, longer: &str, long: &Time) {
        let (shorter, longer) = (self.key(shorter), self.key(longer));
        self.review.at_most((&shorter, short.0), (&longer, long.0), "the one is the bound of the other");
    }

    fn timeouts(&mut self, raw: &mut raw::Egress) -> Option<Timeouts> {
        let time = |time: &Option<Time>| time.as_ref().map(|time| time.0);
        let parts = Parts {
            connect: time(&raw.connect_timeout),
            attempt: time(&raw.attempt_timeout),
            total: time(&raw.total_timeout),
            idle: Some(raw.idle_timeout.0),
        };
        match Timeouts::new(parts) {
            Ok(timeouts) => {
                raw.connect_timeout = Some(As(timeouts.connect()));
                raw.attempt_timeout = Some(As(timeouts.attempt()));
                raw.total_timeout = Some(As(timeouts.total()));
                Some(timeouts)
            }
            Err(error) => {
                let zero;
                let keys: &[&str] = match error {
                    TimeoutError::ConnectBeyondAttempt { .. } => &["connect-timeout", "attempt-timeout"],
                    TimeoutError::AttemptBeyondTotal { .. } => &["attempt-timeout", "total-timeout"],
                    TimeoutError::Zero { part } => {
                        zero = [format!("{part}-timeout")];
                        return self.complain(&[&zero[0]], &error);
                    }
                    _ => &["attempt-timeout"],
                };
                self.complain(keys, &error)
            }
        }
    }

    fn breaker(&mut self, raw: &mut raw::Egress, timeouts: &Timeouts) -> Option<Policy> {
        raw.preset = raw.preset.or_else(|| EgressPreset::named(self.name));
        let preset = match raw.preset {
            None => Policy::default(),
            Some(EgressPreset::Stripe) => Policy::stripe(),
            Some(EgressPreset::Twilio) => Policy::twilio(),
            Some(EgressPreset::Namesilo) => Policy::namesilo(),
            Some(EgressPreset::Openai) => Policy::openai(),
        };
        let Failures { count, within } = preset.failures?;
        let count = *raw.failures.get_or_insert(count);
        let within = raw.failure_window.get_or_insert(As(within)).0;
        let first = raw.open.get_or_insert(As(preset.open.time.first)).0;
        let longest = raw.open_max.get_or_insert(As(first.saturating_mul(8))).0;
        let failure = raw.failure_percent.and_then(Percent::new);
        let slow = raw.slow_percent.and_then(Percent::new).map(|rate| Slow { after: raw.slow_after.0, rate });
        let rates = (failure.is_some() || slow.is_some()).then_some(Rates {
            window: Window::Time(raw.rate_window.0),
            minimum_calls: raw.minimum_calls,
            failure,
            slow,
        });
        let policy = Policy {
            failures: Some(Failures { count, within }),
            rates,
            open: OpenTime { time: Backoff { first, factor: 2, longest }, jitter: JITTER },
            probes: raw.probes,
            // A probe that still runs must not lose its lease.
            probe_timeout: PROBE_TIMEOUT.max(timeouts.total().saturating_mul(2)),
        };
        match policy.checked().and_then(|policy| policy.for_attempts_of(timeouts.attempt())) {
            Ok(policy) => Some(policy),
            Err(error) => {
                let keys: &[&str] = match error {
                    PolicyError::EmptyWindow => &["failure-window", "rate-window"],
                    PolicyError::SlowAtOnce => &["slow-after"],
                    PolicyError::OpenForNothing => &["open"],
                    PolicyError::LongestBelowFirst { .. } => &["open-max", "open"],
                    PolicyError::WindowBelowAttempts { window, .. } if window == within => {
                        &["failure-window", "attempt-timeout"]
                    }
                    PolicyError::WindowBelowAttempts { .. } => &["rate-window", "attempt-timeout"],
                    _ => &["failures"],
                };
                self.complain(keys, &error)
            }
        }
    }

    fn fallback(&mut self, raw: &raw::Egress) -> Option<Fallback> {
        let body = raw.fallback_body.as_ref()?;
        let Ok(media_type) = HeaderValue::from_str(&raw.fallback_type) else {
            self.refuse(&["fallback-type"], "is no media type", "write \"application/json\", say");
            return None;
        };
        let status = StatusCode::from_u16(raw.fallback_status).unwrap_or(StatusCode::OK);
        if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) && !body.is_empty() {
            let message = format!("= {status} has no body", status = status.as_u16());
            self.refuse(&["fallback-status"], message, "write 200, or an empty fallback-body");
        }
        Some(Fallback::new(status, media_type, body.clone()))
    }

    /// Refuses by an error whose second half says what to do.
    fn complain<T>(&mut self, keys: &[&str], error: &dyn std::error::Error) -> Option<T> {
        let text = error.to_string();
        let (message, hint) = text.split_once(": ").or_else(|| text.split_once("; ")).unwrap_or((&text, ""));
        self.refuse(
            keys,
            format!("does not fit: {message}"),
            if hint.is_empty() { "change one of them" } else { hint },
        );
        None
    }
}

fn statuses(ranges: &[As<StatusRange>]) -> Vec<u16> {
    let mut statuses: Vec<_> = ranges.iter().flat_map(|range| range.0.0.clone()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    statuses
}
