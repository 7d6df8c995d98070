//! The drain as a line of moments: signal, ready flip, last accept, last answer, exit.

use std::time::Instant;

use serde::Serialize;

use crate::client::{Exchange, Outcome};
use crate::rehearse::drain::Facts;

mod svg;
mod text;

/// A moment, in seconds from the signal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Moment {
    pub(crate) at: f64,
    pub(crate) what: String,
}

/// A request as a bar.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Span {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) name: String,
    pub(crate) lost: bool,
}

/// What happened when in a drain. All times are seconds from the signal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Timeline {
    pub(crate) moments: Vec<Moment>,
    /// Slow requests and uploads.
    pub(crate) spans: Vec<Span>,
    /// Served and lost quick requests in each tenth of a second.
    pub(crate) tenths: Vec<Tenth>,
}

/// Quick requests that began in one tenth of a second.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Tenth {
    pub(crate) at: f64,
    pub(crate) served: usize,
    pub(crate) lost: usize,
}

impl Timeline {
    pub(crate) fn of(facts: &Facts) -> Self {
        let seconds = |at: Instant| {
            if at >= facts.signal { (at - facts.signal).as_secs_f64() } else { -(facts.signal - at).as_secs_f64() }
        };
        let quick = || facts.new.iter().chain(&facts.kept);
        let mut moments = vec![Moment { at: 0.0, what: "stop signal".to_owned() }];
        let mut add = |at: Option<Instant>, what: &str| {
            if let Some(at) = at {
                moments.push(Moment { at: seconds(at), what: what.to_owned() });
            }
        };
        add(facts.ready_said_no().map(|no| no.ended), "readiness says no");
        add(facts.first_refused(), "first connection refused");
        let accepted = quick().filter(|exchange| !exchange.kept && exchange.outcome == Outcome::Ok);
        add(accepted.map(|exchange| exchange.begun).max(), "last connection served");
        add(Some(facts.stopped), "balancer has looked away");
        let answered =
            quick().chain(&facts.slow).chain(&facts.uploads).filter(|exchange| exchange.outcome == Outcome::Ok);
        add(answered.map(|exchange| exchange.ended).max(), "last answer");
        match facts.exit {
            Some(exit) => add(Some(exit.at), &exit.to_string()),
            None => add(Some(facts.signal + facts.grace), "end of the grace: killed"),
        }
        moments.sort_by(|a, b| a.at.total_cmp(&b.at));
        let span = |exchange: &Exchange| Span {
            from: seconds(exchange.begun),
            to: seconds(exchange.ended),
            name: exchange.name.clone(),
            lost: exchange.outcome.is_loss(),
        };
        let spans = facts.slow.iter().chain(&facts.uploads).map(span).collect();
        let mut tenths: Vec<Tenth> = Vec::new();
        let mut begun: Vec<_> = quick().map(|exchange| (seconds(exchange.begun), exchange.outcome.is_loss())).collect();
        begun.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (at, lost) in begun {
            let at = (at * 10.0).floor() / 10.0;
            if tenths.last().is_none_or(|tenth| (tenth.at - at).abs() > 1e-6) {
                tenths.push(Tenth { at, served: 0, lost: 0 });
            }
            if let Some(tenth) = tenths.last_mut() {
                if lost { tenth.lost += 1 } else { tenth.served += 1 }
            }
        }
        Self { moments, spans, tenths }
    }

    /// First and last time that is drawn.
    fn bounds(&self) -> (f64, f64) {
        let from = self.spans.iter().map(|span| span.from).chain([-0.5]).fold(0.0, f64::min);
        let ends = self.spans.iter().map(|span| span.to);
        let to = ends.chain(self.moments.iter().map(|moment| moment.at)).fold(1.0, f64::max);
        (from, to)
    }
}
