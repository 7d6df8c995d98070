//! Which answers are failures of the service that gave them.

use std::sync::Arc;

use http::{Extensions, StatusCode};
use seaworthy_core::breaker::Outcome;
use seaworthy_core::refusal::{Reason, Side};

/// Which answers are failures: 5xx but for 501, and 429, since calls that are too many are to become fewer. Clones share
/// the list of what is ignored.
#[derive(Debug, Clone, Default)]
pub struct Statuses {
    ignored: Arc<[u16]>,
}

impl Statuses {
    /// Answers with one of these count neither way.
    #[must_use]
    pub fn ignoring(statuses: impl IntoIterator<Item = u16>) -> Self {
        Self { ignored: statuses.into_iter().collect() }
    }

    /// What an answer with this status means.
    pub fn outcome(&self, status: StatusCode) -> Outcome {
        let code = status.as_u16();
        if self.ignored.contains(&code) {
            Outcome::Ignored
        } else if (status.is_server_error() && code != 501) || code == 429 {
            Outcome::Failure
        } else {
            Outcome::Success
        }
    }

    /// The same for an answer that may be a refusal of a layer on the way: only those for which the service is to blame
    /// are failures.
    pub(super) fn judge(&self, status: StatusCode, extensions: &Extensions) -> Outcome {
        match extensions.get::<Reason>() {
            None => self.outcome(status),
            Some(Reason::DestinationForbidden) => Outcome::Ignored,
            Some(reason) if reason.side() == Side::Upstream => Outcome::Failure,
            Some(_) => Outcome::Ignored,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_to_blame_for_its_own_errors_only() {
        let statuses = Statuses::ignoring([503]);
        for (code, outcome) in [
            (200, Outcome::Success),
            (302, Outcome::Success),
            (402, Outcome::Success),
            (404, Outcome::Success),
            (429, Outcome::Failure),
            (500, Outcome::Failure),
            (501, Outcome::Success),
            (503, Outcome::Ignored),
            (504, Outcome::Failure),
        ] {
            assert_eq!(statuses.outcome(StatusCode::from_u16(code).unwrap()), outcome, "{code}");
        }
    }
}
