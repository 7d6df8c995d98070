//! The decisions of Seaworthy: pure policies without clock, I/O or async.
//!
//! Every policy is a small struct that takes `now` and facts, and returns a decision. It reads no clock, so a test
//! moves time by adding to a number, and the same policy serves the gateway, the library and a simulation.
//!
//! | module | decides |
//! | --- | --- |
//! | [`accept`] | which of several forms a client asks for |
//! | [`address`] | whose request it is, behind proxies that may or may not be believed |
//! | [`backoff`] | how long to wait before something is tried again |
//! | [`breaker`] | closed → open → half-open: when to stop calling what fails, and when to try again |
//! | [`bulkhead`] | how many calls run at once, how many wait, and who is turned away |
//! | [`connection`] | when a client's connection is closed, told to leave or given up |
//! | [`cors`] | which pages of other origins may read answers |
//! | [`destination`] | which addresses calls may go to |
//! | [`event`] | the closed list of facts that the rest of the system reports |
//! | [`health`] | results of checks → startup, live, ready and overall verdict |
//! | [`hedge`] | when a second attempt is begun beside one that is slow |
//! | [`lifecycle`] | Starting → Ready → Draining → Stopping → Stopped, what each state answers, the drain budget |
//! | [`limit`] | how many requests a client may make, for many clients in bounded memory |
//! | [`metric`] | names, label limits, text exposition |
//! | [`pace`] | whether the body of a request comes too slowly |
//! | [`pool`] | when a pool of connections is nearly used up, and when it is |
//! | [`redact`] | what never leaves: secrets in headers, queries, URLs |
//! | [`refusal`] | reason → HTTP status, gRPC code, problem type, close or keep |
//! | [`restart`] | when a dead program comes back, and when to give up |
//! | [`retry`] | what is tried again, when, and within which budget |
//! | [`schedule`] | when a check is next due, with jitter |
//! | [`statsd`] | what a packet of `StatsD` says |
//! | [`throttle`] | how often one thing is said |
//! | [`tick`] | a coarse clock, in which connections are timed |
//! | [`timeout`] | how long the parts of a call may take |
//! | [`trace`] | which trace a request belongs to, and which traces are kept |
//! | [`websocket`] | where one frame ends and the next begins |

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests need some instant to add to"))]

pub mod accept;
pub mod address;
pub mod backoff;
pub mod breaker;
pub mod bulkhead;
pub mod connection;
pub mod cors;
pub mod destination;
pub mod event;
pub mod health;
pub mod hedge;
pub mod lifecycle;
pub mod limit;
pub mod metric;
pub mod pace;
pub mod pool;
pub mod redact;
pub mod refusal;
pub mod restart;
pub mod retry;
pub mod schedule;
pub mod statsd;
pub mod throttle;
pub mod tick;
pub mod timeout;
pub mod trace;
pub mod websocket;
