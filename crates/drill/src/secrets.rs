//! What must not be seen: values of secret variables, URLs with passwords, keys, stack traces.

use crate::plan::{Plan, Subject};
use crate::program::CANARY;

/// Names whose values are secret.
const NAMES: [&str; 7] = ["SECRET", "TOKEN", "PASSWORD", "PASSWD", "API_KEY", "PRIVATE_KEY", "CREDENTIAL"];

/// Shorter values are found anywhere by chance.
const SHORTEST: usize = 6;

/// What of it is in `text`. The values themselves are not repeated.
pub(crate) fn in_text(text: &str, plan: &Plan) -> Vec<String> {
    let mut found = Vec::new();
    let env: &[(String, String)] = match &plan.subject {
        Subject::Program(launch) => &launch.env,
        Subject::Running { .. } => &[],
    };
    let canary = (CANARY.0.to_owned(), CANARY.1.to_owned());
    for (name, value) in env.iter().chain([&canary]) {
        let upper = name.to_ascii_uppercase();
        if NAMES.iter().any(|secret| upper.contains(secret)) && value.len() >= SHORTEST && text.contains(value.as_str())
        {
            found.push(format!("the value of {name}"));
        }
    }
    if let Some(scheme) = url_with_password(text) {
        found.push(format!("a {scheme}:// URL with a password"));
    }
    if text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----") {
        found.push("a private key".to_owned());
    }
    found
}

/// The scheme of the first `scheme://user:password@host` in `text`. One with stars for the password is redacted already.
fn url_with_password(text: &str) -> Option<&str> {
    let mut from = 0;
    while let Some(at) = text.get(from..)?.find("://") {
        let at = from + at;
        from = at + 3;
        let scheme = text[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '+').next().unwrap_or_default();
        let authority =
            text[from..].split(|c: char| c.is_whitespace() || "/\"'<>?#,;\\".contains(c)).next().unwrap_or_default();
        let Some((user, _host)) = authority.rsplit_once('@') else { continue };
        let Some((_, password)) = user.split_once(':') else { continue };
        let masked =
            password.is_empty() || password.chars().all(|c| "*x•.".contains(c)) || password.contains("REDACTED");
        if !scheme.is_empty() && !masked {
            return Some(scheme);
        }
    }
    None
}

/// Which language's stack trace stands in `text`.
pub(crate) fn stack_trace(text: &str) -> Option<&'static str> {
    let marks: [(&str, &[&str]); 8] = [
        ("Python", &["Traceback (most recent call last)"]),
        ("Node", &[".js:", "    at "]),
        ("Node", &[".js:", "\\n    at "]),
        ("Java", &["\tat ", ".java:"]),
        ("Go", &["goroutine ", "[running]"]),
        ("Ruby", &[".rb:", ":in `"]),
        ("PHP", &["Stack trace:", ".php"]),
        ("Rust", &["panicked at ", ".rs:"]),
    ];
    marks.iter().find(|(_, parts)| parts.iter().all(|part| text.contains(part))).map(|(language, _)| *language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_found_and_a_masked_one_is_not() {
        assert_eq!(url_with_password("db=\"postgres://app:hunter2@db:5432/x\""), Some("postgres"));
        assert_eq!(url_with_password("see http://example.org and redis://:pw1234@cache"), Some("redis"));
        for fine in ["postgres://app:***@db/x", "postgres://app@db", "mailto:a@b", "http://a/b:c@d", "://"] {
            assert_eq!(url_with_password(fine), None, "{fine}");
        }
    }

    #[test]
    fn stack_traces_are_told_from_ordinary_text() {
        assert_eq!(stack_trace("Error: x\n    at f (/a/server.js:3:1)"), Some("Node"));
        assert_eq!(stack_trace("Traceback (most recent call last):\n"), Some("Python"));
        assert_eq!(stack_trace("{\"error\":\"internal error\"}"), None);
    }
}
