//! Texts with a form: paths of URLs, paths of files, names of headers.

use std::borrow::Cow;
use std::path::PathBuf;

use http::HeaderName;
use serde_json::Value;

use super::{Complaint, Kind, text};

/// The path of a URL: begins with `/`, without query and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UrlPath(pub(crate) String);

impl Kind for UrlPath {
    fn name() -> Cow<'static, str> {
        "path of a URL".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "type": "string", "pattern": "^/[!-~]*$" })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        let text = text(value, "a path", "/health")?;
        if !text.starts_with('/') {
            return Err(Complaint::new("does not begin with /", "write the path only, as in \"/health\""));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains(['?', '#']) {
            let hint = "no query, no fragment, no spaces; percent-encode what is not plain ASCII";
            return Err(Complaint::new("is not the path of a URL", hint));
        }
        Ok(Self(text.to_owned()))
    }

    fn write(&self) -> Value {
        self.0.clone().into()
    }
}

/// The path of a file or a directory. Whether it exists is found out by whoever opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilePath(pub(crate) PathBuf);

impl Kind for FilePath {
    fn name() -> Cow<'static, str> {
        "path".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "type": "string", "minLength": 1 })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        let text = text(value, "a path", "/var/lib/app")?;
        if text.is_empty() || text.contains('\0') {
            return Err(Complaint::new("is not a path", "write a path, or leave the key out"));
        }
        Ok(Self(PathBuf::from(text)))
    }

    fn write(&self) -> Value {
        self.0.to_string_lossy().into()
    }
}

impl Kind for HeaderName {
    fn name() -> Cow<'static, str> {
        "header name".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "type": "string", "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        let text = text(value, "the name of a header", "x-request-id")?;
        text.parse().map_err(|_| {
            Complaint::new("is not the name of a header", "write letters, digits and -, as in \"x-request-id\"")
        })
    }

    fn write(&self) -> Value {
        self.as_str().into()
    }
}
