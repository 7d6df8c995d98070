//! Where to listen: `127.0.0.1:8080`, `[::1]:8080`, `:8080`, `8080`, `unix:/run/app.sock`.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde_json::Value;

use super::{Complaint, Kind};

/// The kernel keeps a socket's path in 108 bytes, the last one a NUL (unix(7)).
const LONGEST_SOCKET_PATH: usize = 107;

const HOW: &str = "write \"127.0.0.1:8080\", \"[::1]:8080\", \":8080\" (all addresses), \"8080\" or \"unix:/path\"";

/// An address that can be bound. Port 0 means a free one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An [`Address`] as it is written: a port alone leaves the host to the key's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bind {
    Port(u16),
    To(Address),
}

impl Bind {
    pub(crate) fn resolve(&self, host: IpAddr) -> Address {
        match self {
            Self::Port(port) => Address::Tcp(SocketAddr::new(host, *port)),
            Self::To(address) => address.clone(),
        }
    }
}

impl Kind for Bind {
    fn name() -> Cow<'static, str> {
        "address".into()
    }

    #[cfg(test)]
    fn schema() -> Value {
        serde_json::json!({ "anyOf": [{ "type": "string" }, { "type": "integer", "minimum": 0, "maximum": 65535 }] })
    }

    fn read(value: &Value) -> Result<Self, Complaint> {
        match value {
            Value::Number(number) => {
                let port = number.as_u64().and_then(|port| u16::try_from(port).ok());
                port.map(Self::Port)
                    .ok_or_else(|| Complaint::new("is not a port", "ports go from 0 (a free one) to 65535"))
            }
            Value::String(text) => parse(text.trim()),
            _ => Err(Complaint::new("is not an address", HOW)),
        }
    }

    fn write(&self) -> Value {
        match self {
            Self::Port(port) => port.to_string().into(),
            Self::To(address) => address.to_string().into(),
        }
    }
}

fn parse(text: &str) -> Result<Bind, Complaint> {
    if let Some(path) = text.strip_prefix("unix:") {
        return socket_path(path).map(|path| Bind::To(Address::Unix(path)));
    }
    if let Ok(port) = text.parse() {
        return Ok(Bind::Port(port));
    }
    if let Ok(address) = text.parse() {
        return Ok(Bind::To(Address::Tcp(address)));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(Complaint::new("is not an address", HOW));
    };
    let Ok(port) = port.parse() else {
        return Err(Complaint::new("has no port from 0 to 65535", HOW));
    };
    let host = match host {
        "" | "*" => Ipv4Addr::UNSPECIFIED,
        "localhost" => Ipv4Addr::LOCALHOST,
        _ => {
            return Err(Complaint::new(
                "names a host that is not an address",
                format!("names are not resolved here; {HOW}"),
            ));
        }
    };
    Ok(Bind::To(Address::Tcp((host, port).into())))
}

/// A path that a unix socket can have.
pub(crate) fn socket_path(path: &str) -> Result<PathBuf, Complaint> {
    if path.is_empty() || path.contains('\0') {
        return Err(Complaint::new("has no path of a socket", "write \"unix:/run/app.sock\""));
    }
    if path.len() > LONGEST_SOCKET_PATH {
        let message = format!("has a socket path of {} bytes", path.len());
        return Err(Complaint::new(message, format!("the kernel takes {LONGEST_SOCKET_PATH}; choose a shorter one")));
    }
    Ok(PathBuf::from(path))
}
