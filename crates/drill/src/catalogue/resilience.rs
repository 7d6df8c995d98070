use super::Check;
use super::Level::{May, Must, Should};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "resilience.blackhole-bounded",
        level: Must,
        title: "A dependency that hangs does not hang its callers",
        does: "Makes each declared dependency swallow everything; requests to its path must be answered, well or not, within 10 s.",
        why: "Requests pile up until memory, threads or connections are used up, and everything is down.",
        source: "Google SRE Book, ch. 22 (deadlines)",
        mend: "Set connect and read timeouts on the client of the dependency; shorter than your callers' patience.",
    },
    Check {
        id: "resilience.partial-service",
        level: Must,
        title: "What does not need the dependency goes on",
        does: "While a dependency is black-holed and 20 requests hang on it, the safe path must answer within 2 s.",
        why: "One broken part takes down all the others.",
        source: "Google SRE Book, ch. 22; Release It! (bulkheads)",
        mend: "Bound the requests that may wait for one dependency, and keep workers free for the rest.",
    },
    Check {
        id: "resilience.retries-bounded",
        level: Should,
        title: "A request is not multiplied by retries",
        does: "Makes a dependency refuse by reset and counts connections to it for 20 requests: at most four for each.",
        why: "A dependency in trouble gets several times its load from everyone, and never comes back.",
        source: "Google SRE Book, ch. 22 (retries)",
        mend: "Retry at most twice, with back-off and jitter, and within a budget of a tenth of the requests.",
    },
    Check {
        id: "resilience.breaker-limits-calls",
        level: May,
        title: "A dependency that is down is left alone",
        does: "Keeps a dependency down for 60 requests: towards the end most of them should no longer reach it.",
        why: "Each request waits for a failure that is certain.",
        source: "Release It! (circuit breaker)",
        mend: "Put a circuit breaker in front of the client of the dependency.",
    },
    Check {
        id: "resilience.slow-lines-bearable",
        level: Should,
        title: "A dependency on a slow line is still understood",
        does: "Passes a dependency's bytes one by one, then at 20 KB/s, then with connections that end 2 s late: its path must succeed as before.",
        why: "It works in the same rack, and fails at random across a network that cuts messages differently.",
        source: "RFC 9293 (TCP is a stream: no message boundaries)",
        mend: "Read until the message is complete, not once; do not wait for the other side to close.",
    },
    Check {
        id: "resilience.pool-exhaustion-fails-fast",
        level: Should,
        title: "Waiting for a pool has an end",
        does: "Slows a dependency by 3 s and sends 40 requests at once: all must be answered within 15 s.",
        why: "Requests queue for a connection longer than anyone waits for them.",
        source: "Google SRE Book, ch. 21",
        mend: "Set the acquire timeout of the pool, and answer 503 when it ends.",
    },
];
