//! What goes over the control socket: one JSON object a line, in both directions.

use std::time::Duration;

use seaworthy_checks::heartbeat::Signal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::status::Status;
use crate::config::{ChangedKey, Kind as _, Level, Problems};
use crate::egress::BreakerView;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Command {
    /// How it is.
    Status,
    /// Begin the drain, as SIGTERM does.
    Drain,
    /// Hold new requests.
    Pause,
    /// Let them go on.
    Resume,
    /// Load the config again.
    Reload,
    /// Write log lines of this level and above, for a while or until told otherwise.
    LogLevel {
        level: Level,
        #[serde(rename = "for", default, skip_serializing_if = "Option::is_none", with = "written")]
        expires: Option<Duration>,
    },
    /// How the breakers of the services are that the program calls.
    Breakers,
    /// Close a breaker, and forget what it saw.
    ResetBreaker { name: String },
    /// A job that a heartbeat check waits for says how it is.
    Heartbeat {
        name: String,
        #[serde(default)]
        sign: Sign,
        /// How long it took, if it succeeded.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "written")]
        took: Option<Duration>,
        /// Its exit code, if it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<u8>,
    },
}

/// What a job says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sign {
    Start,
    #[default]
    Success,
    Failure,
}

impl Sign {
    pub(crate) fn signal(self, took: Option<Duration>, code: Option<u8>) -> Signal {
        match self {
            Self::Start => Signal::Start,
            Self::Success => Signal::Success { took },
            Self::Failure => Signal::Failure { code },
        }
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "lowercase")]
pub(crate) enum Reply {
    /// It was done, or begun; in a sentence.
    Done {
        message: String,
    },
    Status(Box<Status>),
    Breakers {
        breakers: Vec<BreakerView>,
    },
    /// A new config is in force.
    Reloaded {
        changed: Vec<Changed>,
    },
    /// The new config is invalid; the old one stays in force.
    Invalid {
        problems: Vec<String>,
    },
    /// It was not done, and why.
    Refused {
        message: String,
    },
}

/// A key that a reload changed. Secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Changed {
    pub(crate) key: String,
    pub(crate) old: Value,
    pub(crate) new: Value,
    /// Whether it takes effect only after a restart.
    pub(crate) needs_restart: bool,
}

impl From<&ChangedKey> for Changed {
    fn from(changed: &ChangedKey) -> Self {
        let ChangedKey { path, old, new, restart } = changed;
        Self { key: path.clone(), old: old.clone(), new: new.clone(), needs_restart: *restart }
    }
}

impl Reply {
    pub(crate) fn done(message: impl Into<String>) -> Self {
        Self::Done { message: message.into() }
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::Refused { message: message.into() }
    }

    /// The answer to a reload that found problems.
    pub(crate) fn invalid(problems: &Problems) -> Self {
        Self::Invalid { problems: problems.0.iter().map(ToString::to_string).collect() }
    }
}

/// A time as the config writes it.
mod written {
    use super::*;
    use crate::config::duration;

    #[allow(clippy::ref_option, reason = "serde hands over a reference to the field")]
    pub(super) fn serialize<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        time.map(duration::written).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.is_null() {
            return Ok(None);
        }
        Duration::read(&value).map(Some).map_err(|complaint| serde::de::Error::custom(format!("{value} {complaint}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: &Value) -> Result<Command, String> {
        serde_json::from_value(value.clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn commands_read_as_they_are_written_by_hand() {
        let expires = Some(Duration::from_mins(10));
        let debug = Command::LogLevel { level: Level::Debug, expires };
        assert_eq!(read(&json!({ "do": "loglevel", "level": "debug", "for": "10m" })), Ok(debug.clone()));
        assert_eq!(serde_json::to_value(debug).unwrap(), json!({ "do": "loglevel", "level": "debug", "for": "10m" }));
        let forever = Command::LogLevel { level: Level::Warn, expires: None };
        assert_eq!(serde_json::to_value(&forever).unwrap(), json!({ "do": "loglevel", "level": "warn" }));
        let name = "backup".to_owned();
        let failed = Command::Heartbeat { name, sign: Sign::Failure, took: None, code: Some(3) };
        let written = json!({ "do": "heartbeat", "name": "backup", "sign": "failure", "code": 3 });
        assert_eq!(serde_json::to_value(&failed).unwrap(), written);
        assert_eq!(read(&written), Ok(failed));
        for command in [Command::Status, Command::Drain, Command::Pause, Command::Resume, Command::Reload, forever] {
            assert_eq!(read(&serde_json::to_value(&command).unwrap()), Ok(command));
        }
    }

    #[test]
    fn what_is_no_command_is_refused_with_what_is_wrong() {
        let refused = |value| read(&value).unwrap_err();
        assert!(refused(json!({ "do": "heartbeat", "name": "backup", "sign": "late" })).contains("late"));
        assert!(refused(json!({ "do": "explode" })).contains("explode"));
        assert!(refused(json!({ "do": "loglevel", "level": "loud" })).contains("loud"));
        assert!(refused(json!({ "do": "loglevel", "level": "info", "for": 10 })).contains("time without a unit"));
    }

    #[test]
    fn fuzz_a_command_is_written_as_it_is_read() {
        seaworthy_fuzz::drive("control", |line| {
            if let Ok(command) = serde_json::from_slice::<Command>(line) {
                let written = serde_json::to_vec(&command).expect("what was read can be written");
                assert_eq!(serde_json::from_slice::<Command>(&written).ok(), Some(command));
            }
            if let Ok(reply) = serde_json::from_slice::<Reply>(line) {
                let written = serde_json::to_vec(&reply).expect("what was read can be written");
                assert!(serde_json::from_slice::<Reply>(&written).is_ok());
            }
        });
    }
}
