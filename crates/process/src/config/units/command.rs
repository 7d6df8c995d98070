//! Commands: a list of arguments, never a line for a shell.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use super::{Complaint, Kind};

/// A program and its arguments. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Argv(pub(crate) Vec<String>);

impl Kind for Argv {
    fn name() -> Cow<'static, str> {
        "command".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        let how = "write each argument in quotes: [\"node\", \"server.js\"]";
        if let Value::String(line) = value {
            let words: Vec<_> = line.split_whitespace().map(|word| format!("{word:?}")).collect();
            let hint = format!("no shell is run; did you mean [{}]?", words.join(", "));
            return Err(Complaint::new("is a line, not a list of arguments", hint));
        }
        let arguments = value.as_array().ok_or_else(|| Complaint::new("is not a list of arguments", how))?;
        let arguments: Option<Vec<_>> = arguments.iter().map(|argument| argument.as_str().map(str::to_owned)).collect();
        let arguments = arguments.ok_or_else(|| Complaint::new("holds something that is not text", how))?;
        if arguments.first().is_none_or(String::is_empty) {
            return Err(Complaint::new("names no program", how));
        }
        if arguments.iter().any(|argument| argument.contains('\0')) {
            return Err(Complaint::new("holds a NUL byte", "no argument of a program can carry one"));
        }
        Ok(Self(arguments))
    }

    fn write(&self) -> Value {
        self.0.clone().into()
    }
}

/// A command with a time limit: a list of arguments, or `{ command = […], timeout = "5s" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HookCommand {
    pub(crate) command: Argv,
    pub(crate) timeout: Option<Duration>,
}

impl Kind for HookCommand {
    fn name() -> Cow<'static, str> {
        "hook".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "anyOf": [
            Argv::schema(),
            {
                "type": "object",
                "properties": { "command": Argv::schema(), "timeout": Duration::schema() },
                "required": ["command"],
                "additionalProperties": false,
            },
        ] })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        let Value::Object(table) = value else {
            return Argv::read(value).map(|command| Self { command, timeout: None });
        };
        let how = "write [\"./hook.sh\"] or { command = [\"./hook.sh\"], timeout = \"2s\" }";
        if table.keys().any(|key| key != "command" && key != "timeout") {
            return Err(Complaint::new("holds a key that a hook does not have", how));
        }
        let command = table.get("command").ok_or_else(|| Complaint::new("names no program", how))?;
        let timeout = table.get("timeout").map(Duration::read).transpose()?;
        Ok(Self { command: Argv::read(command)?, timeout })
    }

    fn write(&self) -> Value {
        self.timeout.map_or_else(
            || self.command.write(),
            |timeout| serde_json::json!({ "command": self.command.write(), "timeout": timeout.write() }),
        )
    }
}
