//! Why a request was not served: one table from reason to HTTP status, gRPC code, problem and connection.
//!
//! A refusal is an answer that carries a typed reason, so that log, metric and body cannot disagree. Every reason is
//! a row of [`Reason::row`]; nothing else in the house knows a status code of ours.
//!
//! ```
//! use seaworthy_core::refusal::{Reason, Side};
//!
//! assert_eq!(Reason::UpstreamTimeout.status(), 504);
//! assert_eq!(Reason::UpstreamTimeout.side(), Side::Upstream);
//! assert_eq!(Reason::UpstreamTimeout.name(), "upstream_timeout");
//! ```

/// Whose doing a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client's: the same request will be refused again.
    Client,
    /// The program's, or that of whatever stands behind us.
    Upstream,
    /// Our own: a state, a limit, a fault.
    Ours,
}

/// What becomes of an HTTP/1 connection after the refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Connection {
    Keep,
    /// The rest of the request cannot be trusted or is not wanted.
    Close,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// As it stands in logs, metrics and the problem type.
    pub name: &'static str,
    pub status: u16,
    /// The gRPC status code, <https://grpc.io/docs/guides/status-codes/>.
    pub grpc: u8,
    pub side: Side,
    pub connection: Connection,
    /// For people: the `title` of the problem body.
    pub title: &'static str,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $grpc:literal, $side:ident, $connection:ident, $title:literal;)+) => {
        /// Why a request was not served.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[$doc])* $variant,)+
        }

        impl Reason {
            /// Every reason, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The row of this reason.
            #[must_use]
            pub const fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row {
                        name: $name, status: $status, grpc: $grpc,
                        side: Side::$side, connection: Connection::$connection, title: $title,
                    },)+
                }
            }
        }
    };
}

reasons! {
    /// The program is not ready yet, or is being restarted.
    Starting = "starting", 503, 14, Ours, Keep, "The service is starting";
    /// The drain refuses requests (`drain.policy = "reject"`).
    Draining = "draining", 503, 14, Ours, Close, "The service is shutting down";
    /// Paused by an operator for longer than requests are held.
    Paused = "paused", 503, 14, Ours, Keep, "The service is paused";
    /// As many connections or requests as are allowed are open.
    Overloaded = "overloaded", 503, 14, Ours, Keep, "The service is overloaded";
    /// The client's address has as many connections as it may.
    ConnectionLimit = "connection_limit", 503, 8, Client, Close, "Too many connections";
    /// More requests than the client may make.
    RateLimited = "rate_limited", 429, 8, Client, Keep, "Too many requests";
    /// Malformed, or ambiguous enough to be dangerous.
    BadRequest = "bad_request", 400, 3, Client, Close, "The request is malformed";
    /// The body is larger than `limits.body-size`.
    BodyTooLarge = "body_too_large", 413, 8, Client, Close, "The request body is too large";
    /// The target is longer than `limits.uri-length`.
    UriTooLong = "uri_too_long", 414, 3, Client, Close, "The request target is too long";
    /// The head is larger than `limits.head-size`, or has too many fields.
    HeadTooLarge = "head_too_large", 431, 8, Client, Close, "The request head is too large";
    /// Head or body came too slowly.
    RequestTooSlow = "request_too_slow", 408, 4, Client, Close, "The request took too long to arrive";
    /// Without the token that it takes, or with a wrong one.
    Unauthenticated = "unauthenticated", 401, 16, Client, Keep, "Authentication needed";
    /// From a network that may not ask this.
    Forbidden = "forbidden", 403, 7, Client, Keep, "Not allowed from here";
    /// Nobody answers for this path.
    NoRoute = "no_route", 404, 12, Client, Keep, "Not found";
    /// The path does not know this method.
    MethodNotAllowed = "method_not_allowed", 405, 12, Client, Keep, "Method not allowed";
    /// An upgrade that is not `websocket`.
    UpgradeRefused = "upgrade_refused", 501, 12, Client, Close, "Upgrade not supported";
    /// The upstream cannot be reached.
    UpstreamUnreachable = "upstream_unreachable", 502, 14, Upstream, Keep, "The upstream is unreachable";
    /// The upstream closed before it answered.
    UpstreamClosed = "upstream_closed", 502, 14, Upstream, Keep, "The upstream closed the connection";
    /// The upstream's answer is not HTTP.
    UpstreamInvalid = "upstream_invalid", 502, 14, Upstream, Keep, "The upstream's answer is malformed";
    /// The upstream did not answer within `limits.request-timeout`, or could not be connected to in time.
    UpstreamTimeout = "upstream_timeout", 504, 4, Upstream, Keep, "The upstream did not answer in time";
    /// As many connections to the upstream are open as `limits.upstream-connections` allows.
    UpstreamBusy = "upstream_busy", 503, 14, Ours, Keep, "The upstream is busy";
    /// The service gave an error in the place of an answer.
    ServiceFailed = "service_failed", 500, 13, Ours, Keep, "Internal server error";
    /// The breaker of the service that was to be called is open.
    BreakerOpen = "breaker_open", 503, 14, Ours, Keep, "The service that would be called is failing";
    /// As many calls to the service run and wait as may.
    BulkheadFull = "bulkhead_full", 503, 8, Ours, Keep, "Too many calls to this service";
    /// The service that was to be called may not be: its address is inside of a network.
    DestinationForbidden = "destination_forbidden", 502, 7, Upstream, Keep, "The destination may not be called";
    /// A handler panicked, or ours did.
    Panicked = "panicked", 500, 13, Ours, Close, "Internal server error";
}

impl Reason {
    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().status
    }

    /// The name in logs, metrics and the problem type.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Whose doing it is.
    #[must_use]
    pub const fn side(self) -> Side {
        self.row().side
    }

    /// The reason behind a status with which a server answers by itself what never became a request: malformed, too long, too large or too
    /// slow. `None` for every other one.
    #[must_use]
    pub const fn of_client_error(status: u16) -> Option<Self> {
        match status {
            400 => Some(Self::BadRequest),
            408 => Some(Self::RequestTooSlow),
            414 => Some(Self::UriTooLong),
            431 => Some(Self::HeadTooLarge),
            _ => None,
        }
    }

    /// Whether an HTTP/1 connection is closed after the answer.
    #[must_use]
    pub const fn closes(self) -> bool {
        matches!(self.row().connection, Connection::Close)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_fit_a_metric_label() {
        let names: HashSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        for name in names {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        }
    }

    #[test]
    fn a_status_says_whose_doing_it_is() {
        for reason in Reason::ALL {
            match (reason.status(), reason.side()) {
                (400..=499 | 501, Side::Client) | (502 | 504, Side::Upstream) | (500 | 503, Side::Ours) => {}
                // Too many connections from one address: 503 because some clients retry 429 at once.
                (503, Side::Client) => assert_eq!(*reason, Reason::ConnectionLimit),
                (status, side) => panic!("{reason:?}: {status} by {side:?}"),
            }
        }
    }

    #[test]
    fn what_a_client_broke_has_the_status_that_it_was_answered() {
        for status in 0..600 {
            assert!(Reason::of_client_error(status).is_none_or(|reason| reason.status() == status), "{status}");
        }
        assert_eq!(Reason::of_client_error(431), Some(Reason::HeadTooLarge));
    }

    #[test]
    fn every_grpc_code_is_an_error_that_exists() {
        for reason in Reason::ALL {
            assert!((1..=16).contains(&reason.row().grpc), "{reason:?}");
        }
    }
}
