//! The port that the environment names.

use std::env::{self, VarError};
use std::fmt;

/// A port that is none. Its `Debug` is what a `main` prints that returns it: the message.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable} is {value:?}, which is no port: use a number from 0 to 65535, where 0 lets the system choose")]
pub struct PortError {
    variable: String,
    value: String,
}

impl fmt::Debug for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The port in the environment variable called `variable`, or `default` where it is unset or empty.
///
/// ```
/// assert_eq!(seaworthy::server::port("NO_SUCH_PORT", 8080)?, 8080);
/// # Ok::<(), seaworthy::server::PortError>(())
/// ```
///
/// # Errors
///
/// [`PortError`] if there is something else than a port.
pub fn port(variable: &str, default: u16) -> Result<u16, PortError> {
    let value = match env::var(variable) {
        Ok(value) => value,
        Err(VarError::NotPresent) => return Ok(default),
        Err(VarError::NotUnicode(value)) => value.to_string_lossy().into_owned(),
    };
    read(variable, &value, default)
}

fn read(variable: &str, value: &str, default: u16) -> Result<u16, PortError> {
    if value.trim().is_empty() {
        return Ok(default);
    }
    let error = |_| PortError { variable: variable.to_owned(), value: value.to_owned() };
    value.trim().parse().map_err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_port_is_quoted() {
        assert_eq!(read("PORT", " 81 ", 80), Ok(81));
        assert_eq!(read("PORT", "", 80), Ok(80));
        let refused = read("PORT", "65536", 80).unwrap_err().to_string();
        assert!(refused.starts_with("PORT is \"65536\", which is no port"), "{refused}");
    }
}
