//! HTTP/1.1 towards the program (RFC 9112): one request at a time over a connection that has no task, no channel and,
//! between two requests, no buffer of its own.
//!
//! # Why not hyper's client
//!
//! A client for everybody has to own its requests, hand them to a task and carry the answers back. Here the request
//! waits for its answer in one place: its head is written from where it lies, nothing of it is copied to say it again,
//! and the map that held its headers holds those of the answer. That is a quarter of the instructions of a request.
//!
//! # Rules
//!
//! - One request is answered by one answer. What follows an answer unasked, or cannot be read without doubt, ends the
//!   connection.
//! - The body is framed anew in both directions. An answer whose length is told twice, and differently, or whose transfer
//!   coding is not `chunked`, is none.
//! - Interim answers (1xx) are read and not passed on.
//! - A write that fails is not the end: a program that answers early and closes makes our writing fail while its answer
//!   waits to be read. So a failed write is taken for done, and reading decides.
//! - An answer may begin before the request has ended. The rest of the request goes out while the answer is read; where
//!   the answer ends first, the connection ends with it.

mod answer;
mod body;
mod chunked;
mod connection;
mod request;
mod sending;

pub(crate) use answer::{Answer, HeadError};
pub(crate) use body::{AnswerError, UpstreamBody};
pub(crate) use connection::{AnswerFailure, Kept, Scratch};
pub(crate) use sending::Sending;

/// How long the body of a message is (RFC 9112, 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    Empty,
    Length(u64),
    Chunked,
    /// As long as the connection lives. Only of answers.
    UntilClose,
}
