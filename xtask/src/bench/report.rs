//! The table of one scenario.

use std::fmt;
use std::time::Duration;

use super::load::Answered;
use super::peer::{Kind, Peer};

/// One turn of one peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) spent: Duration,
    pub(super) answered: Answered,
    /// The most that was resident so far, in bytes.
    pub(super) resident: u64,
}

impl Round {
    /// CPU time a request, in microseconds.
    fn cost(&self) -> f64 {
        self.spent.as_secs_f64() * 1e6 / self.answered.requests.max(1) as f64
    }
}

struct Row {
    kind: Kind,
    idle: u64,
    rounds: Vec<Round>,
}

impl Row {
    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of).collect())
    }

    fn cost(&self) -> f64 {
        self.median(Round::cost)
    }
}

/// All turns of all peers.
pub(super) struct Report {
    title: &'static str,
    rows: Vec<Row>,
}

impl Report {
    pub(super) fn new(title: &'static str, peers: &[Peer]) -> Self {
        let rows = peers.iter().map(|peer| Row { kind: peer.kind, idle: peer.idle, rounds: Vec::new() });
        Self { title, rows: rows.collect() }
    }

    pub(super) fn add(&mut self, peer: usize, round: Round) {
        self.rows[peer].rounds.push(round);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_kind = |kind| self.rows.iter().find(|row| row.kind == kind).map(|row| (row.kind.name(), row.cost()));
        let mut against: Vec<_> = [Kind::Nginx, Kind::Haproxy, Kind::Relay].into_iter().filter_map(of_kind).collect();
        if against.is_empty() {
            against.extend(of_kind(Kind::Seaworthy));
        }
        writeln!(f, "\n{}", self.title)?;
        write!(f, "{:<10} {:>9}", "", "CPU µs")?;
        for (name, _) in &against {
            write!(f, " {:>12}", format!("of {name}"))?;
        }
        writeln!(f, " {:>10} {:>9} {:>9} {:>9} {:>9}", "requests/s", "p50 ms", "p99 ms", "idle MB", "peak MB")?;
        for row in &self.rows {
            let cost = row.cost();
            write!(f, "{:<10} {cost:>9.1}", row.kind.name())?;
            for (_, other) in &against {
                write!(f, " {:>12.2}", cost / other)?;
            }
            let millis = |time: Duration| time.as_secs_f64() * 1e3;
            let megabytes = |bytes: u64| bytes as f64 / 1e6;
            let peak = row.rounds.iter().map(|round| round.resident).max().unwrap_or(0);
            writeln!(
                f,
                " {:>10.0} {:>9.2} {:>9.2} {:>9.1} {:>9.1}",
                row.median(|round| round.answered.rate),
                row.median(|round| millis(round.answered.median)),
                row.median(|round| millis(round.answered.p99)),
                megabytes(row.idle),
                megabytes(peak),
            )?;
        }
        Ok(())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-9);
        assert!((median(vec![9.0, 1.0, 3.0]) - 3.0).abs() < 1e-9);
    }
}
