//! What pages of other origins are told by: their origins, and the methods of their requests.

use std::borrow::Cow;

use http::Method;
use seaworthy::cors::{CorsError, Policy};
use serde_json::Value;

use super::{Complaint, Kind, text};

/// An origin or a pattern for several, as [`Policy::new`] takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin(pub(crate) String);

impl Kind for Origin {
    fn name() -> Cow<'static, str> {
        "origin".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "type": "string", "minLength": 1 })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        const EXAMPLE: &str = "https://app.example.com";
        let text = text(value, "an origin", EXAMPLE)?.trim();
        match Policy::new([text]) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(CorsError::Null) => {
                let message = "would allow every sandboxed frame and every file";
                Err(Complaint::new(message, "name the origins that are meant"))
            }
            Err(_) => {
                let hint = format!(
                    "write a scheme, a host, and a port unless it is the default one: \"{EXAMPLE}\", \
                     \"https://*.example.com\", \"http://localhost:*\" or \"*\""
                );
                Err(Complaint::new("is no origin", hint))
            }
        }
    }

    fn write(&self) -> Value {
        self.0.clone().into()
    }
}

impl Kind for Method {
    fn name() -> Cow<'static, str> {
        "method".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "type": "string", "pattern": "^[!#$%&'*+.^_`|~0-9A-Z-]+$" })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        let complaint = || Complaint::new("is no method", "write it as requests have it, in capitals: \"PUT\"");
        let text = text(value, "a method", "PUT")?;
        Policy::new(["*"]).and_then(|policy| policy.methods([text])).map_err(|_| complaint())?;
        text.parse().map_err(|_| complaint())
    }

    fn write(&self) -> Value {
        self.as_str().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_browser_would_send_is_refused_with_what_to_write() {
        for (text, said) in [
            ("app.example.com", "is no origin"),
            ("https://app.example.com/", "is no origin"),
            ("https://user@app.example.com", "is no origin"),
            ("null", "would allow every sandboxed frame"),
        ] {
            let complaint = Origin::read(&text.into()).unwrap_err();
            assert!(complaint.message.starts_with(said) && complaint.hint.is_some(), "{text}: {complaint}");
        }
        for text in ["put", "GET, PUT", ""] {
            assert_eq!(Method::read(&text.into()).unwrap_err().message, "is no method", "{text}");
        }
        assert_eq!(Origin::read(&" https://*.example.com ".into()).unwrap().write(), "https://*.example.com");
        assert_eq!(Method::read(&"M-SEARCH".into()).unwrap().write(), "M-SEARCH");
    }
}
