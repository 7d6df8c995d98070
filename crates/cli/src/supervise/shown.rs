//! A command as it may be shown.

use std::ffi::OsString;

use crate::config::MASK;

/// Words that make what follows a secret.
const SECRETS: [&str; 7] = ["password", "passwd", "secret", "token", "api-key", "apikey", "credential"];

/// `command` on one line, with passwords in URLs and the values of telling options masked.
pub(super) fn command(command: &[OsString]) -> String {
    let mut shown = Vec::with_capacity(command.len());
    let mut secret = false;
    for argument in command {
        let argument = argument.to_string_lossy();
        let (text, next_is_secret) = if secret { (MASK.to_owned(), false) } else { masked(&argument) };
        secret = next_is_secret;
        let quoted = text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"');
        shown.push(if quoted { format!("{text:?}") } else { text });
    }
    shown.join(" ")
}

/// The argument, and whether the next one is its secret value.
fn masked(argument: &str) -> (String, bool) {
    let telling = |name: &str| {
        let name = name.to_ascii_lowercase().replace('_', "-");
        SECRETS.iter().any(|secret| name.contains(secret))
    };
    match argument.split_once('=') {
        Some((name, _)) if telling(name) => (format!("{name}={MASK}"), false),
        None if argument.starts_with('-') && telling(argument) => (argument.to_owned(), true),
        _ => (without_password(argument), false),
    }
}

/// `scheme://user:***@host` for `scheme://user:password@host`.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let Some((user, host)) = authority.rsplit_once('@') else { return text.to_owned() };
    let name = user.split(':').next().unwrap_or_default();
    format!("{scheme}://{name}:{MASK}@{host}{tail}")
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
    fn passwords_are_masked_wherever_they_stand() {
        assert_eq!(shown(&["app", "--db-password", "hunter2", "-v"]), "app --db-password *** -v");
        assert_eq!(shown(&["app", "--API_KEY=x"]), "app --API_KEY=***");
        assert_eq!(shown(&["app", "postgres://me:p@ss@db/x?y"]), "app postgres://me:***@db/x?y");
    }
}
