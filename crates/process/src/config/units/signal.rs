//! Signals, by name: `TERM`, `SIGTERM` or `term`.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::{Complaint, Kind, text};

/// A signal that tells a program to leave or to prepare for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Term,
    Quit,
    Int,
    Hup,
    Usr1,
    Usr2,
    Winch,
    Kill,
}

const NAMES: [(Signal, &str, rustix::process::Signal); 8] = [
    (Signal::Term, "TERM", rustix::process::Signal::TERM),
    (Signal::Quit, "QUIT", rustix::process::Signal::QUIT),
    (Signal::Int, "INT", rustix::process::Signal::INT),
    (Signal::Hup, "HUP", rustix::process::Signal::HUP),
    (Signal::Usr1, "USR1", rustix::process::Signal::USR1),
    (Signal::Usr2, "USR2", rustix::process::Signal::USR2),
    (Signal::Winch, "WINCH", rustix::process::Signal::WINCH),
    (Signal::Kill, "KILL", rustix::process::Signal::KILL),
];

impl Signal {
    fn entry(self) -> &'static (Self, &'static str, rustix::process::Signal) {
        NAMES.iter().find(|(signal, ..)| *signal == self).expect("every signal is in the table")
    }
}

impl From<Signal> for rustix::process::Signal {
    fn from(signal: Signal) -> Self {
        signal.entry().2
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.entry().1)
    }
}

impl Kind for Signal {
    fn name() -> Cow<'static, str> {
        "signal".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "enum": NAMES.iter().map(|(_, name, _)| name).collect::<Vec<_>>() })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        let text = text(value, "a signal", "TERM")?.trim().to_ascii_uppercase();
        let name = text.strip_prefix("SIG").unwrap_or(&text);
        let known = NAMES.iter().find(|(_, known, _)| *known == name);
        known.map(|(signal, ..)| *signal).ok_or_else(|| {
            let names: Vec<_> = NAMES.iter().map(|(_, name, _)| *name).collect();
            Complaint::new("is not a signal that can be sent here", format!("write one of {}", names.join(", ")))
        })
    }

    fn write(&self) -> Value {
        self.to_string().into()
    }
}
