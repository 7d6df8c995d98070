//! A command as it may be shown.

use std::ffi::OsString;

use seaworthy_core::redact::{REDACTED, Redactor};

/// `command` on one line, without the secrets that can be told by their names.
pub(super) fn command(command: &[OsString]) -> String {
    let redactor = Redactor::default();
    let mut shown = Vec::with_capacity(command.len());
    let mut is_value_of_secret = false;
    for argument in command {
        let argument = argument.to_string_lossy();
        let text = if is_value_of_secret { REDACTED.into() } else { redactor.text(&argument) };
        // `--password hunter2`; the name before a `=` was seen to already.
        is_value_of_secret = argument.starts_with('-') && !argument.contains('=') && redactor.is_secret(&argument);
        let quoted = text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"');
        shown.push(if quoted { format!("{text:?}") } else { text.into_owned() });
    }
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    fn shown(arguments: &[&str]) -> String {
        super::command(&arguments.iter().map(Into::into).collect::<Vec<_>>())
    }

    #[test]
    fn a_plain_command_is_shown_as_it_is_and_odd_arguments_are_quoted() {
        assert_eq!(shown(&["node", "server.js", "--port=3000"]), "node server.js --port=3000");
        assert_eq!(shown(&["sh", "-c", "echo \"a\"\n", ""]), r#"sh -c "echo \"a\"\n" """#);
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        assert_eq!(shown(&["app", "--db-password", "hunter2", "-v"]), "app --db-password *** -v");
        assert_eq!(shown(&["app", "--API_KEY=x"]), "app --API_KEY=***");
        assert_eq!(shown(&["app", "postgres://me:pass@db/x"]), "app postgres://me:***@db/x");
    }
}
