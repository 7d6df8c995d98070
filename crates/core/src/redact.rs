//! What never leaves: values of secret headers and query parameters, and passwords in URLs.
//!
//! # Rules
//!
//! - `Authorization`, `Proxy-Authorization`, `Cookie`, `Set-Cookie` and whatever has `token`, `secret`, `password` or
//!   `key` in its name are secret, in any case; patterns add to that and take nothing away.
//! - A name is judged as its reader would understand it: percent-decoded.
//! - Of a URL, the password goes and the user stays: who connects is what one looks for, with what is nobody's business.
//! - What hides nothing is handed back borrowed, so that the usual case costs one look and no allocation.
//!
//! # In production
//!
//! Redaction goes by names. A secret in a path, or in a parameter that is called `q`, is not seen: give its name as a
//! pattern, or keep it out of URLs.
//!
//! # Example
//!
//! ```
//! use seaworthy_core::redact::Redactor;
//!
//! let redactor = Redactor::new(["*session*"]);
//! assert_eq!(redactor.query("page=2&api_key=abc&sessionid=7"), "page=2&api_key=***&sessionid=***");
//! assert_eq!(redactor.url("postgres://app:hunter2@db/orders"), "postgres://app:***@db/orders");
//! ```

mod pattern;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use pattern::{Pattern, contains};

/// What stands in the place of a secret.
pub const REDACTED: &str = "***";

/// Names that are secret as a whole.
const NAMES: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// Parts that make a name secret.
const PARTS: [&str; 4] = ["token", "secret", "password", "key"];

/// Knows which names are secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redactor {
    patterns: Vec<Pattern>,
}

impl Redactor {
    /// Redacts what matches one of `patterns` too. `*` stands for anything, case for nothing.
    pub fn new<P: AsRef<str>>(patterns: impl IntoIterator<Item = P>) -> Self {
        Self { patterns: patterns.into_iter().map(|pattern| Pattern::new(pattern.as_ref())).collect() }
    }

    /// Whether a header, parameter or field of this name is secret.
    #[must_use]
    pub fn is_secret(&self, name: &str) -> bool {
        NAMES.iter().any(|secret| secret.eq_ignore_ascii_case(name))
            || PARTS.iter().any(|part| contains(name, part))
            || self.patterns.iter().any(|pattern| pattern.matches(name))
    }

    /// The value of a field as it may be shown.
    #[must_use]
    pub fn value<'v>(&self, name: &str, value: &'v str) -> Cow<'v, str> {
        if self.is_secret(name) { Cow::Borrowed(REDACTED) } else { self.text(value) }
    }

    /// A query, without its `?`, as it may be shown.
    #[must_use]
    pub fn query<'q>(&self, query: &'q str) -> Cow<'q, str> {
        let mut shown = Shown::of(query);
        // `;` separated parameters before `&` did (HTML 4.01, B.2.2), and some frameworks still read it so.
        for pair in query.split_inclusive(['&', ';']) {
            let pair = pair.strip_suffix(['&', ';']).unwrap_or(pair);
            if let Some((name, value)) = pair.split_once('=')
                && !value.is_empty()
                && (self.is_secret(&decoded(name)) || hides_password(&decoded(value)))
            {
                shown.hide(value);
            }
        }
        shown.finish()
    }

    /// A URL as it may be shown: without password, its query redacted.
    #[must_use]
    pub fn url<'u>(&self, url: &'u str) -> Cow<'u, str> {
        let mut shown = Shown::of(url);
        if let Some(password) = password(url) {
            shown.hide(password);
        }
        // Behind the password, which may hold a question mark itself.
        if let Some((_, query)) = url[shown.taken..].split_once('?') {
            let query = query.split('#').next().unwrap_or_default();
            if let Cow::Owned(redacted) = self.query(query) {
                shown.replace(query, &redacted);
            }
        }
        shown.finish()
    }

    /// Text in which URLs and `name=value` words may stand, such as a command line or the message of an error.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !text.contains("://") && !text.contains('=') {
            return Cow::Borrowed(text);
        }
        let mut shown = Shown::of(text);
        for word in text.split(char::is_whitespace) {
            if let Some((name, value)) = word.split_once('=')
                && !name.contains("://")
                && !value.is_empty()
                && self.is_secret(name)
            {
                shown.hide(value);
            } else if let Cow::Owned(redacted) = self.url(word) {
                shown.replace(word, &redacted);
            }
        }
        shown.finish()
    }
}

/// The password in a URL, if there is one.
///
/// A password that holds `/`, `?` or `#` should have been encoded. Where it was not, everything up to the last `@` is
/// taken for it, unless what follows the colon is a port.
fn password(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let until_host = if let Some(at) = authority.rfind('@') {
        &authority[..at]
    } else {
        let (_, port) = authority.rsplit_once(':')?;
        if port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        &rest[..rest.rfind('@')?]
    };
    let (_, password) = until_host.split_once(':')?;
    (!password.is_empty()).then_some(password)
}

fn hides_password(value: &str) -> bool {
    value.contains("://") && password(value).is_some()
}

/// Percent-decoded, `+` taken for a space (WHATWG URL, 5.1). What is no UTF-8 afterwards is replaced.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned())
}

/// A text some parts of which are replaced, from front to back.
#[derive(Debug)]
struct Shown<'t> {
    text: &'t str,
    out: String,
    /// How much of `text` is in `out` already.
    taken: usize,
}

impl<'t> Shown<'t> {
    fn of(text: &'t str) -> Self {
        Self { text, out: String::new(), taken: 0 }
    }

    fn hide(&mut self, part: &'t str) {
        self.replace(part, REDACTED);
    }

    /// `part` must be a slice of the text, behind those replaced before.
    fn replace(&mut self, part: &'t str, by: &str) {
        let start = part.as_ptr().addr() - self.text.as_ptr().addr();
        self.out.push_str(&self.text[self.taken..start]);
        self.out.push_str(by);
        self.taken = start + part.len();
    }

    fn finish(mut self) -> Cow<'t, str> {
        if self.taken == 0 {
            return Cow::Borrowed(self.text);
        }
        self.out.push_str(&self.text[self.taken..]);
        Cow::Owned(self.out)
    }
}
