//! What to forward to: `http://127.0.0.1:3000`, `h2c://127.0.0.1:3000`, `unix:/run/app.sock`.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;

use serde_json::Value;

use super::address::socket_path;
use super::{Complaint, Kind, text};

const HOW: &str = "write \"http://127.0.0.1:3000\", \"h2c://127.0.0.1:3000\" or \"unix:/run/app.sock\"";

/// Something that answers HTTP without TLS.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Tcp {
        host: Host,
        port: NonZeroU16,
        /// Speaks HTTP/2 with prior knowledge.
        h2c: bool,
    },
    Unix(PathBuf),
}

/// An address, or a name for whoever connects to resolve.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    Address(IpAddr),
    Name(String),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, h2c } => write!(f, "{}://{host}:{port}", if *h2c { "h2c" } else { "http" }),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Kind for Target {
    fn name() -> Cow<'static, str> {
        "upstream URL".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "type": "string", "pattern": "^(http://|h2c://|unix:)[!-~]+$" })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        let text = text(value, "an upstream", "http://127.0.0.1:3000")?.trim();
        if let Some(path) = text.strip_prefix("unix:") {
            return socket_path(path).map(Self::Unix);
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| Complaint::new("has no scheme", HOW))?;
        let h2c = match scheme {
            "http" => false,
            "h2c" => true,
            "https" => return Err(Complaint::new("asks for TLS to the upstream, which is not supported yet", HOW)),
            _ => return Err(Complaint::new("has an unknown scheme", HOW)),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('@') {
            return Err(Complaint::new(
                "carries a user or a password",
                "the program's requests go on as they came; leave it out",
            ));
        }
        if authority.contains(['/', '?', '#']) {
            return Err(Complaint::new("carries a path", "the path of each request is passed on; leave it out"));
        }
        let (host, port) = split_port(authority);
        let port = port.map_or(Some(80), |port| port.parse().ok()).and_then(NonZeroU16::new);
        let port = port.ok_or_else(|| Complaint::new("has no port from 1 to 65535", HOW))?;
        let host = host_of(host).ok_or_else(|| Complaint::new("has no host", HOW))?;
        Ok(Self::Tcp { host, port, h2c })
    }

    fn write(&self) -> Value {
        self.to_string().into()
    }
}

/// The colons inside `[::1]` separate no port.
pub(super) fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

pub(super) fn host_of(text: &str) -> Option<Host> {
    if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return address.parse().ok().map(|address| Host::Address(IpAddr::V6(address)));
    }
    if let Ok(address) = text.parse() {
        return Some(Host::Address(IpAddr::V4(address)));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (!text.is_empty() && text.len() <= 253 && text.chars().all(plain)).then(|| Host::Name(text.to_ascii_lowercase()))
}
