//! The catalogue for readers: a list, and a page a check.

use std::fmt::Write as _;

use crate::catalogue::{self, Check};

/// All checks, one a line.
pub(crate) fn list() -> String {
    let mut out = String::new();
    for check in catalogue::all() {
        let _ = writeln!(out, "{:<42} {:<6} {}", check.id, check.level.to_string(), check.title);
    }
    out
}

/// What `--explain` says.
pub(crate) fn page(check: &Check) -> String {
    format!(
        "{} ({})\n{}.\n\nWhat is done\n  {}\n\nWhy it matters\n  {}\n\nHow to mend it\n  {}\n\nSource\n  {}\n",
        check.id, check.level, check.title, check.does, check.why, check.mend, check.source
    )
}
