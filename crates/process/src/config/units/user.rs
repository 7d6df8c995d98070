//! Who the program runs as: `app`, `app:app`, `10001`, `10001:10001`.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::{Complaint, Kind};

/// A user or a group, by number or by name. Names are looked up by whoever switches to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Account {
    Id(u32),
    Name(String),
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Without a group, the user's own is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) user: Account,
    pub(crate) group: Option<Account>,
}

impl Kind for User {
    fn name() -> Cow<'static, str> {
        "user".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "anyOf": [{ "type": "string" }, { "type": "integer", "minimum": 0, "maximum": u32::MAX }] })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        let malformed = || Complaint::new("is not a user", "write \"app\", \"app:app\" or \"10001:10001\"");
        if let Value::Number(number) = value {
            let id = number.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(malformed)?;
            return Ok(Self { user: Account::Id(id), group: None });
        }
        let text = value.as_str().ok_or_else(malformed)?;
        let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
        let user = account(user).ok_or_else(malformed)?;
        let group = group.map(|group| account(group).ok_or_else(malformed)).transpose()?;
        Ok(Self { user, group })
    }

    fn write(&self) -> Value {
        match &self.group {
            None => self.user.to_string().into(),
            Some(group) => format!("{}:{group}", self.user).into(),
        }
    }
}

fn account(text: &str) -> Option<Account> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Nothing but digits is a number, also when it is empty or too large for one.
        return text.parse().ok().map(Account::Id);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | '@');
    text.chars().all(plain).then(|| Account::Name(text.to_owned()))
}
