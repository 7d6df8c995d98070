//! `seaworthy reload`: what changed, and what of it needs a restart.

use std::fmt::Write as _;

use serde_json::json;

use super::output::{Output, Tone};
use super::tell::{ask, unexpected};
use crate::cli::{OutputFormat, Reload};
use crate::control::{Changed, Command, Reply};
use crate::exit_code::ExitCode;

pub(super) fn reload(reload: &Reload, output: Output) -> ExitCode {
    let form = output.form(reload.form);
    match ask(&reload.reach, &Command::Reload, output) {
        Ok(Reply::Reloaded { changed }) => match form {
            OutputFormat::Json => output.result(&format!("{}\n", json!({ "changed": changed }))),
            OutputFormat::Text => output.result(&table(&changed, output)),
        },
        Ok(Reply::Invalid { problems }) => {
            if form == OutputFormat::Json {
                output.result(&format!("{}\n", json!({ "problems": problems })));
                return ExitCode::Config;
            }
            output.error(&refusal(&problems), ExitCode::Config)
        }
        Ok(other) => unexpected(&other, output),
        Err(code) => code,
    }
}

fn refusal(problems: &[String]) -> String {
    let count = match problems.len() {
        1 => "a problem".to_owned(),
        count => format!("{count} problems"),
    };
    format!("the new config has {count}; the old one stays in force\n{}", problems.join("\n"))
}

fn table(changed: &[Changed], output: Output) -> String {
    if changed.is_empty() {
        return "nothing changed\n".to_owned();
    }
    let width = changed.iter().map(|change| change.key.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for Changed { key, old, new, needs_restart } in changed {
        let value = |value: &serde_json::Value| if value.is_null() { "-".to_owned() } else { value.to_string() };
        let mark = if *needs_restart { output.paint(Tone::Warning, "  needs a restart") } else { String::new() };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{key:width$}  {} → {}{mark}", value(old), value(new));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Output = Output { quiet: false, terminal: true, colour: false };

    #[test]
    fn what_changed_is_shown_with_what_needs_a_restart() {
        let changed = |key: &str, old, new, needs_restart| Changed { key: key.to_owned(), old, new, needs_restart };
        let text = table(
            &[
                changed("drain.delay", json!("1s"), json!("2s"), false),
                changed("listen", json!(null), json!("0.0.0.0:2"), true),
            ],
            PLAIN,
        );
        assert_eq!(text, "drain.delay  \"1s\" → \"2s\"\nlisten       - → \"0.0.0.0:2\"  needs a restart\n");
        assert_eq!(table(&[], PLAIN), "nothing changed\n");
    }

    #[test]
    fn a_refused_config_shows_each_of_its_problems() {
        let text = refusal(&["seaworthy.toml:1: `a` is wrong".to_owned(), "seaworthy.toml:2: `b` too".to_owned()]);
        assert_eq!(
            text,
            "the new config has 2 problems; the old one stays in force\n\
             seaworthy.toml:1: `a` is wrong\nseaworthy.toml:2: `b` too"
        );
    }
}
