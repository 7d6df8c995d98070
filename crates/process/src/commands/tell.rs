//! Commands that are told, and answered in a sentence.

use std::time::Duration;

use super::output::Output;
use crate::cli::Reach;
use crate::control::{self, Command, Reply};
use crate::exit_code::ExitCode;

/// A process that takes longer has something else to do than to answer: it hangs.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends `command`; an error is printed, and comes back as an exit code.
pub(super) fn ask(reach: &Reach, command: &Command, output: Output) -> Result<Reply, ExitCode> {
    let path = reach.control().map_err(|error| output.error(&error.to_string(), ExitCode::Failed))?;
    control::ask(&path, command, TIMEOUT).map_err(|error| output.error(&error.to_string(), ExitCode::Failed))
}

/// Sends `command`, and prints the answer.
pub(super) fn tell(reach: &Reach, command: &Command, output: Output) -> ExitCode {
    match ask(reach, command, output) {
        Ok(Reply::Done { message }) => output.done(&message),
        Ok(other) => unexpected(&other, output),
        Err(code) => code,
    }
}

/// An answer that is not the one to what was asked.
pub(super) fn unexpected(reply: &Reply, output: Output) -> ExitCode {
    match reply {
        Reply::Refused { message } => output.error(message, ExitCode::Failed),
        Reply::Invalid { problems } => output.error(&problems.join("\n"), ExitCode::Config),
        Reply::Done { .. } | Reply::Status(_) | Reply::Breakers { .. } | Reply::Reloaded { .. } => {
            output.error("the answer is one to another question: are both ends of the same version?", ExitCode::Failed)
        }
    }
}
