//! The hooks of the drain and the stop: commands in the surroundings of the program, also where there is no program.

use std::time::Duration;

use crate::config::Hook;
use crate::supervise::Commands;

/// Runs the hooks of `moment`, for at most `patience`.
pub(crate) async fn run(commands: &Commands, moment: &str, hooks: &[Hook], patience: Duration) {
    if !hooks.is_empty() {
        // Each has a limit of its own, but together they may not take what the program needs.
        let _ = tokio::time::timeout(patience, commands.hooks(moment, hooks)).await;
    }
}
