//! What is wrong with a configuration, said so that it can be mended without looking anything up.

use std::fmt;

use seaworthy::core::redact::Redactor;

use super::tree::Origin;
use super::units::Complaint;

/// One thing that is wrong, or (as a warning) unwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) origin: Origin,
    /// The key, as in `drain.delay` or `migrate[0].name`; empty for the file as a whole.
    pub(crate) path: String,
    /// The value as it was written; `None` when there is none, or when it may be a secret.
    pub(crate) value: Option<String>,
    /// Goes on after the key and its value: "is a time without a unit".
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(origin: Origin, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { origin, path: path.into(), value: None, message: message.into(), hint: None }
    }

    pub(crate) fn complaint(origin: Origin, path: impl Into<String>, complaint: Complaint) -> Self {
        Self { origin, path: path.into(), value: None, message: complaint.message, hint: complaint.hint }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Quotes `value`, which must not be a secret. A password in a URL is hidden.
    pub(crate) fn quoting(self, value: &serde_json::Value) -> Self {
        const LONGEST: usize = 80;
        let text = value.to_string();
        let text = Redactor::default().text(&text);
        let value = match text.char_indices().nth(LONGEST) {
            None => text.into_owned(),
            Some((end, _)) => format!("{}…", &text[..end]),
        };
        Self { value: Some(value), ..self }
    }
}

impl From<String> for Problems {
    /// What was found out only when it was put into force.
    fn from(message: String) -> Self {
        Self(vec![Problem::new(Origin::Default, "", message)])
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A value that nobody gave has no place to point to.
        if self.origin != Origin::Default {
            write!(f, "{}: ", self.origin)?;
        }
        if !self.path.is_empty() {
            write!(f, "`{}` ", self.path)?;
        }
        if let Some(value) = &self.value {
            write!(f, "= {value} ")?;
        }
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n    {hint}"))
    }
}

/// Everything that is wrong; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the configuration has a problem:")?,
            count => write!(f, "the configuration has {count} problems:")?,
        }
        self.0.iter().try_for_each(|problem| write!(f, "\n{problem}"))
    }
}

impl std::error::Error for Problems {}
