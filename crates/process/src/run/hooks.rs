//! The hooks of the drain and the stop: commands in the surroundings of the program, also where there is no program.

use std::time::Duration;

use super::parts::Parts;
use crate::config::Hook;

/// Runs the hooks of `moment`, for at most `patience`.
pub(crate) async fn run(parts: &Parts, moment: &str, hooks: &[Hook], patience: Duration) {
    if hooks.is_empty() {
        return;
    }
    // Each has a limit of its own, but together they may not take what the program needs.
    let _ = tokio::time::timeout(patience, parts.commands.hooks(moment, hooks)).await;
}
