//! Whether a trail is whole.

use std::fmt;
use std::io::{self, BufRead};

use super::line::{self, Link};
use super::seal::Seal;

/// What is wrong, and where. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Of the file, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a trail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are what the message shows")]
pub enum Problem {
    /// The line has no end.
    Cut,
    /// It is not JSON with a number and hashes.
    NoEntry,
    /// Its content is not what was sealed.
    Edited,
    /// Entries that should stand before this line do not; both numbers included.
    Missing { first: u64, last: u64 },
    /// An entry that stood before already, or should have.
    OutOfOrder { number: u64 },
    /// The hash that it has of the entry before is another.
    Replaced,
    /// The file ends before the last entry that was written.
    MissingAtEnd { first: u64, last: u64 },
    /// The last entry is not the one that was written last.
    ReplacedAtEnd,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line;
        match self.problem {
            Problem::Cut => write!(f, "line {line} is cut off"),
            Problem::NoEntry => write!(f, "line {line} is no entry"),
            Problem::Edited => write!(f, "line {line} was edited, or sealed with another key"),
            Problem::Missing { first, last } if first == last => {
                write!(f, "entry {first} is missing before line {line}")
            }
            Problem::Missing { first, last } => write!(f, "entries {first} to {last} are missing before line {line}"),
            Problem::OutOfOrder { number } => write!(f, "line {line} is entry {number}, which has no place there"),
            Problem::Replaced => write!(f, "line {line} does not follow the one before: one of them was replaced"),
            Problem::MissingAtEnd { first, last } if first == last => {
                write!(f, "entry {first} is missing after line {line}, at the end")
            }
            Problem::MissingAtEnd { first, last } => {
                write!(f, "entries {first} to {last} are missing after line {line}, at the end")
            }
            Problem::ReplacedAtEnd => write!(f, "line {line}, the last, is not the one that was written"),
        }
    }
}

/// What a trail, or a part of one, holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Verified {
    /// Entries, damaged ones too.
    pub entries: u64,
    /// The number of the first entry; 1 unless older ones are in another file.
    pub first: Option<u64>,
    /// The last entry: what the next file has to go on with.
    pub last: Option<Link>,
    /// When that was.
    pub last_time: String,
    /// In the order of the file; empty if all is well.
    pub findings: Vec<Finding>,
}

/// So many findings are told; a file that is none of ours has one a line.
const MOST: usize = 100;

/// Reads a trail. `before` is the last entry of an older file, if this one goes on with it; `head` is what was remembered
/// of the end ([`super::read_head`]), if this file has the end.
///
/// # Errors
///
/// If it cannot be read.
pub fn verify(mut trail: impl BufRead, seal: &Seal, before: Option<Link>, head: Option<Link>) -> io::Result<Verified> {
    let mut verified = Verified::default();
    let (mut last, mut number, mut text) = (before, 0, Vec::new());
    loop {
        text.clear();
        if trail.read_until(b'\n', &mut text)? == 0 {
            break;
        }
        number += 1;
        let mut found = |problem| {
            if verified.findings.len() < MOST {
                verified.findings.push(Finding { line: number, problem });
            }
        };
        let Some(line) = text.strip_suffix(b"\n") else {
            found(Problem::Cut);
            break;
        };
        let Some(read) = line::read(line, seal) else {
            found(Problem::NoEntry);
            continue;
        };
        if !read.sealed {
            found(Problem::Edited);
        }
        // A trail that begins in the middle goes on with a file that was not given.
        let expected = last.unwrap_or(Link { number: read.link.number.saturating_sub(1), hash: read.prev });
        let next = expected.number.saturating_add(1);
        match read.link.number {
            here if here > next => found(Problem::Missing { first: next, last: here - 1 }),
            here if here < next => found(Problem::OutOfOrder { number: here }),
            _ if read.prev != expected.hash => found(Problem::Replaced),
            _ => {}
        }
        verified.entries += 1;
        verified.first.get_or_insert(read.link.number);
        verified.last_time = read.time;
        last = Some(read.link);
    }
    verified.last = last;
    let end = last.unwrap_or(Link::START);
    if let Some(head) = head {
        let problem = if head.number > end.number {
            Some(Problem::MissingAtEnd { first: end.number + 1, last: head.number })
        } else if head.number == end.number && head.hash != end.hash {
            Some(Problem::ReplacedAtEnd)
        } else {
            None
        };
        verified.findings.extend(problem.map(|problem| Finding { line: number, problem }));
    }
    Ok(verified)
}
