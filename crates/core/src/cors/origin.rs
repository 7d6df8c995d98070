//! One origin, or a pattern for several: scheme, host, port.

/// An origin as it is written in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    host: Host,
    port: Port,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Is(String),
    /// Every host whose name ends so, with the dot in front.
    EndsWith(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Port {
    /// Empty for the default one.
    Is(String),
    Any,
}

impl Origin {
    /// `None` where it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (scheme, rest) = text.split_once("://")?;
        let (host, port) = split(rest)?;
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        if !scheme.starts_with(|letter: char| letter.is_ascii_lowercase()) || !scheme.bytes().all(known) {
            return None;
        }
        let host = match host.strip_prefix('*') {
            Some(end) => Host::EndsWith(end.strip_prefix('.').filter(|name| is_name(name)).map(|_| end.to_owned())?),
            None if is_name(host) || is_address(host) => Host::Is(host.to_owned()),
            None => return None,
        };
        let port = match (scheme, port) {
            (_, "*") => Port::Any,
            ("https", "443") | ("http", "80") => Port::Is(String::new()),
            (_, port) if port.is_empty() || is_port(port) => Port::Is(port.to_owned()),
            _ => return None,
        };
        Some(Self { scheme: scheme.to_owned(), host, port })
    }

    /// Whether `origin`, as a browser sends it, is this one.
    pub(super) fn is(&self, origin: &str) -> bool {
        let rest = origin.strip_prefix(self.scheme.as_str()).and_then(|rest| rest.strip_prefix("://"));
        let Some((host, port)) = rest.and_then(split) else { return false };
        let host_fits = match &self.host {
            Host::Is(name) => host == name,
            Host::EndsWith(end) => host.strip_suffix(end.as_str()).is_some_and(is_name),
        };
        let port_fits = match &self.port {
            Port::Is(known) => port == known,
            Port::Any => port.is_empty() || is_port(port),
        };
        host_fits && port_fits
    }
}

/// Host and port; the port is empty where there is none.
fn split(text: &str) -> Option<(&str, &str)> {
    let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
    let (host, port) = text.split_at(end);
    match port.strip_prefix(':') {
        Some(port) => (!port.is_empty()).then_some((host, port)),
        None => port.is_empty().then_some((host, "")),
    }
}

/// Labels between dots, none of them empty.
fn is_name(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    text.split('.').all(|label| !label.is_empty() && label.bytes().all(known))
}

/// An IPv6 address in brackets.
fn is_address(text: &str) -> bool {
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    inside.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(known: &str, origin: &str) -> bool {
        Origin::parse(known).unwrap_or_else(|| panic!("{known} is an origin")).is(origin)
    }

    #[test]
    fn an_origin_is_itself_and_nothing_that_begins_or_ends_like_it() {
        let known = "https://app.example.com";
        assert!(matches(known, "https://app.example.com"));
        for other in [
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com.evil.example",
            "https://xapp.example.com",
            "https://app.example.com/",
            "https://app.example.co",
            "null",
            "",
        ] {
            assert!(!matches(known, other), "{other}");
        }
    }

    #[test]
    fn a_pattern_is_for_the_hosts_below_and_not_for_the_host_itself() {
        let known = "https://*.example.com";
        for below in ["https://a.example.com", "https://a.b.example.com", "https://xn--bcher-kva.example.com"] {
            assert!(matches(known, below), "{below}");
        }
        for other in [
            "https://example.com",
            "https://.example.com",
            "https://a..example.com",
            "https://evil.example/.example.com",
            "https://evil-example.com",
            "https://evil.example?.example.com",
            "https://user@a.example.com",
            "https://a.example.com:444",
        ] {
            assert!(!matches(known, other), "{other}");
        }
    }

    #[test]
    fn ports_are_named_defaulted_or_any() {
        assert!(matches("HTTPS://App.Example.com:443", "https://app.example.com"));
        assert!(
            matches("http://localhost:*", "http://localhost:5173") && matches("http://localhost:*", "http://localhost")
        );
        assert!(!matches("http://localhost:*", "http://localhost:99999"));
        assert!(matches("http://[::1]:3000", "http://[::1]:3000"));
        assert!(matches("capacitor://localhost", "capacitor://localhost"));
    }

    #[test]
    fn what_no_browser_sends_is_no_origin() {
        let none = [
            "app.example.com",
            "https://",
            "https://app.example.com/",
            "https://app.example.com/path",
            "https://*",
            "https://*.*.example.com",
            "https://a*.example.com",
            "https://bücher.example",
            "https://app.example.com:",
            "https://app.example.com:http",
            "https://app.example.com:70000",
            "https://[::1",
            "://a",
        ];
        for text in none {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_lets_nothing_in_that_does_not_end_so(origin in "https://[a-z.:/@?*\\[\\]]{0,12}(\\.example\\.com)?[a-z.:/]{0,4}") {
            if matches("https://*.example.com", &origin) {
                let host = origin.strip_prefix("https://").expect("the scheme is the same");
                prop_assert!(host.ends_with(".example.com") && !host.contains(['/', ':', '@', '?', '*', '[']), "{origin}");
            }
        }
    }
}
